#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched eval --against-controls: the figures are those of mlsched sim, and what is said of
# a model follows from them.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh

"$MLSCHED" train --from sim --machines 4c2l --workloads message,make --runs 1 --rounds 1 --epochs 3 -q \
	--mechanisms ask-again --offers 500,1000,1500 -o "$tap_tmp/model"
against() { "$MLSCHED" eval --against-controls "$tap_tmp/model" "$@"; }

against -m 4c2l,4c2l2n -w make,imbalance -t 1 --json >"$tap_tmp/found"
same "eval --against-controls gives the same with other threads" "$(cat "$tap_tmp/found")" \
	"$(against -m 4c2l,4c2l2n -w make,imbalance -t 3 --json)"
tuning() {
	python3 -c '
import json, sys
document = json.load(sys.stdin)
print(document["mechanisms"], document["offers_us"])'
}
same "it asks the model under what it was trained with" "['ask-again'] [500.0, 1000.0, 1500.0]" \
	"$(tuning <"$tap_tmp/found")"
same "unless the command line says otherwise" "[] [500.0, 1000.0, 1500.0]" \
	"$(against -m 4c2l -w imbalance --seeds 2 --mechanisms none --json | tuning)"

# The same runs by mlsched sim, to which nothing is said of tuning either: means, paired differences with Student's interval
# of 9 degrees, and the claims.
"$MLSCHED" sim -m 4c2l,4c2l2n -w make,imbalance --seeds 10 --seed 2000001 \
	--model "$tap_tmp/model" --json \
	-p eevdf,rusty,base,mechanisms,mechanisms-refuse-llc,hysteresis,refuse,accept,eevdf-free,model >"$tap_tmp/runs"
cat >"$tap_tmp/check.py" <<'EOF'
import collections, json, math, sys
found, runs = (json.load(open(name)) for name in sys.argv[1:])
values = collections.defaultdict(list)
for r in runs["runs"]:
    for figure, value in r.items():
        values[r["machine"], r["workload"], r["policy"], figure].append(value)

def change(key, figure):
    a, b = values[key + (figure,)], values[key[:2] + ("eevdf", figure)]
    base = sum(b) / len(b)
    off = [100 * (x - y) / base for x, y in zip(a, b)]
    mean = sum(off) / len(off)
    half = 2.262 * math.sqrt(sum((x - mean) ** 2 for x in off) / 9 / 10)
    return mean, mean - half, mean + half

def alike(a, b):
    return abs(a - b) <= 1e-6 * (1 + abs(b))

cells, wrong = 0, []
for load in found["loads"]:
    where = load["machine"], load["workload"]
    rows = {row["policy"]: row for row in load["policies"]}
    for policy, row in rows.items():
        for figure in ("makespan_ms", "moves", "moves_llc", "moves_node", "wakeup_p99_ms", "wait_p99_ms", "refill_ms"):
            cells += 1
            mean = sum(values[where + (policy, figure)]) / 10
            if not alike(row[figure]["mean"], mean):
                wrong.append((where, policy, figure))
            against = row[figure]["against_percent"]
            if against and not all(map(alike, (against["mean"], against["low"], against["high"]),
                                       change(where + (policy,), figure))):
                wrong.append((where, policy, figure, "against"))
    bound, model = rows["eevdf-free"]["makespan_ms"]["against_percent"], rows["model"]
    if (bound["high"] < 0) != (model["won_back_percent"] is not None):
        wrong.append((where, "won back"))
    claims = {claim["claim"]: claim["holds"] for claim in load["claims"]}
    moves, time = model["moves"]["against_percent"], model["makespan_ms"]["against_percent"]
    for name, c, most in ("moves", moves, -77), ("makespan", time, -10 if bound["mean"] <= -13 else 0):
        if claims[name] != (True if c["high"] <= most else False if c["low"] > most else None):
            wrong.append((where, name))
print(cells, wrong)
EOF
alike() { # FILE: whether accepting all is what our base does, in moves of the first load
	python3 -c '
import json, sys
rows = {row["policy"]: row for row in json.load(open(sys.argv[1]))["loads"][0]["policies"]}
print(rows["accept"]["moves"]["mean"] == rows["base"]["moves"]["mean"] != rows["model"]["moves"]["mean"])' "$1"
}
same "the controls are not tuned as the model is: to take all is what the base does" True "$(alike "$tap_tmp/found")"
same "its figures and claims are those of the runs" "280 []" \
	"$(python3 "$tap_tmp/check.py" "$tap_tmp/found" "$tap_tmp/runs")"

against -m 4c2l -w imbalance --seeds 3 -q >"$tap_tmp/table"
same "the table has a row for each control and the model, and an answer to each claim" "10 5" \
	"$(grep -cE '^[a-z-]+ +[0-9]+ ' "$tap_tmp/table") $(grep -cE '^[+?-] model: ' "$tap_tmp/table")"
fails() { # NAME STATUS PATTERN ARGUMENTS
	"$MLSCHED" eval "${@:4}" >/dev/null 2>"$tap_tmp/err"
	same "$1" "$2 1" "$? $(grep -cE "$3" "$tap_tmp/err")"
}
fails "it takes no data" 2 'takes no data' --against-controls "$tap_tmp/model" data.csv
fails "one seed says nothing" 2 'needs 2 seeds' --against-controls "$tap_tmp/model" --seeds 1
fails "another threshold than the model's is not passed over" 2 'threshold goes with DATA.csv or --off-policy' \
	--against-controls "$tap_tmp/model" --threshold 0.9
fails "it wants a model" 2 'no model named' --against-controls
fails "which must be one that the simulator can ask" 1 'asks models of mig15' \
	--against-controls tests/golden/savedmodel/models/tf221-keras3-savedmodel/model --seeds 2
finish
