#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: mlsched schedules and something goes wrong, once for each thing
# that the test on the host asks about.  guest_faults.sh STEP...; results in /out.
set -u

# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# Hundredths of a second.
now() { cut -d' ' -f1 /proc/uptime | tr -d .; }

# within CGROUP COMMAND...: instead of this process.
within() {
	echo 0 >"$1/cgroup.procs" || exit
	shift
	exec "$@"
}

# begin NAME [CGROUP]
begin() {
	start "$1" ${2:+within "$2"} mlsched run --json --backend scx --interval 1000 --model /accept
}

# scribble [BYTE...]: into both slots of the model, with bpftool: these, then whatever comes.
scribble() {
	ulimit -s unlimited # room for so many arguments
	size=$(bpftool -j map show name slots | sed 's/.*"bytes_value":\([0-9]*\).*/\1/')
	for slot in 00 01; do
		# shellcheck disable=SC2046
		bpftool map update name slots key hex $slot 00 00 00 \
			value hex "$@" $(od -An -v -tx1 -N$((size - $#)) /dev/urandom) || exit 1
	done
}

# lived: it goes on until it is told to end.
lived() {
	state >"/out/$name.still"
	end
}

# run NAME COMMAND...: one that must succeed, with what it prints.
run() {
	if ! "$@" >"/out/$name.load"; then
		echo "$name: $*: failed; sched_ext is $(state)" >&2
		exit 1
	fi
}

# fall_asleep: until an alarm wakes the machine.  If the alarm comes earlier the kernel gives
# up falling asleep, because we have told it how many such events we know of: nobody would
# wake it up.
fall_asleep() {
	read -r known </sys/power/wakeup_count
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	echo +10 >/sys/class/rtc/rtc0/wakealarm
	echo "$known" >/sys/power/wakeup_count && echo mem >/sys/power/state
}

# Ordinary work after the fault: nobody is left behind.
work() {
	mls-workload message -n 15 >"/out/$name.work" || exit 1
}

# load NAME: until the file /tmp/NAME.over is there, half of the CPUs busy: where instructions
# are counted, each of them takes the host its time.
load() {
	while [ ! -e "/tmp/$1.over" ]; do
		mls-workload message -g 1 -t 2 -n 40 >/dev/null || echo failed >>"/out/$1.lost"
	done
}

for step in "$@"; do
	case $step in
	stopped)
		begin stopped
		kill -STOP $job
		end_at=$(($(now) + 1000))
		rounds=0
		while [ "$(now)" -lt $end_at ]; do
			work
			rounds=$((rounds + 1))
			[ "$(state)" = enabled ] || break
			# Where instructions are counted, idle time costs the host little.
			sleep 1
		done
		cut -d' ' -f3 "/proc/$job/stat" >/out/stopped.process
		state >/out/stopped.meanwhile
		echo $rounds >/out/stopped.rounds
		kill -CONT $job
		mlsched stats --json >/out/stopped.stats
		echo $? >/out/stopped.stats.status
		lived
		;;
	affinity)
		begin affinity
		run misbehave affinity 200 100
		work
		lived
		;;
	cpusets)
		begin cpusets
		run misbehave cpusets 200 10
		work
		lived
		;;
	forks)
		begin forks
		run misbehave forks 8 625
		work
		lived
		;;
	killed)
		begin killed
		mls-workload message -n 100 >/out/killed.during &
		during=$!
		# In the middle of it.
		until mlsched stats --json | grep -q '"decisions":[1-9][0-9][0-9]'; do :; done
		kill -0 $during && kill -KILL $job || exit 1
		wait_for_state disabled
		ended
		wait $during || exit 1
		work
		;;
	realtime)
		begin realtime
		# What is under way when they come must end as well.
		mls-workload message -n 100 >/out/realtime.during &
		during=$!
		run misbehave realtime 1.5
		wait $during || exit 1
		work
		lived
		;;
	garbage)
		begin garbage
		mls-workload message -n 200 >/out/garbage.during 2>/dev/null &
		during=$!
		scribble 71 6e 65 74 # QNET_MAGIC
		wait $during || exit 1
		# Faster than bpftool can, and more of it.
		mls-workload message -n 100 >/out/garbage.during 2>/dev/null &
		during=$!
		rounds=0
		while kill -0 $during 2>/dev/null; do
			spoil garbage 20 || exit 1
			rounds=$((rounds + 1))
		done
		wait $during || exit 1
		echo $rounds >/out/garbage.rounds
		mlsched model status --json >/out/garbage.model
		mlsched stats --json >/out/garbage.before
		scribble
		work
		mlsched stats --json >/out/garbage.after
		lived
		;;
	hotplug)
		# As many as there are cores, of which one goes.
		start hotplug mlsched run --json --backend scx --interval 1000 --model /accept --domains 4
		load hotplug &
		loading=$!
		for value in 0 1; do
			replug 3 $value
			work
		done
		: >/tmp/hotplug.over
		wait $loading
		lived
		;;
	suspend)
		begin suspend
		load suspend &
		loading=$!
		for _ in 1 2; do
			before=$(enable_seq)
			# On a host that is slow enough the alarm comes before it sleeps.
			tries=0
			until fall_asleep; do
				tries=$((tries + 1))
				[ $tries -lt 10 ] || exit 1
			done
			# All CPUs but one went and came.
			attached_anew "$before"
			work
			cat /sys/power/suspend_stats/success >/out/suspend.times
		done
		: >/tmp/suspend.over
		wait $loading
		nproc >/out/suspend.cpus
		lived
		;;
	stall)
		begin stall
		spoil policy || exit 1
		spinners=
		for cpu in 0 1 2 3; do
			# Two for each CPU and one that all are preferred to.
			nice -n -20 misbehave spin 60 >/dev/null &
			spinners="$spinners $!"
			nice -n -20 misbehave spin 60 >/dev/null &
			spinners="$spinners $!"
			nice -n 19 taskset -c $cpu misbehave spin 60 >/dev/null &
			spinners="$spinners $!"
		done
		wait_for_state disabled
		# shellcheck disable=SC2086
		kill $spinners
		ended
		work
		;;
	memory)
		group=/sys/fs/cgroup/small
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control
		mkdir $group
		begin memory $group
		cat $group/memory.current >/out/memory.used
		# Less than it has: the kernel kills it.
		echo 65536 >$group/memory.max
		wait_for_state disabled
		ended
		cat $group/memory.events >/out/memory.events
		work
		;;
	esac
done
