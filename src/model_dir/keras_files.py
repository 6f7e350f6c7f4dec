# SPDX-License-Identifier: GPL-2.0
"""Read the dense networks in Keras files: .h5, .keras and .weights.h5 of Keras 2 and 3.

Neither Keras reads all files of the other, and loading one can run code that is
in it.  So the layers and weights are taken from the file as data, whatever Keras
wrote it; the file's content decides, not its name.  What the schedulers could
not compute anyway (convolutions, branches, ...) is refused by name.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from load_patterns import UserError

_MAX_MEMBER = 64 << 20     # largest part of a file that is read, in bytes; ours have 0.1 MB

# Layers that do nothing once training is over.
_PASSIVE = {"InputLayer", "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise",
            "ActivityRegularization", "Flatten"}
# Layers with weights, in the order in which Keras stores them ("?": if the config says so).
_WEIGHTS = {
    "Dense": ("kernel", "bias?use_bias"),
    "Normalization": ("mean", "variance", "count?"),
    "BatchNormalization": ("gamma?scale", "beta?center", "moving_mean", "moving_variance"),
}
_ACTIVE = {"Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Rescaling"}


@dataclass
class Layer:
    """One layer: its Keras class, its configuration and its weights by name."""

    kind: str
    name: str
    config: dict[str, Any]
    weights: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class KerasFile:
    """A chain of layers; weights_only files have no architecture but the default one."""

    path: Path
    kind: str                   # "HDF5", "Keras archive", "HDF5 weights"
    keras_version: str
    layers: list[Layer]


def _bad(path: Path, detail: str) -> UserError:
    return UserError(f"Invalid model format: {path}: {detail}")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# ---- architecture -----------------------------------------------------------------

def _sources(inbound: Any) -> Iterator[str]:
    """Names of the layers that feed one: [name, node, tensor, ...] anywhere inside (Keras 2, 3)."""
    if isinstance(inbound, dict):
        for value in inbound.values():
            yield from _sources(value)
    elif isinstance(inbound, list):
        if len(inbound) >= 3 and isinstance(inbound[0], str) and isinstance(inbound[1], int):
            yield inbound[0]
        else:
            for value in inbound:
                yield from _sources(value)


def _check_chain(path: Path, entries: list[dict[str, Any]]) -> None:
    """A functional model must be a chain, listed from its input to its output."""
    previous: str | None = None
    for entry in entries:
        name = entry["config"]["name"]
        sources = list(_sources(entry.get("inbound_nodes", [])))
        if sources != ([] if previous is None else [previous]):
            raise _bad(path, f'layer "{name}": expected its input to be '
                       f'{previous or "none"}, found {", ".join(sources) or "none"}: '
                       "only a plain chain of layers can be transferred")
        previous = name


def _plain(value: Any) -> Any:
    """A value of a configuration, without the wrapping that Keras gives numpy's and functions."""
    if isinstance(value, dict) and value.get("class_name") == "__numpy__":
        return value["config"]["value"]
    if isinstance(value, dict) and value.get("class_name") == "function":
        return value["config"]
    return value


def _layer(entry: dict[str, Any]) -> Layer:
    config = {key: _plain(value) for key, value in entry["config"].items()}
    return Layer(entry["class_name"], config.get("name", entry["class_name"]), config)


def _architecture(path: Path, text: str) -> list[Layer]:
    try:
        model = json.loads(text)
        kind, entries = model["class_name"], model["config"]
        entries = entries["layers"] if isinstance(entries, dict) else entries
        if kind in ("Functional", "Model"):
            _check_chain(path, entries)
        elif kind != "Sequential":
            raise _bad(path, f"expected a Sequential or Functional model, found {kind}")
        layers = [_layer(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad(path, f"its configuration is not one of Keras ({error!r})") from None
    for layer in layers:
        if layer.kind not in _WEIGHTS and layer.kind not in _ACTIVE | _PASSIVE:
            known = ", ".join(sorted([*_WEIGHTS, *_ACTIVE, *_PASSIVE]))
            raise _bad(path, f'layer "{layer.name}": {layer.kind} is none of {known}')
    return [layer for layer in layers if layer.kind not in _PASSIVE]


def _attach(path: Path, layer: Layer, arrays: list[np.ndarray]) -> None:
    """Name the stored arrays of one layer, in Keras's order."""
    names = []
    for spec in _WEIGHTS.get(layer.kind, ()):
        name, _, condition = spec.partition("?")
        if not condition or layer.config.get(condition, True):
            names.append(name)
    if layer.kind == "Normalization" and layer.config.get("mean") is not None:
        names, arrays = [], []
        for name in ("mean", "variance"):
            layer.weights[name] = np.asarray(layer.config[name], np.float64)
    optional = layer.kind == "Normalization" and len(arrays) == len(names) - 1
    if len(arrays) != len(names) and not optional:
        raise _bad(path, f'layer "{layer.name}": expected the weights {", ".join(names)}, '
                   f"found {len(arrays)} arrays")
    for name, array in zip(names, arrays):
        if not np.isfinite(array).all():
            raise _bad(path, f'layer "{layer.name}": {name} has numbers that are not finite')
        layer.weights[name] = array


# ---- weights ------------------------------------------------------------------------

def _attribute(group: Any, name: str) -> list[str]:
    """A list of names, which Keras splits over name0, name1, ... when it is long."""
    if name in group.attrs:
        return [_text(value) for value in group.attrs[name]]
    parts: list[str] = []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(f"{name}{len(parts)}")
    return [_text(value) for part in parts for value in group.attrs[part]]


def _array(path: Path, group: Any, name: str) -> np.ndarray:
    dataset = group[name]
    if dataset.size * dataset.dtype.itemsize > _MAX_MEMBER:
        raise _bad(path, f"{name}: {dataset.size} numbers are more than any model of ours has")
    return np.asarray(dataset)


def _by_layer_name(path: Path, group: Any) -> dict[str, list[np.ndarray]]:
    """Old form: the attributes layer_names and weight_names give the order."""
    found = {}
    for name in _attribute(group, "layer_names"):
        arrays = [_array(path, group[name], weight)
                  for weight in _attribute(group[name], "weight_names")]
        if arrays:
            found[name] = arrays
    return found


_VARIABLE = re.compile(r"(?:layers|_layer_checkpoint_dependencies)[/\\]"
                       r"([a-z_]+?)(?:_(\d+))?/vars/(\d+)")


def _by_class(path: Path, group: Any) -> dict[str, list[list[np.ndarray]]]:
    """New form: layers/<class>[_k]/vars/<i>, k growing (not always by one) along the model."""
    found: dict[str, dict[int, dict[int, np.ndarray]]] = {}

    def visit(name: str, item: Any) -> None:
        match = _VARIABLE.fullmatch(name)
        if match and hasattr(item, "dtype"):
            kind, number, index = match[1], int(match[2] or 0), int(match[3])
            found.setdefault(kind, {}).setdefault(number, {})[index] = _array(path, group, name)

    group.visititems(visit)
    return {kind: [[arrays[i] for i in sorted(arrays)] for _, arrays in sorted(layers.items())]
            for kind, layers in found.items()}


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _assign_by_class(path: Path, layers: list[Layer],
                     found: dict[str, list[list[np.ndarray]]]) -> None:
    left = {kind: list(arrays) for kind, arrays in found.items()}
    for layer in layers:
        arrays = left.get(_snake_case(layer.kind), []) if layer.kind in _WEIGHTS else []
        _attach(path, layer, arrays.pop(0) if arrays else [])


def _default_layers(path: Path, groups: list[list[np.ndarray]]) -> list[Layer]:
    """The default network for a file that has weights and no architecture."""
    wanted = [[(10, 64), (64,)], [(64, 64), (64,)], [(64, 1), (1,)]]
    layers: list[Layer] = []
    for arrays in groups:
        shapes = [array.shape for array in arrays]
        if not layers and shapes[:2] == [(10,), (10,)] and shapes[2:] in ([], [()]):
            layers.append(Layer("Normalization", "normalization", {}))
        elif wanted and shapes == wanted[0]:
            wanted.pop(0)
            activation = "relu" if wanted else "sigmoid"
            layers.append(Layer("Dense", f"dense_{3 - len(wanted)}", {"activation": activation}))
        else:
            raise _bad(path, "weights without an architecture, and not those of the default "
                       f"network 10-64-64-1 (found the shapes {shapes}): save the whole model "
                       "with model.save()")
        _attach(path, layers[-1], arrays)
    if wanted:
        raise _bad(path, "weights without an architecture, and not all those of the default "
                   "network 10-64-64-1: save the whole model with model.save()")
    return layers


# ---- files ----------------------------------------------------------------------------

def _read_hdf5(path: Path, file: Any) -> KerasFile:
    version = _text(file.attrs.get("keras_version", "unknown"))
    if "model_config" in file.attrs:
        layers = _architecture(path, _text(file.attrs["model_config"]))
        arrays = _by_layer_name(path, file["model_weights"])
        for layer in layers:
            _attach(path, layer, arrays.get(layer.name, []))
        return KerasFile(path, "HDF5", version, layers)
    if _attribute(file, "layer_names"):
        groups = list(_by_layer_name(path, file).values())
    else:
        found = _by_class(path, file)
        groups = found.get("normalization", []) + found.get("dense", [])
    if not groups:
        raise _bad(path, "HDF5, but neither a model nor the weights of one")
    return KerasFile(path, "HDF5 weights", version, _default_layers(path, groups))


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        if archive.getinfo(name).file_size > _MAX_MEMBER:
            raise _bad(path, f"{name} is larger than {_MAX_MEMBER >> 20} MB")
        return archive.read(name)
    except KeyError:
        raise _bad(path, f"a zip archive without {name}: not a Keras model") from None


def _read_archive(path: Path) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        config = _member(path, archive, "config.json")
        weights = _member(path, archive, "model.weights.h5")
        metadata = json.loads(_member(path, archive, "metadata.json"))
    layers = _architecture(path, config.decode())
    with h5py.File(io.BytesIO(weights), "r") as file:
        _assign_by_class(path, layers, _by_class(path, file))
    return KerasFile(path, "Keras archive", str(metadata.get("keras_version", "unknown")), layers)


def read_keras_file(path: Path) -> KerasFile:
    """Read a model file, or say what is wrong with it."""
    if not path.exists():
        raise UserError(f"Model not found at path: {path}")
    if path.is_dir():
        raise _bad(path, "is a directory; expected a Keras file (.h5 or .keras)")
    with path.open("rb") as stream:
        head = stream.read(8)
    try:
        if head == b"\x89HDF\r\n\x1a\n":
            with h5py.File(path, "r") as file:
                return _read_hdf5(path, file)
        if head[:4] == b"PK\x03\x04":
            return _read_archive(path)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError,
            NotImplementedError, MemoryError, zipfile.BadZipFile) as error:
        raise _bad(path, f"damaged: {error}") from None
    raise _bad(path, f"expected HDF5 (.h5) or a zip archive (.keras), found {head!r}")
