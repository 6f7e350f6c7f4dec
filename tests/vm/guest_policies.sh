#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: tasks of different policies under the kernel's own scheduler and
# under ours, in partial mode and with all tasks.  Results in /out.
set -u

# begin NAME OPTION...: runs mlsched and waits until it has taken over.
begin() {
	name=$1
	shift
	mkfifo "/tmp/$name"
	mlsched run --json --backend scx --mode collect --interval 1000 "$@" >"/tmp/$name" 2>"/out/$name.stderr" &
	job=$!
	exec 3<"/tmp/$name"
	if ! read -r first <&3; then
		cat "/out/$name.stderr" >&2
		exit 1
	fi
	{ echo "$first"; cat <&3; } >"/out/$name" &
	reader=$!
	exec 3<&-
}
end() {
	kill -INT $job
	wait $job
	echo $? >"/out/$name.status"
	wait $reader
}

# task NAME ARGUMENT...: tasks, and the counters around them.
task() {
	what=$1
	shift
	mlsched stats --json >"/out/$what.before" || exit 1
	policies 1 1 "$@" >"/out/$what" || exit 1
	mlsched stats --json >"/out/$what.after" || exit 1
}

# The kernel's own scheduler, for comparison.
for policy in normal batch idle; do
	policies 1 1 normal $policy+wakes >"/out/kernel.$policy" || exit 1
	policies 1 1 idle $policy+wakes >"/out/kernel.$policy.idle" || exit 1
done

begin partial --partial
task partial.ordinary normal+wakes
task partial.asked ext+wakes
end

begin all
for policy in normal batch idle; do
	task all.$policy normal $policy+wakes
	task all.$policy.idle idle $policy+wakes
done
end
