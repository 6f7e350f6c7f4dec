#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What each mechanism is worth: `mlsched sim` with none, each, all but each, all; in Markdown.

Against EEVDF, over all machines and loads: the mean difference of makespans, and the geometric means of
the ratios of moves and of p99 waits (one more of each, so that none is no end to it).
"""

import argparse
import collections
import json
import math
import os
import subprocess
import sys

MECHANISMS = ("fork-in-place", "preempt-short", "ask-again", "level-large")
POLICIES = {"mlsched": "no model", "refuse-llc": "none between caches", "model": "model"}
# 0.1 ms: a wait of none against one of a few microseconds is no ratio.
FLOOR = {"moves": 1, "wait_p99_ms": 0.1}


def settings():
    yield "none", ()
    for name in MECHANISMS:
        yield f"*{name}*", (name,)
    yield "all", MECHANISMS
    for name in MECHANISMS:
        yield f"all but *{name}*", tuple(other for other in MECHANISMS if other != name)


def simulate(args, policies, more):
    command = [args.mlsched, "sim", "--json", "-q", "-m", args.machine, "-w", args.workload, "--seeds", str(args.seeds),
               "--seed", str(args.seed), "-p", ",".join(policies), *more]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    said = json.loads(done.stdout or "{}")
    if "runs" not in said:
        sys.exit(said.get("error", f"{' '.join(command)}: status {done.returncode}"))
    runs = said["runs"]
    cells = collections.defaultdict(lambda: collections.defaultdict(list))
    for run in runs:
        cells[run["machine"], run["workload"]][run["policy"]].append(run)
    return cells


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def against(cells, base, policy):
    """Of all cells: makespan in percent, moves in percent, p99 wait as a ratio."""
    time = mean(100 * (b["makespan_ms"] / a["makespan_ms"] - 1)
                for cell in cells for a, b in zip(base[cell]["eevdf"], cells[cell][policy]))

    def ratio(field):
        def of(run):
            return math.log(run[field] + FLOOR[field])
        return math.exp(mean(of(b) - of(a)
                             for cell in cells for a, b in zip(base[cell]["eevdf"], cells[cell][policy])))

    return f"{time:+.1f} %".replace("-", "−"), f"{100 * (ratio('moves') - 1):+.0f} %".replace("-", "−"), \
        f"×{ratio('wait_p99_ms'):.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlsched", default=os.environ.get("MLSCHED", "build/mlsched"))
    parser.add_argument("--model", default="models/default")
    parser.add_argument("-m", "--machine", default="8c2l,32c4l,128c16l2n")
    parser.add_argument("-w", "--workload", default="make,make1,makehalf,message,mixed,imbalance,server,phases")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=3000001)
    args = parser.parse_args()
    inspected = json.loads(subprocess.run([args.mlsched, "inspect", "--json", args.model], check=True,
                                          stdout=subprocess.PIPE).stdout)
    own = None if inspected["mechanisms"] is None else set(inspected["mechanisms"])
    offers = ["--offers", ",".join(f"{us:g}" for us in inspected["offers_us"])] if inspected["offers_us"] else []
    base = simulate(args, ["eevdf"], [])
    print("| mechanisms | " + " | ".join(f"{title}: makespan | moves | wait p99" for title in POLICIES.values()) + " |")
    print("|---|" + "---:|" * 3 * len(POLICIES))
    for title, names in settings():
        title += " (the model's)" if set(names) == own else ""
        mechanisms = ["--mechanisms", ",".join(names) or "none"]
        cells = simulate(args, [policy for policy in POLICIES if policy != "model"], mechanisms)
        for cell, runs in simulate(args, ["model"], ["--model", args.model, *mechanisms, *offers]).items():
            cells[cell].update(runs)
        values = [value for policy in POLICIES for value in against(cells, base, policy)]
        print(f"| {title} | " + " | ".join(values) + " |", flush=True)


if __name__ == "__main__":
    main()
