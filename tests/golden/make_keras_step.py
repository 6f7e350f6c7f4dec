# SPDX-License-Identifier: GPL-2.0
"""Re-create keras_step.json: what Keras's Adam makes of small networks.

For each case: the weights to begin with, three batches of rows, and the
weights after the first and after the third step.  test_keras_step.c lets the
trainer take the same steps.  Needs TensorFlow; any Keras from 2.12 on gives
these numbers to within rounding.

    python tests/golden/make_keras_step.py > tests/golden/keras_step.json
"""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow import keras  # noqa: E402

N_INPUTS, N_ROWS, N_STEPS = 5, 20, 3

# activation, Keras's layer argument, alpha, L2, penalty on activations, class weights
CASES = [
    ("relu", "relu", 0.0, 0.0, 0.0, (1.0, 1.0)),
    ("tanh", "tanh", 0.0, 0.0, 0.0, (1.0, 1.0)),
    ("elu", "elu", 1.0, 0.01, 0.0, (1.0, 1.0)),
    ("sigmoid", "sigmoid", 0.0, 0.0, 0.02, (1.0, 1.0)),
    ("relu", "relu", 0.0, 0.003, 0.01, (0.5, 2.5)),
    ("relu6", "relu6", 0.0, 0.001, 0.0, (2.0, 1.0)),
]


def weights_of(model: keras.Model) -> list[dict[str, list]]:
    return [{"weights": layer.get_weights()[0].tolist(), "bias": layer.get_weights()[1].tolist()}
            for layer in model.layers]


def make_case(number: int, activation: str, function: str, alpha: float, l2: float, penalty: float,
              class_weight: tuple[float, float]) -> dict:
    keras.utils.set_random_seed(100 + number)
    dice = np.random.default_rng(number)
    hidden = [keras.layers.Dense(
        width, activation=tf.nn.relu6 if function == "relu6" else function,
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
        activity_regularizer=keras.regularizers.L1(penalty) if penalty else None,
        bias_initializer="random_uniform") for width in (7, 4)]
    model = keras.Sequential([keras.Input((N_INPUTS,)), *hidden, keras.layers.Dense(
        1, kernel_regularizer=keras.regularizers.L2(l2) if l2 else None)])
    model.compile(keras.optimizers.Adam(0.01),
                  loss=keras.losses.BinaryCrossentropy(from_logits=True))
    x = dice.normal(size=(N_STEPS, N_ROWS, N_INPUTS)).astype(np.float32)
    y = dice.integers(0, 2, size=(N_STEPS, N_ROWS, 1)).astype(np.float32)
    case = {
        "activation": activation, "alpha": alpha, "l2": l2, "activation_penalty": penalty,
        "class_weight": class_weight, "rate": 0.01, "begin": weights_of(model),
        "inputs": x.reshape(-1, N_INPUTS).tolist(), "labels": y.reshape(-1).tolist(),
    }
    for step in range(N_STEPS):
        model.train_on_batch(x[step], y[step], class_weight=dict(enumerate(class_weight)))
        if step == 0:
            case["after_1"] = weights_of(model)
    case["after_3"] = weights_of(model)
    return case


def main() -> int:
    json.dump({
        "made_by": "tests/golden/make_keras_step.py",
        "tensorflow": tf.__version__,
        "keras": getattr(keras, "__version__", tf.__version__),
        "rows_per_step": N_ROWS,
        "cases": [make_case(number, *case) for number, case in enumerate(CASES)],
    }, sys.stdout, indent=None, separators=(",", ":"))
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
