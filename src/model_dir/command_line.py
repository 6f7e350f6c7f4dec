# SPDX-License-Identifier: GPL-2.0
"""What the three scripts share on the command line: common options, errors, Ctrl+C.

They import this module first: it says what to do where TensorFlow is missing.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

MISSING = [name for name in ("numpy", "h5py", "tensorflow") if find_spec(name) is None]
if MISSING:
    sys.exit(f"{Path(sys.argv[0]).name}: TensorFlow is missing ({sys.executable} has no "
             f"{', '.join(MISSING)}): run `make install-deps-tf`, then use "
             "build/tensorflow/bin/python")

from load_patterns import UserError  # noqa: E402

DEFAULT_OUTPUT = Path(__file__).resolve().parent / "model_path"


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, metavar="DIR",
                        help="SavedModel directory to make or replace "
                             "(default: model_path beside this script)")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="print only errors")


def whole_number(least: int) -> Callable[[str], int]:
    """A type for argparse: an integer that is not below @least."""
    def convert(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, got {text}")
        return value
    convert.__name__ = "whole number"
    return convert


def positive(text: str) -> float:
    """A type for argparse: a finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def probability(text: str) -> float:
    """A type for argparse: a number between 0 and 1, both excluded."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, got {text}")
    return value


def run(parser: argparse.ArgumentParser, main: Callable[[argparse.Namespace], None]) -> int:
    """Parse, run, and turn what a user can mend into one line and status 1."""
    arguments = parser.parse_args()
    try:
        main(arguments)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{parser.prog}: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted; {arguments.output} is as it was", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0
