# SPDX-License-Identifier: GPL-2.0
"""Formats of model files, and schemas of inputs: the library's tables."""

from __future__ import annotations

from dataclasses import dataclass

from mlsched._library import ffi, lib, text

__all__ = ["Feature", "Format", "Schema", "formats", "schemas"]


@dataclass(frozen=True)
class Format:
    """One format of model files.

    name: "savedmodel", "onnx", ...
    summary: for people.
    suffix: what names in this format end with; "" for a directory.
    can_write: Model.save() takes it; all are read.
    """

    name: str
    summary: str
    suffix: str
    can_write: bool


@dataclass(frozen=True)
class Feature:
    """One input of a network.

    name: as in CSV headers; unit: "fraction", "count", ..., "" for none;
    min, max: what can occur; meaning: one sentence.
    """

    name: str
    unit: str
    min: float
    max: float
    meaning: str


@dataclass(frozen=True)
class Schema:
    """A named, versioned, ordered list of inputs."""

    name: str
    version: int
    features: tuple[Feature, ...]


def formats() -> tuple[Format, ...]:
    """All formats that load() knows, in the order in which it tries them."""
    entry = ffi.new("struct mlsched_format *")
    found: list[Format] = []
    while lib.mlsched_format_at(len(found), entry) == 0:
        found.append(Format(text(entry.name), text(entry.summary), text(entry.suffix),
                            bool(entry.can_write)))
    return tuple(found)


def schemas() -> tuple[Schema, ...]:
    """All schemas; the scheduler asks models of seed10 and mig15."""
    found: list[Schema] = []
    while schema := lib.mlsched_schema_at(len(found)):
        features = tuple(
            Feature(text(f.name), text(f.unit), f.min, f.max, text(f.meaning))
            for f in schema.features[0:schema.n_features])
        found.append(Schema(text(schema.name), schema.version, features))
    return tuple(found)
