#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""From `mlsched sim --json` on standard input to the table of a model against EEVDF, in Markdown.

A cell is missed (!) when a compile moves more than 23 % of what EEVDF moves, takes more time or
waits 3 % and 50 us longer at p99, after a wake-up or in the middle of work, or when any load takes 2 % more time, or
waits 10 % and 50 us longer at p99.  So is a compile that wins back less than 75 % of the bound (--bound): what
EEVDF would gain if no move cost anything, where that is half a percent or more.
"""

import argparse
import collections
import json
import math
import sys

COMPILES = ("make", "make1")
LEAST_BOUND = 0.5


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def half_width(values):
    """Of the interval of 95 % of a mean, by Student's t (its quantile within 0.5 % from 4 degrees of freedom on)."""
    middle, freedom = mean(values), len(values) - 1
    quantile = 1.95996 + 2.3723 / freedom + 2.8225 / freedom ** 2
    return quantile * math.sqrt(sum((v - middle) ** 2 for v in values) / freedom / len(values))


def sign(value):
    return f"{value:+.1f}".replace("-", "−")


def row(machine, load, base, runs, bound):
    times = [100 * (b["makespan_ms"] / a["makespan_ms"] - 1) for a, b in zip(base, runs)]
    time, width = mean(times), half_width(times)
    before, after = (mean(r["moves"] for r in some) for some in (base, runs))
    wait, wait_after = (mean(r["wait_p99_ms"] for r in some) for some in (base, runs))
    moved = 100 * (after / before - 1) if before else 0
    strict = load in COMPILES
    missed = []
    if strict and moved > -77:
        missed.append("moves")
    # What the seeds cannot tell from nothing is not a loss.
    if time - width > (0 if strict else 2) or (not strict and time > 2):
        missed.append("time")
    wake, wake_after = (mean(r["wakeup_p99_ms"] for r in some) for some in (base, runs))
    # Waits are counted in buckets that are 3 % wide.
    for what, was, now in (("wait", wait, wait_after), ("wake-up", wake, wake_after)):
        if now > max(was * (1.03 if strict else 1.1), was + 0.05):
            missed.append(what)
    to_win = -mean(100 * (b["makespan_ms"] / a["makespan_ms"] - 1) for a, b in zip(base, bound)) if bound else 0
    won = ""
    if to_win >= LEAST_BOUND:
        won = f"{max(0, -100 * time / to_win):.0f} % of {to_win:.1f} %"
        if strict and -time < 0.75 * to_win:
            missed.append("bound")
    print(f"| {machine} | {load} | {sign(time)} ± {width:.1f} % | {won} | {before:.0f} → {after:.0f} | {sign(moved)} % | "
          f"{wait:.2f} → {wait_after:.2f} | {wake:.2f} → {wake_after:.2f} | {', '.join(missed)} |")
    return bool(missed)


def same(cells, base, policy):
    """How far one policy is from another, cell by cell and in the mean of the cells, with intervals of 95 %."""
    print("| machine | load | makespan | moves | wait p99 ms | wake-up p99 ms |")
    print("|---|---|---|---|---|---|")
    inside, widest, times, moved = 0, 0, [], []
    for (machine, load), runs in cells.items():
        pairs = list(zip(runs[base], runs[policy]))
        of_cell = [100 * (b["makespan_ms"] / a["makespan_ms"] - 1) for a, b in pairs]
        of_moves = [100 * math.log((b["moves"] + 1) / (a["moves"] + 1)) for a, b in pairs]
        width = half_width(of_cell)
        inside += abs(mean(of_cell)) <= width
        widest = max(widest, width)
        times.append(mean(of_cell))
        moved.append(mean(of_moves))
        before, after = ([mean(pair[side][field] for pair in pairs) for field in ("wait_p99_ms", "wakeup_p99_ms")]
                         for side in (0, 1))
        print(f"| {machine} | {load} | {sign(times[-1])} ± {width:.1f} % | {sign(moved[-1])} ± {half_width(of_moves):.1f} % | "
              f"{before[0]:.2f} → {after[0]:.2f} | {before[1]:.2f} → {after[1]:.2f} |")
    print(f"\nZero is inside the interval of makespan in {inside} of {len(cells)} cells, the widest of which is ± {widest:.1f} %. The mean of "
          f"the cells: makespan {mean(times):+.2f} ± {half_width(times):.2f} %, moves {mean(moved):+.2f} ± {half_width(moved):.2f} %.".replace("-", "−"))


def matrix(cells, base, field):
    """Each policy's difference to @base in percent, cell by cell."""
    policies = [policy for policy in next(iter(cells.values())) if policy != base]
    print("| machine | load | " + " | ".join(policies) + " |")
    print("|---|---|" + "---:|" * len(policies))
    for (machine, load), runs in cells.items():
        changes = []
        for policy in policies:
            pairs = list(zip(runs[base], runs[policy]))
            if field == "moves":
                before, after = (mean(pair[side][field] for pair in pairs) for side in (0, 1))
                changes.append(f"{100 * (after / before - 1):+.0f}".replace("-", "−") if before else "")
            else:
                changes.append(sign(mean(100 * (b[field] / a[field] - 1) for a, b in pairs)))
        print(f"| {machine} | {load} | " + " | ".join(changes) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="eevdf", help="policy to compare with (eevdf)")
    parser.add_argument("--policy", default="model", help="policy that is compared (model)")
    parser.add_argument("--bound", default="eevdf-free", help="policy that is the bound, if it is among the runs (eevdf-free)")
    parser.add_argument("--all", choices=("makespan_ms", "moves"), help="only this, of all policies, in percent")
    parser.add_argument("--same", action="store_true", help="whether --policy differs from --base by more than chance")
    arguments = parser.parse_args()
    cells = collections.OrderedDict()
    for run in json.load(sys.stdin)["runs"]:
        cells.setdefault((run["machine"], run["workload"]), collections.defaultdict(list))[run["policy"]].append(run)
    if arguments.all:
        matrix(cells, arguments.base, arguments.all)
        return
    if arguments.same:
        same(cells, arguments.base, arguments.policy)
        return
    print("| machine | load | makespan | won back | moves | | wait p99 ms | wake-up p99 ms | missed |")
    print("|---|---|---|---|---|---|---|---|---|")
    missed = sum(row(machine, load, runs[arguments.base], runs[arguments.policy], runs.get(arguments.bound))
                 for (machine, load), runs in cells.items())
    print(f"\n{len(cells) - missed} of {len(cells)} cells hold.")


if __name__ == "__main__":
    main()
