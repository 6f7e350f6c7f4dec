#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: pairs of CPU-bound tasks tied to one CPU under our scheduler, until both
# together have run for SECONDS there.  guest_weights.sh SECONDS; prints for each pair its name
# and the ns that each of the two ran.
set -u
seconds=$1

mlsched run --backend scx --mode collect --json --interval 100000 >/out/run 2>/out/stderr &
daemon=$!
until [ "$(cat /sys/kernel/sched_ext/state)" = enabled ]; do
	kill -0 $daemon || { cat /out/stderr >&2; exit 1; }
	sleep 0.1
done

# /proc/PID/schedstat: ns on a CPU, ns waiting, turns.
ran() {
	read -r ns _ </proc/"$1"/schedstat
	echo "$ns"
}

# pair NAME COMMAND...: the command before the second of two spinning shells.
pair() {
	name=$1
	shift
	taskset 2 sh -c 'while :; do :; done' &
	first=$!
	taskset 2 "$@" sh -c 'while :; do :; done' &
	second=$!
	until [ $((($(ran $first) + $(ran $second)) / 1000000000)) -ge "$seconds" ]; do sleep 0.2; done
	echo "$name $(ran $first) $(ran $second)"
	kill $first $second
	wait $first $second 2>/dev/null
}

pair equal env
pair nice5 nice -n 5
pair nice-5 nice -n -5
pair idle chrt -i 0
pair nice19 nice -n 19
state=$(cat /sys/kernel/sched_ext/state)
kill -INT $daemon
wait $daemon && [ "$state" = enabled ]
