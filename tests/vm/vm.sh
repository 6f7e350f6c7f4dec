# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the tests in virtual machines share: source it after tests/lib/tap.sh.
#   $kernels              the kernels to test (MLSCHED_VM_KERNELS: versions, or "all")
#   $seed                 of guests in deterministic mode (MLSCHED_VM_SEED, 1): another one shows
#                         by how much what is measured there may differ
#   guest OPTION... -- COMMAND    runs a command in a guest; see scripts/vm/run --help
#   build_helper NAME...  builds tests/live/NAME.c into $tap_tmp
#   lacks_functions KERNEL  whether --backend scx is refused on it (tests/vm/lacking.txt)
#   skip_without_qemu WHAT  ends the test, skipping WHAT, where no guest can be had
# shellcheck disable=SC2034,SC2154

O=${O:-build}
CC=${CC:-$(command -v clang-19 || echo gcc)}
case ${MLSCHED_VM_KERNELS:-} in
'') kernels=(6.18.15 6.16.12) ;;
all) mapfile -t kernels < <(scripts/vm/run --list) ;;
*) read -ra kernels <<<"$MLSCHED_VM_KERNELS" ;;
esac

seed=${MLSCHED_VM_SEED:-1}

# To where the test's results go, also from inside of check.
exec 3>&1

# On a busy machine everything takes longer, several times as long where time is counted:
# only what hangs may reach the limit.
#
# A host that is too busy stops a guest's CPUs for many seconds.  The guest's kernel has to take
# that for a stall of the scheduler, which it takes out, and what else came of that run says no
# more about us: it is done again, twice at most, and said.  Not where time goes by instructions,
# there a stall is a stall; and not with $stall_is_meant.  Nor does it say anything of us if QEMU's
# firmware, which runs before the kernel when a machine wakes up, loses its way.
guest() {
	local word before='' log messages out='' exact='' tries=1 status
	# Of its own: another guest may run beside.
	log=$(mktemp "$tap_tmp/.console.XXXXXX") messages=$(mktemp "$tap_tmp/.messages.XXXXXX")
	for word in "$@"; do
		[ "$word" != -- ] || break
		case $before in
		-l) log=$word ;;
		-o) out=$word ;;
		-d) exact=1 ;;
		esac
		before=$word
	done
	while :; do
		scripts/vm/run --limit 1800 -l "$log" "$@" 2>"$messages"
		status=$?
		cat "$messages" >&2
		[ $status -eq 0 ] || [ ! -d "$out" ] || tail -n 3 "$messages" >"$out/failed"
		if [ $tries -eq 3 ]; then
			return $status
		elif [ $status -eq 124 ] && is_asleep "$log"; then
			echo "# the machine fell asleep, and its firmware never gave it back to the kernel: once more" >&3
		elif [ -z "$exact${stall_is_meant:-}" ] && grep -qa 'sched_ext: .* disabled (runnable task stall)' "$log"; then
			echo "# the host is so busy that the guest's kernel saw a stall: once more" >&3
		else
			return $status
		fi
		tries=$((tries + 1))
		[ -z "$out" ] || rm -rf "$out"
	done
}

# is_asleep LOG: does it end with all CPUs but one away, and nothing after that but that the scheduler
# has gone with them?  The kernel says so with no_console_suspend.
is_asleep() {
	awk '/Brought up .* node/ { for (i = 2; i <= NF; i++) if ($i ~ /^CPU/) cpus = $(i - 1) }
		/Preparing to enter system sleep state S3/ { asleep = 1; away = 0; next }
		/CPU [0-9]+ is now offline/ { away++; next }
		away && !/sched_ext: BPF scheduler "mlsched" disabled \(unregistered from the main kernel\)/ { asleep = 0 }
		END { exit !(asleep && cpus && away == cpus - 1) }' "$1"
}

lacks_functions() { grep -q "^$1 scx_bpf_" tests/vm/lacking.txt; }

build_helper() {
	local name libs
	read -ra libs <<<"$(pkg-config --libs jansson libprotobuf-c)"
	for name in "$@"; do
		"$CC" -std=gnu11 -O2 -Wall -pthread -D_GNU_SOURCE -Iinclude -I. -I"$O/gen" -isystem "$O/libbpf/include" \
			-o "$tap_tmp/$name" "tests/live/$name.c" \
			"$O/libmlsched.a" "$O/libbpf/lib/libbpf.a" "${libs[@]}" -lelf -lz -lm || return 1
	done
}

skip_without_qemu() {
	local program why=
	for program in qemu-system-x86_64 busybox cpio dpkg-deb; do
		command -v "$program" >/dev/null || why="needs $program: make vm-test installs it"
	done
	[ "$(uname -m)" = x86_64 ] || why="the guest's kernels are for x86-64"
	[ -n "$why" ] || return 0
	skip "$1" "$why"
	finish
}
