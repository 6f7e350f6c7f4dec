#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# --engine tensorflow hands over float32 and nothing else: by a stand-in for TensorFlow's
# C library that writes down what it is given.  The interop tests use the real one.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
models=tests/golden/savedmodel/models
fake=$O/tests/fake/libfake_tensorflow.so
export FAKE_TF_LOG=$tap_tmp/log TMPDIR=$tap_tmp
by_fake() { "$MLSCHED" "$@" --engine tensorflow --tensorflow-library "$fake"; }

# Where it is looked for when nobody names it: a library of the system, then what lies in an
# installed Python package, of the virtual environment that one is in before that beside the program.
mkdir -p "$tap_tmp/system" "$tap_tmp/environment/lib/python3.11/site-packages/tensorflow" \
	"$tap_tmp/installed/tensorflow/lib/python3.11/site-packages/tensorflow"
cp "$fake" "$tap_tmp/system/libtensorflow.so.2"
for package in "$tap_tmp/environment" "$tap_tmp/installed/tensorflow"; do
	cp "$fake" "$package/lib/python3.11/site-packages/tensorflow/libtensorflow_cc.so.2"
done
cp "$MLSCHED" "$tap_tmp/installed/mlsched"
# looked HOW COMMAND...: what it opened.
looked() {
	env -u VIRTUAL_ENV LD_DEBUG=files LD_DEBUG_OUTPUT="$tap_tmp/opened" "$@" predict $models/hand-variables-savedmodel/model \
		--engine tensorflow <<<"0 0 0 0 0 0 0 0 0 0" >/dev/null 2>&1
	cat "$tap_tmp"/opened.* | grep -o "calling init: ${tap_tmp}[^ ]*libtensorflow[^ ]*" | sort -u | sed "s|.*: $tap_tmp/||"
	rm -f "$tap_tmp"/opened.*
}
same "a_library_of_the_system_is_found_by_its_name" system/libtensorflow.so.2 \
	"$(looked LD_LIBRARY_PATH="$tap_tmp/system" VIRTUAL_ENV="$tap_tmp/environment" "$MLSCHED")"
# The system's own comes first.
if ldconfig -p | grep -q 'libtensorflow\(_cc\)\?\.so\.2'; then
	skip "the_one_of_a_package_is_found" "this system has a TensorFlow of its own"
else
	same "the_one_of_a_virtual_environment_is_found" \
		environment/lib/python3.11/site-packages/tensorflow/libtensorflow_cc.so.2 \
		"$(looked VIRTUAL_ENV="$tap_tmp/environment" "$tap_tmp/installed/mlsched")"
	same "the_one_beside_the_program_is_found" \
		installed/tensorflow/lib/python3.11/site-packages/tensorflow/libtensorflow_cc.so.2 \
		"$(looked "$tap_tmp/installed/mlsched")"
fi
: >"$FAKE_TF_LOG"

# Numbers that float32 does not hold: whoever passed on what was read would pass on float64.
row="3.1234567890123456 1.000000000000001 2 0.1 0.2 1e-40 0 0 0 0.30000000000000004"
same "predict_by_tensorflow_gives_what_native_gives" \
	"$("$MLSCHED" predict $models/hand-variables-savedmodel/model <<<"$row")" \
	"$(by_fake predict $models/hand-variables-savedmodel/model <<<"$row")"
# 32 rows are compared when it is opened, then there is the one.
same "predict_hands_over_float32_and_nothing_else" "type 1, [32, 10] of 2, 1280 bytes
type 1, [1, 10] of 2, 40 bytes" "$(cat "$FAKE_TF_LOG")"

for model in "$models"/*/model; do
	: >"$FAKE_TF_LOG"
	name=$(basename "${model%/model}")
	by_fake predict "$model" <<<"$row" >/dev/null 2>"$tap_tmp/error"
	# Of two there is none at all: their signature is of another type.
	case $name in
	tf221-layers-double | tf221-layers-half) given=none ;;
	*) given=some ;;
	esac
	same "no_tensor_but_float32_for_$name" "$given" "$([ -s "$FAKE_TF_LOG" ] && echo some || echo none)$(
		grep -v '^type 1, \[[0-9]*, [0-9]*\] of 2, [0-9]* bytes$' "$FAKE_TF_LOG")"
done

# Of another format a SavedModel is made, and removed, also where TensorFlow does not take it.
mkdir "$tap_tmp/made"
made() { (TMPDIR=$tap_tmp/made by_fake predict "$@" <<<"$row" >/dev/null 2>"$tap_tmp/error"); }
onnx=tests/golden/onnx/models/onnx-torch113/model.onnx
check "an_onnx_model_is_given_to_tensorflow" made $onnx
same "and_nothing_is_left_of_what_was_made_for_it" "" "$(ls "$tap_tmp/made")"
TMPDIR=$tap_tmp/made "$MLSCHED" predict --engine tensorflow --tensorflow-library "$tap_tmp/none.so" $onnx <<<"$row" 2>"$tap_tmp/error"
same "nor_after_a_failure_which_names_the_model" "1 " \
	"$(grep -c "^mlsched predict: --engine tensorflow: $onnx, as a SavedModel: " "$tap_tmp/error") $(ls "$tap_tmp/made")"

: >"$FAKE_TF_LOG"
refuse "a_signature_of_float64_is_refused" by_fake predict $models/tf221-layers-double/model
same "a_signature_of_float64_is_given_nothing" "" "$(cat "$FAKE_TF_LOG")"
same "a_signature_of_float64_is_told_so" \
	"mlsched predict: --engine tensorflow: $models/tf221-layers-double/model: expected a signature of float32 (TensorFlow's type 1), found types 1 and 2: the engine has no other tensors" \
	"$(by_fake predict $models/tf221-layers-double/model 2>&1)"
same "results_of_another_type_are_refused" \
	"mlsched predict: --engine tensorflow: expected 128 bytes of float32 from TensorFlow, found 128 of its type 2" \
	"$(FAKE_TF_TYPE=2 by_fake predict $models/hand-variables-savedmodel/model 2>&1)"

: >"$FAKE_TF_LOG"
by_fake bench inference --json $models/hand-variables-savedmodel/model >"$tap_tmp/bench.json" 2>"$tap_tmp/error"
# shellcheck disable=SC2016
check "bench_measures_tensorflow_beside_native" python3 -c '
import json, sys
paths = {r["path"]: r for r in json.load(open(sys.argv[1]))["results"]}
assert paths["TensorFlow"]["independent"]["ns_median"] > 0, paths["TensorFlow"]
assert "float scalar" in paths' "$tap_tmp/bench.json"
same "bench_hands_over_float32_and_nothing_else" "" "$(grep -v '^type 1, ' "$FAKE_TF_LOG" | head -n 1)"
same "bench_leaves_no_model_behind" "" "$(find "$tap_tmp" -name 'mlsched-bench-*')"
"$MLSCHED" bench inference --engine onnx >/dev/null 2>"$tap_tmp/error"
same "bench_with_an_unknown_engine_is_a_usage_error" 2 $?
finish
