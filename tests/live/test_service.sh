#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched run as a service, on the kernel of this machine: what it tells the
# service manager, and which privileges it has left while it runs.  What the sandbox
# forbids is in tests/unit/test_sandbox.c.
# Functions are called through check.
# shellcheck disable=SC2317,SC2016
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

why=
[ "$(id -u)" -eq 0 ] || why="needs root"
[ -e /sys/kernel/btf/vmlinux ] || why="this kernel has no BTF"
if [ -n "$why" ]; then
	skip "mlsched run as a service" "$why"
	finish
fi
run=("$MLSCHED" run --backend shadow --model tests/golden/savedmodel/models/tf221-keras3-savedmodel/model)
if "${run[@]}" -q --duration 0.05 2>&1 >/dev/null | grep -q 'needs root'; then
	skip "mlsched run as a service" "root may not use bpf() here"
	finish
fi

serve() {	# name socket command...
	local name=$1 socket=$2
	shift 2
	python3 tests/live/service_manager.py "$socket" 0.5 "$@" >"$tap_tmp/$name" </dev/null
}
# seen NAME EXPRESSION: true of what the manager saw.
seen() {
	cat "$tap_tmp/$1"
	tail -n 1 "$tap_tmp/$1" | python3 -c 'import json, sys
m = json.loads(sys.stdin.read())
sys.exit(0 if eval(sys.argv[1]) else 1)' "$2"
}
check "a manager at a path starts it and stops it" serve path "$tap_tmp/socket" "${run[@]}" --quiet --interval 0.2
check "it is ready first, and says what it does" \
	seen path 'm["messages"][0].startswith("READY=1\nSTATUS=shadow: watching")'
check "then it says how many migrations were judged" seen path 'm["messages"][1].startswith("STATUS=shadow: ")'
check "it gives signs of life" seen path 'm["signs"] >= 3'
check "all messages are its own" seen path 'm["foreign"] == 0'
check "it says that it stops, and ends with 0" seen path 'm["messages"][-1] == "STOPPING=1" and m["status"] == 0'
# Kernels before 5.19 want CAP_BPF (39) even for maps that are open.
check "when it is ready all capabilities are gone" seen path \
	'all(int(m["privileges"][c], 16) & ~(1 << 39) == 0 for c in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"))'
check "when it is ready it has no new privileges and a filter of system calls" \
	seen path 'm["privileges"]["NoNewPrivs"] == "1" and m["privileges"]["Seccomp"] == "2"'
check "a manager at an abstract address starts it and stops it" \
	serve abstract "@mlsched-test-$$" "${run[@]}" --quiet --interval 0.2
check "with --no-sandbox, too" serve free "$tap_tmp/socket.free" "${run[@]}" --quiet --interval 0.2 --no-sandbox
check "then it keeps its privileges" \
	seen free 'm["privileges"]["NoNewPrivs"] == "0" and m["privileges"]["Seccomp"] == "0" and int(m["privileges"]["CapEff"], 16) != 0'

NOTIFY_SOCKET=nonsense "${run[@]}" --quiet --duration 0.1 2>"$tap_tmp/err"
same "an address that is none is no reason to stop" 0 $?
NOTIFY_SOCKET=nonsense "${run[@]}" --duration 0.1 >/dev/null 2>"$tap_tmp/err"
check "but it is said" grep -q 'NOTIFY_SOCKET: expected a path or @name .* got "nonsense"' "$tap_tmp/err"
NOTIFY_SOCKET=$tap_tmp/nobody "${run[@]}" --duration 0.1 >/dev/null 2>"$tap_tmp/err"
same "a manager that is not there is no reason to stop" 0 $?
check "but it is said, too" grep -q "NOTIFY_SOCKET $tap_tmp/nobody: No such file" "$tap_tmp/err"

# Who reads its output may stop to, as a pager does: it goes on all the same.
cat >"$tap_tmp/pager.py" <<'END'
import array, fcntl, os, signal, socket, subprocess, sys, termios
PATIENCE = 60
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
manager.settimeout(PATIENCE)
out, end = os.pipe()
fcntl.fcntl(end, 1031, 8192)  # F_SETPIPE_SZ: a few documents
child = subprocess.Popen(["sh", "-c", f'NOTIFY_SOCKET={sys.argv[1]} WATCHDOG_PID=$$ WATCHDOG_USEC=40000 exec "$@"', "-", *sys.argv[2:]], stdout=end)
os.close(end)
while os.read(out, 1) != b"\n":  # what it begins with
    pass


def there():
    n = array.array("i", [0])
    fcntl.ioctl(out, termios.FIONREAD, n)
    return n[0]


before, signs = 0, 0
while signs < 20:  # as long as nothing more comes, which is when no more fits
    try:
        text = manager.recv(4096)
    except TimeoutError:
        child.kill()
        sys.exit(f"no sign of life for {PATIENCE} s, with {there()} bytes that nobody reads")
    if text == b"WATCHDOG=1":
        signs = signs + 1 if there() == before > 4096 else 0
        before = there()
print(f"{before} bytes that nobody reads")
child.send_signal(signal.SIGTERM)
while not manager.recv(4096).startswith(b"STOPPING=1"):
    pass
while os.read(out, 65536):
    pass
sys.exit(child.wait())
END
check "it goes on and can be stopped while nobody reads what it prints" \
	python3 "$tap_tmp/pager.py" "$tap_tmp/socket.pager" "${run[@]}" --json --interval 0.02
sed 's/^/# /' "$tap_out"

# Output goes on working in the sandbox, wherever it goes.
"${run[@]}" --duration 0.3 --interval 0.1 >"$tap_tmp/file" 2>&1
check "output to a file is whole" grep -q 'migrations = ' "$tap_tmp/file"
"${run[@]}" --duration 0.3 --interval 0.1 2>&1 | cat >"$tap_tmp/pipe"
check "output to a pipe is whole" grep -q 'migrations = ' "$tap_tmp/pipe"
"${run[@]}" -v --duration 0.1 2>&1 >/dev/null | grep '^sandbox: ' >"$tap_tmp/said"
check "-v says what is in force" grep -qE \
	'^sandbox: capabilities: (none|bpf); system calls: filtered; files: (Landlock [0-9]+|not guarded, Landlock 0; missing: Landlock: .*)$' "$tap_tmp/said"
sed 's/^/# /' "$tap_tmp/said"
finish
