#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: what mlsched makes of this machine, and whether it schedules all of
# it.  guest_topology.sh BURSTS; results in /out.
set -u
bursts=$1

mkfifo /tmp/run
mlsched run --json --backend scx --interval 100000 --model /accept >/tmp/run 2>/out/run.stderr &
job=$!
exec 3</tmp/run
if ! read -r first <&3; then
	cat /out/run.stderr >&2
	exit 1
fi
{ echo "$first"; cat <&3; } >/out/run &
reader=$!
exec 3<&-
cat /sys/kernel/sched_ext/root/ops >/out/run.ops

grep '^cpu[0-9]' /proc/schedstat >/out/cpus.before
# All begin at one cache, then all over the machine; new processes; wake-ups.
mls-workload imbalance -n "$bursts" >/out/load || exit
mls-workload make -n 1 >>/out/load || exit
mls-workload message -n $((bursts * 5)) >>/out/load || exit
mls-workload mixed -n "$bursts" >>/out/load || exit
grep '^cpu[0-9]' /proc/schedstat >/out/cpus.after

mlsched stats --json >/out/stats || exit
cat /sys/kernel/sched_ext/state >/out/run.still
kill -INT $job
wait $job
echo $? >/out/run.status
wait $reader
cat /sys/kernel/sched_ext/state >/out/run.state
