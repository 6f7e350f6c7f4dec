#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes the archives that fuzz_savedmodel.c reads of SavedModel directories.

make_seeds.py OUTPUT_DIRECTORY MODEL_DIRECTORY...
"""
import pathlib
import struct
import sys

NAMES = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/mlsched.json",
)


def archive(model):
    files = [(model / name).read_bytes() if (model / name).exists() else b"" for name in NAMES]
    return struct.pack("<4I", *map(len, files)) + b"".join(files)


def main():
    output = pathlib.Path(sys.argv[1])
    output.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:]:
        model = pathlib.Path(name)
        (output / (model.parent.name + "-" + model.name)).write_bytes(archive(model))


if __name__ == "__main__":
    main()
