#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# run.sh GROUP|FILE...: run tests, show what failed or was skipped and why, and
# end with "N passed, N failed, N skipped".
#
# A test prints TAP.  It also fails as a whole when it ends with a status other
# than 0 without a "not ok" of its own, or prints no result at all.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
build=${O:-build}

case $build in /*) ;; *) build=$PWD/$build ;; esac
export O="$build"
export MLSCHED="$O/mlsched"
export CMOCKA_MESSAGE_OUTPUT=TAP
passed=0 failed=0 skipped=0
logs=$build/tests/logs
mkdir -p "$logs"

files_of() {
	case $1 in
	unit | property | golden)
		find "tests/$1" -name 'test_*.c' | sort | sed "s|^\(.*\)\.c$|$build/\1|" ;;
	esac
	[ -d "tests/$1" ] && find "tests/$1" -name 'test_*.sh' -o -name 'test_*.py' | sort
	[ -f "$1" ] && case $1 in
	*.c) echo "$build/${1%.c}" ;;
	*) echo "$1" ;;
	esac
}

run_one() {
	local file=$1 log status n_ok n_bad n_skip seconds
	log=$logs/$(echo "${file#"$build"/}" | tr / _).log
	seconds=$SECONDS
	case $file in
	*.sh) bash "$file" >"$log" 2>&1 ;;
	*.py) "${PYTHON:-python3}" "$file" >"$log" 2>&1 ;;
	*) "$file" >"$log" 2>&1 ;;
	esac </dev/null
	status=$?
	# cmocka writes "not ok N # SKIP" for a test that skips itself.
	n_skip=$(grep -ciE '^(not )?ok .*# skip' "$log")
	n_ok=$(grep -iE '^ok ' "$log" | grep -cviE '# skip')
	n_bad=$(grep -iE '^not ok ' "$log" | grep -cviE '# skip')
	if [ "$n_bad" -eq 0 ] && { [ $status -ne 0 ] || [ $((n_ok + n_skip)) -eq 0 ]; }; then
		n_bad=1
		echo "not ok - ended with status $status after $n_ok results" >>"$log"
	fi
	passed=$((passed + n_ok)) failed=$((failed + n_bad)) skipped=$((skipped + n_skip))
	printf '%-58s %4d passed, %d failed, %d skipped  (%d s)\n' "${file#"$build"/}" "$n_ok" "$n_bad" \
		"$n_skip" $((SECONDS - seconds))
	grep -iE '^(not )?ok .*# skip' "$log" | sed 's/^/    /'
	[ "$n_bad" -eq 0 ] || { grep -v '^ok ' "$log" | tail -n 60 | sed 's/^/    /'; }
}

for group in "$@"; do
	found=0
	while read -r file; do
		found=1
		run_one "$file"
	done < <(files_of "$group")
	[ $found -eq 1 ] || { echo "tests/run.sh: $group: no such test" >&2; failed=$((failed + 1)); }
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
