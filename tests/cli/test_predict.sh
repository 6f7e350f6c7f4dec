#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched predict on a SavedModel: outputs, and what it says about bad input.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
models=tests/golden/savedmodel/models
bad=tests/golden/savedmodel/bad
model=$models/hand-variables-savedmodel/model

check "predict agrees with TensorFlow on every row" python3 - "$MLSCHED" $models/*-savedmodel/ <<'P'
import json, subprocess, sys
for directory in sys.argv[2:]:
    expected = json.load(open(directory + "expected.json"))
    rows = "\n".join(",".join(map(repr, row)) for row in expected["inputs"])
    found = subprocess.run([sys.argv[1], "predict", directory + "model"], input=rows, text=True,
                           check=True, capture_output=True).stdout.split()
    scale = max(1, max(map(abs, expected["outputs"])))
    assert len(found) == len(expected["outputs"]) == 64, directory
    for a, b in zip(found, expected["outputs"]):
        assert abs(float(a) - b) <= 2e-6 * scale, (directory, a, b)
P
same "predict --json prints a document a row" 2 \
	"$(printf '0 0 0 0 0 0 0 0 0 0\n# none\n\n1,1,1,1,1,1,1,1,1,1\n' |
		"$MLSCHED" predict --json $model | grep -c '^{"outputs":\[0\.[0-9]*\]}$')"
same "a row of another width is refused" "mlsched predict: Expected shape [?, 10], got [?, 5]: <stdin>:1" \
	"$(echo 1 2 3 4 5 | "$MLSCHED" predict $model 2>&1)"
same "predict takes a model of any width" 1 \
	"$(echo 1 2 3 4 5 | "$MLSCHED" predict $bad/savedmodel-wrong-width/model | wc -l)"
same "a word that is no number is refused" "mlsched predict: <stdin>:2: expected a finite number, got \"nan\"" \
	"$(printf '# rows\n1 nan\n' | "$MLSCHED" predict $model 2>&1)"
same "a zero byte in a row is refused" "mlsched predict: <stdin>:1: expected text, got a zero byte" \
	"$(printf '1 2 3 4 5 6 7 8 9 10\0junk\n' | "$MLSCHED" predict $model 2>&1)"
same "a bad model is refused" \
	"mlsched predict: Invalid SavedModel format: $bad/savedmodel-no-variables/model/variables/variables.index: expected the variables that the graph reads, found no such file" \
	"$("$MLSCHED" predict $bad/savedmodel-no-variables/model 2>&1 </dev/null)"
cp -r $model "$tap_tmp/huge"
chmod -R u+w "$tap_tmp/huge"
truncate -s 1073741825 "$tap_tmp/huge/variables/variables.data-00000-of-00001"
same "a data file beyond the limit is refused unread" \
	"mlsched predict: Invalid SavedModel format: $tap_tmp/huge/variables/variables.data-00000-of-00001: expected at most 1073741824 bytes of variables, found 1073741825" \
	"$("$MLSCHED" predict "$tap_tmp/huge" 2>&1 </dev/null)"
same "no model is refused" "mlsched predict: Model not found at path: /nonexistent: No such file or directory" \
	"$("$MLSCHED" predict /nonexistent 2>&1 </dev/null)"
"$MLSCHED" predict /nonexistent >/dev/null 2>&1 </dev/null
same "predict without a model exits 1" 1 $?
finish
