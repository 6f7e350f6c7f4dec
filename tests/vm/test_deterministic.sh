#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Deterministic mode: the same inputs give the same output to the bit, whatever the
# host is doing, on a load that the scheduler moves about.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/vm/vm.sh
skip_without_qemu "a guest in deterministic mode"

# Everything here would differ from run to run elsewhere: times, waits, moves, random
# numbers, the order in which jobs end on two CPUs.
cat >"$tap_tmp/load" <<'END'
#!/bin/sh
for job in 1 2 3; do
	{
		i=0
		while [ $i -lt 400 ]; do i=$((i + 1)); done
		sleep 0.0$job
		read -r ran waited slices </proc/self/schedstat
		echo "job $job: ran $ran, waited $waited, $slices slices"
	} &
done
wait
mls-workload imbalance -n 2
mls-workload message -n 10
grep -E '^(ctxt|processes|cpu)' /proc/stat
head -c 16 /dev/urandom | od -x
END
chmod 755 "$tap_tmp/load"
run() {	# name seed [option...]
	local name=$1 of=$2
	shift 2
	guest -d "$of" "$@" -k "${kernels[0]}" -t 1x2x1 -m 512 -p "$tap_tmp/load" -p "$O/vm/mls-workload" \
		-l "$tap_tmp/$name.log" -- load >"$tap_tmp/$name" 2>&1
}
run first 1
same "a load runs in deterministic mode" 0 $?
# The second time beside work on the host, which costs the guest half of its core.
yes >/dev/null &
busy=$!
run second 1
same "and once more on a busier host" 0 $?
kill $busy
sed 's/^/# /' "$tap_tmp/first"
same "three jobs and two loads ran" "3 2" "$(grep -c '^job' "$tap_tmp/first") $(grep -c '"makespan_ms"' "$tap_tmp/first")"
check "output is the same to the bit" diff "$tap_tmp/first" "$tap_tmp/second"
check "the kernel's log is the same to the microsecond" diff "$tap_tmp/first.log" "$tap_tmp/second.log"

# What is the same work in as many instructions takes the time of the guest that they are given.
ran() { awk '$1 == "job" { sub(",", "", $4); sum += $4 } END { printf "%.0f\n", sum / 1e3 }' "$tap_tmp/$1"; }
run slower 1 --instruction 4
same "a load runs where an instruction takes 4 ns" 0 $?
echo "# three jobs ran $(ran first) us, and $(ran slower) us where an instruction takes 4 ns"
check "it takes about four times as long" [ $(($(ran slower) * 2)) -gt $(($(ran first) * 6)) -a $(($(ran slower) * 2)) -lt $(($(ran first) * 10)) ]
finish
