# SPDX-License-Identifier: GPL-2.0
"""Write a model of the right shape with random weights: to test with, not to schedule with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# First: it says what to do in a Python without TensorFlow.
from command_line import add_output, add_quiet, run

# isort: split
import keras_compat
from load_patterns import SCHEMA
from output_dir import check_output, write_savedmodel


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    add_output(result)
    result.add_argument("--seed", type=int, default=1, metavar="N",
                        help="seed of the weights (default: %(default)s)")
    add_quiet(result)
    return result


def main(arguments: argparse.Namespace) -> None:
    output: Path = arguments.output
    check_output(output)
    tf, keras = keras_compat.start(arguments.seed)
    model = keras_compat.default_network(keras)
    meta = {
        "mlsched": 1, "schema": SCHEMA, "schema_version": 1, "threshold": 0.5,
        "producer": keras_compat.producer("create_dummy_model.py", tf, keras),
        "provenance": {"data": "none: random weights", "seed": arguments.seed},
    }
    write_savedmodel(output, meta,
                     write=lambda path: keras_compat.export_savedmodel(tf, model, path),
                     check=lambda path: keras_compat.check_savedmodel(tf, model, path))
    if not arguments.quiet:
        print(f"{output}: 10-64-64-1 with random weights, {model.count_params()} parameters")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
