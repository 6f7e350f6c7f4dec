# SPDX-License-Identifier: GPL-2.0
"""Keras files that mlsched writes, in the hands of Keras 2 (TensorFlow 2.12) and Keras 3 (2.21).

1. Either loads our .h5 and our .keras, and computes what mlsched does, for a batch and for a
   single row.
2. Each kernel and each bias that Keras has then is ours, bit by bit.
3. What Keras then saves itself, as .h5 and as .keras, is read back with the same weights, bit by
   bit: nothing was lost on the way there, nor on the way back.

SEED=N repeats a run; KEEP=1 keeps the models.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from interop import (
    TOP,
    WHY_NONE,
    Environment,
    Scratch,
    Tap,
    compare,
    environments,
    mlsched,
    predict,
    rows_for,
    same_weights,
    weights_of,
    worker,
    write_rows,
)

BARE = "weights.h5"     # Keras's word for weights alone
TOLERANCE = 1e-6        # times the largest output, where that is above 1
MODELS = TOP / "tests" / "golden"
# Each activation and each way to normalise that we know, from whatever tool.
OURS = {
    "default": TOP / "models" / "default",
    "plain": MODELS / "savedmodel/models/tf221-keras3-savedmodel/model",
    "relu6": MODELS / "savedmodel/models/tf221-layers-relu6/model",
    "elu": MODELS / "savedmodel/models/tf221-layers-elu/model",
    "leaky": MODELS / "savedmodel/models/tf212-layers-leaky/model",
    "softmax": MODELS / "savedmodel/models/tf221-layers-softmax/model",
    "normalized": MODELS / "savedmodel/models/tf221-keras3-norm-savedmodel/model",
    "fifteen": MODELS / "savedmodel/models/tf221-keras3-15-10-1-savedmodel/model",
    "activations": MODELS / "keras/models/keras3-activations/model.keras",
    "folded": MODELS / "keras/models/keras3-batchnorm/model.keras",
    "torch": MODELS / "onnx/models/onnx-torch215/model.onnx",
}

tap = Tap()


def inspect(model: Path) -> dict:
    done = mlsched("inspect", "--json", model)
    return json.loads(done.stdout) if done.returncode == 0 else {"checksum": done.stderr}


def as_assumed(model: dict) -> list[str]:
    return ["relu"] * (len(model["layers"]) - 1) + ["sigmoid"]


def write_all(top: Path, suffixes: list[str], seed: int) -> list[dict]:
    generator = random.Random(seed)
    written = []
    for name, source in OURS.items():
        case = top / name
        case.mkdir(parents=True)
        write_rows(case, rows_for(source, generator))
        ours = inspect(source)
        for suffix in suffixes:
            path = case / f"model.{suffix}"
            done = mlsched("convert", source, path)
            others = [layer["activation"] for layer in ours["layers"]] != as_assumed(ours)
            if suffix == BARE and (ours["normalization"] or others):
                why = "which a file of weights alone is read as, found" if others else "for which a file of weights alone has a place"
                tap.result(done.returncode == 1 and why in done.stderr,
                           f"weights_alone_are_not_written_of_a_model_that_is_more: {name}", done.stderr)
                continue
            tap.result(done.returncode == 0, f"mlsched_writes_{suffix}: {name}", done.stderr)
            tap.same(f"{suffix}_keeps_the_weights: {name}", ours["checksum"], inspect(path)["checksum"])
            written.append({"name": f"{name}.{suffix}", "source": source, "case": case, "path": path})
    return written


def check(environment: Environment, written: list[dict]) -> None:
    request = {"models": [{"model": str(one["path"]), "case": str(one["case"])} for one in written]}
    answer = worker(environment, "keras_read.py", text=json.dumps(request))
    print(f"# {environment.name}: TensorFlow {answer['tensorflow']}, Keras {answer['keras']}")
    for one, found in zip(written, answer["models"]):
        name = f"keras_{environment.name}: {one['name']}"
        wanted = predict(one["source"], (one["case"] / "rows.txt").read_text())
        assert not isinstance(wanted, str), wanted
        for key in ("outputs", "predicted"):
            wrong = compare(found[key], wanted, TOLERANCE, None)
            tap.result(not wrong, f"computes_what_mlsched_does ({key})_{name}", wrong)
        wrong = compare(found["one"], wanted[:1], TOLERANCE, None)
        tap.result(not wrong, f"takes_a_single_row_{name}", wrong)
        same_weights(tap, f"keras_has_each_bit_of_kernels_and_biases_{name}",
                     weights_of(one["source"], one["case"]), found["weights"])
        tap.same(f"what_keras_saves_again_has_the_same_weights_{name}",
                 inspect(one["source"])["checksum"], inspect(Path(found["again"]))["checksum"])


def main() -> None:
    installed = environments()
    if not installed:
        tap.skip("keras_interop", WHY_NONE)
        tap.finish()
    seed = int(os.environ.get("SEED", "1"))
    print(f"# SEED={seed}")
    with Scratch() as top:
        for environment in installed:
            check(environment, write_all(top / environment.name, ["h5", "keras", BARE], seed))
    tap.finish()


if __name__ == "__main__":
    main()
