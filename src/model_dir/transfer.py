# SPDX-License-Identifier: GPL-2.0
"""Turn a model that Keras saved (.h5, .keras, .weights.h5) into a SavedModel directory.

Layers, activations and weights stay what they are.  Files of Keras 2 and 3 are
read alike.  A file with weights alone must be of the default network 10-64-64-1.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

# First: it says what to do in a Python without TensorFlow.
from command_line import add_output, add_quiet, probability, run, whole_number

# isort: split
import keras_compat
import numpy as np
from keras_files import KerasFile, Layer, read_keras_file
from load_patterns import N_INPUTS, SCHEMA, UserError, shape_error
from output_dir import check_output, write_savedmodel

ACTIVATIONS = ("linear", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "softmax")


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--input", type=Path, required=True, metavar="FILE",
                        help="Keras model file; its content, not its name, says what it is")
    add_output(result)
    result.add_argument("--inputs", type=whole_number(1), default=N_INPUTS, metavar="N",
                        help="width that the model must have (default: %(default)s)")
    result.add_argument("--schema", metavar="NAME",
                        help=f"meaning of the inputs (default: {SCHEMA} for {N_INPUTS} of them, "
                             "else none)")
    result.add_argument("--threshold", type=probability, default=0.5, metavar="P",
                        help="migrate above this probability (default: %(default)s)")
    add_quiet(result)
    return result


def activation(tf: ModuleType, layer: Layer) -> Any:
    """TensorFlow's function for a name, the same in Keras 2 and 3; None for linear."""
    name = layer.config.get("activation") or "linear"
    if name not in ACTIVATIONS:
        name = name.get("class_name", "?") if isinstance(name, dict) else name
        raise UserError(f'layer "{layer.name}": activation {name} is none of '
                        f'{", ".join(ACTIVATIONS)}')
    return None if name == "linear" else getattr(tf.nn, name)


def number(layer: Layer, key: str, default: float) -> float:
    """A number of a layer's configuration."""
    value = layer.config.get(key)
    return default if value is None else float(value)


def build_layer(tf: ModuleType, layer: Layer) -> Any:
    """The same layer in the Keras that is running, still without its weights."""
    layers, config, weights = tf.keras.layers, layer.config, layer.weights
    if layer.kind == "Dense":
        return layers.Dense(weights["kernel"].shape[1], activation=activation(tf, layer),
                            use_bias="bias" in weights)
    if layer.kind == "Activation":
        return layers.Activation(activation(tf, layer) or (lambda x: x))
    if layer.kind == "Normalization":
        return layers.Normalization(mean=weights["mean"].ravel().tolist(),
                                    variance=weights["variance"].ravel().tolist(),
                                    invert=config.get("invert", False))
    if layer.kind == "BatchNormalization":
        return layers.BatchNormalization(epsilon=config["epsilon"], center="beta" in weights,
                                         scale="gamma" in weights)
    if layer.kind == "ReLU":
        limit = config.get("max_value")
        return layers.ReLU(None if limit is None else float(limit),
                           number(layer, "negative_slope", 0.0), number(layer, "threshold", 0.0))
    if layer.kind == "LeakyReLU":       # the argument's name changed from Keras 2 to 3
        return layers.LeakyReLU(number(layer, "negative_slope", number(layer, "alpha", 0.3)))
    if layer.kind == "ELU":
        return layers.ELU(number(layer, "alpha", 1.0))
    if layer.kind == "Rescaling":
        return layers.Rescaling(config["scale"], config.get("offset", 0.0))
    return layers.Softmax()


def width(file: KerasFile) -> int:
    """Number of inputs: the first weights say it."""
    for layer in file.layers:
        for name in ("kernel", "mean", "moving_mean"):
            if name in layer.weights:
                shape = layer.weights[name].shape
                return shape[0] if name == "kernel" else int(np.prod(shape))
    raise UserError(f"Invalid model format: {file.path}: no layer has weights")


def check_widths(file: KerasFile, n_inputs: int) -> None:
    """Every layer must take what the one before it gives."""
    for layer in file.layers:
        if "kernel" in layer.weights:
            shape = layer.weights["kernel"].shape
            if len(shape) != 2 or shape[0] != n_inputs:
                raise UserError(f'Invalid model format: {file.path}: layer "{layer.name}": '
                                f"expected a kernel of shape [{n_inputs}, units], found "
                                f"{list(shape)}")
            n_inputs = shape[1]


def rebuild(tf: ModuleType, file: KerasFile, n_inputs: int) -> Any:
    """The model of the file in the Keras that is running."""
    check_widths(file, n_inputs)
    try:
        built = [build_layer(tf, layer) for layer in file.layers]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"Invalid model format: {file.path}: a layer cannot be made from its "
                        f"configuration ({error!r})") from None
    model = tf.keras.Sequential([
        tf.keras.Input(shape=(n_inputs,), dtype="float32", name="features"), *built])
    for layer, made in zip(file.layers, built):
        if layer.kind in ("Dense", "BatchNormalization"):
            try:
                made.set_weights([array.astype(np.float32) for array in layer.weights.values()])
            except ValueError as error:
                raise UserError(f'Invalid model format: {file.path}: layer "{layer.name}": '
                                f"{error}") from None
    return model


def describe(file: KerasFile) -> str:
    """One line a layer: class, name, shape, activation."""
    lines = []
    for layer in file.layers:
        shape = "x".join(map(str, layer.weights["kernel"].shape)) if layer.kind == "Dense" else ""
        lines.append(f"  {layer.kind:<20}{layer.name:<24}{shape:<10}"
                     f"{layer.config.get('activation') or ''}".rstrip())
    return "\n".join(lines)


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.output)
    file = read_keras_file(arguments.input)
    got = width(file)
    if got != arguments.inputs:
        raise shape_error(arguments.inputs, got,
                          f"{file.path} (--inputs {got} transfers it all the same)")
    tf, keras = keras_compat.start()
    model = rebuild(tf, file, got)
    schema = arguments.schema or (SCHEMA if got == N_INPUTS else "")
    meta = {
        "mlsched": 1, "threshold": arguments.threshold,
        **({"schema": schema, "schema_version": 1} if schema else {}),
        "producer": keras_compat.producer("transfer.py", tf, keras),
        "provenance": {"source": file.path.name, "source_format": file.kind,
                       "source_keras_version": file.keras_version,
                       "source_sha256": hashlib.sha256(file.path.read_bytes()).hexdigest()},
    }
    write_savedmodel(arguments.output, meta,
                     write=lambda path: keras_compat.export_savedmodel(tf, model, path),
                     check=lambda path: keras_compat.check_savedmodel(tf, model, path))
    if not arguments.quiet:
        print(f"{file.path}: {file.kind}, Keras {file.keras_version}, {got} inputs\n"
              f"{describe(file)}\n{arguments.output}: written")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
