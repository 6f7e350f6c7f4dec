# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow: load what mlsched wrote and say what comes out.

    tf_read.py < JSON

The document on standard input is {"models": [{"model": DIR, "case": DIR}, ...]};
CASE holds rows.f32 and maybe weights.npz, as tf_write.py made them.  For each
model the answer has:

    signature     outputs of tf.saved_model.load(DIR).signatures["serving_default"]
    layer         outputs of keras.layers.TFSMLayer(DIR), where this Keras has it
    weights       "equal" when all arrays of weights.npz are there bit for bit
    float64       the error that TensorFlow raises for rows of float64
    input, output names of the tensors of the signature, for the C library
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import tensor_util

TFSM_LAYER = getattr(tf.keras.layers, "TFSMLayer", None)


def graph_of(path: Path) -> Any:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0]


def tensor_names(meta_graph: Any) -> dict[str, str]:
    signature = meta_graph.signature_def["serving_default"]
    (source,), (sink,) = signature.inputs.values(), signature.outputs.values()
    return {"input": source.name, "output": sink.name}


def stored_arrays(path: Path, meta_graph: Any) -> list[np.ndarray]:
    """All weights: variables of the checkpoint, or constants behind MatMul and BiasAdd."""
    if (path / "variables" / "variables.index").exists():
        reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
        arrays = map(reader.get_tensor, reader.get_variable_to_shape_map())
        return [array for array in arrays if getattr(array, "dtype", None) == np.float32]
    weights = {node.input[1] for node in meta_graph.graph_def.node
               if node.op in ("MatMul", "BiasAdd")}
    return [tensor_util.MakeNdarray(node.attr["value"].tensor)
            for node in meta_graph.graph_def.node if node.name in weights]


def compare_weights(path: Path, case: Path, meta_graph: Any) -> str:
    """Every array of the case must be stored, with the same bits and shape."""
    if not (case / "weights.npz").exists():
        return "not compared"
    stored = [(array.shape, array.tobytes()) for array in stored_arrays(path, meta_graph)]
    with np.load(case / "weights.npz") as wanted:
        for name in wanted.files:
            array = wanted[name]
            if (array.shape, array.tobytes()) not in stored:
                return f"{name} of shape {array.shape} is not there with the same bits"
            stored.remove((array.shape, array.tobytes()))
    return f"{len(stored)} more than expected" if stored else "equal"


def float64_error(serve: Any, name: str, rows: np.ndarray) -> str:
    try:
        serve(**{name: tf.constant(rows.astype(np.float64))})
    except Exception as error:      # its type differs from version to version
        return type(error).__name__
    return ""


def look_at(path: Path, case: Path) -> dict[str, Any]:
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    width = serve.structured_input_signature[1][name].shape[-1]
    rows = np.fromfile(case / "rows.f32", "<f4").reshape(-1, width)
    (outputs,) = serve(**{name: tf.constant(rows)}).values()
    answer: dict[str, Any] = {"signature": outputs.numpy().astype(float).tolist()}
    if TFSM_LAYER is not None:
        layer = TFSM_LAYER(str(path), call_endpoint="serving_default")
        (outputs,) = layer(rows).values()
        answer["layer"] = np.asarray(outputs).astype(float).tolist()
    meta_graph = graph_of(path)
    answer["weights"] = compare_weights(path, case, meta_graph)
    answer["float64"] = float64_error(serve, name, rows)
    return {**answer, **tensor_names(meta_graph)}


def main() -> None:
    tf.get_logger().setLevel("ERROR")
    answers = []
    for model in json.load(sys.stdin)["models"]:
        try:
            answers.append(look_at(Path(model["model"]), Path(model["case"])))
        except Exception as error:      # one bad model must not hide the others
            answers.append({"error": f"{type(error).__name__}: {error}"})
    print(json.dumps({"tensorflow": tf.__version__, "models": answers}))


main()
