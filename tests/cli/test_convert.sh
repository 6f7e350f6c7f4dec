#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched convert: between the forms of a SavedModel, and what it will not overwrite.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
models=tests/golden/savedmodel/models
hand=$models/hand-variables-savedmodel/model
row="3 1 1 0.9 0.2 0 0 0 0 0"

predict() { echo "$row" | "$MLSCHED" predict "$1"; }
checksum() { "$MLSCHED" inspect --json "$1" | sed 's/.*"checksum":"\([0-9a-f]*\)".*/\1/'; }

check "convert writes the form with variables" "$MLSCHED" convert $models/tf221-keras3-norm-savedmodel/model "$tap_tmp/variables"
check "convert writes the frozen form" "$MLSCHED" convert --form frozen "$tap_tmp/variables" "$tap_tmp/frozen"
same "convert keeps weights and normalisation" "$(checksum $models/tf221-keras3-norm-savedmodel/model)" "$(checksum "$tap_tmp/frozen")"
same "a converted model gives the same output" "$(predict $models/tf221-keras3-norm-savedmodel/model)" "$(predict "$tap_tmp/frozen")"
same "the frozen form has no variables" "assets saved_model.pb" "$(cd "$tap_tmp/frozen" && echo ./* | sed 's|\./||g')"

check "convert of the smallest model" "$MLSCHED" convert $hand "$tap_tmp/hand"
check "convert gives the bytes that TensorFlow writes" cmp $hand/variables/variables.index "$tap_tmp/hand/variables/variables.index"
check "convert gives the graph of the recipe" cmp $hand/saved_model.pb "$tap_tmp/hand/saved_model.pb"

check "convert replaces a model" "$MLSCHED" convert --form frozen "$tap_tmp/hand" "$tap_tmp/hand"
same "convert onto itself keeps the weights" "$(checksum $hand)" "$(checksum "$tap_tmp/hand")"
same "convert --json says what it wrote" \
	'{"from":"'$hand'","to":"'"$tap_tmp"'/json","format":"savedmodel"}' \
	"$("$MLSCHED" convert --json $hand "$tap_tmp/json")"

keras=tests/golden/keras/models
for model in tf215-keras2-norm-h5/model.h5 tf221-keras3-keras/model.keras; do
	check "convert makes a SavedModel of $model" "$MLSCHED" convert $keras/$model "$tap_tmp/keras"
	same "convert keeps the weights and normalisation of $model" "$(checksum $keras/$model)" "$(checksum "$tap_tmp/keras")"
	same "$model predicts what its SavedModel does" "$(predict $keras/$model)" "$(predict "$tap_tmp/keras")"
done
for suffix in h5 keras; do
	check "convert writes .$suffix by the name" "$MLSCHED" convert $models/tf221-keras3-norm-savedmodel/model "$tap_tmp/model.$suffix"
	same ".$suffix keeps weights and normalisation" "$(checksum $models/tf221-keras3-norm-savedmodel/model)" "$(checksum "$tap_tmp/model.$suffix")"
	same "a .$suffix gives the same output" "$(predict $models/tf221-keras3-norm-savedmodel/model)" "$(predict "$tap_tmp/model.$suffix")"
	check "convert writes $suffix under another name" "$MLSCHED" convert --to $suffix "$tap_tmp/model.$suffix" "$tap_tmp/other-$suffix"
	check "the same model is the same $suffix" cmp "$tap_tmp/model.$suffix" "$tap_tmp/other-$suffix"
	check "convert replaces one" "$MLSCHED" convert --to $suffix $hand "$tap_tmp/other-$suffix"
	same "which is another one then" "$(checksum $hand)" "$(checksum "$tap_tmp/other-$suffix")"
done
# One .keras for every Keras: what only one of them understands is not in it, and where Keras 2.12 looks are the same weights.
# tests/interop/test_keras.py has Keras itself.
all_keras() {
	python3 - "$tap_tmp/model.keras" "$tap_tmp/old.keras" <<'END'
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
config = json.loads(members["config.json"])
assert config["config"]["build_input_shape"] == [None, 10], config
for layer in config["config"]["layers"]:
    assert layer["class_name"] != "InputLayer" and not {"batch_shape", "batch_input_shape", "negative_slope"} & layer["config"].keys(), layer
weights = members["model.weights.h5"]
assert weights.count(b"\0layers\0") == 1 and b"\0vars\0" in weights
# Without the newer place only the older one is left.
members["model.weights.h5"] = weights.replace(b"\0layers\0", b"\0gone--\0")
with zipfile.ZipFile(sys.argv[2], "w") as archive:
    for name, content in members.items():
        archive.writestr(name, content)
END
}
check "a .keras says nothing that only Keras 3 understands" all_keras
same "and has the same weights where Keras 2.12 looks for them" "$(checksum "$tap_tmp/model.keras")" "$(checksum "$tap_tmp/old.keras")"
python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(b"\x89HDF")
data[at:at + 1] = b"x"
open(sys.argv[2], "wb").write(data)' "$tap_tmp/model.keras" "$tap_tmp/spoilt.keras"
same "a member of another content is refused" \
	"mlsched inspect: Invalid Keras format: $tap_tmp/spoilt.keras: model.weights.h5: expected the bytes of a member, found that libzip says: CRC error" \
	"$("$MLSCHED" inspect "$tap_tmp/spoilt.keras" 2>&1 >/dev/null)"

# A system without the two libraries: whatever is looked up is not found.
cat >"$tap_tmp/nothing.c" <<'END'
#include <stddef.h>
void *dlopen(const char *name, int how);
char *dlerror(void);
void *dlopen(const char *name, int how) { return (void)name, (void)how, NULL; }
char *dlerror(void) { return "not found"; }
END
if [ -n "${SANITIZE:-}" ]; then
	skip "without libhdf5 and libzip the messages say what to install" "the sanitizer wants to be loaded first"
else
	cc=$(command -v clang-19 || command -v gcc)
	check "a library that finds none is built" "$cc" -shared -fPIC -o "$tap_tmp/nothing.so" "$tap_tmp/nothing.c"
	without() { { LD_PRELOAD=$tap_tmp/nothing.so "$MLSCHED" inspect "$1" >/dev/null; } 2>&1; }
	same "without libhdf5 the message says what to install" \
		"mlsched inspect: Cannot read model: $keras/tf215-keras2-h5/model.h5: reading HDF5 needs libhdf5 1.10 or later (Debian: apt install libhdf5-103-1): not found" \
		"$(without $keras/tf215-keras2-h5/model.h5)"
	same "without libzip the message says what to install" \
		"mlsched inspect: Cannot read model: $keras/tf221-keras3-keras/model.keras: reading zip archives needs libzip (Debian: apt install libzip4): not found" \
		"$(without $keras/tf221-keras3-keras/model.keras)"
	convert_without() { LD_PRELOAD=$tap_tmp/nothing.so "$MLSCHED" convert $hand "$1" 2>&1; }
	same "nor is any written" \
		"mlsched convert: Cannot write model: $tap_tmp/none.h5: writing HDF5 needs libhdf5 1.10 or later (Debian: apt install libhdf5-103-1): not found" \
		"$(convert_without "$tap_tmp/none.h5")"
	same "nor an archive" \
		"mlsched convert: Cannot write model: $tap_tmp/none.keras: writing HDF5 needs libhdf5 1.10 or later (Debian: apt install libhdf5-103-1): not found" \
		"$(convert_without "$tap_tmp/none.keras")"
	refuse "nothing is there then" test -e "$tap_tmp/none.h5" -o -e "$tap_tmp/none.keras"
fi

onnx=tests/golden/onnx/models
check "convert writes ONNX by the name" "$MLSCHED" convert $models/tf221-keras3-norm-savedmodel/model "$tap_tmp/model.onnx"
same "ONNX keeps weights and normalisation" "$(checksum $models/tf221-keras3-norm-savedmodel/model)" "$(checksum "$tap_tmp/model.onnx")"
same "an ONNX model gives the same output" "$(predict $models/tf221-keras3-norm-savedmodel/model)" "$(predict "$tap_tmp/model.onnx")"
check "convert takes ONNX back to a SavedModel" "$MLSCHED" convert "$tap_tmp/model.onnx" "$tap_tmp/back"
check "the way there and back changes no byte of the weights" cmp "$tap_tmp/variables/variables/variables.data-00000-of-00001" \
	"$tap_tmp/back/variables/variables.data-00000-of-00001"
check "the way there and back changes no byte of what else there is" cmp "$tap_tmp/variables/assets/mlsched.json" "$tap_tmp/back/assets/mlsched.json"
check "convert writes ONNX under another name" "$MLSCHED" convert --to onnx "$tap_tmp/back" "$tap_tmp/other"
check "one writer's ONNX is another's" cmp "$tap_tmp/model.onnx" "$tap_tmp/other"
same "convert --json names the format" \
	'{"from":"'$onnx'/onnx-torch215/model.onnx","to":"'"$tap_tmp"'/torch.onnx","format":"onnx"}' \
	"$("$MLSCHED" convert --json $onnx/onnx-torch215/model.onnx "$tap_tmp/torch.onnx")"
same "convert of another tool's ONNX keeps the weights" "$(checksum $onnx/onnx-torch215/model.onnx)" "$(checksum "$tap_tmp/torch.onnx")"
foreign=$models/tf221-keras3-15-10-1-savedmodel/model
check "convert says what the inputs of a foreign model are" "$MLSCHED" convert --schema mig15 $foreign "$tap_tmp/mig15"
same "the scheduler takes it then" "schema         mig15, version 1
mlsched run    takes it with --backend scx" "$("$MLSCHED" inspect "$tap_tmp/mig15" | grep -E '^(schema|mlsched run)')"
same "its weights are what they were" "$(checksum $foreign)" "$(checksum "$tap_tmp/mig15")"
check "to say the same again is allowed" "$MLSCHED" convert --schema mig15 "$tap_tmp/mig15" "$tap_tmp/mig15.onnx"
same "a schema of another width is refused" \
	"mlsched convert: $foreign: Expected shape [?, 10], got [?, 15]: the model's inputs are not those of schema seed10" \
	"$("$MLSCHED" convert --schema seed10 $foreign "$tap_tmp/none" 2>&1)"
same "a model knows better what its inputs are" \
	"mlsched convert: --schema: expected mig15, which $tap_tmp/mig15 is, got mllb15" \
	"$("$MLSCHED" convert --schema mllb15 "$tap_tmp/mig15" "$tap_tmp/none" 2>&1)"
"$MLSCHED" convert --schema none $foreign "$tap_tmp/none" >/dev/null 2>"$tap_tmp/error"
same "an unknown schema exits 2" 2 $?
same "an unknown schema is named" "mlsched convert: --schema: expected one of seed10, mllb15, mig15, got \"none\"" \
	"$(head -n 1 "$tap_tmp/error")"
refuse "nothing was written" test -e "$tap_tmp/none"
same "a form is not for ONNX" "mlsched convert: --form is of a SavedModel, but $tap_tmp/x.onnx is to be: ONNX file" \
	"$("$MLSCHED" convert --form frozen $hand "$tap_tmp/x.onnx" 2>&1)"
echo precious >"$tap_tmp/diary.onnx"
same "convert leaves other files alone" \
	"mlsched convert: Cannot write model: $tap_tmp/diary.onnx: expected a model to replace, found another file" \
	"$("$MLSCHED" convert $hand "$tap_tmp/diary.onnx" 2>&1)"
same "what was in the file is still there" precious "$(cat "$tap_tmp/diary.onnx")"

tflite=tests/golden/tflite/models
check "convert reads LiteRT" "$MLSCHED" convert $tflite/tf221-float16/model.tflite "$tap_tmp/lite"
same "convert of a LiteRT model keeps the weights" "$(checksum $tflite/tf221-float16/model.tflite)" "$(checksum "$tap_tmp/lite")"
same "convert says that LiteRT is not written" \
	"mlsched convert: $tap_tmp/x.tflite: expected a name of a format that can be written, found that of a LiteRT .tflite file, which can only be read (format savedmodel writes one under this name)" \
	"$("$MLSCHED" convert $hand "$tap_tmp/x.tflite" 2>&1)"
check "suffixes are the same in capitals" "$MLSCHED" convert $hand "$tap_tmp/x.H5"
check "x.H5 is a file" test -f "$tap_tmp/x.H5"
for name in x.pb x.PT x.hdf5; do
	same "a directory is not made under the name of a file: $name" \
		"mlsched convert: $tap_tmp/$name: expected NAME.h5, NAME.weights.h5, NAME.keras, NAME.onnx or the name of a directory, found that of another file (--to savedmodel makes a directory of that name) no" \
		"$("$MLSCHED" convert $hand "$tap_tmp/$name" 2>&1) $([ -e "$tap_tmp/$name" ] && echo yes || echo no)"
done
check "unless that is asked for" "$MLSCHED" convert --to savedmodel $hand "$tap_tmp/x.pb"
cp $tflite/tf212-small/model.tflite "$tap_tmp/no-name"
same "LiteRT is recognised by its content" "$(checksum $tflite/tf212-small/model.tflite)" "$(checksum "$tap_tmp/no-name")"
echo "no model" >"$tap_tmp/text.tflite"
same "a file that is only called .tflite is refused" \
	"mlsched convert: Invalid LiteRT format: $tap_tmp/text.tflite: expected \"TFL3\" at byte 4, found \"odel\"" \
	"$("$MLSCHED" convert "$tap_tmp/text.tflite" "$tap_tmp/x" 2>&1)"

mkdir "$tap_tmp/home" && echo precious >"$tap_tmp/home/diary.txt"
same "convert leaves other directories alone" \
	"mlsched convert: Cannot write model: $tap_tmp/home: expected a SavedModel or an empty directory to replace, found diary.txt in it" \
	"$("$MLSCHED" convert $hand "$tap_tmp/home" 2>&1)"
same "what was in it is still there" precious "$(cat "$tap_tmp/home/diary.txt")"
refuse "convert fails when it cannot write" "$MLSCHED" convert $hand "$tap_tmp/none/model"
same "nothing is left beside the models" "" "$(find "$tap_tmp" -name '.mlsched*')"

"$MLSCHED" convert --form onnx $hand "$tap_tmp/x" >/dev/null 2>"$tap_tmp/error"
same "an unknown form exits 2" 2 $?
same "an unknown form is named" "mlsched convert: --form: expected variables or frozen, got \"onnx\"" \
	"$(head -n 1 "$tap_tmp/error")"
"$MLSCHED" convert $hand >/dev/null 2>&1
same "convert without a new name exits 2" 2 $?
"$MLSCHED" convert /nonexistent "$tap_tmp/x" >/dev/null 2>&1
same "convert of nothing exits 1" 1 $?

mkdir -p "$tap_tmp/threshold/assets" && cp -r "$tap_tmp/frozen/." "$tap_tmp/threshold"
asset=$tap_tmp/threshold/assets/mlsched.json
echo '{"mlsched": 1, "schema": "seed10", "schema_version": 1, "threshold": 0.25, "provenance": {"seed": 7}}' >"$asset"
"$MLSCHED" convert "$tap_tmp/threshold" "$tap_tmp/again"
same "threshold and provenance go along" "threshold      0.25 (logit -1.09861)
provenance     {\"seed\":7}" "$("$MLSCHED" inspect "$tap_tmp/again" | grep -E '^(threshold|provenance)')"

# Through every format and back, by every other.
for first in savedmodel h5 keras onnx; do
	for second in savedmodel h5 keras onnx; do
		"$MLSCHED" convert --to $first "$tap_tmp/threshold" "$tap_tmp/by-$first" &&
			"$MLSCHED" convert --to $second "$tap_tmp/by-$first" "$tap_tmp/by-$first-$second" &&
			"$MLSCHED" convert "$tap_tmp/by-$first-$second" "$tap_tmp/by-$first-$second-back"
		same "weights, normalisation, schema, threshold and provenance survive $first and $second" \
			"$("$MLSCHED" inspect "$tap_tmp/again")" \
			"$("$MLSCHED" inspect "$tap_tmp/by-$first-$second-back" | sed "s|$tap_tmp/by-$first-$second-back|$tap_tmp/again|")"
		check "and not a bit of the weights is another one ($first, $second)" \
			cmp "$tap_tmp/again/variables/variables.data-00000-of-00001" \
			"$tap_tmp/by-$first-$second-back/variables/variables.data-00000-of-00001"
	done
done

echo '{"mlsched": 1, "mechanisms": ["ask-again", "from-the-future"], "offers_us": [100, 0.5, 1000000]}' >"$asset"
"$MLSCHED" convert "$tap_tmp/threshold" "$tap_tmp/again"
same "the scheduler that it was trained for goes along" \
	"scheduler      with ask-again,from-the-future; offers above 100, 0.5, 1e+06 us by distance" \
	"$("$MLSCHED" inspect "$tap_tmp/again" | grep ^scheduler)"
same "and stands in JSON" "['ask-again', 'from-the-future'] [100.0, 0.5, 1000000.0]" "$("$MLSCHED" inspect --json "$tap_tmp/again" |
	python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["mechanisms"], d["offers_us"])')"

meta() {	# name json message
	echo "$2" >"$asset"
	same "$1" "mlsched inspect: $3" "$("$MLSCHED" inspect "$tap_tmp/threshold" 2>&1 >/dev/null)"
}
head="Invalid SavedModel format: $asset"
meta "a threshold out of range is refused" '{"mlsched": 1, "threshold": 1.5}' \
	"$head: key \"threshold\": expected a number between 0 and 1, found 1.5"
meta "a misspelt key is refused" '{"mlsched": 1, "treshold": 0.5}' \
	"$head: expected keys of layout 1, found \"treshold\""
meta "a later layout is refused" '{"mlsched": 2}' "$head: key \"mlsched\": expected layout 1, found 2"
meta "a later schema is refused" '{"mlsched": 1, "schema": "seed10", "schema_version": 9}' \
	"$head: schema seed10: expected version 1, found 9"
meta "another schema's width is refused" '{"mlsched": 1, "schema": "mllb15"}' \
	"Expected shape [?, 15], got [?, 10]: $asset: the model's inputs are not those of schema mllb15"
meta "calibration of another width is refused" '{"mlsched": 1, "calibration": {"min": [0], "max": [1]}}' \
	"$head: key \"calibration\": expected 10 inputs, found 1"
meta "calibration the wrong way round is refused" '{"mlsched": 1, "calibration": {"min": [2], "max": [1]}}' \
	"$head: key \"calibration\": expected min <= max, found 2 and 1 at index 0"
meta "provenance that is no object is refused" '{"mlsched": 1, "provenance": "me"}' \
	"$head: key \"provenance\": expected an object, found \"me\""
meta "offers without mechanisms are refused" '{"mlsched": 1, "offers_us": [100, 300, 500]}' \
	"$head: expected \"mechanisms\" and \"offers_us\", or neither, found \"offers_us\" alone"
meta "two offers are refused" '{"mlsched": 1, "mechanisms": [], "offers_us": [100, 300]}' \
	"$head: key \"offers_us\": expected an array of 3 numbers, found an array of 2"
meta "an offer below nothing is refused" '{"mlsched": 1, "mechanisms": [], "offers_us": [0, -1, 2]}' \
	"$head: key \"offers_us\": expected a number from 0 to 1e+06 at index 1, found -1"
meta "what is no name of a mechanism is refused" '{"mlsched": 1, "mechanisms": ["a,b"], "offers_us": [1, 2, 3]}' \
	"$head: key \"mechanisms\": expected a name at index 0, found \"a,b\""
meta "text that is no JSON is refused" '{"mlsched": 1,}' \
	"$head: line 1, column 15: expected JSON, found: string or '}' expected near '}'"
finish
