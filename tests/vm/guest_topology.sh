#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: what mlsched makes of this machine, and whether it schedules all of
# it.  guest_topology.sh BURSTS; results in /out.
set -u
bursts=$1

# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

uname -r >/out/kernel
cat /sys/devices/system/cpu/possible >/out/possible
start run mlsched run --json --backend scx --interval 100000 --model /accept
cat /sys/kernel/sched_ext/root/ops >/out/run.ops

grep '^cpu[0-9]' /proc/schedstat >/out/cpus.before
# Twelve jobs for each CPU, and at most 1,024.
jobs=
[ "$(wc -l </out/cpus.before)" -le 85 ] || jobs='-w 1024'
# All begin at one cache, then all over the machine; new processes; wake-ups.
mls-workload imbalance -n "$bursts" >/out/load || exit
# shellcheck disable=SC2086
mls-workload make -n 1 $jobs >>/out/load || exit
mls-workload message -n $((bursts * 5)) >>/out/load || exit
mls-workload mixed -n "$bursts" >>/out/load || exit
grep '^cpu[0-9]' /proc/schedstat >/out/cpus.after

mlsched stats --json >/out/stats || exit
state >/out/run.still
end
