#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The golden numbers of scheduling: what a deterministic guest gave, and the rule by which it is compared.

golden_schedule.py collect SCHEDULER OUT_DIRECTORY NAME=FILE...   one scheduler's part, JSON, to standard output;
                                                                  NAME=FILE: what went into the guest
golden_schedule.py join PART... > GOLDEN
golden_schedule.py compare GOLDEN SCHEDULER PART                  status 0 when it holds

The rule.  A deterministic guest is a function of what goes into it.  So with exactly
the inputs that made the golden numbers (the part lists their hashes) every number is
the same to the digit.  Another program of the same behaviour takes other numbers of
instructions, a nanosecond each; near ties then fall the other way, and the numbers
scatter as they do from seed to seed of the machine.  So the golden file has what eight
seeds gave.  With other inputs the numbers are held to the mean of those, by as much as
they scatter (see LIMIT), and the inputs that differ are named.

That tolerance is for compilers and libraries, and for what only loads and counts.  What
decides is code in bpf/ and core/: where that is not what the numbers were made of they have
to be made anew, and whoever changed it sees what became of them.
"""

import hashlib
import json
import math
import pathlib
import re
import statistics
import sys

# How far one more run of the same scheduler may be from the mean of the golden seeds, in their
# standard deviations, all of it in logarithms: half as many moves are as far as twice as many.
# A ninth draw of the same normal distribution is farther than 7 with a chance of 0.03 %
# (Student's t, seven degrees of freedom, 7 / sqrt(1 + 1/8)); 15 numbers of two schedulers,
# which hang together, are looked at.
LIMIT = 7
# A few moves more or less are nothing.
LITTLE = 5
# And never less than this share of the mean, since eight seeds may happen to be alike.
LEAST = {"makespan_ms": 0.05, "moves": 0.25, "queued_ms": 0.10}


def hash_of(path):
    path = pathlib.Path(path)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def hash_of_source():
    """Of the code that decides, whatever its comments and its layout are."""
    digest = hashlib.sha256()
    for path in sorted(p for folder in ("bpf", "core") for p in pathlib.Path(folder).iterdir() if p.is_file()):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        digest.update(f"{path} {' '.join(code.split())}\n".encode())
    return digest.hexdigest()[:16]


def collect(scheduler, out, *inputs):
    out = pathlib.Path(out)
    lines = (out / "loads").read_text().splitlines()
    part = {"scheduler": scheduler, "inputs": {}, "loads": {}}
    for text in inputs:
        name, value = text.split("=", 1)
        part["inputs"][name] = hash_of(value) if pathlib.Path(value).exists() else value
    for line in lines:
        load = json.loads(line)
        part["loads"][load["profile"]] = load
    if (out / "scheduler").exists():
        part["source"] = hash_of_source()
        summary = json.loads((out / "scheduler").read_text().splitlines()[-1])
        part["counters"] = {name: summary[name] for name in ("decisions", "accepted", "refused", "moved", "failed")}
    json.dump(part, sys.stdout)


def join(*paths):
    """The golden file: of each scheduler its first seed whole, and of every seed what is held to a tolerance."""
    golden = {}
    for path in paths:
        part = json.loads(pathlib.Path(path).read_text())
        whole = golden.setdefault(part.pop("scheduler"), part)
        for profile, load in part["loads"].items():
            for field in LEAST:
                whole.setdefault("seeds", {}).setdefault(profile, {}).setdefault(field, []).append(load[field])
    print(json.dumps(golden, indent=1))


def differences(golden, found, prefix=""):
    """Every number that differs, as lines."""
    lines = []
    for name in sorted(set(golden) | set(found)):
        was, now = golden.get(name), found.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            lines += differences(was, now, f"{prefix}{name}.")
        elif was != now:
            change = ""
            if isinstance(was, (int, float)) and isinstance(now, (int, float)) and was:
                change = f" ({(now / was - 1) * 100:+.1f} %)"
            lines.append(f"{prefix}{name}: {was} -> {now}{change}")
    return lines


def beyond(seeds, found):
    """What no further seed would give: of each load, and of the sum over the loads."""
    lines = []
    for field, least in LEAST.items():
        drawn = {profile: fields[field] for profile, fields in seeds.items()}
        now = {profile: found[profile][field] for profile in drawn}
        drawn["all loads"] = [sum(values) for values in zip(*drawn.values())]
        now["all loads"] = sum(now.values())
        for profile, values in drawn.items():
            logs = [math.log(value + LITTLE) for value in values]
            mean, allowed = statistics.mean(logs), max(LIMIT * statistics.stdev(logs), math.log(1 + least))
            if abs(math.log(now[profile] + LITTLE) - mean) > allowed:
                low, high = (math.exp(mean + sign * allowed) - LITTLE for sign in (-1, 1))
                lines.append(f"{profile}: {field} {now[profile]:.5g}, expected {low:.4g} to {high:.4g} after "
                             f"{len(values)} seeds ({min(values):.5g} to {max(values):.5g})")
    return lines


def compare(path, scheduler, part):
    golden = json.loads(pathlib.Path(path).read_text())[scheduler]
    found = json.loads(pathlib.Path(part).read_text())
    for profile, load in golden["loads"].items():
        if found["loads"][profile]["work_ms"] != load["work_ms"]:
            print(f"{profile}: another load: {load['work_ms']} -> {found['loads'][profile]['work_ms']} ms of work")
            return 1
    if scheduler == "refuse" and found["counters"]["moved"] + found["counters"]["accepted"]:
        print(f"an optional move in spite of a model that always refuses: {found['counters']}")
        return 1
    other = [name for name in sorted(set(golden["inputs"]) | set(found["inputs"]))
             if golden["inputs"].get(name) != found["inputs"].get(name)]
    changed = differences(golden["loads"], found["loads"]) + differences(
        golden.get("counters", {}), found.get("counters", {}), "counters.")
    if golden.get("source") != found.get("source"):
        print("what decides (bpf/, core/) is not what the numbers were made of; all that differs:")
        print("\n".join(changed))
        return 1
    if not other:
        print("the same inputs: to the digit")
        print("\n".join(changed))
        return 1 if changed else 0
    bad = beyond(golden["seeds"], found["loads"])
    print(f"other inputs ({', '.join(other)}): {'not ' if bad else ''}within tolerance; {len(changed)} numbers differ")
    if bad:
        print("\n".join(bad))
        print("all that differs:")
        print("\n".join(changed))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit({"collect": collect, "join": join, "compare": compare}[sys.argv[1]](*sys.argv[2:]))
