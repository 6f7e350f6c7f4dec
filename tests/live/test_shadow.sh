#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched run on the kernel of this machine: its counts against the kernel's
# own, outcomes against a load whose moves are known.
# Functions are called through check.
# shellcheck disable=SC2317,SC2016
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

O=${O:-build}
CC=${CC:-$(command -v clang-19 || echo gcc)}
checks=tests/live/check_shadow.py
seconds=${MLSCHED_TEST_SECONDS:-10}

why=
[ "$(id -u)" -eq 0 ] || why="needs root"
[ -e /sys/kernel/btf/vmlinux ] || why="this kernel has no BTF"
[ "$(getconf _NPROCESSORS_ONLN)" -ge 2 ] || why="needs two CPUs"
if [ -n "$why" ]; then
	skip "the shadow backend on the running kernel" "$why"
	finish
fi

chmod 755 "$tap_tmp"
build_helpers() {
	local name libs
	read -ra libs <<<"$(pkg-config --libs jansson libprotobuf-c)"
	for name in switcher count_events; do
		"$CC" -std=gnu11 -O2 -Wall -pthread -D_GNU_SOURCE -o "$tap_tmp/$name" "tests/live/$name.c" || return 1
	done
	"$CC" -std=gnu11 -O2 -Wall -Iinclude -o "$tap_tmp/constant_model" tests/live/constant_model.c \
		"$O/libmlsched.a" "${libs[@]}" -lm -pthread
}
make_models() {
	"$tap_tmp/constant_model" -5 "$tap_tmp/refuse" && "$tap_tmp/constant_model" 5 "$tap_tmp/accept" &&
		"$tap_tmp/constant_model" 5 "$tap_tmp/narrow" 5
}
# The id of the tracepoint; tracefs is mounted in a mount namespace of its own.
event_id() {
	unshare -m sh -c "mkdir -p '$tap_tmp/tracefs' && mount -t tracefs none '$tap_tmp/tracefs' &&
		cat '$tap_tmp/tracefs/events/sched/sched_migrate_task/id'"
}

# watch NAME OPTIONS... -- COMMAND...: runs the command while mlsched watches, ends mlsched by
# SIGINT, and leaves its output in NAME.json, the kernel's counts in NAME.outer and NAME.inner.
watch() {
	local name=$tap_tmp/$1 pid first options=()
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	rm -f "$name.fifo"
	mkfifo "$name.fifo" || return 1
	"$tap_tmp/count_events" "$name.outer" "$id" "$MLSCHED" run -v --json --backend shadow "${options[@]}" >"$name.fifo" 2>"$name.err" &
	pid=$!
	exec 3<"$name.fifo"
	# The first document comes when everything is attached.
	if ! read -r -u 3 first; then
		cat "$name.err"
		exec 3<&-
		wait "$pid"
		return 1
	fi
	{ echo "$first"; cat <&3; } >"$name.json" &
	exec 3<&-
	"$tap_tmp/count_events" "$name.inner" "$id" "$@" || return 1
	kill -INT "$pid"
	wait "$pid" || return 1
	wait
}

warnings() { dmesg 2>/dev/null | grep -cE 'WARNING:|BUG:|Oops|RCU stall|soft lockup'; }

warnings_before=$(warnings)
check "helpers build" build_helpers
check "models that always say the same are written" make_models
if "$MLSCHED" run -q --backend shadow --model "$tap_tmp/accept" --duration 0.05 2>&1 >/dev/null | grep -q 'needs root'; then
	skip "the shadow backend on the running kernel" "root may not use bpf() here"
	finish
fi
id=$(event_id)
if [ -z "$id" ]; then
	skip "the shadow backend on the running kernel" "tracefs cannot be mounted"
	finish
fi

# Many switches, and 2,000 moves of one thread.
busy() { "$tap_tmp/switcher" "$seconds" 4 2000 >"$tap_tmp/busy.known"; }
export -f busy
export tap_tmp seconds
check "watching $seconds s of context switches and 2,000 forced moves" \
	watch busy --model "$tap_tmp/refuse" -- bash -c busy
check "every migration is judged or counted" python3 $checks adds_up "$tap_tmp/busy.json"
check "the kernel's own counts enclose ours" \
	python3 $checks between "$tap_tmp/busy.json" "$tap_tmp/busy.inner" "$tap_tmp/busy.outer"
sed -n 's/^# /# /p' "$tap_out"
check "each forced move of a thread is there, as often as the kernel says" \
	python3 $checks own_thread "$tap_tmp/busy.json" "$tap_tmp/busy.known"
sed -n 's/^# /# /p' "$tap_out"
check "moves back within the window are bounces, with their times" \
	python3 $checks bounces "$tap_tmp/busy.json" "$tap_tmp/busy.known" 100
check "outcomes keep within the window" python3 $checks outcomes "$tap_tmp/busy.json" 100
check "features are those of the moment" python3 $checks features "$tap_tmp/busy.json"
check "a model that always refuses refuses all that can be refused" \
	python3 $checks refused "$tap_tmp/busy.json" 1
read -r _ switches <"$tap_tmp/busy.inner"
rate=$((switches / seconds))
echo "# $rate context switches a second"
name="nothing is lost at 50,000 context switches a second"
if [ $rate -ge 50000 ]; then
	check "$name" python3 $checks none_lost "$tap_tmp/busy.json"
else
	skip "$name" "this machine made $rate a second"
fi

# Every CPU kept busy; another window, half-life and engine settings.
spinning() { "$tap_tmp/switcher" 0.1 1 200 spin >"$tap_tmp/spin.known"; }
export -f spinning
check "watching CPUs that are kept busy" \
	watch spin --model "$tap_tmp/accept" --half-life 10 --window 20 --domains 2 -- bash -c spinning
check "busy CPUs are busy, their load is one" \
	python3 $checks saturated "$tap_tmp/spin.json" "$tap_tmp/spin.known"
check "a window of 20 ms is kept" python3 $checks outcomes "$tap_tmp/spin.json" 20
check "bounces follow the window" python3 $checks bounces "$tap_tmp/spin.json" "$tap_tmp/spin.known" 20
check "a model that always accepts refuses nothing" python3 $checks refused "$tap_tmp/spin.json" 0
check "every migration is judged or counted, again" python3 $checks adds_up "$tap_tmp/spin.json"

# The network in the kernel, at the moment of each migration.
moving() { "$tap_tmp/switcher" 0.5 2 500 >"$tap_tmp/kernel.known"; }
export -f moving
check "watching with the network in the kernel" \
	watch kernel --model tests/golden/savedmodel/models/tf221-keras3-savedmodel/model --engine kernel -- bash -c moving
check "the kernel and the library compute the same integers" python3 $checks same_integers "$tap_tmp/kernel.json"
sed -n 's/^# /# /p' "$tap_out"
check "every migration is judged or counted with the network in the kernel" \
	python3 $checks adds_up "$tap_tmp/kernel.json"

# What a person sees.
text=$("$MLSCHED" run --backend shadow --model "$tap_tmp/accept" --duration 0.3 --interval 0.1)
same "it runs for as long as --duration says and ends with 0" 0 $?
check "it says machine, kernel, backend, engine, domains, model" \
	bash -c 'for word in machine kernel backend engine domains model; do
		grep -q "^$word  *[^ ]" <<<"$1" || { echo "no $word: $1"; exit 1; }; done' - "$text"
check "it ends with a summary that names the cost" grep -q 'ns a context switch' <<<"$text"

# What stands in its way.
copy=$tap_tmp/mlsched
cp "$MLSCHED" "$copy" && chmod 755 "$copy"
message=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$copy" run --model "$tap_tmp/accept" --duration 1 2>&1 >/dev/null)
same "without root it fails" 1 $?
same "without root it says what to do" "mlsched run: watching the kernel's scheduler needs root: run it as root, with sudo, or with CAP_BPF and CAP_PERFMON" "$message"
message=$(unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && '$copy' run --model '$tap_tmp/accept' --duration 1" 2>&1 >/dev/null)
same "without BTF it fails" 1 $?
check "without BTF it says what is missing" grep -q '^mlsched run: this kernel has no BTF .*CONFIG_DEBUG_INFO_BTF=y' <<<"$message"
message=$("$MLSCHED" run --model "$tap_tmp/narrow" --duration 1 2>&1 >/dev/null)
same "a model of another width fails" 1 $?
check "a model of another width is told in the original's words" \
	grep -q "^mlsched run: $tap_tmp/narrow: Expected shape \[?, 10\], got \[?, 5\]" <<<"$message"
message=$("$MLSCHED" run --model "$tap_tmp/nothing" --duration 1 --json 2>/dev/null)
same "a missing model fails" 1 $?
check "a missing model is a JSON document" \
	grep -q '^{"error":"Model not found at path' <<<"$message"
refuse "an unknown backend is a usage error" "$MLSCHED" run --backend none
same "the kernel did not complain" "$warnings_before" "$(warnings)"
finish
