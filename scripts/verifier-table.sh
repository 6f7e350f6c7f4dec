#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# verifier-table.sh PROGRAM: makes the table of docs/verifier.md anew, one guest
# for each kernel of the matrix (MLSCHED_VM_GUESTS of them at a time).  The
# reports stay beside the program, in vm/verifier.
set -eu -o pipefail
cd "$(dirname "$0")/.."
program=$1
work=$(dirname "$program")/vm/verifier
rm -rf "$work"
mkdir -p "$work"

report() {	# kernel
	scripts/vm/run --limit 600 -k "$1" -p "$program=mlsched" -- mlsched bench verifier --json >"$work/$1.json" && return
	echo "verifier-table: $1: the guest failed; its column is missing" >&2
	rm -f "$work/$1.json"
	return 1
}

mapfile -t kernels < <(scripts/vm/run --list)
guests=()
for kernel in "${kernels[@]}"; do
	report "$kernel" &
	guests+=($!)
done
failed=0
for guest in "${guests[@]}"; do
	wait "$guest" || failed=1
done
[ $failed -eq 0 ]
python3 scripts/verifier_table.py write docs/verifier.md "$work"/*.json
echo "docs/verifier.md: ${#kernels[@]} kernels"
