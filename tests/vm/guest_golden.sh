#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside a deterministic guest: the four loads, short, one after the other, under
# one scheduler.  guest_golden.sh [SCHEDULER ARGUMENT...]; results in /out.
#
# Each load begins at a given second, and while they run the scheduler's daemon is
# stopped: what is measured is the scheduler in the kernel, and as little as can be
# of how many instructions its loading took.  An idle second costs the host half of
# one, so the seconds are near each other; start_at fails where one has passed.  The
# loads are so long that their ends, where CPUs run dry one by one, are a small part.
#
# It does not use guest_common.sh: what that changes would change the numbers here.
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
start_at 14 mls-workload message -n 100 >>/out/loads || exit
start_at 16 mls-workload mixed -n 30 >>/out/loads || exit
start_at 19 mls-workload imbalance -n 30 >>/out/loads || exit
[ $# -gt 0 ] || exit 0
if [ "$(cat /sys/kernel/sched_ext/state /sys/kernel/sched_ext/enable_seq)" != "enabled
$seq" ]; then
	echo "the scheduler was not attached until the end" >&2
	exit 1
fi
kill -INT "$pid"
kill -CONT "$pid"
wait "$pid"
