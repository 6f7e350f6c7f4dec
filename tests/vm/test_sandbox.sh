#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The sandbox on the kernels of the matrix, as root: what it forbids is forbidden,
# and the scheduler can still be loaded anew with what is left.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "the sandbox on the kernels of the matrix"

check "helpers build" build_helper constant_model
check "a model is written" "$tap_tmp/constant_model" -5 "$tap_tmp/refuse"

# What the client needs to read a Keras file in the guest, too.
hdf5=$(PATH=$PATH:/sbin ldconfig -p | sed -n 's/^.*libhdf5\(_serial\)\{0,1\}\.so\.[0-9]* .* => //p' | head -n 1)
libraries=()
for library in $hdf5 $([ -z "$hdf5" ] || ldd "$hdf5" | grep -oE '/[^ ]+'); do libraries+=(-f "$library=$library"); done

sandbox() {
	guest -k "$1" -o "$out" -p "$MLSCHED" -p "$O/tests/unit/test_sandbox" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_sandbox.sh \
		-p "$(command -v setpriv)=privs" -f "$tap_tmp/refuse=/models/refuse" \
		-f tests/golden/keras/models/tf221-keras3-h5/model.h5=/elsewhere/keras.h5 "${libraries[@]}" -- \
		"UNIT_CAPABILITIES='$(sed -n 's/^CapabilityBoundingSet=//p' packaging/mlsched.service.in)' guest_sandbox.sh"
}
all_attempts() {
	cat "$out/attempts"
	# Where this machine has no libhdf5 the guest has none.
	[ "$(cat "$out/attempts.status")" = 0 ] &&
		! grep '^not ok' "$out/attempts" | grep -qv 'a_starter_reads_keras_files_in_the_sandbox # SKIP' &&
		[ "$(grep -c '^ok' "$out/attempts")" -ge 7 ]
}
unit_suffices() {
	cat "$out/unit"
	[ "$(cat "$out/unit.status")" = 0 ] && grep -q 'the kernel.s own scheduler goes on' "$out/unit"
}
line() { sed -n "s/^$2:[[:space:]]*//p" "$out/$1.process"; }
privileges() {	# run capabilities seccomp
	cat "$out/$1.process" "$out/$1.stderr"
	[ "$(cat "$out/$1.status")" = 0 ] || return 1
	[ "$(line "$1" CapInh) $(line "$1" CapAmb)" = "0000000000000000 0000000000000000" ] || return 1
	[ "$(line "$1" CapBnd)" = 0000000000000000 ] || return 1
	[ "$(line "$1" CapPrm) $(line "$1" CapEff)" = "$2 $2" ] || return 1
	[ "$(line "$1" NoNewPrivs) $(line "$1" Seccomp)" = "1 2" ]
}
unguarded() {
	cat "$out/none.process"
	[ "$(line none NoNewPrivs) $(line none Seccomp)" = "0 0" ] && [ "$(line none CapPrm)" != 0000000000000000 ]
}
reloads() {
	cat "$out/reload.stderr" "$out/reload.process"
	[ "$(cat "$out/reload.status")" = 0 ] && [ "$(line reload NoNewPrivs) $(line reload Seccomp)" = "1 2" ] &&
		grep -q '3 CPUs online' "$out/reload.stderr" && grep -q '4 CPUs online' "$out/reload.stderr" &&
		grep -q '"restarts": *2' "$out/reload"
}
takes_keras() {
	cat "$out/keras.swap" "$out/keras.after" "$out/keras.stderr" "$out/keras.process"
	[ "$(tail -n 1 "$out/keras.swap") $(tail -n 1 "$out/keras.after") $(cat "$out/keras.status")" = "0 0 0" ] &&
		grep -q '^outcome *activated' "$out/keras.swap" && grep -q '^slot [01] */elsewhere/keras.h5: active, seed10' "$out/keras.after" &&
		[ "$(line keras CapEff) $(line keras NoNewPrivs) $(line keras Seccomp)" = "000000c000000000 1 2" ]
}
says() { grep '^sandbox: ' "$out/scx.stderr" | tee /dev/stderr | grep -q "^sandbox: capabilities: bpf, perfmon; system calls: filtered; files: Landlock [1-9]"; }
# Of the attempts, which are to die; the daemon made no call that kills.
deaths() {
	cat "$out/audit"
	grep -q 'comm="test_sandbox".*sig=31' "$out/audit" && ! grep -q 'comm="mlsched"' "$out/audit"
}

for kernel in "${kernels[@]}"; do
	! lacks_functions "$kernel" || continue
	out=$tap_tmp/$kernel
	check "$kernel: a guest tries the sandbox" sandbox "$kernel"
	check "$kernel: what root may not do any more it cannot do, what it needs it can" all_attempts
	check "$kernel: shadow keeps no capability" privileges shadow 0000000000000000
	# CAP_PERFMON is 38, CAP_BPF 39.
	check "$kernel: scx keeps CAP_BPF and CAP_PERFMON" privileges scx 000000c000000000
	check "$kernel: -v says what is in force" says
	check "$kernel: it starts with the capabilities that the systemd unit leaves it" unit_suffices
	if [ -n "$hdf5" ]; then
		check "$kernel: a Keras model from elsewhere is sent into the sandbox and decides, and nothing dies" takes_keras
	else
		skip "$kernel: a Keras model is sent into the sandbox" "needs libhdf5"
	fi
	check "$kernel: --no-sandbox keeps everything" unguarded
	check "$kernel: with that the scheduler is loaded anew when a CPU goes and comes" reloads
	check "$kernel: the kernel's log names who was killed, and that is not the daemon" deaths
done
finish
