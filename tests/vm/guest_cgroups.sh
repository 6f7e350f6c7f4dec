#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: CPU-bound tasks in cgroups of different weights, all tied to one CPU,
# under the kernel's own scheduler and under ours.  guest_cgroups.sh SECONDS; prints for
# each case "SCHEDULER CASE NS...": what each group or task has run while all together ran
# for SECONDS.
# Lists of processes are meant to be split.
# shellcheck disable=SC2086,SC2034
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh
# shellcheck source=tests/vm/guest_hogs.sh
. /guest_hogs.sh
seconds=$1

# tied N PATH [COMMAND...]: hogs() on one CPU.
tied() {
	n=$1 path=$2
	shift 2
	hogs "$n" "$path" taskset 2 "$@"
}

cases() {
	begin_case
	group a 100
	group b 300
	tied 1 a; a=$all
	tied 1 b; b=$last
	measure pair "$a" "$b"
	tied 2 b
	b=${all#"$a"}
	measure crowd "$a" "$b"
	echo 100 >$root/b/cpu.weight
	measure changed "$a" "$b"
	for pid in $b; do
		[ "$pid" = "$last" ] || echo "$pid" >$root/a/cgroup.procs
	done
	a=${all%"$last"}
	measure moved "$a" "$last"
	end_case a b

	# c has a third of what is in p, and p half of all.
	begin_case
	group p 100
	group p/c 100
	group p/d 200
	group q 100
	tied 1 p/c; c=$all
	tied 1 p/d; d=$last
	tied 2 q
	q=${all#"$c" "$d"}
	measure nested "$c" "$d"
	measure outer "$c $d" "$q"
	kill "$d"
	wait "$d" 2>/dev/null
	all="$c $q"
	measure alone "$c" "$q"
	end_case p/c p/d p q

	# Further in than we follow: the outermost group has its weight all the same.
	begin_case
	group f 100
	inner=h outwards=h
	group h 300
	while [ ${#inner} -lt 39 ]; do
		inner=$inner/i
		outwards="$inner $outwards"
		group "$inner" 100
	done
	tied 1 f; f=$all
	tied 1 "$inner"
	measure deep "$f" "$last"
	end_case f $outwards

	# Beside a task of the root, and with different weights of tasks in a group.
	begin_case
	group e 100
	tied 1 .; r=$all
	tied 2 e
	measure root "$r" "${all#"$r"}"
	tied 1 e nice -n 5
	measure inside "${all#"$r"}" "$r"
	end_case e
}

# churn HOG: tasks begin, move and end in a and b, and one that runs moves to and fro.
churn() {
	i=0
	while [ $i -lt 30 ]; do
		brief=
		for path in a b; do
			sh -c 'echo $$ >'$root/$path'/cgroup.procs && echo $$ >'$root'/b/cgroup.procs' &
			brief="$brief $!"
		done
		echo "$1" >$root/b/cgroup.procs
		echo 200 >$root/b/cpu.weight
		echo "$1" >$root/a/cgroup.procs
		echo 300 >$root/b/cpu.weight
		wait $brief
		i=$((i + 1))
	done
}

counts() {
	begin_case
	group a 100
	group b 300
	tied 1 a; a=$all
	tied 1 b; b=$last
	churn "$a"
	measure churned "$a" "$b"
	if [ $scheduler = ours ]; then
		# The scheduler is attached anew under tasks that run.
		replug 2 0
		replug 2 1
		measure replugged "$a" "$b"
	fi
	end_case a b
}

scheduler=kernel
cases
counts

start run mlsched run --backend scx --mode collect --json
scheduler=ours
cases
counts
mlsched stats --json >/out/stats || exit 1
still=$(state)
end
[ "$(cat /out/run.status)" = 0 ] && [ "$still" = enabled ]
