#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Kills `mlsched record` by SIGKILL at random moments and looks at what is left.

kill_recorder.py MLSCHED DIRECTORY: status 0 when it holds, otherwise it says what does not; 77: nothing
could be seen here.  SEED=N repeats the moments: times since the first move, by the moves themselves.

A process is moved between two CPUs and writes down when: each move is a decision that the file must have
if it was made more than a second before the kill, in its order and without a gap.  Who takes a second
from the file is the recorder, unless nobody was given a processor: of that there are two witnesses, the
lateness of processes that only sleep on the same CPUs, and for how long the recorder's threads were
ready to run and did not.  A round that one of them explains is repeated.
"""

import mmap
import os
import pathlib
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time

ROUNDS = 12     # half of them with moves that must be there
TRIES = 48
SECOND = 1_000_000_000
MS = 1_000_000
TICK = 10 * MS
# What the recorder means to take: a window of 100 ms, a look at the ring every 20, at the queue every 50,
# 250 for a transaction.  The rest of the second is for five naps that end late, and for waits.
LATE = 50 * MS
WAITED = 250 * MS
LOOK_BACK = 3 * SECOND // 2
ENTRY = struct.Struct("QQ")
MOST = 1 << 17


def fail(text):
    print(text)
    sys.exit(1)


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Log:
    """Pairs of times that another process writes down; how many there are stands in front of them."""

    def __init__(self, work, *arguments):
        self.memory = mmap.mmap(-1, 8 + MOST * ENTRY.size)
        self.ended = False
        self.pid = os.fork()
        if self.pid == 0:
            try:
                work(self, *arguments)
            finally:
                os._exit(1)

    def add(self, n, first, second):
        ENTRY.pack_into(self.memory, 8 + n % MOST * ENTRY.size, first, second)
        struct.pack_into("Q", self.memory, 0, n + 1)

    def count(self):
        return struct.unpack_from("Q", self.memory, 0)[0]

    def entry(self, n):
        return ENTRY.unpack_from(self.memory, 8 + n % MOST * ENTRY.size)

    def last(self):
        return self.entry(self.count() - 1)

    def entries(self):
        n = self.count()
        return [self.entry(k) for k in range(max(0, n - MOST), n)]

    def has_ended(self):
        if not self.ended:
            self.ended = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return self.ended

    def end(self):
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.ended = True


def move(log, cpus):
    """Before and after each move.  Ends after as many as fit: whoever waits for more has long been told."""
    os.sched_setaffinity(0, {cpus[0]})
    for n in range(MOST):
        before = now()
        os.sched_setaffinity(0, {cpus[(n + 1) % 2]})
        log.add(n, before, now())
        time.sleep(0.001)


def watch(log, cpu):
    """When it should have woken up, and when it did."""
    os.sched_setaffinity(0, {cpu})
    n, due = 0, now()
    while True:
        due = max(due + TICK, now())
        while (left := due - now()) > 0:
            time.sleep(left / SECOND)
        log.add(n, due, now())
        n += 1


def waited(pid):
    """ns for which its threads were ready and did not run."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[1])
        except (OSError, IndexError):
            pass
    return total


def await_moves(moves, length, recorder):
    """Until so much time lies between the first and the last; what the recorder has waited, then and before."""
    samples = []
    while True:
        samples.append((now(), waited(recorder.pid)))
        if moves.count() and moves.last()[1] - moves.entry(0)[0] >= length:
            return samples
        if recorder.poll() is not None:
            fail(f"the recorder ended with status {recorder.returncode}")
        if moves.has_ended():
            fail("whoever is moved ended")
        time.sleep(0.002)


def lateness(witnesses, since, until):
    """The longest of a nap that was under way in that time; waits until all have woken up after it."""
    worst = 0
    for witness in witnesses:
        while not witness.count() or witness.last()[1] < until:
            if witness.has_ended():
                fail("a witness ended")
            time.sleep(TICK / SECOND)
        naps = [woke - due for due, woke in witness.entries() if woke >= since and due <= until]
        worst = max([worst, *naps])
    return worst


def look(path, pid, moves):
    """The file is whole; how many of the moves it has, which are the first ones, each at its time."""
    db = sqlite3.connect(path)
    whole = db.execute("PRAGMA integrity_check").fetchone()[0]
    if whole != "ok":
        fail(f"integrity_check: {whole}")
    sessions = db.execute("SELECT ended FROM sessions").fetchall()
    if sessions != [(None,)]:
        fail(f"sessions of one that was killed: {sessions}")
    n, first, last = db.execute("SELECT count(*), min(id), max(id) FROM decisions").fetchone()
    if n and (first, last) != (1, n):
        fail(f"{n} rows from {first} to {last}")
    dropped = db.execute("SELECT max(value) FROM counters WHERE name IN ('kernel.lost', 'recording.dropped')")
    if dropped.fetchone()[0]:
        return None
    rows = db.execute("SELECT time FROM decisions WHERE pid = ? AND time >= ? ORDER BY id", (pid, moves[0][0]))
    times = [when for (when,) in rows]
    db.close()
    # It may have been moved once more, and not come to write that down.
    if len(times) == len(moves) + 1 and times[-1] >= moves[-1][1]:
        times.pop()
    for k, when in enumerate(times):
        if k >= len(moves) or not moves[k][0] <= when <= moves[k][1]:
            fail(f"row {k + 1} of {len(times)} of the process, at {when}, is not its move at {moves[k:k + 1]}")
    return len(times)


def one_round(mlsched, path, cpus, witnesses, length):
    """Kills after so much time of moves: ns that were lost, moves that had to be there, or why it says nothing."""
    for name in (path, f"{path}-wal", f"{path}-shm"):
        pathlib.Path(name).unlink(missing_ok=True)
    command = [mlsched, "record", "--json", "-o", path]
    recorder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    log = None
    try:
        start = recorder.stdout.readline()
        if '"type":"start"' not in start:
            fail(f"the recorder says {start!r}")
        log = Log(move, cpus)
        samples = await_moves(log, length, recorder)
        killed = now()
    finally:
        recorder.kill()
        recorder.wait()
        recorder.stdout.close()
        if log:
            log.end()
    moves = log.entries()
    due = sum(after <= killed - SECOND for _, after in moves)
    found = look(path, log.pid, moves)
    if found is None:
        return 0, 0, "events were lost before"
    # The oldest that is not there.
    lost = max(0, killed - moves[found][1]) if found < len(moves) else 0
    if found >= due:
        return lost, due, ""
    late = lateness(witnesses, killed - LOOK_BACK, killed)
    before = [total for when, total in samples if when <= killed - LOOK_BACK] or [0]
    ready = samples[-1][1] - before[-1]
    text = f"of {due} moves made a second before the kill or earlier {due - found} are not in the file, {lost / MS:.0f} ms"
    # No more can be lost than a second and what was waited for.
    if lost > SECOND + 5 * late + ready + LATE or late <= LATE and ready <= WAITED:
        fail(f"{text}; witnesses were at most {late / MS:.1f} ms late, the recorder waited {ready / MS:.1f} ms for a CPU")
    return lost, due, f"{text}: witnesses {late / MS:.0f} ms late, the recorder waited {ready / MS:.0f} ms for a CPU"


def goes_on(mlsched, path):
    """What was left is a recording: another session goes behind it."""
    before = sqlite3.connect(path).execute("SELECT count(*) FROM decisions").fetchone()[0]
    done = subprocess.run([mlsched, "record", "-q", "--append", "-d", "0.01", "-o", path], capture_output=True, text=True,
                          check=False)
    db = sqlite3.connect(path)
    found = db.execute("SELECT count(*) FROM decisions WHERE session = 1").fetchone()[0]
    ended = [row[0] is not None for row in db.execute("SELECT ended FROM sessions ORDER BY session")]
    if (done.returncode, found, ended) != (0, before, [False, True]):
        fail(f"--append: status {done.returncode}, {found} rows of {before}, ended {ended}: {done.stderr}")


def main(mlsched, directory):
    # No other program's disk is waited for.
    directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else directory
    path = os.path.join(directory, f"mlsched-killed-{os.getpid()}.db")
    seed = int(os.environ.get("SEED", time.time_ns() // 1000))
    print(f"SEED={seed}")
    generator = random.Random(seed)
    cpus = sorted(os.sched_getaffinity(0))[:2]
    witnesses = [Log(watch, cpu) for cpu in cpus]
    done, tries, moves, most = 0, 0, 0, 0
    try:
        while done < ROUNDS and tries < TRIES:
            tries += 1
            # Every second one is so long that something must be there.
            length = generator.randrange(SECOND) if done % 2 else generator.randrange(5 * SECOND // 4, 3 * SECOND)
            lost, due, why = one_round(mlsched, path, cpus, witnesses, length)
            if why:
                print(f"says nothing: {why}")
                continue
            done, moves, most = done + 1, moves + due, max(most, lost)
        if done:
            goes_on(mlsched, path)
    finally:
        for witness in witnesses:
            witness.end()
        for name in (path, f"{path}-wal", f"{path}-shm"):
            pathlib.Path(name).unlink(missing_ok=True)
    print(f"{done} kills, {moves} moves that had to be there, at most the last {most / MS:.0f} ms lost")
    if done < ROUNDS or not moves:
        print("this machine is too busy to see what is lost")
        sys.exit(77)


if __name__ == "__main__":
    main(*sys.argv[1:])
