#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: the sandbox as root, and the daemon's privileges while it
# schedules.  Results in /out.
set -u
CMOCKA_MESSAGE_OUTPUT=TAP test_sandbox >/out/attempts 2>&1
echo $? >/out/attempts.status

# privileges NAME OPTION...: of a run that has printed its first line.
privileges() {
	name=$1
	shift
	mkfifo "/tmp/$name"
	mlsched run -v --model /models/refuse "$@" >"/tmp/$name" 2>"/out/$name.stderr" &
	job=$!
	exec 3<"/tmp/$name"
	read -r first <&3 || echo "nothing printed: $first" >>"/out/$name.stderr"
	cat "/proc/$job/status" >"/out/$name"
	cat <&3 >/dev/null &
	kill -INT $job
	wait $job
	echo $? >"/out/$name.status"
	exec 3<&-
	wait
}
privileges shadow --backend shadow
privileges scx --backend scx
privileges none --backend scx --no-sandbox

# With no more than the systemd unit gives it.
bound=
for capability in $UNIT_CAPABILITIES; do bound=$bound,+$(echo "${capability#CAP_}" | tr "[:upper:]" "[:lower:]"); done
privs --bounding-set=-all"$bound" mlsched run --backend scx --model /models/refuse --duration 0.5 >/out/unit 2>&1
echo $? >/out/unit.status

# A CPU goes and comes: BPF is loaded and attached with what is left of the privileges.
mlsched run -v --json --backend scx --interval 1000 --model /models/refuse >/out/reload 2>/out/reload.stderr &
job=$!
for value in 0 1; do
	until [ "$(cat /sys/kernel/sched_ext/state)" = enabled ] && [ -s /out/reload ]; do sleep 0.1; done
	before=$(cat /sys/kernel/sched_ext/enable_seq)
	echo $value >/sys/devices/system/cpu/cpu3/online
	until [ "$(cat /sys/kernel/sched_ext/enable_seq)" -gt "$before" ]; do
		kill -0 $job || break 2
		sleep 0.1
	done
done
grep -E '^(Cap|NoNewPrivs|Seccomp)' "/proc/$job/status" >/out/reload.privileges
kill -INT $job
wait $job
echo $? >/out/reload.status
dmesg | grep 'audit: type=1326' >/out/audit
:
