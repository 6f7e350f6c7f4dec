#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Scheduling behaviour has not changed unnoticed: four short loads in deterministic
# guests (4 CPUs, 2 last-level caches) under EEVDF, our scheduler with no model and
# with one that always refuses, against tests/golden/schedule.json.
#
# After a change that is meant: `tests/vm/test_golden_schedule.sh --update` (24 guests, two
# at a time), look at what it changes, commit it together.  golden_schedule.py explains what
# is compared to the digit and what within a tolerance.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "golden numbers of scheduling"

golden=tests/golden/schedule.json
kernel=6.18.15
check "helpers build" build_helper start_at constant_model
check "a model that always refuses is written" "$tap_tmp/constant_model" -5 "$tap_tmp/never"

# As they are put into guests in deterministic mode.
strip_all() {
	. scripts/vm/initramfs.sh
	mkdir "$tap_tmp/bin" && vm_strip "$O/vm/mls-workload" "$tap_tmp/bin/mls-workload" &&
		vm_strip "$MLSCHED" "$tap_tmp/bin/mlsched" && vm_strip "$tap_tmp/start_at" "$tap_tmp/bin/start_at"
}
check "programs are stripped" strip_all
mkdir "$tap_tmp/libraries"
ldd "$tap_tmp/bin/mlsched" | grep -oE '/[^ ]+' | while read -r library; do cp -L "$library" "$tap_tmp/libraries/"; done
qemu=$(. scripts/vm/versions.sh; . scripts/vm/fetch.sh
	cache=${MLSCHED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mlsched}/vm
	die() { echo "$*" >&2; exit 1; }
	vm_prepare_qemu && "${vm_qemu[0]}" --version | sed -nE '1s/.*version ([0-9.]+).*/\1/p')

# run NAME SEED [SCHEDULER ARGUMENT...]: the part of one scheduler in $tap_tmp/NAME.SEED.json.
run() {
	local name=$1 seed=$2 out=$tap_tmp/$1.$2 inputs=() options=()
	shift 2
	inputs=("kernel=$kernel" "qemu=$qemu" "busybox=$(command -v busybox)" "load=$tap_tmp/bin/mls-workload"
		"start_at=$tap_tmp/bin/start_at" guest=tests/vm/guest_golden.sh init=scripts/vm/guest-init
		machine=scripts/vm/machine.sh initramfs=scripts/vm/initramfs.sh)
	[ "$seed" = 1 ] || inputs+=("seed=$seed")
	if [ $# -gt 0 ]; then
		options=(-p "$tap_tmp/bin/mlsched" -f "$tap_tmp/never=/never")
		inputs+=("mlsched=$tap_tmp/bin/mlsched" "libraries=$tap_tmp/libraries" "model=$tap_tmp/never")
	fi
	guest -d "$seed" -k "$kernel" -t 1x2x2 -m 512 -o "$out" -p "$tap_tmp/bin/mls-workload" \
		-p "$tap_tmp/bin/start_at" -p tests/vm/guest_golden.sh "${options[@]}" -- guest_golden.sh "$@" || return
	python3 tests/vm/golden_schedule.py collect "$name" "$out" "${inputs[@]}" >"$out.json"
}
# run_as NAME SEED: what each scheduler is.
run_as() {
	case $1 in
	eevdf) run eevdf "$2" ;;
	heuristic) run heuristic "$2" mlsched run --json --backend scx --interval 1000 --mode collect --model /nonexistent ;;
	refuse) run refuse "$2" mlsched run --json --backend scx --interval 1000 --model /never ;;
	esac
}
names=(eevdf heuristic refuse)

if [ "${1:-}" = --update ]; then
	parts=()
	for number in 1 2 3 4 5 6 7 8; do
		for name in "${names[@]}"; do
			while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
			run_as "$name" $number &
			parts+=("$tap_tmp/$name.$number.json")
		done
	done
	wait
	update() { python3 tests/vm/golden_schedule.py join "${parts[@]}" >"$tap_tmp/new" && cp "$tap_tmp/new" "$golden"; }
	check "$golden is made anew" update
	finish
fi
for name in "${names[@]}"; do
	check "$name: a guest runs the loads" run_as "$name" "$seed"
	check "$name: the numbers are the golden ones (a change that is meant: tests/vm/test_golden_schedule.sh --update)" \
		python3 tests/vm/golden_schedule.py compare "$golden" "$name" "$tap_tmp/$name.$seed.json"
	sed 's/^/# /' "$tap_out"
done
finish
