#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: tasks of different policies under the kernel's own scheduler and
# under ours, in partial mode and with all tasks.  Results in /out.
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# begin NAME OPTION...
begin() {
	run=$1
	shift
	start "$run" mlsched run --json --backend scx --mode collect --interval 1000 "$@"
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
