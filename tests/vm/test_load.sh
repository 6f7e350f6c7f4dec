#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The load of the comparisons (bench/vm): the same work for the same seed however it
# is scheduled, ties that hold, moves as the kernel counts them.
# Functions are called through check.
# shellcheck disable=SC2317,SC2016
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "the load of the comparisons"

load=$O/vm/mls-workload
refuse "an unknown profile is refused" "$load" nonsense
refuse "groups that do not divide the workers are refused" "$load" message -w 7 -g 2
refuse "a tie that does not exist is refused" bash -c '"$0" mixed -P elsewhere 2>&1 || exit 1' "$load"

cat >"$tap_tmp/all" <<'END'
#!/bin/sh
for profile in make message mixed imbalance; do
	bursts=8
	[ $profile = make ] && bursts=1
	[ $profile = message ] && bursts=40
	for tie in none home cache cpu; do
		mls-workload $profile -P $tie -n $bursts || exit
	done
	mls-workload $profile -S 2 -n $bursts || exit
done
END
chmod 755 "$tap_tmp/all"
run() {
	guest -k "${kernels[0]}" -t 1x2x2 -o "$tap_tmp/out" -p "$load" -p "$tap_tmp/all" -p "$tap_tmp/count_events" -- \
		'read -r id </sys/kernel/tracing/events/sched/sched_migrate_task/id
		exec count_events /out/moves "$id" all' >"$tap_tmp/runs"
}
check "helpers build" build_helper count_events
check "four profiles run with all ties" run
check "work, ties and moves are as they should be" python3 tests/vm/check_load.py "$tap_tmp/runs" "$tap_tmp/out/moves"
sed -n 's/^# /# /p' "$tap_out"
finish
