#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Machines of other shapes than the usual 4 CPUs with 2 caches: one cache, nodes, many
# caches.  It takes over, sees the domains that are there, and schedules a load on all of
# the machine.  One has empty sockets and could have 72 CPUs, so that sets of CPUs are two words
# there; `make vm-test-large` runs this with as many.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
read -ra topologies <<<"${MLSCHED_VM_TOPOLOGIES:-1x1x4 1x2x4+16 2x1x4 1x4x4}"
skip_without_qemu "scheduling on machines of several shapes"

check "helpers build" build_helper constant_model
check "a model that always accepts is written" "$tap_tmp/constant_model" 5 "$tap_tmp/accept"

for kernel in "${kernels[@]}"; do
	! lacks_functions "$kernel" || continue
	for machine in "${topologies[@]}"; do
		topology=${machine%+*}
		out=$tap_tmp/$kernel-$machine
		# By instructions: with more CPUs than the host has cores, each of them would
		# wait for one for so long that it says something of the host alone.  But QEMU
		# takes CPUs in turn then, idle ones too: 64 had not come far after eight minutes.
		clock=(-d "$seed") bursts=2
		[ $((${topology//x/*})) -le 16 ] || clock=(-m 2048) bursts=1
		[ "$topology" = "$machine" ] || clock+=(--empty "${machine#*+}")
		check "$kernel, $machine: it takes over, and the kernel's log is clean" \
			guest "${clock[@]}" -k "$kernel" -t "$topology" -o "$out" -p "$MLSCHED" -p "$O/vm/mls-workload" \
			-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_topology.sh -f "$tap_tmp/accept=/accept" -- guest_topology.sh $bursts
		holds() {
			check "$kernel, $machine: $1" python3 tests/vm/check_topology.py "$2" "$out" "$machine"
			sed 's/^/# /' "$tap_out"
		}
		holds "CPUs, caches, nodes and domains are seen" seen
		holds "the load is done, and each CPU takes part" schedules
		holds "counters sum up, and moves go as far as the machine does" counts
	done
done
finish
