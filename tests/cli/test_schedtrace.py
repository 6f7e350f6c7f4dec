#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench/compare/schedtrace.py: what it makes of a kernel's scheduler events, computed by hand here; and what
bench/vm-compare makes of a guest that compiled."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/lib")]

import tap  # noqa: E402
from compare import cli, guests, loads, numbers, page, results, schedtrace, tables  # noqa: E402

# CPUs 0 and 1 share a cache, 2 and 3 another one on another node.
MACHINE = schedtrace.machine_of("0 0-1 0\n1 0-1 0\n2 2-3 1\n3 2-3 1\n")
PAIR = schedtrace.machine_of("0 0 0\n1 1 0\n")
HEADER = "# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"


def event(us, cpu, name, fields):
    return f"            make-100     [{cpu:03}] d..2. {us // 1000000:5}.{us % 1000000:06}: {name}: {fields}\n"


def switch(us, cpu, prev, state, following, name="make"):
    return event(us, cpu, "sched_switch", f"prev_comm={name} prev_pid={prev} prev_prio=120 prev_state={state} ==> "
                 f"next_comm={name} next_pid={following} next_prio=120")


def wakeup(us, cpu, pid, name="sched_wakeup"):
    return event(us, cpu, name, f"comm=cc1 pid={pid} prio=120 target_cpu={cpu:03}")


def migrate(us, pid, origin, target):
    return event(us, 0, "sched_migrate_task", f"comm=cc1 pid={pid} prio=120 orig_cpu={origin} dest_cpu={target}")


def fork(us, cpu, pid, child):
    return event(us, cpu, "sched_process_fork", f"comm=make pid={pid} child_comm=make child_pid={child}")


def execute(us, cpu, pid, filename="/usr/bin/make"):
    return event(us, cpu, "sched_process_exec", f"filename={filename} pid={pid} old_pid={pid}")


def leave(us, cpu, pid):
    return event(us, cpu, "sched_process_exit", f"comm=make pid={pid} prio=120 group_dead=true")


def measure(lines, machine=PAIR):
    return schedtrace.measure((HEADER + "".join(lines)).splitlines(keepends=True), 100, "/usr/bin/make", machine)


def refused(lines, expected):
    try:
        measure(lines)
    except schedtrace.TraceError as error:
        assert expected in str(error), error
    else:
        raise AssertionError(f"no error, expected: {expected}")


# make on CPU 0 starts a compiler on CPU 1, sleeps until that has ended, ends.
BUILD = [
    switch(500, 0, 0, "R", 100), execute(700, 0, 100, "/proc/self/exe"), execute(1000, 0, 100),
    fork(1900, 0, 100, 101), wakeup(2000, 1, 101, "sched_wakeup_new"), switch(2100, 1, 0, "R", 101),
    execute(2200, 1, 101, "/usr/lib/cc1"), switch(5000, 0, 100, "S", 0), leave(8990, 1, 101), wakeup(9000, 0, 100),
    switch(9050, 0, 0, "R", 100), switch(9100, 1, 101, "Z", 0), leave(10000, 0, 100), switch(10010, 0, 100, "Z", 0),
]


def time_is_that_of_cpus_of_one_speed():
    found = measure(BUILD)
    assert found["clock_ms"] == 9.0, found
    # Alone for 1.1 ms, 4.05 ms and 0.9 ms, which takes twice as long; together for 2.9 ms and 0.05 ms.
    assert found["makespan_ms"] == round(2 * (1.1 + 4.05 + 0.9) + 2.9 + 0.05, 3), found
    assert found["work_ms"] == round(2 * (1.1 + 4.05 + 0.9) + 2 * (2.9 + 0.05), 3), found
    # The other CPU idled from the wake-up of each until it ran, at half the clock's speed.
    assert found["wasted_ms"] == round(2 * (0.1 + 0.05), 3), found
    assert found["idle_ms"] == round(0.1 + 0.05, 3), found
    assert (found["cpus"], found["caches"], found["nodes"]) == (2, 2, 1), found


def a_wakeup_lasts_until_the_task_runs():
    found = measure(BUILD)
    assert (found["wakeups"], found["wakeup_p50_us"], found["wakeup_max_us"], found["wakeup_mean_us"]) == (2, 50, 100, 75.0), found
    assert found["waits"] == 0 and found["queued_ms"] == 0.15, found
    assert found["programs"] == {"make": 1, "cc1": 1}, found


def who_is_taken_off_its_cpu_waits():
    lines = BUILD[:3] + [switch(2000, 0, 100, "R+", 7), switch(2700, 0, 7, "S", 100), switch(3000, 0, 100, "R", 7),
                         switch(3200, 0, 7, "S", 100), switch(3300, 0, 100, "D", 0), wakeup(3500, 0, 100),
                         switch(3600, 0, 0, "R", 100), leave(4000, 0, 100)]
    found = measure(lines)
    assert (found["waits"], found["wait_p50_us"], found["wait_max_us"]) == (2, 200, 700), found
    assert (found["wakeups"], found["wakeup_max_us"]) == (1, 100), found


def a_wakeup_of_who_still_runs_is_none():
    lines = BUILD[:3] + [wakeup(2000, 0, 100), switch(2500, 0, 100, "R", 7), switch(2600, 0, 7, "S", 100),
                         leave(3000, 0, 100)]
    found = measure(lines)
    assert (found["wakeups"], found["waits"], found["wait_max_us"]) == (0, 1, 100), found


def a_wakeup_in_the_middle_of_a_wait_changes_nothing():
    lines = BUILD[:3] + [switch(2000, 0, 100, "R", 7), wakeup(2300, 0, 100), switch(2600, 0, 7, "S", 100),
                         leave(3000, 0, 100)]
    found = measure(lines)
    assert (found["wakeups"], found["waits"], found["wait_max_us"]) == (0, 1, 600), found


def moves_are_told_apart_by_distance():
    lines = BUILD[:5] + [migrate(2010, 101, 0, 1), migrate(2020, 101, 1, 2), migrate(2030, 101, 2, 3),
                         migrate(2040, 101, 3, 0)] + BUILD[5:]
    found = measure(lines, MACHINE)
    assert (found["moves"], found["moves_caches"], found["moves_nodes"]) == (4, 2, 2), found


def only_the_tree_counts_and_only_while_it_builds():
    strangers = [migrate(600, 100, 1, 0), migrate(2005, 50, 0, 1), fork(2006, 0, 50, 51), migrate(2007, 51, 0, 1),
                 execute(2008, 0, 51, "/bin/cc1")]
    lines = BUILD[:1] + strangers[:1] + BUILD[1:5] + strangers[1:] + BUILD[5:] + [migrate(10020, 101, 0, 1)]
    assert measure(lines) == measure(BUILD)


def a_number_that_is_used_again_is_another_process():
    lines = BUILD[:-2] + [migrate(9200, 101, 0, 1), fork(9300, 0, 50, 101), migrate(9400, 101, 0, 1)] + BUILD[-2:]
    assert measure(lines)["moves"] == 0


def grandchildren_belong_to_the_tree():
    lines = BUILD[:7] + [fork(2300, 1, 101, 102), migrate(2400, 102, 1, 0)] + BUILD[7:]
    assert measure(lines)["moves"] == 1


def names_may_hold_anything():
    odd = "a pid=7 prio=1 ==> b"
    lines = [line.replace("=make ", f"={odd} ").replace("comm=cc1", f"comm={odd}") for line in BUILD]
    assert lines != BUILD and measure(lines) == measure(BUILD)


def other_events_and_empty_lines_do_not_matter():
    lines = BUILD[:4] + ["\n", event(1950, 1, "sched_stat_wait", "comm=x")] + BUILD[4:]
    assert measure(lines) == measure(BUILD)


def what_is_no_whole_trace_is_refused():
    refused(BUILD[:6] + ["CPU:1 [LOST 12 EVENTS]\n"] + BUILD[6:], "trace, line 10: no event: CPU:1 [LOST 12 EVENTS]")
    refused(BUILD[:4] + [event(1950, 0, "sched_migrate_task", "comm=x pid=1")], "line 8: sched_migrate_task without its fields")
    refused(BUILD[:2], "process 100 does not execute /usr/bin/make")
    refused(BUILD[:-2], "process 100 does not end")
    refused(BUILD[:7] + [switch(3000, 0, 100, "S", 9), switch(4000, 0, 8, "S", 0)] + BUILD[-2:],
            "CPU 0 leaves task 8 at 4000 us, but it ran 9")
    refused(BUILD[:4] + [switch(1800, 0, 100, "S", 0)], "time goes back by 100 us")
    refused(BUILD[:4] + [switch(1950, 2, 0, "R", 9)], "CPU 2 is none of the machine's")


def quantiles_are_exact():
    hundred = list(range(1, 101))
    assert [schedtrace.quantile(hundred, q) for q in (0.5, 0.99, 0.999, 1)] == [50, 99, 100, 100]
    assert [schedtrace.quantile([7], q) for q in (0.5, 0.999)] == [7, 7] and schedtrace.quantile([], 0.5) == 0


# ---- in bench/vm-compare ----------------------------------------------------------

RUN = {"scheduler": "eevdf", "title": "EEVDF", "topology": "1x2x1", "profile": "compile", "seed": 3, "kernel": "6.18.15",
       "options": "", "command": "", "inputs": "a", "git": "x"}


def load_of(directory):
    (directory / "root").mkdir()
    for name in ("packages", "hashes"):
        (directory / name).write_text(name)
    return loads.Compile(directory / "root")


def outcome_of(lines):
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory)
        for name, text in (("load", ""), ("pid", "100\n"), ("cpus", "0 0 0\n1 1 0\n"), ("trace", HEADER + "".join(lines))):
            (out / name).write_text(text)
        (out / "tree").mkdir()
        return guests.outcome(out, RUN, load_of(out / "tree"))


def a_guest_that_compiled_is_a_run():
    found = outcome_of(BUILD)
    assert found["failed"] is None and found["load"]["makespan_ms"] == measure(BUILD)["makespan_ms"], found
    assert (found["load"]["profile"], found["load"]["seed"]) == ("compile", 3), found


def a_trace_that_is_not_whole_is_a_failed_run():
    found = outcome_of(BUILD[:-2])
    assert "does not end" in found["failed"] and "load" not in found, found


def a_load_that_left_nothing_is_a_failed_run():
    for failed, expected in ((None, "the load printed nothing"), ("the load ended with status 1: no compiler",) * 2):
        with tempfile.TemporaryDirectory() as directory:
            out = pathlib.Path(directory)
            (out / "load").write_text("")
            if failed:
                (out / "failed").write_text(failed)
            (out / "tree").mkdir()
            assert guests.outcome(out, RUN, load_of(out / "tree"))["failed"] == expected


def its_command_holds_seed_and_options():
    with tempfile.TemporaryDirectory() as directory:
        load = load_of(pathlib.Path(directory))
        assert load.command(RUN, None) == "compile.sh 3"
        assert load.command(dict(RUN, options="8 -O2"), None) == "compile.sh 3 8 -O2"


def processes_that_cannot_be_tied_are_not_planned():
    args = cli.parser().parse_args(["run", "-o", "x", "--profiles", "compile"])
    chosen = [scheduler for scheduler in cli.schedulers.kernels_own() if scheduler.tie]
    try:
        cli.plan(args, chosen, {(s.name, "load"): "hash" for s in chosen}, {"compile": "load"})
    except SystemExit as error:
        assert ": the processes of compile cannot be tied" in str(error), error
    else:
        raise AssertionError("planned")


def runs_of(name, seeds, **load):
    return [dict(RUN, scheduler=name, title=name.upper(), seed=seed, failed=None, load=dict(measure(BUILD), **load))
            for seed in seeds]


def the_page_shows_what_came_out():
    runs = runs_of("eevdf", (1, 2), moves=200) + runs_of("heuristic", (1, 2), moves=10, makespan_ms=20.0)
    text = "\n".join(page.compile_parts(page.Built(runs, "results/file")))
    for words in ("This, too, is emulation", "1 compilations\nand 2 programs", "### 1x2x1: 2 CPUs, 2 LLCs, 1 node",
                  "- **HEURISTIC** against EEVDF (moves ×0.05, makespan +32.9 %).",
                  "--profiles compile --topologies 1x2x1 --schedulers eevdf,heuristic -o results/file"):
        assert words in text, (words, text)
    assert page.compile_parts(page.Built()) == [] and "Not complete" not in text
    assert any("Not complete: 3 of 4 runs" in part for part in page.compile_parts(page.Built(runs[:-1], "results/file")))
    # What only some loads have is no column of the others, and none of a table is missing.
    head = tables.moves_table(numbers.cells_of(runs)["1x2x1", "compile"], numbers.titles_of(runs)).splitlines()[0]
    assert "guest's clock ms" in head and "refill" not in head, head
    assert "makespan_ms" in numbers.summary(runs)["cells"][0]


def its_inputs_are_not_those_of_the_other_loads():
    runs = [dict(RUN, failed=None, load={}), dict(RUN, profile="make", inputs="b", failed=None, load={})]
    assert results.newest(runs) == runs


def an_unknown_source_is_said_in_plain_words():
    done = subprocess.run([ROOT / "scripts/vm/compile-tree", "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 125 and "source nonsense: expected one of lua5.4" in done.stderr, done


TESTS = [time_is_that_of_cpus_of_one_speed, a_wakeup_lasts_until_the_task_runs, who_is_taken_off_its_cpu_waits,
         a_wakeup_of_who_still_runs_is_none, a_wakeup_in_the_middle_of_a_wait_changes_nothing,
         moves_are_told_apart_by_distance, only_the_tree_counts_and_only_while_it_builds,
         a_number_that_is_used_again_is_another_process, grandchildren_belong_to_the_tree, names_may_hold_anything,
         other_events_and_empty_lines_do_not_matter, what_is_no_whole_trace_is_refused, quantiles_are_exact,
         a_guest_that_compiled_is_a_run, a_trace_that_is_not_whole_is_a_failed_run,
         a_load_that_left_nothing_is_a_failed_run, its_command_holds_seed_and_options,
         processes_that_cannot_be_tied_are_not_planned, the_page_shows_what_came_out,
         its_inputs_are_not_those_of_the_other_loads, an_unknown_source_is_said_in_plain_words]


if __name__ == "__main__":
    sys.exit(tap.run(TESTS))
