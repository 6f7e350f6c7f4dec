#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched inspect: text and JSON, exactly, and its errors.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
models=tests/golden/savedmodel/models
bad=tests/golden/savedmodel/bad

text=$("$MLSCHED" inspect $models/tf221-keras3-15-10-1-savedmodel/model)
same "inspect prints what the model is" "model          $models/tf221-keras3-15-10-1-savedmodel/model
format         savedmodel
producer       tensorflow 2.21.0
schema         not stated
network        15-10-1
parameters     171
normalization  none
calibration    none
threshold      0.5 (logit 0)
checksum       $("$MLSCHED" inspect --json $models/tf221-keras3-15-10-1-savedmodel/model |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["checksum"])')

layer  inputs  units  activation         bias  parameters
    0      15     10  relu               yes          160
    1      10      1  linear             yes           11

fixed point    no: no range of the inputs is known: expected calibration rows, or input_min and input_max or a known schema in the model, got schema \"\"
mlsched run    does not take it: Expected shape [?, 10], got [?, 15]: decisions need a model of schema seed10 or mig15, this one's is \"\"; if its inputs are mig15's, \`mlsched convert --schema mig15\` says so
what to do     mlsched convert --schema mig15 MODEL OUT, if its inputs are those of mig15 (mlsched inspect -v models/default lists them)" "$text"

same "inspect --json prints one document" \
	'{"model":"'$models'/hand-frozen-savedmodel/model","format":"savedmodel","producer":"","schema":"seed10","schema_version":1,"inputs":10,"outputs":1,"parameters":4929,"threshold":0.5,"threshold_logit":0.0,"layers":[{"inputs":10,"units":64,"activation":"relu","bias":true,"parameters":704},{"inputs":64,"units":64,"activation":"relu","bias":true,"parameters":4160},{"inputs":64,"units":1,"activation":"sigmoid","bias":true,"parameters":65}],"normalization":null,"calibration":null,"provenance":null}' \
	"$("$MLSCHED" inspect --json $models/hand-frozen-savedmodel/model |
		sed 's/"checksum":"[0-9a-f]\{8\}",//; s/"fixed_point":{.*},"objection":null,"engines":\["kernel","native"\],"backends":\["scx","shadow"\],"advice":null,"mechanisms":null,"offers_us":null,"provenance"/"provenance"/')"

# shellcheck disable=SC2016
check "inspect --json shows the normalisation" bash -c '"$0" inspect --json "$1" |
	python3 -c "
import json, sys
m = json.load(sys.stdin)[\"normalization\"]
assert len(m[\"mean\"]) == 10 and len(m[\"deviation\"]) == 10 and min(m[\"deviation\"]) > 0"' \
	"$MLSCHED" $models/tf215-keras2-norm-savedmodel/model

# shellcheck disable=SC2016
check "inspect --json shows how the model does in fixed point" bash -c '"$0" inspect --json "$1" |
	python3 -c "
import json, sys
f = json.load(sys.stdin)[\"fixed_point\"]
assert f[\"range\"] == \"schema\" and f[\"rows\"] == 4096 and 0.995 <= f[\"agreement\"] <= 1
assert f[\"inputs\"] == 10 and f[\"live_inputs\"] == 5 and f[\"kernel_engine\"] is True
assert [h[\"units\"] for h in f[\"hidden\"]] == [64, 64] and len(f[\"weight_bits\"]) == 3"' \
	"$MLSCHED" $models/hand-frozen-savedmodel/model
same "inspect says that the kernel engine takes the model" "kernel engine  takes it" \
	"$("$MLSCHED" inspect $models/hand-frozen-savedmodel/model | grep 'kernel engine')"

same "inspect says that the scheduler takes the model" "mlsched run    takes it" \
	"$("$MLSCHED" inspect $models/hand-frozen-savedmodel/model | grep 'mlsched run')"

# Of each format: every item, as text and as JSON, and both say the same.
cat >"$tap_tmp/items.py" <<'END'
import json, re, subprocess, sys

mlsched = sys.argv[1]


def inspect(path, *options):
    return subprocess.run([mlsched, "inspect", *options, path], capture_output=True, text=True, check=True).stdout


def same(what, found, expected):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


def look_at(path, text, d, form, producer, schema, shape, engines):
    print(path)
    widths = [int(w) for w in shape.split("-")]
    fields = dict(re.findall(r"^(\S+(?: \S+)*?)  +(\S.*)$", text, re.M))
    # Format, producer, schema.
    same("format", (d["format"], fields["format"]), (form, form))
    same("producer", d["producer"], producer)
    same("producer as text", fields["producer"], producer or "not stated")
    same("schema", d["schema"], schema)
    same("schema as text", fields["schema"], f"{schema}, version 1" if schema else "not stated")
    same("schema's version", d["schema_version"], 1 if schema else None)
    # Layers, shapes, parameters.
    same("shape", [d["inputs"]] + [layer["units"] for layer in d["layers"]], widths)
    same("shape as text", fields["network"], shape)
    same("outputs", d["outputs"], widths[-1])
    parameters = [a * b + (b if layer["bias"] else 0) for a, b, layer in zip(widths, widths[1:], d["layers"])]
    same("parameters of the layers", [layer["parameters"] for layer in d["layers"]], parameters)
    same("parameters", (d["parameters"], fields["parameters"]), (sum(parameters), str(sum(parameters))))
    for i, layer in enumerate(d["layers"]):
        row = re.search(rf"^ *{i} +(\d+) +(\d+) +(\S.*?) +(yes|no) +(\d+)$", text, re.M)
        same(f"layer {i} as text", (int(row[1]), int(row[2]), row[3].split()[0], row[4], int(row[5])),
             (layer["inputs"], layer["units"], layer["activation"], "yes" if layer["bias"] else "no", layer["parameters"]))
    same("threshold", fields["threshold"], f"{d['threshold']:g} (logit {d['threshold_logit']:g})")
    same("checksum", fields["checksum"], d["checksum"])
    # How well it quantises: error, verdicts that change.
    f = d["fixed_point"]
    if "unavailable" in f:
        same("fixed point as text", fields["fixed point"], "no: " + f["unavailable"])
    else:
        same("fixed point as text", fields["fixed point"],
             f"{100 * f['agreement']:.2f} % of verdicts as in float32, on {f['rows']} rows drawn from its {f['range']}")
        assert f"logit off by {f['median_error']:.4f} of its standard deviation (median; at most {f['max_error']:.4f})" in text
        assert 0 < f["median_error"] <= f["max_error"]
        n = f["disagreements"]
        same("agreement", round(f["agreement"] * f["rows"]), f["rows"] - n)
        changes = f"{n} verdict{'s change' if n > 1 else ' changes'}, within {f['worst_margin']:.4f} of" if n else "no verdict changes"
        assert re.search(rf"^ +{re.escape(changes)}", text, re.M), changes
        same("the kernel's engine", f["kernel_engine"], "kernel" in engines)
        same("the kernel's engine as text", fields["kernel engine"],
             "takes it" if f["kernel_engine"] else f"does not take it: {f['kernel_objection']}")
    # Whether the scheduler takes it, and what to do if not.
    same("engines", ",".join(d["engines"]), engines)
    same("an objection", bool(d["objection"]), not engines)
    same("the scheduler as text", fields["mlsched run"], f"does not take it: {d['objection']}" if d["objection"] else
         "takes it" + " with --backend scx" * (d["schema"] == "mig15") + " with --engine native" * ("kernel" not in engines))
    same("backends", d["backends"], [] if not engines else ["scx"] if d["schema"] == "mig15" else ["scx", "shadow"])
    same("advice", bool(d["advice"]), "kernel" not in engines)
    same("advice as text", fields.get("what to do"), d["advice"])


if sys.argv[2] == "--all":
    # What text says against what JSON says.
    for path in sys.argv[3:]:
        d = json.loads(inspect(path, "--json"))
        shape = "-".join(str(n) for n in [d["inputs"]] + [layer["units"] for layer in d["layers"]])
        look_at(path, inspect(path), d, d["format"], d["producer"], d["schema"], shape, ",".join(d["engines"]))
else:
    look_at(sys.argv[2], inspect(sys.argv[2]), json.loads(inspect(sys.argv[2], "--json")), *sys.argv[3:])
END
items() { # PATH FORMAT PRODUCER SCHEMA SHAPE ENGINES
	check "inspect shows every item of ${1#tests/golden/}" python3 "$tap_tmp/items.py" "$MLSCHED" "$@"
}
both=kernel,native golden=tests/golden
weights="keras weights only; assumed: relu inside, sigmoid last"
items $models/tf221-keras3-norm-savedmodel/model savedmodel "tensorflow 2.21.0" seed10 10-64-64-1 $both
items $models/tf212-layers-leaky/model savedmodel "tensorflow 2.12.0" seed10 10-8-8-1 $both
items $models/hand-frozen-savedmodel/model savedmodel "" seed10 10-64-64-1 $both
items $models/tf221-keras3-15-10-1-savedmodel/model savedmodel "tensorflow 2.21.0" "" 15-10-1 ""
items $models/tf221-layers-relu6/model savedmodel "tensorflow 2.21.0" seed10 10-8-1 native
items $models/tf221-layers-elu/model savedmodel "tensorflow 2.21.0" seed10 10-8-8-2 native
items $golden/keras/models/tf215-keras2-h5/model.h5 h5 "keras 2.15.0" seed10 10-64-64-1 $both
items $golden/keras/models/tf221-keras3-norm-h5/model.h5 h5 "keras 3.15.1" seed10 10-64-64-1 $both
items $golden/keras/models/tf215-keras2-15-10-1-h5/model.h5 h5 "keras 2.15.0" "" 15-10-1 ""
items $golden/keras/models/tf221-keras3-weights-h5/model.weights.h5 h5 "$weights" seed10 10-64-64-1 $both
items $golden/keras/models/tf215-keras2-norm-keras/model.keras keras "keras 2.15.0" seed10 10-64-64-1 $both
items $golden/keras/models/tf221-keras3-keras/model.keras keras "keras 3.15.1" seed10 10-64-64-1 $both
items $golden/onnx/models/onnx-torch215/model.onnx onnx "pytorch 2.15.0+cu132" seed10 10-64-64-1 $both
items $golden/onnx/models/onnx-tf2onnx-norm/model.onnx onnx "tf2onnx 1.16.1 15c810" seed10 10-64-64-1 $both
items $golden/tflite/models/tf212-small/model.tflite tflite "tensorflow 2.12.0: MLIR Converted." seed10 10-4-1 $both
items $golden/tflite/models/tf221-tflite/model.tflite tflite "tensorflow 2.21.0: MLIR Converted." seed10 10-64-64-1 $both
items models/default savedmodel "$("$MLSCHED" --version)" mig15 15-64-64-1 $both
# Each golden model of each format has all of them: nothing is left out of JSON, and text says what JSON does.
check "inspect shows every item of every golden model" python3 "$tap_tmp/items.py" "$MLSCHED" --all $golden/*/models/*/model*
# What it says is to be done helps.
advised() {
	"$MLSCHED" convert --schema mig15 $golden/keras/models/tf215-keras2-15-10-1-h5/model.h5 "$tap_tmp/advised" &&
		"$MLSCHED" inspect --json "$tap_tmp/advised" | grep '"objection":null'
}
check "what it says is to be done helps" advised

same "inspect -v names every input" "    3  src_dom_load      fraction            -            -            -            -" \
	"$("$MLSCHED" inspect -v $models/hand-variables-savedmodel/model | grep src_dom_load)"

same "inspect says why a model is refused" \
	"mlsched inspect: Invalid SavedModel format: $bad/savedmodel-inf-bias/model/saved_model.pb: node dense/bias (Const): expected finite numbers, found inf at [7]" \
	"$("$MLSCHED" inspect $bad/savedmodel-inf-bias/model 2>&1)"
"$MLSCHED" inspect $bad/savedmodel-inf-bias/model >/dev/null 2>&1
same "inspect of a bad model exits 1" 1 $?
same "inspect --json prints the error as JSON" \
	'{"error":"Model not found at path: /nonexistent: No such file or directory"}' \
	"$("$MLSCHED" inspect --json /nonexistent)"
"$MLSCHED" inspect >/dev/null 2>&1
same "inspect without a model exits 2" 2 $?
"$MLSCHED" inspect a b >/dev/null 2>&1
same "inspect with two models exits 2" 2 $?
finish
