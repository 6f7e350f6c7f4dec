#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: pairs of CPU-bound tasks tied to one CPU under our scheduler, until both
# together have run for SECONDS there.  guest_weights.sh SECONDS; prints for each pair its name
# and the ns that each of the two ran.  Then, under a scheduler of its own, a heavier task that
# wakes up now and then beside one that wakes up often.
set -u
seconds=$1

# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

start run mlsched run --backend scx --mode collect --json --interval 100000

# pair NAME COMMAND...: the command before the second of two tasks that spin.
pair() {
	pair=$1
	shift
	taskset 2 misbehave hog &
	first=$!
	taskset 2 "$@" misbehave hog &
	second=$!
	until [ $((($(ran $first) + $(ran $second)) / 1000000000)) -ge "$seconds" ]; do sleep 0.2; done
	echo "$pair $(ran $first) $(ran $second)"
	kill $first $second
	wait $first $second 2>/dev/null
}

pair equal env
pair nice5 nice -n 5
pair nice-5 nice -n -5
pair idle chrt -i 0
pair nice19 nice -n 19
still=$(state)
end
[ "$(cat /out/run.status)" = 0 ] && [ "$still" = enabled ] || exit 1

# Where it may run on more than one CPU it starts at once where it finds its own idle; the
# other one is busy.
start sleeper mlsched run --backend scx --mode collect --json --interval 100000
taskset 1 misbehave hog &
busy=$!
taskset 2 misbehave wake 4 4 1000000 >/dev/null &
often=$!
taskset 2 nice -n -5 misbehave wake 100 297 8 >/dev/null &
seldom=$!
taskset -p 3 $seldom >/dev/null
wait $seldom
still=$(state)
end
kill $busy $often
wait $busy $often 2>/dev/null
[ "$(cat /out/sleeper.status)" = 0 ] && [ "$still" = enabled ]
