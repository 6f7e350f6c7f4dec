#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what guest_topology.sh left: check_topology.py CHECK DIRECTORY MACHINE.

MACHINE is the topology of scripts/vm/run, NODESxCACHESxCORES, and +EMPTY, sockets without CPUs.
"""

import json
import pathlib
import re
import sys

from check_scx import adds_up, documents, ends_cleanly, expect, fail, moves, summary, takes_over, text


class Machine:
    def __init__(self, machine):
        topology, _, empty = machine.partition("+")
        self.nodes, per_node, self.cores = map(int, topology.split("x"))
        self.caches = self.nodes * per_node
        self.cpus = self.caches * self.cores
        self.possible = self.cpus + int(empty or 0) * self.cores
        # One cache is no two domains: groups of cores are, as `mlsched run --help` says.
        domains = self.caches if self.caches > 1 else max(2, self.cpus // 4)
        size = self.cpus // domains
        self.domains = [f"{d * size}-{(d + 1) * size - 1}" for d in range(domains)]
        self.in_node = domains // self.nodes


def possible_cpus(directory, machine):
    """As the kernel says, which is what the machine was made of.  From 6.19 on it counts no empty socket: QEMU's firmware
    does not say that a CPU may come."""
    found = int(text(directory, "possible").split("-")[-1]) + 1
    version = tuple(map(int, re.match(r"(\d+)\.(\d+)", text(directory, "kernel")).groups()))
    expect("possible CPUs", found, machine.possible if version < (6, 19) else machine.cpus)
    return found


def seen(directory, machine):
    """CPUs, caches, nodes and domains are those that the machine was made of."""
    takes_over(directory, "run")
    start = documents(directory, "run")[0]
    wanted = {"cpus": possible_cpus(directory, machine), "online": machine.cpus, "last_level_caches": machine.caches, "numa_nodes": machine.nodes}
    expect("topology", {name: start["topology"][name] for name in wanted}, wanted)
    expect("domains", start["domains"]["cpus"], machine.domains)
    stats = json.loads(text(directory, "stats"))
    expect("domains of stats", [d["cpus"] for d in stats["domains"]], machine.domains)
    expect("their CPUs", {d["online"] for d in stats["domains"]}, {machine.cpus // len(machine.domains)})
    for domain in stats["domains"]:
        if not 0 <= domain["load"] <= 1 or domain["queued"] is None or domain["idle"] > domain["online"]:
            fail(f"domain: {domain}")
    print(f"{len(machine.domains)} domains ({start['domains']['are']}): {' '.join(machine.domains)}")


def schedules(directory, machine):
    """All of the load is done, and each CPU took part."""
    expect("state before the end", text(directory, "run.still"), "enabled")
    loads = [json.loads(line) for line in text(directory, "load").splitlines()]
    expect("loads", [load["profile"] for load in loads], ["imbalance", "make", "message", "mixed"])
    for load in loads:
        expect(f"{load['profile']}: CPUs", load["cpus"], machine.cpus)
        expect(f"{load['profile']}: units", load["units"] > 0, True)
    before, after = (
        {line.split()[0]: int(line.split()[7]) for line in text(directory, f"cpus.{when}").splitlines()}
        for when in ("before", "after")
    )
    ran = {cpu: (after[cpu] - before[cpu]) / 1e6 for cpu in after}
    expect("CPUs", len(ran), machine.cpus)
    if min(ran.values()) < 1:
        fail(f"ms that each CPU was busy: {ran}")
    print(f"each CPU was busy for {min(ran.values()):.0f} to {max(ran.values()):.0f} ms")


def counts(directory, machine):
    """Counters sum up, and moves go as far as there is something to go to."""
    adds_up(directory, "run")
    ends_cleanly(directory, "run")
    s = summary(directory, "run")
    expect("asked", s["model"]["asked"], s["decisions"])
    expect("refused", s["refused"], 0)
    expect("restarts", s["restarts"], 0)
    far = {name: sum(s["moves"][cause][name] for cause in s["moves"]) for name in s["moves"]["steal"]}
    print(f"moves {far}, {moves(s, s['moves'])} in all")
    near, node, remote = far.values()
    expect("moves within a domain", near > 0, True)
    expect("moves between the domains of a node", node > 0, machine.in_node > 1)
    expect("moves between nodes", remote > 0, machine.nodes > 1)


if __name__ == "__main__":
    globals()[sys.argv[1]](pathlib.Path(sys.argv[2]), Machine(sys.argv[3]))
