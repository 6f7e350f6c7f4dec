#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Decisions of a recording as a Parquet file, one column for each input.

    recording_to_parquet.py RECORDING OUTPUT.parquet

The same as `mlsched-parquet` of the Python package (python/), for who has not
installed it.  Needs pyarrow, and nothing else beside Python.
"""

import pathlib
import sys
import types

# The package without its C library: what reads recordings does not need it.
package = types.ModuleType("mlsched")
package.__path__ = [str(pathlib.Path(__file__).resolve().parents[2] / "python" / "src" / "mlsched")]
sys.modules["mlsched"] = package

from mlsched import recordings  # noqa: E402

if __name__ == "__main__":
    recordings.main()
