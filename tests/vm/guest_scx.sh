#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: mlsched takes over scheduling, once for each thing that the
# test on the host asks about.  guest_scx.sh STEP...; results in /out.
set -u
read -r id </sys/kernel/tracing/events/sched/sched_migrate_task/id

# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# begin NAME OPTION...: the kernel's own counts stand around ours.
begin() {
	run=$1
	shift
	start "$run" count_events "/out/$run.outer" "$id" mlsched run --json --backend scx --interval 1000 "$@"
	cat /sys/kernel/sched_ext/root/ops >"/out/$run.ops"
}

# Work with more threads than CPUs that sleep, wake, fork and pass messages.
work() {
	switcher 3 6 0 >/dev/null &
	a=$!
	i=0
	while [ $i -lt 60 ]; do
		i=$((i + 1))
		head -c 300000 /dev/zero | md5sum >/dev/null &
		[ $((i % 6)) -ne 0 ] || wait $!
	done
	wait $a
}

# as_json OPTION...: a run with work in it.
with_work() {
	begin "$@"
	count_events "/out/$name.inner" "$id" sh /bin/guest_scx.sh work || exit
	end
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
		end
		;;
	second)
		begin first --model /refuse
		mlsched run --backend scx --model /refuse >/out/second 2>&1
		echo $? >/out/second.status
		mlsched run --backend auto --model /refuse --duration 0.2 --json >/out/auto 2>&1
		echo $? >/out/auto.status
		state >/out/second.state
		end
		;;
	refused)
		mlsched run --backend scx --model /refuse --duration 1 >/out/scx 2>&1
		echo $? >/out/scx.status
		mlsched run --backend auto --model /refuse --duration 0.2 --json >/out/auto 2>&1
		echo $? >/out/auto.status
		;;
	auto)
		# Nobody names a backend or a model; one client tells it to listen to the model.
		start auto_default mlsched run --json
		cat /sys/kernel/sched_ext/root/ops >/out/auto_default.ops
		work
		mlsched stats --json >/out/auto_default.stats
		mlsched model mode active >/out/auto_default.mode
		end
		mlsched run --duration 0.5 >/out/auto_text
		# The models that are trained for our scheduler: installed, of the source tree, of the service.
		mkdir -p /share/mlsched models /var/lib/mlsched
		cp -r /refuse /share/mlsched/model
		ln -s /bin/mlsched /scx_mlsched
		mlsched run --json --duration 0.2 >/out/auto_installed
		/scx_mlsched --json --duration 0.2 >/out/auto_scx_mlsched
		cp -r /refuse models/default
		mlsched run --json --duration 0.2 >/out/auto_trained
		cp -r /refuse /var/lib/mlsched/model
		/scx_mlsched --json --duration 0.2 >/out/auto_service
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
		end
		chmod 755 /root
		privs --reuid=65534 --regid=65534 --clear-groups mlsched run --duration 0.5 >/out/auto_plain 2>&1
		echo $? >/out/auto_plain.status
		# The kernel takes it out again: the same as if it had been asked for.
		start auto_ejected mlsched run --json
		echo S >/proc/sysrq-trigger
		ended
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
		ended
		;;
	hotplug)
		begin hotplug --model /accept
		for value in 0 1; do
			replug 3 $value
			work
		done
		end
		;;
	esac
done
