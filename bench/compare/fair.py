# SPDX-License-Identifier: GPL-2.0
"""The loads of bench/vm as a perfectly fair machine would run them: what there is to win at all.

Here every thread that can run gets the same share of all CPUs, at most one of them, at each moment.
Moves, switches, wake-ups and new programs cost nothing, and no cache cools.  No scheduler that is
fair to threads of which it does not know how much they still have to do can be expected to end
sooner; one that is unfair by luck can.

The work is drawn as bench/vm/burn.c and profiles.c draw it: the same numbers for the same seed.
The sleepers of "mixed", 5 % of a CPU each, are left out.
"""

import heapq

MASK = (1 << 64) - 1
US, MS = 1000, 1000000
OF_MEAN, OF_BURST, OF_PAUSE, OF_SLEEPS, OF_HOP, OF_NEXT, OF_LENGTH = range(1, 8)


def scramble(x):
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & MASK
    x = (x ^ x >> 27) * 0x94d049bb133111eb & MASK
    return x ^ x >> 31


class Chance:
    """draw() and draw_around() of bench/vm/burn.c."""

    def __init__(self, seed):
        self.key = scramble(seed + 0x9e3779b97f4a7c15 & MASK)

    def draw(self, what, owner, n):
        key = scramble(self.key ^ (owner * 16 + what) * 0xd1342543de82ef95 & MASK)
        return scramble(key + (n + 1) * 0x9e3779b97f4a7c15 & MASK)

    def around(self, what, owner, n, mean):
        return mean // 2 + self.draw(what, owner, n) % (mean + 1)


def bursts(seed, workers):
    """Of each CPU-bound thread: [(ns of work, ns of sleep after it)]."""
    chance = Chance(seed)
    found = []
    for w in range(workers):
        mean = chance.around(OF_MEAN, w, 0, 10 * MS)
        found.append([(chance.around(OF_BURST, w, i, mean),
                       0 if chance.draw(OF_SLEEPS, w, i) % 4 else chance.around(OF_PAUSE, w, i, 2 * MS))
                      for i in range(120)])
    return found


def jobs(seed, n):
    """Of each job of "make", whose three programs follow each other: the same."""
    chance = Chance(seed)
    found = []
    for w in range(n):
        mean = 40 * MS if chance.draw(OF_LENGTH, w, 0) % 8 else 200 * MS
        found.append([(300 * US, 0)]
                     + [(chance.around(OF_BURST, w, i, mean), chance.around(OF_PAUSE, w, i, 500 * US)) for i in range(4)]
                     + [(chance.around(OF_HOP, w, 0, 20 * MS), 0)])
    return found


class Machine:
    """Shares its CPUs among what can run.

    Everybody gets the same, so that it is enough to know how much work one would have got who
    had been there from the start: who has W to do is ready when that has grown by W.
    """

    def __init__(self, n_cpus):
        self.n_cpus, self.now, self.given = n_cpus, 0.0, 0.0
        self.running, self.sleeping = [], []

    def start(self, work, who):
        heapq.heappush(self.running, (self.given + work, who))

    def sleep(self, length, who):
        heapq.heappush(self.sleeping, (self.now + length, who))

    def next(self):
        """Whose work or sleep ends next, and whether it was sleep; None: nobody is left."""
        share = min(1.0, self.n_cpus / len(self.running)) if self.running else 0.0
        ready = self.now + (self.running[0][0] - self.given) / share if self.running else None
        if self.sleeping and (ready is None or self.sleeping[0][0] <= ready):
            at, who = heapq.heappop(self.sleeping)
            self.given += (at - self.now) * share
            self.now = at
            return who, True
        if ready is None:
            return None
        self.given, who = heapq.heappop(self.running)
        self.now = ready
        return who, False


def run_threads(n_cpus, threads, at_a_time):
    """ns until all are done, so many of them beginning at once and each of the others when one ends."""
    machine, step, waiting = Machine(n_cpus), [0] * len(threads), at_a_time
    for who in range(min(at_a_time, len(threads))):
        machine.start(threads[who][0][0], who)
    while (event := machine.next()) is not None:
        who, slept = event
        pause = threads[who][step[who]][1]
        if not slept and pause:
            machine.sleep(pause, who)
            continue
        step[who] += 1
        if step[who] == len(threads[who]):
            if waiting == len(threads):
                continue
            who, waiting = waiting, waiting + 1
        machine.start(threads[who][step[who]][0], who)
    return machine.now


def run_messages(n_cpus, seed, groups, size=6, messages=3, hops=400):
    """ns until all messages of all groups have been passed on as often as they are to be."""
    machine, chance = Machine(n_cpus), Chance(seed)
    mail, units, left = [0] * groups * size, [0] * groups * size, [hops * size] * groups
    busy = [False] * groups * size

    def take(who):
        group = who // size
        if busy[who] or not mail[who]:
            return
        mail[who] -= 1
        hop = left[group]
        left[group] -= 1
        if hop > 0:
            busy[who] = True
            machine.start(chance.around(OF_HOP, group, hop, MS), who)

    for group in range(groups):
        for i in range(messages):
            mail[group * size + i % size] += 1
            take(group * size + i % size)
    while (event := machine.next()) is not None:
        who, first = event[0], event[0] // size * size
        busy[who] = False
        units[who] += 1
        to = chance.draw(OF_NEXT, who, units[who]) % (size - 1)
        to += first + (to >= who - first)
        mail[to] += 1
        take(to)
        take(who)
    return machine.now


def makespan_ms(profile, seed, n_cpus):
    """None of a load that this does not know."""
    if profile == "make":
        return run_threads(n_cpus, jobs(seed, 12 * n_cpus), n_cpus * 3 // 2) / MS
    if profile == "message":
        return run_messages(n_cpus, seed, n_cpus) / MS
    if profile in ("mixed", "imbalance"):
        workers = n_cpus * 5 // 2 if profile == "mixed" else n_cpus * 2
        return run_threads(n_cpus, bursts(seed, workers), workers) / MS
    return None


def work_ms(profile, seed, n_cpus):
    """CPU time of the load's own work, as the load itself reports it; None of a load that this does not know."""
    if profile == "make":
        threads = jobs(seed, 12 * n_cpus)
    elif profile == "message":
        chance = Chance(seed)
        threads = [[(chance.around(OF_HOP, group, hop, MS), 0) for hop in range(1, 2401)] for group in range(n_cpus)]
    elif profile in ("mixed", "imbalance"):
        threads = bursts(seed, n_cpus * 5 // 2 if profile == "mixed" else n_cpus * 2)
    else:
        return None
    return sum(work for thread in threads for work, _ in thread) / MS
