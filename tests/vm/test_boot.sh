#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Guests boot, have sched_ext, and hand back what scripts/vm/run promises.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh

# Without a guest: what is wrong is said before anything is booted.
bad_use() {
	local expected=$1 status
	shift
	MLSCHED_CACHE=$tap_tmp/cache scripts/vm/run "$@" >"$tap_tmp/out" 2>&1
	status=$?
	cat "$tap_tmp/out"
	[ "$status" -eq 125 ] && grep -qF -- "$expected" "$tap_tmp/out"
}
check "a kernel that is not pinned is refused" bad_use "kernel 6.12.1: expected one of 6.16.12" -k 6.12.1 -- true
check "an unknown option is refused" bad_use "unknown option --nonsense" --nonsense -- true
check "a missing command is refused" bad_use "no command" -k 6.18.15
check "a limit that is no number is refused" bad_use '--limit: expected a whole number, got "soon"' --limit soon -- true
check "an instruction of 3 ns is refused" bad_use '--instruction: expected 1, 2, 4 or 8, got "3"' -d 1 --instruction 3 -- true
check "time for an instruction where none is counted is refused" bad_use '--instruction: goes with' --instruction 2 -- true
check "a file without its place in the guest is refused" bad_use 'expected FILE=/PATH, got "README.md"' -f README.md -- true

skip_without_qemu "guests boot and have sched_ext"

damaged_kernel() {
	local from=${MLSCHED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mlsched}/vm/kernel-6.18.15 packages
	packages=$(. scripts/vm/versions.sh; vm_packages_of "$vm_kernel_table" 6.18.15)
	cp -r "$from" "$tap_tmp/kernel" || return 1
	(. scripts/vm/fetch.sh; vm_is_whole "$tap_tmp/kernel" "$packages") || return 1
	printf x | dd of="$tap_tmp/kernel/vmlinuz" bs=1 seek=5000000 conv=notrunc status=none
	! (. scripts/vm/fetch.sh; vm_is_whole "$tap_tmp/kernel" "$packages")
}
check "the default kernel and QEMU are in the cache" scripts/vm/run --prepare
check "a kernel with one byte changed is not used" damaged_kernel
check "a topology that makes no sense is refused" \
	bash -c 'scripts/vm/run -t 2x0x4 -- true; [ $? -eq 125 ]'
check "memory that does not divide by the nodes is refused" \
	bash -c 'scripts/vm/run -t 2x1x1 -m 1025 -- true; [ $? -eq 125 ]'

# Everything that one guest can show, on each kernel.
cat >"$tap_tmp/show" <<'END'
#!/bin/sh
uname -r
cat /sys/kernel/sched_ext/state /sys/kernel/sched_ext/enable_seq /proc/sys/kernel/panic_on_rcu_stall
nproc
for cpu in 0 2 4 7; do cat /sys/devices/system/cpu/cpu$cpu/cache/index3/shared_cpu_list; done
cat /sys/devices/system/node/node[0-9]*/cpulist
test -s /sys/kernel/btf/vmlinux && echo btf
test -d /sys/kernel/tracing/events/sched/sched_migrate_task && echo tracefs
touch /sys/fs/bpf 2>/dev/null && mkdir /sys/fs/bpf/there && echo bpffs
echo "arguments: $#: $1"
echo complaint >&2
mkdir -p /out/deep && cat /input/a/file >/out/deep/file
exit 7
END
chmod 755 "$tap_tmp/show"
mkdir -p "$tap_tmp/input/a"
head -c 300000 /dev/urandom >"$tap_tmp/input/a/file"
for kernel in "${kernels[@]}"; do
	out=$tap_tmp/out-$kernel
	guest -k "$kernel" -t 2x2x2 -p "$tap_tmp/show" -f "$tap_tmp/input=/input" -o "$out" -l "$out.log" -- \
		show "it's 1 argument" >"$out.stdout" 2>"$out.stderr"
	same "$kernel: the command's status comes back" 7 $?
	same "$kernel: sched_ext is there, topology, BTF, tracefs, bpffs, arguments are as asked for" \
		"$kernel+deb13-cloud-amd64 disabled 0 1 8 0-1 2-3 4-5 6-7 0-3 4-7 btf tracefs bpffs arguments: 1: it's 1 argument" \
		"$(paste -sd' ' "$out.stdout")"
	same "$kernel: standard error comes back on standard error" complaint "$(cat "$out.stderr")"
	check "$kernel: files go in and come back unchanged" cmp "$tap_tmp/input/a/file" "$out/deep/file"
	check "$kernel: the kernel's log is kept" grep -q "Linux version $kernel" "$out.log"
done

# What can go wrong, on the first of them.
kernel=${kernels[0]}
guest -k "$kernel" -t 1x1x1 -- 'echo "<4>WARNING: made by the test" >/dev/kmsg' >"$tap_tmp/out" 2>&1
same "a warning in the kernel's log fails a command that succeeded" 123 $?
check "the warning is shown" grep -q 'WARNING: made by the test' "$tap_tmp/out"
guest -k "$kernel" -t 1x1x1 -l "$tap_tmp/log" -- 'echo before; echo c >/proc/sysrq-trigger' >"$tap_tmp/out" 2>&1
same "a guest that panics is told from a command that fails" 126 $?
check "what it printed before is there" grep -qx before "$tap_tmp/out"
check "the panic is shown" grep -q 'Kernel panic.*sysrq triggered crash' "$tap_tmp/out"
guest -k "$kernel" -t 1x1x1 --append rdinit=/missing -- true >"$tap_tmp/out" 2>&1
same "a guest that dies before it has said anything is a dead guest" 126 $?
same "but it was given a second chance, and no third" 1 "$(grep -c 'once more' "$tap_tmp/out")"
guest -k "$kernel" -t 1x1x1 -- 'echo before; echo "Oops: int3: made by the test" >/dev/kmsg; echo c >/proc/sysrq-trigger' \
	>"$tap_tmp/out" 2>&1
same "a guest that dies of stale code, QEMU's fault, is a dead guest in the end" 126 $?
same "after three tries" "3 2" "$(grep -c '^before' "$tap_tmp/out") $(grep -c 'stale code.*once more' "$tap_tmp/out")"
stall='echo run; echo "sched_ext: BPF scheduler \"x\" disabled (runnable task stall)" >/dev/kmsg'
same "a stall, which may be the host's, is tried three times" 3 "$(guest -k "$kernel" -t 1x1x1 -- "$stall" 3>/dev/null | grep -c '^run')"
same "one that is meant once" 1 "$(stall_is_meant=1 guest -k "$kernel" -t 1x1x1 -- "$stall" | grep -c '^run')"
same "one in counted time once" 1 "$(guest -d 1 -k "$kernel" -t 1x1x1 -- "$stall" | grep -c '^run')"
ended() {	# a harness that is told to end takes its QEMU along
	local pid initramfs status i
	# Not what is left of another one, before this one has begun to write.
	: >"$tap_tmp/ended.out"
	scripts/vm/run -v -k "$kernel" -t 1x1x1 -- 'echo up; sleep 1000' >"$tap_tmp/ended.out" 2>"$tap_tmp/ended.err" &
	pid=$!
	for ((i = 0; i < 1000; i++)); do
		grep -q up "$tap_tmp/ended.out" && break
		kill -0 "$pid" || break
		sleep 0.3
	done
	initramfs=$(grep -oE '/[^ ]*/initramfs' "$tap_tmp/ended.err")
	[ -n "$initramfs" ] && pgrep -f "$initramfs" >/dev/null || return 1
	kill -TERM "$pid"
	wait "$pid"
	status=$?
	[ "$status" -eq 143 ] && ! pgrep -f "$initramfs" && [ ! -e "$initramfs" ]
}
check "a harness that is told to end takes its QEMU along" ended
scripts/vm/run -k "$kernel" -t 1x1x1 --limit 1 -- true >"$tap_tmp/out" 2>&1
same "the limit ends a guest" 124 $?
finish
