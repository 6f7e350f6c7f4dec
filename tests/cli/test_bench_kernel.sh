#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched bench kernel: runs in the kernel of this machine, every logit is user
# space's before anything is timed, and the report is whole.  How fast a machine
# is fails no test.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

cat >"$tap_tmp/check.py" <<'END'
import json
import sys

report = json.load(open(sys.argv[1]))
assert report["loads"] == 1 and report["samples"] == 3, report
assert 0.1 < report["ghz"] < 20 and report["loop_cycles"] > 0, report
rows = [(r["network"], r["inputs"], round(r["active"], 1)) for r in report["networks"]]
assert len(set(rows)) == len(rows) == 10, rows
for share in (0.1, 0.3, 0.5):
    for row in (("10-64-64-1", 10), ("10-64-64-1", 5), ("15-64-64-1", 15)):
        assert row + (share,) in rows, (row, share, rows)
assert rows[-1][:2] == ("15-10-1", 15), rows
for r in report["networks"]:
    # 4,096 rows, from inputs and from features, by two kernels.
    assert r["logits_compared"] == 4 * 4096, r
    for kernel in (r["fixed"], r["generic"]):
        assert set(kernel) == {"cycles", "ns", "cycles_chained", "cycles_with_inputs", "cycles_worst_load"}, r
goals = {(r["network"], round(r["active"], 1)): r["goal_cycles"] for r in report["networks"] if "goal_cycles" in r}
assert goals == {("10-64-64-1", 0.5): 1400, ("10-64-64-1", 0.3): 1100, ("15-10-1", 0.5): 100}, goals
features = report["features"]
assert features[0]["this_machine"] and features[0]["cpus"] >= 1, features
assert [(f["cpus"], f["domains"]) for f in features[1:]] == [(8, 2), (64, 8), (1024, 64)], features
for f in features:
    for cost in (f, f["mig15"]):
        assert 0 < cost["cycles"] <= cost["cycles_worst_load"] and cost["ns"] > 0, f
END

"$MLSCHED" bench kernel --loads 0 >/dev/null 2>&1
same "bench_kernel_usage_errors_end_with_2" 2 $?
refuse "bench_kernel_refuses_a_cpu_that_is_not_there" "$MLSCHED" bench kernel --cpu 100000
if ! "$MLSCHED" bench kernel --loads 1 --samples 3 --json >"$tap_tmp/out.json" 2>&1; then
	why=
	! grep -qE 'Operation not permitted|needs root' "$tap_tmp/out.json" || why="needs root to load BPF programs"
	! grep -q 'need a kernel from 6.9 on' "$tap_tmp/out.json" || why="needs a kernel from 6.9 on"
	if [ -n "$why" ]; then
		skip "bench_kernel_runs_and_every_logit_is_that_of_user_space" "$why"
		skip "bench_kernel_json_is_complete" "$why"
		finish
	fi
fi
check "bench_kernel_runs_and_every_logit_is_that_of_user_space" grep -q '"networks"' "$tap_tmp/out.json"
check "bench_kernel_json_is_complete" python3 "$tap_tmp/check.py" "$tap_tmp/out.json"
finish
