#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched bench inference beside the runtimes of others: who computes something else is
# refused, and what is not there is named.  By a stand-in for ONNX Runtime's C library;
# tests/interop/test_runtimes.py has the real ones.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
model=tests/golden/savedmodel/models/hand-variables-savedmodel/model
fake=$O/tests/fake/libfake_onnxruntime.so
export TMPDIR=$tap_tmp
by_fake() { "$MLSCHED" bench inference --engine onnxruntime --onnxruntime-library "$fake" "$@"; }

check "bench_measures_by_the_table_of_functions" by_fake --json $model
cp "$tap_out" "$tap_tmp/report.json"
# shellcheck disable=SC2016
check "bench_says_whose_runtime_it_is_and_what_is_missing" python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
(runtime,) = report["runtimes"]
assert runtime == {"engine": "onnxruntime", "path": "ONNX Runtime", "version": "0.0.0-fake", "language": "C",
                   "file": sys.argv[2], "call_overhead_ns": None}, runtime
paths = {result["path"]: result for result in report["results"]}
assert paths["ONNX Runtime"]["engine"] == "onnxruntime" and "LiteRT" not in paths, paths
for key in ("independent", "dependent", "batch_64", "batch_1024"):
    cell = paths["ONNX Runtime"][key]
    assert 0 < cell["ns_min"] <= cell["ns_median"] <= cell["ns_p90"] <= cell["ns_p99"], cell
goals = {goal["goal"].split(" / ")[0]: goal for goal in report["goals"]}
assert goals["1 row: ONNX Runtime"]["met"] in (True, False) and goals["1 row: ONNX Runtime"]["limit"] == 20, goals
assert goals["1 row: LiteRT"]["met"] is None and goals["1 row: LiteRT"]["reached"] is None, goals
assert len(goals) == 5, goals' "$tap_tmp/report.json" "$fake"
same "bench_leaves_no_model_behind" "" "$(find "$tap_tmp" -name 'mlsched-bench-*')"

# Whoever is off by more than float32 can be is not timed, and neither is anybody else.
for off in 1e-5 -1e-5 nan inf; do
	FAKE_ORT_OFF=$off by_fake --json $model >"$tap_tmp/refused.json"
	same "bench_refuses_who_is_off_by_$off" 1 $?
	check "bench_says_what_was_computed_by_who_is_off_by_$off" grep -q '"error":.*ONNX Runtime computes .* of row [0-9]*, expected .* within ' "$tap_tmp/refused.json"
	same "bench_times_nothing_beside_who_is_off_by_$off" "" "$(grep -o ns_median "$tap_tmp/refused.json")"
done
check "bench_takes_who_is_off_by_rounding" env FAKE_ORT_OFF=1e-7 "$MLSCHED" bench inference --json \
	--engine onnxruntime --onnxruntime-library "$fake" $model
same "bench_says_what_a_runtime_says" \
	"mlsched bench inference: ONNX Runtime 0.0.0-fake does not compute the model: no reason" \
	"$(FAKE_ORT_ERROR="no reason" by_fake $model 2>&1 >/dev/null)"

# What is not there: a line, and how to install it.
absent() { "$MLSCHED" bench inference --engine "$1" "--$2" "$tap_tmp/none" $model | grep '^[A-Z].* not measured: '; }
same "bench_names_a_library_that_is_not_there" "ONNX Runtime    not measured: ONNX Runtime's C library: $tap_tmp/none: cannot open shared object file: No such file or directory" \
	"$(absent onnxruntime onnxruntime-library)"
same "bench_names_a_python_that_is_not_there" "PyTorch         not measured: not found; \`apt install python3-torch\` installs it" \
	"$(absent pytorch pytorch-python)"
same "bench_tells_another_library_so" "LiteRT          not measured: $fake: expected LiteRT's C library, found no LiteRtCreateEnvironment" \
	"$("$MLSCHED" bench inference --engine litert --litert-library "$fake" $model | grep ^LiteRT)"
finish
