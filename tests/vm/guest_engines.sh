#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: the engines of mlsched, each on the same load.
# guest_engines.sh STEP...; results in /out.
#
# In a guest everything is slow, so verdicts count for longer than by default.
steps=$*
set --
# begin and end, and the steps of the other test.
# shellcheck source=tests/vm/guest_scx.sh
. /bin/guest_scx.sh

# Threads that send each other messages, so that they wake up and are placed all the time.
load() { mls-workload message -S 7 -n 150; }

# measured NAME OPTION...: a run with the load in it, and what the load says of it.
measured() {
	begin "$@"
	load >"/out/$name.load" || exit
	end
}

for step in $steps; do
	case $step in
	kernel) measured kernel --engine kernel --model /refuse ;;
	refuse) measured refuse --engine native --verdict-age 1000 --model /refuse ;;
	accept) measured accept --engine native --verdict-age 1000 --model /accept ;;
	shadow) measured shadow --engine native --verdict-age 1000 --mode shadow --model /refuse ;;
	impatient) measured impatient --engine native --model /refuse --verdict-age 0.1 ;;
	tensorflow)
		measured tensorflow -q --engine tensorflow --verdict-age 1000 --model /-5 --tensorflow-library /fake/libtensorflow.so.2
		;;
	none)
		mlsched run --backend scx --engine tensorflow --model /refuse >/out/none 2>&1
		echo $? >/out/none.status
		state >/out/none.state
		;;
	restarted)
		begin restarted --engine native --verdict-age 1000 --interval 0.2 --model /refuse
		for value in 0 1; do
			replug 3 $value
			wc -l <"/out/$name" >"/out/restarted.from$value"
			load >"/out/restarted.load$value" || exit
			wc -l <"/out/$name" >"/out/restarted.to$value"
		done
		end
		;;
	swapped)
		# In a directory of their own, below which the sandbox lets it read.
		begin swapped --engine native --verdict-age 1000 --model /models/refuse
		while :; do load >/dev/null; done &
		loading=$!
		swap() { mlsched model swap --json --watch-after 0 "$@"; }
		# What verdicts there were, and what they said; then until there are ten more.
		model() { mlsched stats --json >"/out/swapped.$1"; }
		asked() { mlsched stats --json | sed -n 's/.*"model":{"asked":\([0-9]*\).*/\1/p'; }
		more() {
			enough=$(($(asked) + 10))
			until [ "$(asked)" -ge $enough ]; do :; done
		}
		swap --now --repeat 100 /models/accept >/out/swapped.many || exit
		more
		swap --now /models/refuse >/dev/null || exit
		swap --now /models/accept >/out/swapped.one || exit
		model accept.0
		more
		model accept.1
		mlsched model rollback --json >/out/swapped.rollback || exit
		model refuse.0
		more
		model refuse.1
		swap --trial 3 --min-decisions 20 --max-disagreement 100 /models/accept >/out/swapped.trial
		echo $? >/out/swapped.trial.status
		mlsched model status --json >/out/swapped.status.json
		kill $loading
		wait $loading 2>/dev/null
		while pidof mls-workload >/dev/null; do sleep 0.1; done
		end
		;;
	stopped)
		begin stopped --engine native --model /refuse
		load >/out/stopped.before || exit
		daemon=$(pidof mlsched)
		kill -STOP "$daemon"
		# Some thousand decisions, nearly each a request: more than the ring buffer holds, also where
		# a load makes only three hundred.
		for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
			load >"/out/stopped.meanwhile$number" || exit
		done
		state >/out/stopped.during
		kill -CONT "$daemon"
		load >/out/stopped.after || exit
		end
		;;
	esac
done
