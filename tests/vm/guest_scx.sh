#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: mlsched takes over scheduling, once for each thing that the
# test on the host asks about.  guest_scx.sh STEP...; results in /out.
set -u
read -r id </sys/kernel/tracing/events/sched/sched_migrate_task/id

state() { cat /sys/kernel/sched_ext/state; }

# Runs mlsched in the background and waits until it has taken over: begin NAME OPTION...
begin() {
	name=$1
	shift
	mkfifo "/tmp/$name"
	# The kernel's own counts stand around ours.
	count_events "/out/$name.outer" "$id" mlsched run --json --backend scx --interval 1000 "$@" \
		>"/tmp/$name" 2>"/out/$name.stderr" &
	job=$!
	exec 3<"/tmp/$name"
	if ! read -r first <&3; then
		cat "/out/$name.stderr" >&2
		exit 1
	fi
	{ echo "$first"; cat <&3; } >"/out/$name" &
	reader=$!
	exec 3<&-
	cat /sys/kernel/sched_ext/root/ops >"/out/$name.ops"
}

# Ends it and keeps its status.
end() {
	[ -z "${1:-}" ] || kill -INT $job
	wait $job
	echo $? >"/out/$name.status"
	wait $reader
	state >"/out/$name.state"
}

# Work with more threads than CPUs that sleep, wake, fork and pass messages.
work() {
	switcher 3 6 0 >/dev/null &
	a=$!
	i=0
	while [ $i -lt 60 ]; do
		i=$((i + 1))
		head -c 3000000 /dev/zero | md5sum >/dev/null &
		[ $((i % 6)) -ne 0 ] || wait $!
	done
	wait $a
}

# as_json OPTION...: a run with work in it.
with_work() {
	begin "$@"
	count_events "/out/$name.inner" "$id" sh /bin/guest_scx.sh work || exit
	end stop
}

wait_for_state() {
	until [ "$(state)" = "$1" ]; do sleep 0.1; done
}

for step in "$@"; do
	case $step in
	work) work ;;
	refuse) with_work refuse --model /refuse ;;
	accept) with_work accept --model /accept ;;
	collect) with_work collect --mode collect --model /nonexistent ;;
	shadow) with_work shadow --mode shadow --model /refuse ;;
	forced)
		begin forced --model /refuse
		switcher 1 4 600 >/out/known || exit
		end stop
		;;
	second)
		begin first --model /refuse
		mlsched run --backend scx --model /refuse >/out/second 2>&1
		echo $? >/out/second.status
		mlsched run --backend auto --model /refuse --duration 0.2 --json >/out/auto 2>&1
		echo $? >/out/auto.status
		state >/out/second.state
		end stop
		;;
	refused)
		mlsched run --backend scx --model /refuse --duration 1 >/out/scx 2>&1
		echo $? >/out/scx.status
		mlsched run --backend auto --model /refuse --duration 0.2 --json >/out/auto 2>&1
		echo $? >/out/auto.status
		;;
	kill)
		begin killed --model /refuse
		kill -KILL "$(pidof mlsched)"
		wait_for_state disabled
		work
		wait $job
		state >/out/killed.state
		;;
	sysrq)
		begin sysrq --model /refuse
		echo S >/proc/sysrq-trigger
		end
		;;
	hotplug)
		begin hotplug --model /accept
		for value in 0 1; do
			before=$(cat /sys/kernel/sched_ext/enable_seq)
			echo $value >/sys/devices/system/cpu/cpu3/online
			until [ "$(cat /sys/kernel/sched_ext/enable_seq)" -gt "$before" ] && [ "$(state)" = enabled ]; do
				sleep 0.1
			done
			work
		done
		end stop
		;;
	esac
done
