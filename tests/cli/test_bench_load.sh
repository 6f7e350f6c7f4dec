#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched bench load: its figures are there, and predict's memory stays in its limit.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
models=tests/golden/savedmodel/models
hand=$models/hand-variables-savedmodel/model

field() { "$MLSCHED" bench load --json --loads 3 "$1" | sed "s/.*\"$2\":\([^,}]*\).*/\1/"; }

same "bench load prints a line for each model" 2 \
	"$("$MLSCHED" bench load --loads 3 $hand $models/hand-frozen-savedmodel/model | grep -c "^10-64-64-1 .*/model$")"
same "bench load --json names the network" '"10-64-64-1"' "$(field $hand network)"
same "bench load counts the bytes of the files" "$(cat $hand/saved_model.pb $hand/variables/* | wc -c)" "$(field $hand bytes)"
same "bench load says how often it loaded" 3 "$(field $hand loads)"
# A sanitizer's memory is not ours: measured in the plain build only.
if ! grep -q __asan_init "$MLSCHED"; then
	peak=$(field $hand predict_peak_kb)
	echo "# $peak KB"
	check "predict of the default kind of model needs less than 8 MB" test "$peak" -gt 500 -a "$peak" -lt 8192
fi
same "bench load refuses what is no model" \
	"mlsched bench load: Model not found at path: /nonexistent: No such file or directory" \
	"$("$MLSCHED" bench load /nonexistent 2>&1 >/dev/null)"
"$MLSCHED" bench load --loads 0 $hand >/dev/null 2>&1
same "bench load --loads 0 exits 2" 2 $?
finish
