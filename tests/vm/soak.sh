#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A soak (make vm-soak MINUTES=10): stress-ng --aggressive while models that refuse
# everything, accept everything, decide at random or are extreme are swapped into one
# running scheduler, at once and on trial, and rolled back.  No stall, nothing in the
# kernel's log, no task waits beyond the bound, and each model decides as it is in its turn.
#
# Two guests, since no single one can show both:
#  - The ordinary mode, for MINUTES, with several times more work than the machine can do:
#    nothing stalls, nothing is lost.  Its waits are printed and not judged: a guest
#    CPU that waits for a host core lets its task "wait", as long as the host likes.
#  - Time by instructions (deterministic), for two seconds a minute and fifteen: the waits are the
#    scheduler's alone.  The bound is the safety limit and one slice, which ends with a tick
#    of 4 ms.  It can only hold while the tasks of one CPU fit into it at all: with turns of
#    2 ms (the shortest slice) and a limit of 100 ms those are 50.  Stressors tie tasks to
#    CPUs at random (--aggressive), so there are no more than that in all.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
minutes=${MLSCHED_SOAK_MINUTES:-10}
# MLS_POLICY_LIMIT and MLS_POLICY_SLICE, of whole ticks
bound_ms=104
skip_without_qemu "a soak under stress-ng"
command -v stress-ng >/dev/null || { skip "a soak under stress-ng" "needs stress-ng"; finish; }

models=$tap_tmp/models
make_models() {
	local seed
	mkdir "$models" && "$tap_tmp/constant_model" -5 "$models/refuse" &&
		"$tap_tmp/constant_model" 5 "$models/accept" &&
		"$tap_tmp/random_model" 1 1e10 "$models/extreme" &&
		"$tap_tmp/random_model" 1 3e38 "$models/bad-overflow" || return 1
	for seed in 1 2 3 4; do
		"$tap_tmp/random_model" "$seed" 1 "$models/random$seed" || return 1
	done
	cp -r "$models/random1" "$models/bad-damaged" &&
		truncate -s 1000 "$models/bad-damaged/variables/variables.data-00000-of-00001"
}
soak() {	# name seconds turn limit option... -- stressor...
	local name=$1 seconds=$2 turn=$3 limit=$4 options=()
	shift 4
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	out=$tap_tmp/$name
	scripts/vm/run --limit "$limit" -k "${kernels[0]}" -t 1x2x2 -o "$out" -l "$tap_tmp/$name.log" "${options[@]}" \
		-p "$MLSCHED" -p stress-ng -p nice -f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_soak.sh -f "$models=/models" -- \
		guest_soak.sh "$seconds" "$turn" "$@"
}
holds() {
	check "$1" python3 tests/vm/check_soak.py "$2" "$out" "${3:-}"
	sed 's/^/# /' "$tap_out"
}

check "helpers build" build_helper constant_model random_model
check "models are written" make_models

# Everything that makes a scheduler work: switches, wake-ups, forks, affinity, priorities.
heavy=(--aggressive --cpu 4 --cpu-method int64 --switch 4 --pipe 4 --futex 4 --fork 4 --vfork 2 --clone 2
	--affinity 4 --yield 4 --nanosleep 4 --sem 4 --msg 2 --poll 4 --timer 2 --schedpolicy 2 --nice 2)
check "$minutes minutes of stress-ng and changing models" \
	soak ordinary $((minutes * 60)) 5 $((minutes * 180 + 600)) -m 2048 -- "${heavy[@]}"
holds "the scheduler stays attached until it is told to go" stays $((minutes + 8))
holds "swaps, trials and rollbacks end as they must" swaps
holds "in its turn each model decides as it is" decides
holds "models that cannot be computed or read are refused, and the one before goes on" refuses
holds "stress-ng finds nothing wrong" stressed
holds "waits, which the host stretches" waits

light=(--aggressive --cpu 6 --cpu-method int64 --switch 2 --pipe 2 --futex 1 --fork 1 --affinity 1 --yield 1 --nanosleep 1)
check "$((minutes * 2 + 15)) s by instructions" \
	soak exact $((minutes * 2 + 15)) 1 $((minutes * 180 + 1200)) -d 1 -m 1024 -- "${light[@]}"
holds "by instructions: the scheduler stays attached until it is told to go" stays 8
holds "by instructions: swaps, trials and rollbacks end as they must" swaps
holds "by instructions: in its turn each model decides as it is" decides
holds "by instructions: models that cannot be computed or read are refused" refuses
holds "by instructions: stress-ng finds nothing wrong" stressed
holds "by instructions: no task waits longer than the safety limit and a slice" waits $bound_ms
finish
