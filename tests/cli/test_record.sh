#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched record and the benchmark of recordings: what is refused before the kernel is
# touched, and figures that are whole.  The rest is tests/live/test_record.sh.
# shellcheck disable=SC2154
. "$(dirname "$0")/../lib/tap.sh"

# says NAME STATUS PATTERN COMMAND...: fails with that status, and standard error fits.
says() {
	local name=$1 status=$2 pattern=$3 found
	shift 3
	"$MLSCHED" "$@" >"$tap_tmp/stdout" 2>"$tap_tmp/stderr"
	found=$?
	if [ $found -eq "$status" ] && grep -qE -e "$pattern" "$tap_tmp/stderr" && [ ! -s "$tap_tmp/stdout" ]; then
		tap_result 0 "$name"
	else
		echo "# status $found"
		sed 's/^/# /' "$tap_tmp/stderr" "$tap_tmp/stdout"
		tap_result 1 "$name"
	fi
}
number() { sed -n "$1p" "$tap_tmp/bench" | sed "s/.*\"$2\":\([^,}]*\).*/\1/"; }

says "record needs a file" 2 'no -o FILE for the recording' record
says "record takes no window that a crash would lose more than a second of" 2 \
	'--window: expected a number from 1 to 400, got "401"' record -o x --window 401
says "half a domain is a usage error" 2 '--domains: expected a whole number' record -o x --domains 1.5
says "a stray argument is a usage error" 2 'unexpected argument "x"' record -o y x
says "run --append needs --record" 2 '--append needs --record FILE' run --append
says "run --record takes no long window either" 1 \
	'^mlsched run: --window: expected at most 400 ms with a recording, .* got 500' run --record x --window 500

says "run --explore needs --record" 2 '--explore needs --record FILE' run --explore 0.1
says "more than a fifth is not left to a coin" 2 '--explore: expected a number from 0 to 0.2, got "0.3"' run --explore 0.3 --record x
models=$(dirname "$0")/../golden/savedmodel/models
says "exploring needs our own scheduler" 1 '^mlsched run: --explore needs --backend scx' run --backend shadow \
	--explore 0.1 --record "$tap_tmp/x" --model "$models/tf221-keras3-savedmodel/model"

says "label needs a recording" 2 'no recording named' label -o x
says "label needs somewhere to write to" 2 'neither -o DIR nor --csv FILE' label x
says "label names a file that is not there" 1 '^mlsched label: /nonexistent: No such file' label /nonexistent --csv -
echo "time,pid" >"$tap_tmp/no.db"
says "label names what is no recording" 1 '^mlsched label: .*no.db: expected a recording, which has a header' label "$tap_tmp/no.db" --csv -
says "no more than nine tenths are for validation" 2 '--time-share: expected a number from 0 to 0.9' label x -o y --time-share 0.95
says "a price is a number" 2 '--price: expected a number from 0' label x -o y --price much
says "eval --off-policy wants a recording" 1 '^mlsched eval: .*no.db: expected a recording' \
	eval --off-policy --schema seed10 "$models/tf221-keras3-savedmodel/model" "$tap_tmp/no.db"

"$MLSCHED" bench record --json --rows 3000 --seconds 0.2 --rate 5000 "$tap_tmp" >"$tap_tmp/bench" 2>&1
same "bench record succeeds" 0 $?
same "it writes what it was told to" 3000 "$(number 1 written)"
same "and drops none of it" 0 "$(number 1 dropped)"
same "of the steady part nothing is lost sight of" 1000 "$(($(number 2 written) + $(number 2 dropped)))"
same "it leaves nothing behind" "" "$(find "$tap_tmp" -name '.mlsched-bench*')"
says "a directory that is not there is named" 1 \
	'^mlsched bench record: /nonexistent/.*: cannot open it for writing: unable to open' bench record /nonexistent
finish
