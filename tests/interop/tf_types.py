# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow: what a SavedModel says to float64, and to the same as float32.

    tf_types.py MODEL < ROWS

A row a line, as for mlsched predict.  The answer has the kind of error that float64 is, its text,
and the outputs for float32.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import tensorflow as tf


def main() -> None:
    rows = np.loadtxt(sys.stdin, dtype=np.float64, ndmin=2)
    loaded = tf.saved_model.load(sys.argv[1])
    infer = loaded.signatures["serving_default"]
    name = list(infer.structured_input_signature[1])[0]
    error, text = "", ""
    try:
        infer(**{name: tf.constant(rows)})
    except Exception as refused:        # which one it is depends on the version
        error, text = type(refused).__name__, str(refused)
    (outputs,) = infer(**{name: tf.constant(rows.astype(np.float32))}).values()
    print(json.dumps({"error": error, "text": text[:500], "outputs": outputs.numpy().tolist()}))


if __name__ == "__main__":
    main()
