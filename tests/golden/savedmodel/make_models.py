#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes the SavedModels tf*-layers-* of models/ and bad/: kinds of layers beyond Dense.

make_models.py OUTPUT_DIRECTORY KIND...     with TensorFlow 2.12 or later

Each becomes OUTPUT_DIRECTORY/tfVERSION-layers-KIND/ with model/ and, as
TensorFlow itself computes them, the outputs for 64 rows in expected.json.
The committed ones: 2.12 made flatten, leaky, squeeze, residual, two-inputs;
2.21 made batchnorm, bfloat16, double, elu, half, matrices, relu6, rescale,
reshape, selu, softmax.
"""
import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

keras = tf.keras
layers = keras.layers
KERAS_3 = keras.__version__.startswith("3")
INPUTS = 10

KINDS = {
    "flatten": lambda: [layers.Flatten(), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")],
    "reshape": lambda: [
        layers.Reshape((10,)), layers.Dense(8, "tanh"), layers.Reshape((8,)), layers.Dense(1, "sigmoid")],
    "leaky": lambda: [
        layers.Dense(8), layers.LeakyReLU(), layers.Dense(8), layers.LeakyReLU(0.05), layers.Dense(1, "sigmoid")],
    "elu": lambda: [layers.Dense(8, "elu"), layers.Dense(8), layers.ELU(0.5), layers.Dense(2, "softmax")],
    "relu6": lambda: [layers.Dense(8), layers.ReLU(max_value=6.0), layers.Dense(1, "sigmoid")],
    "batchnorm": lambda: [
        layers.BatchNormalization(), layers.Dense(8, "relu"), layers.BatchNormalization(),
        layers.Dense(8, use_bias=False), layers.BatchNormalization(), layers.Activation("relu"),
        layers.Dropout(0.3), layers.Dense(1)],
    "rescale": lambda: [layers.Rescaling(1 / 127.5, offset=-1), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")],
    "softmax": lambda: [layers.Dense(8), layers.ReLU(), layers.Dense(2), layers.Softmax()],
    "half": lambda: [layers.Dense(8, "relu", dtype="float16"), layers.Dense(1, "sigmoid", dtype="float16")],
    "bfloat16": lambda: [layers.Dense(8, "relu", dtype="bfloat16"), layers.Dense(1, "sigmoid", dtype="float32")],
    "double": lambda: [layers.Dense(8, "relu", dtype="float64"), layers.Dense(1, "sigmoid", dtype="float64")],
    "squeeze": lambda: [
        layers.Dense(8, "relu"), layers.Dense(1, "sigmoid"), layers.Lambda(lambda x: tf.squeeze(x, -1))],
    "selu": lambda: [layers.Dense(8, "selu"), layers.Dense(1)],
}
# Where TensorFlow computes with fewer digits than we do.
TOLERANCE = {"half": 2e-3, "bfloat16": 2e-2}


class Matrices(tf.Module):
    """Dense layers as people write them by hand: transposed, bias on the left, no bias."""

    def __init__(self, random):
        super().__init__()
        self.a = tf.Variable(random.normal(0, 0.5, (8, INPUTS)).astype(np.float32))
        self.b = tf.Variable(random.normal(0, 0.5, 8).astype(np.float32))
        self.c = tf.Variable(random.normal(0, 0.5, (1, 8)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, INPUTS], tf.float32, name="x")])
    def __call__(self, x):
        hidden = tf.nn.relu(self.b + tf.matmul(x, self.a, transpose_b=True))
        return {"migrate": tf.sigmoid(tf.matmul(hidden, tf.transpose(self.c)))}


class TwoInputs(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, INPUTS], tf.float32, name=n) for n in ("a", "b")])
    def __call__(self, a, b):
        return {"sum": a + b}


def save_keras(model, random, path):
    for weight in model.weights:
        values = random.normal(0, 0.5, weight.shape)
        weight.assign((np.abs(values) + 0.1 if "variance" in weight.name else values).astype(np.float32))
    (model.export if KERAS_3 else model.save)(str(path))


def residual():
    inputs = keras.Input((INPUTS,))
    return keras.Model(inputs, layers.Dense(1)(layers.Add()([layers.Dense(INPUTS)(inputs), inputs])))


def make(kind, random, path):
    if kind in ("matrices", "two-inputs"):
        module = Matrices(random) if kind == "matrices" else TwoInputs()
        tf.saved_model.save(module, str(path), signatures=module.__call__)
    elif kind == "residual":
        save_keras(residual(), random, path)
    else:
        save_keras(keras.Sequential([keras.Input((INPUTS,))] + KINDS[kind]()), random, path)


def write_expected(kind, random, directory):
    signature = tf.saved_model.load(str(directory / "model")).signatures["serving_default"]
    names = list(signature.structured_input_signature[1])
    if len(names) != 1:
        return
    rows = random.uniform(-3, 3, (64, INPUTS)).astype(np.float32)
    outputs = list(signature(**{names[0]: tf.constant(rows)}).values())[0].numpy().astype(np.float32)
    outputs = outputs.reshape(64, -1)
    text = {
        "producer": f"tensorflow {tf.__version__}, keras {keras.__version__}",
        "tolerance": TOLERANCE.get(kind, 2e-6),
        "inputs": rows.tolist(),
        "outputs": outputs[:, 0].tolist() if outputs.shape[1] == 1 else outputs.tolist(),
    }
    (directory / "expected.json").write_text(json.dumps(text) + "\n")


def main():
    version = "".join(tf.__version__.split(".")[:2])
    for kind in sys.argv[2:]:
        random = np.random.default_rng(len(kind) * 1000 + sum(map(ord, kind)))
        directory = pathlib.Path(sys.argv[1]) / f"tf{version}-layers-{kind}"
        make(kind, random, directory / "model")
        write_expected(kind, random, directory)


if __name__ == "__main__":
    main()
