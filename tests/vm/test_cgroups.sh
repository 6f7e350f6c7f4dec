#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# CPU time by the weights of cgroups: CPU-bound tasks on one CPU share it as cpu.weight says,
# level by level, and as the kernel's own scheduler shares it in the same guest.
# Functions are called through check.
# shellcheck disable=SC2317
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "CPU time by the weights of cgroups"

check "helpers build" build_helper misbehave

# In deterministic mode a busy host cannot change the shares.
shares() {
	guest -d "$seed" --instruction 2 -k "$1" -t 1x1x3 -o "$tap_tmp/$1" -p "$MLSCHED" -f tests/vm/guest_common.sh=/guest_common.sh \
		-f tests/vm/guest_hogs.sh=/guest_hogs.sh -p "$tap_tmp/misbehave" -p tests/vm/guest_cgroups.sh -p nice -p mountpoint -- \
		guest_cgroups.sh 1 >"$tap_tmp/shares"
}

# is CASE RATIO [N]: the second's time over the first's, within 10 % under ours, which was at most
# 4 % away in two seeds.  The kernel's own (N is 1: it has no such case) is shown beside it: that of
# 6.18 was 5 % away, that of 6.16 up to 71 %.
is() {
	awk -v name="$1" -v wanted="$2" -v schedulers="${3:-2}" '$2 == name {
		ratio = $4 / $3
		printf "%s %s: %.0f ms and %.0f ms, 1 to %.2f, by weight 1 to %.2f\n", $1, name, $3 / 1e6, $4 / 1e6, ratio, wanted
		n++
		if ($1 == "ours" && (ratio < wanted * 0.9 || ratio > wanted / 0.9))
			bad = 1
	}
	END { exit n != schedulers || bad }' "$tap_tmp/shares"
}

# What the scheduler counted about itself: nobody has waited for longer than the limit and one turn of everybody.
waits() {
	python3 -c '
import json, sys
longest = json.load(open(sys.argv[1]))["wait_ns"]["longest"]
print(f"the longest wait: {longest / 1e6:.0f} ms")
sys.exit(longest > 120e6)' "$tap_tmp/$1/stats"
}

for kernel in "${kernels[@]}"; do
	if lacks_functions "$kernel"; then
		skip "$kernel: weights of cgroups" "no scheduler can be loaded there"
		continue
	fi
	check "$kernel: CPU-bound tasks in cgroups run on one CPU" shares "$kernel"
	check "$kernel: one task each: by the groups' weights" is pair 3
	check "$kernel: one against three: by the groups' weights" is crowd 3
	check "$kernel: a weight changed while they run counts at once" is changed 1
	check "$kernel: tasks moved to another group count there" is moved 1
	check "$kernel: groups in a group share what is its" is nested 2
	check "$kernel: and beside it it is one group" is outer 1
	check "$kernel: a group whose neighbour is idle has all that is around them" is alone 1
	check "$kernel: a group has its weight, however deep its tasks are in it" is deep 3
	check "$kernel: a task of the root competes with a group" is root 1
	check "$kernel: a third task in a group takes nothing from others" is inside 1
	check "$kernel: the counts are right after many have come, moved and gone" is churned 3
	check "$kernel: and when the scheduler was attached anew as a CPU went and came" is replugged 3 1
	check "$kernel: nobody waits for longer than the limit" waits "$kernel"
	sed 's/^/# /' "$tap_out"
	sed 's/^/# /' "$tap_tmp/shares"
done
finish
