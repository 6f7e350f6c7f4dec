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

# ---- models that are refused: what the file tells is shown, then the error as ever ----

computed="what mlsched computes: one chain of at most 8 dense layers of at most 256 units, with relu, relu6, leaky_relu, elu, sigmoid, tanh or softmax, from one input to one output (docs/formats.md lists what is taken of each format); mlsched train makes one, docs/python.md does in Keras and PyTorch"
lstm=$golden/keras/bad/h5-lstm/model.h5
same "inspect shows the layers of a Keras model with one that is not taken, and what to do" "model          $lstm
format         h5
producer       keras 2.15.0
input          [?, 10]

layer     name       kind        shapes and settings
       0  input_4    InputLayer  [?, 10]
       1  reshape_1  Reshape
       2  lstm       LSTM        units 4, tanh; not taken: no layer of dense networks
       3  dense_5    Dense       units 1, sigmoid

in the way     layer 2, lstm (LSTM): expected a layer of dense networks, found LSTM
what to do     train a model without lstm (LSTM), of $computed" "$("$MLSCHED" inspect $lstm 2>/dev/null)"
unknown=$golden/onnx/bad/onnx-unknown-op/model.onnx
same "inspect shows the nodes of an ONNX model with one that is not taken, and what to do" "model          $unknown
format         onnx
producer       not stated
input          [?, 10]

node      name  kind               shapes and settings
       0  z0    Gemm               x, w0, b0 -> z0
       1  a0    FancyActivation    z0 -> a0; not taken: no operation of dense layers
       2  z1    Gemm               a0, w1, b1 -> z1
       3  y     Sigmoid            z1 -> y
       4  w0    graph initializer  float32 [10, 8]
       5  b0    graph initializer  float32 [8]
       6  w1    graph initializer  float32 [8, 1]
       7  b1    graph initializer  float32 [1]

in the way     node 1, a0 (FancyActivation): expected an operation of dense layers, found FancyActivation
what to do     train a model without a0 (FancyActivation), of $computed" "$("$MLSCHED" inspect $unknown 2>/dev/null)"

# A name that would command a terminal.
LC_ALL=C sed $'s/FancyActivation/FancyActivati\e[/' $unknown >"$tap_tmp/escape.onnx"
same "inspect of a refused model prints no control characters" "FancyActivati?[ 0" \
	"$("$MLSCHED" inspect "$tap_tmp/escape.onnx" 2>/dev/null | grep -o 'FancyActivati.\[' | head -1) $(
		"$MLSCHED" inspect "$tap_tmp/escape.onnx" 2>&1 | LC_ALL=C grep -c $'\e')"

# FILE: some of its parts ("kind detail"), which one is in the way, why, and how the advice begins.
cat >"$tap_tmp/refused.py" <<'END'
import json, subprocess, sys

mlsched, path, format_, producer, shape, in_the_way, why, advice, *parts = sys.argv[1:]
d = json.loads(subprocess.run([mlsched, "inspect", "--json", path], capture_output=True, text=True, check=False).stdout)
print(json.dumps(d, indent=1))
assert (d["format"], d["producer"], d["input"] or "") == (format_, producer, shape)
shown = [f"{p['kind']} {p['detail'] or ''}".strip() for p in d["parts"]]
for part in parts:
    assert part in shown, part
way = d["in_the_way"]
assert (f"{way['name']} ({way['kind']})" if way else "") == in_the_way
assert not way or (why and why in way["why"] and d["parts"][way["part"]]["name"] == way["name"])
assert (d["advice"] or "").startswith(advice) and bool(d["advice"]) == bool(advice)
END
refused() { # PATH FORMAT PRODUCER INPUT IN-THE-WAY WHY ADVICE PART...
	check "inspect shows what ${1#tests/golden/} tells" python3 "$tap_tmp/refused.py" "$MLSCHED" "$@"
}
of="train a model of what mlsched computes: " damaged="the file is damaged or not complete: "
refused $golden/keras/bad/keras3-selu/model.keras keras "keras 3.15.1" "[?, 10]" "dense (Dense)" "found selu" "$of" \
	"InputLayer [?, 10]" "Dense [?, 10], units 8, selu" "Dense [?, 8], units 1, linear"
refused $golden/keras/bad/keras3-wide/model.keras keras "keras 3.15.1" "[?, 10]" "dense (Dense)" "found 257" "$of" \
	"Dense [?, 10], units 257, relu"
refused $golden/keras/bad/keras3-residual/model.keras keras "keras 3.15.1" "[?, 10]" "add (Add)" "no layer of" \
	"train a model without add (Add), of what" "Add"
refused $golden/keras/bad/keras3-nan/model.h5 h5 "keras 3.15.1" "[?, 10]" "dense (Dense)" "found nan at [1, 0]" \
	"train the model again" "BatchNormalization" "Dropout rate 0.3" "Dense units 1, linear"
refused $golden/keras/bad/keras3-nine/model.keras keras "keras 3.15.1" "[?, 10]" "dense_8 (Dense)" "at most 8 layers" "$of"
refused $golden/keras/bad/keras-no-weights/model.keras keras "keras 3.15.1" "[?, 10]" "" "" "$damaged" "Dense [?, 10], units 64, relu"
refused $golden/keras/bad/keras3-weights-activation/model.weights.h5 h5 "" "" "re_lu (weights alone)" "another layer" \
	"save the whole model" "weights alone"
refused $golden/keras/bad/h5-truncated/model.h5 h5 "" "" "" "" "$damaged"
# A path is nothing that the file tells.
mkdir "$tap_tmp/no architecture, (quantised"
cp $golden/keras/bad/h5-truncated/model.h5 "$tap_tmp/no architecture, (quantised"
refused "$tap_tmp/no architecture, (quantised/model.h5" h5 "" "" "" "" "$damaged"
refused $bad/savedmodel-conv/model savedmodel "tensorflow 2.15.1" "[?, 10]" "sequential_1/conv1d/Conv1D (Conv2D)" \
	"found Conv2D" "train a model without sequential_1/conv1d/Conv1D (Conv2D), of what" \
	"VarHandleOp float32 [32, 1]" "VarHandleOp float32 [3, 1, 4]" "Placeholder float32 [?, 10]"
refused $bad/savedmodel-nan/model savedmodel "" "[?, 10]" "dense_1/kernel (VarHandleOp)" "found nan at [3, 5]" \
	"train the model again" "VarHandleOp float32 [64, 64]" "MatMul dense/Relu, dense_1/kernel/Read"
refused $bad/savedmodel-data-crc/model savedmodel "tensorflow 2.15.1" "[?, 10]" "" "" "$damaged" "VarHandleOp float32 [64, 64]"
refused $bad/savedmodel-cycle/model savedmodel "" "[?, 10]" "dense_1/Relu (Relu)" "depends on itself" "$damaged"
refused $bad/savedmodel-no-signature/model savedmodel "" "" "" "" "save the model with one signature" "Placeholder float32 [?, 10]" "Relu dense_0/BiasAdd"
refused $bad/tf212-layers-two-inputs/model savedmodel "tensorflow 2.12.0" "[?, 10]" "" "" "$of"
refused $golden/onnx/bad/onnx-shape-mismatch/model.onnx onnx "" "[?, 10]" "w1 (graph initializer)" "found 32" "$damaged" \
	"graph initializer float32 [9, 1]" "Gemm a0, w1, b1 -> z1"
refused $golden/tflite/bad/tflite-skip/model.tflite tflite "tensorflow 2.21.0: MLIR Converted." "[?, 10]" \
	'tensor 6 "functional_24_1/add_1/Add" (ADD)' "not a chain of dense layers" "$of" "FULLY_CONNECTED [?, 10], [10, 10], [10] -> [?, 10]"
refused $golden/tflite/bad/tflite-int8-weights/model.tflite tflite "tensorflow 2.21.0: MLIR Converted." "[?, 10]" \
	'tensor 6 "sequential_20_1/dense_45_1/MatMul" (constant tensor)' "found int8" "save or convert the model without quantisation" \
	"FULLY_CONNECTED [?, 64], int8 [64, 64], [64] -> [?, 64]" "constant tensor int8 [64, 64]"

# Of every model that is refused: the error alone on standard error, as of any other command; status 1; text and JSON alike.
cat >"$tap_tmp/all_refused.py" <<'END'
import json, re, subprocess, sys

mlsched, *paths = sys.argv[1:]
n = 0
for path in paths:
    text = subprocess.run([mlsched, "inspect", path], capture_output=True, text=True, check=False)
    d = json.loads(subprocess.run([mlsched, "inspect", "--json", path], capture_output=True, text=True, check=False).stdout)
    if "error" not in d:
        continue                # A model, of another width than is asked for.
    print(path)
    n += 1
    predict = subprocess.run([mlsched, "predict", path], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert text.returncode == 1
    assert text.stderr == f"mlsched inspect: {d['error']}\n", text.stderr
    assert predict.stderr == f"mlsched predict: {d['error']}\n", predict.stderr
    assert re.search(rf"^format +{d['format']}$", text.stdout, re.M)
    rows = [(p["name"], p["kind"]) for p in d["parts"]]
    found = re.findall(r"^ +\d+  (.*\S)$", text.stdout, re.M)
    assert len(found) == len(rows) and all(line.startswith(name) and kind in line for line, (name, kind) in zip(found, rows))
    assert ("what to do" in text.stdout) == bool(d["advice"]) and d["advice"] in text.stdout
    way = d["in_the_way"]
    assert bool(way) == ("\nin the way " in text.stdout)
    assert not way or f" {way['part']}, {way['name']} ({way['kind']}): {way['why']}\n" in text.stdout
assert n >= 50, n
END
check "inspect of every model that is refused ends with its error" python3 "$tap_tmp/all_refused.py" "$MLSCHED" $golden/*/bad/*/model*
same "inspect of nothing that is known prints the error alone" \
	"mlsched inspect: Invalid model format: README.md: expected one of: TensorFlow SavedModel directory, Keras .h5 file, Keras .keras archive, ONNX file, LiteRT .tflite file; found a file that is none" \
	"$("$MLSCHED" inspect README.md 2>&1)"

same "inspect says why a model is refused" \
	"mlsched inspect: Invalid SavedModel format: $bad/savedmodel-inf-bias/model/saved_model.pb: node dense/bias (Const): expected finite numbers, found inf at [7]" \
	"$("$MLSCHED" inspect $bad/savedmodel-inf-bias/model 2>&1 >/dev/null)"
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
