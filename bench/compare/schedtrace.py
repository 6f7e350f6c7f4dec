# SPDX-License-Identifier: GPL-2.0
"""What a kernel's scheduler did with one tree of processes, from the text of its trace buffer.

The events are sched_switch, sched_wakeup, sched_wakeup_new, sched_migrate_task and
sched_process_fork, _exec, _exit, of all CPUs, none lost, times in microseconds.  Where they
come from is compile.sh's business.
"""

import re

LINE = re.compile(r"^.*? \[(\d+)\] \S+ +(\d+)\.(\d{6}): (\w+): (.*)$")
FIELDS = {
    # A name may hold anything, also " pid=": the last is the kernel's.
    "sched_switch": re.compile(r".*prev_pid=(\d+) prev_prio=-?\d+ prev_state=(\S+) ==> .*next_pid=(\d+) next_prio="),
    "sched_wakeup": re.compile(r".* pid=(\d+) prio="),
    "sched_wakeup_new": re.compile(r".* pid=(\d+) prio="),
    "sched_migrate_task": re.compile(r".* pid=(\d+) prio=-?\d+ orig_cpu=(\d+) dest_cpu=(\d+)"),
    "sched_process_fork": re.compile(r".* pid=(\d+) child_comm=.* child_pid=(\d+)"),
    "sched_process_exec": re.compile(r"filename=(.*) pid=(\d+) old_pid="),
    "sched_process_exit": re.compile(r".* pid=(\d+) prio="),
}
QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))


class TraceError(Exception):
    """The text is not the trace of such a tree of processes from its beginning to its end."""


def machine_of(text):
    """{cpu: (last-level cache, node)} from lines "CPU CPUS-THAT-SHARE-ITS-CACHE NODE"."""
    machine = {}
    for line in text.splitlines():
        cpu, cache, node = line.split()
        machine[int(cpu)] = cache, int(node)
    return machine


def events_of(lines):
    """(time in us, cpu, name, match) of each event of the table, in the order of the text."""
    for number, line in enumerate(lines, 1):
        if line.startswith("#") or not line.strip():
            continue
        found = LINE.match(line)
        if not found:
            raise TraceError(f"trace, line {number}: no event: {line.strip()[:100]}")
        cpu, seconds, us, name, rest = found.groups()
        if name not in FIELDS:
            continue
        fields = FIELDS[name].match(rest)
        if not fields:
            raise TraceError(f"trace, line {number}: {name} without its fields: {rest.strip()[:100]}")
        yield int(seconds) * 1000000 + int(us), int(cpu), name, fields.groups()


class Clock:
    """Time as the guest's clock says, and as CPUs of constant speed would have taken it.

    Counted instructions are shared out between the CPUs that are not idle, so that of N CPUs
    each is as fast as all together when the others idle.  Where k are busy, N/k as much
    time would pass on a machine whose CPUs are always as fast as here when all are.
    """

    def __init__(self, n_cpus):
        self.n_cpus, self.now = n_cpus, None
        self.plain = self.constant = self.work = self.wasted = self.idle = 0

    def advance(self, now, busy, working, waiting):
        if self.now is not None:
            passed = now - self.now
            if passed < 0:
                raise TraceError(f"trace: time goes back by {-passed} us")
            constant = passed * self.n_cpus / max(busy, 1)
            self.plain += passed
            self.constant += constant
            self.work += constant * working
            # A CPU is idle while somebody waits for one.
            self.wasted += constant * min(self.n_cpus - busy, waiting)
            self.idle += passed * min(self.n_cpus - busy, waiting)
        self.now = now


class Tree:
    """State while the events go by."""

    def __init__(self, root, program, machine, running):
        self.root, self.program, self.machine = root, program, machine
        self.running = running  # pid on each CPU, 0 when idle
        self.members = {root}
        self.since = {}  # of those that could run and do not: when, and after what
        self.clock = Clock(len(machine))
        self.started = self.ended = False
        self.durations = {"wakeup": [], "wait": []}
        self.programs, self.switches = {}, 0
        self.moves = {"moves": 0, "moves_caches": 0, "moves_nodes": 0}

    def advance(self, now):
        if not self.started or self.ended:
            return
        on_cpu = self.running.values()
        self.clock.advance(now, sum(pid != 0 for pid in on_cpu), sum(pid in self.members for pid in on_cpu),
                           len(self.since))

    def sched_switch(self, now, cpu, fields):
        prev, state, following = int(fields[0]), fields[1], int(fields[2])
        if self.running[cpu] != prev:
            raise TraceError(f"trace: CPU {cpu} leaves task {prev} at {now} us, but it ran {self.running[cpu]}")
        self.running[cpu] = following
        if prev in self.members:
            if state.startswith("R"):
                self.since[prev] = now, "wait"
            elif state[0] in "ZX":
                self.members.discard(prev)
        if following in self.members:
            self.switches += 1
            begun, what = self.since.pop(following, (None, None))
            if begun is not None and self.started:
                self.durations[what].append(now - begun)

    def wakes(self, now, _cpu, fields):
        pid = int(fields[0])
        # Who is still on its CPU only goes on.
        if pid in self.members and pid not in self.running.values():
            self.since.setdefault(pid, (now, "wakeup"))

    def sched_migrate_task(self, _now, _cpu, fields):
        pid, origin, target = map(int, fields)
        if pid not in self.members or not self.started:
            return
        (cache, node), (to_cache, to_node) = self.machine[origin], self.machine[target]
        self.moves["moves"] += 1
        self.moves["moves_caches"] += cache != to_cache
        self.moves["moves_nodes"] += node != to_node

    def sched_process_fork(self, _now, _cpu, fields):
        if int(fields[0]) in self.members:
            self.members.add(int(fields[1]))

    def sched_process_exec(self, now, _cpu, fields):
        filename, pid = fields[0], int(fields[1])
        if pid == self.root and filename == self.program and not self.started:
            self.started, self.clock.now = True, now
        if pid in self.members and self.started:
            name = filename.rsplit("/", 1)[-1]
            self.programs[name] = self.programs.get(name, 0) + 1

    def sched_process_exit(self, _now, _cpu, fields):
        if int(fields[0]) == self.root:
            self.ended = True

    HANDLERS = {"sched_switch": sched_switch, "sched_wakeup": wakes, "sched_wakeup_new": wakes,
                "sched_migrate_task": sched_migrate_task, "sched_process_fork": sched_process_fork,
                "sched_process_exec": sched_process_exec, "sched_process_exit": sched_process_exit}


def quantile(ordered, q):
    """The smallest value that at least the share q of all does not exceed."""
    return ordered[max(0, -int(-q * len(ordered) // 1) - 1)] if ordered else 0


def describe(name, durations):
    """Fields as those of the load in bench/vm."""
    ordered = sorted(durations)
    found = {f"{name}s": len(ordered), f"{name}_mean_us": round(sum(ordered) / len(ordered), 1) if ordered else 0}
    found.update((f"{name}_{title}_us", quantile(ordered, q)) for title, q in QUANTILES)
    found[f"{name}_max_us"] = ordered[-1] if ordered else 0
    return found


def first_running(events, machine):
    """What was on each CPU before the first event: who leaves it first.  One without a switch did nothing."""
    running = {}
    for _, cpu, name, fields in events:
        if name == "sched_switch":
            running.setdefault(cpu, int(fields[0]))
    unknown = set(running) - set(machine)
    if unknown:
        raise TraceError(f"trace: CPU {min(unknown)} is none of the machine's")
    return {cpu: running.get(cpu, 0) for cpu in machine}


def measure(lines, root, program, machine):
    """The tree of the process root, from when it executes program until it ends, as a load's line."""
    events = list(events_of(lines))
    tree = Tree(root, program, machine, first_running(events, machine))
    for now, cpu, name, fields in events:
        tree.advance(now)
        tree.HANDLERS[name](tree, now, cpu, fields)
        if tree.ended:
            break
    if not tree.started or not tree.ended:
        raise TraceError(f"trace: process {root} does not {'end' if tree.started else f'execute {program}'}")
    clock = tree.clock
    found = {"cpus": len(machine), "caches": len({cache for cache, _ in machine.values()}),
             "nodes": len({node for _, node in machine.values()})}
    for name, us in (("makespan", clock.constant), ("clock", clock.plain), ("work", clock.work), ("wasted", clock.wasted),
                     ("idle", clock.idle)):
        found[f"{name}_ms"] = round(us / 1e3, 3)
    found.update(tree.moves)
    for name, durations in tree.durations.items():
        found.update(describe(name, durations))
    found["queued_ms"] = round(sum(map(sum, tree.durations.values())) / 1e3, 3)
    return dict(found, slices=tree.switches, programs=dict(sorted(tree.programs.items())))
