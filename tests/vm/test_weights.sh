#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# CPU time by weight: two CPU-bound tasks on one CPU share it as the kernel's table of
# weights says (kernel/sched/core.c, sched_prio_to_weight).
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "CPU time by weight"
if lacks_functions "${kernels[0]}"; then
	skip "CPU time by weight" "scheduling is refused on ${kernels[0]}: tests/vm/test_scx.sh shows how"
	finish
fi

# In deterministic mode a busy host cannot change the shares.
shares() {
	guest -d "$seed" -k "${kernels[0]}" -t 1x1x2 -o "$tap_tmp/out" -p "$MLSCHED" -f tests/vm/guest_common.sh=/guest_common.sh -p tests/vm/guest_weights.sh -p nice -p chrt -p "$tap_tmp/misbehave" -- \
		guest_weights.sh 2 >"$tap_tmp/shares"
}

# between PAIR LEAST MOST: of the first's time over the second's.
between() {
	awk -v pair="$1" -v least="$2" -v most="$3" '$1 == pair {
		ratio = $2 / $3
		printf "%s: %.0f ms and %.0f ms, %.2f to 1\n", pair, $2 / 1e6, $3 / 1e6, ratio
		exit !(ratio >= least && ratio <= most)
	}
	END { if (!ratio) exit 1 }' "$tap_tmp/shares"
}

check "helpers build" build_helper misbehave
check "five pairs of CPU-bound tasks run on one CPU" shares
check "equal weights: equal time" between equal 0.9 1.1
# 1024:335 and 1024:3121, within 15 %.
check "nice 5 gets a third of nice 0" between nice5 2.6 3.5
check "nice -5 gets three times nice 0" between nice-5 0.28 0.38
# 1024:3; the safety limit gives it a turn now and then.
check "SCHED_IDLE gets little, but some" between idle 15 350
sed 's/^/# /' "$tap_tmp/shares"

# A heavier task may go on after its slice, but not while somebody waits beyond the limit:
# nice 19 would get its next turn after 200 ms.  MLS_POLICY_LIMIT and a slice of whole ticks.
within() {
	tail -n 1 "$tap_tmp/out/$1" | python3 -c '
import json, sys
wait = json.load(sys.stdin)["wait_ns"]
print("longest of %d waits: %.1f ms" % (wait["n"], wait["longest"] / 1e6))
sys.exit(wait["longest"] > float(sys.argv[1]) * 1e6)' "$2"
}
check "whatever the weights, nobody waits longer than the safety limit and a slice" within run 104
sed 's/^/# /' "$tap_out"

# It starts at once on an idle CPU, again and again, and is not owed the time for which it
# slept: a turn of whole ticks is 4 ms, and for its weight it has three of them.
check "beside a heavier one that slept for long nobody waits for more than a few turns" within sleeper 32
sed 's/^/# /' "$tap_out"
finish
