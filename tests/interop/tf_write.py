# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow: write SavedModels of all kinds, with rows and outputs.

    tf_write.py DIRECTORY SEED

DIRECTORY/CASE/model is the SavedModel, rows.txt and outputs.txt are text (%.9g),
and weights.npz holds the arrays of the dense layers of models that are nothing
but dense layers.  Prints the list of cases as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

keras = tf.keras
layers = keras.layers
KERAS3 = str(getattr(keras, "__version__", "2")).startswith("3")
N_ROWS = 256

OUT = Path(sys.argv[1])
SEED = int(sys.argv[2])
rng = np.random.default_rng(SEED)
cases: list[dict[str, Any]] = []


@dataclass
class Case:
    name: str
    threshold: float | None     # of the last output, where that is a probability
    n_in: int
    outputs_scale: float


# ---- rows ---------------------------------------------------------------------------

def normal_rows(width: int) -> np.ndarray:
    return rng.normal(0, 1, (N_ROWS, width)).astype(np.float32)


def seed_rows(n_rows: int = N_ROWS) -> np.ndarray:
    """Like the schema seed10: a CPU number, two counts, two loads, five zeros."""
    rows = np.zeros((n_rows, 10), np.float32)
    rows[:, 0] = rng.integers(0, 128, n_rows)
    rows[:, 1:3] = rng.integers(0, 64, (n_rows, 2))
    rows[:, 3:5] = rng.random((n_rows, 2))
    return rows


def add(name: str, rows: np.ndarray, outputs: np.ndarray, save: Callable[[str], None],
        probability: bool, dense: list[np.ndarray] | None = None) -> None:
    """Save one model with its rows; those whose verdict hangs on a rounding error are left out."""
    outputs = np.asarray(outputs, np.float32).reshape(len(rows), -1)
    if probability:
        clear = np.abs(outputs[:, -1] - 0.5) > 1e-4
        assert clear.sum() > N_ROWS // 2
        rows, outputs = rows[clear], outputs[clear]
    directory = OUT / name
    directory.mkdir(parents=True)
    save(str(directory / "model"))
    np.savetxt(directory / "rows.txt", rows, "%.9g")
    np.savetxt(directory / "outputs.txt", outputs, "%.9g")
    rows.astype("<f4").tofile(directory / "rows.f32")
    if dense is not None:
        np.savez(directory / "weights.npz", *dense)
    cases.append(asdict(Case(name, 0.5 if probability else None, rows.shape[1],
                             float(np.abs(outputs).max()))))


# ---- Keras models -------------------------------------------------------------------

def keras_save(model: Any) -> dict[str, Callable[[str], None]]:
    """The ways in which a user of this Keras writes a SavedModel."""
    spec = tf.TensorSpec([None, model.input_shape[-1]], tf.float32, name="features")

    def with_signature(path: str) -> None:
        module = tf.Module()
        module.weights = [v.value if KERAS3 else v for v in model.weights]
        module.serve = tf.function(lambda features: {"migrate": model(features, training=False)},
                                   input_signature=[spec])
        tf.saved_model.save(module, path, signatures={"serving_default": module.serve})

    if KERAS3:
        return {"export": lambda path: model.export(path, verbose=False),
                "signature": with_signature}
    return {"save": lambda path: model.save(path, save_format="tf"),
            "saved_model": lambda path: tf.saved_model.save(model, path),
            "signature": with_signature}


def leaky_relu(alpha: float) -> Any:
    return layers.LeakyReLU(alpha)      # the keyword differs between Keras 2 and 3


def randomize(model: Any) -> None:
    """Biases and batch statistics that are not the zeros and ones of a new model."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            width = layer.moving_mean.shape[0]
            layer.set_weights([rng.normal(1, 0.2, width), rng.normal(0, 0.2, width),
                               rng.normal(0, 0.5, width), rng.uniform(0.5, 2, width)])
        elif isinstance(layer, layers.Dense) and layer.use_bias:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(0, 0.1, bias.shape)])


def dense_arrays(model: Any) -> list[np.ndarray] | None:
    """Kernels and biases in order, if nothing else of the model changes them when folded."""
    kinds = {type(layer) for layer in model.layers if layer.weights}
    if kinds != {layers.Dense} or any(isinstance(layer, layers.Rescaling)
                                      for layer in model.layers):
        return None
    return [array for layer in model.layers for array in layer.get_weights()]


def add_keras(name: str, body: list[Any], width: int = 10, probability: bool = True,
              rows: np.ndarray | None = None, ways: int = 1, functional: bool = False) -> Any:
    rows = normal_rows(width) if rows is None else rows
    if functional:
        first = tensor = keras.Input(shape=(width,), name="features")
        for layer in body:
            tensor = layer(tensor)
        model = keras.Model(first, tensor)
    else:
        model = keras.Sequential([keras.Input(shape=(width,)), *body])
    randomize(model)
    for way, save in list(keras_save(model).items())[:ways]:
        add(f"{name}_{way}", rows, np.asarray(model(rows, training=False)), save, probability,
            dense_arrays(model))
    return model


def sigmoid() -> Any:
    return layers.Dense(1, activation="sigmoid")


def write_keras() -> None:
    dense = layers.Dense
    add_keras("default", [dense(64, "relu"), dense(64, "relu"), sigmoid()], ways=3)
    add_keras("paper_15_10_1", [dense(10, "relu"), sigmoid()], width=15)
    add_keras("functional", [dense(32, "relu"), dense(16, "tanh"), sigmoid()], functional=True,
              ways=3)
    add_keras("no_bias", [dense(24, "relu", use_bias=False), dense(1, "sigmoid", use_bias=False)])
    add_keras("linear_output", [dense(32, "tanh"), dense(1)], probability=False)
    add_keras("softmax_2", [dense(32, "relu"), dense(2, "softmax")])
    add_keras("softmax_5", [dense(32, "elu"), dense(5, "softmax")], probability=False)
    add_keras("softmax_layer", [dense(16, "relu"), dense(2), layers.Softmax()])
    add_keras("elu", [dense(32), layers.ELU(0.5), dense(16, "elu"), dense(8), layers.ELU(1.5),
                      sigmoid()])
    add_keras("leaky_relu", [dense(32), leaky_relu(0.1), dense(16), leaky_relu(0.3), sigmoid()])
    add_keras("relu6", [dense(32, tf.nn.relu6), dense(16), layers.ReLU(6.0), sigmoid()])
    add_keras("activation_layers", [dense(32), layers.Activation("relu"), dense(16),
                                    layers.Activation("tanh"), dense(1),
                                    layers.Activation("sigmoid")])
    add_keras("dropout", [dense(64, "relu"), layers.Dropout(0.5), dense(64, "relu"),
                          layers.Dropout(0.2), sigmoid()])
    add_keras("batch_norm_before_activation",
              [dense(32, use_bias=False), layers.BatchNormalization(), layers.Activation("relu"),
               dense(16), layers.BatchNormalization(), layers.Activation("relu"), sigmoid()])
    add_keras("batch_norm_after_activation",
              [dense(32, "relu"), layers.BatchNormalization(), dense(16, "relu"),
               layers.BatchNormalization(), sigmoid()])
    add_keras("batch_norm_in_front", [layers.BatchNormalization(), dense(32, "relu"), sigmoid()])
    add_keras("one_layer", [sigmoid()])
    add_keras("rescaling", [layers.Rescaling(1 / 127, offset=-0.5), dense(16, "relu"), sigmoid()],
              rows=seed_rows())
    add_keras("relu_with_slope", [dense(16), layers.ReLU(negative_slope=0.1), sigmoid()])
    add_keras("flatten", [layers.Flatten(), dense(16, "relu"), sigmoid()])
    add_keras("nested", [keras.Sequential([keras.Input((10,)), dense(16, "relu")]), sigmoid()])

    normalization = layers.Normalization()
    normalization.adapt(rng.normal(3, 2, (500, 10)).astype(np.float32))
    add_keras("normalization_adapted", [normalization, dense(64, "relu"), dense(64, "relu"),
                                        sigmoid()], ways=3)
    normalization = layers.Normalization(mean=[63, 31, 31, .5, .5, 0, 0, 0, 0, 0],
                                         variance=[1365, 341, 341, .083, .083, 1, 1, 1, 1, 1])
    add_keras("normalization_given", [normalization, dense(64, "relu"), dense(64, "relu"),
                                      sigmoid()], rows=seed_rows())
    normalization = layers.Normalization()
    normalization.adapt(seed_rows(2000))        # five inputs never vary
    add_keras("normalization_constant_inputs", [normalization, dense(32, "relu"), sigmoid()],
              rows=seed_rows())


def write_trained() -> None:
    """A model as it is after fit(), with an optimizer and a regularizer."""
    rows = seed_rows()
    normalization = layers.Normalization()
    normalization.adapt(rows + rng.normal(0, .01, rows.shape).astype(np.float32))
    model = keras.Sequential([
        keras.Input(shape=(10,)), normalization,
        layers.Dense(32, "relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
        layers.Dropout(0.1), sigmoid()])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    labels = (rows[:, 3] - rows[:, 4] > 0.3).astype(np.float32)
    model.fit(rows, labels, epochs=2, verbose=0)
    way, save = next(iter(keras_save(model).items()))
    add(f"trained_{way}", rows, np.asarray(model(rows, training=False)), save, True)


class Subclass(keras.Model):
    """A model without a list of layers: only its graph says what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(16, "relu")
        self.verdict = sigmoid()

    def call(self, inputs: Any) -> Any:
        return self.verdict(self.hidden(inputs))


def write_subclass() -> None:
    model, rows = Subclass(), normal_rows(10)
    outputs = np.asarray(model(rows))

    def save(path: str) -> None:
        if KERAS3:
            model.export(path, verbose=False)
        else:
            model.save(path, save_format="tf")

    add("subclass", rows, outputs, save, True)


def write_refused() -> list[str]:
    """Networks that are fine for TensorFlow and no chain of dense layers of ours."""
    dense = layers.Dense
    first = keras.Input((10,))
    bodies = {
        "gelu": keras.Sequential([keras.Input((10,)), dense(8, "gelu"), sigmoid()]),
        "swish": keras.Sequential([keras.Input((10,)), dense(8, "swish"), sigmoid()]),
        "prelu": keras.Sequential([keras.Input((10,)), dense(8), layers.PReLU(), sigmoid()]),
        "relu_with_threshold": keras.Sequential([
            keras.Input((10,)), dense(8), layers.ReLU(threshold=0.1), sigmoid()]),
        "layer_norm": keras.Sequential([
            keras.Input((10,)), dense(8), layers.LayerNormalization(), sigmoid()]),
        "convolution": keras.Sequential([
            keras.Input((10,)), layers.Reshape((10, 1)), layers.Conv1D(4, 3), layers.Flatten(),
            sigmoid()]),
        "branches": keras.Model(first, sigmoid()(layers.Add()([dense(4)(first), dense(4)(first)]))),
        "too_wide": keras.Sequential([keras.Input((10,)), dense(257, "relu"), sigmoid()]),
        "too_deep": keras.Sequential([keras.Input((10,)), *(dense(4, "relu") for _ in range(8)),
                                      sigmoid()]),
    }
    for name, model in bodies.items():
        next(iter(keras_save(model).values()))(str(OUT / "refused" / name))
    return list(bodies)


ACTIVATIONS = (None, "relu", "tanh", "sigmoid", "elu", tf.nn.relu6, tf.nn.leaky_relu)


def write_random(count: int) -> None:
    """Shapes and activations by chance, within the limits of eight layers and 256 units."""
    for number in range(count):
        width, depth = int(rng.integers(1, 257)), int(rng.integers(1, 9))
        body = [layers.Dense(int(rng.integers(1, 257)), ACTIVATIONS[rng.integers(len(ACTIVATIONS))],
                             use_bias=bool(rng.integers(4)))
                for _ in range(depth - 1)]
        linear = bool(rng.integers(2))
        body.append(layers.Dense(int(rng.integers(1, 9)), None) if linear else sigmoid())
        add_keras(f"random_{number}", body, width=width, probability=not linear)


# ---- modules without Keras ----------------------------------------------------------

class Perceptron(tf.Module):
    """10-16-1 by hand, the weights stored in one type, the sums made in another."""

    def __init__(self, stored: tf.DType, computed: tf.DType, transposed: bool = False) -> None:
        super().__init__()
        self.computed, self.transposed = computed, transposed
        shapes = ((10, 16), (16,), (16, 1), (1,))
        values = [rng.normal(0, 0.4, shape).astype(np.float32) for shape in shapes]
        if transposed:
            values[0], values[2] = values[0].T, values[2].T
        self.parameters = [tf.Variable(tf.cast(value, stored)) for value in values]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        w1, b1, w2, b2 = (p if p.dtype == self.computed else tf.cast(p, self.computed)
                          for p in self.parameters)
        x = x if x.dtype == self.computed else tf.cast(x, self.computed)
        hidden = tf.nn.relu(tf.matmul(x, w1, transpose_b=self.transposed) + b1)
        out = tf.sigmoid(b2 + tf.matmul(hidden, w2, transpose_b=self.transposed))
        return out if out.dtype == tf.float32 else tf.cast(out, tf.float32)


def module_save(module: tf.Module, forward: Any) -> Callable[[str], None]:
    return lambda path: tf.saved_model.save(module, path, signatures={"serving_default": forward})


def write_modules() -> None:
    f32, f64 = tf.float32, tf.float64
    spec = tf.TensorSpec([None, 10], f32, name="x")
    for name, module in {
        "module": Perceptron(f32, f32),
        "module_transposed": Perceptron(f32, f32, transposed=True),
        "module_f16_weights": Perceptron(tf.float16, f32),
        "module_bf16_weights": Perceptron(tf.bfloat16, f32),
        "module_f64": Perceptron(f64, f64),
    }.items():
        rows = normal_rows(10)
        forward = tf.function(module.__call__, input_signature=[spec])
        add(name, rows, forward(rows).numpy(), module_save(module, forward), True)

    # Frozen: the weights are constants inside the graph.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    module = Perceptron(f32, f32)
    frozen = convert_variables_to_constants_v2(
        tf.function(module.__call__, input_signature=[spec]).get_concrete_function())
    rows = normal_rows(10)
    holder = tf.Module()
    holder.serve = tf.function(lambda x: {"migrate": frozen(x)[0]}, input_signature=[spec])
    add("module_frozen", rows, module(tf.constant(rows)).numpy(),
        module_save(holder, holder.serve), True)


def write_v1() -> None:
    """A graph and a session, as TensorFlow 1 programs still write them."""
    v1 = tf.compat.v1
    rows = normal_rows(10)
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 10], "x")
        weights = [rng.normal(0, 0.4, shape).astype(np.float32)
                   for shape in ((10, 16), (16,), (16, 1), (1,))]
        w1, b1, w2, b2 = (v1.get_variable(f"v{i}", initializer=value, use_resource=True)
                          for i, value in enumerate(weights))
        y = tf.sigmoid(tf.nn.bias_add(tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2), b2))
        session.run(v1.global_variables_initializer())

        def save(path: str) -> None:
            v1.saved_model.simple_save(session, path, {"x": x}, {"y": y})

        add("v1_session", rows, session.run(y, {x: rows}), save, True)


def main() -> None:
    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(SEED)
    write_keras()
    write_trained()
    write_random(6)
    write_modules()
    write_v1()
    write_subclass()
    print(json.dumps({"tensorflow": tf.__version__, "cases": cases, "refused": write_refused()}))


main()
