#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Something goes wrong while mlsched schedules: it goes on, or the kernel's own
# scheduler does, no task is lost, and the kernel has nothing to complain about.
#
# What is not here: SysRq, a second scheduler in test_scx.sh, a full ring
# buffer in test_engines.sh, what a model may do in tests/vm/soak.sh.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "faults on the kernels of the matrix"

check "helpers build" build_helper constant_model misbehave spoil
check "a model that always accepts is written" "$tap_tmp/constant_model" 5 "$tap_tmp/accept"

# Ubuntu's is a script that looks for the running kernel's.
bpftool=
for program in "${BPFTOOL:-}" "$(command -v bpftool)" /usr/sbin/bpftool /usr/lib/linux-tools*/*/bpftool; do
	[ "$(head -c 4 "$program" 2>/dev/null)" != $'\177ELF' ] || { bpftool=$program; break; }
done
check "there is a bpftool for the guest" [ -n "$bpftool" ] || finish

# steps NAME KERNEL OPTION... -- STEP...: leaves the results in $out.
steps() {
	out=$tap_tmp/$1-$2
	local options=(-k "$2")
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	guest "${options[@]}" -t 1x2x2 -o "$out" -l "$out.log" -p "$MLSCHED" -p "$O/vm/mls-workload" \
		-p "$tap_tmp/misbehave" -p "$tap_tmp/spoil" -p nice -p "$bpftool" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_faults.sh \
		-f "$tap_tmp/accept=/accept" -- guest_faults.sh "$@"
}

# holds NAME CHECK: a check of check_faults.py, with what it says.
holds() {
	check "$1" python3 tests/vm/check_faults.py "$2" "$out"
	sed 's/^/# /' "$tap_out"
}

for kernel in "${kernels[@]}"; do
	! lacks_functions "$kernel" || continue

	# By instructions: a host that is busy enough stops the guest's CPUs for so long that its
	# kernel takes a scheduler out for that, and that says nothing of us.  Much of it is waiting,
	# which slow instructions make cheap.
	check "$kernel: faults that it survives; the kernel's log is clean" \
		steps survives "$kernel" -d "$seed" --instruction 2 -- stopped affinity realtime garbage hotplug
	holds "$kernel: the daemon stopped for 10 s: work goes on, and so does it" stopped
	holds "$kernel: 200 tasks that change their affinity all the time" affinity
	holds "$kernel: real-time tasks on all CPUs: what waited goes on afterwards" realtime
	holds "$kernel: garbage instead of a model, with and without its magic number" garbage
	holds "$kernel: a CPU goes and comes back under load" hotplug

	# Not by instructions: then nothing wakes it.  Of a kernel that hangs its own watchdogs tell before the limit.
	check "$kernel: the machine sleeps (ACPI S3); the kernel's log is clean" \
		steps sleeps "$kernel" --packed --limit 420 -a no_console_suspend -- suspend
	holds "$kernel: asleep twice under load: it goes on with the CPUs that wake up" suspend

	check "$kernel: crowds; the kernel's log is clean" steps crowds "$kernel" -d "$seed" -- cpusets forks killed
	holds "$kernel: 200 tasks whose cpusets change, and who change their cpuset" cpusets
	holds "$kernel: 5,000 tasks: all end, and it goes on" forks
	holds "$kernel: SIGKILL under load: EEVDF goes on with all that it had" killed

	# Who is killed for memory is killed with a call trace.
	stall_is_meant=1 check "$kernel: faults that end it; the kernel's log is clean" \
		steps ends "$kernel" --allow 'Call Trace:' -- stall memory
	holds "$kernel: a stall: the kernel ejects it, status and reason say so, EEVDF goes on" stall
	holds "$kernel: out of memory: killed, EEVDF goes on" memory
	holds "$kernel: the kernel's log has no trace but the memory killer's" killer_only
done
finish
