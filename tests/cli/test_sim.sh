#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched sim: the same figures for a seed, whatever the number of threads, and clear errors.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh

sim() { "$MLSCHED" sim "$@"; }

# of EXPRESSION: in Python, of the list of runs on standard input.
of() {
	python3 -c "
import json, sys
runs = json.load(sys.stdin)['runs']
def ms(policy):
    return [r['makespan_ms'] for r in runs if r['policy'] == policy and r['workload'] in ('message', 'imbalance')]
def without(name):
    return [{key: r[key] for key in r if key != name} for r in runs]
print($1)"
}

one=$(sim --seeds 2 -t 1 -m 4c2l,8c2l2n --json)
same "sim gives the same with other threads" "$one" "$(sim --seeds 2 -t 3 -m 4c2l,8c2l2n --json)"
same "sim --json has a run for each machine, workload, policy and seed" 48 "$(of 'len(runs)' <<<"$one")"
same "each policy is given the same seeds" "[1, 2]" "$(of \
	"[r['seed'] for r in runs if (r['policy'], r['workload'], r['machine']) == ('refuse', 'make', '4c2l')]" <<<"$one")"
same "a first seed is one of them" "$(of "[r for r in runs if r['seed'] == 2]" <<<"$one")" \
	"$(sim --seeds 1 --seed 2 -m 4c2l,8c2l2n --json | of runs)"
same "refusing all moves makes message and imbalance longer by a tenth and more" True \
	"$(of "sum(ms('refuse')) > 1.1 * sum(ms('mlsched'))" <<<"$one")"
same "accepting all moves is the heuristic" "$(sim --seeds 1 -p mlsched --json | of "without('policy')")" \
	"$(sim --seeds 1 -p accept --json | of "without('policy')")"
tuned() { sim --seeds 1 -m 8c2l2n --mechanisms all --offers 500,1000,1500 --json "$@"; }
same "mechanisms and offers are of ours" True "$([ "$(tuned -p mlsched | of "without('policy')")" != \
	"$(sim --seeds 1 -m 8c2l2n -p mlsched --json | of "without('policy')")" ] && echo True)"
same "but not of base" "$(sim --seeds 1 -m 8c2l2n -p mlsched --json | of "without('policy')")" \
	"$(tuned -p base | of "without('policy')")"
same "and sim --json says which" "4 [500.0, 1000.0, 1500.0]" "$(tuned -w make | python3 -c '
import json, sys
document = json.load(sys.stdin)
print(len(document["mechanisms"]), document["offers_us"])')"
# With all mechanisms and default offers ours is what the policy "mechanisms" is by its name.
table=$(scripts/mechanism-table.py --mlsched "$MLSCHED" --seeds 2 -m 8c2l -w make,mixed)
same "the table of mechanisms has each of them with and without the others" \
	"none *fork-in-place* *preempt-short* *ask-again* *level-large* all all but *fork-in-place* all but *preempt-short* (the model's) all but *ask-again* all but *level-large*" \
	"$(sed -n '3,$s/^| \([^|]*\) |.*/\1/p' <<<"$table" | paste -sd ' ')"
same "and says how far all of them are from EEVDF" "$(sim --seeds 2 --seed 3000001 -m 8c2l -w make,mixed -p eevdf,mechanisms --json |
	of "'%+.1f %%' % (sum(100 * (b['makespan_ms'] / a['makespan_ms'] - 1) for a, b in zip(
		[r for r in runs if r['policy'] == 'eevdf'], [r for r in runs if r['policy'] == 'mechanisms'])) / 4)" | sed 's/-/−/')" \
	"$(sed -n 's/^| all | \([^|]*\) |.*/\1/p' <<<"$table")"
same "the table has a row for each policy" 3 \
	"$(sim --seeds 1 -w make -p eevdf,mlsched,refuse-llc | grep -cE '^(eevdf|mlsched|refuse-llc) ')"
same "bench sim measures each policy on each machine" 6 "$("$MLSCHED" bench sim --runs 1 --simulated 20 --json | python3 -c '
import json, sys
print(len([row for row in json.load(sys.stdin) if row["ns_per_event"] > 0]))')"

# The table of policies is the one that is run.
policies=$("$MLSCHED" sim --help | sed -n '/^POLICIES/,/^$/s/^  \([a-z-]*\) .*/\1/p' | grep -vx model | paste -sd,)
same "sim --help lists the policies, and each of them runs" "$policies" \
	"$(sim --seeds 1 -w imbalance -p "$policies" --json | of "','.join(r['policy'] for r in runs)")"

# A pipe can be read only once: runs share the workload.
mkfifo "$tap_tmp/once.json"
echo '{"tasks": {"task": {"instance": 3, "loop": 50, "run": 2000, "sleep": 1000}}}' >"$tap_tmp/once.json" &
same "a workload's file is read once for all runs on a machine" 6 \
	"$(timeout 60 "$MLSCHED" sim --seeds 3 -m 4c2l -p eevdf,mlsched -w "$tap_tmp/once.json" --report "$tap_tmp/page" --json | of 'len(runs)')"

# What a trace says of a run is what the run says of itself.
sim --seeds 1 -m 4c2l -w imbalance -p mlsched --trace "$tap_tmp/trace" -q >/dev/null
same "a trace has no two tasks on a CPU at a time, and marks moves" "4 True True" "$(python3 -c '
import collections, json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
slices = collections.defaultdict(list)
for e in events:
    if e["ph"] == "X":
        slices[e["tid"]].append((e["ts"], e["ts"] + e["dur"]))
apart = all(a[1] <= b[0] + 0.002 for s in slices.values() for a, b in zip(sorted(s), sorted(s)[1:]))
print(len(slices), apart, any(e["ph"] == "i" for e in events))' "$tap_tmp/trace")"
sim --seeds 1 -w make -p mlsched --trace /nonexistent/trace >/dev/null 2>"$tap_tmp/err"
same "a trace that cannot be written is said" "1 mlsched sim: /nonexistent/trace: No such file or directory" "$? $(cat "$tap_tmp/err")"

# A page for people: well-formed, a timeline for each policy, and nothing from elsewhere.
sim --seeds 2 -m 4c2l -w imbalance,message -p eevdf,mlsched,refuse --report "$tap_tmp/report" -q >/dev/null
same "the report is well-formed and has its drawings" "2 6 2 True" "$(python3 -c '
import re, sys
import xml.etree.ElementTree as ElementTree
text = open(sys.argv[1]).read()
drawings = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.S)]
timelines = [d for d in drawings if len(d.findall("rect")) > 100]
print(text.count("<table>"), len(timelines), len(drawings) - len(timelines), "http" not in text and "src=" not in text)' "$tap_tmp/report")"

# Of many CPUs, too: a row for each, and the name of the first of each cache.
sim --seeds 1 -m 128c16l2n,512c32l -w imbalance -p mlsched --report "$tap_tmp/report" -q >/dev/null
same "timelines have a row for each CPU, however many there are" "128 16 True 512 32 True" "$(python3 -c '
import re, sys
import xml.etree.ElementTree as ElementTree
text = open(sys.argv[1]).read()
for svg in re.findall(r"<svg.*?</svg>", text, re.S):
    d = ElementTree.fromstring(svg)
    rows = [r for r in d.findall("rect") if r.get("class") == "row"]
    if rows:
        names = [t for t in d.findall("text") if t.text.startswith("CPU ")]
        last = max(int(r.get("y")) + int(r.get("height")) for r in d.findall("rect"))
        print(len(rows), len(names), len(d.findall("rect")) > len(rows) + 100 and last < int(d.get("height")))' "$tap_tmp/report" | paste -sd" ")"

# What moves cost here.  Threads of one core have the same caches: then there is nothing to measure.
if "$MLSCHED" sim calibrate --rounds 3 --most 64 -o "$tap_tmp/costs" --json >"$tap_tmp/calibrated" 2>/dev/null; then
	same "calibrate measures both walks, and sizes up to the largest" "True ['chase', 'stream'] [32, 64]" "$(python3 -c '
import json, sys
rows = json.load(sys.stdin)["measured"]
print(all(r["warm_ns"] > 0 and r["moved_ns"] > 0 and r["refill_ns"] >= 0 for r in rows), sorted({r["walk"] for r in rows}),
      sorted({r["kib"] for r in rows}))' <"$tap_tmp/calibrated")"
	same "it says which distances were there, and how far its quartiles are apart" "True True" "$(python3 -c '
import json, sys
d = json.load(sys.stdin)
there = {r["distance"] for r in d["measured"]}
beyond = sum((r["slow_ns"] - r["moved_ns"]) / r["kib"] for r in d["measured"]) / sum(r["refill_ns"] / r["kib"] for r in d["measured"])
print(set(d["distances"]) == there, abs(d["spread_percent"] - 100 * beyond) < 1e-3 * (1 + abs(beyond)))' <"$tap_tmp/calibrated")"
	check "and sim takes its file" sim --seeds 1 -w make --costs "$tap_tmp/costs" -q
	sed -i 's/"private_kib": [0-9]*/"private_kib": "x"/' "$tap_tmp/costs"
	sim --seeds 1 --costs "$tap_tmp/costs" >/dev/null 2>"$tap_tmp/err"
	same "a damaged file is said" "1 mlsched sim: $tap_tmp/costs: costs, private_kib: expected a number from 0 to 1000000000, found \"x\"" \
		"$? $(cat "$tap_tmp/err")"
else
	same "calibrate says why it cannot" "no other core is online: nothing can move" \
		"$("$MLSCHED" sim calibrate --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["error"])')"
fi

# The machine that it runs on, unless that has CPUs which no simulated one can have; lscpu says what there is.
wanted=$(lscpu -p=CPU,CORE,NODE | python3 -c '
import sys
rows = [line.split(",") for line in sys.stdin if line[0] != "#"]
cpus, cores, nodes = len(rows), len({core for _, core, _ in rows}), len({node for *_, node in rows})
print(rf"^{cpus}c\d+l" + (f"{nodes}n" if nodes > 1 else "") + (f"{cpus // cores}t" if cpus > cores else "") + "$")')
# shellcheck disable=SC2016
check "-m this is this machine" sh -c '"$1" sim -m this -w message -p mlsched --seeds 1 --json >"$2" || exit
	python3 -c "import json, re, sys; name = json.load(open(sys.argv[1]))[\"runs\"][0][\"machine\"]; print(name); assert re.match(sys.argv[2], name)" "$2" "$3"' - \
	"$MLSCHED" "$tap_tmp/this.json" "$wanted"

# A model from the simulator, and what it does there.
same "train --from sim writes down under which mechanisms and offers" "['ask-again'] [500.0, 1000.0, 1500.0]" "$(
	"$MLSCHED" train --from sim --machines 4c2l --workloads message --runs 1 --rounds 1 --epochs 1 -q -o "$tap_tmp/tuned" \
		--mechanisms ask-again --offers 500,1000,1500
	"$MLSCHED" inspect --json "$tap_tmp/tuned" | python3 -c '
import json, sys
model = json.load(sys.stdin)
print(model["mechanisms"], model["offers_us"])')"
# Where everything is refused, rounds are as good as each other: the first one's model is kept, and the lines say so.
never() {
	"$MLSCHED" train --from sim --machines 4c2l --workloads message --runs 1 --epochs 1 --threshold 0.999999 "$@"
}
begun=$(date +%s.%N)
never --rounds 3 -o "$tap_tmp/never" --json >"$tap_tmp/rounds" 2>"$tap_tmp/lines"
ended=$(date +%s.%N)
same "a line for each round says rows, how many a second, threshold and what held-out seeds say of it" "" "$(python3 -c '
import json, re, sys
document, lines = json.load(open(sys.argv[1])), open(sys.argv[2]).read().splitlines()
line_of = re.compile(r"round (\d) of 3: (\d+) rows \((\d+) a second\), (\d+) % better moved; threshold (\S+); on held-out seeds "
                     r"makespan ([-+]\d+\.\d\d) %, moves ([-+]\d+) %, p99 wait ([-+]\d+\.\d) %(| \(no better than before: not taken\))")
if len(lines) != 4 or not lines[3].startswith("this model is no better than none") or document["better_than_none"]:
    print(lines, document["better_than_none"])
if not 0.5 < document["no_model"]["makespan"] < document["rounds"][0]["makespan"]:
    print(document["no_model"])
for number, (line, r) in enumerate(zip(lines, document["rounds"]), 1):
    found = line_of.fullmatch(line)
    if not found:
        print("other than expected:", line)
        continue
    *said, suffix = found.groups()
    expected = (number, r["rows"], r["rows"] / r["label_seconds"], 100 * r["better_moved"], 0.999999,
                100 * (r["makespan"] - 1), 100 * (r["moves"] - 1), 100 * (r["wait_p99"] - 1))
    for a, b, by in zip(map(float, said), expected, (0, 0, 0.51, 0.51, 1e-9, 0.011, 0.51, 0.06)):
        if abs(a - b) > by:
            print(line, "expected", b, "found", a)
    if bool(suffix) == r["accepted"] or r["accepted"] != (number == 1):
        print(line, r["accepted"])
if document["round"] != 1 or document["rows"] != sum(r["rows"] for r in document["rounds"]):
    print(document)
if not 0 < sum(r["label_seconds"] + r["train_seconds"] for r in document["rounds"]) < float(sys.argv[4]) - float(sys.argv[3]):
    print("longer than it took:", document)' "$tap_tmp/rounds" "$tap_tmp/lines" "$begun" "$ended")"
same "-q says none of it" "" "$(never --rounds 1 -o "$tap_tmp/once" -q 2>&1)"
check "and the model is the first round's" diff -r "$tap_tmp/once/variables" "$tap_tmp/never/variables"

learn() { "$MLSCHED" train --from sim --machines 8c2l --workloads make,message --runs 1 --rounds 2 --epochs 5 -q "$@"; }
check "train --from sim makes a model" learn --threads 1 -o "$tap_tmp/one"
check "and with more threads" learn --threads 3 -o "$tap_tmp/three"
check "the same byte for byte" diff -r "$tap_tmp/one" "$tap_tmp/three"
same "it says where it comes from" "simulation mig15" "$("$MLSCHED" inspect --json "$tap_tmp/one" | python3 -c '
import json, sys
model = json.load(sys.stdin)
provenance = model["provenance"]
provenance = json.loads(provenance) if isinstance(provenance, str) else provenance
print(provenance["data"], model["schema"] if isinstance(model["schema"], str) else model["schema"]["name"])')"
same "a model decides in sim, and moves less than without it" True \
	"$(sim --seeds 2 -w make -p mlsched,model --model "$tap_tmp/one" --json \
		--mechanisms fork-in-place,ask-again,level-large --offers 500,1000,1500 |
		of "sum(r['moves'] for r in runs if r['policy'] == 'model') < sum(r['moves'] for r in runs if r['policy'] == 'mlsched')")"
same "with the scheduler that it was trained for, unless another one is named" "True False" \
	"$(for options in "--mechanisms fork-in-place,ask-again,level-large --offers 500,1000,1500" "--offers 2000,2500,3000"; do
		# shellcheck disable=SC2086
		sim --seeds 1 -w message -p model --model "$tap_tmp/one" --json $options | of "[r['moves'] for r in runs]" >"$tap_tmp/named"
		sim --seeds 1 -w message -p model --model "$tap_tmp/one" --json | of "[r['moves'] for r in runs]" |
			cmp -s - "$tap_tmp/named" && echo True || echo False
	done | tr '\n' ' ' | sed 's/ $//')"
# Not to the digit: one verdict that rounding turns, and all that comes after it is other chance.
"$MLSCHED" sim -q --json --seeds 40 -w make,mixed -p eevdf,model-float32,model --model models/default >"$tap_tmp/twice"
same "in float32 it takes as long as in the integers of the kernel, and moves as often, but for chance" "True True" \
	"$(of "(lambda mean: (abs(mean('model', 'makespan_ms') / mean('model-float32', 'makespan_ms') - 1) < 0.01,
		abs(mean('model', 'moves') / mean('model-float32', 'moves') - 1) < 0.1))(
		lambda policy, field: sum(r[field] for r in runs if r['policy'] == policy))" <"$tap_tmp/twice" | tr -d '(),')"
same "and is not one under another name" True "$(of "[r['moves'] for r in runs if r['policy'] == 'model'] != [
	r['moves'] for r in runs if r['policy'] != 'model']" <"$tap_tmp/twice")"
sim --seeds 1 -p model >/dev/null 2>"$tap_tmp/err"
same "sim -p model wants a model" "1 mlsched sim: policy model: no --model DIR" "$? $(cat "$tap_tmp/err")"
sim --seeds 1 --model "$tap_tmp/one" >/dev/null 2>"$tap_tmp/err"
same "a model that nobody asks is not passed over" \
	"2 mlsched sim: --model $tap_tmp/one: expected the policy \"model\" in --policy, which asks it, found none" \
	"$? $(head -n 1 "$tap_tmp/err")"
sim --seeds 1 --window 20 >/dev/null 2>"$tap_tmp/err"
same "nor a window of no recording" "2 mlsched sim: --window needs --record FILE" "$? $(head -n 1 "$tap_tmp/err")"
sim --mechanisms fork >/dev/null 2>"$tap_tmp/err"
same "mechanisms are named where one is unknown" \
	"2 mlsched sim: --mechanisms: expected some of fork-in-place, preempt-short, ask-again, level-large, none or all, got \"fork\"" \
	"$? $(head -n 1 "$tap_tmp/err")"
same "one run has no deviation, and two have" "0 1" "$(for n in 1 2; do
	sim -q --seeds $n -m 2c1l -w make -p eevdf,mlsched | grep -c ' ± '
done | tr '\n' ' ' | sed 's/ $//')"
for option in "--from nonsense" "--from sim --synthetic seed10" "--from sim --checkpoint x" "--from sim --rounds 0"; do
	# shellcheck disable=SC2086
	"$MLSCHED" train $option -o "$tap_tmp/none" >/dev/null 2>&1
	same "train $option exits 2" 2 $?
done
"$MLSCHED" train --from sim --machines 8c3l -o "$tap_tmp/none" >/dev/null 2>"$tap_tmp/err"
same "train --from sim --machines 8c3l exits 1" 1 $?
same "and says why in one line" 1 "$(wc -l <"$tap_tmp/err")"
echo '{"tasks": {"a": {"loop": -1, "run": 1000, "sleep": 1000}}}' >"$tap_tmp/endless.json"
sim --seeds 1 -m 2c1l -w "$tap_tmp/endless.json" -p eevdf --limit 0.1 >/dev/null 2>"$tap_tmp/err"
same "a workload without an end is said to want a duration" \
	"1 mlsched sim: $tap_tmp/endless.json on 2c1l, eevdf, seed 1: not done within 0.1 s of simulated time (--limit; one of rt-app without an end needs a \"duration\" in \"global\")" \
	"$? $(cat "$tap_tmp/err")"
sim --seeds 1 --costs "$tap_tmp" >/dev/null 2>"$tap_tmp/err"
same "a directory is no file of costs" "1 mlsched sim: costs: expected server, load or a file: $tap_tmp: Is a directory" \
	"$? $(cat "$tap_tmp/err")"
for option in "--machine 8c3l" "--workload nonsense" "--policy nonsense" "--costs nonsense" "--limit 0.01"; do
	# shellcheck disable=SC2086
	sim --seeds 1 $option >/dev/null 2>"$tap_tmp/err"
	same "sim $option exits 1" 1 $?
	same "and says why in one line" 1 "$(wc -l <"$tap_tmp/err")"
done
for option in "--seeds 0" "--seed -1" "--threads 0" "--mechanisms stay" "--offers 1,2" "--offers 1,2,3,4" \
	"--offers 1,,3" "--offers 1,2,-3" "--limit 0" "--machine ,"; do
	# shellcheck disable=SC2086
	sim $option >/dev/null 2>&1
	same "sim $option exits 2" 2 $?
done
finish
