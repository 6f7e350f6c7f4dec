# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow: Keras loads models that mlsched wrote, computes, and saves them again.

A request on standard input lists models and the directories of their rows; for each the answer
has Keras's outputs, those of a single row, the bytes of its kernels and biases, and what Keras
itself saved.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

keras = tf.keras
BARE = "weights.h5"


def load(path: Path) -> Any:
    """The model; of weights alone the one that lies beside them, whose own are taken away first."""
    if not path.name.endswith(BARE):
        return keras.models.load_model(str(path), compile=False)
    model = keras.models.load_model(str(path).removesuffix(BARE) + "h5", compile=False)
    model.set_weights([np.zeros_like(weights) for weights in model.get_weights()])
    model.load_weights(str(path))
    return model


def look(one: dict[str, Any]) -> dict[str, Any]:
    path = Path(one["model"])
    model = load(path)
    rows = np.fromfile(Path(one["case"]) / "rows.f32", "<f4").reshape(-1, model.input_shape[-1])
    again = path.with_name(f"by_keras_{path.name}")
    if path.name.endswith(BARE):
        model.save_weights(str(again))
    else:
        model.save(str(again))
    return {"outputs": np.asarray(model(rows, training=False), np.float64).tolist(),
            "one": np.asarray(model(rows[:1], training=False), np.float64).tolist(),
            "predicted": model.predict(rows, verbose=0).astype(np.float64).tolist(),
            "weights": [array.astype("<f4").tobytes().hex() for layer in model.layers
                        if isinstance(layer, keras.layers.Dense) for array in layer.get_weights()],
            "layers": [layer.__class__.__name__ for layer in model.layers], "again": str(again)}


def main() -> None:
    tf.get_logger().setLevel("ERROR")
    request = json.load(sys.stdin)
    version = str(getattr(keras, "__version__", "2"))
    print(json.dumps({"tensorflow": tf.__version__, "keras": version,
                      "models": [look(one) for one in request["models"]]}))


main()
