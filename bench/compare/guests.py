# SPDX-License-Identifier: GPL-2.0
"""Runs one load under one scheduler in a fresh guest whose time goes by instructions."""

import os
import pathlib
import subprocess
import tempfile
import threading

from compare import loads, schedtrace

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# For a guest that has a share of a core only.  What hangs in the guest is ended by this alone.
LIMIT = 3600
# Of scripts/vm/run: the limit was reached, something is missing, the guest died; it was told to end.
NO_RESULT = (124, 125, 126, 130, 143)


running = set()
ending = threading.Event()


class GuestDied(Exception):
    """The host's side failed: there is no result, and none is written down."""


def outcome(out, run, load):
    """What the guest left behind, as fields of the run."""
    result = {"failed": loads.text_of(out / "failed")}
    measured = None
    if not result["failed"] or (out / "load").exists():
        try:
            measured = load.measure(out, run)
        except schedtrace.TraceError as error:
            result["failed"] = result["failed"] or str(error)
    if measured:
        result["load"] = measured
    elif not result["failed"]:
        result["failed"] = "the load printed nothing"
    attached = loads.text_of(out / "attached")
    if attached is not None:
        result["attached"] = attached
    last = loads.documents_of(loads.text_of(out / "scheduler"))[-1:]
    if last and last[0].get("type") == "summary":
        result["summary"] = last[0]
    if result["failed"]:
        result["messages"] = (loads.text_of(out / "messages") or "")[-2000:]
    return result


def end_all():
    """Ends the guests that run, and lets no other begin."""
    ending.set()
    for process in list(running):
        process.terminate()


def call(command, env):
    """Status and standard error of a command that end_all() ends."""
    if ending.is_set():
        raise GuestDied("interrupted")
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        running.add(process)
        said = process.communicate()[1]
        running.discard(process)
        return process.returncode, said.strip()


def execute(run, scheduler, programs, load, places):
    """Returns the run's dictionary, completed.  programs: {host path: stripped copy}; load: of loads.py."""
    with tempfile.TemporaryDirectory(prefix="vm-compare-") as directory:
        out = pathlib.Path(directory) / "out"
        command = [ROOT / "scripts/vm/run", "-k", run["kernel"], "-t", run["topology"], "-d", str(run["seed"]),
                   "--limit", str(LIMIT), "-o", out, *load.options, "-p", HERE / "guest.sh"]
        if scheduler.program:
            command += ["-p", f"{programs[scheduler.program]}={pathlib.Path(scheduler.command.split()[0]).name}"]
        for host, guest in scheduler.models.items():
            command += ["-f", f"{host}={guest}"]
        command += ["--", "guest.sh", load.command(run, scheduler.tie)]
        command += [scheduler.command] if scheduler.command else []
        env = dict(os.environ, MLSCHED_VM_GUESTS=str(places))
        status, said = call(command, env)
        if status in NO_RESULT or status < 0:
            raise GuestDied(f"{run['topology']} {run['profile']} {run['scheduler']} seed {run['seed']}: "
                            f"status {status}: {said[-1000:]}")
        result = dict(run, **outcome(out, run, load))
        # Whatever the kernel complains about: a scheduler that does that is not compared.
        if status != 0 and not result["failed"]:
            result["failed"] = f"status {status}: {said[-1000:]}"
        return result
