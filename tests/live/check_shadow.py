# SPDX-License-Identifier: GPL-2.0
"""Checks on the JSON that `mlsched run -v --json` printed: check_shadow.py CHECK FILE [ARGUMENT...]"""

import json
import sys


def documents(path, kind):
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            document = json.loads(line)
            if document["type"] == kind:
                yield document


def summary(path):
    (found,) = documents(path, "summary")
    return found


def expect(condition, text):
    if not condition:
        sys.exit(text)


def adds_up(path):
    """Every call of the tracepoint became one decision, or stands in a counter."""
    s = summary(path)
    k = s["kernel"]
    n = sum(1 for _ in documents(path, "decision"))
    expect(n == k["judged"] == s["migrations"], f"{n} decisions printed, {k['judged']} judged, {s['migrations']} summed")
    expect(
        k["migrations"] == k["judged"] + k["lost"] + k["same_cpu"] + k["after_the_end"],
        f"the counters do not add up: {k}",
    )
    tallies = sum(s[name]["n"] for name in ("accepted", "refused", "forced"))
    kinds = s["wakeup"] + s["balance"] + s["exec"] + s["affinity"]
    intervals = list(documents(path, "interval"))
    expect(tallies == kinds == n, f"{tallies} by judgement, {kinds} by kind, {n} decisions")
    expect(sum(i["migrations"] for i in intervals) <= n, "intervals hold more than the whole")


def none_lost(path):
    k = summary(path)["kernel"]
    expect(k["lost"] == 0 and k["skipped_runs"] == 0, f"lost {k['lost']}, skipped {k['skipped_runs']}")


def between(path, inner_file, outer_file):
    """The kernel's counts over a shorter and a longer time enclose ours."""
    k = summary(path)["kernel"]
    for index, name in enumerate(("migrations", "switches")):
        inner = int(open(inner_file, encoding="utf-8").read().split()[index])
        outer = int(open(outer_file, encoding="utf-8").read().split()[index])
        print(f"# {name}: kernel within {inner} <= mlsched {k[name]} <= kernel around {outer}")
        expect(inner <= k[name] <= outer, f"{name}: {inner} <= {k[name]} <= {outer} does not hold")


def own_thread(path, switcher_file):
    """Of the thread that was moved a known number of times, each move is there, and nothing else."""
    known = json.load(open(switcher_file, encoding="utf-8"))
    moves = [d for d in documents(path, "decision") if d["pid"] == known["tid"] and d["forced"]]
    print(f"# {known['moves']} moves made, the kernel counted {known['kernel']}, mlsched {len(moves)}")
    # One more: the first of all brought the thread to its first CPU, if it was not there.
    moves.sort(key=lambda d: d["time_ns"])
    extra = len(moves) - known["moves"]
    expect(extra in (0, 1), f"{len(moves)} forced decisions of {known['moves']} moves")
    moves = moves[extra:]
    if known["kernel"] >= 0:
        others = [d for d in documents(path, "decision") if d["pid"] == known["tid"] and not d["forced"]
                  and d["time_ns"] > moves[0]["time_ns"]]
        expect(len(moves) + len(others) == known["kernel"], f"the kernel counted {known['kernel']}")
    wrong = [d["kind"] for d in moves if d["kind"] not in ("affinity", "wakeup")]
    expect(not wrong, f"moves by sched_setaffinity() of kind {wrong[:3]}")
    for before, after in zip(moves, moves[1:]):
        expect(before["dst_cpu"] == after["src_cpu"], f"moves {before['id']} and {after['id']} do not chain")


def bounces(path, switcher_file, window_ms):
    """A move back within the window is a bounce, one after it is not."""
    known = json.load(open(switcher_file, encoding="utf-8"))
    window = int(float(window_ms) * 1e6)
    moves = [d for d in documents(path, "decision") if d["pid"] == known["tid"]]
    moves.sort(key=lambda d: d["time_ns"])
    bounced = 0
    for before, after in zip(moves, moves[1:]):
        gap = after["time_ns"] - before["time_ns"]
        if after["dst_cpu"] != before["src_cpu"] or not before["outcome"]:
            continue
        expect(before["outcome"]["bounced"] == (gap < window), f"decision {before['id']}: moved back after {gap} ns")
        expect(abs(before["outcome"]["back_after_ns"] - gap) <= 1 or gap >= window,
               f"decision {before['id']}: {before['outcome']['back_after_ns']} ns, expected {gap}")
        bounced += before["outcome"]["bounced"]
    print(f"# {bounced} of {len(moves)} bounced")
    expect(bounced > 0, "nothing bounced")


def outcomes(path, window_ms):
    window = int(float(window_ms) * 1e6)
    n = 0
    for d in documents(path, "decision"):
        o = d["outcome"]
        if o is None:
            continue
        n += 1
        where = f"decision {d['id']}"
        expect(0 < o["observed_ns"] <= window, f"{where}: observed for {o['observed_ns']} ns")
        expect(0 <= o["wait_ns"] <= o["observed_ns"], f"{where}: waited {o['wait_ns']} ns")
        expect(0 <= o["run_ns"] <= o["observed_ns"], f"{where}: ran {o['run_ns']} ns")
        expect(o["ran"] or o["run_ns"] == 0, f"{where}: ran without running")
        # wait_ns is rounded up to an odd number, so that it is never 0
        expect(o["wait_ns"] + o["run_ns"] <= o["observed_ns"] + 1,
               f"{where}: waited {o['wait_ns']} and ran {o['run_ns']} of {o['observed_ns']} ns")
        expect(o["moved_again"] or not o["bounced"], f"{where}: bounced without moving")
    expect(n > 0, "no outcome at all")


def features(path):
    (start,) = documents(path, "start")
    online = start["topology"]["online"]
    for d in documents(path, "decision"):
        f = d["features"]
        where = f"decision {d['id']}: {f}"
        expect(f[0] == d["src_cpu"], where)
        expect(f[1] + f[2] == online and 0 <= f[1] <= online, where)
        expect(0 <= f[3] <= 1 and 0 <= f[4] <= 1, where)
        expect(f[5:] == [0] * 5, where)


def machine(path, online, caches, domains):
    """The machine is what the virtual machine was told to be, and so are the decisions' domains."""
    (start,) = documents(path, "start")
    t = start["topology"]
    expect(t["online"] == int(online) and t["last_level_caches"] == int(caches), f"{t}")
    expect(start["domains"]["cpus"] == domains.split(), f"domains {start['domains']}, expected {domains}")
    of_cpu = {}
    for index, group in enumerate(domains.split()):
        first, last = group.split("-")
        of_cpu.update((cpu, index) for cpu in range(int(first), int(last) + 1))
    n = 0
    for d in documents(path, "decision"):
        n += 1
        found = (d["src_domain"], d["dst_domain"])
        expect(found == (of_cpu[d["src_cpu"]], of_cpu[d["dst_cpu"]]), f"decision {d['id']}: domains {found}")
    expect(n > 0, "no decision at all")


def saturated(path, switcher_file):
    """With every CPU kept busy, none counts as idle and all loads are near one."""
    (start,) = documents(path, "start")
    known = json.load(open(switcher_file, encoding="utf-8"))
    moves = [d for d in documents(path, "decision") if d["pid"] == known["tid"]]
    expect(len(moves) >= known["moves"], f"{len(moves)} of {known['moves']} moves seen")
    for d in moves:
        f = d["features"]
        expect(f[1] == 0 and f[2] == start["topology"]["online"], f"idle CPUs in {f}")
        expect(f[3] > 0.99 and f[4] > 0.99, f"loads in {f}")


def refused(path, share):
    s = summary(path)
    expect(s["accepted"]["n"] + s["refused"]["n"] > 0, "no migration that could be refused")
    expect(s["refused_share"] == float(share), f"refused {s['refused_share']}, expected {share}")
    for d in documents(path, "decision"):
        expect(d["migrate"] == (float(share) == 0), f"decision {d['id']} is {d['migrate']}")


def same_integers(path):
    """The network in the kernel gives the integers that the library gives for the same features."""
    n = 0
    for d in documents(path, "decision"):
        f = d["fixed_point"]
        expect(f["same_integers"], f"decision {d['id']}: {f} for {d['features']}")
        n += 1
    s = summary(path)
    print(f"# {n} decisions, float32 agrees with {s['fixed_point']['same_verdict']} verdicts")
    expect(n == s["fixed_point"]["same_integers"] >= 500, f"{n} decisions, {s['fixed_point']}")
    agreement = s["fixed_point"]["same_verdict"] / n
    expect(agreement >= 0.995, f"float32 agrees with {agreement:.4f} of the verdicts")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
