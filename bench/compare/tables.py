# SPDX-License-Identifier: GPL-2.0
"""From runs to numbers and tables.  Every difference is between runs of the same seed."""

import statistics

BASE = "eevdf"
SLICE_MS = 4
LIMIT_MS = 100

# field of the load's line, title, divisor, digits
COLUMNS = (
    ("moves", "moves", 1, 0),
    ("moves_caches", "across LLCs", 1, 0),
    ("moves_nodes", "across nodes", 1, 0),
    ("refill_ms", "refill ms", 1, 0),
    ("wakeup_p50_us", "wake-up p50 ms", 1e3, 2),
    ("wakeup_p99_us", "p99", 1e3, 1),
    ("wakeup_p999_us", "p99.9", 1e3, 1),
    ("wakeup_max_us", "max", 1e3, 1),
    ("wait_p50_us", "wait p50 ms", 1e3, 2),
    ("wait_p99_us", "p99", 1e3, 1),
    ("wait_p999_us", "p99.9", 1e3, 1),
    ("wait_max_us", "max", 1e3, 1),
)


def cells_of(runs):
    """{(topology, profile): {scheduler: {seed: load}}} in the order of the file, without what failed."""
    cells = {}
    for run in runs:
        cell = cells.setdefault((run["topology"], run["profile"]), {})
        of_scheduler = cell.setdefault(run["scheduler"], {})
        if not run["failed"]:
            of_scheduler[run["seed"]] = run["load"]
    return cells


def ordered(runs):
    """Names and titles of the schedulers: EEVDF and its controls, ours, the others."""
    titles = {run["scheduler"]: run["title"] for run in runs}

    def rank(name):
        first = ("eevdf", "heuristic", "refuse", "accept", "model")
        return [i for i, word in enumerate(first) if name.startswith(word)] or [len(first)], name

    return {name: titles[name] for name in sorted(titles, key=rank)}


def values(loads, field):
    return [load[field] for load in loads.values()]


def paired(loads, base, field, function):
    """Median over the seeds that both have of function(value, value of the base)."""
    both = sorted(set(loads) & set(base))
    found = [function(loads[s][field], base[s][field]) for s in both]
    return statistics.median(found) if found else None


def change(loads, base, field):
    return paired(loads, base, field, lambda x, y: (x / y - 1) * 100)


def ratio(loads, base, field):
    return paired(loads, base, field, lambda x, y: x / y if y else 1.0 if not x else float("inf"))


def spread(numbers, divisor=1, digits=0):
    """median (smallest-largest)"""
    n = [x / divisor for x in numbers]
    if not n:
        return "-"
    middle = f"{statistics.median(n):.{digits}f}"
    if len(n) == 1:
        return middle
    return f"{middle} ({min(n):.{digits}f}–{max(n):.{digits}f})"


def criteria(loads, base):
    """What a base with no model must keep to, each as (name, value, holds)."""
    if not loads or not base:
        return []
    makespan = change(loads, base, "makespan_ms")
    moves = ratio(loads, base, "moves")
    wait = ratio(loads, base, "wait_p99_us")
    if makespan is None:
        return []
    longest = max(max(values(loads, f"{what}_max_us")) for what in ("wakeup", "wait")) / 1e3
    return [
        ("makespan within 2 %", f"{makespan:+.1f} %", makespan <= 2),
        ("moves at most 1.2 times", f"{moves:.2f}", moves <= 1.2),
        (f"longest wait at most {LIMIT_MS + SLICE_MS} ms", f"{longest:.0f} ms", longest <= LIMIT_MS + SLICE_MS),
        ("p99 wait at most 1.1 times", f"{wait:.2f}", wait <= 1.1),
    ]


def cell_table(cell, titles):
    base = cell.get(BASE, {})
    head = ["", "n", "makespan ms", "vs EEVDF"] + [title for _, title, _, _ in COLUMNS]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, title in titles.items():
        loads = cell.get(name)
        if loads is None:
            continue
        row = [title, str(len(loads)), spread(values(loads, "makespan_ms"))]
        difference = change(loads, base, "makespan_ms") if name != BASE else None
        row.append("" if difference is None else f"{difference:+.1f} %")
        for field, _, divisor, digits in COLUMNS:
            text = spread(values(loads, field), divisor, digits)
            times = ratio(loads, base, field) if field.startswith("moves") and name != BASE else None
            row.append(text if times is None or times == float("inf") else f"{text} ×{times:.2f}")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def criteria_table(cells, titles, names):
    lines = []
    for name in names:
        head = None
        for (topology, profile), cell in cells.items():
            found = criteria(cell.get(name, {}), cell.get(BASE, {}))
            if not found:
                continue
            if head is None:
                head = [what for what, _, _ in found]
                lines += ["", f"**{titles[name]}**", "", "| | n | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 2)]
            marks = [f"{value} {'✓' if holds else '✗'}" for _, value, holds in found]
            lines.append(f"| {topology} {profile} | {len(cell[name])} | " + " | ".join(marks) + " |")
    return "\n".join(lines)


def failures(runs):
    return [f"- {r['title']}, {r['topology']} {r['profile']}, seed {r['seed']}: {r['failed'].splitlines()[0]}"
            for r in runs if r["failed"]]


def markdown(runs):
    cells, titles = cells_of(runs), ordered(runs)
    parts = []
    for (topology, profile), cell in cells.items():
        work = values(next(iter(cell.values())), "work_ms")
        cpus = values(next(iter(cell.values())), "cpus")
        parts.append(f"**{topology}, {profile}** (work / CPUs: {spread([w / c for w, c in zip(work, cpus)])} ms)\n\n"
                     + cell_table(cell, titles))
    parts.append("Criteria" + criteria_table(cells, titles, [n for n in titles if not n.startswith(BASE)]))
    bad = failures(runs)
    if bad:
        parts.append("Failed:\n" + "\n".join(bad))
    return "\n\n".join(parts)
