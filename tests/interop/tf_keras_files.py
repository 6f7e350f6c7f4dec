# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow: save Keras models as .h5, .keras and .weights.h5.

    tf_keras_files.py DIRECTORY

DIRECTORY/CASE holds the files, rows.txt, rows.f32 and outputs.txt.  Prints the
list of files as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

keras = tf.keras
layers = keras.layers
KERAS3 = str(getattr(keras, "__version__", "2")).startswith("3")
OUT = Path(sys.argv[1])
rng = np.random.default_rng(11)
files: list[dict[str, Any]] = []


def save(name: str, model: Any, suffixes: tuple[str, ...] = ("h5", "keras")) -> None:
    directory = OUT / name
    directory.mkdir(parents=True)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            width = layer.moving_mean.shape[0]
            layer.set_weights([rng.normal(1, 0.2, width), rng.normal(0, 0.2, width),
                               rng.normal(0, 0.5, width), rng.uniform(0.5, 2, width)])
    rows = rng.normal(0, 1, (128, model.input_shape[-1])).astype(np.float32)
    np.savetxt(directory / "rows.txt", rows, "%.9g")
    rows.astype("<f4").tofile(directory / "rows.f32")
    np.savetxt(directory / "outputs.txt", np.asarray(model(rows, training=False)), "%.9g")
    for suffix in suffixes:
        path = directory / f"model.{suffix}"
        if suffix == "weights.h5":
            model.save_weights(str(path))
        elif suffix == "keras" and not KERAS3:
            model.save(str(path), save_format="keras_v3")       # 2.12 would write HDF5
        else:
            model.save(str(path))
        files.append({"case": name, "path": str(path), "width": int(rows.shape[1])})


def main() -> None:
    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(11)
    dense = layers.Dense
    adapted = layers.Normalization()
    adapted.adapt(rng.normal(1, 3, (200, 10)).astype(np.float32))
    everything = ("h5", "keras", "weights.h5")
    save("default", keras.Sequential([
        keras.Input((10,)), dense(64, "relu"), dense(64, "relu"), dense(1, "sigmoid")]), everything)
    save("normalized", keras.Sequential([
        keras.Input((10,)), adapted, dense(64, "relu"), dense(64, "relu"), dense(1, "sigmoid")]),
        everything)
    save("layers_of_all_kinds", keras.Sequential([
        keras.Input((10,)), layers.Rescaling(0.5, offset=-0.25),
        dense(24, use_bias=False), layers.BatchNormalization(),
        layers.Activation("relu"), layers.Dropout(0.3), dense(16), layers.LeakyReLU(0.2),
        dense(16, "tanh"), dense(12), layers.ELU(0.7),
        dense(8), layers.ReLU(6.0), dense(2), layers.Softmax()]))
    first = keras.Input((10,), name="state")
    tensor = dense(12, "elu", name="wide")(first)
    tensor = dense(1, "sigmoid", name="verdict")(layers.Dropout(0.1)(tensor))
    save("functional", keras.Model(first, tensor))
    save("five_inputs", keras.Sequential([keras.Input((5,)), dense(8, "relu"),
                                          dense(1, "sigmoid")]), ("h5",))
    first = keras.Input((10,))
    tensor = layers.Add()([dense(4)(first), dense(4)(first)])
    save("branches", keras.Model(first, dense(1, "sigmoid")(tensor)), ("h5",))
    print(json.dumps({"tensorflow": tf.__version__, "files": files}))


main()
