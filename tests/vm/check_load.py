# SPDX-License-Identifier: GPL-2.0
"""Checks on lines of JSON that bench/vm's load printed: check_load.py FILE ALL_MOVES_FILE"""

import json
import sys


def expect(condition, text):
    if not condition:
        sys.exit(text)


def adds_up(run):
    """Everything the options promise was done, and the times are possible."""
    where = f"{run['profile']}, tie {run['tie']}: {run}"
    expect(run["units"] > 0 and run["work_ms"] > 0, where)
    expect(run["makespan_ms"] * run["cpus"] >= run["work_ms"], f"more work than time, {where}")
    for name in ("wakeup", "wait"):
        quantiles = [run[f"{name}_{q}_us"] for q in ("p50", "p99", "p999", "max")]
        expect(quantiles == sorted(quantiles), where)
    # What a thread notices of its moves is no more than what the kernel counts.
    expect(run["seen_cpus"] + run["seen_caches"] <= run["moves"], where)
    expect(run["seen_caches"] <= run["moves_caches"] <= run["moves"], where)
    expect(run["moves_nodes"] == 0 if run["nodes"] == 1 else True, where)


def main(path, all_moves):
    runs = [json.loads(line) for line in open(path, encoding="utf-8")]
    by_name = {(r["profile"], r["tie"], r["seed"]): r for r in runs}
    for run in runs:
        adds_up(run)
    for profile in ("make", "message", "mixed", "imbalance"):
        same = {r["work_ms"] for r in runs if r["profile"] == profile and r["seed"] == 1}
        expect(len(same) == 1, f"{profile}: the same seed gave {same} ms of work")
        other = by_name[profile, "none", 2]["work_ms"]
        expect(other not in same, f"{profile}: another seed gave the same {other} ms of work")
        # Tied to one CPU nothing moves; a job of make first has to get there.
        tied = by_name[profile, "cpu", 1]
        expect(tied["seen_cpus"] + tied["seen_caches"] == 0 or profile == "make", f"tied, and it moved: {tied}")
        home = by_name[profile, "home", 1]
        expect(home["seen_caches"] == 0 or profile == "make", f"kept at home, and it moved: {home}")
    ours = sum(r["moves"] for r in runs)
    around = int(open(all_moves, encoding="utf-8").read().split()[0])
    print(f"# {ours} moves of the load, {around} of all tasks")
    expect(0 < ours <= around, f"{ours} moves of the load, {around} of all tasks")


if __name__ == "__main__":
    main(*sys.argv[1:])
