# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow and the Python package in one process: Keras's outputs and ours.

    python_keras.py DIRECTORY

Each has a libhdf5 of its own then, and NumPy is the one that this TensorFlow wants.
Prints {"tensorflow": ..., "numpy": ..., "results": [[NAME, WHAT IS WRONG or ""], ...]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import mlsched

keras = tf.keras
layers = keras.layers
KERAS3 = str(getattr(keras, "__version__", "2")).startswith("3")
OUT = Path(sys.argv[1])
READ_TOLERANCE, WRITE_TOLERANCE = 2e-6, 1e-6    # times the largest output, where that is above 1
rng = np.random.default_rng(5)
results: list[tuple[str, str]] = []


def compare(name: str, found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    wrong = ""
    if found.shape != wanted.shape or found.dtype != np.float32:
        wrong = f"expected {wanted.shape} float32, found {found.shape} {found.dtype}"
    else:
        worst = float(np.abs(found - wanted).max())
        allowed = tolerance * max(1.0, float(np.abs(wanted).max()))
        if not worst <= allowed:
            wrong = f"largest difference {worst:g}, allowed {allowed:g}"
    results.append((name, wrong))


def networks() -> dict[str, Any]:
    dense = layers.Dense
    adapted = layers.Normalization()
    adapted.adapt(rng.normal(1, 3, (200, 10)).astype(np.float32))
    return {
        "default": [dense(64, "relu"), dense(64, "relu"), dense(1, "sigmoid")],
        "normalized": [adapted, dense(32, "relu"), dense(16, "relu"), dense(1, "sigmoid")],
        "batch_normalized": [dense(24, use_bias=False), layers.BatchNormalization(), layers.ReLU(),
                             layers.Dropout(0.5), dense(1)],
        "all_activations": [dense(32, "tanh"), dense(24, "elu"), dense(16), layers.LeakyReLU(0.2),
                            dense(12), layers.ReLU(6.0), dense(2, "softmax")],
    }


def load_savedmodel(path: Path, rows: np.ndarray) -> np.ndarray:
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    (output,) = serve(**{name: tf.constant(rows)}).values()
    return output.numpy()


def main() -> None:
    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(5)
    for name, stack in networks().items():
        network = keras.Sequential([keras.Input((10,)), *stack])
        rows = rng.normal(0, 1, (500, 10)).astype(np.float32)
        wanted = np.asarray(network(rows, training=False))
        for suffix in ("h5", "keras"):
            path = OUT / f"{name}.{suffix}"
            more = {} if KERAS3 or suffix == "h5" else {"save_format": "keras_v3"}
            network.save(str(path), **more)
            model = mlsched.load(path)
            compare(f"predict_{name}_{suffix}", model.predict(rows), wanted, READ_TOLERANCE)
        for form in ("variables", "frozen"):
            target = OUT / f"{name}-{form}"
            model.save(target, form=form)
            compare(f"savedmodel_{form}_of_{name}_in_tensorflow", load_savedmodel(target, rows),
                    model.predict(rows), WRITE_TOLERANCE)
    # From arrays, past all files.
    network = keras.Sequential([keras.Input((10,)), layers.Dense(20, "relu"),
                                layers.Dense(1, "sigmoid")])
    model = mlsched.Model([mlsched.Layer(*layer.get_weights(), layer.activation.__name__)
                           for layer in network.layers])
    compare("model_of_keras_weights", model.predict(rows), np.asarray(network(rows)), READ_TOLERANCE)
    print(json.dumps({"tensorflow": tf.__version__, "numpy": np.__version__, "results": results}))


main()
