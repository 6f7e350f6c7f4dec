#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside a deterministic guest: the four loads, short, one after the other, under
# one scheduler.  guest_golden.sh [SCHEDULER ARGUMENT...]; results in /out.
#
# Each load begins at a given second, and while they run the scheduler's daemon is
# stopped: what is measured is the scheduler in the kernel, and as little as can be
# of how many instructions its loading took.  An idle second costs the host half of
# one, so the seconds are near each other; start_at fails where one has passed.
set -u
if [ $# -gt 0 ]; then
	"$@" >/out/scheduler 2>/out/messages &
	pid=$!
	until [ "$(cat /sys/kernel/sched_ext/state)" = enabled ]; do
		kill -0 "$pid" 2>/dev/null || { cat /out/messages >&2; exit 1; }
		sleep 0.1
	done
	seq=$(cat /sys/kernel/sched_ext/enable_seq)
	kill -STOP "$pid"
fi
start_at 10 mls-workload make -n 1 >/out/loads || exit
start_at 13 mls-workload message -n 40 >>/out/loads || exit
start_at 15 mls-workload mixed -n 12 >>/out/loads || exit
start_at 17 mls-workload imbalance -n 12 >>/out/loads || exit
[ $# -gt 0 ] || exit 0
if [ "$(cat /sys/kernel/sched_ext/state /sys/kernel/sched_ext/enable_seq)" != "enabled
$seq" ]; then
	echo "the scheduler was not attached until the end" >&2
	exit 1
fi
kill -INT "$pid"
kill -CONT "$pid"
wait "$pid"
