#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: CPU-bound tasks in cgroups of different weights, all tied to one CPU,
# under the kernel's own scheduler and under ours.  guest_cgroups.sh SECONDS; prints for
# each case "SCHEDULER CASE NS...": what each group or task has run while all together ran
# for SECONDS.
# Lists of processes are meant to be split.
# shellcheck disable=SC2086
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh
seconds=$1
root=/sys/fs/cgroup
mountpoint -q $root || mount -t cgroup2 none $root || exit 1
echo +cpu >$root/cgroup.subtree_control || exit 1

# group PATH WEIGHT: makes a cgroup; each one's parent is told to hand the controller on.
group() {
	mkdir $root/"$1" || exit 1
	parent=$(dirname "$1")
	[ "$parent" = . ] || echo +cpu >$root/"$parent"/cgroup.subtree_control || exit 1
	echo "$2" >$root/"$1"/cpu.weight || exit 1
}

# hogs N PATH [COMMAND...]: so many spinning tasks in a cgroup ("." is the root).
hogs() {
	n=$1 path=$2
	shift 2
	while [ "$n" -gt 0 ]; do
		sh -c 'echo $$ >'$root/"$path"'/cgroup.procs && exec taskset 2 "$@"' hog "$@" sh -c 'while :; do :; done' &
		all="$all $!"
		n=$((n - 1))
	done
	last=$!
}

total() {
	sum=0
	for pid in "$@"; do sum=$((sum + $(ran "$pid"))); done
	echo $sum
}

# spin: until all the hogs together have run for SECONDS from now.
spin() {
	until=$(($(total $all) + seconds * 1000000000))
	until [ "$(total $all)" -ge $until ]; do sleep 0.1; done
}

# measure CASE "PID..." "PID...": what each of these sets runs while spin() does.
measure() {
	what=$1
	shift
	# Until the last one has come and the first figures are those of all.
	for pid in $all; do
		until [ "$(ran "$pid")" -gt 0 ]; do sleep 0.05; done
	done
	a0=$(total $1) b0=$(total $2)
	spin
	echo "$scheduler $what $(($(total $1) - a0)) $(($(total $2) - b0))"
}

begin_case() { all=; }
end_case() {
	kill $all
	wait $all 2>/dev/null
	for path in "$@"; do rmdir $root/"$path" || exit 1; done
}

cases() {
	begin_case
	group a 100
	group b 300
	hogs 1 a; a=$all
	hogs 1 b; b=$last
	measure pair "$a" "$b"
	hogs 2 b
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
	hogs 1 p/c; c=$all
	hogs 1 p/d; d=$last
	hogs 2 q
	q=${all#"$c" "$d"}
	measure nested "$c" "$d"
	measure outer "$c $d" "$q"
	kill "$d"
	wait "$d" 2>/dev/null
	all="$c $q"
	measure alone "$c" "$q"
	end_case p/c p/d p q

	# Beside a task of the root, and with different weights of tasks in a group.
	begin_case
	group e 100
	hogs 1 .; r=$all
	hogs 2 e
	measure root "$r" "${all#"$r"}"
	hogs 1 e nice -n 5
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
	hogs 1 a; a=$all
	hogs 1 b; b=$last
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
