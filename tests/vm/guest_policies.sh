#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: tasks of different policies under our scheduler, in partial mode
# and with all tasks.  Results in /out.
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
	mlsched stats --json >"/out/$1.before" || exit 1
	policies 1 1 "$2" >"/out/$1" || exit 1
	mlsched stats --json >"/out/$1.after" || exit 1
}

begin partial --partial
task partial.ordinary normal+wakes
task partial.asked ext+wakes
end
