#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what `mlsched run --backend scx --json` wrote in a guest.

check_scx.py CHECK DIRECTORY [RUN]: status 0 when it holds, otherwise it says
what does not.
"""

import json
import pathlib
import sys

KINDS = ("wakeup", "fork", "steal", "balance")


def fail(text):
    print(text)
    sys.exit(1)


def expect(name, found, wanted):
    if found != wanted:
        fail(f"{name}: expected {wanted!r}, found {found!r}")


def content(directory, name):
    """Of a file that the guest left; where it did not come so far, what it said at last."""
    if not (directory / name).exists():
        last = directory / "failed"
        fail(f"{name} is missing: the guest ended before" + (f": {last.read_text().strip()}" if last.exists() else ""))
    return (directory / name).read_text()


def documents(directory, run):
    return [json.loads(line) for line in content(directory, run).splitlines() if line]


def summary(directory, run):
    last = documents(directory, run)[-1]
    expect("type of the last document", last["type"], "summary")
    return last


def text(directory, name):
    return content(directory, name).strip()


def moves(document, causes):
    return sum(sum(document["moves"][cause].values()) for cause in causes)


def adds_up(directory, run):
    """decisions = accepted + refused, accepted = moved + failed, for each kind."""
    s = summary(directory, run)
    for kind in KINDS:
        k = s["kinds"][kind]
        expect(f"{kind}: accepted + refused", k["accepted"] + k["refused"], k["decisions"])
        expect(f"{kind}: moved + failed", k["moved"] + sum(k["failed"].values()), k["accepted"])
        expect(f"{kind}: moved by distance", moves(s, [kind]), k["moved"])
    expect("moves by safety rules", sum(s["safety_rules"].values()), sum(s["kinds"][k]["safety"] for k in KINDS))
    expect("decisions", s["decisions"], sum(s["kinds"][k]["decisions"] for k in KINDS))
    if s["decisions"] == 0:
        fail("not one decision was made")
    print(f"{s['decisions']} decisions = {s['moved']} moved + {s['failed']} failed + {s['refused']} refused")


def refuses(directory, run):
    """Invariant 1: a model that always refuses causes no optional migration at all."""
    s = summary(directory, run)
    expect("asked", s["model"]["asked"], s["decisions"])
    expect("refused", s["refused"], s["decisions"])
    expect("optional moves", moves(s, KINDS), 0)
    others = moves(s, ["safety", "forced", "by_kernel"])
    inner = int(text(directory, f"{run}.inner").split()[0])
    # Those at which a task was moved again before it ran are in the kernel's count alone.
    print(f"{s['decisions']} refused; {others} moves by safety, force or the kernel; kernel's count {inner}")


def accepts(directory, run):
    """A model that always accepts says at every decision what the heuristic says."""
    s = summary(directory, run)
    expect("asked", s["model"]["asked"], s["decisions"])
    expect("accepted", s["accepted"], s["decisions"])
    expect("same as the heuristic", s["model"]["same_as_heuristic"], s["decisions"])
    if moves(s, KINDS) == 0:
        fail("nothing moved")
    print(f"{s['decisions']} decisions, {moves(s, KINDS)} moves")


def collects(directory, run):
    s = summary(directory, run)
    expect("asked", s["model"]["asked"], 0)
    expect("missed", s["model"]["missing"], 0)
    expect("accepted", s["accepted"], s["decisions"])


def shadows(directory, run):
    """The model refuses, and is asked, and it does not matter."""
    s = summary(directory, run)
    expect("asked", s["model"]["asked"], s["decisions"])
    expect("migrate", s["model"]["migrate"], 0)
    expect("accepted", s["accepted"], s["decisions"])
    if moves(s, KINDS) == 0:
        fail("nothing moved")


def takes_over(directory, run):
    start = documents(directory, run)[0]
    expect("type of the first document", start["type"], "start")
    expect("backend", start["backend"]["name"], "scx")
    expect("root/ops", text(directory, f"{run}.ops"), "mlsched")
    expect("waits seen", summary(directory, run)["wait_ns"]["n"] > 100, True)


def ended_by_itself(directory, run):
    """Status 0; if the kernel took it out, that is said with its reason."""
    status = text(directory, f"{run}.status")
    if status == "3":
        fail(f"the kernel took it out: {summary(directory, run)['reason']}")
    expect("status", status, "0")


def ends_cleanly(directory, run):
    ended_by_itself(directory, run)
    expect("state afterwards", text(directory, f"{run}.state"), "disabled")
    expect("ejected", summary(directory, run)["ejected"], False)
    expect("documents of type ejected", [d for d in documents(directory, run) if d["type"] == "ejected"], [])
    expect("standard error", text(directory, f"{run}.stderr"), "")


def kernel_agrees(directory, run):
    """The kernel's count while the work ran is within what we counted in all.

    The kernel counts a move when a task changes its run queue, we when it runs
    there: a task that is moved twice before it runs is one move of ours.
    """
    s = summary(directory, run)
    ours = moves(s, s["moves"])
    replaced = sum(s["kinds"][k]["failed"][why] for k in KINDS for why in ("replaced", "returned"))
    inner = int(text(directory, f"{run}.inner").split()[0])
    outer = int(text(directory, f"{run}.outer").split()[0])
    if not inner <= outer:
        fail(f"the kernel counts {inner} within and {outer} around")
    if inner > ours + replaced + ours // 10 + 20:
        fail(f"the kernel counts {inner} moves, we {ours} and {replaced} that came to nothing")
    print(f"kernel {inner}..{outer}, ours {ours} and {replaced} that came to nothing")


def forced(directory, run):
    """Affinity is obeyed whatever the model says: every forced move is there."""
    known = json.loads(text(directory, "known"))
    s = summary(directory, run)
    found = moves(s, ["forced"])
    expect("optional moves", moves(s, KINDS), 0)
    if found < known["moves"]:
        fail(f"{known['moves']} moves were forced, {found} counted")
    print(f"{known['moves']} moves forced, {found} counted")


def refused_second(directory, _):
    expect("status", text(directory, "second.status"), "1")
    message = text(directory, "second")
    if "another scheduler is attached (mlsched" not in message or len(message.splitlines()) != 1:
        fail(f"message: {message}")
    expect("state of the first", text(directory, "second.state"), "enabled")
    expect("status of auto", text(directory, "auto.status"), "0")
    backend = documents(directory, "auto")[0]["backend"]
    expect("backend of auto", backend["name"], "shadow")
    if "another scheduler is attached (mlsched" not in backend["why"]:
        fail(f"why: {backend['why']}")
    ends_cleanly(directory, "first")


def auto_default(directory, run):
    """Nobody named anything: our scheduler, which does not listen to the model until it is told to."""
    start = documents(directory, run)[0]
    expect("backend", start["backend"]["name"], "scx")
    expect("why", start["backend"]["why"], "this kernel has sched_ext, and nothing else is attached")
    expect("root/ops", text(directory, f"{run}.ops"), "mlsched")
    expect("mode", start["mode"], "shadow")
    for words in ("nobody named a model", "has not been shown to pay", "--mode active", "`mlsched model mode active`"):
        if words not in start["mode_why"]:
            fail(f"nothing of {words!r} in: {start['mode_why']}")
    shown = (directory / "auto_text").read_text()
    for words in ("backend   scx (this kernel has sched_ext", "\nmode      shadow: ", start["mode_why"]):
        if words not in shown:
            fail(f"nothing of {words!r} in: {shown}")
    stats = json.loads(text(directory, f"{run}.stats"))
    # The model would refuse everything.
    expect("refused before it was told to", stats["refused"], 0)
    expect("said migrate", stats["model"]["migrate"], 0)
    if stats["model"]["asked"] == 0:
        fail("the model was not asked")
    expect("mode afterwards", text(directory, f"{run}.mode"), "active")
    ends_cleanly(directory, run)
    print(f"{stats['model']['asked']} decisions, none refused; then {text(directory, f'{run}.mode')}")


def auto_named(directory, run):
    """Somebody named a model: it decides."""
    start = documents(directory, run)[0]
    expect("backend", start["backend"]["name"], "scx")
    expect("mode", start["mode"], "active")
    expect("why", start["mode_why"], None)


def auto_trained(directory, run):
    """Nobody named a model, and one that was trained for our scheduler is there: it decides."""
    places = {
        "installed": "/bin/../share/mlsched/model",
        "scx_mlsched": "/bin/../share/mlsched/model",
        "trained": "models/default",
        "service": "/var/lib/mlsched/model",
    }
    for place, path in places.items():
        start = documents(directory, f"{run}_{place}")[0]
        expect(f"{place}: backend", start["backend"]["name"], "scx")
        expect(f"{place}: model", start["model"]["path"], path)
        expect(f"{place}: mode", start["mode"], "active")
        expect(f"{place}: why", start["mode_why"], None)


def auto_late(directory, run):
    """The kernel refuses at the last moment: shadow, with the reason; explicit scx fails."""
    expect("status", text(directory, f"{run}.status"), "0")
    start = documents(directory, run)[0]
    expect("backend", start["backend"]["name"], "shadow")
    expect("engine", start["engine"]["name"], "native")
    why = "scx was tried: attaching the scheduler: Device or resource busy"
    expect("why", start["backend"]["why"], why)
    expect("message", text(directory, f"{run}.stderr"), f"{why}; going on in shadow")
    expect("type of the last document", documents(directory, run)[-1]["type"], "summary")
    expect("status with --mode active", text(directory, f"{run}_active.status"), "1")
    message = text(directory, f"{run}_active")
    if "--mode active needs --backend scx, and the backend is shadow (scx was tried: " not in message:
        fail(f"message with --mode active: {message}")
    expect("status of scx", text(directory, "scx_late.status"), "1")
    expect("message of scx", text(directory, "scx_late"),
           "mlsched run: attaching the scheduler: Device or resource busy")
    expect("state of the other one", text(directory, f"{run}.state"), "enabled")
    ends_cleanly(directory, "other")


def auto_plain(directory, run):
    """A plain user is told what it needs, in one line."""
    expect("status", text(directory, f"{run}.status"), "1")
    expect("message", text(directory, run), "mlsched run: watching the kernel's scheduler needs root: "
           "run it as root, with sudo, or with CAP_BPF and CAP_PERFMON")


def refused_kernel(directory, _):
    """A kernel whose functions nobody can call: plain words, and auto takes shadow."""
    expect("status", text(directory, "scx.status"), "1")
    message = text(directory, "scx")
    for words in ("no BPF program can call scx_bpf_", "another build of the kernel is needed", "--backend shadow works"):
        if words not in message:
            fail(f"nothing of {words!r} in: {message}")
    expect("lines of the message", len(message.splitlines()), 1)
    expect("status of auto", text(directory, "auto.status"), "0")
    backend = documents(directory, "auto")[0]["backend"]
    expect("backend of auto", backend["name"], "shadow")
    if "no BPF program can call scx_bpf_" not in backend["why"]:
        fail(f"why: {backend['why']}")
    print(message)


def ejected(directory, run, orderly):
    """The kernel's reason: once in a document of its own, and in the summary behind it."""
    expect("status", text(directory, f"{run}.status"), "3")
    expect("state", text(directory, f"{run}.state"), "disabled")
    reason = summary(directory, run)["reason"]
    found = [d for d in documents(directory, run) if d["type"] == "ejected"]
    expect("documents of type ejected", len(found), 1)
    expect("last but one", documents(directory, run)[-2], found[0])
    expect("orderly", found[0]["orderly"], orderly)
    expect("reason", found[0]["reason"], reason)
    expect("ejected, of the summary", summary(directory, run)["ejected"], not orderly)
    return reason


def sysrq(directory, run):
    reason = ejected(directory, run, True)
    if "disabled by sysrq-S" not in reason:
        fail(f"reason: {reason}")
    print(reason)


def hotplug(directory, run):
    s = summary(directory, run)
    ended_by_itself(directory, run)
    if s["restarts"] < 2:
        fail(f"{s['restarts']} restarts")
    message = text(directory, f"{run}.stderr")
    for words in ("going offline", "3 CPUs online", "going online", "4 CPUs online"):
        if words not in message:
            fail(f"nothing of {words!r} in: {message}")


def killed(directory, run):
    expect("state", text(directory, f"{run}.state"), "disabled")


if __name__ == "__main__":
    check, where = sys.argv[1], pathlib.Path(sys.argv[2])
    globals()[check](where, sys.argv[3] if len(sys.argv) > 3 else check)
