#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The table of docs/verifier.md: instructions that the verifier processed for each BPF program.

verifier_table.py write TABLE REPORT...   put reports of `mlsched bench verifier --json` into it
verifier_table.py check TABLE REPORT      compare one report with it; status 1 on growth

A report is compared with the column of its own release series (6.18.44 with 6.18.x): within one
the verifier is the same but for fixes.  Another series prunes otherwise and says nothing about our
programs, so a kernel whose series is not in the table is not compared: status 77.
"""
import json
import re
import sys

LIMIT = 1.2  # growth that is noticed
ABSENT = "-"  # this kernel does not load the object

HEAD = """\
# What the kernel's verifier has to do
Instructions that the verifier processed for each BPF program (`verified_insns` of `bpf_prog_info`; it gives up at
1,000,000), one column a kernel; `-`: that kernel does not load the object. `mlsched bench verifier` prints them
for the running kernel. Objects are loaded as for the largest machine that there is room for, 1,024 CPUs in 64 domains,
the scheduler with all its mechanisms.

Made by `make verifier-table`, in virtual machines. `make test` (the running kernel; the scheduler only where it has
sched_ext) and `make vm-test` fail when a program costs more than 20 % above its figure here, when one is not here,
and when one that is here is gone. A kernel is compared with the column of its release series, 6.18.44 with 6.18.x;
one whose series has no column is not compared.

"""


def series(release):
    found = re.match(r"(\d+)\.(\d+)", release)
    if not found:
        sys.exit(f"{release}: no kernel release")
    return int(found[1]), int(found[2])


def version(release):
    return tuple(int(n) for n in re.findall(r"\d+", release)[:3])


def short(release):
    """6.18.15+deb13-cloud-amd64 is 6.18.15."""
    return re.match(r"[\d.]*\d", release)[0]


def read_table(path):
    """{column: {(object, program): instructions, or None where the object is not loaded}}"""
    columns, rows = [], {}
    try:
        lines = open(path, encoding="utf-8").read().splitlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == "object":
            columns = cells[2:]
        elif not set(line) <= set("|-: "):
            rows[tuple(cells[:2])] = cells[2:]
    table = {column: {} for column in columns}
    for key, cells in rows.items():
        if len(cells) != len(columns):
            sys.exit(f"{path}: {' '.join(key)}: expected {len(columns)} figures, found {len(cells)}")
        for column, cell in zip(columns, cells):
            if cell:
                table[column][key] = None if cell == ABSENT else int(cell.replace(",", ""))
    return table


def write_table(path, table):
    columns = sorted(table, key=version)
    keys = []  # in the order of the kernel that has most of them
    for column in sorted(columns, key=lambda column: -len(table[column])):
        keys += [key for key in table[column] if key not in keys]
    objects = list(dict.fromkeys(key[0] for key in keys))
    keys.sort(key=lambda key: objects.index(key[0]))
    with open(path, "w", encoding="utf-8") as out:
        out.write(HEAD)
        out.write("| object | program | " + " | ".join(columns) + " |\n")
        out.write("|---|---|" + "--:|" * len(columns) + "\n")
        for key in keys:
            cells = []
            for column in columns:
                n = table[column].get(key)
                cells.append(ABSENT if n is None else f"{n:,}")
            out.write(f"| {key[0]} | {key[1]} | " + " | ".join(cells) + " |\n")


def read_report(path):
    """(release, {(object, program): instructions}, {object: why it is not loaded})"""
    with open(path, encoding="utf-8") as f:
        report = json.load(f)
    figures, unavailable = {}, {}
    for o in report["objects"]:
        if "unavailable" in o:
            unavailable[o["object"]] = o["unavailable"]
        for program in o.get("programs", []):
            figures[o["object"], program["program"]] = program["verified_insns"]
    return report["kernel"], figures, unavailable


def write(path, reports):
    table = {}
    for report in reports:
        release, figures, unavailable = read_report(report)
        table[short(release)] = figures
        for name, why in unavailable.items():
            print(f"{release}: {name} is not loaded: {why}", file=sys.stderr)
    write_table(path, table)


def check(path, report):
    release, figures, unavailable = read_report(report)
    table = read_table(path)
    same = [column for column in table if series(column) == series(release)]
    if not same:
        print(f"{path} has no column for {release}: `make verifier-table` makes those of the matrix")
        sys.exit(77)
    column = same[0]
    known = {key: n for key, n in table[column].items() if n is not None}
    bad = 0
    for key in sorted(known.keys() | figures.keys()):
        name, old, new = " ".join(key), known.get(key), figures.get(key)
        if new is None and "has no sched_ext" in unavailable.get(key[0], ""):
            continue
        if new is None:
            why = unavailable.get(key[0], "no such program any more: run `make verifier-table`")
            text = f"{name}: {old:,} in {column}, now not loaded: {why}"
        elif old is None:
            text = f"{name}: now {new:,}, not in the table for {column}: run `make verifier-table`"
        elif new > LIMIT * old:
            text = f"{name}: {old:,} in {column}, now {new:,}: {100 * (new / old - 1):+.1f} %, more than 20 %"
        else:
            print(f"{name}: {old:,} in {column}, now {new:,}")
            continue
        print(f"GROWN {text}" if new is not None and old is not None else f"WRONG {text}")
        bad = 1
    sys.exit(bad)


def main():
    if len(sys.argv) >= 4 and sys.argv[1] == "write":
        write(sys.argv[2], sys.argv[3:])
    elif len(sys.argv) == 4 and sys.argv[1] == "check":
        check(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
