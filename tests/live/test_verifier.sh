#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What the verifier of this machine's kernel has to do for our BPF programs has
# not grown by more than 20 % over docs/verifier.md; and such growth is noticed.
# shellcheck source=tests/lib/tap.sh
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

table=$tap_tmp/table.md
# report KERNEL INSTRUCTIONS [PROGRAM]
report() {
	printf '{"kernel": "%s", "objects": [{"object": "scheduler", "unavailable": "this kernel has no sched_ext"},
		{"object": "recorder", "programs": [{"program": "%s", "verified_insns": %d}]}]}' \
		"$1" "${3:-on_switch}" "$2" >"$tap_tmp/report.json"
}
compare() {
	python3 scripts/verifier_table.py check "$table" "$tap_tmp/report.json" >"$tap_tmp/text"
	echo "$? $(grep -vc '^recorder' "$tap_tmp/text") $(cat "$tap_tmp/text")"
}
report 6.18.15+deb13-cloud-amd64 1000
check "a report becomes a table" python3 scripts/verifier_table.py write "$table" "$tap_tmp/report.json"
report 6.18.44-other 1200
same "growth by 20 % passes, in another kernel of the series" \
	"0 0 recorder on_switch: 1,000 in 6.18.15, now 1,200" "$(compare)"
report 6.18.15 1201
same "growth by more is named with both figures" \
	"1 1 GROWN recorder on_switch: 1,000 in 6.18.15, now 1,201: +20.1 %, more than 20 %" "$(compare)"
report 6.18.15 1000 on_wakeup
same "a program that is not in the table and one that is gone are named" "1 2" "$(compare | head -n 1 | cut -c1-3)"
report 6.1.99 1000
same "a kernel of another series is not compared" "77" "$(compare | cut -d' ' -f1)"

if ! "$MLSCHED" bench verifier --json >"$tap_tmp/out.json" 2>&1 &&
	grep -qE 'Operation not permitted|needs root|run it as root' "$tap_tmp/out.json"; then
	skip "the verifier's cost on the running kernel" "needs root to load BPF programs"
	finish
fi
check "bench verifier loads what this kernel can and names the rest" python3 -c '
import json, sys
objects = {o["object"]: o for o in json.load(open(sys.argv[1]))["objects"]}
assert set(objects) == {"scheduler", "recorder", "qnet_test", "qnet_bench"}, objects
for name, o in objects.items():
    why = o.get("unavailable", "")
    if why and name == "scheduler" or name == "qnet_bench" and "from 6.9 on" in why:
        continue
    assert o["programs"] and all(p["verified_insns"] > 0 for p in o["programs"]), o
' "$tap_tmp/out.json"
python3 scripts/verifier_table.py check docs/verifier.md "$tap_tmp/out.json" >"$tap_tmp/text" 2>&1
status=$?
sed 's/^/# /' "$tap_tmp/text"
if [ $status -eq 77 ]; then
	skip "the verifier's cost on the running kernel" "$(head -n 1 "$tap_tmp/text")"
else
	tap_result $status "the verifier's cost on the running kernel"
fi
finish
