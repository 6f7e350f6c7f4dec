#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The model of a running scheduler is changed 1,000 times under load, and nothing is
# lost or complained about; it comes back after a hot-plug with
# the model and the mode that it had.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "changing the model on the kernels of the matrix"

check "helpers build" build_helper constant_model
mkdir "$tap_tmp/models"
check "a model that always refuses is written" "$tap_tmp/constant_model" -5 "$tap_tmp/models/refuse"
check "a model that always accepts is written" "$tap_tmp/constant_model" 5 "$tap_tmp/models/accept"

for kernel in "${kernels[@]}"; do
	! lacks_functions "$kernel" || continue

	out=$tap_tmp/$kernel
	check "$kernel: changes, a trial, a CPU that goes; the kernel's log is clean" \
		guest -k "$kernel" -t 1x2x2 -o "$out" -p "$MLSCHED" -p "$O/vm/mls-workload" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_control.sh -f "$tap_tmp/models=/models" -- guest_control.sh
	holds() {
		check "$kernel: $1" python3 tests/vm/check_control.py "$2" "$out"
		sed 's/^/# /' "$tap_out"
	}
	holds "1,000 changes of the model, each read back and switched to" swapped
	holds "no decision is lost, and all counters add up" nothing_lost
	holds "a model on trial is asked beside the active one and compared" tried
	holds "a model that refuses more than is allowed is taken back by itself" taken_back
	holds "a model that is replaced where it lies is changed to" followed
	holds "stats shows the domains, and the scheduler's name is mlsched" seen
	holds "after a hot-plug the model and the mode are those of that moment" came_back
	# A busy host makes waits long: only where time goes by instructions they are the scheduler's.
	out=$tap_tmp/waits-$kernel
	check "$kernel: changes in time that goes by instructions" \
		guest -d "$seed" -k "$kernel" -t 1x2x2 -o "$out" -p "$MLSCHED" -p "$O/vm/mls-workload" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_control.sh -f "$tap_tmp/models=/models" -- guest_control.sh waits
	holds "in 1,000 changes nothing waits longer than the safety limit and one slice" longest_wait
	out=$tap_tmp/$kernel
	check "$kernel: stats --openmetrics is OpenMetrics" sh -c 'python3 tests/cli/check_openmetrics.py <"$1"' - "$out/swaps.metrics"
done
finish
