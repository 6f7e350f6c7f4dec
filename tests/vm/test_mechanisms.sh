#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched run --mechanisms: each acts where it should, has its effect, and off means off, in
# deterministic guests: the same program gives the same counts on every machine.  And
# models of schema mig15 are asked with inputs that mean what they say, whatever the counts.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "mechanisms and models of schema mig15"

check "a writer of models builds" build_helper constant_model
models=$tap_tmp/models
mkdir "$models"
# model NAME LOGIT INPUT WEIGHT: of mig15; migrates when LOGIT + WEIGHT * input is above 0.
model() { "$tap_tmp/constant_model" "$2" "$models/$1" 15 mig15 "$3" "$4"; }
write_models() {
	"$tap_tmp/constant_model" -5 "$models/refuse" && "$tap_tmp/constant_model" 5 "$models/accept" &&
		model wake -5 0 10 && model newidle -5 1 10 && model same_llc -5 2 10 &&
		model src_len -5 4 2 &&		# three or more
		model t_since_run -12 8 10 &&	# never: 1.25
		model t_wait -6.2 9 10 &&	# more than 0.62: 1 ms
		model home_delta 2 14 10	# not -0.5 or less
}
check "models that look at one input each are written" write_models

for kernel in "${kernels[@]}"; do
	if lacks_functions "$kernel"; then
		skip "$kernel: mechanisms" "no scheduler can be loaded there"
		continue
	fi
	out=$tap_tmp/$kernel
	# steps "OPTION..." STEP...: leaves the results in $out.
	steps() {
		local options
		read -ra options <<<"$1"
		shift
		guest --limit 1800 "${options[@]}" -k "$kernel" -t 1x2x2 -m 512 -o "$out" -p "$MLSCHED" -p "$O/vm/mls-workload" \
			-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_mechanisms.sh \
			-f "$models=/models" -- guest_mechanisms.sh "$@"
	}
	# holds NAME CHECK [RUN]
	holds() {
		check "$kernel: $1" python3 tests/vm/check_mechanisms.py "$2" "$out" "${@:3}"
		sed 's/^/# /' "$tap_out"
	}
	check "$kernel: a guest runs each mechanism" steps "-d 1" make fork-in-place sleepers preempt-short refuse ask-again level-large
	for run in make sleepers refuse; do
		holds "$run: off means off" off $run
	done
	for run in fork-in-place preempt-short ask-again level-large; do
		holds "$run acts, and no other" acts $run
	done
	holds "fork-in-place: fewer new tasks are moved" fewer_forks
	holds "preempt-short: fewer tasks wake up in another domain" fewer_wakeups
	holds "ask-again: refused CPUs ask more often" asks_again
	holds "level-large: where one queue is far too long no model is asked" levels

	out=$tap_tmp/$kernel-mig15
	check "$kernel: a guest runs models of mig15" steps "" mig15 swap all
	holds "mig15: wake is set for wake-ups and new tasks alone" by_kind wake
	holds "mig15: newidle is set for CPUs without work alone" by_kind newidle
	for run in same_llc t_wait t_since_run src_len home_delta engine swap; do
		holds "mig15: $run" $run
	done
	holds "all mechanisms together" together all
done
finish
