# SPDX-License-Identifier: GPL-2.0
"""docs/comparison.md from a file of results.  Whatever is said of the numbers is computed from them."""

import collections
import statistics

from compare import fair, numbers, plot, tables
from compare.numbers import BASE, TOPOLOGIES

INTRODUCTION = """# Comparison of schedulers
Made by `bench/vm-compare page {file}` from [{file}](../{file}); nothing here is edited by hand.

**This is emulation, and its time is counted in instructions.** Each run is a fresh virtual machine (QEMU without
KVM, `scripts/vm/run --deterministic SEED`) whose clock goes forward by a nanosecond with each instruction, shared out
between its CPUs. That makes a slow machine whose numbers are the same to the bit on every host and beside any
other work, so that a difference between two schedulers is never the host's. It is not real hardware: a scheduler's own
code costs several times what it costs there, there are no caches that cost time (the load makes up for that: a thread
that finds itself at another last-level cache works at half speed until it has paid 1 ms of CPU time, on another CPU of
the same cache 0.1 ms), and only what differs by some percent means something.

EEVDF measures what its balancing costs and does less of it where it is dear, as all kernel code is here: where it leaves
a CPU idle beside waiting threads, part of that may be the emulation's doing. A makespan below EEVDF's on this page is
no promise for real hardware. Until November 2026 this page said that ours were up to 15 % shorter: the kernel of a guest
tested its ciphers, for two seconds of a CPU's time, beside the load of whoever began at once, which EEVDF does. The
guests' kernels do not any more (`cryptomgr.notests`), and everything here was measured after that.

- Kernel: {kernels}. Topologies: {topologies}.
- Loads (`bench/vm`, the same work for the same seed, whatever the scheduler does): *make*, jobs of three short programs
  each, 1.5 at a time for each CPU; *message*, groups of threads that send each other messages with 1 ms of work each;
  *mixed*, 2.5 CPU-bound threads for each CPU and one that sleeps and wants it at once; *imbalance*, two CPU-bound
  threads for each CPU, all begun on one last-level cache.
- Repetition *n* has seed *n* for the load and for the machine, for every scheduler: {seeds}.
- Moves are the kernel's own count (`sched_migrate_task`) for the threads of the load. *Wake-up* is how late a
  sleeping thread runs, *wait* how long a thread that could run was off the CPU in the middle of its work.
- A run counts only when the scheduler was attached from before the load until after it, without a new start.
{schedulers}
"""

# Other results, of the load compile or with --trace, and the name of their file.
Built = collections.namedtuple("Built", "runs file", defaults=((), None))

COMPILE = """## A real compile
The loads above count their work in time. This one is real: the source of Debian's `lua5.4`, {compilations} compilations
and {programs} programs in all, built by `make -j` with 1.5 jobs for each CPU and gcc 14 (`-O0`). Tools and C library are
pinned packages too, in a root directory of their own; everything is in memory before it begins. Of two runs with the same
seed `make` takes what is ready in the same order (`--shuffle`).

**This, too, is emulation.** There are no caches: a move costs what the scheduler's code for it costs, and nothing after
it. The makespan tells whether CPUs were kept busy and what the scheduler itself takes, not what moves cost on real
hardware; how many there are, and how far, is what it takes from here. The clock counts instructions and shares them out
between the CPUs that are not idle, so that the others are faster while one idles: *guest's clock* is what it said,
*makespan* what it would have been on CPUs of one speed, N/k times as long where k of N are busy. *Idle beside waiting*
is CPU time, at that speed, during which a CPU was idle while a process of the build waited for one. That is a
scheduler's doing; the makespan depends as much on chance, on which compilation is the last one and how long it runs alone
while nothing else is left to do, so that with a few seeds differences of some percent mean nothing.

- Measured by the kernel's own events of all CPUs (`sched_switch`, `sched_wakeup`, `sched_migrate_task`, ...; none lost),
  for `make` and all its descendants: moves between CPUs, how late a process runs that was woken or has begun (*wake-up*),
  how long one was off the CPU in the middle of its work (*wait*).
- Kernel: {kernels}. Results: [{file}](../{file}).
{schedulers}
"""

COMPILE_AGAIN = """```
bench/vm-compare run --profiles compile --topologies {topologies} --schedulers {names} -o {file}
```"""

TO_WIN = """## What there is to win
How much longer each run takes than on a perfectly fair machine, on which every thread that can run has the same share of
the CPUs at each moment, and on which moves, switches, wake-ups and new programs cost nothing and caches do not cool
(`bench/compare/fair.py`, the same work drawn from the same seeds; the sleepers of *mixed*, up to 5 % of the CPUs, left
out). No scheduler that is fair, and does not know how much each thread still has to do, can be expected to win more
against EEVDF than the first line says; most of that is what all kernel code takes here, and what it takes nobody can win.
The mean of the seeds:
"""

REFILLS = """What caches cost in these guests: the CPU time that threads lost to cold ones, in percent of the time of all CPUs until the
end. They lose it after moves, and on *message* 0.1 ms also for each message that comes from another cache; that is why who never
moves a thread loses most there. It is little{base_line}: a makespan depends more on who is served when, and on which work
happens to be the last, than on these losses. Where they are small, a model has little to save by refusing moves. The mean of
the seeds:
"""

IDLE = """And the time that a CPU was idle while a thread waited for one, in the same percent, by the kernel's events ({seeds}; from
[{file}](../{file}), apart from all else here, since the events take time). The way from each wake-up to an idle CPU, some tens of
microseconds of kernel code here, is part of it, and no decision makes that shorter. *Cold caches + idle*:
"""

TRACED_AGAIN = """```
bench/vm-compare run --trace --topologies {topologies} --profiles {profiles} --schedulers {names} --reps {reps} -o {file}
```"""

CONTROLS = """## Controls
What our mechanisms do by themselves (`--mechanisms all`, no model), what comes of keeping every thread at its last-level cache
(a model that refuses each optional move to another one), and what somebody wins who knows the work of all threads beforehand and
ties them by it, under EEVDF. Against EEVDF's own runs of the same seeds ({seeds}; from [{file}](../{file})), makespan, moves and
moves to another last-level cache:
"""

CONTROLS_AGAIN = """```
{commands}
```"""

WAKEUPS = """Of wake-ups, too, the 99th percentile is what is judged. Where it is longer than EEVDF's: {cells}. Who may not take the place
of the running thread waits for the end of its turn, which is the first tick (they are 4 ms apart) behind 2.1 ms, as EEVDF's on 4
CPUs (2.8 ms on 8); until November 2026 it was 3 ms, and the p99 of *make* a seventh longer. On *message* most run at once, since they
take the place of a thread whose deadline is later, and the few that may not wait behind several that do; EEVDF lets them all wait for
some of it. That is by design: with no bound on who may preempt (`MLS_POLICY_GRANULARITY` 0, two seeds) that p99 is 3 and 7 % shorter, still
longer than EEVDF's, and threads preempt each other at every message."""

READING = """## All against EEVDF
EEVDF's line holds its own values, the others their difference to it: the median over the seeds of the differences
between runs of the same seed.
"""

CORE_SECONDS = 95  # of the host, that a run takes: booting, loading the scheduler, the load
AGAIN = """## Doing it again
```
bench/peers/build-schedulers.sh                 # the published schedulers, from their crates; needs a Rust toolchain
bench/vm-compare run -o {file}                  # what is missing; {hours}
{others}bench/vm-compare table {file}                   # the tables (--json for programs)
bench/vm-compare page {file}                    # this page and its plot
```
A run is identified by kernel, topology, load, seed, command line and a hash of what is in the guest: the load, our BPF
programs and models, the crate and version of others. What the numbers depend on besides: QEMU's version, busybox, the C library of the host that goes into the
guest. Our schedulers run again when `mlsched` changed, the others' results stay.
"""


def other_builds(runs, name):
    """Where what is in the guest beside a scheduler, or how it was built, is not the same on all machines."""
    inputs = {}
    for run in runs:
        if run["scheduler"] == name:
            inputs.setdefault(run["inputs"], {})[run["topology"]] = True
    if len(inputs) < 2:
        return ""
    return "; by " + " and ".join(f"one build and guest on {', '.join(of)}" for of in inputs.values())


def schedulers_part(runs, titles):
    lines = ["- Schedulers:"]
    meaning = {
        "eevdf": "the kernel's own", "eevdf-home": "EEVDF with each thread tied to the last-level cache where it starts",
        "eevdf-cache": "EEVDF with threads tied by work known in advance",
        "heuristic": "our scheduler with no model (`--mode collect`)",
        "refuse": "with a model that refuses every optional move (a control)",
        "accept": "with a model that accepts every one (a control: must decide as no model does)",
        "model": "with the default model (`models/default`), which was trained in the simulator",
        "mechanisms": "our scheduler with no model and with all mechanisms (`--mechanisms all`)",
        "refuse-llc": "with a model that refuses every optional move to another last-level cache (a control)",
        "mechanisms-refuse-llc": "the same with all mechanisms (a control)",
        "rusty-1.0.8p": "the published crate with three names of kernel functions replaced, since 6.18 has no longer the "
                        "old ones", }
    for name, title in titles.items():
        text = meaning.get(name, "the published crate")
        builds = sorted({run["git"] for run in runs if run["scheduler"] == name})
        ours = name.split("-")[0] in ("heuristic", "mechanisms", "refuse", "accept", "model")
        lines.append(f"  - {title}: {text}{', at ' + ', '.join(builds) if ours else ''}{other_builds(runs, name)}")
    return "\n".join(lines)


def describe_seeds(cells):
    counts = {len(loads) for cell in cells.values() for loads in cell.values() if loads}
    if not counts:
        return "none yet"
    if counts == {1}:
        return "one repetition"
    return f"{min(counts)} repetitions" if len(counts) == 1 else f"{min(counts)} to {max(counts)} repetitions (column *n*)"


def more_seeds(cells, usual):
    """Where somebody has run more often than the others, {cell: {scheduler: seeds}}."""
    found = {cell: {name: len(loads) for name, loads in of.items() if len(loads) > len(usual[cell][name])}
             for cell, of in cells.items()}
    return {cell: names for cell, names in found.items() if names}


def about_more_seeds(cells, usual, name="heuristic"):
    """What the bounds say of these cells with the usual seeds; only the bounds are judged by all of them."""
    lines = []
    for cell in more_seeds(cells, usual):
        before = {len(of[cell][name]): numbers.median(numbers.changes(of[cell][name], of[cell][BASE], "makespan_ms"))
                  for of in (usual, cells)}
        lines.append(f"{' '.join(cell)} was repeated more often, since it was beyond a bound by less than its runs differ: makespan " + ", ".join(
            f"{change:+.1f} % with {n}" for n, change in before.items()) +
            ". Everything else on this page is of the seeds that all have.")
    return lines


def verdict(cells, titles):
    """One sentence for each scheduler: over how many cells it was measured, best and worst."""
    lines = []
    for name, title in titles.items():
        found = {cell: numbers.median(numbers.changes(c[name], c.get(BASE, {}), "makespan_ms"))
                 for cell, c in cells.items() if name != BASE and c.get(name)}
        found = {cell: change for cell, change in found.items() if change is not None}
        if not found:
            continue
        best, worst = min(found, key=found.get), max(found, key=found.get)
        moves = [m for cell in found if (m := numbers.median(
            numbers.ratios(cells[cell][name], cells[cell][BASE], "moves"))) is not None]
        if len(found) == 1:
            lines.append(f"- **{title}**, on {' '.join(best)} alone: makespan {found[best]:+.1f} %, "
                         f"moves {moves[0]:.2f} times EEVDF's.")
            continue
        mean, error, pairs = numbers.mean_change(cells, name)
        lines.append(f"- **{title}**: makespan {found[best]:+.1f} % ({' '.join(best)}) to {found[worst]:+.1f} % "
                     f"({' '.join(worst)}), in the mean {mean:+.1f} ± {error:.1f} % (standard error, {pairs} pairs of "
                     f"runs); moves {min(moves):.2f} to {max(moves):.2f} times EEVDF's, over {len(found)} "
                     "cells.")
    return lines


def measured(cells, titles):
    """{topology: [scheduler]}: who ran there at all, in any of its cells."""
    topologies = dict.fromkeys(topology for topology, _ in cells)
    return {t: [n for n in titles if any(n in c for (of, _), c in cells.items() if of == t)] for t in topologies}


def unfinished(cells, titles):
    """Who was left out on a topology, and a warning where somebody has not run in every cell there as often as others."""
    most = max(len(loads) for cell in cells.values() for loads in cell.values())
    who = measured(cells, titles)
    lines = [f"On {topology} only these ran: {'; '.join(titles[n] for n in names)}." for topology, names in who.items()
             if len(names) < len(titles)]
    whole = sum(len(who[topology]) for topology, _ in cells) * most
    there = sum(len(loads) for cell in cells.values() for loads in cell.values())
    if there != whole:
        lines.append(f"**Not complete: {there} of {whole} runs of these schedulers are there.** A median of fewer than "
                     f"{most} seeds is what those seeds gave, not a finding.")
    return lines


def above_fair(cells, titles):
    """How far each scheduler is from a fair machine without costs, in percent; None where no load is known.

    A load with other options does other work, and is left out.
    """
    drawn = {(profile, seed, load["cpus"]): load["work_ms"]
             for (_, profile), cell in cells.items() for loads in cell.values() for seed, load in loads.items()}
    bounds = {of: fair.makespan_ms(*of) for of, work in drawn.items()
              if (known := fair.work_ms(*of)) is not None and abs(known - work) < 0.01}
    if not bounds:
        return None
    rows = []
    for name, title in titles.items():
        row = []
        for (_, profile), cell in cells.items():
            found = [numbers.percent(load["makespan_ms"], bounds[profile, seed, load["cpus"]])
                     for seed, load in cell.get(name, {}).items() if (profile, seed, load["cpus"]) in bounds]
            row.append(f"{statistics.fmean(found):+.1f} %" if found else "")
        rows.append([title] + row)
    return tables.table([""] + [f"{topology} {profile}" for topology, profile in cells], rows)


def share_of_cpus(loads, field):
    """Mean of the runs: a time in percent of that of all CPUs until the end; None without runs."""
    return statistics.fmean(load[field] / (load["makespan_ms"] * load["cpus"]) * 100 for load in loads.values()) if loads else None


def refills(cells, titles):
    """What cold caches cost each scheduler, in percent of all CPU time: [text, table]; nothing where loads do not say."""
    if not all("refill_ms" in load for cell in cells.values() for of in cell.values() for load in of.values()):
        return []
    rows, means = [], {}
    for name, title in titles.items():
        found = [share_of_cpus(cell.get(name), "refill_ms") for cell in cells.values()]
        there = [percent for percent in found if percent is not None]
        if not there:
            continue
        means[name] = statistics.fmean(there)
        rows.append([title] + ["" if percent is None else f"{percent:.2f} %" for percent in found] + [f"{means[name]:.2f} %"])
    ours = "heuristic"
    line = f" ({means[ours]:.1f} % with ours without a model, in the mean of the cells)" if ours in means else ""
    head = [""] + [f"{topology} {profile}" for topology, profile in cells] + ["mean"]
    return [REFILLS.format(base_line=line).strip(), tables.table(head, rows)]


def lost_time(traced):
    """CPU time lost to cold caches and to idling beside waiting threads: [text, table, command]; nothing without results."""
    cells, titles = numbers.cells_of(traced.runs), numbers.titles_of(traced.runs)
    if not cells:
        return []
    rows = []
    for name, title in titles.items():
        both = [[share_of_cpus(of, field) for field in ("refill_ms", "idle_ms")] if (of := cell.get(name)) else None
                for cell in cells.values()]
        there = [sum(pair) for pair in both if pair]
        rows.append([title] + [f"{pair[0]:.1f} + {pair[1]:.1f} %" if pair else "" for pair in both]
                    + [f"{statistics.fmean(there):.1f} %" if there else ""])
    head = [""] + [f"{topology} {profile}" for topology, profile in cells] + ["mean of the sums"]
    topologies, profiles = (",".join(dict.fromkeys(names)) for names in zip(*cells))
    return [IDLE.format(seeds=describe_seeds(cells), file=traced.file).strip(), tables.table(head, rows),
            TRACED_AGAIN.format(topologies=topologies, profiles=profiles, names=",".join(titles), file=traced.file,
                                reps=max(len(of) for cell in cells.values() for of in cell.values()))]


def controls_parts(controls, runs):
    """The section about controls, whose results are apart from the others' and of fewer seeds; nothing without results.

    runs: those of the page, EEVDF's among them
    """
    if not controls.runs:
        return []

    def place_of(run):
        return tuple(run[name] for name in ("kernel", "topology", "profile", "options", "seed"))

    places = {place_of(run) for run in controls.runs}
    base = [run for run in runs if run["scheduler"] == BASE and place_of(run) in places]
    cells, titles = numbers.cells_of(base + list(controls.runs)), numbers.titles_of(base + list(controls.runs))
    asked = {name: len({run["seed"] for run in controls.runs if run["scheduler"] == name}) for name in titles if name != BASE}
    commands = []
    for name, reps in asked.items():
        mine = [run for run in controls.runs if run["scheduler"] == name]
        topologies, profiles = (",".join(dict.fromkeys(run[what] for run in mine)) for what in ("topology", "profile"))
        commands.append(f"bench/vm-compare run -o {controls.file} --schedulers {name} --topologies {topologies} "
                        f"--profiles {profiles} --reps {reps}")
    return [CONTROLS.format(file=controls.file, seeds=describe_seeds(cells)).strip(),
            schedulers_part(controls.runs, {name: title for name, title in titles.items() if name != BASE}),
            tables.makespan_matrix(cells, titles), tables.ratio_matrix(cells, titles, "moves"),
            tables.ratio_matrix(cells, titles, "moves_caches"), CONTROLS_AGAIN.format(commands="\n".join(commands))]


def again(file, cells, titles, more):
    """The commands that make these results: by default, and for what one has to ask for."""
    who = measured(cells, titles)
    runs_in_all = sum(len(who[topology]) for topology, _ in cells) * 5
    others = [f"bench/vm-compare run -o {file} --topologies {topology} --schedulers {','.join(names)}\n"
              for topology, names in who.items() if topology not in TOPOLOGIES]
    others += [f"bench/vm-compare run -o {file} --topologies {topology} --profiles {profile} --schedulers {','.join(names)} "
               f"--reps {max(names.values())}\n" for (topology, profile), names in more.items()]
    return AGAIN.format(file=file, hours=f"about {runs_in_all * CORE_SECONDS / 3600:.0f} hours of one core for all",
                        others="".join(others)).strip()


def late_wakeups(cells, name="heuristic"):
    """How the other wake-ups are where the 99th percentile is longer than EEVDF's; nothing where it is not."""
    found = []
    for cell, of in cells.items():
        p99, mean, p50 = (numbers.median(numbers.ratios(of.get(name, {}), of.get(numbers.BASE, {}), f"wakeup_{what}_us"))
                          for what in ("p99", "mean", "p50"))
        if p99 is not None and p99 > numbers.WAKEUP_TIMES:
            found.append(f"{' '.join(cell)} (mean ×{mean:.2f}, median ×{p50:.2f})")
    return [WAKEUPS.format(cells="; ".join(found))] if found else []


def compared(cell, titles):
    """One line for each of ours against each of the others: moves and makespan, the same seeds in pairs."""
    ours = [n for n in titles if n.split("-")[0] in ("heuristic", "model") and cell.get(n)]
    others = [n for n in titles if n not in ours and cell.get(n)]
    lines = []
    for name in ours:
        found = []
        for other in others:
            moves = numbers.median(numbers.ratios(cell[name], cell[other], "moves"))
            makespan = numbers.median(numbers.changes(cell[name], cell[other], "makespan_ms"))
            if moves is not None:
                found.append(f"{titles[other]} (moves ×{moves:.2f}, makespan {makespan:+.1f} %)")
        if found:
            lines.append(f"- **{titles[name]}** against {', '.join(found)}.")
    return "\n".join(lines)


def compile_parts(built):
    """The section about the real compile; nothing without results."""
    cells, titles = numbers.cells_of(built.runs), numbers.titles_of(built.runs)
    loads = [load for cell in cells.values() for of in cell.values() for load in of.values()]
    if not loads:
        return []
    parts = [COMPILE.format(
        compilations=loads[0]["programs"]["cc1"], programs=sum(loads[0]["programs"].values()), file=built.file,
        kernels=", ".join(sorted({run["kernel"] for run in built.runs})),
        schedulers=schedulers_part(built.runs, titles)).strip()] + unfinished(cells, titles)
    for (topology, _), cell in cells.items():
        work = [load["work_ms"] / load["cpus"] for load in cell.get(BASE, {}).values()]
        parts += [f"### {plot.describe_topology(topology)}", f"Work / CPUs under EEVDF: {tables.spread(work)} ms.",
                  tables.moves_table(cell, titles), tables.latency_table(cell, titles), compared(cell, titles)]
    bad = tables.failures(built.runs)
    parts += ["Failed:\n" + "\n".join(bad)] if bad else []
    topologies = ",".join(dict.fromkeys(topology for topology, _ in cells))
    return parts + [COMPILE_AGAIN.format(topologies=topologies, names=",".join(titles), file=built.file)]


def page(runs, file, built=Built(), traced=Built(), controls=Built()):
    every, titles = numbers.cells_of(runs), numbers.titles_of(runs)
    cells = numbers.usual(every)
    topologies = list(dict.fromkeys(topology for topology, _ in cells))
    parts = [INTRODUCTION.format(
        file=file, kernels=", ".join(sorted({run["kernel"] for run in runs})),
        topologies="; ".join(plot.describe_topology(t) for t in topologies), seeds=describe_seeds(cells),
        schedulers=schedulers_part(runs, titles)).strip()]
    found = verdict(cells, titles)
    if found:
        parts.append("\n\n".join(["## What came out"] + unfinished(cells, titles) + ["\n".join(found)]))
        parts.append("![Makespan, moves and wait of each scheduler against EEVDF](comparison.svg)")
    ours = [p for n in titles if n == "heuristic" and (p := tables.criteria_part(every, titles, n))]
    if ours:
        parts.append("## What our base must keep to\n" + ours[0])
        parts += late_wakeups(every) + about_more_seeds(every, cells)
    wanted = tables.goals_part(cells)
    if wanted:
        parts.append("## What the default model is to win\n" + wanted)
    bound = above_fair(cells, titles)
    if bound:
        parts += [TO_WIN.strip(), bound] + refills(cells, titles) + lost_time(traced)
    parts += [READING.strip(), "Makespan:", tables.makespan_matrix(cells, titles), "Moves between CPUs:",
              tables.ratio_matrix(cells, titles, "moves"), "99th percentile of the wait for a CPU:",
              tables.ratio_matrix(cells, titles, "wait_p99_us", 1e3, " ms"),
              "99th percentile of the wake-up latency:",
              tables.ratio_matrix(cells, titles, "wakeup_p99_us", 1e3, " ms"),
              "Longest wake-up or wait of all repetitions:", tables.longest_matrix(cells, titles)]
    bad = tables.failures(runs)
    parts += ["## What failed\n" + ("\n".join(bad) if bad else "Nothing: every scheduler was attached until the end.")]
    parts += ["## Cell by cell", "Median (smallest–largest); × is the median ratio to EEVDF with the same seed."]
    parts += tables.cell_parts(cells, titles)
    parts += controls_parts(controls, runs)
    parts += compile_parts(built)
    parts.append(again(file, cells, titles, more_seeds(every, cells)))
    return "\n\n".join(parts) + "\n"
