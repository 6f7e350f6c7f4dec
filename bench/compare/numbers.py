# SPDX-License-Identifier: GPL-2.0
"""From runs to numbers.  Every difference is between runs of the same seed, thus of the same work."""

import math
import statistics

BASE = "eevdf"
INFINITE = float("inf")
# Those that are compared when nobody asks for others: two last-level caches, two nodes.
TOPOLOGIES = ("1x2x2", "2x1x4")

# What a base with no model must keep to against EEVDF.
MAKESPAN_PERCENT = 2
MOVES_TIMES = 1.2
WAIT_TIMES = 1.1
WAKEUP_TIMES = 1.03  # EEVDF's: the load counts in buckets that are 3 % wide
# And what a model is to leave of EEVDF's moves on a compile.
COMPILE_MOVES_TIMES = 0.23
# MLS_POLICY_LIMIT of core/policy.h and a tick: a task that has waited for the limit may have
# to wait for the turn that has begun.
LONGEST_MS = 100 + 4

# Fields of the load's line; not every load has all of them.
MOVES = (
    ("moves", "all", 1, 0),
    ("moves_caches", "across LLCs", 1, 0),
    ("moves_nodes", "across nodes", 1, 0),
    ("refill_ms", "refill ms", 1, 0),
    ("clock_ms", "guest's clock ms", 1, 0),
    ("wasted_ms", "idle beside waiting ms", 1, 0),
)
LATENCIES = tuple(
    (f"{what}_{quantile}_us", f"{title} {quantile.replace('p999', 'p99.9')}", 1e3, 2 if quantile == "p50" else 1)
    for what, title in (("wakeup", "wake-up"), ("wait", "wait")) for quantile in ("p50", "p99", "p999", "max"))


def cells_of(runs):
    """{(topology, profile): {scheduler: {seed: load}}} in the order of the file, without what failed."""
    cells = {}
    for run in runs:
        cell = cells.setdefault((run["topology"], run["profile"]), {})
        of_scheduler = cell.setdefault(run["scheduler"], {})
        if not run["failed"]:
            of_scheduler[run["seed"]] = run["load"]
    return dict(sorted(cells.items(), key=lambda item: cell_rank(*item[0])))


def cpus_of(topology):
    return math.prod(int(n) for n in topology.split("x"))


def cell_rank(topology, profile):
    order = ("make", "message", "mixed", "imbalance", "compile")
    parts = [int(n) for n in topology.split("x")]
    return cpus_of(topology), parts[0], parts, order.index(profile) if profile in order else len(order), profile


def titles_of(runs):
    """{name: title}: EEVDF and its controls, then ours, then the others."""
    titles = {run["scheduler"]: run["title"] for run in runs}

    def rank(name):
        first = ("eevdf", "heuristic", "mechanisms", "refuse", "accept", "model")
        return [i for i, word in enumerate(first) if name.startswith(word)] or [len(first)], name

    return {name: titles[name] for name in sorted(titles, key=rank)}


def usual(cells):
    """The cells with the seeds that most of their schedulers have run: who ran more often weighs no more."""
    counts = [len(loads) for cell in cells.values() for loads in cell.values()]
    most = max(statistics.multimode(counts), default=0)
    return {cell: {name: {seed: loads[seed] for seed in sorted(loads)[:most]} for name, loads in of.items()}
            for cell, of in cells.items()}


def columns_of(cell):
    """Those of MOVES that every load of a cell has; moves between nodes where there are several."""
    every = [load for loads in cell.values() for load in loads.values()]
    several_nodes = any(load["nodes"] > 1 for load in every)
    return [c for c in MOVES if all(c[0] in load for load in every) and (several_nodes or c[0] != "moves_nodes")]


def values(loads, field):
    return [load[field] for load in loads.values()]


def pairs(loads, base, field, function):
    """function(value, value of the base) for every seed that both have."""
    return [function(loads[seed][field], base[seed][field]) for seed in sorted(set(loads) & set(base))]


def percent(value, base):
    return (value - base) / base * 100


def times(value, base):
    if base:
        return value / base
    return INFINITE if value else 1.0


def changes(loads, base, field):
    return pairs(loads, base, field, percent)


def ratios(loads, base, field):
    return pairs(loads, base, field, times)


def median(numbers):
    return statistics.median(numbers) if numbers else None


def mean_change(cells, name, field="makespan_ms"):
    """Against EEVDF over all pairs of runs of all cells: (mean, its standard error, pairs); None below two pairs."""
    every = [change for cell in cells.values() for change in changes(cell.get(name, {}), cell.get(BASE, {}), field)]
    if len(every) < 2:
        return None
    return statistics.fmean(every), statistics.stdev(every) / len(every) ** 0.5, len(every)


def longest_ms(loads):
    return max(max(values(loads, f"{what}_max_us")) for what in ("wakeup", "wait")) / 1e3


def criteria(loads, base):
    """Those of the base, each as (what, text of the value, holds); none without runs in pairs."""
    makespan = median(changes(loads, base, "makespan_ms"))
    if makespan is None:
        return []
    moves = median(ratios(loads, base, "moves"))
    wait = median(ratios(loads, base, "wait_p99_us"))
    wakeup = median(ratios(loads, base, "wakeup_p99_us"))
    longest = longest_ms(loads)
    return [
        (f"makespan within {MAKESPAN_PERCENT} %", f"{makespan:+.1f} %", makespan <= MAKESPAN_PERCENT),
        (f"moves at most {MOVES_TIMES} times", f"×{moves:.2f}", moves <= MOVES_TIMES),
        (f"longest wake-up and wait at most {LONGEST_MS} ms", f"{longest:.0f} ms", longest <= LONGEST_MS),
        (f"p99 wait at most {WAIT_TIMES} times", f"×{wait:.2f}", wait <= WAIT_TIMES),
        ("p99 wake-up at most EEVDF's, within the 3 % of a bucket", f"×{wakeup:.2f}", wakeup <= WAKEUP_TIMES),
    ]


# What a model is to win: against scx_rusty, ...
RUSTY_MOVES_TIMES = 0.23
RUSTY_PERCENT = -10
# ... and across caches of EEVDF's moves on a compile.
CACHES_TIMES = 0.5


def model_goals(cells, name="model"):
    """[(goal, [(cell, text of the value, holds)])] of those that have runs in pairs."""
    def each(other, measure, field, bound, where=lambda cell: True):
        """@measure: changes() or ratios(), whose median is to be at most @bound."""
        found = []
        for cell, of in cells.items():
            got = median(measure(of.get(name, {}), of.get(other, {}), field)) if where(cell) else None
            if got is not None:
                text = f"{got:+.1f} %" if measure is changes else f"×{got:.2f}"
                found.append((" ".join(cell), text, got <= bound))
        return found

    def mean_below(other):
        own, its = mean_change(cells, name), mean_change(cells, other) if other != BASE else (0, 0, 0)
        return [("all", f"{own[0]:+.1f} % against {its[0]:+.1f} %", own[0] < its[0])] if own and its else []

    goals = []
    for rusty in sorted({scheduler for of in cells.values() for scheduler in of if scheduler.startswith("rusty-")}):
        goals.append((f"at most {RUSTY_MOVES_TIMES} times the moves of scx_{rusty}",
                      each(rusty, ratios, "moves", RUSTY_MOVES_TIMES)))
        goals.append((f"makespan {-RUSTY_PERCENT} % below scx_{rusty}'s, on message and on make with 8 CPUs",
                      each(rusty, changes, "makespan_ms", RUSTY_PERCENT,
                           lambda cell: cell[1] == "message" or cell[1] == "make" and cpus_of(cell[0]) == 8)))
    goals += [
        (f"makespan within {MAKESPAN_PERCENT} % of EEVDF's", each(BASE, changes, "makespan_ms", MAKESPAN_PERCENT)),
        (f"p99 wait at most {WAIT_TIMES} times EEVDF's", each(BASE, ratios, "wait_p99_us", WAIT_TIMES)),
        (f"at most {CACHES_TIMES} times EEVDF's moves across LLCs, on make",
         each(BASE, ratios, "moves_caches", CACHES_TIMES, lambda cell: cell[1] == "make")),
    ]
    for other, what in ((BASE, "EEVDF's"), ("heuristic", "ours without a model"), ("refuse", "always refuse")):
        goals.append((f"mean makespan, of all pairs of runs, below {what}", mean_below(other)))
    return [goal for goal in goals if goal[1]]


def summary(runs):
    """Everything that the tables show, for programs."""
    cells, titles = cells_of(runs), titles_of(runs)
    found = []
    for (topology, profile), cell in cells.items():
        base = cell.get(BASE, {})
        for name in titles:
            loads = cell.get(name)
            if not loads:
                continue
            row = {"topology": topology, "profile": profile, "scheduler": name, "title": titles[name],
                   "seeds": sorted(loads)}
            for field in ["makespan_ms"] + [column[0] for column in MOVES + LATENCIES]:
                if not all(field in load for load in loads.values()):
                    continue
                numbers = values(loads, field)
                row[field] = {"median": median(numbers), "min": min(numbers), "max": max(numbers)}
                against = [r for r in ratios(loads, base, field) if r != INFINITE]
                if name != BASE and against:
                    row[field]["times_eevdf"] = median(against)
            if name != BASE:
                row["criteria"] = {what: holds for what, _, holds in criteria(loads, base)}
            found.append(row)
    return {"cells": found, "failed": [{k: r[k] for k in ("topology", "profile", "scheduler", "seed", "failed")}
                                       for r in runs if r["failed"]]}
