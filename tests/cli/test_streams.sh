#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Standard streams that are full, closed or not readable: no command says that
# it succeeded, and nothing that it prints lands in a file of its own.
# shellcheck disable=SC2154
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
model=tests/golden/savedmodel/models/hand-variables-savedmodel/model
row="1 2 3 4 5 6 7 8 9 10"

for command in "inspect $model" "inspect --json $model" "predict $model" "predict --json $model" \
	"convert --json $model $tap_tmp/copy" "--version" "--help" "predict --help"; do
	# shellcheck disable=SC2086
	echo "$row" | "$MLSCHED" $command >/dev/full 2>"$tap_tmp/stderr"
	same "mlsched ${command//$tap_tmp\//} into a full file fails" "1 1" \
		"$? $(grep -c '^mlsched: cannot write to standard output' "$tap_tmp/stderr")"
	# shellcheck disable=SC2086
	echo "$row" | "$MLSCHED" $command >&- 2>"$tap_tmp/stderr"
	same "mlsched ${command//$tap_tmp\//} without standard output fails" "1 1" \
		"$? $(grep -c '^mlsched: cannot write to standard output' "$tap_tmp/stderr")"
done

"$MLSCHED" convert "$model" "$tap_tmp/plain" >/dev/null 2>&1
"$MLSCHED" convert --json "$model" "$tap_tmp/closed" <&- >&- 2>&-
check "what is printed without standard streams is not in the model" \
	diff -r "$tap_tmp/plain" "$tap_tmp/closed"
"$MLSCHED" predict "$model" <&- >"$tap_tmp/stdout" 2>"$tap_tmp/stderr"
same "predict without standard input fails" "1 mlsched predict: <stdin>:1: Bad file descriptor" \
	"$? $(cat "$tap_tmp/stderr")"
"$MLSCHED" predict "$model" </tmp >"$tap_tmp/stdout" 2>"$tap_tmp/stderr"
same "predict from a directory fails" "1 mlsched predict: <stdin>:1: Is a directory" \
	"$? $(cat "$tap_tmp/stderr")"
"$MLSCHED" eval $model /tmp >"$tap_tmp/stdout" 2>"$tap_tmp/stderr"
same "eval of a directory says that it is one" "1 mlsched eval: /tmp: Is a directory" \
	"$? $(cat "$tap_tmp/stderr")"

# JSON is UTF-8; what names files and stands in them need not be.
"$MLSCHED" eval --json "$model" "$tap_tmp/"$'\xff' >"$tap_tmp/stdout" 2>"$tap_tmp/stderr"
same "a name that JSON cannot hold is refused with --json" \
	"2 mlsched eval: --json: an argument is not UTF-8, which JSON has to be" \
	"$? $(cat "$tap_tmp/stdout")$(head -n 1 "$tap_tmp/stderr")"
printf '1 2 3 4 5 6 7 8 9 \xff\n' | "$MLSCHED" predict --json "$model" >"$tap_tmp/stdout"
same "an error that quotes bytes which are not UTF-8 is still JSON" \
	'1 {"error":"<stdin>:1: expected a finite number, got \"?\""}' "$? $(cat "$tap_tmp/stdout")"
finish
