#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What the verifier of each kernel has to do for our BPF programs has not grown
# by more than 20 % over docs/verifier.md.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "the verifier's cost on the kernels of the matrix"

for kernel in "${kernels[@]}"; do
	report=$tap_tmp/$kernel.json
	if ! guest -k "$kernel" -p "$MLSCHED" -- mlsched bench verifier --json >"$report" 2>"$tap_out"; then
		sed 's/^/# /' "$report" "$tap_out"
		tap_result 1 "$kernel: all objects are loaded"
		continue
	fi
	check "$kernel: the verifier's cost" python3 scripts/verifier_table.py check docs/verifier.md "$report"
	sed 's/^/# /' "$tap_out"
done
finish
