# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# What scripts in a guest share: how mlsched is begun and ended there.  The test on the
# host puts it beside them (-f tests/vm/guest_common.sh=/guest_common.sh); they source it.  Results in /out.

state() { cat /sys/kernel/sched_ext/state; }

wait_for_state() {
	until [ "$(state)" = "$1" ]; do sleep 0.1; done
}

# start NAME COMMAND...: in the background, until it has printed its first line: an mlsched
# has taken over by then.  Sets $name and $job; what it prints goes to /out/NAME and
# /out/NAME.stderr.
start() {
	name=$1
	shift
	mkfifo "/tmp/$name"
	"$@" >"/tmp/$name" 2>"/out/$name.stderr" &
	job=$!
	exec 3<"/tmp/$name"
	if ! read -r first <&3; then
		wait "$job"
		echo "$name: $1 ended with status $? before its first line" >&2
		cat "/out/$name.stderr" >&2
		exit 1
	fi
	{ echo "$first"; cat <&3; } >"/out/$name" &
	reader=$!
	exec 3<&-
}

# ended: waits for its end, and keeps its status and what the kernel's state is then.
ended() {
	wait "$job"
	echo $? >"/out/$name.status"
	wait "$reader"
	state >"/out/$name.state"
}

# end: tells it to end.
end() {
	kill -INT "$job"
	ended
}

enable_seq() { cat /sys/kernel/sched_ext/enable_seq; }

# attached_anew SEQ: waits until a scheduler that was loaded after enable_seq said so decides.
attached_anew() {
	until [ "$(enable_seq)" -gt "$1" ] && [ "$(state)" = enabled ]; do
		if ! kill -0 "$job"; then
			cat "/out/$name.stderr" >&2
			exit 1
		fi
		sleep 0.1
	done
}

# replug CPU 0|1: takes a CPU away or brings it back; returns when mlsched schedules again.
replug() {
	before=$(enable_seq)
	echo "$2" >"/sys/devices/system/cpu/cpu$1/online" || exit 1
	attached_anew "$before"
}

# ran PID: ns that it has had a CPU; /proc/PID/schedstat has ns waiting and turns behind it.
ran() {
	read -r ns _ </proc/"$1"/schedstat
	echo "$ns"
}
