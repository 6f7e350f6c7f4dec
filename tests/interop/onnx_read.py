# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with ONNX Runtime: check and run what mlsched wrote.

    onnx_read.py < JSON

The document on standard input is {"models": [{"model": FILE, "case": DIR}, ...]}; CASE holds
rows.f32 and maybe weights.npz, as onnx_write.py made them.  For each model the answer has its
outputs, and "equal" when all arrays of weights.npz are in it bit for bit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def compare_weights(model: onnx.ModelProto, case: Path) -> str:
    if not (case / "weights.npz").exists():
        return "not compared"
    # Those of the layers, in order; the normalisation in front is not among what a case has.
    used = [name for node in model.graph.node if node.op_type in ("Gemm", "MatMul") for name in node.input[1:]]
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = [(stored[name].shape, stored[name].tobytes()) for name in used]
    with np.load(case / "weights.npz") as wanted:
        arrays = [(wanted[name].shape, wanted[name].tobytes()) for name in wanted.files]
    if len(found) != len(arrays):
        return f"expected {len(arrays)} arrays, found {len(found)}"
    wrong = [number for number, (one, other) in enumerate(zip(found, arrays)) if one != other]
    return f"other bits in array {wrong}" if wrong else "equal"


def examine(path: Path, case: Path) -> dict:
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    rows = np.fromfile(case / "rows.f32", dtype=np.float32).reshape(-1, source.shape[1])
    outputs = session.run(None, {source.name: rows})[0]
    # One row alone is what a scheduler asks about.
    one = session.run(None, {source.name: rows[:1]})[0]
    return {"outputs": outputs.tolist(), "one": one.tolist(), "input": source.name,
            "output": session.get_outputs()[0].name, "weights": compare_weights(model, case),
            "properties": {entry.key: entry.value for entry in model.metadata_props}}


def main() -> None:
    models = json.load(sys.stdin)["models"]
    print(json.dumps({"models": [examine(Path(entry["model"]), Path(entry["case"]))
                                 for entry in models]}))


if __name__ == "__main__":
    main()
