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
mlsched run    does not take it: Expected shape [?, 10], got [?, 15]: decisions need a model of schema seed10 or mig15, this one's is \"\"; if its inputs are mig15's, \`mlsched convert --schema mig15\` says so" "$text"

same "inspect --json prints one document" \
	'{"model":"'$models'/hand-frozen-savedmodel/model","format":"savedmodel","producer":"","schema":"seed10","schema_version":1,"inputs":10,"outputs":1,"parameters":4929,"threshold":0.5,"threshold_logit":0.0,"layers":[{"inputs":10,"units":64,"activation":"relu","bias":true,"parameters":704},{"inputs":64,"units":64,"activation":"relu","bias":true,"parameters":4160},{"inputs":64,"units":1,"activation":"sigmoid","bias":true,"parameters":65}],"normalization":null,"calibration":null,"provenance":null}' \
	"$("$MLSCHED" inspect --json $models/hand-frozen-savedmodel/model |
		sed 's/"checksum":"[0-9a-f]\{8\}",//; s/"fixed_point":{.*},"objection":null,"mechanisms":null,"offers_us":null,"provenance"/"provenance"/')"

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
