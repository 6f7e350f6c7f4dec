#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: pairs of CPU-bound tasks tied to one CPU under our scheduler, until both
# together have run for SECONDS there.  guest_weights.sh SECONDS; prints for each pair its name
# and the ns that each of the two ran.
set -u
seconds=$1

# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

start run mlsched run --backend scx --mode collect --json --interval 100000

# pair NAME COMMAND...: the command before the second of two spinning shells.
pair() {
	pair=$1
	shift
	taskset 2 sh -c 'while :; do :; done' &
	first=$!
	taskset 2 "$@" sh -c 'while :; do :; done' &
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
[ "$(cat /out/run.status)" = 0 ] && [ "$still" = enabled ]
