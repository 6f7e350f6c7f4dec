# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# TAP for shell tests: source it, then
#   check "name" command...      passes when the command succeeds
#   refuse "name" command...     passes when it fails with status 1 (or 2: usage)
#   same "name" EXPECTED FOUND   compares two strings
#   skip "name" "why"
# and at the end: finish
tap_n=0 tap_bad=0
tap_result() {	# status name
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $tap_n - $2"; else echo "not ok $tap_n - $2"; tap_bad=1; fi
}
check() {
	local name=$1 status
	shift
	"$@" >"$tap_out" 2>&1
	status=$?
	[ $status -eq 0 ] || sed 's/^/# /' "$tap_out"
	tap_result $status "$name"
}
refuse() {
	local name=$1 status
	shift
	"$@" >"$tap_out" 2>&1
	status=$?
	if [ $status -eq 1 ] || [ $status -eq 2 ]; then tap_result 0 "$name"; else
		echo "# status $status"
		sed 's/^/# /' "$tap_out"
		tap_result 1 "$name"
	fi
}
same() {
	if [ "$2" = "$3" ]; then tap_result 0 "$1"; else
		printf '%s\n' "expected: $2" "found:    $3" | sed 's/^/# /'
		tap_result 1 "$1"
	fi
}
skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}
finish() {
	echo "1..$tap_n"
	rm -rf "$tap_tmp"
	exit $tap_bad
}
tap_tmp=$(mktemp -d)
tap_out=$tap_tmp/.out
MLSCHED=${MLSCHED:-build/mlsched}
