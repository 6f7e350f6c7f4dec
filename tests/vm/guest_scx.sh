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
	auto)
		# Nobody names a backend or a model; one client tells it to listen to the model.
		mkfifo /tmp/auto_default
		mlsched run --json >/tmp/auto_default 2>/out/auto_default.stderr &
		job=$!
		exec 3</tmp/auto_default
		read -r first <&3 || exit 1
		{ echo "$first"; cat <&3; } >/out/auto_default &
		reader=$!
		exec 3<&-
		cat /sys/kernel/sched_ext/root/ops >/out/auto_default.ops
		work
		mlsched stats --json >/out/auto_default.stats
		mlsched model mode active >/out/auto_default.mode
		name=auto_default
		end stop
		mlsched run --duration 0.5 >/out/auto_text
		mlsched run --model /refuse --json --duration 0.5 >/out/auto_named
		# The kernel refuses what it seemed to take: the state that is read says nothing
		# of the scheduler that is attached.
		begin other --model /refuse
		mount -t tmpfs none /sys/kernel/sched_ext
		echo disabled >/sys/kernel/sched_ext/state
		mlsched run --json --duration 0.5 >/out/auto_late 2>/out/auto_late.stderr
		echo $? >/out/auto_late.status
		mlsched run --json --mode active --duration 0.5 >/out/auto_late_active 2>&1
		echo $? >/out/auto_late_active.status
		mlsched run --backend scx --duration 0.5 >/out/scx_late 2>&1
		echo $? >/out/scx_late.status
		umount /sys/kernel/sched_ext
		state >/out/auto_late.state
		end stop
		chmod 755 /root
		privs --reuid=65534 --regid=65534 --clear-groups mlsched run --duration 0.5 >/out/auto_plain 2>&1
		echo $? >/out/auto_plain.status
		# The kernel takes it out again: the same as if it had been asked for.
		mkfifo /tmp/auto_ejected
		mlsched run --json >/tmp/auto_ejected 2>/out/auto_ejected.stderr &
		job=$!
		exec 3</tmp/auto_ejected
		read -r first <&3 || exit 1
		echo S >/proc/sysrq-trigger
		cat <&3 >/out/auto_ejected
		name=auto_ejected
		reader=
		end
		exec 3<&-
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
