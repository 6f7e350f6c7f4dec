#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: the same loads with and without each mechanism, and with models of
# schema mig15 that look at one input each.  guest_mechanisms.sh STEP...; results in /out.
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# work NAME LOAD: LOAD's words are mls-workload's.
work() {
	# shellcheck disable=SC2086
	mls-workload $2 >"/out/$1.load" || exit
}

# run NAME LOAD OPTION...: a load under mlsched.
run() {
	run=$1 load=$2
	shift 2
	start "$run" mlsched run --json --backend scx --interval 1000 "$@"
	work "$run" "$load"
	end
}

# A job for every other CPU: where a compiler's driver makes a task and waits for it, that one
# finds an idle CPU, and leaves one behind.
make="make -n 1 -j 2 -w 24"
crowd="make -n 1 -j 4 -w 24"
mixed="mixed -n 40"
# Three tasks for two CPUs, and many that wake up: so often is there none idle in one domain, and
# one in the other, that a difference in where they run is no luck.
sleepers="mixed -w 6 -l 12 -n 160"

for step in "$@"; do
	case $step in
	make) run make "$make" --mode collect ;;
	fork-in-place) run $step "$make" --mode collect --mechanisms "$step" ;;
	sleepers) run sleepers "$sleepers" --mode collect ;;
	preempt-short) run $step "$sleepers" --mode collect --mechanisms "$step" ;;
	refuse) run refuse "imbalance -n 12" --model /models/refuse ;;
	ask-again) run $step "imbalance -n 12" --model /models/refuse --mechanisms "$step" ;;
	# Whose tasks may not leave the CPU where they are made.
	level-large) run $step "make -n 1 -j 12 -w 24" --model /models/refuse --mechanisms "$step" ;;
	mig15)
		for model in wake newidle same_llc t_wait t_since_run src_len home_delta; do
			run $model "$crowd" --model /models/$model
		done
		run engine "$crowd" --engine native --model /models/wake
		;;
	swap)
		# From a model of seed10 to one of mig15 and back, while it schedules.
		start swap mlsched run --json --backend scx --interval 1000 --model /models/accept
		mlsched model swap --trial 0 --watch-after 0 --json /models/newidle >/out/swap.first || exit
		mlsched stats --json >/out/swap.before
		work swap "$crowd"
		mlsched stats --json >/out/swap.after
		mlsched model swap --trial 0 --watch-after 0 --json /models/accept >/out/swap.second || exit
		mlsched stats --json >/out/swap.last
		work swap "$crowd"
		end
		;;
	all) run all "$mixed" --model /models/wake --mechanisms all ;;
	esac
done
