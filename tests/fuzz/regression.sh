#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Every target under libFuzzer on all that is kept for it, and then on new inputs, for a minute in
# all (make fuzz-regression).  What `make test` replays it does with checksums; here they do not
# count, so that an input gets as far as it did when it was found.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
O=${O:-build}
targets=(tests/fuzz/fuzz_*.c)

check "libFuzzer's build is made" make -s fuzz-build
for target in "${targets[@]}"; do
	name=${target##*/fuzz_} name=${name%.c}
	check "$name: it has a dictionary" [ -s "tests/fuzz/$name.dict" ]
	check "$name: nothing is found" make -s fuzz FUZZ="$name" FUZZ_SECONDS=$((60 / ${#targets[@]} + 1))
	kept=$(find "tests/fuzz/corpus/$name" -type f | wc -l)
	ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$tap_out")
	begun=$(sed -nE 's/^INFO: seed corpus: files: ([0-9]+) .*/\1/p' "$tap_out")
	same "$name: it began with all that is kept" yes "$([ "${begun:-0}" -ge "$kept" ] && echo yes || echo "${begun:-no} files, $kept are kept")"
	same "$name: and went on from there" yes "$([ "${ran:-0}" -gt "${begun:-0}" ] && echo yes || echo "${ran:-no} inputs")"
	echo "# $name: ${ran:-no} inputs"
done

# What `make fuzz-campaign` has noted: date, commit, target, seconds of a CPU, inputs, kept files.
noted=tests/fuzz/campaign.tsv
short() {
	local day of seconds
	while IFS=$'\t' read -r day _ of seconds _; do
		[ -e "tests/fuzz/fuzz_$of.c" ] && [ "$seconds" -ge 1800 ] || echo "$day $of: $seconds s"
	done <$noted
}
same "each campaign that is noted was of a target that there is, and of 30 minutes of a CPU" "" "$(short)"
without() {
	local target name
	for target in "${targets[@]}"; do
		name=${target##*/fuzz_} name=${name%.c}
		cut -f3 $noted | grep -qx "$name" || echo "$name"
	done
}
same "and every target has had one" "" "$(without)"
finish
