# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# CPU-bound tasks in cgroups of different weights, and what each has run: for scripts in a
# guest, which source it after guest_common.sh (-f tests/vm/guest_hogs.sh=/guest_hogs.sh) and
# have tests/live/misbehave.c's program there.
#
# The caller sets $seconds: for how long spin() lets all hogs together run; and $scheduler:
# whose name measure() puts before its figures.
# Lists of processes are meant to be split.
# shellcheck disable=SC2034,SC2086,SC2154

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

# hogs N PATH [COMMAND...]: so many spinning tasks in a cgroup ("." is the root), each begun
# by COMMAND.  They are added to $all; $last is the last one.
hogs() {
	n=$1 path=$2
	shift 2
	while [ "$n" -gt 0 ]; do
		sh -c 'echo $$ >'$root/"$path"'/cgroup.procs && exec "$@"' hog "$@" misbehave hog &
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

# spin: until all the hogs together have run for $seconds from now.
spin() {
	until=$(($(total $all) + seconds * 1000000000))
	until [ "$(total $all)" -ge $until ]; do sleep 0.5; done
}

# come: until every hog has run.
come() {
	for pid in $all; do
		until [ "$(ran "$pid")" -gt 0 ]; do sleep 0.05; done
	done
}

# measure CASE "PID..." "PID...": what each of these sets runs while spin() does.
measure() {
	what=$1
	shift
	come
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
