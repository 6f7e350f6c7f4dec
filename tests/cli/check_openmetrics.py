#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads OpenMetrics 1.0 text from standard input, strictly, and prints each
sample as "name{labels} value".  Status 1 and a sentence when it is none.
"""

import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
SUFFIXES = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "info": ("_info",),
    "stateset": ("",),
}


def fail(number, text):
    sys.exit(f"line {number}: {text}")


def labels_of(number, text):
    found = {}
    at = 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or match[1] in found:
            fail(number, f"labels: {text}")
        found[match[1]] = match[2]
        at = match.end()
    return found


def main():
    text = sys.stdin.buffer.read().decode("utf-8")
    if not text.endswith("# EOF\n") or text.count("# EOF") != 1 or "\r" in text:
        sys.exit("it does not end with one # EOF")
    families, family, seen = {}, None, set()
    buckets = {}
    for number, line in enumerate(text.splitlines()[:-1], 1):
        if line.startswith("# "):
            what, name, rest = line[2:].split(" ", 2)
            if what not in ("TYPE", "UNIT", "HELP") or not NAME.fullmatch(name):
                fail(number, line)
            if what == "TYPE":
                if name in families or rest not in SUFFIXES:
                    fail(number, f"family: {line}")
                family = name
                families[name] = {"TYPE": rest}
            elif name != family or what in families[name]:
                fail(number, f"metadata of another family, or twice: {line}")
            else:
                families[name][what] = rest
                if what == "UNIT" and not name.endswith("_" + rest):
                    fail(number, f"a name without its unit: {line}")
            continue
        match = re.fullmatch(r"([a-zA-Z0-9_:]+)(?:\{(.*)\})? (\S+)", line)
        if not match:
            fail(number, f"no sample: {line}")
        name, labels, value = match[1], labels_of(number, match[2] or ""), float(match[3])
        kind = families[family]["TYPE"] if family else None
        if kind is None or name not in [family + suffix for suffix in SUFFIXES[kind]]:
            fail(number, f"a sample outside of its family: {line}")
        key = (name, tuple(sorted(labels.items())))
        if key in seen:
            fail(number, f"twice: {line}")
        seen.add(key)
        if kind in ("counter", "histogram") and value < 0:
            fail(number, f"a counter below zero: {line}")
        if kind == "info" and value != 1:
            fail(number, f"an info that is not 1: {line}")
        if kind == "stateset" and (value not in (0, 1) or family not in labels):
            fail(number, f"a state: {line}")
        if name.endswith("_bucket"):
            last = buckets.get(family, (float("-inf"), 0.0))
            if float(labels["le"]) <= last[0] or value < last[1]:
                fail(number, f"buckets do not rise: {line}")
            buckets[family] = (float(labels["le"]), value)
        if kind == "histogram" and name.endswith("_count") and value != buckets[family][1]:
            fail(number, f"count and last bucket differ: {line}")
        print(line)
    for name, (le, _) in buckets.items():
        if le != float("inf"):
            sys.exit(f"{name}: no bucket +Inf")


main()
