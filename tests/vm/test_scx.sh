#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched run --backend scx on the kernels of the matrix: it takes over, the
# model can refuse, and EEVDF goes on when it ends, however it ends.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "the scx backend on the kernels of the matrix"

check "helpers build" build_helper switcher count_events constant_model
check "a model that always refuses is written" "$tap_tmp/constant_model" -5 "$tap_tmp/refuse"
check "a model that always accepts is written" "$tap_tmp/constant_model" 5 "$tap_tmp/accept"

# steps NAME KERNEL TOPOLOGY STEP...: leaves the results in $out.
steps() {
	local kernel=$2 topology=$3
	out=$tap_tmp/$1-$2-$3
	shift 3
	guest -k "$kernel" -t "$topology" -o "$out" -p "$MLSCHED" -p "$tap_tmp/switcher" \
		-p "$tap_tmp/count_events" -f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_scx.sh -p "$(command -v setpriv)=privs" -f "$tap_tmp/refuse=/refuse" \
		-f "$tap_tmp/refuse=/root/src/model_dir/model_path" -f "$tap_tmp/accept=/accept" -- guest_scx.sh "$@"
}

# holds NAME CHECK RUN: a check of check_scx.py, with what it says.
holds() {
	check "$1" python3 tests/vm/check_scx.py "$2" "$out" "$3"
	sed 's/^/# /' "$tap_out"
}

for kernel in "${kernels[@]}"; do
	if lacks_functions "$kernel"; then
		check "$kernel: both backends are tried" steps refused "$kernel" 1x2x2 refused
		holds "$kernel: scx is refused in plain words, auto takes shadow" refused_kernel
		continue
	fi
	check "$kernel: four ways to decide" steps decide "$kernel" 1x2x2 refuse accept collect shadow
	for run in refuse accept collect shadow; do
		holds "$kernel: $run: it takes over from the kernel's scheduler" takes_over $run
		holds "$kernel: $run: decisions are moves, failures and refusals" adds_up $run
		holds "$kernel: $run: the kernel's count of migrations agrees" kernel_agrees $run
		holds "$kernel: $run: it gives scheduling back" ends_cleanly $run
	done
	holds "$kernel: a model that always refuses causes no optional migration" refuses refuse
	holds "$kernel: a model that always accepts decides as the heuristic does" accepts accept
	holds "$kernel: collect asks no model" collects collect
	holds "$kernel: shadow asks the model and does not listen" shadows shadow

	check "$kernel: nobody names a backend" steps auto "$kernel" 1x2x2 auto
	holds "$kernel: auto takes scx, and lets no model decide that nobody named" auto_default auto_default
	holds "$kernel: one that was trained for our scheduler decides, of the service, the source tree, or installed" auto_trained auto
	holds "$kernel: a model that was named decides" auto_named auto_named
	holds "$kernel: when attaching fails, auto goes on in shadow and scx does not" auto_late auto_late
	holds "$kernel: a plain user is told what it needs" auto_plain auto_plain
	holds "$kernel: ejected under auto: status and reason as ever" sysrq auto_ejected

	check "$kernel: ends and obstacles" steps ends "$kernel" 1x2x2 forced second kill sysrq hotplug
	holds "$kernel: affinity is stronger than the model" forced forced
	holds "$kernel: a second scheduler is refused, auto takes shadow" refused_second
	holds "$kernel: EEVDF goes on after SIGKILL" killed killed
	holds "$kernel: SysRq-S ends it with a status of its own and the kernel's reason" sysrq sysrq
	holds "$kernel: it comes back when a CPU goes and when it returns" hotplug hotplug
done
finish
