# SPDX-License-Identifier: GPL-2.0
"""Train the network of `mlsched bench train` with Keras and print one JSON document.

The rows come from the CSV file that mlsched writes, so both train on the same
numbers with the same network, batch and optimizer.  What is timed is fit()
after a first epoch, in which TensorFlow traces and compiles.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow import keras  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", help="rows: inputs, then the label, with a header")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2, help="epochs that are timed, one by one")
    parser.add_argument("--rate", type=float, default=0.001)
    parser.add_argument("--layers", default="64,64")
    parser.add_argument("--threads", type=int, default=0, help="0: as TensorFlow likes")
    args = parser.parse_args()

    if args.threads:
        tf.config.threading.set_intra_op_parallelism_threads(args.threads)
        tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    table = np.loadtxt(args.csv, delimiter=",", skiprows=1, dtype=np.float32)
    x, y = table[:, :-1], table[:, -1:]
    deviation = x.std(axis=0)
    deviation[deviation == 0] = 1
    x = ((x - x.mean(axis=0)) / deviation).astype(np.float32)

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(int(width), activation="relu") for width in args.layers.split(",")]
    model = keras.Sequential([keras.Input((x.shape[1],)), *layers,
                              keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(args.rate), loss="binary_crossentropy")
    model.fit(x, y, batch_size=args.batch, epochs=1, verbose=0)
    seconds = []
    for _ in range(args.epochs):
        begin = time.perf_counter()
        history = model.fit(x, y, batch_size=args.batch, epochs=1, verbose=0)
        seconds.append(time.perf_counter() - begin)
    json.dump({
        "rows_per_second": len(x) / min(seconds),
        "seconds": seconds,
        "loss": float(history.history["loss"][-1]),
        "tensorflow": tf.__version__,
        "keras": getattr(keras, "__version__", tf.__version__),
    }, sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
