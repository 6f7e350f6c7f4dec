# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with ONNX Runtime and the Python package in one process: its outputs and ours.

    python_onnx.py DIRECTORY MODEL...

Each MODEL is read and written as ONNX by the package, checked by onnx.checker, run by ONNX Runtime.
Prints {"runtime": ..., "numpy": ..., "results": [[NAME, WHAT IS WRONG or ""], ...]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import mlsched

TOLERANCE = 1e-6    # times the largest output, where that is above 1


def check(path: Path, target: Path, rng: np.random.Generator) -> str:
    if mlsched.convert(path, target) != "onnx":
        return "expected ONNX"
    model = mlsched.load(path)
    low, high = model.calibration or (np.zeros(model.inputs), np.full(model.inputs, 2))
    rows = rng.uniform(low, high, (300, model.inputs)).astype(np.float32)
    onnx.checker.check_model(onnx.load(str(target)), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(target), options, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {session.get_inputs()[0].name: rows})
    found = model.predict(rows)
    worst = float(np.abs(found - wanted).max())
    allowed = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    return "" if worst <= allowed else f"largest difference {worst:g}, allowed {allowed:g}"


def main() -> None:
    directory, *models = map(Path, sys.argv[1:])
    rng = np.random.default_rng(5)
    results = []
    for path in models:
        name = path.parent.name if path.name.startswith("model") else path.name
        results.append((name, check(path, directory / f"{name}.onnx", rng)))
    print(json.dumps({"runtime": onnxruntime.__version__, "numpy": np.__version__,
                      "results": results}))


main()
