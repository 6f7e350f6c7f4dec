#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Engines of the scx backend: the network in the kernel, or asked for in user
# space with the heuristic standing in; a daemon that is stopped; an engine from a
# library that is loaded at run time (a fake one: the real TensorFlow is compared
# with us in tests/interop/test_engines.py).
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "engines of the scx backend"

models() {
	"$tap_tmp/constant_model" -5 "$tap_tmp/refuse" && "$tap_tmp/constant_model" 5 "$tap_tmp/accept"
}
fake() { "$CC" -std=gnu11 -O2 -Wall -shared -fPIC -o "$tap_tmp/libtensorflow.so.2" tests/vm/fake_tensorflow.c -lm; }
check "helpers build" build_helper count_events constant_model
check "models that always say the same are written" models
check "a library with TensorFlow's functions is built" fake

steps() {
	guest -k "$kernel" -t 1x2x2 -o "$out" -p "$MLSCHED" -p "$O/vm/mls-workload" -p "$tap_tmp/count_events" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_scx.sh -p tests/vm/guest_engines.sh -f "$tap_tmp/refuse=/refuse" -f "$tap_tmp/accept=/accept" \
		-f "$tap_tmp/refuse=/models/refuse" -f "$tap_tmp/accept=/models/accept" -f "$tap_tmp/refuse=/-5" -f "$tap_tmp/libtensorflow.so.2=/fake/libtensorflow.so.2" -- guest_engines.sh "$@"
}
holds() {
	check "$kernel: $1" python3 tests/vm/check_engines.py "$2" "$out" "$3"
	sed 's/^/# /' "$tap_out"
}

for kernel in "${kernels[@]}"; do
	! lacks_functions "$kernel" || continue

	out=$tap_tmp/engines-$kernel
	check "$kernel: the same load with each engine" steps kernel refuse accept shadow impatient tensorflow none
	for run in kernel refuse accept shadow impatient tensorflow; do
		holds "$run: decisions had their verdict in time or somebody stood in" sums "$run"
		holds "$run: it names its engine" says "$run"
		holds "$run: it takes over" takes_over "$run"
		holds "$run: it gives scheduling back" ends_cleanly "$run"
	done
	holds "native: where the verdict of a model that always refuses was there, it was obeyed" refuses refuse
	holds "native: where the verdict of a model that always accepts was there, it was obeyed" accepts accept
	holds "native: in shadow verdicts are compared and not obeyed" shadows shadow
	holds "native: verdicts older than the limit are not used" expires impatient
	holds "tensorflow: where the verdict was there, it was obeyed" refuses tensorflow
	holds "engines were given the same work" same_work all
	holds "without TensorFlow it says what it looked for and attaches nothing" refused_none none
	out=$tap_tmp/swapped-$kernel
	check "$kernel: models of engine native change under load" steps swapped
	holds "native: 102 swaps, a rollback and a trial; no verdict of the model before is applied" swapped swapped
	out=$tap_tmp/stopped-$kernel
	check "$kernel: the daemon is stopped and goes on, a CPU goes and comes back" steps stopped restarted
	holds "a stopped daemon stops nothing, and what it missed is not used" stopped stopped
	holds "a stopped daemon: all decisions are accounted for" sums stopped
	holds "native: questions of a scheduler that was loaded anew are answered" restarted restarted
	holds "native: decisions of before and after a restart add up" sums restarted
done
finish
