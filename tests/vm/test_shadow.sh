#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched run --backend shadow on the kernels of the matrix, on 4 CPUs with 2
# last-level caches: its counts against the kernel's own.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "the shadow backend on the kernels of the matrix"

checks=tests/live/check_shadow.py
model=tests/golden/savedmodel/models/tf221-keras3-savedmodel/model
check "helpers build" build_helper switcher count_events constant_model
check "a model that always refuses is written" "$tap_tmp/constant_model" -5 "$tap_tmp/refuse"

# watch KERNEL ENGINE MODEL: leaves its results in $out.
watch() {
	out=$tap_tmp/$1-$2
	guest -k "$1" -t 1x2x2 -o "$out" -p "$MLSCHED" -p "$tap_tmp/switcher" -p "$tap_tmp/count_events" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_shadow.sh -f "$3=/model" -- guest_shadow.sh "$2" /model
}

for kernel in "${kernels[@]}"; do
	check "$kernel: watching 600 forced moves" watch "$kernel" native "$tap_tmp/refuse"
	check "$kernel: domains are the last-level caches" python3 $checks machine "$out/documents" 4 2 '0-1 2-3'
	check "$kernel: every migration is judged or counted" python3 $checks adds_up "$out/documents"
	check "$kernel: the kernel's own counts enclose ours" \
		python3 $checks between "$out/documents" "$out/inner" "$out/outer"
	sed -n 's/^# /# /p' "$tap_out"
	check "$kernel: each forced move is there, as often as the kernel says" \
		python3 $checks own_thread "$out/documents" "$out/known"
	sed -n 's/^# /# /p' "$tap_out"
	check "$kernel: features are those of the moment" python3 $checks features "$out/documents"
	check "$kernel: outcomes keep within the window" python3 $checks outcomes "$out/documents" 100
	check "$kernel: nothing is lost" python3 $checks none_lost "$out/documents"
done

kernel=${kernels[0]}
check "$kernel: watching with the network in the kernel" watch "$kernel" kernel "$model"
check "$kernel: the kernel and the library compute the same integers" python3 $checks same_integers "$out/documents"
sed -n 's/^# /# /p' "$tap_out"
check "$kernel: every migration is judged or counted with the network in the kernel" \
	python3 $checks adds_up "$out/documents"
finish
