# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with TensorFlow: run the scripts of src/model_dir, many in one process.

    run_scripts.py < JSON

The document is {"runs": [[SCRIPT, ARGUMENT...], ...]}.  Importing TensorFlow
takes seconds, and each run would do it again.  Prints status and output of each.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
import traceback
from pathlib import Path

import tensorflow as tf


def run(script: str, *arguments: str) -> dict[str, object]:
    out, err = io.StringIO(), io.StringIO()
    sys.argv = [script, *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(script, run_name="__main__")
            status = 0
        except SystemExit as end:
            status = end.code
        except Exception:       # a bug: shown by the test, which expects a status
            status = -1
            traceback.print_exc()
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


def main() -> None:
    runs = json.load(sys.stdin)["runs"]
    sys.path.insert(0, str(Path(runs[0][0]).parent))
    print(json.dumps({"tensorflow": tf.__version__, "runs": [run(*words) for words in runs]}))


main()
