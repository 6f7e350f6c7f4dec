#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: cgroups that have all CPUs to themselves.  guest_cgroups_smp.sh STEP...;
# results in /out.
#
# mixed=SECONDS=A-B    A CPU-bound tasks of a group of weight 100 and B of one of 300, which
#                      begin spread over all CPUs, under the kernel's own scheduler and
#                      under ours: what each group has run while all ran for SECONDS
# apart=SECONDS=A-B    the same of groups that begin on one half of the CPUs each
# loads                the same loads in the root cgroup and in a group, under ours
# Lists of processes are meant to be split.
# shellcheck disable=SC2086,SC2034
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh
# shellcheck source=tests/vm/guest_hogs.sh
. /guest_hogs.sh

# spread N PATH FIRST N_CPUS: so many hogs, tied in turn to each of the CPUs from FIRST on.
spread() {
	number=0
	while [ $number -lt "$1" ]; do
		hogs 1 "$2" taskset -c $(($3 + number % $4))
		number=$((number + 1))
	done
}

# tied: until every hog is, or it might be tied only after it has been let go.
tied() {
	for pid in $all; do
		while grep -q '^Cpus_allowed_list:.*[-,]' "/proc/$pid/status"; do sleep 0.05; done
	done
}

# against CASE A B: they begin as the case says, and may then go where they like.
against() {
	cpus=$(nproc)
	begin_case
	group a 100
	group b 300
	case $1 in
	mixed)
		spread "$2" a 0 $cpus; a=$all
		spread "$3" b 0 $cpus
		;;
	apart)
		spread "$2" a 0 $((cpus / 2)); a=$all
		spread "$3" b $((cpus / 2)) $((cpus / 2))
		;;
	esac
	b=${all#"$a"}
	tied
	come
	for pid in $all; do taskset -p "$(printf %x $(((1 << cpus) - 1)))" "$pid" >/dev/null || exit 1; done
	# Once for the scheduler to level what it levels, once to be judged.
	spin
	measure "$1.$2-$3" "$a" "$b" >>/out/shares
	end_case a b
}

within() {	# CGROUP COMMAND...
	cgroup=$root/$1
	shift
	sh -c 'echo $$ >"$0"/cgroup.procs && exec "$@"' "$cgroup" "$@"
}

# Both in turn, so that whatever changes while the guest runs changes for both.
loads() {
	group alone 100
	for number in 1 2; do
		for load in "make -n 1" "message -n 100"; do
			mls-workload $load -S $number >>/out/loads.root || exit 1
			within alone mls-workload $load -S $number >>/out/loads.group || exit 1
		done
	done
	rmdir $root/alone || exit 1
}

shares() {
	for step in "$@"; do
		numbers=${step##*=} seconds=${step%=*} seconds=${seconds#*=}
		case $step in
		mixed=* | apart=*) against "${step%%=*}" "${numbers%-*}" "${numbers#*-}" ;;
		esac
	done
}

scheduler=kernel
shares "$@"
start run mlsched run --backend scx --mode collect --json
scheduler=ours
shares "$@"
for step in "$@"; do
	case $step in
	loads) loads ;;
	esac
done
still=$(state)
end
[ "$(cat /out/run.status)" = 0 ] && [ "$still" = enabled ]
