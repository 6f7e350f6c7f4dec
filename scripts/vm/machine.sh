# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# QEMU's command line: sourced by run.  Emulation only, never KVM: where /dev/kvm
# opens inside another virtual machine, a guest may hang.
#
# Reads $topology, $empty, $memory, $seed, $terminal, $append, $image and $vm_kernel_dir.
# QEMU's options are full of commas.
# shellcheck disable=SC2154,SC2054

# vm_topology NxLxC[xT]: nodes, last-level caches in each, cores in each, threads
# in each.  A socket is what shares a last-level cache; a node is a group of them.
# Sockets that are $empty are CPUs that are possible and not there.
vm_topology() {
	local n l c t node per most megabytes
	[[ $1 =~ ^([1-9][0-9]?)x([1-9][0-9]?)x([1-9][0-9]*)(x([1-9][0-9]?))?$ ]] ||
		die "topology $1: expected NODESxCACHESxCORES or NODESxCACHESxCORESxTHREADS, like 1x2x2"
	n=${BASH_REMATCH[1]} l=${BASH_REMATCH[2]} c=${BASH_REMATCH[3]} t=${BASH_REMATCH[5]:-1}
	per=$((l * c * t))
	most=$(((n * l + empty) * c * t))
	[ $most -le 255 ] || die "topology $1: $most CPUs, at most 255 can be emulated"
	vm_qemu+=(-smp "cpus=$((n * per)),maxcpus=$most,sockets=$((n * l + empty)),cores=$c,threads=$t" -m "${memory}M")
	[ "$n" -gt 1 ] || return 0
	[ "$empty" -eq 0 ] || die "--empty: expected one node, got $n"
	[ $((memory % n)) -eq 0 ] || die "memory of $memory MB does not divide by $n nodes"
	megabytes=$((memory / n))
	for ((node = 0; node < n; node++)); do
		vm_qemu+=(-object "memory-backend-ram,id=memory$node,size=${megabytes}M"
			-numa "node,nodeid=$node,memdev=memory$node,cpus=$((node * per))-$(((node + 1) * per - 1))")
	done
}

# vm_ports DIRECTORY: the command's output and the reply, each a file there.  No
# ioeventfd: the guest's CPU writes them itself, at a moment that is its own.
vm_ports() {
	local name
	vm_qemu+=(-device virtio-serial-pci,ioeventfd=off)
	for name in stdout stderr reply; do
		vm_qemu+=(-chardev "file,id=$name,path=$1/$name" -device "virtserialport,chardev=$name,name=$name")
	done
	[ "$terminal" = 0 ] || vm_qemu+=(-chardev stdio,id=terminal,signal=off -device virtconsole,chardev=terminal)
}

# vm_clock: who counts the time.
#
# Ordinary: the host's clock, one host thread for each guest CPU.
#
# Deterministic: instructions.  With one thread, a nanosecond an instruction, a
# clock that starts at a given time and random numbers from a seed, a run depends
# on its inputs alone: the same output, to the bit, whatever the host is doing.
# The filter has no network to filter: its timer is what makes QEMU go from one
# guest CPU to the next every 20 us of guest time instead of much later.
vm_clock() {
	if [ -z "$seed" ]; then
		vm_qemu+=(-accel tcg,thread=multi)
		return
	fi
	vm_qemu+=(-accel tcg,thread=single -icount shift=0,sleep=off,align=off -seed "$seed"
		-rtc base=2026-01-01T00:00:00,clock=vm
		-netdev hubport,hubid=0,id=net0 -object filter-buffer,id=switch,netdev=net0,interval=20)
}

# vm_machine DIRECTORY: completes the array vm_qemu.
vm_machine() {
	# A guest CPU may wait long for a host core: that is no stall and no lockup.
	local words="console=ttyS0 panic=-1 oops=panic tsc=reliable watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120"
	# The kernel would test its ciphers for two seconds of a CPU's time, beside whatever runs first.
	# And a tenth of all instructions of a boot would try out its random numbers from jitter.
	words+=" cryptomgr.notests initcall_blacklist=jent_mod_init"
	# Each CPU would measure how long a delay loop takes, and with 32 of them on two
	# host cores none succeeds: a boot took 89 s instead of 11.  Given instead, for the
	# HZ=250 of these kernels: up to 3 GHz, or the 1 GHz of counted instructions.
	if [ -z "$seed" ]; then words+=" lpj=12000000"; else words+=" lpj=4000000"; fi
	vm_qemu+=(-machine pc -cpu max -display none -monitor none -no-reboot -nodefaults -no-user-config
		-kernel "$vm_kernel_dir/$image" -initrd "$1/initramfs"
		-chardev "file,id=console,path=$1/console" -serial chardev:console)
	vm_clock
	vm_topology "$topology"
	vm_ports "$1"
	[ "$terminal" = 0 ] || words+=" vm.terminal=$(stty size | tr ' ' x) vm.term=${TERM:-linux}"
	vm_qemu+=(-append "$words $append")
}
