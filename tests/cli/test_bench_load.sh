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
# Beside it, in the runtimes that are asked for: ours always, a stand-in for ONNX Runtime, and one that is not there.
fake=$O/tests/fake/libfake_onnxruntime.so
TMPDIR=$tap_tmp "$MLSCHED" bench load --json --loads 3 --engine onnxruntime --onnxruntime-library "$fake" \
	--engine litert --litert-library "$tap_tmp/none" $hand >"$tap_tmp/runtimes.jsonl"
same "bench load --engine succeeds" 0 $?
# shellcheck disable=SC2016
check "bench load --engine says what each runtime takes" python3 -c '
import json, os, sys
lines = [json.loads(line) for line in open(sys.argv[1])][1:]
found = {line["engine"]: line for line in lines}
assert list(found) == ["native", "fixed", "bpf", "onnxruntime", "litert"], list(found)
ort, litert, bpf = found["onnxruntime"], found["litert"], found["bpf"]
for name in ("native", "fixed", "onnxruntime"):
    line = found[name]
    assert line["first_answer_ms"] > 0 and line["load_us"] > 0 and line["loads"] == 3 and line["peak_kb"] > 500, line
    assert line["kernel_bytes"] is None and line["cpu"] == lines[0]["cpu"] >= 0, line
# A slot and machine code; or the kernel lets nobody load a program here, and that is said.
if "unavailable" in bpf:
    assert "cannot load the BPF program" in bpf["unavailable"], bpf
else:
    assert 100000 <= bpf["kernel_bytes"] <= 1000000 and bpf["loads"] == 3, bpf
assert ort["version"] == "0.0.0-fake" and ort["language"] == "C", ort
assert ort["file_bytes"] >= os.path.getsize(sys.argv[2]), ort
assert "cannot open shared object file" in litert["unavailable"] and litert["install"], litert' \
	"$tap_tmp/runtimes.jsonl" "$fake"
same "bench load --engine leaves no model behind" "" "$(find "$tap_tmp" -name 'mlsched-bench-*')"
same "bench load prints a table of runtimes for each model" 2 \
	"$("$MLSCHED" bench load --loads 1 --engine native $hand $models/hand-frozen-savedmodel/model | grep -c '^mlsched ')"
same "bench load --engine without a model takes those of bench inference" "10-64-64-1 15-10-1 10-128-128-64-1" \
	"$("$MLSCHED" bench load --json --loads 1 --engine native | sed -n '/"engine":"native"/s/.*"model":"\([^"]*\)".*/\1/p' | paste -sd' ')"
last=$(tail -n 1 <<<"$(taskset -p -c $$ | sed 's/.*: //; s/[,-]/\n/g')")
same "bench load stays on one CPU, the last one, and says which" "CPU $last, everything that is measured" \
	"$("$MLSCHED" bench load --loads 1 --engine native | head -n 1)"
first=$(taskset -p -c $$ | sed 's/.*: //; s/[,-].*//')
same "bench load --cpu takes another one" "$first" "$("$MLSCHED" bench load --json --cpu "$first" --loads 3 $hand | sed 's/.*"cpu":\([0-9]*\).*/\1/')"
same "bench load --cpu refuses one that is not there" "mlsched bench load: cannot run on CPU 1023: Invalid argument" \
	"$("$MLSCHED" bench load --cpu 1023 $hand 2>&1 >/dev/null)"
same "bench load refuses what is no model" \
	"mlsched bench load: Model not found at path: /nonexistent: No such file or directory" \
	"$("$MLSCHED" bench load /nonexistent 2>&1 >/dev/null)"
"$MLSCHED" bench load --loads 0 $hand >/dev/null 2>&1
same "bench load --loads 0 exits 2" 2 $?
finish
