#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched sim --record: simulated decisions as a recording, from which others are judged and trained.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh

sim() { "$MLSCHED" sim "$@"; }
# rows FILE SQL: the answer, columns between bars.
rows() {
	python3 -c '
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):
    print("|".join(str(value) for value in row))' "$@"
}

explore() { sim --seeds 12 -w message -p mlsched --window 20 --explore 0.2 -q "$@"; }
check "sim --record makes a recording" explore --record "$tap_tmp/explored.db"
same "of a session for each run" "12|sim|8c2l|mig15|20000000" "$(rows "$tap_tmp/explored.db" \
	"SELECT count(*), source, machine, schema, window FROM sessions GROUP BY source, machine, schema, window")"
same "whose counters are what is in it" "" "$(rows "$tap_tmp/explored.db" "
	SELECT session, count(*), c.value FROM decisions JOIN counters c USING(session)
	WHERE c.name = 'recording.written' GROUP BY session HAVING count(*) != c.value OR c.value < 200")"
same "with the chances of what the coin and the policy decided" "0|explored|0.1
1|explored|0.9
1|heuristic|0.9" "$(rows "$tap_tmp/explored.db" \
	"SELECT DISTINCT accepted, decider, round(propensity, 3) FROM readable WHERE decider != 'safety' ORDER BY 1, 2")"
same "and what a safety rule decided would have been so in any case" 0 "$(rows "$tap_tmp/explored.db" \
	"SELECT count(*) FROM readable WHERE decider = 'safety' AND NOT (accepted AND propensity = 1)")"
same "and whole" ok "$(rows "$tap_tmp/explored.db" "PRAGMA integrity_check")"
explore --record "$tap_tmp/again.db" >/dev/null
check "the same options make the same file" cmp "$tap_tmp/explored.db" "$tap_tmp/again.db"
sim --seeds 1 -w message -p mlsched -q --record "$tap_tmp/again.db" --append >/dev/null
same "--append goes on behind what is there" "13|1.0" \
	"$(rows "$tap_tmp/again.db" "SELECT max(session), min(propensity) FROM decisions WHERE session = (SELECT max(session) FROM sessions)")"
same "--json says what was written" "1 True True" "$(sim --seeds 1 -w message -p eevdf,refuse --explore 0.1 \
	--record "$tap_tmp/json.db" --json | python3 -c '
import json, sys
recording = json.load(sys.stdin)["recording"]
print(recording["sessions"], recording["decisions"] > 500, 0 < recording["explored"] < recording["decisions"] / 5)')"
same "who refuses moves tasks by the coin and by rules only" "explored" "$(rows "$tap_tmp/json.db" \
	"SELECT DISTINCT decider FROM readable WHERE accepted AND decider != 'safety'")"
same "and a model is said to decide, but for what is too large for it" "heuristic|kernel|mig15
model|kernel|mig15" "$(
	sim --seeds 1 -w message -p model --model models/default -q --record "$tap_tmp/model.db" >/dev/null
	rows "$tap_tmp/model.db" "SELECT DISTINCT decider, engine, schema FROM readable JOIN models USING(session)
		WHERE decider != 'safety' ORDER BY 1")"
same "which is the engine native in float32" native "$(
	sim --seeds 1 -w message -p model-float32 --model models/default -q --record "$tap_tmp/float32.db" >/dev/null
	rows "$tap_tmp/float32.db" "SELECT DISTINCT engine FROM models")"

# What always to migrate is worth: estimated from decisions with a coin, and measured where it does decide.
sim --seeds 12 -w message -p accept --window 20 -q --record "$tap_tmp/always.db" >/dev/null
same "eval --off-policy estimates by both ways what accepting everything really comes to" "True True" "$(
	"$MLSCHED" label "$tap_tmp/always.db" --csv - | python3 -c '
import csv, json, subprocess, sys
rows = [float(row["benefit_us"]) for row in csv.DictReader(sys.stdin)]
truth = sum(rows) / len(rows)
document = json.loads(subprocess.run([sys.argv[1], "eval", "--off-policy", "models/default", sys.argv[2], "--json"],
                                     stdout=subprocess.PIPE, check=True).stdout)
for way in "inverse_propensity", "doubly_robust":
    e = document["always"][way]
    print("#", way, e, "truth", truth, file=sys.stderr)
    print(e["low"] <= truth <= e["high"], end=" ")' "$MLSCHED" "$tap_tmp/explored.db" | sed 's/ $//')"
same "and says that never to migrate is worse than what was done" True "$("$MLSCHED" eval --off-policy models/default \
	"$tap_tmp/explored.db" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["never"]["gain"]["high"] < 0)')"
"$MLSCHED" eval --off-policy models/default "$tap_tmp/always.db" >/dev/null 2>"$tap_tmp/err"
same "what was never tried is refused" "1 record with --explore" "$? $(grep -o 'record with --explore' "$tap_tmp/err")"

# From a simulated recording to a model, by the gate of real ones.
check "train --from refines a model with it" "$MLSCHED" train --from "$tap_tmp/explored.db" --init models/default \
	--margin 1000 --epochs 3 -q -o "$tap_tmp/refined"
check "which decides in sim" sim --seeds 1 -w message -p mlsched,model --model "$tap_tmp/refined" -q
"$MLSCHED" train --from "$tap_tmp/always.db" --init models/default -q -o "$tap_tmp/none" >/dev/null 2>&1
same "and not without a coin" "4" "$?"

# A recording is a workload, too.
sim --seeds 1 -w message -p mlsched --window 200 -q --record "$tap_tmp/load.db" >/dev/null
replay() { sim -m 8c2l -p mlsched,eevdf "$@"; }
same "sim -w FILE.db replays a recording, and says how much of it is known" "48 tasks of 1 programs" \
	"$(replay --seeds 1 -w "$tap_tmp/load.db" 2>&1 >"$tap_tmp/table" | grep -o '[0-9]* tasks of [0-9]* programs')"
sim -q -w "$tap_tmp/load.db:0" >/dev/null 2>"$tap_tmp/err"
same "sessions are counted from 1" "1 mlsched sim: $tap_tmp/load.db: expected a session of number 0, found 1 sessions" \
	"$? $(cat "$tap_tmp/err")"
same "with a row for each policy" 2 "$(grep -cE '^(mlsched|eevdf) ' "$tap_tmp/table")"
one=$(replay --seeds 2 -w "$tap_tmp/load.db" --json)
same "it comes to the same for a seed, and on other threads" "$one" "$(replay --seeds 2 -t 3 -w "$tap_tmp/load.db:1" --json |
	sed 's/load\.db:1/load.db/g')"
of() { python3 -c "import json, sys; runs = json.load(sys.stdin)['runs']; print($1)"; }
same "and to something else for another one" 4 "$(of "len({r['makespan_ms'] for r in runs})" <<<"$one")"
same "moves cost nothing without a working set" 0.0 "$(replay --seeds 1 -w "$tap_tmp/load.db" --working-set 0 --json |
	of "max(r['refill_ms'] for r in runs)")"
same "and more with a larger one" True "$(for kib in 256 2048; do
	replay --seeds 1 -w "$tap_tmp/load.db" --working-set $kib --json | of "runs[0]['refill_ms']"
done | python3 -c 'import sys; small, large = map(float, sys.stdin); print(0 < small < large)')"
check "train --from sim learns on it" "$MLSCHED" train --from sim --machines 4c2l --workloads "$tap_tmp/load.db" --runs 1 \
	--rounds 1 --epochs 1 -q -o "$tap_tmp/own"
# Its length is right, and something in it is not.
python3 -c '
import sqlite3, sys
for name, sql in ("ahead", "UPDATE decisions SET run_time = observed + 1 WHERE id = 9"), ("empty", "DELETE FROM decisions"):
    copy = "{}/{}.db".format(sys.argv[1], name)
    open(copy, "wb").write(open(sys.argv[1] + "/load.db", "rb").read())
    database = sqlite3.connect(copy)
    database.execute(sql)
    database.commit()' "$tap_tmp"
head -c 30000 "$tap_tmp/load.db" >"$tap_tmp/cut.db"
for name in ahead empty cut none "load.db:2"; do
	name=${name%.db}
	replay --seeds 1 -w "$tap_tmp/$name$(case $name in *:*) ;; *) echo .db ;; esac)" >/dev/null 2>"$tap_tmp/err"
	same "sim -w $name exits 1" 1 $?
	same "and says in one line what is wrong with which file" "1 1" \
		"$(wc -l <"$tap_tmp/err") $(grep -c "^mlsched sim: $tap_tmp/${name%:*}" "$tap_tmp/err")"
done

expect() { # NAME MESSAGE OPTION...
	local name=$1 message=$2
	shift 2
	sim --seeds 1 -w make "$@" >/dev/null 2>"$tap_tmp/err"
	same "$name" "1 mlsched sim: $message" "$? $(cat "$tap_tmp/err")"
}
expect "a file that exists is refused" "$tap_tmp/model.db: the file exists; --append goes on behind what is in it" \
	-p mlsched --record "$tap_tmp/model.db"
cp "$tap_tmp/model.db" "$tap_tmp/shadow.db"
python3 -c 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute("UPDATE sessions SET schema = \"seed10\", n_features = 10"); db.execute("UPDATE decisions SET features = zeroblob(40)"); db.commit()' "$tap_tmp/shadow.db"
expect "a session of another schema does not go behind others" \
	"$tap_tmp/shadow.db: session 1: expected schema mig15 as of what is to go behind it, found seed10: record it into a file of its own" \
	-p mlsched --record "$tap_tmp/shadow.db" --append
expect "policies that are not ours are refused" "--record: policy eevdf: expected one of ours in the last place (mlsched, \
model, refuse, ...): the others decide nothing that a model could" -p mlsched,eevdf --record "$tap_tmp/none.db"
for option in "--explore 0.1" "--append" "--record x --explore 0.3" "--record x --explore -1" "--record x --window 0" \
	"--record x --window 401" "--working-set x" "--working-set -1"; do
	# shellcheck disable=SC2086
	sim $option >/dev/null 2>&1
	same "sim $option exits 2" 2 $?
done
finish
