# SPDX-License-Identifier: GPL-2.0
"""ONNX files between mlsched and the oldest and newest ONNX Runtime, both ways.

1. onnx_write.py makes every kind of small network that we know; mlsched computes what ONNX
   Runtime computes and gives the same verdicts.  What it cannot compute it refuses.
2. mlsched writes each of them again, and our SavedModels; onnx.checker finds no fault with them
   and ONNX Runtime computes what mlsched does.
3. After that round trip the weights are the same bits.

SEED=N repeats a run; KEEP=1 keeps the models.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from interop import (
    TOP,
    WHY_NO_ONNX,
    Environment,
    Scratch,
    Tap,
    check_reading,
    check_refusal,
    compare,
    environments,
    in_each,
    mlsched,
    predict,
    rows_for,
    worker,
    write_rows,
)

READ_TOLERANCE = 2e-6       # times the largest output, where that is above 1
WRITE_TOLERANCE = 1e-6
OURS = ("models/default", "tests/golden/savedmodel/models/tf221-layers-elu/model",
        "tests/golden/savedmodel/models/tf221-layers-relu6/model",
        "tests/golden/savedmodel/models/tf221-layers-softmax/model",
        "tests/golden/savedmodel/models/tf212-layers-leaky/model",
        "tests/golden/savedmodel/models/tf221-keras3-norm-savedmodel/model")

tap = Tap()


def write_ours(top: Path, generator: random.Random) -> list[dict]:
    """Our own models as ONNX, with rows for them."""
    made = []
    for name in OURS:
        directory = top / name.replace("/", "-")
        directory.mkdir(parents=True)
        write_rows(directory, rows_for(TOP / name, generator))
        made.append({"name": name, "source": TOP / name, "case": directory})
    return made


def check_writing(environment: Environment, written: list[dict]) -> None:
    """onnx.checker passes it, and ONNX Runtime computes what mlsched computes."""
    for one in written:
        done = mlsched("convert", one["source"], one["case"] / "again.onnx")
        tap.result(done.returncode == 0, f"mlsched_writes_onnx: {one['name']}", done.stderr)
    request = {"models": [{"model": str(one["case"] / "again.onnx"), "case": str(one["case"])}
                          for one in written]}
    answers = worker(environment, "onnx_read.py", text=json.dumps(request))["models"]
    for one, answer in zip(written, answers):
        wanted = predict(one["source"], (one["case"] / "rows.txt").read_text())
        name = f"{environment.name}: {one['name']}"
        assert not isinstance(wanted, str), wanted
        wrong = compare(answer["outputs"], wanted, WRITE_TOLERANCE, None)
        tap.result(not wrong, f"onnx_runtime_computes_what_mlsched_does_{name}", wrong)
        wrong = compare(answer["one"], wanted[:1], WRITE_TOLERANCE, None)
        tap.result(not wrong, f"onnx_runtime_takes_a_single_row_{name}", wrong)
        tap.result(answer["weights"] in ("equal", "not compared"), f"onnx_weights_survive_{name}",
                   answer["weights"])
        tap.same(f"onnx_signature_{name}", "features", answer["input"])
        tap.result("mlsched" in answer["properties"], f"onnx_metadata_is_a_property_{name}")


def main() -> None:
    installed = environments("onnx")
    if not installed:
        tap.skip("onnx_interop", WHY_NO_ONNX)
        tap.finish()
    seed = int(os.environ.get("SEED", "1"))
    print(f"# SEED={seed}")
    with Scratch() as top:
        for environment in installed:
            (top / environment.name).mkdir()
        made = in_each(installed, lambda e: worker(e, "onnx_write.py", top / e.name, str(seed)))
        for environment in installed:
            directory, answer = top / environment.name, made[environment.name]
            print(f"# {environment.name}: onnx {answer['onnx']}, runtime {answer['runtime']}")
            written = []
            for case in answer["cases"]:
                at = directory / case["name"].replace(" ", "-")
                check_reading(tap, "onnx", environment.name, case, at / "model.onnx", READ_TOLERANCE)
                written.append({"name": case["name"], "source": at / "model.onnx", "case": at})
            for name in answer["bad"]:
                model = directory / f"bad-{name}" / "model.onnx"
                check_refusal(tap, "onnx", environment.name, name, model,
                              f"Invalid ONNX format: {model}: ")
            written += write_ours(directory / "ours", random.Random(seed))
            check_writing(environment, written)
    tap.finish()


if __name__ == "__main__":
    main()
