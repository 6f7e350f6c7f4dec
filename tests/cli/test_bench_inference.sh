#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# mlsched bench inference: every path is measured or says why not, and no figure
# is out of this world.  How fast a machine is fails no test.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

model=$(find tests/golden/savedmodel -path '*/bad/*' -prune -o -name saved_model.pb -printf '%h\n' | sort | head -n 1)
cat >"$tap_tmp/check.py" <<'END'
import json
import sys

report = json.load(open(sys.argv[1]))
assert report["peaks"], "no peak"
for peak in report["peaks"]:
    assert 0.2 < peak["per_cycle"] < 8, peak
names = {"plain C loop", "float scalar", "OpenBLAS", "fixed scalar", "fixed packed", "fixed in BPF"}
assert names <= {r["path"] for r in report["results"]}, report["results"]
for result in report["results"]:
    if "unavailable" in result:
        assert result["unavailable"], result
        continue
    columns = ("independent", "dependent", "batch_64", "batch_1024")
    # In the kernel only many rows at once are measured.
    for column in columns[:1] if result["path"] == "fixed in BPF" else columns:
        cell = result[column]
        assert 0 < cell["ns_min"] <= cell["ns_median"] <= cell["ns_p90"] <= cell["ns_p99"], cell
        assert cell["cycles"] > 0 and cell["samples"] >= 31, cell
        assert ("ratio" in cell) == ("bound_cycles" in result), cell
        one = column in columns[:2] and "bound_cache_cycles" in result
        assert ("ratio_cache" in cell) == one, cell
floats = [r for r in report["results"] if r["path"].startswith("float ") and "unavailable" not in r]
assert floats and all(r["bound_cache_cycles"] >= 0.9 * r["bound_cycles"] > 0 for r in floats), floats
END
check "bench_inference_measures_a_model" sh -c \
	'"$1" bench inference --engine native --engine openblas --json "$2" >"$3/out.json"' - "$MLSCHED" "$model" "$tap_tmp"
check "bench_inference_json_is_complete" python3 "$tap_tmp/check.py" "$tap_tmp/out.json"
refuse "bench_inference_refuses_a_missing_model" "$MLSCHED" bench inference "$tap_tmp/nothing"
refuse "bench_inference_refuses_a_cpu_that_is_not_there" "$MLSCHED" bench inference --engine native --cpu 100000
"$MLSCHED" bench inference --cpu x >/dev/null 2>&1
same "bench_inference_usage_errors_end_with_2" 2 $?
finish
