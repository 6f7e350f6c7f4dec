#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# run.sh [-j N] GROUP|FILE...: run tests, show what failed or was skipped and why, and
# end with "N passed, N failed, N skipped".  With -j, N files at a time; what they
# say comes in the order of the files all the same.  Those of tests/live run alone:
# they look at the whole machine, which the others keep busy.
#
# A test prints TAP.  It also fails as a whole when it ends with a status other
# than 0 without a "not ok" of its own, or prints no result at all.  Beside the time
# that it took stands that of a CPU which it and what it waited for have used.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
build=${O:-build}

case $build in /*) ;; *) build=$PWD/$build ;; esac
export O="$build"
export MLSCHED="$O/mlsched"
export CMOCKA_MESSAGE_OUTPUT=TAP
passed=0 failed=0 skipped=0 at_a_time=1
if [ "${1:-}" = -j ]; then
	[[ ${2:-} =~ ^[1-9][0-9]?$ ]] || { echo "tests/run.sh: -j: expected a number, got \"${2:-}\"" >&2; exit 2; }
	at_a_time=$2
	shift 2
fi
logs=$build/tests/logs
mkdir -p "$logs"
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT

files_of() {
	case $1 in
	unit | property | golden)
		find "tests/$1" -name 'test_*.c' | sort | sed "s|^\(.*\)\.c$|$build/\1|" ;;
	fuzz)
		find tests/fuzz -name 'fuzz_*.c' | sort | sed "s|^\(.*\)\.c$|$build/\1|" ;;
	esac
	[ -d "tests/$1" ] && find "tests/$1" -name 'test_*.sh' -o -name 'test_*.py' | sort
	[ -f "$1" ] && case $1 in
	*.c) echo "$build/${1%.c}" ;;
	*) echo "$1" ;;
	esac
}

# run_one FILE REPORT: the report for people in REPORT, then the counts in REPORT.counts.
run_one() {
	local file=$1 report=$2 log command status n_ok n_bad n_skip wall user system
	log=$logs/$(echo "${file#"$build"/}" | tr / _).log
	case $file in
	*.sh) command=(bash "$file") ;;
	*.py) command=("${PYTHON:-python3}" "$file") ;;
	*) command=("$file") ;;
	esac
	local TIMEFORMAT='%0R %0U %0S'
	{ time "${command[@]}" </dev/null >"$log" 2>&1; } 2>"$report.time"
	status=$?
	read -r wall user system < <(tail -n 1 "$report.time")
	# cmocka writes "not ok N # SKIP" for a test that skips itself.
	n_skip=$(grep -ciE '^(not )?ok .*# skip' "$log")
	n_ok=$(grep -iE '^ok ' "$log" | grep -cviE '# skip')
	n_bad=$(grep -iE '^not ok ' "$log" | grep -cviE '# skip')
	if [ "$n_bad" -eq 0 ] && { [ $status -ne 0 ] || [ $((n_ok + n_skip)) -eq 0 ]; }; then
		n_bad=1
		echo "not ok - ended with status $status after $n_ok results" >>"$log"
	fi
	{
		printf '%-58s %4d passed, %d failed, %d skipped  (%d s, CPU %d s)\n' "${file#"$build"/}" "$n_ok" \
			"$n_bad" "$n_skip" "$wall" $((user + system))
		grep -iE '^(not )?ok .*# skip' "$log" | sed 's/^/    /'
		[ "$n_bad" -eq 0 ] || { grep -v '^ok ' "$log" | tail -n 60 | sed 's/^/    /'; }
	} >"$report"
	# In one step, so that who sees it sees all of it.
	echo "$n_ok $n_bad $n_skip" >"$report.new" && mv "$report.new" "$report.counts"
}

# What is finished and has nothing unfinished before it.
shown=0
show() {
	local n_ok n_bad n_skip
	while [ -e "$reports/$shown.counts" ]; do
		cat "$reports/$shown"
		read -r n_ok n_bad n_skip <"$reports/$shown.counts"
		passed=$((passed + n_ok)) failed=$((failed + n_bad)) skipped=$((skipped + n_skip))
		shown=$((shown + 1))
	done
}

files=()
for group in "$@"; do
	found=0
	while read -r file; do
		found=1
		files+=("$file")
	done < <(files_of "$group")
	[ $found -eq 1 ] || { echo "tests/run.sh: $group: no such test" >&2; failed=$((failed + 1)); }
done
running=0
[ "$at_a_time" -eq 1 ] || trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
for i in "${!files[@]}"; do
	# In the foreground, where Ctrl+C reaches the test itself.
	if [ "$at_a_time" -eq 1 ]; then
		run_one "${files[i]}" "$reports/$i"
		show
		continue
	fi
	room=$at_a_time
	[[ ${files[i]} != tests/live/* ]] || room=1
	while [ $running -ge "$room" ]; do
		wait -n
		running=$((running - 1))
		show
	done
	run_one "${files[i]}" "$reports/$i" &
	running=$((running + 1))
	[ "$room" -gt 1 ] || { wait; running=0; show; }
done
wait
show
# A runner that died has left no counts.
[ $shown -eq ${#files[@]} ] || { echo "tests/run.sh: ${files[shown]}: no result" >&2; failed=$((failed + 1)); }
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
