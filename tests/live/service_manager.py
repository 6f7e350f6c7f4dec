#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A service manager as far as sd_notify(3) goes.

service_manager.py SOCKET WATCHDOG_SECONDS PROGRAM [ARGUMENT...]

Starts the program with NOTIFY_SOCKET=SOCKET (a path or @name; "none": without),
reads its /proc/PID/status when it says that it is ready, interrupts it when it has
given three signs of life and a status line, and writes what it saw as JSON.
"""

import json
import os
import signal
import socket
import subprocess
import sys

PATIENCE = 120


def listen(name):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind("\0" + name[1:] if name.startswith("@") else name)
    manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    manager.settimeout(PATIENCE)
    return manager


def sender(ancillary):
    """The process that sent it, as the kernel says."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int.from_bytes(data[:4], sys.byteorder)
    return 0


def privileges(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        lines = dict(line.split(":", 1) for line in status)
    return {name: lines[name].strip() for name in lines if name.startswith(("Cap", "NoNewPrivs", "Seccomp"))}


def main(name, seconds, *command):
    manager = listen(name)
    # The shell becomes the program: the same process.
    script = f'NOTIFY_SOCKET={name} WATCHDOG_PID=$$ WATCHDOG_USEC={int(float(seconds) * 1e6)} exec "$@"'
    child = subprocess.Popen(["sh", "-c", script, "-", *command])
    seen = {"messages": [], "signs": 0, "foreign": 0}
    asked = False
    while True:
        try:
            data, ancillary, _, _ = manager.recvmsg(4096, 256)
        except TimeoutError:
            child.kill()
            sys.exit(f"nothing more after {PATIENCE} s: {seen}")
        seen["foreign"] += sender(ancillary) != child.pid
        text = data.decode()
        if text == "WATCHDOG=1":
            seen["signs"] += 1
        else:
            seen["messages"].append(text)
        if text.startswith("READY=1"):
            seen["privileges"] = privileges(child.pid)
        if not asked and seen["signs"] >= 3 and any(m.startswith("STATUS=") for m in seen["messages"]):
            asked = True
            os.kill(child.pid, signal.SIGINT)
        if text.startswith("STOPPING=1"):
            break
    seen["status"] = child.wait()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
