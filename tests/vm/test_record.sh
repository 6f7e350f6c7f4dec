#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Recordings of our own scheduler on the kernels of the matrix: what is in the file is what
# the scheduler counted, in each mode, and what the model was asked is what it saw.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "recordings of the scx backend"

check "helpers build" build_helper switcher random_model constant_model
check "a model that always refuses is written" "$tap_tmp/constant_model" -5 "$tap_tmp/refuse"
check "a model that always accepts is written" "$tap_tmp/constant_model" 5 "$tap_tmp/accept"
check "a model of random weights is written" "$tap_tmp/random_model" 7 0.4 "$tap_tmp/model"

run_guest() {
	guest -k "$kernel" -t 1x2x2 -o "$out" -p "$MLSCHED" -p "$tap_tmp/switcher" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_record.sh -f "$tap_tmp/model=/model" \
		-f "$tap_tmp/refuse=/refuse" -- guest_record.sh
}
holds() {
	local name=$1
	shift
	check "$name" python3 tests/vm/check_record.py "$@"
	sed 's/^/# /' "$tap_out"
}

for kernel in "${kernels[@]}"; do
	! lacks_functions "$kernel" || continue
	out=$tap_tmp/$kernel
	check "$kernel: our scheduler records" run_guest
	for run in collect shadow active hotplug explore; do
		holds "$kernel: $run: recorded and dropped are all that was decided" counts "$out" $run
		holds "$kernel: $run: what became of moves is what was counted" results "$out" $run
		holds "$kernel: $run: outcomes lie within their windows" outcomes "$out" $run
	done
	holds "$kernel: collect: no model was asked, and the heuristic decided" collect "$out"
	holds "$kernel: shadow: the model was asked, and decided when it was told to" shadow "$out"
	holds "$kernel: active: the model decided" active "$out"
	holds "$kernel: explore: a coin took its share, and chances are written down" explore "$out"
	holds "$kernel: explore: the recording judges a model that was not in charge" off_policy "$out" "$MLSCHED" "$tap_tmp/accept" "$tap_tmp/refuse"
	for run in shadow active; do
		holds "$kernel: $run: logits are those of the recorded features" logits "$out" $run "$MLSCHED" "$tap_tmp/model"
	done
	for run in active explore; do
		check "$kernel: $run: sim replays what was recorded" python3 tests/live/check_recording.py replays "$out/$run.db" \
			"$out/$run.db" "$MLSCHED"
		sed 's/^/# /' "$tap_out"
	done
	holds "$kernel: killed by SIGKILL it leaves a file that is whole" killed "$out"
	holds "$kernel: a file that exists is refused before anything is attached" exists "$out"
done
finish
