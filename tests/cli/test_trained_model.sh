#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# models/default, trained in the simulator: small, for the kernel, with its scheduler, and what
# docs/simulator.md says of it on a compile.  And it can be made again: here up to the round that
# was delivered, whose weights are the same to the bit; `make trained-model-check` makes all
# rounds, and compares what it says of itself, too.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
model=models/default

check "it takes less than 100 KiB" sh -c '[ "$(cat $(find "$1" -type f) | wc -c)" -lt 102400 ]' - $model
field() { "$MLSCHED" inspect --json $model | python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
same "it is of schema mig15, and the kernel can take it" "mig15 True" \
	"$(field 'd["schema"]') $(field 'd["fixed_point"]["kernel_engine"] and d["fixed_point"]["agreement"] >= 0.995')"
same "it says for which scheduler it was trained" "['fork-in-place', 'ask-again', 'level-large'] [500.0, 1000.0, 1500.0]" \
	"$(field 'd["mechanisms"]') $(field 'd["offers_us"]')"
same "and by which options: those that train --from sim has by itself, and a seed" "[300.0, 1600.0, 2000.0] 600.0 4 1 6" \
	"$(field '" ".join(str(d["provenance"][name]) for name in ("move_price_us", "wait_price_us", "price_most", "seed", "runs"))')"
check "it is trained again, up to the round that was delivered" "$MLSCHED" train --from sim -q \
	--seed "$(field 'd["provenance"]["seed"]')" --rounds "$(field 'd["provenance"]["round"]')" --output "$tap_tmp/again"
for file in variables/variables.data-00000-of-00001 variables/variables.index saved_model.pb; do
	check "it is the same to the bit: $file" cmp $model/$file "$tap_tmp/again/$file"
done
own() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); del d["provenance"]; print(json.dumps(d))' "$1/assets/mlsched.json"; }
same "with the same schema, threshold, calibration, mechanisms and offers" "$(own $model)" "$(own "$tap_tmp/again")"
check "of a compile it moves less than a third of what EEVDF moves, on seeds that it has never seen" sh -c \
	'"$1" sim -m 8c2l,32c4l -w make,make1 -p eevdf,model --model "$2" --seeds 4 --seed 4000001 --json | python3 -c "$3"' - \
	"$MLSCHED" $model '
import collections, json, sys
sums = collections.Counter()
for run in json.load(sys.stdin)["runs"]:
    for name in ("moves", "makespan_ms"):
        sums[run["machine"], run["workload"], run["policy"], name] += run[name]
for machine in ("8c2l", "32c4l"):
    for load in ("make", "make1"):
        of = {name: sums[machine, load, "model", name] / sums[machine, load, "eevdf", name] for name in ("moves", "makespan_ms")}
        print(machine, load, of)
        assert of["moves"] < 1 / 3 and of["makespan_ms"] < 1.05'
finish
