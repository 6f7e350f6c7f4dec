#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest of bench/vm-compare: one load under one scheduler.
#
# guest.sh 'LOAD ARGUMENT...' ['SCHEDULER ARGUMENT...']; without a scheduler the
# kernel's own.  Leaves in /out what the load and the scheduler wrote, and in
# /out/failed, if it is there, why the run does not count.
set -u
load=$1 scheduler=${2:-}
sysfs=/sys/kernel/sched_ext

fail() {
	echo "$*" >/out/failed
	exit 0
}

# A scheduler that attaches anew has been away.
attached() { echo "$(cat $sysfs/state) $(cat $sysfs/root/ops 2>/dev/null) $(cat $sysfs/enable_seq)"; }

if [ -n "$scheduler" ]; then
	# Not in quotes: words.
	$scheduler >/out/scheduler 2>/out/messages &
	pid=$!
	until [ "$(cat $sysfs/state)" = enabled ]; do
		kill -0 "$pid" 2>/dev/null || fail "the scheduler ended before it was attached"
		sleep 0.1
	done
	attached >/out/attached
fi
$load >/out/load 2>/out/load.messages || fail "the load ended with status $?: $(cat /out/load.messages)"
[ -n "$scheduler" ] || exit 0
[ "$(attached)" = "$(cat /out/attached)" ] ||
	fail "not attached until the end: $(cat /out/attached) became $(attached)"
kill -INT "$pid"
wait "$pid"
echo $? >/out/status
[ "$(cat $sysfs/state)" = disabled ] || fail "after its end the state is $(cat $sysfs/state)"
