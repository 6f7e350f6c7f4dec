#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched train and eval as a person uses them: the same bytes each time, killed
# and resumed, stopped by Ctrl+C, from CSV in any order of columns, and what they
# say to mistakes.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
cd "$tap_tmp" || exit 1

train() { "$MLSCHED" train "$@"; }
field() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."): d = d[key]
print(json.dumps(d))' "$1" "$2"; }
fails() {	# name, status, message, command...
	local name=$1 status=$2 message=$3 found
	shift 3
	found=$("$@" 2>&1 >"$tap_tmp/stdout")
	same "$name" "$status $message" "$? $(head -n 1 <<<"$found")"
}

# ---- the default model -------------------------------------------------------

check "the default model is trained" train --synthetic seed10 --output a
check "a second time" train --synthetic seed10 --output b -q
same "both have the same bytes" "" "$(diff -r a b)"
same "-q prints nothing" "" "$(train --synthetic seed10 --rows 1000 -o q -q 2>&1)"
check "in three threads and with big batches" train --synthetic seed10 --rows 5000 --batch 1000 -o t3 -q --threads 3
check "the same in one" train --synthetic seed10 --rows 5000 --batch 1000 -o t1 -q
same "both have the same bytes, too" "" "$(diff -r t1 t3)"
check "its date is that of SOURCE_DATE_EPOCH" env SOURCE_DATE_EPOCH=86400 "$MLSCHED" train \
	--synthetic seed10 --rows 500 --epochs 1 -o dated -q
same "1970-01-02" '"1970-01-02T00:00:00Z"' "$(field dated/assets/mlsched.json provenance.date)"

train --synthetic seed10 --seed 99 --write-csv rows.csv
check "eval judges it" "$MLSCHED" eval a rows.csv
"$MLSCHED" eval a rows.csv --json >eval.json
check "accuracy is close to the 0.90 that the noise allows" \
	python3 -c 'import json
d = json.load(open("eval.json"))
assert 0.88 < d["scores"]["accuracy"] < 0.91, d["scores"]
assert d["always"]["recall"] == 1 and d["always"]["refused"] == 0
assert d["never"]["recall"] == 0 and d["never"]["refused"] == 1
assert d["scores"]["accuracy"] > max(d["always"]["accuracy"], d["never"]["accuracy"]) + 0.1
assert d["fixed_point"]["agreement"] >= 0.995, d["fixed_point"]
assert sum(b["rows"] for b in d["scores"]["calibration"]) == d["rows"] == 65536
assert d["scores"]["calibration_error"] < 0.03
assert d["scores"]["true_positive"] + d["scores"]["false_negative"] == d["always"]["true_positive"]'
check "at most two fifths of the hidden units are active" \
	python3 -c 'import json
assert 0.1 < json.load(open("a/assets/mlsched.json"))["provenance"]["scores"]["active_units"] < 0.4'

# ---- CSV ----------------------------------------------------------------------

train --synthetic seed10 --rows 2000 --write-csv small.csv
check "rows from CSV are those of the patterns" train small.csv -o from-csv -q --epochs 2
train --synthetic seed10 --rows 2000 -o from-patterns -q --epochs 2
same "and give the same weights" "" "$(diff -r from-csv/variables from-patterns/variables)"
python3 - <<'END'
import csv
rows = list(csv.DictReader(open("small.csv")))
names = ["answer", "comm", "dst_dom_load", "src_dom_load", "cpu_not_idle", "cpu_idle", "cpu"]
with open("mixed.csv", "w", newline="") as f:
    out = csv.writer(f)
    out.writerow(names)
    for i, row in enumerate(rows):
        out.writerow([row["migrate"], f'task "{i}", a', *(row[name] for name in names[2:])])
END
check "columns in another order, one unknown, the zeros missing" \
	train mixed.csv --label answer -o mixed -q --epochs 2
same "give the same weights" "" "$(diff -r mixed/variables from-csv/variables)"
same "the unknown column is mentioned" "mixed.csv: 1 column ignored: comm" \
	"$(train mixed.csv --label answer -o mixed --epochs 1 2>&1 >/dev/null)"
sed "3s/^[^,]*/$(printf '\033')[31m1/" small.csv >red.csv
same "a field of a file cannot talk to the terminal" \
	'mlsched train: red.csv:3:1: column "cpu": expected a finite number, got "?[31m1"' \
	"$("$MLSCHED" train red.csv -o red 2>&1)"
check "rows from standard input" sh -c "\"$MLSCHED\" train - -o piped -q --epochs 2 <small.csv"
same "give the same weights, too" "" "$(diff -r piped/variables from-csv/variables)"
check "a split by time" train small.csv -o time -q --epochs 1 --split time --validation 0.25
same "takes three quarters for training" 1500 \
	"$(field time/assets/mlsched.json provenance.training_rows)"

# ---- killed and resumed ---------------------------------------------------------

options=(--synthetic seed10 --rows 4000 --epochs 80 --patience 0)
train "${options[@]}" -o whole -q
RANDOM=${MLSCHED_TEST_SEED:-$$}
echo "# MLSCHED_TEST_SEED=${MLSCHED_TEST_SEED:-$$}"
mkfifo events
kills=0
for _ in 1 2 3 4 5; do
	"$MLSCHED" train "${options[@]}" -o pieces -v --checkpoint state.ckpt --resume 2>events >/dev/null &
	pid=$!
	wanted=$((1 + RANDOM % 10))
	while [ $wanted -gt 0 ] && read -r line; do
		case $line in epoch*) wanted=$((wanted - 1)) ;; esac
	done <events
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ $? -eq 137 ] && kills=$((kills + 1))
done
if [ $kills -eq 0 ]; then
	skip "SIGKILL at random points, then resumed" "training always ended before the signal"
else
	check "resumed after $kills times SIGKILL" train "${options[@]}" -o pieces --checkpoint state.ckpt --resume -q
	same "the model is that of an uninterrupted run" "" "$(diff -r whole pieces)"
fi

# ---- Ctrl+C -----------------------------------------------------------------------

rm -f state.ckpt
"$MLSCHED" train "${options[@]}" -o stopped --json -v --checkpoint state.ckpt 2>events >stopped.json &
pid=$!
while read -r line; do
	case $line in epoch*) kill -INT $pid ;; esac
done <events
wait $pid
same "Ctrl+C ends with status 0" 0 $?
if [ "$(field stopped.json interrupted)" = false ]; then
	skip "Ctrl+C writes what there is" "training ended before the signal"
else
	same "the model says that it was interrupted" true \
		"$(field stopped/assets/mlsched.json provenance.interrupted)"
	check "and is one" "$MLSCHED" eval stopped small.csv
	check "training goes on from the checkpoint" train "${options[@]}" -o stopped --checkpoint state.ckpt --resume -q
	same "to the model of an uninterrupted run" "" "$(diff -r whole stopped)"
fi

# ---- the progress bar -------------------------------------------------------------

cat >terminal.py <<'END'
# Runs a command on a terminal of COLUMNS and prints what it drew, a line each.
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 25, int(sys.argv[1]), 0, 0))
drawn, asked = b"", False
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    drawn += piece
    if drawn.count(b"\r") >= 3 and not asked:
        os.kill(pid, 2)
        asked = True
for line in drawn.replace(b"\x1b[K", b"").split(b"\r"):
    sys.stdout.write(line.decode().strip("\n") + "\n")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
check "a bar is drawn on a terminal, until Ctrl+C" sh -c \
	"python3 terminal.py 80 '$MLSCHED' train --synthetic seed10 --rows 2000 --epochs 100000 -o bar >drawn"
check "with epoch, losses, rate and time left" grep -Eq \
	'^epoch [0-9]+/100000 (\[=*>? *\] )?loss [0-9.]+ val [0-9.]+  [0-9.]+ ?[kM]? rows/s  .* left$' drawn
check "and never wider than the terminal" awk '/^epoch/ && length > 79 { exit 1 }' drawn

# An epoch takes minutes here.
slow=(--synthetic seed10 --rows 100000 --batch 1 --layers "256,256,256")
same "Ctrl+C in the first epoch says that nothing is written" \
	"$(printf '%s\n' "mlsched train: a: interrupted in the first epoch: not written; --checkpoint early.ckpt --resume goes on" 1)" \
	"$(python3 terminal.py 80 "$MLSCHED" train "${slow[@]}" -o a --checkpoint early.ckpt >early.drawn; status=$?
		grep '^mlsched' early.drawn | tr -d '\r'; echo $status)"
same "and leaves the model that was there" "" "$(diff -r a b)"

# ---- options ------------------------------------------------------------------------

check "another network" train small.csv -o net -q --epochs 1 --layers 20,10,5 \
	--activation tanh,elu --decay step:1:0.5 --l2 0.001 --class-weight auto --threshold auto --logits
check "its threshold was chosen" python3 -c 'import json
t = json.load(open("net/assets/mlsched.json"))["threshold"]
assert 0 < t < 1 and t != 0.5, t'
check "no hidden layer at all" train small.csv -o line -q --epochs 1 --layers 0
same "eval takes the threshold that is given" 0.25 \
	"$("$MLSCHED" eval net small.csv --threshold 0.25 --json >e.json && field e.json threshold)"
train small.csv -o early -q --epochs 400 --patience 2 --rate 0.02 --decay constant --json >early.json
check "patience ends training" python3 -c 'import json
d = json.load(open("early.json"))
assert d["epochs"] < 400 and d["best_epoch"] == d["epochs"] - 2, d'

# ---- mistakes -------------------------------------------------------------------------

whole="expected a whole number from 0 to 9223372036854775807, got"
fails "a seed that the provenance cannot hold" 2 \
	"mlsched train: --seed: $whole \"9223372036854775808\"" \
	train --synthetic seed10 -o x --seed 9223372036854775808
fails "a negative seed behind a blank" 2 "mlsched train: --seed: $whole \" -1\"" \
	train --synthetic seed10 -o x --seed " -1"
fails "no data" 2 "mlsched train: no data: name a CSV file, --synthetic seed10 or --from sim" train -o x
fails "no output" 2 "mlsched train: no -o DIR for the model" train small.csv
fails "no patterns for that" 2 \
	'mlsched train: --synthetic: there are patterns for seed10, not for "mllb15"' \
	train --synthetic mllb15 -o x
fails "resume without a checkpoint" 2 "mlsched train: --resume needs --checkpoint FILE" \
	train small.csv -o x --resume
fails "a layer too wide" 2 \
	'mlsched train: --layers: expected a whole number from 0 to 256, got "1000"' \
	train small.csv -o x --layers 64,1000
fails "an unknown decay" 2 \
	'mlsched train: --decay: expected constant, cosine, exponential:FACTOR or step:EPOCHS:FACTOR with a factor up to 1, got "linear"' \
	train small.csv -o x --decay linear
for list in "64," ",64" "" "64,,64"; do
	fails "an empty place in --layers \"$list\"" 2 \
		'mlsched train: --layers: expected a whole number from 0 to 256, got ""' train small.csv -o x --layers "$list"
done
fails "an activation of a layer that is not there" 2 \
	"mlsched train: --activation: expected up to 2 names, one for each hidden layer, got 3" \
	train small.csv -o x --activation relu,relu,tanh
fails "classes that both count for nothing" 2 \
	'mlsched train: --class-weight: expected auto or two numbers from 0, not both 0, got "0,0"' \
	train small.csv -o x --class-weight 0,0
fails "patience without rows to be patient about" 2 "mlsched train: --patience needs validation rows" \
	train small.csv -o x --patience 3 --validation 0
fails "checkpoints every so often, and nowhere" 2 "mlsched train: --checkpoint-every needs --checkpoint FILE" \
	train small.csv -o x --checkpoint-every 3

# An option of another source of rows is not passed over.
fails "a number of rows of a table" 2 "mlsched train: --rows: expected --synthetic beside it, found small.csv" \
	train small.csv -o x --rows 10
fails "a machine for a table" 2 "mlsched train: --machines: expected --from sim beside it, found small.csv" \
	train small.csv -o x --machines 8c2l
fails "costs for patterns" 2 "mlsched train: --costs: expected --from sim beside it, found --synthetic seed10" \
	train --synthetic seed10 -o x --costs load
fails "a share for validation in the simulator" 2 \
	"mlsched train: --validation: expected DATA.csv or --synthetic beside it, found --from sim" \
	train --from sim -o x --validation 0.2
fails "a threshold for a model that has one" 2 \
	"mlsched train: --threshold: expected DATA.csv or --synthetic or --from sim beside it, found --from own.db" \
	train --from own.db --init a -o x --threshold 0.9
fails "another network for it" 2 \
	"mlsched train: --layers: expected DATA.csv or --synthetic or --from sim beside it, found --from own.db" \
	train --from own.db --init a -o x --layers 8
fails "a model to begin with for a table" 2 "mlsched train: --init: expected --from FILE.db beside it, found small.csv" \
	train small.csv -o x --init a
fails "balanced classes in the simulator" 2 \
	"mlsched train: --class-weight auto: expected DATA.csv or --synthetic beside it, found --from" \
	train --from sim -o x --class-weight auto
fails "a price of an eval of rows" 2 "mlsched eval: --price goes with --off-policy, found small.csv" \
	"$MLSCHED" eval a small.csv --price 3
fails "seeds of an eval of rows" 2 \
	"mlsched eval: options of the simulation go with --against-controls, found small.csv" \
	"$MLSCHED" eval a small.csv --seeds 3
fails "a label of an off-policy eval" 2 "mlsched eval: --label goes with DATA.csv, found --off-policy" \
	"$MLSCHED" eval --off-policy a own.db --label answer
fails "a file that is not there" 1 "mlsched train: nothing.csv: No such file or directory" \
	train nothing.csv -o x
printf 'cpu,cpu_idle,cpu_not_idle,src_dom_load,dst_dom_load,migrate\n1,1,1,0.5,x,1\n' >bad.csv
fails "a field that is no number" 1 \
	'mlsched train: bad.csv:2:5: column "dst_dom_load": expected a finite number, got "x"' \
	train bad.csv -o x
same "the same as JSON" \
	'{"error":"bad.csv:2:5: column \"dst_dom_load\": expected a finite number, got \"x\""}' \
	"$(train bad.csv -o x --json)"
fails "a schema of another width" 1 "mlsched eval: Expected shape [?, 10], got [?, 15]: a, schema mllb15" \
	"$MLSCHED" eval a small.csv --schema mllb15
fails "a checkpoint of other options" 1 \
	'mlsched train: state.ckpt: checkpoint of other options: expected "epochs=3", found "epochs=80"' \
	train --synthetic seed10 --rows 4000 --epochs 3 -o x --checkpoint state.ckpt --resume
mkdir mine && touch mine/letter.txt
fails "a directory of something else, before any training" 1 \
	"mlsched train: Cannot write model: mine: expected a SavedModel or an empty directory to replace, found letter.txt in it" \
	train --synthetic seed10 --epochs 1000000 -o mine
fails "a parent directory that is not there, before any training" 1 \
	"mlsched train: Cannot write model: no/where: cannot open the directory above it: No such file or directory" \
	train --synthetic seed10 --epochs 1000000 -o no/where
same "nothing was written by any of them" "" "$(ls -d x 2>/dev/null)"
check "bench train says what is missing" sh -c \
	"\"$MLSCHED\" bench train --rows 2000 2>&1 | grep -q 'make install-deps-tf'"
finish
