#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench/vm-compare without a guest: what it reads, computes, shows, and would run again."""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import xml.dom.minidom

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/lib")]

import tap  # noqa: E402
from compare import cli, fair, loads, numbers, page, plot, results, schedulers, tables  # noqa: E402

DURATIONS = {f"{what}_{q}_us": us for what in ("wakeup", "wait")
             for q, us in (("mean", 2000), ("p50", 1000), ("p99", 10000), ("p999", 12000), ("max", 20000))}


def run_of(scheduler, seed, makespan=1000.0, moves=100, profile="make", topology="1x2x2", failed=None, inputs="a", **load):
    return {"scheduler": scheduler, "title": scheduler.upper(), "topology": topology, "profile": profile, "seed": seed,
            "kernel": "6.18.15", "options": "", "command": scheduler, "inputs": inputs, "git": "x", "failed": failed,
            "load": dict(DURATIONS, makespan_ms=makespan, work_ms=3000.0, cpus=4, nodes=1, moves=moves,
                         moves_nodes=0, refill_ms=5.0, **{"moves_caches": 10, **load})}


def write(runs, tail=""):
    file = tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False)
    file.write("".join(json.dumps(run) + "\n" for run in runs) + tail)
    file.close()
    return file.name


def cell(runs):
    return numbers.cells_of(runs)["1x2x2", "make"]


def differences_are_between_the_same_seeds():
    # Unpaired medians would say -50 %: the second seed has ten times the work.
    runs = [run_of("eevdf", 1, 1000), run_of("eevdf", 2, 10000), run_of("other", 1, 1010), run_of("other", 2, 10100),
            run_of("other", 3, 1)]
    found = numbers.changes(cell(runs)["other"], cell(runs)["eevdf"], "makespan_ms")
    assert [round(change, 6) for change in found] == [1.0, 1.0], found


def each_criterion_fails_just_beyond_its_bound():
    base = [run_of("eevdf", 1)]
    cases = (("makespan", {"makespan": 1020.0}, {"makespan": 1020.1}), ("moves", {"moves": 120}, {"moves": 121}),
             ("wake-up", {"wakeup_max_us": 104000}, {"wakeup_max_us": 104001}),
             ("wait", {"wait_max_us": 104000}, {"wait_max_us": 104001}),
             ("p99", {"wait_p99_us": 11000}, {"wait_p99_us": 11001}),
             ("wake-up p99", {"wakeup_p99_us": 10300}, {"wakeup_p99_us": 10301}))
    for what, good, bad in cases:
        for change, holds in ((good, True), (bad, False)):
            load = run_of("other", 1, **{k: v for k, v in change.items() if k in ("makespan", "moves")})
            load["load"].update({k: v for k, v in change.items() if k.endswith("_us")})
            c = cell(base + [load])
            found = numbers.criteria(c["other"], c["eevdf"])
            assert len(found) == 5, found
            assert all(ok for _, _, ok in found) is holds, (what, change, found)


def each_goal_of_a_model_is_missed_just_beyond_its_bound():
    def goals(**changes):
        load = run_of("model", 1, makespan=changes.pop("makespan", 890), moves=changes.pop("moves", 20))
        load["load"].update(changes)
        runs = [run_of("eevdf", 1), run_of("rusty-1", 1), run_of("heuristic", 1), run_of("refuse", 1, 1100), load]
        for run in list(runs):
            runs += [dict(run, topology="2x1x4"), dict(run, profile="message")]
        return {goal: (sum(holds for *_, holds in found), len(found))
                for goal, found in numbers.model_goals(numbers.cells_of(runs))}

    def of(found, beginning):
        one, = (held for goal, held in found.items() if goal.startswith(beginning))
        return one

    held = goals(moves_caches=5)
    assert len(held) == 8 and all(n == of for n, of in held.values()), held
    for changes, missed in (({"moves": 24}, "at most 0.23 times the moves of scx_rusty-1"),
                            ({"makespan": 901}, "makespan 10 % below scx_rusty-1's"),
                            ({"wait_p99_us": 11001}, "p99 wait at most 1.1 times EEVDF's"),
                            ({"moves_caches": 6}, "at most 0.5 times EEVDF's moves across LLCs"),
                            ({"makespan": 1021}, "makespan within 2 % of EEVDF's")):
        found = goals(**{"moves_caches": 5, **changes})
        assert of(found, missed)[0] == 0, (missed, found)
    for makespan, held in ((999, (1, 1, 1)), (1000, (0, 0, 1)), (1100, (0, 0, 0))):
        found = goals(makespan=makespan)
        assert tuple(of(found, f"mean makespan, of all pairs of runs, below {what}")[0] for what in (
            "EEVDF's", "ours without a model", "always refuse")) == held, (makespan, found)


def late_wakeups_are_shown_beside_the_others():
    def said(**changes):
        load = run_of("heuristic", 1)
        load["load"].update(changes)
        return page.late_wakeups(numbers.cells_of([run_of("eevdf", 1), load]))

    assert said() == [] and said(wakeup_p99_us=9000) == []
    text, = said(wakeup_p99_us=11000, wakeup_mean_us=500, wakeup_p50_us=3000)
    assert "EEVDF's: 1x2x2 make (mean ×0.25, median ×3.00)." in text, text


def no_moves_under_eevdf_are_no_division_by_zero():
    runs = [run_of("eevdf", 1, moves=0), run_of("other", 1, moves=3), run_of("third", 1, moves=0)]
    c = cell(runs)
    assert numbers.ratios(c["other"], c["eevdf"], "moves") == [numbers.INFINITE]
    assert numbers.ratios(c["third"], c["eevdf"], "moves") == [1.0]
    json.loads(json.dumps(numbers.summary(runs), allow_nan=False))
    xml.dom.minidom.parseString(plot.svg(runs))
    tables.markdown(runs)


def simulated_runs_are_drawn_like_others():
    def run(policy, seed, makespan):
        return {"machine": "8c2l", "workload": "server", "policy": policy, "seed": seed, "makespan_ms": makespan,
                "moves": 10 * seed, "wait_p99_ms": 1.5}

    shown = plot.svg_of_simulated([run(policy, seed, makespan) for seed in (1, 2)
                                   for policy, makespan in (("eevdf", 100), ("model", 100 + seed))])
    found = [e.firstChild.data for e in xml.dom.minidom.parseString(shown).getElementsByTagName("text")]
    assert "8c2l" in found and "server" in found and "model" in found, found
    assert "eevdf" not in found and "message" not in found, found
    # One mark of the shape for each quantity and one in the legend, and a line from +1 to +2 % of makespan.
    assert shown.count('class="server"') == 4, shown
    line = next(e for e in xml.dom.minidom.parseString(shown).getElementsByTagName("line")
                if e.getAttribute("class") == "whisker server")
    per_cent = plot.percent_scale([1, 2])
    assert [float(line.getAttribute(end)) for end in ("x1", "x2")] == [
        float(f"{per_cent.at(value):.1f}") for value in (1, 2)], line.toxml()


def a_failed_run_is_shown_and_not_counted():
    runs = [run_of("eevdf", 1), run_of("other", 1), run_of("other", 2, makespan=1, failed="not attached until the end: x")]
    assert list(cell(runs)["other"]) == [1]
    assert "seed 2: not attached until the end: x" in tables.markdown(runs)
    assert "seed 2: not attached until the end: x" in page.page(runs, "file")


def a_line_that_was_cut_off_is_run_again_and_one_in_the_middle_is_an_error():
    whole = [run_of("eevdf", 1), run_of("eevdf", 2)]
    assert results.read(write(whole, tail='{"scheduler": "ee')) == whole
    path = write(whole[:1], tail='{"scheduler": "ee\n' + json.dumps(whole[1]) + "\n")
    try:
        results.read(path)
    except SystemExit as error:
        assert "line 2" in str(error), error
    else:
        raise AssertionError("a damaged line went unnoticed")


def a_cut_off_line_does_not_spoil_the_next():
    path = write([run_of("eevdf", 1)], tail='{"scheduler": "ee')
    with results.opened(path) as file:
        results.append(file, run_of("eevdf", 2))
    assert [run["seed"] for run in results.read(path)] == [1, 2]


def only_the_newest_build_is_shown():
    runs = [run_of("eevdf", 1), run_of("heuristic", 1, 500, inputs="old"), run_of("heuristic", 1, 900, inputs="new")]
    shown = results.newest(runs)
    assert [run["load"]["makespan_ms"] for run in shown] == [1000, 900], shown
    # On each machine by itself: there nobody else's runs are beside it.
    runs.append(run_of("heuristic", 1, 700, topology="2x2x2", inputs="newest"))
    assert [run["load"]["makespan_ms"] for run in results.newest(runs)] == [1000, 900, 700]


def another_program_is_another_run():
    run = run_of("heuristic", 1)
    for name, value in (("inputs", "b"), ("seed", 2), ("kernel", "7.1.13"), ("options", "-n 2"), ("command", "other")):
        assert results.key_of(dict(run, **{name: value})) != results.key_of(run), name
    assert results.key_of(dict(run, git="y", load={}, title="t")) == results.key_of(run)


def the_hash_follows_contents_and_names_only():
    with tempfile.TemporaryDirectory() as directory:
        a, b = pathlib.Path(directory, "a"), pathlib.Path(directory, "b")
        for place in (a, b):
            (place / "sub").mkdir(parents=True)
            (place / "sub/file").write_text("same")
        assert schedulers.digest_of([a]) == schedulers.digest_of([b])
        (b / "sub/file").write_text("other")
        assert schedulers.digest_of([a]) != schedulers.digest_of([b])
        (b / "sub/file").write_text("same")
        (b / "sub/file").rename(b / "sub/elsewhere")
        assert schedulers.digest_of([a]) != schedulers.digest_of([b])


def what_a_model_says_of_its_training_does_not_matter():
    def hash_of(**changed):
        with tempfile.TemporaryDirectory() as directory:
            model = pathlib.Path(directory, "model")
            (model / "assets").mkdir(parents=True)
            (model / "saved_model.pb").write_text(changed.pop("weights", "weights"))
            text = {"schema": "mig15", "threshold": 0.5, "provenance": {"rounds": 4}, **changed}
            (model / "assets/mlsched.json").write_text(json.dumps({k: v for k, v in text.items() if v is not None}))
            return schedulers.digest_of([schedulers.decides_in(model, directory)])

    assert hash_of() == hash_of(provenance={"rounds": 5})
    assert len({hash_of(), hash_of(threshold=0.6), hash_of(schema="seed10"), hash_of(weights="others"),
                hash_of(mechanisms=["ask-again"])}) == 5
    with tempfile.TemporaryDirectory() as model:
        assert schedulers.decides_in(model, "/nonexistent") == pathlib.Path(model), "nothing to leave out, no copy"


def of_our_program_its_bpf_objects_matter():
    def elf(machine, n, body):
        head = b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + struct.pack("<H", machine)
        size = 64 + len(body)
        head = head.ljust(40, b"\0") + struct.pack("<Q", size).ljust(18, b"\0") + struct.pack("<HH", 8, n)
        return head.ljust(64, b"\0") + body + b"table..." * n

    with tempfile.TemporaryDirectory() as directory:
        def matters(*parts):
            program = pathlib.Path(directory, "program")
            program.write_bytes(b"".join(parts))
            return schedulers.schedules_in(program, directory).read_bytes()

        first, second = elf(247, 2, b"instructions"), elf(247, 1, b"others")
        assert matters(elf(62, 3, b"host"), first, b"text", second, b"end") == first + second
        assert matters(b"another", first, second) == first + second
        assert matters(first, elf(247, 1, b"Others")) != first + second
        try:
            matters(elf(62, 3, b"host"))
            raise AssertionError("a program without BPF programs was taken")
        except ValueError as e:
            assert "expected BPF programs" in str(e)


def of_a_published_scheduler_crate_and_version_matter():
    with tempfile.TemporaryDirectory() as directory:
        def matters(name, bits):
            program = pathlib.Path(directory, name, "bin", "scx_a")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_bytes(bits)
            return schedulers.named_in(program, directory).read_text()

        assert matters("scx_a-1.0", b"built here") == matters("scx_a-1.0", b"built there")
        assert matters("scx_a-1.0", b"x") != matters("scx_a-1.1", b"x")


def a_mean_has_its_error():
    runs = [run_of("eevdf", 1, 1000), run_of("eevdf", 2, 1000), run_of("other", 1, 1010), run_of("other", 2, 1030),
            run_of("other", 3, 5000)]
    mean, error, pairs = numbers.mean_change(numbers.cells_of(runs), "other")
    assert (round(mean, 6), round(error, 6), pairs) == (2.0, 1.0, 2), (mean, error, pairs)
    assert numbers.mean_change(numbers.cells_of(runs[:1] + runs[2:3]), "other") is None


def who_ran_more_often_weighs_no_more():
    runs = [run_of(name, seed, 1000 + 10 * seed, profile=profile) for profile in ("make", "message")
            for name in ("eevdf", "other", "third") for seed in (1, 2)]
    runs += [run_of("eevdf", 3, 1000), run_of("other", 3, 9000)]
    every = numbers.cells_of(runs)
    cells = numbers.usual(every)
    assert {len(loads) for of in cells.values() for loads in of.values()} == {2}
    assert numbers.mean_change(cells, "other")[2] == 4
    assert page.more_seeds(every, cells) == {("1x2x2", "make"): {"eevdf": 3, "other": 3}}
    # Nobody is missing there; but one run less is noticed.
    assert page.unfinished(cells, numbers.titles_of(runs)) == []
    fewer = numbers.usual(numbers.cells_of([run for run in runs if (run["scheduler"], run["seed"]) != ("third", 2)]))
    assert "Not complete" in page.unfinished(fewer, numbers.titles_of(runs))[0]


def a_fair_machine_shares_its_cpus():
    ms = fair.MS
    # Three threads of 2, 4 and 6 ms on two CPUs: 2/3 each for 3 ms, then a CPU each.
    three = [[(2 * ms, 0)], [(4 * ms, 0)], [(6 * ms, 0)]]
    assert abs(fair.run_threads(2, three, 3) / ms - 7) < 1e-9, fair.run_threads(2, three, 3)
    # One after the other, and a sleep in which nobody else can run.
    assert abs(fair.run_threads(2, three, 1) / ms - 12) < 1e-9
    assert abs(fair.run_threads(1, [[(ms, 3 * ms), (ms, 0)]], 1) / ms - 5) < 1e-9
    # In a sleep somebody else has the CPU to himself: 2 of his 4 ms beside the first, 2 meanwhile.
    assert abs(fair.run_threads(1, [[(2 * ms, 2 * ms), (ms, 0)], [(4 * ms, 0)]], 2) / ms - 7) < 1e-9


def a_fair_machine_does_the_work_that_the_guests_did():
    runs = results.newest(results.read(ROOT / "bench/results/vm-compare.jsonl"))
    known = [run for run in runs if run["scheduler"] == "eevdf" and not run["options"]]
    assert len({run["profile"] for run in known}) == 4
    for run in known:
        load = run["load"]
        work = fair.work_ms(run["profile"], run["seed"], load["cpus"])
        assert abs(work - load["work_ms"]) < 0.001, (run["topology"], run["profile"], run["seed"], work, load["work_ms"])
        # Nobody does more than all CPUs can; and a fair machine without costs is not far below what there is.
        bound = fair.makespan_ms(run["profile"], run["seed"], load["cpus"])
        assert work / load["cpus"] <= bound <= load["makespan_ms"] * 1.02, (run["topology"], run["profile"], bound)


def what_refills_cost_is_a_share_of_all_cpu_time():
    # 4 CPUs: 40 of 4000 ms, 60 of 8000 and so 0.875 % in the mean; 2 % where all is done at once.
    runs = [run_of("eevdf", 1, 1000), run_of("eevdf", 2, 2000), run_of("heuristic", 1, 500),
            run_of("eevdf", 1, 1000, profile="mixed")]
    for run, ms in zip(runs, (40, 60, 40, 0)):
        run["load"]["refill_ms"] = ms
    text, shares = page.refills(numbers.cells_of(runs), numbers.titles_of(runs))
    assert "(2.0 % with ours without a model" in text, text
    assert shares.splitlines()[2:] == ["| EEVDF | 0.88 % | 0.00 % | 0.44 % |", "| HEURISTIC | 2.00 % |  | 2.00 % |"], shares
    assert page.refills(numbers.cells_of(runs[:1]), {"eevdf": "EEVDF"})[0].count("ours without a model") == 0
    del runs[0]["load"]["refill_ms"]
    assert page.refills(numbers.cells_of(runs), numbers.titles_of(runs)) == []


def time_lost_to_cold_caches_and_idle_cpus_is_a_share_of_all():
    # Of 4 CPUs for 1000 ms 20 ms of refills, which are 0.5 %, and 60 ms idle, 1.5 %.
    runs = [run_of("heuristic", 1, profile=profile, idle_ms=60.0) for profile in ("message", "mixed")]
    for run in runs:
        run["load"]["refill_ms"] = 20.0
    text, shares, command = page.lost_time(page.Built(runs, "results/traced"))
    assert "[results/traced](../results/traced)" in text, text
    assert shares.splitlines()[2:] == ["| HEURISTIC | 0.5 + 1.5 % | 0.5 + 1.5 % | 2.0 % |"], shares
    assert "run --trace --topologies 1x2x2 --profiles message,mixed --schedulers heuristic --reps 1 -o results/traced" in command, command
    assert page.lost_time(page.Built()) == []


def traced_runs_have_a_file_of_their_own():
    for traced, there in ((True, run_of("eevdf", 1)), (False, dict(run_of("eevdf", 1), traced=True))):
        try:
            cli.refuse_a_mixed_file([there], traced, "FILE")
        except SystemExit as error:
            assert "FILE" in str(error) and "--trace" in str(error), error
        else:
            raise AssertionError("no error")
        cli.refuse_a_mixed_file([there], not traced, "FILE")
        cli.refuse_a_mixed_file([], traced, "FILE")
    args = cli.parser().parse_args(["run", "-o", "x", "--reps", "1", "--profiles", "make", "--trace"])
    jobs = cli.plan(args, [schedulers.Scheduler("a", "a")], {("a", "load"): "hash"}, {"make": "load"})
    assert all(job.run["traced"] for job in jobs)


def a_traced_load_brings_what_the_kernel_saw_of_it():
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory)
        program = out / "mls-workload"
        program.write_text("")
        plain, traced = loads.Workload(program), loads.Traced(program)
        run = {"profile": "mixed", "seed": 3, "options": "-n 2"}
        assert plain.command(run, None) == "mls-workload mixed -S 3 -n 2"
        assert traced.command(run, "home") == "traced.sh /bin/mls-workload mixed -S 3 -P home -n 2"
        assert {path.name for path in set(traced.inputs) - set(plain.inputs)} == {"traced.sh"}
        (out / "load").write_text('{"makespan_ms": 5}\n')
        assert traced.measure(out, run) is None, "a run without its trace counts"
        (out / "pid").write_text("100\n")
        (out / "cpus").write_text("0 0 0\n1 1 0\n")
        where = "            load-100     [000] d..2.     0.00"
        (out / "trace").write_text("".join(f"{where}{ms}000: {what}\n" for ms, what in (
            (1, "sched_process_exec: filename=/bin/mls-workload pid=100 old_pid=100"),
            (2, "sched_process_fork: comm=load pid=100 child_comm=load child_pid=101"),
            (3, "sched_wakeup_new: comm=load pid=101 prio=120 target_cpu=000"),
            (7, "sched_switch: prev_comm=load prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=load next_pid=101 next_prio=120"),
            (9, "sched_process_exit: comm=load pid=100 prio=120"))))
        # The child waits 4 ms for CPU 0 while CPU 1 idles.
        assert traced.measure(out, run) == {"makespan_ms": 5, "idle_ms": 4.0}, traced.measure(out, run)


def schedulers_take_turns():
    args = cli.parser().parse_args(["run", "-o", "x", "--reps", "3", "--topologies", "1x2x2", "--profiles", "make,mixed"])
    chosen = [schedulers.Scheduler(name, name) for name in "abc"]
    inputs, load_of = {(name, "load"): "hash" for name in "abc"}, {"make": "load", "mixed": "load"}
    jobs = cli.plan(args, chosen, inputs, load_of)
    firsts = {job.run["scheduler"] for job in jobs[::3]}
    assert len(jobs) == 18 and firsts == set("abc"), firsts
    assert all({j.run["scheduler"] for j in jobs[i:i + 3]} == set("abc") for i in range(0, 18, 3))
    args.only = "1x2x2/mixed"
    assert {job.run["profile"] for job in cli.plan(args, chosen, inputs, load_of)} == {"mixed"}


def peers_are_found_by_where_they_are_built():
    with tempfile.TemporaryDirectory() as directory:
        for name in ("scx_rusty-1.0.8p/bin/scx_rusty", "scx_lavd-1.1.4/bin/scx_lavd", "scx_half-1.0/bin/other"):
            path = pathlib.Path(directory, name)
            path.parent.mkdir(parents=True)
            path.touch()
        found = [(s.name, s.title, s.command) for s in schedulers.peers(directory)]
        assert found == [("lavd-1.1.4", "scx_lavd 1.1.4", "/bin/scx_lavd"),
                         ("rusty-1.0.8p", "scx_rusty 1.0.8p", "/bin/scx_rusty")], found


def mistakes_are_said_in_plain_words():
    with tempfile.TemporaryDirectory() as directory:
        args = cli.parser().parse_args(["run", "-o", "x", "--peers", directory, "--schedulers", "nonsense"])
        for call, expected in ((lambda: cli.choose(args, directory), "scheduler nonsense: expected one of eevdf"),
                               (lambda: cli.read_newest(f"{directory}/none"), "none: no results")):
            try:
                call()
            except SystemExit as error:
                assert expected in str(error), error
            else:
                raise AssertionError(expected)


def tables_and_json_come_from_the_command():
    path = write([run_of("eevdf", 1), run_of("heuristic", 1, 990.0)])
    text = subprocess.run([ROOT / "bench/vm-compare", "table", path], capture_output=True, text=True, check=True).stdout
    assert "| HEURISTIC | 1 | 990 | -1.0 % | 100 ×1.00 |" in text and "HEURISTIC: 5 of 5 hold." in text, text
    text = subprocess.run([ROOT / "bench/vm-compare", "table", "--json", path], capture_output=True, text=True, check=True).stdout
    row = json.loads(text)["cells"][1]
    assert row["makespan_ms"] == {"median": 990.0, "min": 990.0, "max": 990.0, "times_eevdf": 0.99}, row


def a_topology_on_which_some_were_not_measured_is_shown_as_that():
    asked = [run_of(n, seed, topology="1x2x2") for n in ("eevdf", "heuristic", "other") for seed in (1, 2)]
    asked += [run_of(n, seed, topology="2x2x2", caches=4) for n in ("eevdf", "heuristic") for seed in (1, 2)]
    for run in asked[-4:]:
        run["load"].update(cpus=8, nodes=2, moves_caches=30, moves_nodes=20)
    text = page.page(asked, "file")
    assert "Not complete" not in text, text
    for words in ("2x2x2: 8 CPUs, 4 LLCs, 2 nodes", "On 2x2x2 only these ran: EEVDF; HEURISTIC.", "HEURISTIC: 10 of 10 hold.",
                  "\nbench/vm-compare run -o file --topologies 2x2x2 --schedulers eevdf,heuristic\n"):
        assert words in text, (words, text)
    lines = text.split("### 2x2x2, make")[1].splitlines()
    [head] = [line for line in lines if "makespan ms" in line]
    [row] = [line for line in lines if line.startswith("| HEURISTIC | 2 |")]
    found = dict(zip(head.split(" | "), row.split(" | ")))
    assert (found["moves across LLCs"], found["moves across nodes"]) == ("30 (30–30) ×1.00", "20 (20–20) ×1.00"), found
    assert "On 1x2x2 only" not in text
    shown = xml.dom.minidom.parseString(plot.svg(asked)).toxml()
    assert "2x2x2: 8 CPUs, 4 LLCs, 2 nodes" in shown
    # One seed too few somewhere is another thing.
    assert "**Not complete: 9 of 10 runs" in page.page(asked[:-1], "file")


def a_topology_that_was_asked_for_is_planned_and_those_of_always_are_the_default():
    hashes = {("a", "load"): "hash"}
    chosen = [schedulers.Scheduler("a", "a")]
    for options, expected in (([], {"1x2x2", "2x1x4"}), (["--topologies", "2x2x2"], {"2x2x2"})):
        args = cli.parser().parse_args(["run", "-o", "x", "--reps", "1", "--profiles", "make"] + options)
        assert {job.run["topology"] for job in cli.plan(args, chosen, hashes, {"make": "load"})} == expected


def another_build_on_another_machine_is_said():
    runs = [run_of("rusty-1.1.4", 1), run_of("rusty-1.1.4", 2), run_of("rusty-1.1.4", 1, topology="2x2x2", inputs="b"), run_of("eevdf", 1)]
    text = page.schedulers_part(runs, {"eevdf": "EEVDF", "rusty-1.1.4": "rusty"})
    assert text.endswith("rusty: the published crate; by one build and guest on 1x2x2 and one build and guest on 2x2x2"), text
    assert "EEVDF: the kernel's own\n" in text, text


def controls_are_set_beside_the_same_seeds_of_eevdf():
    runs = [run_of("eevdf", 1, 1000, moves_caches=20), run_of("eevdf", 2, 4000, moves_caches=20),
            run_of("eevdf", 1, 500, topology="2x1x4", moves_caches=10), run_of("heuristic", 1, moves_caches=5)]
    controls = [run_of("mechanisms", 1, 1100, 50, moves_caches=10), run_of("eevdf-home", 1, 900, 150, moves_caches=0)]
    text = "\n\n".join(page.controls_parts(page.Built(controls, "file.jsonl"), runs))
    assert "one repetition" in text and "2x1x4" not in text and "heuristic" not in text, text
    assert "| 1000 ms |" in text and "| +10.0 % |" in text and "| -10.0 % |" in text, text
    assert "| ×0.50 |" in text and "| ×1.50 |" in text and "| ×0.00 |" in text, text
    assert "bench/vm-compare run -o file.jsonl --schedulers mechanisms --topologies 1x2x2 --profiles make --reps 1" in text, text
    assert page.controls_parts(page.Built(), runs) == []


def the_published_page_is_made_of_the_published_results():
    runs = results.newest(results.read(ROOT / "bench/results/vm-compare.jsonl"))
    built = "bench/results/vm-compile.jsonl"
    built = page.Built(results.newest(results.read(ROOT / built)), built)
    for name in ("vm-compile", "vm-traced", "vm-controls"):
        assert (ROOT / f"bench/results/{name}.jsonl").exists(), f"{name}.jsonl is gone, and its part of the page with it"
    traced = "bench/results/vm-traced.jsonl"
    traced = page.Built(results.newest(results.read(ROOT / traced)), traced)
    controls = "bench/results/vm-controls.jsonl"
    controls = page.Built(results.newest(results.read(ROOT / controls)), controls)
    assert (ROOT / "docs/comparison.md").read_text() == page.page(runs, "bench/results/vm-compare.jsonl", built, traced, controls), \
        "bench/vm-compare page bench/results/vm-compare.jsonl makes it anew"
    assert (ROOT / "docs/comparison.svg").read_text() == plot.svg(runs)


def the_published_validity_is_what_the_simulator_gives():
    build = pathlib.Path(os.environ.get("O", ROOT / "build"))
    done = subprocess.run([ROOT / "bench/vm-compare", "simulation", ROOT / "bench/results/vm-compare.jsonl", "--build", build],
                          capture_output=True, text=True, check=True)
    page = (ROOT / "docs/simulator.md").read_text()
    missing = [line for line in done.stdout.splitlines() if line and line not in page]
    assert not missing, "docs/simulator.md has not:\n" + "\n".join(missing[:5])


TESTS = [differences_are_between_the_same_seeds, each_criterion_fails_just_beyond_its_bound,
         each_goal_of_a_model_is_missed_just_beyond_its_bound,
         late_wakeups_are_shown_beside_the_others, no_moves_under_eevdf_are_no_division_by_zero, simulated_runs_are_drawn_like_others, a_failed_run_is_shown_and_not_counted,
         a_line_that_was_cut_off_is_run_again_and_one_in_the_middle_is_an_error, a_cut_off_line_does_not_spoil_the_next,
         only_the_newest_build_is_shown, another_program_is_another_run, the_hash_follows_contents_and_names_only,
         what_a_model_says_of_its_training_does_not_matter, of_our_program_its_bpf_objects_matter, of_a_published_scheduler_crate_and_version_matter, a_mean_has_its_error,
         a_fair_machine_shares_its_cpus, a_fair_machine_does_the_work_that_the_guests_did,
         what_refills_cost_is_a_share_of_all_cpu_time, time_lost_to_cold_caches_and_idle_cpus_is_a_share_of_all, traced_runs_have_a_file_of_their_own,
         a_traced_load_brings_what_the_kernel_saw_of_it, schedulers_take_turns, peers_are_found_by_where_they_are_built, mistakes_are_said_in_plain_words,
         tables_and_json_come_from_the_command, a_topology_on_which_some_were_not_measured_is_shown_as_that,
         a_topology_that_was_asked_for_is_planned_and_those_of_always_are_the_default, another_build_on_another_machine_is_said,
         controls_are_set_beside_the_same_seeds_of_eevdf,
         the_published_page_is_made_of_the_published_results,
         the_published_validity_is_what_the_simulator_gives]


if __name__ == "__main__":
    sys.exit(tap.run(TESTS))
