# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow: LiteRT files of every form that we know, and their outputs.

    tflite_write.py DIR SEED

For each case DIR/NAME/ holds model.tflite, rows.txt and outputs.txt, as tf.lite.Interpreter
computed them, one row at a time, and both once more in expected.json; DIR/bad-NAME/ holds what is
no chain of dense layers of float numbers.  The answer lists both.  Those of our own in
tests/golden/tflite are cases of seed 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

WIDTH = 10
layers = tf.keras.layers


def randomize(model: tf.keras.Model, generator: np.random.Generator) -> None:
    """Weights as a trained model has them: none is zero, variances are positive."""
    for weight in model.weights:
        inputs = weight.shape[0] if len(weight.shape) > 1 else 4
        values = generator.standard_normal(weight.shape) / inputs ** 0.5
        if "variance" in weight.name:
            values = np.abs(values) + 0.1
        elif "alpha" in weight.name:        # of a PReLU: the same slope for all columns
            values = np.full(weight.shape, 0.2)
        if weight.dtype in ("float32", tf.float32):
            weight.assign(values.astype(np.float32))


def chain(*parts: object) -> tf.keras.Model:
    return tf.keras.Sequential([tf.keras.Input((WIDTH,)), *parts])


def normalized(generator: np.random.Generator, *parts: object) -> tf.keras.Model:
    norm = layers.Normalization(
        mean=(generator.standard_normal(WIDTH) * 20).astype(np.float32),
        variance=(generator.random(WIDTH) * 100 + 1).astype(np.float32))
    return chain(norm, *parts)


def convert(model: tf.keras.Model, half: bool = False, **options: object) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in options.items():
        setattr(converter, name, value)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def interpret(content: bytes, rows: np.ndarray) -> np.ndarray:
    """One row at a time: some models fix their number."""
    # Without delegates: XNNPACK rounds otherwise, and what a plain interpreter computes is meant.
    interpreter = tf.lite.Interpreter(
        model_content=content, num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    outputs = []
    for row in rows:
        interpreter.set_tensor(source, row[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target).reshape(-1))
    return np.array(outputs)


def relu6(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu6(x)


def dense(width: int, activation: object = "relu") -> layers.Layer:
    return layers.Dense(width, activation)


CASES: dict[str, Callable[[np.random.Generator], bytes]] = {
    "plain": lambda g: made(g, chain(dense(16), dense(12), dense(1, "sigmoid"))),
    "one layer": lambda g: made(g, chain(dense(1, "sigmoid"))),
    "small": lambda g: made(g, chain(dense(4), dense(1, "sigmoid"))),
    "widest": lambda g: made(g, chain(dense(256), dense(256), dense(1, "sigmoid"))),
    "tanh": lambda g: made(g, chain(dense(16, "tanh"), dense(1, "sigmoid"))),
    "sigmoid inside": lambda g: made(g, chain(dense(16, "sigmoid"), dense(1, "sigmoid"))),
    "relu6": lambda g: made(g, chain(dense(16, relu6), dense(1, "sigmoid"))),
    "elu": lambda g: made(g, chain(dense(16, "elu"), dense(1, "sigmoid"))),
    "leaky": lambda g: made(g, chain(dense(16, None), leaky(), dense(1, "sigmoid"))),
    "prelu": lambda g: made(g, chain(dense(16, None), layers.PReLU(), dense(1, "sigmoid"))),
    "softmax": lambda g: made(g, chain(dense(16), dense(2, "softmax"))),
    "linear": lambda g: made(g, chain(dense(16), dense(3, None))),
    "no bias": lambda g: made(g, chain(layers.Dense(16, "relu", use_bias=False),
                                       layers.Dense(1, "sigmoid", use_bias=False))),
    "normalization": lambda g: made(g, normalized(g, dense(16), dense(1, "sigmoid"))),
    "rescaling": lambda g: made(g, chain(layers.Rescaling(0.25, -0.5), dense(16),
                                         dense(1, "sigmoid"))),
    "batch normalization": lambda g: made(g, chain(
        dense(16, None), layers.BatchNormalization(), layers.ReLU(), dense(8),
        layers.BatchNormalization(), dense(1, "sigmoid"))),
    "batch normalization in front": lambda g: made(g, chain(
        layers.BatchNormalization(), dense(16), dense(1, "sigmoid"))),
    "dropout and flatten": lambda g: made(g, chain(
        layers.Flatten(), dense(16), layers.Dropout(0.5), layers.Flatten(),
        dense(1, "sigmoid"))),
    "float16 weights": lambda g: made(g, chain(dense(16), dense(12), dense(1, "sigmoid")),
                                      half=True),
    "one row": lambda g: one_row(g),
}


def leaky() -> layers.Layer:
    return layers.LeakyReLU(0.3)


# Kernels and biases of the model that was made last.
weights: list[str] = []
# Cases whose weights the converter changes: it folds arithmetic into them, or stores fewer digits.
CHANGED = ("normalization", "rescaling", "batch normalization", "batch normalization in front", "float16 weights")


def made(generator: np.random.Generator, model: tf.keras.Model, **options: object) -> bytes:
    randomize(model, generator)
    weights[:] = [array.astype("<f4").tobytes().hex() for layer in model.layers
                  if isinstance(layer, layers.Dense) for array in layer.get_weights()]
    return convert(model, **options)


def one_row(generator: np.random.Generator) -> bytes:
    """A model whose input has one row, and no more."""
    first = tf.keras.Input((WIDTH,), batch_size=1)
    model = tf.keras.Model(first, dense(1, "sigmoid")(dense(16)(first)))
    return made(generator, model)


def representative(generator: np.random.Generator) -> Callable[[], object]:
    rows = generator.random((64, WIDTH)).astype(np.float32)
    return lambda: ([row[None]] for row in rows)


def two_outputs(generator: np.random.Generator) -> bytes:
    first = tf.keras.Input((WIDTH,))
    hidden = dense(4)(first)
    return made(generator, tf.keras.Model(first, [dense(1)(hidden), dense(1)(hidden)]))


def two_inputs(generator: np.random.Generator) -> bytes:
    first, second = tf.keras.Input((WIDTH,)), tf.keras.Input((WIDTH,))
    return made(generator, tf.keras.Model([first, second], dense(1)(first + second)))


def skip(generator: np.random.Generator) -> bytes:
    first = tf.keras.Input((WIDTH,))
    hidden = dense(WIDTH)(first)
    return made(generator, tf.keras.Model(first, dense(1)(layers.Add()([first, hidden]))))


BAD: dict[str, Callable[[np.random.Generator], bytes]] = {
    "conv": lambda g: made(g, chain(layers.Reshape((WIDTH, 1)), layers.Conv1D(2, 3),
                                    layers.Flatten(), dense(1, "sigmoid"))),
    "int8-weights": lambda g: made(g, chain(dense(64), dense(64), dense(1, "sigmoid")),
                                   optimizations=[tf.lite.Optimize.DEFAULT]),
    "int8": lambda g: made(g, chain(dense(4), dense(1, "sigmoid")),
                           optimizations=[tf.lite.Optimize.DEFAULT],
                           representative_dataset=representative(g)),
    "gelu": lambda g: made(g, chain(dense(4, "gelu"), dense(1, "sigmoid"))),
    "skip": skip,
    "two-outputs": two_outputs,
    "two-inputs": two_inputs,
}


def write_rows(path: Path, rows: np.ndarray) -> None:
    path.write_text("".join(" ".join(f"{v:.9g}" for v in row) + "\n" for row in rows))


def exact(rows: np.ndarray) -> list[list[float]]:
    return [[float(f"{value:.9g}") for value in row] for row in rows]


def main() -> None:
    top, seed = Path(sys.argv[1]), int(sys.argv[2])
    answer = []
    for number, (name, make) in enumerate(CASES.items()):
        generator = np.random.default_rng([seed, number])
        directory = top / name.replace(" ", "-")
        directory.mkdir(parents=True)
        content = make(generator)
        (directory / "model.tflite").write_bytes(content)
        rows = (generator.random((64, WIDTH)) * 2).astype(np.float32)
        outputs = interpret(content, rows)
        write_rows(directory / "rows.txt", rows)
        write_rows(directory / "outputs.txt", outputs)
        (directory / "expected.json").write_text(json.dumps({
            "producer": f"tensorflow {tf.__version__}, tf.lite.TFLiteConverter",
            "inputs": exact(rows), "outputs": exact(outputs)}) + "\n")
        threshold = 0.5 if outputs.shape[1] == 1 else None
        answer.append({"name": name, "threshold": threshold,
                       "weights": None if name in CHANGED else list(weights)})
    for name, make in BAD.items():
        directory = top / f"bad-{name}"
        directory.mkdir(parents=True)
        (directory / "model.tflite").write_bytes(make(np.random.default_rng([seed, 99])))
    print(json.dumps({"tensorflow": tf.__version__, "cases": answer, "bad": list(BAD)}))


if __name__ == "__main__":
    main()
