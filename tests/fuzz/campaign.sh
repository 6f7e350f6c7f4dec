#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# campaign.sh MINUTES [TARGET...]: fuzz these targets (all) in turn until each has had MINUTES of a
# CPU, its children's included, keep what covers more, and add to tests/fuzz/campaign.tsv what was
# done.  Ends with status 1 where something was found.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
[[ ${1:-} =~ ^[1-9][0-9]{0,3}$ ]] || { echo "campaign.sh: expected minutes, got \"${1:-}\"" >&2; exit 2; }
minutes=$1
shift
[ $# -gt 0 ] || set -- tests/fuzz/fuzz_*.c
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# cpu_of COMMAND...: runs it, its output to $log; seconds of a CPU in $cpu.
cpu_of() {
	local TIMEFORMAT='%U %S' status=0 user system
	{ time "$@" >"$log" 2>&1; } 2>"$log.time" || status=$?
	read -r user system <"$log.time"
	rm -f "$log.time"
	cpu=$(awk -v u="$user" -v s="$system" 'BEGIN { printf "%.0f", u + s }')
	return $status
}

for target; do
	target=${target##*/fuzz_} target=${target%.c}
	make -s fuzz-build FUZZ="$target"
	used=0 executed=0
	while [ $used -lt $((minutes * 60)) ]; do
		# What it takes to build is no fuzzing.
		if ! cpu_of make fuzz-run FUZZ="$target" FUZZ_SECONDS=$((minutes * 60 - used)); then
			tail -n 60 "$log" >&2
			echo "campaign.sh: $target: found something after $((used + cpu)) s of a CPU" >&2
			exit 1
		fi
		used=$((used + cpu))
		executed=$((executed + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log")))
		echo "$target: $used s of a CPU, $executed inputs"
	done
	make -s fuzz-keep FUZZ="$target" >"$log" 2>&1 || { tail -n 60 "$log" >&2; exit 1; }
	printf '%s\t%s\t%s\t%d\t%d\t%d\n' "$(date -I)" "$(git rev-parse --short=12 HEAD)" "$target" $used $executed \
		"$(find "tests/fuzz/corpus/$target" -type f | wc -l)" >>tests/fuzz/campaign.tsv
done
