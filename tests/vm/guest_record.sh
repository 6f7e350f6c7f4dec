#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: our scheduler records its decisions in each mode.  Results in /out.
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# Work with more threads than CPUs that sleep, wake, fork and pass messages.
work() {
	switcher 1 6 60 >/dev/null &
	a=$!
	i=0
	while [ $i -lt 24 ]; do
		i=$((i + 1))
		head -c 300000 /dev/zero | md5sum >/dev/null &
		[ $((i % 6)) -ne 0 ] || wait $!
	done
	wait $a
}

# attached: it is no error that it printed.
attached() {
	case $first in
	*'"type":"start"'*) return ;;
	esac
	echo "$first" >&2
	exit 1
}

# The database itself lies where mapped files work; only the file goes out.
for mode in collect shadow active; do
	start $mode mlsched run --json --backend scx --interval 1000 --mode $mode --model /model --record /tmp/$mode.db
	attached
	work
	[ $mode != shadow ] || mlsched model mode active >/dev/null
	[ $mode != shadow ] || work
	end
	cp /tmp/$mode.db /out/
done

# A coin takes part of the decisions: of a model that would refuse all of them.
start explore mlsched run --json --backend scx --interval 1000 --model /refuse --record /tmp/explore.db --explore 0.2
attached
for i in 1 2 3 4 5; do work; done
end
cp /tmp/explore.db /out/

# Killed while it decides: the file is whole, and a scheduler is there that can be recorded behind it.
start killed mlsched run --json --backend scx --model /model --record /tmp/killed.db
attached
work
kill -KILL "$job"
wait_for_state disabled
ended
cp /tmp/killed.db /out/
[ ! -e /tmp/killed.db-wal ] || cp /tmp/killed.db-wal /out/

# CPUs go and come while it records.
start hotplug mlsched run --json --backend scx --interval 1000 --model /model --record /tmp/hotplug.db
attached
for value in 0 1; do
	replug 3 $value
	work
done
end
cp /tmp/hotplug.db /out/
mlsched run --backend scx --model /model --record /tmp/hotplug.db >/out/exists 2>&1
echo $? >/out/exists.status
