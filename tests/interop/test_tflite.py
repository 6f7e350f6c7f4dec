# SPDX-License-Identifier: GPL-2.0
"""LiteRT files of the oldest and newest TensorFlow, against its own interpreter.

tflite_write.py makes every kind of small network that the converter writes; mlsched computes what
tf.lite.Interpreter computes, within 2e-6, and gives the same verdicts; each kernel and each bias is
Keras's, bit by bit, unless the converter has changed them.  What it cannot compute it refuses, with
file, place, what was expected and found.

SEED=N repeats a run; KEEP=1 keeps the models.
"""

from __future__ import annotations

import os
from pathlib import Path

from interop import (
    WHY_NONE,
    Scratch,
    Tap,
    check_reading,
    check_refusal,
    environments,
    in_each,
    mlsched,
    predict,
    same_weights,
    weights_of,
    worker,
)

TOLERANCE = 2e-6            # times the largest output, where that is above 1

tap = Tap()


def check_conversion(version: str, case: dict, directory: Path) -> None:
    """As a SavedModel and as ONNX it computes the same to the bit."""
    wanted = predict(directory / "model.tflite", (directory / "rows.txt").read_text())
    for target in ("saved", "model.onnx"):
        done = mlsched("convert", directory / "model.tflite", directory / target)
        found = predict(directory / target, (directory / "rows.txt").read_text())
        tap.result(done.returncode == 0 and found == wanted,
                   f"tflite_{version}_survives_conversion_to_{target}: {case['name']}", done.stderr)


def main() -> None:
    installed = environments()
    if not installed:
        tap.skip("tflite_interop", WHY_NONE)
        tap.finish()
    seed = os.environ.get("SEED", "1")
    print(f"# SEED={seed}")
    with Scratch() as top:
        made = in_each(installed, lambda e: worker(e, "tflite_write.py", top / e.name, seed))
        for environment in installed:
            answer = made[environment.name]
            print(f"# {environment.name}: TensorFlow {answer['tensorflow']}")
            for case in answer["cases"]:
                at = top / environment.name / case["name"].replace(" ", "-")
                check_reading(tap, "tflite", environment.name, case, at / "model.tflite", TOLERANCE)
                if case["weights"]:
                    same_weights(tap, f"tflite_{environment.name}_keeps_each_bit_of_kernels_and_biases: {case['name']}",
                                 case["weights"], weights_of(at / "model.tflite", at))
                check_conversion(environment.name, case, at)
            for name in answer["bad"]:
                model = top / environment.name / f"bad-{name}" / "model.tflite"
                check_refusal(tap, "tflite", environment.name, name, model,
                              f"Invalid LiteRT format: {model}: ")
    tap.finish()


if __name__ == "__main__":
    main()
