# SPDX-License-Identifier: GPL-2.0
"""The simulator beside the virtual machine: the same loads with the same seeds under both."""

import itertools
import json
import statistics
import subprocess

from compare import guests, numbers

# What the simulator is to keep to.
MAKESPAN_PERCENT = 10
MOVES_PERCENT = 25
# A few moves more or less say nothing.
MOVES_FEW = 10

# Schedulers that are in both, by their names here and there.
BOTH = (("eevdf", "eevdf"), ("heuristic", "mlsched"), ("refuse", "refuse"), ("accept", "accept"),
        ("model", "model"), ("rusty-1.0.8p", "rusty"))


def machine_of(topology):
    """1x2x2 (nodes, caches of each, CPUs of each) as mlsched sim names it."""
    nodes, caches, cpus = (int(n) for n in topology.split("x"))
    return f"{nodes * caches * cpus}c{nodes * caches}l" + (f"{nodes}n" if nodes > 1 else "")


def simulate(program, model, topology, profile, seeds):
    """{policy: {seed: run}}; @model: the directory of the one by that name."""
    policies = ",".join(there for _, there in BOTH)
    done = subprocess.run(
        [program, "sim", "--json", "--costs", "load", "-m", machine_of(topology), "-w", profile, "-p", policies,
         "--model", model, "--seeds", str(max(seeds))], cwd=guests.ROOT, capture_output=True, text=True, check=True)
    runs = {}
    for run in json.loads(done.stdout)["runs"]:
        runs.setdefault(run["policy"], {})[run["seed"]] = run
    return runs


def mean(values):
    return statistics.fmean(values)


def compare_cell(program, model, topology, profile, schedulers):
    """A row for each scheduler that both have, with the same seeds."""
    both = [(here, there, schedulers[here]) for here, there in BOTH if schedulers.get(here)]
    if not both:
        return []
    simulated = simulate(program, model, topology, profile, [seed for _, _, runs in both for seed in runs])
    rows = []
    for here, there, runs in both:
        seeds = sorted(runs)
        row = {"topology": topology, "profile": profile, "scheduler": here, "seeds": len(seeds)}
        for name, in_vm, in_sim in (("makespan_ms", "makespan_ms", "makespan_ms"), ("moves", "moves", "moves"),
                                    ("moves_llc", "moves_caches", "moves_llc"),
                                    ("refill_ms", "refill_ms", "refill_ms")):
            row[name] = (mean(runs[seed][in_vm] for seed in seeds),
                         mean(simulated[there][seed][in_sim] for seed in seeds))
        for name in ("wakeup_p99", "wait_p99"):
            row[f"{name}_ms"] = (mean(runs[seed][f"{name}_us"] / 1e3 for seed in seeds),
                                 mean(simulated[there][seed][f"{name}_ms"] for seed in seeds))
        rows.append(row)
    return rows


def percent(pair):
    return 100 * (pair[1] / pair[0] - 1) if pair[0] else float("nan")


def makespan_holds(row):
    return abs(percent(row["makespan_ms"])) <= MAKESPAN_PERCENT


def moves_hold(row):
    vm, sim = row["moves"]
    return abs(sim - vm) <= max(MOVES_FEW, vm * MOVES_PERCENT / 100)


def rankings(rows):
    """Pairs of schedulers of one cell whose makespans differ by more than 5 % in the VM: agreed, all."""
    agreed = pairs = 0
    for _, cell in itertools.groupby(rows, key=lambda row: (row["topology"], row["profile"])):
        for a, b in itertools.combinations(list(cell), 2):
            (vm_a, sim_a), (vm_b, sim_b) = a["makespan_ms"], b["makespan_ms"]
            if abs(vm_a / vm_b - 1) < 0.05:
                continue
            pairs += 1
            agreed += (vm_a < vm_b) == (sim_a < sim_b)
    return agreed, pairs


def rows_of(program, model, runs):
    rows = []
    for (topology, profile), schedulers in numbers.usual(numbers.cells_of(runs)).items():
        rows += compare_cell(program, model, topology, profile, schedulers)
    return rows


def table(rows):
    lines = ["| machine | load | scheduler | n | makespan ms VM | simulated | | moves VM | simulated | | across LLCs | |"
             " wake-up p99 ms | | wait p99 ms | |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        pairs = [f"{row[name][0]:.{digits}f} | {row[name][1]:.{digits}f}"
                 for name, digits in (("moves_llc", 0), ("wakeup_p99_ms", 1), ("wait_p99_ms", 1))]
        lines.append(
            f"| {row['topology']} | {row['profile']} | {row['scheduler']} | {row['seeds']} | "
            f"{row['makespan_ms'][0]:.0f} | {row['makespan_ms'][1]:.0f} | "
            f"{percent(row['makespan_ms']):+.1f} %{'' if makespan_holds(row) else ' **!**'} | "
            f"{row['moves'][0]:.0f} | {row['moves'][1]:.0f} | "
            f"{percent(row['moves']):+.0f} %{'' if moves_hold(row) else ' **!**'} | " + " | ".join(pairs) + " |")
    return "\n".join(lines)


def summary(rows):
    lines = []
    for name, title in (("eevdf", "EEVDF"), ("heuristic", "mlsched, no model")):
        own = [row for row in rows if row["scheduler"] == name]
        off = [abs(percent(row["makespan_ms"])) for row in own]
        lines.append(f"- {title}: makespan within {MAKESPAN_PERCENT} % in {sum(map(makespan_holds, own))} of {len(own)} cells "
                     f"(mean {mean(off):.1f} %, at most {max(off):.1f} %), moves within {MOVES_PERCENT} % or {MOVES_FEW} in "
                     f"{sum(map(moves_hold, own))}.") if own else None
    held = sum(map(makespan_holds, rows))
    lines.append(f"- All {len({row['scheduler'] for row in rows})} schedulers: makespan within {MAKESPAN_PERCENT} % in {held} of "
                 f"{len(rows)} cells, moves within {MOVES_PERCENT} % or {MOVES_FEW} in {sum(map(moves_hold, rows))}.")
    agreed, pairs = rankings(rows)
    lines.append(f"- Of {pairs} pairs of schedulers whose makespans differ by more than 5 % in the VM, the simulator ranks "
                 f"{agreed} alike.")
    return "\n".join(lines)
