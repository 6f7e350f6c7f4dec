#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A model says for which scheduler it was trained, and mlsched run makes it that: mechanisms
# when it begins, offers in the kernel while the model decides and no longer.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "the scheduler that a model was trained for"

check "a writer of models builds" build_helper constant_model
models=$tap_tmp/models
mkdir "$models"
# tuned NAME OFFERS
tuned() {
	"$tap_tmp/constant_model" 5 "$models/$1" 15 mig15 && python3 - "$models/$1/assets/mlsched.json" "$2" <<'END'
import json, sys
model = json.load(open(sys.argv[1]))
model["mechanisms"], model["offers_us"] = ["fork-in-place", "ask-again"], json.loads(sys.argv[2])
json.dump(model, open(sys.argv[1], "w"))
END
}
check "models are written" sh -c "\"\$1\" 5 \"\$2/accept\" 15 mig15" - "$tap_tmp/constant_model" "$models"
check "one that says for which scheduler" tuned eager '[100, 300, 500]'
check "another one" tuned other '[0, 1, 2]'

for kernel in "${kernels[@]}"; do
	if lacks_functions "$kernel"; then
		skip "$kernel: the scheduler that a model was trained for" "no scheduler can be loaded there"
		continue
	fi
	out=$tap_tmp/$kernel
	check "$kernel: modes, changes of the model, a CPU that goes and comes" \
		guest -k "$kernel" -t 1x2x2 -m 512 -o "$out" -p "$MLSCHED" -p "$O/vm/mls-workload" \
		-f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_tuning.sh -f "$models=/models" -- guest_tuning.sh
	holds() {
		check "$kernel: $1" python3 tests/vm/check_tuning.py "$2" "$out"
		sed 's/^/# /' "$tap_out"
	}
	holds "the model's offers stand in the kernel while it decides, the usual ones else" offers
	holds "decisions are made with them" decides
	holds "mechanisms are the model's unless others are named, with a warning" mechanisms
done
finish
