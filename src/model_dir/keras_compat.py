# SPDX-License-Identifier: GPL-2.0
"""The few places where Keras 2 (TensorFlow up to 2.15) and Keras 3 (from 2.16 on) differ.

Importing this module imports nothing heavy; start() does.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from load_patterns import N_INPUTS, UserError

SAVEDMODEL_TOLERANCE = 1e-6


def start(seed: int | None = None) -> tuple[ModuleType, ModuleType]:
    """Import TensorFlow, without its chatter, and seed everything; returns (tensorflow, keras)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # oneDNN sums in an order that depends on the processor; without it a seed means one result.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    if seed is not None:
        tf.keras.utils.set_random_seed(seed)
        tf.config.experimental.enable_op_determinism()
    return tf, tf.keras


def is_keras3(keras: ModuleType) -> bool:
    """Keras 2 has no keras.__version__ of its own in every release; the major number is enough."""
    return keras_version(keras).startswith("3")


def keras_version(keras: ModuleType) -> str:
    return str(getattr(keras, "__version__", "2"))


def producer(script: str, tf: ModuleType, keras: ModuleType) -> str:
    """What assets/mlsched.json calls the tool that wrote a model; 63 characters at most."""
    return f"{script}, tensorflow {tf.__version__}, keras {keras_version(keras)}"[:63]


def default_network(keras: ModuleType, normalization: Any = None, n_inputs: int = N_INPUTS) -> Any:
    """inputs - 64 ReLU - 64 ReLU - 1 sigmoid, with a normalisation in front if one is given."""
    layers = keras.layers
    front = [] if normalization is None else [normalization]
    return keras.Sequential([
        keras.Input(shape=(n_inputs,), dtype="float32", name="features"),
        *front,
        layers.Dense(64, activation="relu", name="hidden_1"),
        layers.Dense(64, activation="relu", name="hidden_2"),
        layers.Dense(1, activation="sigmoid", name="migrate"),
    ], name="mlsched")


def adapted_normalization(keras: ModuleType, features: np.ndarray) -> Any:
    """A Normalization layer for these rows; an input that never changes passes as it is."""
    layer = keras.layers.Normalization(axis=-1, name="normalization")
    layer.adapt(features)
    variance = np.asarray(layer.adapt_variance)
    layer.adapt_variance.assign(np.where(variance > 0, variance, 1).astype(np.float32))
    layer.finalize_state()
    return layer


def export_savedmodel(tf: ModuleType, model: Any, path: str) -> None:
    """Write the inference graph of a model as a SavedModel directory."""
    if is_keras3(tf.keras):
        can_be_quiet = "verbose" in inspect.signature(model.export).parameters
        model.export(path, **({"verbose": False} if can_be_quiet else {}))
        return
    # Keras 2 would trace training and optimizer as well, and its export() (where it has one) trips
    # over them after fit(); a module with one signature holds what is needed and nothing else.
    spec = tf.TensorSpec([None, model.input_shape[-1]], tf.float32, name="features")
    module = tf.Module()
    module.weights = model.weights
    module.serve = tf.function(lambda features: {"output_0": model(features, training=False)},
                               input_signature=[spec])
    tf.saved_model.save(module, path, signatures={"serving_default": module.serve})


def check_savedmodel(tf: ModuleType, model: Any, path: str) -> None:
    """Load what was written, as any other program would, and compare its outputs."""
    width = model.input_shape[-1]
    rows = np.random.default_rng(0).random((64, width), np.float32)
    serve = tf.saved_model.load(path).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    (loaded,) = serve(**{name: tf.constant(rows)}).values()
    wanted = np.asarray(model(rows, training=False))
    worst = float(np.max(np.abs(loaded.numpy() - wanted)))
    if not worst <= SAVEDMODEL_TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise UserError(f"Invalid SavedModel format: {Path(path)}: outputs differ by {worst:g} "
                        "from those of the model that was written")
