#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched run: what it refuses before it touches the kernel.  The rest is
# tests/live/test_shadow.sh.
# shellcheck disable=SC2016,SC2154
. "$(dirname "$0")/../lib/tap.sh"

models=tests/golden/savedmodel/models

# says NAME STATUS PATTERN OPTIONS...: fails with that status, and one line of standard error fits.
says() {
	local name=$1 status=$2 pattern=$3 found
	shift 3
	"$MLSCHED" run "$@" >"$tap_tmp/stdout" 2>"$tap_tmp/stderr"
	found=$?
	if [ $found -eq "$status" ] && grep -qE -e "$pattern" "$tap_tmp/stderr" && [ ! -s "$tap_tmp/stdout" ]; then
		tap_result 0 "$name"
	else
		echo "# status $found"
		sed 's/^/# /' "$tap_tmp/stderr" "$tap_tmp/stdout"
		tap_result 1 "$name"
	fi
}

says "an unknown backend is a usage error" 2 '--backend: "eevdf" is none of' --backend eevdf
says "an engine that is not there is a usage error" 2 '--engine: "onnx" is none of' --engine onnx
says "a threshold of 1 is a usage error" 2 '--threshold: expected a number from' --threshold 1
says "a duration that is no number is a usage error" 2 '--duration: expected a number from .* got "soon"' --duration soon
says "NaN is no interval" 2 '--interval: expected a number' --interval nan
says "zero domains are a usage error" 2 '--domains: expected a number from 1 to 64' --domains 0
says "half a domain is a usage error" 2 '--domains: expected a whole number, got "1.5"' --domains 1.5
says "a window beyond the limit is a usage error" 2 '--window: expected a number from 1 to 4000' --window 4001
says "a stray argument is a usage error" 2 'unexpected argument "model"' model
says "a missing model is named" 1 '^mlsched run: Model not found at path: /nonexistent' --model /nonexistent
case $MLSCHED in /*) program=$MLSCHED ;; *) program=$PWD/$MLSCHED ;; esac
same "away from the source tree it says how to get a model" \
	"mlsched run: Model not found at path: src/model_dir/model_path: No such file or directory (\`make model\` in the source tree makes it; --model names another)" \
	"$(cd "$tap_tmp" && "$program" run 2>&1 >/dev/null)"
says "a mode that does not exist is a usage error" 2 '--mode: "learn" is none of' --mode learn
says "a limit of 1 ms is a usage error" 2 '--limit: expected a number from 5 to 2000, got "1"' --limit 1
says "a mode of scx is no mode of shadow" 1 '^mlsched run: --mode active needs --backend scx' --backend shadow \
	--mode active --model $models/tf221-keras3-savedmodel/model
says "part of the tasks is nothing for shadow" 1 '^mlsched run: --partial needs --backend scx' --backend shadow \
	--partial --model $models/tf221-keras3-savedmodel/model
says "an unknown mechanism is a usage error" 2 '--mechanisms: expected some of fork-in-place, .*none or all, got "stay"' --mechanisms fork-in-place,stay
says "no mechanism at all is called none" 2 '--mechanisms: expected names, none or all' --mechanisms ""
says "mechanisms are nothing for shadow" 1 '^mlsched run: --mechanisms needs --backend scx' --backend shadow \
	--mechanisms ask-again --model $models/tf221-keras3-savedmodel/model
read -ra libs <<<"$(pkg-config --libs jansson libprotobuf-c)"
check "a model of schema mig15 is written" "${CC:-clang-19}" ${SANITIZE:+-fsanitize="$SANITIZE"} -std=gnu11 -O2 -pthread -D_GNU_SOURCE \
	-Iinclude -o "$tap_tmp/constant_model" tests/live/constant_model.c "${O:-build}/libmlsched.a" "${libs[@]}" -lm
"$tap_tmp/constant_model" 5 "$tap_tmp/mig15" 15 mig15
"$tap_tmp/constant_model" 5 "$tap_tmp/mllb15" 15 mllb15
says "shadow says what it cannot know" 1 'cannot ask a model of schema mig15: .*--backend scx' --backend shadow --model "$tap_tmp/mig15"
says "a model of another schema is refused" 1 'of schema seed10 or mig15, this one.s is "mllb15"' --backend shadow \
	--model "$tap_tmp/mllb15"
if [ -e /sys/kernel/sched_ext ]; then
	skip "without sched_ext the scx backend is refused, and says what works" "this kernel has it"
	skip "without sched_ext auto is shadow, and a mode of scx says why it cannot be" "this kernel has it"
else
	says "without sched_ext auto is shadow, and a mode of scx says why it cannot be" 1 \
		'^mlsched run: --mode collect needs --backend scx, and the backend is shadow \(this kernel has no sched_ext' --mode collect
	says "without sched_ext the scx backend is refused, and says what works" 1 '^mlsched run: --backend scx: this kernel has .*--backend shadow works' \
		--backend scx --model $models/tf221-keras3-savedmodel/model
fi
says "a model of schema mllb15 is refused in the original's words" 1 \
	'^mlsched run: .*/model: Expected shape \[\?, 10\], got \[\?, 15\]' --model $models/tf221-keras3-15-10-1-savedmodel/model
for bad in savedmodel/bad/savedmodel-wrong-width/model keras/bad/h5-wrong-width/model.h5; do
	says "a model of five inputs is refused, and named: $bad" 1 \
		"^mlsched run: tests/golden/$bad: Expected shape \[\?, 10\], got \[\?, 5\]: decisions need" --model "tests/golden/$bad"
done
same "with --json the reason is a document" \
	'{"error":"Model not found at path: /nonexistent: No such file or directory"}' \
	"$("$MLSCHED" run --json --model /nonexistent 2>/dev/null)"
if [ "$(getconf _NPROCESSORS_ONLN)" -lt 64 ]; then
	says "more domains than cores are refused before anything is loaded" 1 \
		'^mlsched run: expected 1 to [0-9]+ domains \(cores of this machine\), got 64' \
		--domains 64 --engine kernel --model $models/tf221-keras3-savedmodel/model
else
	skip "more domains than cores are refused before anything is loaded" "64 CPUs or more"
fi
# What `make run` hands on; it only names a model to the program when somebody named it to make.
runs() { make -n --no-print-directory O="$(realpath --relative-to=. "${O:-build}")" "$@" run | sed -n 's/^scripts\/as-root.sh "[^"]*" run *//p' | xargs; }
same "make run names no backend and no model of its own" "--duration 1" "$(runs ARGS="--duration 1")"
same "make run MODEL=... names it" "--model mine --duration 1" "$(runs MODEL=mine ARGS="--duration 1")"
check "--help tells every option" sh -c 'for word in backend engine model mode limit duration interval domains half-life window threshold stats partial json; do
	"$1" run --help | grep -q -- "--$word" || exit 1; done' - "$MLSCHED"
finish
