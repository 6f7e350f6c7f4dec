#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A running scheduler from outside: mlsched model, stats and top, the control
# socket, metrics, --watch.  The kernel's part is played by tests/fake/fake_scx.c;
# tests/vm/test_control.sh has a real one.
# Functions are called through check.
# shellcheck disable=SC2317,SC2154
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
O=${O:-build}
CC=${CC:-$(command -v clang-19 || echo gcc)}
fake=$O/tests/fake/fake_scx
if [ ! -x "$fake" ]; then
	echo "# $fake is missing: \`make tests-build\` builds it, \`make test TESTS=tests/cli/test_control.sh\` that and runs this"
	tap_result 1 "the stand-in for a kernel is built"
	finish
fi
default=tests/golden/savedmodel/models/tf221-keras3-savedmodel/model

read -ra libs <<<"$(pkg-config --libs jansson libprotobuf-c)"
# Like the library that it is linked with.
check "a writer of constant models builds" "$CC" ${SANITIZE:+-fsanitize="$SANITIZE"} -std=gnu11 -O2 -pthread -D_GNU_SOURCE -Iinclude \
	-o "$tap_tmp/constant_model" tests/live/constant_model.c "$O/libmlsched.a" "${libs[@]}" -lm
models=$tap_tmp/models
mkdir "$models"
"$tap_tmp/constant_model" -5 "$models/refuse"
"$tap_tmp/constant_model" 5 "$models/accept"
cp -r "$models/accept" "$models/mine"
mkdir "$models/broken"
echo nonsense >"$models/broken/saved_model.pb"

json=--json
# begin OPTION...: starts the scheduler and waits until it listens; in text where $json is empty.
begin() {
	rm -f "$tap_tmp/start"
	mkfifo "$tap_tmp/start"
	"$fake" ${json:+"$json"} --socket "$tap_tmp/run/s" "$@" >"$tap_tmp/start" 2>"$tap_tmp/fake.stderr" &
	job=$!
	exec 3<"$tap_tmp/start"
	read -r start <&3 || {
		sed 's/^/# /' "$tap_tmp/fake.stderr"
		tap_result 1 "the scheduler starts: $*"
		finish
	}
	cat <&3 >"$tap_tmp/documents" &
	reader=$!
	exec 3<&-
}
end() {
	kill "$job"
	wait "$job"
}
model() { timeout 60 "$MLSCHED" model "$1" --socket "$tap_tmp/run/s" "${@:2}"; }
stats() { timeout 20 "$MLSCHED" stats --socket "$tap_tmp/run/s" "$@"; }
status_of() { "$@" >/dev/null 2>&1; echo $?; }
# One Python for all questions: its start takes more of a CPU than what it is asked, some hundreds of times.
cat >"$tap_tmp/questions.py" <<'END'
import json, socket, sys, traceback

def value(text, document):
    return str(eval(text, {"json": json, "d": json.loads(document)})) + "\n"

def ask(path, line):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        s.sendall(line.encode() + b"\n")
        return s.makefile().readline()

def words():
    word = bytearray()
    while byte := sys.stdin.buffer.read(1):
        if byte != b"\0":
            word += byte
            continue
        yield word.decode()
        word.clear()

words = words()
for kind in words:
    try:
        answer, status = {"value": value, "ask": ask}[kind](next(words), next(words)), 0
    except Exception:
        answer, status = traceback.format_exc(), 1
    print(f"{status}\0{answer}\0", end="", flush=True)
END
coproc PYTHON { exec python3 "$tap_tmp/questions.py"; }
exec {questions}>&"${PYTHON[1]}" {answers}<&"${PYTHON[0]}"
question() { # KIND WORD WORD: status 1 when it fails, with the reason on standard error
	local code answer
	printf '%s\0' "$@" >&"$questions"
	IFS= read -r -d '' code <&"$answers" && IFS= read -r -d '' answer <&"$answers" || return 1
	if [ "$code" = 0 ]; then printf %s "$answer"; else printf %s "$answer" >&2; fi
	return "$code"
}
# value FILTER: of the JSON document on standard input, in Python.
value() { question value "$1" "$(cat)"; }
ask() { question ask "$tap_tmp/run/s" "$1"; } # LINE: raw, on a connection of its own

by_path() { # FILE: the request that names a path and sends nothing
	ask "{\"request\":\"swap\",\"path\":\"$1\",\"now\":true,\"limits\":{\"watch\":0}}"
}

# A socket whose owner stands still, once somebody else waits there: it tells what who comes then says.
cat >"$tap_tmp/full.py" <<'END'
import os, socket, subprocess, sys
path = sys.argv[-1]
os.makedirs(os.path.dirname(path), exist_ok=True)
nobody = socket.socket(socket.AF_UNIX)
nobody.bind(path)
nobody.listen(0)
waiting = socket.socket(socket.AF_UNIX)
waiting.connect(path)
done = subprocess.run(sys.argv[1:], stderr=subprocess.PIPE, text=True, timeout=120)
os.unlink(path)
print(done.returncode, done.stderr.strip())
END
same "a scheduler that accepts nobody is not waited for without an end" \
	"1 mlsched stats: the scheduler does not answer: is it stopped?" \
	"$(python3 "$tap_tmp/full.py" "$MLSCHED" stats --socket "$tap_tmp/run/full")"

says_nobody() { model status 2>&1 | grep -q "no scheduler listens at .*mlsched run --backend scx"; }
check "without a scheduler it says so and how to get one" says_nobody

begin --model "$models/accept" --metrics 0
check "status is a document" sh -c 'exec "$1" model status --json --socket "$2" | grep -q "\"ok\":true"' - "$MLSCHED" "$tap_tmp/run/s"
same "the socket is its owner's alone" 600 "$(stat -c %a "$tap_tmp/run/s")"
refuse "a second scheduler does not take the socket" timeout 60 "$fake" --socket "$tap_tmp/run/s"
check "and the first still answers" model status

adds_up() {
	stats --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
total = 0
for name, kind in d["kinds"].items():
    failed = sum(kind["failed"].values())
    assert kind["decisions"] == kind["accepted"] + kind["refused"], name
    assert kind["accepted"] >= kind["moved"] + failed, name
    assert kind["moved"] == sum(d["moves"][name].values()), name
    total += kind["decisions"]
assert d["decisions"] == total > 0
assert d["decisions"] == d["moved"] + d["failed"] + d["under_way"] + d["refused"]
assert d["model"]["asked"] == d["model"]["slot_0"] + d["model"]["slot_1"]
assert sum(d["wait_ns"]["buckets"]) == d["wait_ns"]["n"]'
}
check "decisions = moved + refused + failed + under way" adds_up
same "stats INTERVAL COUNT prints that many documents" 3 "$(stats --json 0.05 3 | wc -l)"
same "and as text lines below a header" 5 "$(stats 0.05 3 | wc -l)"

metrics=$(echo "$start" | value 'd["metrics"]')
check "stats --openmetrics is OpenMetrics" bash -c 'set -o pipefail; "$1" stats --openmetrics --socket "$2" | python3 tests/cli/check_openmetrics.py' - "$MLSCHED" "$tap_tmp/run/s"
check "the metrics' port answers as published, and refuses the rest" python3 - "$metrics" <<'END'
import sys, urllib.request, urllib.error, subprocess, socket
url = sys.argv[1]
answer = urllib.request.urlopen(url, timeout=20)
assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
subprocess.run(["python3", "tests/cli/check_openmetrics.py"], input=answer.read(), check=True)
def status(request):
    try:
        return urllib.request.urlopen(request, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
assert status(url + "x") == 404
assert status(urllib.request.Request(url, data=b"x")) == 405
host, port = url.split("/")[2].split(":")
def raw(data):
    with socket.create_connection((host, int(port)), 20) as s:
        s.sendall(data)
        return s.recv(100)
assert raw(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
assert raw(b"GET /" + b"x" * 9000).startswith(b"HTTP/1.1 431 ")
END

same "what is no JSON is told so" False "$(ask 'no json' | value 'd["ok"]')"
same "what is no request is told so" False "$(ask '{"request":"dance"}' | value 'd["ok"]')"
same "a wrong mode is told so" False "$(ask '{"request":"mode","mode":"x"}' | value 'd["ok"]')"
same "a relative path is told so" False "$(ask '{"request":"swap","path":"x"}' | value 'd["ok"]')"
same "a limit that is none is told so" False "$(ask '{"request":"swap","path":"/x","limits":{"x":1}}' | value 'd["ok"]')"
check "silent, slow, endless and many clients stall nobody" python3 - "$tap_tmp/run/s" <<'END'
import json, socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(300)  # thousands of requests are before it
    s.connect(sys.argv[1])
    return s
held = []
for i in range(40):
    s = connect()
    if i % 4 == 1:
        s.sendall(b'{"request":')
    if i % 4 == 2:
        try:
            s.sendall(b'{"request":"stats"}\n' * 400)
        except OSError:
            pass
    held.append(s)
    last = connect()
    last.sendall(b'{"request":"status"}\n')
    assert json.loads(last.makefile().readline())["ok"]
    last.close()
s = connect()
s.sendall(b"x" * 9000)
assert "longer" in s.makefile().readline()
s = connect()
s.sendall(b'{"request":"mode"}\n{"request":"stats"}\n{"request":"mode"}\n')
s.shutdown(socket.SHUT_WR)
lines = s.makefile().read().splitlines()
assert [json.loads(line)["ok"] for line in lines] == [True] * 3
END

same "the mode is told" active "$(model mode)"
same "and changed" shadow "$(model mode shadow)"
refuse "a mode that does not exist is a usage error" model mode learn
model mode active >/dev/null

same "a model that refuses everything is refused on trial, with status 3" 3 "$(status_of model swap "$models/refuse" --trial 0.3)"
same "and never decided" 0 "$(stats --json | value 'd["refused"]')"
same "a broken model is refused with status 1" 1 "$(status_of model swap "$models/broken")"
same "the scheduler does not even hear of it, unless it is told to read it by itself" "0 broken" "$(
	model status --json | value 'sum(swap["outcome"] == "broken" for swap in d["history"])') $(
	ask "{\"request\":\"swap\",\"path\":\"$models/broken\"}" | value 'd["swap"]["outcome"]')"
same "a model that is not there is refused with status 1" 1 "$(status_of model swap "$models/nothing")"
model swap "$models/accept" --now --watch-after 0 >/dev/null
same "a model that disagrees too much is refused" 3 "$(status_of model swap "$models/refuse" --trial 0.3 --max-refusals 100)"
same "within the limits it is activated" 0 "$(status_of model swap $default --trial 0.3 --max-disagreement 100 --watch-after 0.3)"
same "a rollback brings the first one back" 0 "$(status_of model rollback)"
same "which has nothing before it" 1 "$(status_of model rollback)"
same "refusals after the switch roll it back by themselves, with status 4" 4 \
	"$(status_of model swap "$models/refuse" --now --watch-after 20)"
same "and the one before decides again" "$models/accept" \
	"$(model status --json | value 'd["slots"][d["active_slot"]]["path"]')"
many() {
	model swap "$models/refuse" --now --repeat 1000 --json >"$tap_tmp/many" &&
		same_writes=$(value 'd["swap"]["writes"]' <"$tap_tmp/many") && [ "$same_writes" = 1000 ]
}
check "1,000 swaps, each written and switched to" many
check "after them all counters add up" adds_up
busy() {
	model swap "$models/accept" --trial 600 >/dev/null 2>&1 &
	local client=$! i
	for ((i = 0; i < 200; i++)); do
		[ "$(model status --json | value 'd["swap"]["phase"]')" = trial ] && break
	done
	! model swap "$default" --now >"$tap_tmp/busy" 2>&1 && grep -q "another swap is under way: trial" "$tap_tmp/busy" || return 1
	model rollback || return 1
	wait "$client"
	[ $? -eq 5 ]
}
check "one swap at a time; a rollback ends a trial, with status 5" busy

frame() { timeout 20 "$MLSCHED" top --batch --count 2 --interval 0.05 --socket "$tap_tmp/run/s"; }
same "top into a pipe: two pictures of at most 24 lines" "2 1" \
	"$(frame | grep -c '^mlsched ') $(frame | awk '/^mlsched /{n=0} {n++; if (n > 24) bad=1} END{print !bad}')"
if command -v tmux >/dev/null; then
	mux() { tmux -L "mls$$" "$@"; }
	until_shown() {
		local i
		for ((i = 0; i < 200; i++)); do
			mux capture-pane -p -t top 2>/dev/null | grep -q "$1" && return 0
			sleep 0.05
		done
		mux capture-pane -p -t top
		return 1
	}
	mux new-session -d -s top -x 80 -y 24 "$MLSCHED top --interval 0.2 --socket $tap_tmp/run/s; echo ended \$?; cat"
	check "top on a screen of 80x24 shows domains, decisions and waits" until_shown "^waits/s"
	mux send-keys -t top s
	check "its key s switches to shadow" until_shown "mode shadow"
	same "in the scheduler, too" shadow "$(model mode)"
	mux resize-window -t top -x 60 -y 12
	mux send-keys -t top a
	check "it goes on in a smaller window" until_shown "mode active"
	mux send-keys -t top q
	check "q ends it and gives the screen back" until_shown "ended 0"
	mux kill-server
else
	skip "top on a screen" "needs tmux"
fi
end
refuse "it takes its socket along" test -e "$tap_tmp/run/s"

begin --model "$models/accept"
kill -KILL "$job"
wait "$job" 2>/dev/null
begin --model "$models/accept"
check "a socket that was left behind is replaced" model status
end

FAKE_SLOW_SLOT=1 begin --model "$models/accept"
sleep_for_waits() { # what was before: at least a second of waits, which are awaited
	until [ "$(stats --json | value 'd["wait_ns"]["n"] > 2500')" = True ]; do :; done
}
sleep_for_waits
same "waits that run away roll it back by themselves, with status 4" 4 \
	"$(status_of model swap $default --now --watch-after 20)"
same "and say so" True "$(model status --json | value '"waits for a CPU grew" in d["history"][0]["reason"]')"
end

FAKE_PUT_ERROR=1 begin --model "$models/accept"
same "what is not read back as written is not switched to" "1 0" \
	"$(status_of model swap $default --now) $(model status --json | value 'd["active_slot"]')"
end

begin --model "$models/mine" --watch --trial 0 --watch-after 0
replaced() { # with what the watched model is replaced, and the outcome that is awaited
	local i
	mv "$models/mine" "$models/old.$RANDOM"
	cp -r "$1" "$models/.new" && mv "$models/.new" "$models/mine"
	for ((i = 0; i < 400; i++)); do
		[ "$(model status --json | value 'd["history"][0]["outcome"] if d["history"] else ""')" = "$2" ] && return 0
		sleep 0.05
	done
	return 1
}
check "--watch takes a model that was replaced" replaced $default activated
active=$(model status --json | value 'd["active_slot"]')
check "and refuses a broken one" replaced "$models/broken" broken
same "beside which the old one stays" "$active" "$(model status --json | value 'd["active_slot"]')"
end
wait "$reader"
same "each swap is a document of the scheduler's output" "2" "$(grep -c '"type":"swap"' "$tap_tmp/documents")"

# A Keras file takes a process, which the sandbox does not start: one that does was started before.
for to in refuse.h5 accept.keras accept.h5; do "$MLSCHED" convert -q "$models/${to%.*}" "$tap_tmp/$to"; done
python3 - "$tap_tmp/accept.h5" "$tap_tmp/damaged.h5" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2:] = bytes(len(data) - len(data) // 2)
open(sys.argv[2], "wb").write(data)
END
swapped() { # FILE OUTCOME: the watched file is replaced, and the swap that is awaited
	local n i
	n=$(model status --json | value 'd["history"][0]["number"] if d["history"] else 0')
	cp "$1" "$models/.new" && mv "$models/.new" "$models/mine.h5"
	for ((i = 0; i < 400; i++)); do
		[ "$(model status --json | value 'f"""{d["history"][0]["number"] > '"$n"'} {d["history"][0]["outcome"]}""" if d["history"] else ""')" = "True $2" ] && return 0
		sleep 0.05
	done
	model status --json | sed 's/^/# /'
	return 1
}
starter() { tr -d ' ' <"/proc/$job/task/$job/children"; }
gone() { # it has ended, whether anybody has asked how or not
	local i
	for ((i = 0; i < 400; i++)); do
		[ -e "/proc/$started" ] && ! grep -q '^State:.Z' "/proc/$started/status" 2>/dev/null || return 0
		sleep 0.05
	done
	return 1
}
for engine in kernel native; do
	computed=()
	[ $engine = kernel ] || computed=(--engine native)
	cp "$tap_tmp/accept.h5" "$models/mine.h5"
	begin -v --sandbox --model "$models/mine.h5" "${computed[@]}" --watch --trial 0 --watch-after 0
	started=$(starter)
	check "engine $engine: in the sandbox --watch takes an .h5 file that was replaced" swapped "$tap_tmp/refuse.h5" activated
	check "engine $engine: and one that is a .keras archive" swapped "$tap_tmp/accept.keras" activated
	check "engine $engine: and refuses a damaged one" swapped "$tap_tmp/damaged.h5" broken
	same "engine $engine: saying what the library says of it" True \
		"$(model status --json | value '"libhdf5 says" in d["history"][0]["reason"] or "HDF5 library" in d["history"][0]["reason"]')"
	check "engine $engine: and takes the next" swapped "$tap_tmp/refuse.h5" activated
	check "engine $engine: one that is only named is taken as well" sh -c '[ "$1" = True ]' - "$(by_path "$models/mine.h5" | value 'd["ok"]')"
	same "engine $engine: what starts the processes has no capabilities, no way to get any, and a filter" \
		"CapEff: 0000000000000000 CapPrm: 0000000000000000 NoNewPrivs: 1 Seccomp: 2" \
		"$(awk '/^(CapPrm|CapEff|NoNewPrivs|Seccomp):/ { print $1, $2 }' "/proc/$started/status" | sort | paste -sd' ')"
	kill -KILL "$started"
	gone
	check "engine $engine: without it a file is refused, and all else goes on" swapped "$tap_tmp/accept.h5" broken
	same "engine $engine: saying why" True \
		"$(model status --json | value '"no process in which the HDF5 library could read it: the process that starts it" in d["history"][0]["reason"]')"
	end
done
cp "$tap_tmp/accept.h5" "$models/mine.h5"
begin --sandbox --model "$models/mine.h5" --watch
started=$(starter)
end
check "what starts the processes ends with the scheduler" gone
begin --sandbox --model "$models/mine.h5"
same "and is not there where nothing is watched" "" "$(starter)"
end
begin --model "$models/mine.h5" --watch --trial 0 --watch-after 0
same "nor without a sandbox" "" "$(starter)"
check "where --watch takes a Keras file as well" swapped "$tap_tmp/refuse.h5" activated
end

# A model that says for which scheduler it was trained is offered that while it decides, and only then.
tuned() { # NAME MECHANISMS OFFERS
	cp -r "$models/accept" "$models/$1"
	python3 - "$models/$1/assets/mlsched.json" "$2" "$3" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
d["mechanisms"], d["offers_us"] = json.loads(sys.argv[2]), json.loads(sys.argv[3])
json.dump(d, open(sys.argv[1], "w"))
END
}
tuned eager '["fork-in-place", "ask-again"]' '[100, 300.5, 500]'
tuned other '["fork-in-place", "ask-again"]' '[0, 1, 2]'
tuned bare '[]' '[700, 800, 900]'
tuned future '["mind-reading"]' '[1, 2, 3]'
offers() { stats --json | value 'd["offers_us"]' | tr -d '[],'; }
usual="2000.0 2500.0 3000.0"
now=(--now --watch-after 0)
for engine in kernel native; do
	computed=()
	[ $engine = kernel ] || computed=(--engine native)
	begin --model "$models/eager" "${computed[@]}"
	same "engine $engine: its offers are those of the model that decides" "100.0 300.5 500.0" "$(offers)"
	same "engine $engine: status has them, and those of the slots" \
		"[100.0, 300.5, 500.0] ['fork-in-place', 'ask-again'] ['fork-in-place', 'ask-again'] [100.0, 300.5, 500.0]" \
		"$(model status --json | value 'f"""{d["offers_us"]} {d["mechanisms"]} {d["slots"][0]["mechanisms"]} {d["slots"][0]["offers_us"]}"""')"
	check "engine $engine: and says so" sh -c '"$1" model status --socket "$2" | grep -q "^offers .*idle for 100, 300.5, 500 us"' - \
		"$MLSCHED" "$tap_tmp/run/s"
	same "engine $engine: the usual ones in shadow mode" "shadow $usual" "$(model mode shadow) $(offers)"
	same "engine $engine: and while no model is asked" "collect $usual" "$(model mode collect) $(offers)"
	same "engine $engine: when it decides again they are back" "active 100.0 300.5 500.0" "$(model mode active) $(offers)"
	same "engine $engine: a model on trial changes nothing" "3 100.0 300.5 500.0" \
		"$(status_of model swap "$models/refuse" --trial 0.3) $(offers)"
	same "engine $engine: one that says nothing is offered the usual" "0 $usual" "$(status_of model swap "$models/accept" "${now[@]}") $(offers)"
	same "engine $engine: a rollback brings the first one's back" "0 100.0 300.5 500.0" "$(status_of model rollback) $(offers)"
	same "engine $engine: one that is rolled back by itself leaves them as they were" "4 100.0 300.5 500.0" \
		"$(status_of model swap "$models/refuse" --now --watch-after 20) $(offers)"
	same "engine $engine: another one's" "0 0.0 1.0 2.0" "$(status_of model swap "$models/other" "${now[@]}") $(offers)"
	same "engine $engine: of the same mechanisms: no warning" False \
		"$(model swap "$models/eager" "${now[@]}" --json | value '"warning" in d')"
	same "engine $engine: of others: a warning in the answer" \
		"warning    the model was trained for a scheduler with the mechanisms none, and this one has fork-in-place,ask-again: it may decide badly, until mlsched run is started anew with --mechanisms none" \
		"$(model swap "$models/bare" "${now[@]}" | grep ^warning)"
	same "engine $engine: mechanisms that this scheduler does not have are refused" "1 700.0 800.0 900.0" \
		"$(status_of model swap "$models/future" "${now[@]}") $(offers)"
	end
done

# A model of any format is read by the client, outside of the sandbox, and sent.  What the scheduler then has is what it has
# of the same model where it may read everything by itself.
tuned own '["fork-in-place", "ask-again"]' '[100, 300.5, 500]'
python3 - "$models/own/assets/mlsched.json" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
d["threshold"], d["provenance"] = 0.625, {"data": "mine", "rows": 7}
json.dump(d, open(sys.argv[1], "w"))
END
elsewhere=$tap_tmp/elsewhere
mkdir "$elsewhere"
check "models of every format that is written lie elsewhere" sh -c '
	for to in saved own.onnx own.h5 own.keras; do "$0" convert -q "$1/own" "$2/$to" || exit; done
	for to in default.onnx default.h5 default.keras; do "$0" convert -q models/default "$2/$to" || exit; done' \
	"$MLSCHED" "$models" "$elsewhere"
cp tests/golden/keras/models/tf221-keras3-h5/model.h5 "$models/inside.h5"
golden=$PWD/tests/golden
sent=("$elsewhere"/{saved,own.onnx,own.h5,own.keras}
	"$golden"/keras/models/{tf215-keras2-h5/model.h5,tf215-keras2-keras/model.keras,tf215-keras2-norm-h5/model.h5}
	"$golden"/keras/models/{tf221-keras3-keras/model.keras,tf221-keras3-norm-keras/model.keras,tf221-keras3-weights-h5/model.weights.h5}
	"$golden"/onnx/models/onnx-torch215/model.onnx "$golden"/tflite/models/tf221-tflite/model.tflite
	"$golden"/savedmodel/models/tf221-keras3-norm-savedmodel/model "$models/inside.h5")
active() { model status --json | value 'json.dumps(d["slots"][d["active_slot"]], sort_keys=True)'; }
for engine in native kernel; do
	computed=()
	# An engine of user space keeps to the inputs that it has.
	if [ $engine = kernel ]; then
		sent+=("$elsewhere"/default.{onnx,h5,keras} "$PWD/models/default")
	else
		computed=(--engine native)
	fi
	begin --model "$models/accept" "${computed[@]}"
	known=()
	for file in "${sent[@]}"; do
		by_path "$file" >"$tap_tmp/answer"
		known+=("$(value 'd["ok"]' <"$tap_tmp/answer") $(active)")
	done
	end
	begin -v --sandbox --model "$models/accept" "${computed[@]}"
	for i in "${!sent[@]}"; do
		file=${sent[i]}
		same "engine $engine: sent into the sandbox: ${file#"$golden/"}" "0 ${known[i]#True }" "$(status_of model swap "$file" "${now[@]}") $(active)"
	done
	same "engine $engine: each of them stood there under its own name" "${#sent[@]}" \
		"$(printf '%s\n' "${known[@]}" | grep -c "^True .*\"path\": \"/")"
	if grep -q "system calls: filtered" "$tap_tmp/fake.stderr"; then
		same "engine $engine: what is only named is read inside, where a Keras file cannot be: it says what to do" True \
			"$(by_path "$models/inside.h5" | value 'not d["ok"] and "the sandbox of a running scheduler starts none: `mlsched model swap` reads it elsewhere and sends it" in d["error"]')"
	else
		skip "engine $engine: a Keras file that is only named" "nothing filters system calls here"
	fi
	if grep -q "Landlock [1-9]" "$tap_tmp/fake.stderr"; then
		same "engine $engine: and nothing is read elsewhere" True "$(by_path "$elsewhere/own.onnx" | value 'not d["ok"] and "Permission denied" in d["error"]')"
	else
		skip "engine $engine: a model elsewhere that is only named" "nothing guards files here"
	fi
	end
done

# Meta data that are too long to be sent, which Keras files may have: the scheduler reads them by itself, as far as it may.
python3 - "$elsewhere/own.keras" "$elsewhere/long.keras" <<'END'
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as own, zipfile.ZipFile(sys.argv[2], "w") as long:
    for name in own.namelist():
        data = own.read(name)
        if name == "assets/mlsched.json":
            data = json.dumps(dict(json.loads(data), provenance={"note": "x" * 200000}))
        long.writestr(name, data)
END
begin --model "$models/accept"
long() { model swap "$elsewhere/long.keras" "${now[@]}" 2>"$tap_tmp/long" && grep -q "is the provenance that long?; the scheduler is told to read it by itself" "$tap_tmp/long"; }
check "a model with more meta data than is sent is read by the scheduler" long
same "and decides" "$elsewhere/long.keras" "$(model status --json | value 'd["slots"][d["active_slot"]]["path"]')"
end

# Of a SavedModel they are too long to be read by anybody.
cp -r "$models/own" "$models/long"
python3 - "$models/long/assets/mlsched.json" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
d["provenance"] = {"losses": list(range(30000))}
json.dump(d, open(sys.argv[1], "w"))
END
begin --sandbox --model "$models/accept"
same "a SavedModel with more meta data than is read is refused" "1 $models/accept" \
	"$(model swap "$models/long" "${now[@]}" 2>"$tap_tmp/refused"; echo $?) $(model status --json | value 'd["slots"][d["active_slot"]]["path"]')"
check "and it is said why" grep -q "long/assets/mlsched.json: expected JSON that unfolds to less than" "$tap_tmp/refused"

# Nothing that is sent is believed.
cat >"$tap_tmp/hostile.py" <<'END'
import errno, fcntl, json, os, random, socket, sys

path, pid, model = sys.argv[1], sys.argv[2], open(sys.argv[3], "rb").read()
SEALS = 2 | 4 | 8  # shrink, grow, write
N = 60


def files():
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(content, seals=SEALS):
    fd = os.memfd_create("x", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    while True:
        try:
            fcntl.fcntl(fd, 1033, seals)
            return fd
        except OSError as error:
            # Somebody holds a page of it: the kernel, which moves them.
            if error.errno != errno.EBUSY:
                raise


def ask(fds, request={}):
    request = {"request": "swap", "path": "/sent", "sent": True, "now": True, "limits": {"watch": 0}} | request
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)  # waits for a place in the queue, which it would not with a time limit
        s.settimeout(60)
        socket.send_fds(s, [json.dumps(request).encode() + b"\n"], fds)
        for fd in set(fds):
            os.close(fd)
        return json.loads(s.makefile().readline())


def refused(why, fds, **request):
    answer = ask(fds, request)
    assert not answer["ok"] and why in answer["error"], answer


before = ask([], {"request": "status"})["active_slot"]
open_files = files()
refused("found none or several", [])
fd = memory(model)
refused("found none or several", [fd, fd])
refused('expected true or false as "sent"', [memory(model)], sent=1)
refused("absolute path", [memory(model)], path="sent")
refused("something else", [os.open("/dev/zero", os.O_RDONLY)])
refused("something else", [os.open(sys.argv[3], os.O_RDONLY)])
refused("something else", [os.open("/", os.O_RDONLY)])
refused("something else", [os.pipe()[0]])
refused("can still be changed", [memory(model, 0)])
refused("can still be changed", [memory(model, 8)])
refused("found 0", [memory(b"")])
refused("found 4194305", [memory(bytes((4 << 20) + 1))])
refused("Invalid ONNX format: /sent, as it was sent:", [memory(b"nonsense")])
refused("Invalid ONNX format", [memory(bytes(4 << 20))])
refused("Invalid ONNX format", [memory(model[:-1])])
seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
print("SEED", seed)
random.seed(seed)
taken = 0
for i in range(N):
    damaged = bytearray(model)
    for _ in range(random.randint(1, 8)):
        damaged[random.randrange(len(damaged))] = random.randrange(256)
    answer = ask([memory(damaged)])
    assert answer["ok"] or answer["error"], answer
    taken += answer["ok"]
print(taken, "of", N, "were models all the same")
# What comes with other requests, or is not said to come, is nobody's.
assert ask([memory(model)], {"request": "status"})["ok"]
assert not ask([memory(model)], {"sent": False, "path": "/nowhere"})["ok"]
answer = ask([memory(model)])
assert answer["ok"] and answer["swap"]["path"] == "/sent", answer
# Half a request with a descriptor, and gone.
for i in range(40):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        socket.send_fds(s, [b'{"request":'], [0])
# It sees one after the other that they are gone, between its answers.
for i in range(1000):
    assert ask([], {"request": "status"})["ok"]
    if files() <= open_files + 1:
        break
else:
    sys.exit(f"open: {open_files} before, now {os.listdir(f'/proc/{pid}/fd')}")
END
check "no descriptor, several, none of a sealed file in memory, damaged models: each is refused, and nothing stays open" \
	timeout 300 python3 "$tap_tmp/hostile.py" "$tap_tmp/run/s" "$job" "$elsewhere/own.onnx"
same "after that it serves as before" "0 $models/accept" "$(status_of model swap "$models/accept" "${now[@]}") $(model status --json | value 'd["slots"][d["active_slot"]]["path"]')"
end

# The same by an engine of user space, whose models lie in the daemon.
begin --model "$models/accept" --engine native
same "engine native: status says what computes the model" "native True 1" \
	"$(model status --json | value '"native float32," in "native " + d["slots"][0]["computed_by"] and "native", d["slots"][0]["intact"], sum(s is not None for s in d["slots"])' | tr -d "(),'")"
check "engine native: and so in text" sh -c '"$1" model status --socket "$2" | grep -q "^slot 0 *$3/accept: active, seed10, checksum"' - \
	"$MLSCHED" "$tap_tmp/run/s" "$models"
same "engine native: modes are changed" "shadow active" "$(model mode shadow) $(model mode active)"
same "engine native: a model that refuses everything is refused on trial, with status 3" 3 \
	"$(status_of model swap "$models/refuse" --trial 0.3)"
same "engine native: and never decided" 0 "$(stats --json | value 'd["refused"]')"
same "engine native: it was asked beside the active one and disagreed" "True True" \
	"$(model status --json | value 'd["history"][0]["trial_decisions"] >= 100, d["history"][0]["trial_disagreed"] == d["history"][0]["trial_decisions"]' | tr -d '(),')"
same "engine native: a broken model is refused with status 1" 1 "$(status_of model swap "$models/broken")"
same "engine native: within the limits one is activated" 0 \
	"$(status_of model swap $default --trial 0.3 --max-disagreement 100 --watch-after 0.3)"
same "engine native: a rollback brings the first one back" "0 $models/accept" \
	"$(status_of model rollback) $(model status --json | value 'd["slots"][d["active_slot"]]["path"]')"
same "engine native: refusals after the switch roll it back by themselves, with status 4" 4 \
	"$(status_of model swap "$models/refuse" --now --watch-after 20)"
check "engine native: one swap at a time; a rollback ends a trial, with status 5" busy
check "engine native: 1,000 swaps" many
native_adds_up() {
	stats --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["decisions"] == sum(k["accepted"] + k["refused"] for k in d["kinds"].values()) > 0
assert d["decisions"] == d["model"]["asked"] and d["model"]["missing"] == 0
assert d["refused"] == d["model"]["asked"] - d["model"]["migrate"]'
}
check "engine native: after them every decision had its verdict, and nothing else" native_adds_up
end
rm -rf "$models/mine"
cp -r "$models/accept" "$models/mine"
begin --model "$models/mine" --engine native --watch --trial 0 --watch-after 0
check "engine native: --watch takes a model that was replaced" replaced "$models/refuse" activated
end

# And by TensorFlow, for which a library stands in that knows two models (tests/vm/fake_tensorflow.c).
check "a library with TensorFlow's functions is built" "$CC" -std=gnu11 -O2 -shared -fPIC \
	-o "$tap_tmp/libtensorflow.so.2" tests/vm/fake_tensorflow.c -lm
cp -r "$models/refuse" "$models/-5"
cp -r "$models/accept" "$models/5"
begin --model "$models/5" --engine tensorflow --tensorflow-library "$tap_tmp/libtensorflow.so.2"
same "engine tensorflow: a model is refused on trial, with a session of its own" "3 0" \
	"$(status_of model swap "$models/-5" --trial 0.3) $(stats --json | value 'd["refused"]')"
same "engine tensorflow: it was asked" True "$(model status --json | value 'd["history"][0]["trial_refused"] >= 100')"
same "engine tensorflow: what it computes otherwise than we do is refused" 1 "$(status_of model swap "$models/accept")"
same "engine tensorflow: one is switched to and back" "0 /-5 0 /5" \
	"$(status_of model swap "$models/-5" --now --watch-after 0) $(model status --json | value 'd["slots"][d["active_slot"]]["path"][-3:]')$(
	) $(status_of model rollback) $(model status --json | value 'd["slots"][d["active_slot"]]["path"][-2:]')"
check "engine tensorflow: status names it" sh -c '"$1" model status --json --socket "$2" | grep -q "TensorFlow 0.0.0-fake"' - "$MLSCHED" "$tap_tmp/run/s"
many() { model swap "$models/-5" --now --repeat 100 --json | value 'd["swap"]["writes"]' | grep -qx 100; }
check "engine tensorflow: 100 swaps" many
end

# A path is any bytes, and what the scheduler answers with is UTF-8.
cp -r "$models/accept" "$models/"$'acc\xe9pt'
json="" begin --model "$models/"$'acc\xe9pt' --metrics 0
same "a model whose path is not UTF-8: stats answers" "$models/acc?pt" "$(stats --json | value 'd["active_path"]')"
check "a model whose path is not UTF-8: and so does top" sh -c '"$1" top --batch --count 1 --socket "$2" | grep -q "slot 0 .*/acc?pt$"' - \
	"$MLSCHED" "$tap_tmp/run/s"
check "a model whose path is not UTF-8: the metrics are OpenMetrics" sh -c '
	python3 -c "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=20).read())" "$1" |
	python3 tests/cli/check_openmetrics.py' - "$(echo "$start" | value 'd["metrics"]')"
end

begin --model "$models/accept" --metrics "unix:$tap_tmp/run/metrics"
check "metrics are served on a socket of the file system, too" python3 - "$tap_tmp/run/metrics" <<'END'
import http.client, socket, subprocess, sys
answer = http.client.HTTPConnection("localhost", timeout=20)
answer.sock = socket.socket(socket.AF_UNIX)
answer.sock.connect(sys.argv[1])
answer.request("GET", "/metrics")
text = answer.getresponse().read()
samples = subprocess.run(["python3", "tests/cli/check_openmetrics.py"], input=text, check=True, stdout=subprocess.PIPE).stdout
for name in (b"mlsched_overdue_tasks_total", b'mlsched_safety_rules_total{rule="kept_idle"}'):
    assert name in samples, samples
END
end

# Its terminal goes, and it does not hear of it: then there are no keys any more, and getting none takes no time.
cat >"$tap_tmp/hangup.py" <<'END'
import os, pty, signal, sys, threading
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], sys.argv[1:])
assert os.read(fd, 1)
os.close(fd)
# One that goes on does so for ever.
threading.Timer(60, os.kill, (pid, signal.SIGKILL)).start()
ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert ended >= 0, f"ended by signal {-ended}"
os._exit(0)
END
begin --model "$models/accept"
check "top ends when its terminal is gone" python3 "$tap_tmp/hangup.py" "$MLSCHED" top --socket "$tap_tmp/run/s" --interval 0.2
end

begin
same "without a model none is active" None "$(model status --json | value 'd["active_slot"]')"
end
finish
