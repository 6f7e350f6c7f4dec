#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The kernel types that bpf/ declares for itself are those of every kernel of the
# matrix, and the comparison notices when they are not.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "our declarations of kernel types against the kernels of the matrix"
[ -n "${MLSCHED_VM_KERNELS:-}" ] || mapfile -t kernels < <(scripts/vm/run --list)

case $O in /*) ;; *) O=$PWD/$O ;; esac
headers=(bpf/kernel_types.h bpf/scx_types.h)
objects=("$O/bpf/scheduler.bpf.o" "$O/bpf/recorder.bpf.o")

build_checker() {
	"$CC" -std=gnu11 -O1 -Wall -D_GNU_SOURCE -isystem "$O/libbpf/include" -o "$tap_tmp/check_types" \
		tests/vm/check_types.c "$O/libbpf/lib/libbpf.a" -lelf -lz
}

# Every struct and enum with a body in the headers, and the scheduler's operations.
declared() {
	sed -nE 's/^(struct|enum) ([a-z_0-9]+) \{$/\1 \2/p' "${headers[@]}"
	echo "struct sched_ext_ops"
}

# compare KERNEL [OBJECT...]
compare() {
	local kernel=$1
	shift
	awk -v k="$kernel" '!/^#/ && ($1 == "*" || $1 == k) { print $2 }' tests/vm/lacking.txt >"$tap_tmp/lacking"
	mapfile -t types < <(declared)
	"$tap_tmp/check_types" "$tap_tmp/$kernel/vmlinux" "$tap_tmp/lacking" "$@" -- "${types[@]}"
}

# doctored SED: the scheduler and the recorder built with a changed declaration.
doctored() {
	rm -rf "$tap_tmp/source" && mkdir "$tap_tmp/source" && cp -r bpf core src "$tap_tmp/source" || return 1
	sed -i -E "$1" "$tap_tmp/source/"bpf/{kernel_types,scx_types,scheduler}.h
	! diff -rq bpf "$tap_tmp/source/bpf" >/dev/null || return 1
	local name
	for name in scheduler recorder; do
		(cd "$tap_tmp/source" && clang-19 -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -w -I. \
			-isystem "$O/libbpf/include" -idirafter /usr/include/x86_64-linux-gnu -c \
			-o "$name.o" "bpf/$name.bpf.c") || return 1
	done
}

# notices SED WORDS: the comparison fails on a doctored declaration and names it.
notices() {
	doctored "$1" || return 1
	! compare "${kernels[0]}" "$tap_tmp/source/scheduler.o" "$tap_tmp/source/recorder.o" >"$tap_tmp/said" || return 1
	cat "$tap_tmp/said"
	grep -qF "$2" "$tap_tmp/said"
}

check "the checker builds" build_checker
for kernel in "${kernels[@]}"; do
	check "$kernel: its BTF is fetched" guest -k "$kernel" -o "$tap_tmp/$kernel" -- cp /sys/kernel/btf/vmlinux /out/
	check "$kernel: every type, field, value and function that we declare is as we declare it" \
		compare "$kernel" "${objects[@]}"
	sed 's/^/# /' "$tap_out"
done
check "a field with a wrong name is noticed" notices 's/u64 dsq_vtime;/u64 dsq_vtime, dsq_vtimo;/' "sched_ext_entity.dsq_vtimo: is not there"
check "a field of a wrong size is noticed" notices 's/u64 slice;/u32 slice;/' "sched_ext_entity.slice: is of another size"
check "a field of a wrong kind is noticed" notices 's/int pid;/int pid; void *prio;/' "task_struct.prio: is of another kind"
check "a value with a wrong name is noticed" \
	notices 's/SCX_WAKE_FORK = 4/SCX_WAKE_FORC = 4, SCX_WAKE_FORK = 4/' "scx_wake_flags.SCX_WAKE_FORC: is not there"
check "an operation with wrong arguments is noticed" \
	notices 's/void \(\*running\)\(struct task_struct \*p\)/void (*running)(struct task_struct *p, int n)/' \
	"sched_ext_ops.running: takes another number of arguments"
finish
