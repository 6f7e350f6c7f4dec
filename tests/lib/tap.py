# SPDX-License-Identifier: GPL-2.0
"""TAP for tests in Python: each a function that raises when what its name says does not hold."""

import contextlib
import io


def run(tests):
    """Runs them in order and says what came out; what a test printed, only if it failed.  Return: 1 if one did."""
    bad = 0
    for number, test in enumerate(tests, 1):
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                test()
        except Exception as error:  # pylint: disable=broad-except
            bad = 1
            print(said.getvalue() + f"# {type(error).__name__}: {error}".replace("\n", "\n# ")[:4000])
            print(f"not ok {number} - {test.__name__}")
        else:
            print(f"ok {number} - {test.__name__}")
    print(f"1..{len(tests)}")
    return bad
