#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Files that mean harm by what they are and where they lie: links, devices, pipes, sizes, names in archives, heaps of
HDF5.  What docs/formats.md says of them, of each format (its tables of attacks name this file)."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests/lib")]

import tap  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
SAVEDMODEL = GOLDEN / "savedmodel" / "models" / "hand-variables-savedmodel" / "model"
FILES = {"h5": GOLDEN / "keras/models/tf221-keras3-h5/model.h5", "keras": GOLDEN / "keras/models/tf221-keras3-keras/model.keras",
         "onnx": GOLDEN / "onnx/models/onnx-torch215/model.onnx", "tflite": GOLDEN / "tflite/models/tf212-small/model.tflite"}
NAMES = {"h5": "Keras", "keras": "Keras", "onnx": "ONNX", "tflite": "LiteRT"}
# Of a SavedModel: each file, and how large it may be.
PARTS = {"saved_model.pb": 64 << 20, "variables/variables.index": 16 << 20,
         "variables/variables.data-00000-of-00001": 1 << 30, "assets/mlsched.json": 1 << 20}
# Much more than anybody would read into memory; it takes none on a disk.
HUGE = 1 << 36


def scratch():
    return tempfile.TemporaryDirectory(prefix="mlsched-hostile-")


def inspect(path):
    """What it is, and the error where it is refused.  (That it ends at all shows that nothing is waited for.)"""
    done = subprocess.run([os.environ.get("MLSCHED", ROOT / "build/mlsched"), "inspect", "--json", path], capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if "error" in found else 0), done
    return found


def refused(path, expected):
    found = inspect(path).get("error", "it was taken")
    assert expected in found, f"{path}: expected {expected!r}, found {found!r}"


def copy_of_savedmodel(where):
    model = pathlib.Path(where) / "model"
    shutil.copytree(SAVEDMODEL, model)
    (model / "assets").mkdir()
    (model / "assets" / "mlsched.json").write_text('{"mlsched":1,"schema":"seed10"}')
    return model


def a_savedmodel_of_links_is_read():
    with scratch() as where:
        real, linked = copy_of_savedmodel(where), pathlib.Path(where) / "linked"
        linked.mkdir()
        (linked / "saved_model.pb").symlink_to(real / "saved_model.pb")
        (linked / "variables").symlink_to("../model/variables")
        (linked / "assets").mkdir()
        (linked / "assets" / "mlsched.json").symlink_to("../../model/assets/mlsched.json")
        (pathlib.Path(where) / "link").symlink_to("linked")
        assert inspect(f"{where}/link")["checksum"] == inspect(SAVEDMODEL)["checksum"]
        assert inspect(f"{where}/link")["schema"] == "seed10"
        # Of the link itself nothing is known: it leads nowhere.
        (linked / "saved_model.pb").unlink()
        (linked / "saved_model.pb").symlink_to("nothing")
        refused(linked, f"Model not found at path: {linked}: expected saved_model.pb in the directory, found none")


def a_link_to_a_file_is_read():
    with scratch() as where:
        for format_, path in FILES.items():
            link = pathlib.Path(where) / f"link.{format_}"
            link.symlink_to(path)
            found = inspect(link)
            assert (found["format"], found["checksum"]) == (format_, inspect(path)["checksum"]), found


def links_that_lead_in_a_circle_are_refused():
    with scratch() as where:
        model = copy_of_savedmodel(where)
        for part in PARTS:
            path = model / part
            moved = path.rename(path.with_name("moved"))
            path.symlink_to(path.name)
            refused(model, f"Cannot read model: {path}: Too many levels of symbolic links")
            path.unlink()
            moved.rename(path)
        assert inspect(model)["format"] == "savedmodel"
        for format_ in FILES:
            path = pathlib.Path(where) / f"circle.{format_}"
            path.symlink_to(path.name)
            refused(path, f"Cannot read model: {path}: Too many levels of symbolic links")


def what_is_no_regular_file_is_refused_without_waiting():
    with scratch() as where:
        model = copy_of_savedmodel(where)
        for part in PARTS:
            path = model / part
            moved = path.rename(path.with_name("moved"))
            for kind in ("a pipe", "a link to a pipe", "/dev/zero", "a directory"):
                pipe = pathlib.Path(where) / "pipe"
                if kind == "a directory":
                    path.mkdir()
                elif kind == "/dev/zero":
                    path.symlink_to(kind)
                else:
                    os.mkfifo(path if kind == "a pipe" else pipe)
                    if kind != "a pipe":
                        path.symlink_to(pipe)
                refused(model, f"Invalid SavedModel format: {path}: expected a regular file, found "
                        f"{'a directory' if kind == 'a directory' else 'a device'}")
                pipe.unlink(missing_ok=True)
                if kind == "a directory":
                    path.rmdir()
                else:
                    path.unlink()
            moved.rename(path)
        for format_ in ("h5", "keras", "tflite"):
            path = pathlib.Path(where) / f"device.{format_}"
            path.symlink_to("/dev/zero")
            refused(path, f"Invalid {NAMES[format_]} format: {path}: expected a regular file, found a device")
            path.unlink()
            os.mkfifo(path)
            refused(path, f"Invalid {NAMES[format_]} format: {path}: expected a regular file, found a device")
        # ONNX is known by its content alone, and what is no regular file has none.
        path = pathlib.Path(where) / "device.onnx"
        os.mkfifo(path)
        refused(path, f"Invalid model format: {path}: ")


def files_larger_than_any_model_are_refused_unread():
    with scratch() as where:
        model = copy_of_savedmodel(where)
        for part, most in PARTS.items():
            path = model / part
            before = path.read_bytes()
            for size in (most + 1, HUGE):
                os.truncate(path, size)
                found = inspect(model).get("error", "it was taken")
                assert str(path) in found and f": expected at most {most} bytes" in found and f", found {size}" in found, found
            path.write_bytes(before)
        assert inspect(model)["format"] == "savedmodel"
        for format_, original in FILES.items():
            path = pathlib.Path(shutil.copy(original, where))
            for size in ((64 << 20) + 1, HUGE):
                os.truncate(path, size)
                refused(path, f"Invalid {NAMES[format_]} format: {path}: expected at most {64 << 20} bytes, found {size}")


def names_in_an_archive_that_lead_out_of_it_are_refused():
    with scratch() as where:
        for name in ("/etc/x", "\\x", "C:x", "c:/x", "../x", "a/../../x", "a/..", "..\\x", "a\\..\\x", ".."):
            path = pathlib.Path(shutil.copy(FILES["keras"], where))
            with zipfile.ZipFile(path, "a") as archive:
                member = zipfile.ZipInfo("x" * len(name))
                archive.writestr(member, b"")
            # The name as it stands in the archive: Python would make another one of some.
            path.write_bytes(path.read_bytes().replace(b"x" * len(name), name.encode()))
            refused(path, f": expected members below the archive's own directory, found {name}")
        for name in ("..x", "a/..b/c", "...", "a.b/c"):
            path = pathlib.Path(shutil.copy(FILES["keras"], where))
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(name, b"")
            assert inspect(path)["format"] == "keras"


def heaps_of_hdf5_that_lie_are_refused_before_they_are_read():
    data = FILES["h5"].read_bytes()
    heap = data.index(b"GCOL")
    # Where the attribute model_config says that its text lies: length, heap, number in it.
    text = data.index(struct.pack("<QI", heap, 3)) - 4
    with scratch() as where:
        path = pathlib.Path(where) / "m.h5"
        for place, bytes_, expected in (
                (heap + 8, struct.pack("<Q", 1 << 63), f"heap at byte {heap}: expected at most {len(data) - heap} bytes"),
                (heap + 8, struct.pack("<Q", 15), f"heap at byte {heap}: expected at most {len(data) - heap} bytes"),
                # 16 bytes more than that are none.
                (heap + 24, struct.pack("<Q", (1 << 64) - 16), f"heap at byte {heap}: expected an object of at most"),
                (text, struct.pack("<I", 1 << 31), "attribute model_config: expected strings that are in the file"),
                (text + 4, struct.pack("<Q", len(data) - 8), "attribute model_config: expected strings that are in the file"),
                (text + 12, struct.pack("<I", 60000), "attribute model_config: expected strings that are in the file")):
            path.write_bytes(data[:place] + bytes_ + data[place + len(bytes_):])
            refused(path, expected)
        path.write_bytes(data)
        assert inspect(path)["format"] == "h5"


TESTS = [a_savedmodel_of_links_is_read, a_link_to_a_file_is_read, links_that_lead_in_a_circle_are_refused,
         what_is_no_regular_file_is_refused_without_waiting, files_larger_than_any_model_are_refused_unread,
         names_in_an_archive_that_lead_out_of_it_are_refused, heaps_of_hdf5_that_lie_are_refused_before_they_are_read]


if __name__ == "__main__":
    sys.exit(tap.run(TESTS))
