# SPDX-License-Identifier: GPL-2.0
"""How mlsched._native is made: the C library, and cffi's wrapper of its public headers.

What Python may call is what include/mlsched declares: the headers are read here, not written
again, and the C compiler compares what cffi made of them with the headers themselves.  The
library is linked in.  What it needs besides the C library, jansson and protobuf-c, is put into
the package (setup.py), where the loader looks first: distributions have no static form of them
that a shared object may link.  So a wheel works on a machine that has neither.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
# A source distribution brings the C sources along (setup.py).
TOP = HERE / "csrc" if (HERE / "csrc").is_dir() else HERE.parent
# In this order each header finds what it needs declared; mlsched.h includes them all.
HEADERS = ("error", "version", "model", "decide", "format", "quantize", "schema")
# What goes into the package beside the extension, and where the extension looks for it.
BUNDLED = ("jansson", "protobuf-c")
LIBRARIES = "libs"
# Only the whole numbers: cffi takes no other constants.
CONSTANT = re.compile(r"#define\s+MLSCHED_\w+\s+\d+\s*$")


def declarations() -> str:
    """The public headers as cffi reads them: without comments, guards and C++."""
    found = {path.stem for path in (TOP / "include" / "mlsched").glob("*.h")} - {"mlsched"}
    if found != set(HEADERS):
        raise SystemExit(f"build_native.py: HEADERS: expected {sorted(found)}, found {sorted(HEADERS)}")
    kept = []
    for name in HEADERS:
        text = (TOP / "include" / "mlsched" / f"{name}.h").read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
        kept += [line for line in text.splitlines()
                 if line.strip() and (not line.startswith("#") or CONSTANT.match(line))]
    return "\n".join(kept) + "\n"


def compile_library() -> str:
    """libmlsched.a by the project's own Makefile; MLSCHED_BUILD names another build directory."""
    build = os.environ.get("MLSCHED_BUILD", "build")
    # Who builds this from a Makefile has flags for that one.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(["make", "-s", f"-j{os.cpu_count() or 1}", "-C", str(TOP), f"O={build}",
                    f"{build}/libmlsched.a"], env=environment, check=True)
    return str(TOP / build / "libmlsched.a")


def builder() -> FFI:
    """What setup.py's cffi_modules names."""
    ffi = FFI()
    ffi.cdef(declarations())
    library = compile_library()
    ffi.set_source(
        "mlsched._native", "#include <mlsched/mlsched.h>\n",
        include_dirs=[str(TOP / "include")], extra_objects=[library],
        # Or a second `pip install` in a checkout would leave the library of the first in place.
        depends=[library, *map(str, (TOP / "include" / "mlsched").glob("*.h"))],
        libraries=[*BUNDLED, "m"],
        # No symbol of the library may meet another copy of it in the process.
        extra_link_args=["-Wl,--exclude-libs,ALL", "-Wl,--strip-debug", "-pthread",
                         f"-Wl,-rpath,$ORIGIN/{LIBRARIES}"],
    )
    return ffi
