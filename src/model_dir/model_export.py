# SPDX-License-Identifier: GPL-2.0
"""Train the default network with Keras and export it as a SavedModel.

Rows come from synthetic load patterns (in which one label in ten is wrong, so
that about 0.90 is the best accuracy there is) or from a CSV file.  Training
stops when the validation loss no longer falls and keeps the best weights.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

# First: it says what to do in a Python without TensorFlow.
from command_line import add_output, add_quiet, positive, probability, run, whole_number

# isort: split
import keras_compat
import numpy as np
from judgement import format_table, judge_with_controls
from load_patterns import SCHEMA, Rows, UserError, csv_rows, split, synthetic_rows
from output_dir import check_output, write_savedmodel

EXAMPLES = """examples:
  model_export.py                            train on synthetic load patterns
  model_export.py --csv decisions.csv        train on the columns cpu, cpu_idle, cpu_not_idle,
                                             src_dom_load, dst_dom_load and migrate of a file
  model_export.py --rows 100000 --seed 7 --output /tmp/model
"""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    data = result.add_argument_group("data")
    data.add_argument("--csv", type=Path, metavar="FILE",
                      help="rows with a header naming the features, instead of synthetic ones")
    data.add_argument("--label", default="migrate", metavar="COLUMN",
                      help="column of the CSV file that holds the label, 0 or 1 "
                           "(default: %(default)s)")
    data.add_argument("--rows", type=whole_number(20), default=20000, metavar="N",
                      help="synthetic rows to make (default: %(default)s)")
    data.add_argument("--seed", type=whole_number(0), default=1, metavar="N",
                      help="seed of the rows, the split and the weights (default: %(default)s)")
    training = result.add_argument_group("training")
    training.add_argument("--epochs", type=whole_number(1), default=100, metavar="N",
                          help="most passes over the training rows (default: %(default)s)")
    training.add_argument("--patience", type=whole_number(1), default=10, metavar="N",
                          help="stop after so many epochs without a lower validation loss "
                               "(default: %(default)s)")
    training.add_argument("--batch", type=whole_number(1), default=64, metavar="N",
                          help="rows a step (default: %(default)s)")
    training.add_argument("--learning-rate", type=positive, default=1e-3, metavar="RATE",
                          help="of Adam (default: %(default)s)")
    training.add_argument("--checkpoint-dir", type=Path, metavar="DIR",
                          help="keep the best weights so far here, as best.weights.h5 "
                               "(transfer.py reads it)")
    result.add_argument("--threshold", type=probability, default=0.5, metavar="P",
                        help="migrate above this probability (default: %(default)s)")
    add_output(result)
    add_quiet(result)
    return result


def checkpoint_callback(keras: Any, directory: Path) -> Any:
    """Saves the best weights under a temporary name first, so that a kill leaves the old ones."""
    class Checkpoint(keras.callbacks.Callback):
        best = math.inf

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            loss = (logs or {}).get("val_loss", math.inf)
            if loss < self.best:
                self.best = loss
                new = directory / "new.weights.h5"
                self.model.save_weights(str(new))
                new.replace(directory / "best.weights.h5")

    directory.mkdir(parents=True, exist_ok=True)
    return Checkpoint()


def train(keras: Any, model: Any, parts: tuple[Rows, Rows, Rows],
          arguments: argparse.Namespace) -> dict[str, Any]:
    """Fit with early stopping; returns what the provenance says about it."""
    training, validation, _ = parts
    model.compile(optimizer=keras.optimizers.Adam(arguments.learning_rate),
                  loss="binary_crossentropy")
    callbacks = [keras.callbacks.EarlyStopping(monitor="val_loss", patience=arguments.patience,
                                               restore_best_weights=True)]
    if arguments.checkpoint_dir:
        callbacks.append(checkpoint_callback(keras, arguments.checkpoint_dir))
    verbose = 0 if arguments.quiet else 1 if sys.stdout.isatty() else 2
    started = time.monotonic()
    history = model.fit(training.features, training.labels, batch_size=arguments.batch,
                        epochs=arguments.epochs, callbacks=callbacks, verbose=verbose,
                        validation_data=(validation.features, validation.labels)).history
    losses = history["val_loss"]
    if not np.isfinite(losses).all():
        raise UserError("the loss is no longer a finite number: try a smaller --learning-rate")
    best = int(np.argmin(losses))
    return {"epochs": len(losses), "best_epoch": best + 1, "loss": float(history["loss"][best]),
            "val_loss": float(losses[best]), "batch": arguments.batch,
            "learning_rate": arguments.learning_rate,
            "seconds": round(time.monotonic() - started, 1)}


def metadata(parts: tuple[Rows, Rows, Rows], fitted: dict[str, Any], table: dict[str, Any],
             arguments: argparse.Namespace, producer: str) -> dict[str, Any]:
    """The contents of assets/mlsched.json."""
    training = parts[0]
    scores = {name: value for name, value in table["model"].items() if math.isfinite(value)}
    return {
        "mlsched": 1, "schema": SCHEMA, "schema_version": 1, "threshold": arguments.threshold,
        "producer": producer,
        "calibration": {"min": training.features.min(axis=0).tolist(),
                        "max": training.features.max(axis=0).tolist()},
        "provenance": {
            **training.origin, "seed": arguments.seed,
            "rows": dict(zip(("training", "validation", "test"), map(len, parts))),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "training": fitted, "scores": scores,
        },
    }


def main(arguments: argparse.Namespace) -> None:
    output: Path = arguments.output
    check_output(output)
    rows = (csv_rows(arguments.csv, arguments.label) if arguments.csv
            else synthetic_rows(arguments.rows, arguments.seed))
    parts = split(rows, arguments.seed)
    training, _, test = parts

    tf, keras = keras_compat.start(arguments.seed)
    model = keras_compat.default_network(
        keras, keras_compat.adapted_normalization(keras, training.features))
    fitted = train(keras, model, parts, arguments)
    scores = np.asarray(model.predict(test.features, batch_size=4096, verbose=0))[:, 0]
    table = judge_with_controls(scores, test, arguments.threshold)
    meta = metadata(parts, fitted, table, arguments,
                    keras_compat.producer("model_export.py", tf, keras))
    write_savedmodel(output, meta,
                     write=lambda path: keras_compat.export_savedmodel(tf, model, path),
                     check=lambda path: keras_compat.check_savedmodel(tf, model, path))
    if not arguments.quiet:
        print(f"\n{len(test)} test rows, {test.labels.mean():.1%} of them labelled migrate, "
              f"threshold {arguments.threshold:g}; epoch {fitted['best_epoch']} of "
              f"{fitted['epochs']} was the best\n")
        print(format_table(table))
        print(f"\n{output}: written")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
