#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Recordings of the kernel of this machine: what is in the file is what was counted, also
# when whoever wrote it was killed.
# Functions are called through check.
# shellcheck disable=SC2317,SC2154
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

O=${O:-build}
CC=${CC:-$(command -v clang-19 || echo gcc)}
why=
[ "$(id -u)" -eq 0 ] || why="needs root"
[ -e /sys/kernel/btf/vmlinux ] || why="this kernel has no BTF"
[ "$(getconf _NPROCESSORS_ONLN)" -ge 2 ] || why="needs two CPUs"
if [ -n "$why" ]; then
	skip "recordings of the running kernel" "$why"
	finish
fi
check "the load builds" "$CC" -std=gnu11 -O2 -Wall -pthread -D_GNU_SOURCE -o "$tap_tmp/switcher" tests/live/switcher.c
read -ra libs <<<"$(pkg-config --libs jansson libprotobuf-c)"
check "a model builds" "$CC" -std=gnu11 -O2 -Wall -Iinclude -o "$tap_tmp/constant_model" tests/live/constant_model.c \
	"$O/libmlsched.a" "${libs[@]}" -lm -pthread
check "a model that always refuses is written" "$tap_tmp/constant_model" -5 "$tap_tmp/refuse"

# begin NAME COMMAND...: runs it in the background until its first line is there; pid in $pid.
begin() {
	local name=$tap_tmp/$1 first
	shift
	mkfifo "$name.fifo" || return 1
	"$@" >"$name.fifo" 2>"$name.err" &
	pid=$!
	exec 3<"$name.fifo"
	read -r -u 3 first || { cat "$name.err"; return 1; }
	cat <&3 >"$name.json" &
	reader=$!
	exec 3<&-
	echo "$first" >"$name.first"
}
# ends NAME SIGNAL: and waits for all of its output.
ends() {
	kill -"$2" "$pid"
	wait "$pid"
	echo $? >"$tap_tmp/$1.status"
	wait "$reader"
	[ "$(cat "$tap_tmp/$1.status")" = "${3:-0}" ] || { cat "$tap_tmp/$1.err"; return 1; }
}
moves() { "$tap_tmp/switcher" 1 3 "${1:-300}" >/dev/null; }
checks() { python3 tests/live/check_recording.py "$@"; }

recorded() { begin record "$MLSCHED" record --json -o "$tap_tmp/record.db" && moves && ends record INT; }
check "record runs until it is told to stop" recorded
check "everything that was counted is in the file" checks counts "$tap_tmp/record.db" "$tap_tmp/record.json"
check "the moves of a load are in it with their outcomes" checks load "$tap_tmp/record.db" switcher 250
refuse "the file is not written over" "$MLSCHED" record -o "$tap_tmp/record.db" --duration 0.1
appended() {
	begin append "$MLSCHED" run --json --backend shadow --model "$tap_tmp/refuse" --record "$tap_tmp/record.db" --append &&
		moves 100 && ends append TERM
}
check "run --backend shadow goes on behind it" appended
check "its session has the model, and its verdicts" checks model "$tap_tmp/record.db" 2 "$tap_tmp/refuse"
check "everything that it counted is in the file" checks counts "$tap_tmp/record.db" "$tap_tmp/append.json" 2

# ---- what there is to win ----
assessed() {
	"$MLSCHED" assess "$tap_tmp/record.db" --json >"$tap_tmp/assessed" && python3 -c '
import json, sqlite3, sys
said = json.load(open(sys.argv[1]))
file = sqlite3.connect(sys.argv[2])
forced, thread = 1, 2
kinds = {name: value for value, name in file.execute("SELECT value, name FROM names WHERE what = \"kind\"")}
own = "flags & %d = 0 AND kind NOT IN (%d, %d)" % (forced | thread, kinds["fork"], kinds["exec"])
moves, = file.execute(f"SELECT count(*) FROM decisions WHERE {own}").fetchone()
others, = file.execute(f"SELECT count(*) FROM decisions WHERE NOT ({own})").fetchone()
longest, = file.execute(f"SELECT max(wait) FROM decisions WHERE {own} AND ran").fetchone()
assert sum(said["moves"].values()) == moves > 0, (said, moves)
assert said["others"] == others, (said, others)
assert said["wait_p99_ms"] <= longest / 1e6, (said, longest)
assert 0 < said["busy_cpus"] <= said["cpus"], said
costs = [row["ms"] for row in said["refill"]]
assert costs == sorted(costs), said' "$tap_tmp/assessed" "$tap_tmp/record.db"
}
check "assess says what is in the file" assessed
refuse "assess refuses what is no recording" "$MLSCHED" assess "$tap_tmp/refuse/saved_model.pb"

check "sim replays the kernel's own session" checks replays "$tap_tmp/record.db" "$tap_tmp/record.db" "$MLSCHED" 1
check "and the other one" checks replays "$tap_tmp/record.db" "$tap_tmp/record.db" "$MLSCHED" 2

# ---- from there to a model ----
labelled() { "$MLSCHED" label -q "$tap_tmp/record.db" -o "$tap_tmp/set" --csv "$tap_tmp/all.csv" "$@"; }
check "the recording is labelled" labelled
check "the parts of the data set are those of the table" checks parts "$tap_tmp/record.db" "$tap_tmp/set" "$tap_tmp/all.csv"
refuse "a data set that exists is not written over" labelled
again() {
	"$MLSCHED" label -q "$tap_tmp/record.db" -o "$tap_tmp/again" && diff -r "$tap_tmp/set" "$tap_tmp/again"
}
check "labelled again it gives the same bytes" again
check "mlsched train takes its rows" "$MLSCHED" train -q "$tap_tmp/set/train.csv" --split time --epochs 2 -o "$tap_tmp/trained"
if [ "$(wc -l <"$tap_tmp/set/time.csv")" -gt 1 ]; then
	check "mlsched eval judges by the later ones" "$MLSCHED" eval "$tap_tmp/trained" "$tap_tmp/set/time.csv"
else
	skip "mlsched eval judges by the later ones" "there are none"
fi
parquet=src/model_dir/recording_to_parquet.py
# The system's Python, and those of the TensorFlows that `make test` installs.
tried=0
for python in python3 "$O/tensorflow/bin/python" "$O/tensorflow-oldest/bin/python"; do
	"$python" -c 'import pyarrow' 2>/dev/null || continue
	tried=$((tried + 1))
	version=$("$python" -c 'import pyarrow; print(pyarrow.__version__)')
	check "it becomes a Parquet file by pyarrow $version" "$python" $parquet "$tap_tmp/record.db" "$tap_tmp/$tried.parquet"
	check "which has the same decisions" "$python" tests/live/check_recording.py parquet "$tap_tmp/record.db" "$tap_tmp/$tried.parquet"
done
[ $tried -gt 0 ] || skip "it becomes a Parquet file" "no Python here has pyarrow"
python3 -c 'import pyarrow' 2>/dev/null ||
	same "without pyarrow the way to Parquet says what it needs" \
		"recording_to_parquet.py: needs pyarrow: pip install pyarrow (\`mlsched label --csv\` needs nothing)" \
		"$(python3 $parquet "$tap_tmp/record.db" "$tap_tmp/record.parquet" 2>&1)"

# Killed while moves come as fast as they can.
killed() {
	local file=$tap_tmp/killed.db
	begin killed "$MLSCHED" record --json -o "$file" || return 1
	"$tap_tmp/switcher" 1 3 100000 >/dev/null &
	load=$!
	# Rows are there when the first transaction has been closed.
	until [ "$(sqlite3_count "$file")" -gt 0 ]; do
		kill -0 "$pid" || return 1
	done
	kill -KILL "$pid"
	wait "$pid"
	kill "$load"
	wait "$reader"
	checks killed "$file"
}
sqlite3_count() { python3 -c "
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM decisions').fetchone()[0])" "$1"; }
check "killed by SIGKILL it leaves a file that is whole" killed

# And at random moments, by moves whose times are known.
name="killed at any moment it loses at most the last second, in order and without a gap"
python3 tests/live/kill_recorder.py "$MLSCHED" "$tap_tmp" >"$tap_out" 2>&1
status=$?
sed 's/^/# /' "$tap_out"
if [ $status -eq 77 ]; then skip "$name" "$(tail -n 1 "$tap_out")"; else tap_result $status "$name"; fi

# ---- the whole way of a decision: mlsched bench record --kernel ----
chmod 755 "$tap_tmp"
mkdir -m 777 "$tap_tmp/bench"
bench() { "$MLSCHED" bench record --kernel --json --rows 1000 "$@" "$tap_tmp/bench" >"$tap_tmp/bench.json"; }
# of EXPRESSION: of the part of the kernel.
of() { python3 -c "
import json, sys
d = json.loads(open(sys.argv[1]).readlines()[2])
print($1)" "$tap_tmp/bench.json"; }
# The ring has room for all of them, however long nobody looks at it.
check "bench record --kernel measures the whole way" bench --rate 2000 --seconds 0.5
same "each move that it makes is in the file" "kernel 1000 0 0 True" \
	"$(of 'd["part"], d["made"], d["dropped"], d["lost"], d["written"] >= d["made"]' | tr -d "(',)")"
same "it leaves no file behind" "" "$(ls -A "$tap_tmp/bench")"
check "and does so at 50,000 moves a second" bench --seconds 2
sed 's/^/# /' "$tap_tmp/bench.json"
same "of which each is in the file or counted" True \
	"$(of 'd["made"] == 100000 <= d["written"] + d["dropped"] + d["lost"]')"
name="nothing is lost at 50,000 decisions a second"
# There is room for more than a second, and the recorder waits for a CPU; for a disk more than twice as long.
if [ "$(of 'd["dropped"] + d["lost"] > 0 and d["waited_seconds"] > 1')" = True ]; then
	skip "$name" "this machine let the recorder wait for $(of 'round(d["waited_seconds"], 1)') s of 2"
elif [ "$(of 'd["rate"] < 45000')" = True ]; then
	skip "$name" "this machine made $(of 'round(d["rate"])') a second"
else
	same "$name" "0 0" "$(of '"%d %d" % (d["dropped"], d["lost"])')"
fi
cp "$MLSCHED" "$tap_tmp/mlsched"
same "without root it says what it needs" "mlsched bench record: mlsched record: watching the kernel's scheduler needs root: run it as root, with sudo, or with CAP_BPF and CAP_PERFMON" \
	"$(setpriv --reuid=65534 --regid=65534 --clear-groups "$tap_tmp/mlsched" bench record --kernel --rows 1 --seconds 0.01 "$tap_tmp/bench" 2>&1 >/dev/null)"
finish
