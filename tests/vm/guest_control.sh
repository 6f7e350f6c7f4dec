#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: a scheduler whose model is changed all the time while work
# goes on, and that comes back with what it had when a CPU goes.  "waits": only the
# changes, and nothing before them.  Results in /out.
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# begin NAME OPTION...
begin() {
	run=$1
	shift
	start "$run" mlsched run --json --backend scx --interval 1000 "$@"
}

# More than the CPUs can do, until it is told to end: what sleeps, wakes and passes messages, and
# beside it what only computes.
again_and_again() {
	while :; do
		mls-workload "$@" >/dev/null
	done
}
begin_load() {
	again_and_again message -n 40 &
	loading=$!
	again_and_again mixed -n 4 &
	loading="$loading $!"
}
end_load() {
	# Words: two processes.
	# shellcheck disable=SC2086
	kill $loading
	# shellcheck disable=SC2086
	wait $loading 2>/dev/null
	# What it had started ends by itself.
	while pidof mls-workload >/dev/null; do sleep 0.1; done
}

if [ "${1:-}" = waits ]; then
	begin waits --model /models/accept
	# Work that begins on one cache: a model that refuses keeps it there until the limit.
	while :; do
		mls-workload imbalance -n 4 >/dev/null
		mls-workload message -n 20 >/dev/null
	done &
	loading=$!
	waits() { mlsched stats --json | sed -n 's/.*"wait_ns":{"n":\([0-9]*\).*/\1/p'; }
	# Until a hundred more waits have ended under the model that decides.
	work() {
		enough=$(($(waits) + 100))
		until [ "$(waits)" -ge $enough ]; do :; done
	}
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		mlsched model swap --now --repeat 99 --json /models/refuse >>/out/waits.swaps || exit
		work
		mlsched model swap --now --watch-after 0 --json /models/accept >>/out/waits.swaps || exit
		work
	done
	mlsched stats --json >/out/waits.stats
	end_load
	end
	exit
fi

begin swaps --model /models/accept
cat /sys/kernel/sched_ext/root/ops >/out/swaps.ops
begin_load
mlsched stats --json >/out/swaps.before
mlsched model swap --now --repeat 1000 --json /models/refuse >/out/swaps.swap
echo $? >/out/swaps.swap.status
mlsched stats --json >/out/swaps.between
mlsched model swap --trial 5 --watch-after 1 --min-decisions 10 --max-disagreement 100 --max-wait-growth 1000 --json \
	/models/accept >/out/swaps.trial
echo $? >/out/swaps.trial.status
mlsched stats --json >/out/swaps.stats
mlsched stats --openmetrics >/out/swaps.metrics
# It would refuse everything, which is more than is allowed: it is taken back, by nobody's hand.
mlsched model swap --now --watch-after 60 --max-refusals 50 --json /models/refuse >/out/swaps.rollback
echo $? >/out/swaps.rollback.status
mlsched model status --json >/out/swaps.rolled
end_load
end

# Replaced where it lies, it is changed to.
cp -r /models/accept /tmp/model
begin watch --model /tmp/model --watch --trial 0 --watch-after 0
mlsched model status --json >/out/watch.before
cp -r /models/refuse /tmp/next
mv /tmp/model /tmp/last && mv /tmp/next /tmp/model || exit 1
swapped() { mlsched model status --json | grep -q '"active_slot":1'; }
until swapped; do sleep 0.1; done
mlsched model status --json >/out/watch.after
end

begin hotplug --model /models/accept
mlsched model swap --now --watch-after 0 /models/refuse >/dev/null || exit 1
mlsched model mode shadow >/dev/null || exit 1
mlsched model status --json >/out/hotplug.before
replug 3 0
mls-workload message -n 40 >/dev/null
mlsched model status --json >/out/hotplug.after
end
