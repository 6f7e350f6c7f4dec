#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Which tasks are ours, in partial mode and without it, and whom a task of each policy may
# interrupt when it wakes up, with the kernel's own scheduler in the same guest beside it.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "policies of tasks on the kernels of the matrix"

check "helpers build" build_helper policies
for kernel in "${kernels[@]}"; do
	! lacks_functions "$kernel" || continue
	out=$tap_tmp/$kernel
	# In deterministic mode a busy host makes nobody late.
	check "$kernel: tasks of each policy run" guest -d "$seed" -k "$kernel" -t 1x1x2 -o "$out" -p "$MLSCHED" -p "$tap_tmp/policies" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_policies.sh -- guest_policies.sh
	holds() {
		check "$kernel: $1" python3 tests/vm/check_policies.py "$2" "$out"
		sed 's/^/# /' "$tap_out"
	}
	holds "with --partial a task that asks for the class is ours" asked
	holds "with --partial an ordinary task is the kernel's" ordinary
	holds "a normal task that wakes up takes the place of one that computes" normal
	holds "a SCHED_BATCH task that wakes up waits for its turn" batch
	holds "a SCHED_IDLE task that wakes up waits for its turn" idle
	holds "who wakes up takes the place of a SCHED_IDLE task at once" over_idle
done
finish
