#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest of bench/vm-compare, for loads that the kernel's events measure: runs a
# command, passes on its output and status, and leaves in /out what the kernel's scheduler did
# meanwhile, for compare/schedtrace.py.
#
# traced.sh PROGRAM ARGUMENT...
set -eu
tracing=/sys/kernel/tracing

for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
	node=$(echo "$cpu"/node[0-9]*)
	echo "${cpu##*/cpu} $(cat "$cpu/cache/index3/shared_cpu_list") ${node##*/node}"
done >/out/cpus

# One clock for all CPUs; room for all events, for whatever is lost makes the run worthless.
echo mono >$tracing/trace_clock
echo 16384 >$tracing/buffer_size_kb
for event in switch wakeup wakeup_new migrate_task process_fork process_exec process_exit; do
	echo 1 >"$tracing/events/sched/sched_$event/enable"
done
# A process of its own, whose number is known before it becomes the program.
# shellcheck disable=SC2016
sh -c 'echo $$ >/out/pid; exec "$@"' sh "$@"
echo 0 >$tracing/tracing_on

lost=$(cat $tracing/per_cpu/cpu*/stats | awk '/^(overrun|commit overrun|dropped events):/ { n += $NF } END { print n + 0 }')
[ "$lost" = 0 ] || { echo "$lost events of the kernel were lost" >&2; exit 1; }
cat $tracing/trace >/out/trace
