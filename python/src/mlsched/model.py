# SPDX-License-Identifier: GPL-2.0
"""Models: from files and from arrays, predictions, other formats."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlsched import errors
from mlsched._library import (
    as_rows,
    check,
    ffi,
    lend,
    lib,
    new_error,
    output_for,
    raise_error,
    text,
    vector,
    words,
)
from mlsched.fixed_point import FixedPoint, quantize
from mlsched.formats import schemas

__all__ = ["Layer", "Model", "Ranges", "convert", "load"]

FORMS = ("variables", "frozen")         # enum mlsched_savedmodel_form
ACTIVATIONS = tuple(text(lib.mlsched_activation_name(i))
                    for i in range(lib.MLSCHED_ACTIVATION_COUNT))
Path = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer, y = activation(x @ weights + bias), as in Keras.

    weights: [inputs, units] (PyTorch's Linear.weight is the transpose of it).
    bias: [units], or None.
    activation: "linear", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "softmax".
    alpha: slope or scale of leaky_relu and elu, else ignored.
    """

    weights: ArrayLike
    bias: ArrayLike | None = None
    activation: str = "linear"
    alpha: float = 0.0


class Ranges(NamedTuple):
    """Smallest and largest value of each input, [inputs] each: what fixed point is made by."""

    min: NDArray[np.float32]
    max: NDArray[np.float32]

    @classmethod
    def of(cls, rows: ArrayLike) -> Ranges:
        """Those of the rows, [n, inputs], that a model was trained with."""
        array = np.asarray(rows, np.float32)
        if array.ndim != 2 or not len(array):
            raise errors.ShapeError("ranges: expected shape [n, inputs] with n above 0, got "
                                    f"{list(array.shape)}", errno.EINVAL)
        return cls(array.min(axis=0), array.max(axis=0))


def activation_number(name: str, layer: int) -> int:
    if name not in ACTIVATIONS:
        raise errors.InputError(f"layer {layer}: expected an activation of "
                                f"{', '.join(ACTIVATIONS)}, got {name!r}", errno.EINVAL)
    return ACTIVATIONS.index(name)


def new_meta(keep: list[Any], width: int, *, schema: str, threshold: float, calibration: Ranges | None,
             mechanisms: Sequence[str] | None, offers_us: Sequence[float] | None,
             provenance: Mapping[str, Any] | None) -> Any:
    """A struct mlsched_meta; what it points to is appended to keep."""
    known = [found.name for found in schemas()]
    if schema and schema not in known:
        raise errors.InputError(f"schema: expected one of {', '.join(known)}, got {schema!r}",
                                errno.EINVAL)
    meta = ffi.new("struct mlsched_meta *")
    meta.schema = words(schema, lib.MLSCHED_SCHEMA_NAME_SIZE, "schema")
    meta.threshold = threshold
    if calibration is not None:
        pair = [vector(side, width, "calibration") for side in calibration]
        if (pair[0] > pair[1]).any():
            raise errors.InputError("calibration: expected min <= max", errno.EINVAL)
        keep += [lend(side, "float") for side in pair]
        meta.n_calibration, meta.input_min, meta.input_max = width, keep[-2], keep[-1]
    if (mechanisms is None) != (offers_us is None):
        raise errors.InputError("mechanisms and offers_us: expected both or none", errno.EINVAL)
    if mechanisms is not None and offers_us is not None:
        meta.tuned = True
        meta.mechanisms = words(",".join(mechanisms), lib.MLSCHED_MECHANISMS_SIZE, "mechanisms")
        if len(offers_us) != lib.MLSCHED_OFFERS:
            raise errors.ShapeError(f"offers_us: Expected shape [{lib.MLSCHED_OFFERS}], got "
                                    f"[{len(offers_us)}]", errno.EINVAL)
        meta.offers_us = [float(value) for value in offers_us]
    if provenance is not None:
        keep.append(ffi.new("char[]", json.dumps(dict(provenance), allow_nan=False).encode()))
        meta.provenance = keep[-1]
    return meta


class Model:
    """A small multilayer perceptron, immutable.

    Any number of threads may use one at once, and predictions release the GIL.  Nothing that
    is handed in is kept, and arrays that are handed out are the caller's.  The memory is freed
    when the last reference goes; there is nothing to close.
    """

    def __init__(self, layers: Iterable[Layer], *, mean: ArrayLike | None = None,
                 deviation: ArrayLike | None = None, schema: str = "", threshold: float = 0.5,
                 calibration: Ranges | None = None, mechanisms: Sequence[str] | None = None,
                 offers_us: Sequence[float] | None = None,
                 provenance: Mapping[str, Any] | None = None, producer: str = "") -> None:
        """A model from arrays; they are copied.

        layers: 1 to 8 layers of 1 to 256 units, each as wide as the next one's inputs.
        mean, deviation: [inputs]; the network sees (x - mean) / deviation.  Both or none.
        schema: name of the feature schema, one of schemas(); "" for none.
        threshold: migrate when the probability is above it; between 0 and 1.
        calibration: the ranges of the inputs in training.
        mechanisms, offers_us: for which scheduler it was trained, as `mlsched run --mechanisms`
            and `--offers` take it; both or none.
        provenance: where it comes from; becomes JSON.
        producer: what made it, 63 bytes.

        Raises InvalidModelError when shapes do not chain, a limit is passed or a number is not
        finite; ShapeError when the schema has another width; InputError.
        """
        keep: list[Any] = []
        given = list(layers)
        table = ffi.new("struct mlsched_layer[]", len(given))
        for i, layer in enumerate(given):
            weights = np.require(np.asarray(layer.weights, np.float32), np.float32, ("C", "A"))
            if weights.ndim != 2 or not weights.size:
                raise errors.ShapeError(f"layer {i}: expected weights of shape [inputs, units], "
                                        f"got {list(weights.shape)}", errno.EINVAL)
            table[i].n_in, table[i].n_out = weights.shape
            table[i].activation = activation_number(layer.activation, i)
            table[i].alpha = layer.alpha
            keep.append(lend(weights, "float"))
            table[i].weights = keep[-1]
            if layer.bias is not None:
                bias = vector(layer.bias, weights.shape[1], f"layer {i}: bias")
                keep.append(lend(bias, "float"))
                table[i].bias = keep[-1]
        width = int(table[0].n_in) if given else 0
        meta = new_meta(keep, width, schema=schema, threshold=threshold, calibration=calibration,
                        mechanisms=mechanisms, offers_us=offers_us, provenance=provenance)
        meta.producer = words(producer, ffi.sizeof(meta.producer), "producer")
        desc = ffi.new("struct mlsched_model_desc *")
        desc.size = ffi.sizeof("struct mlsched_model_desc")
        desc.n_layers, desc.layers, desc.meta = len(given), table, meta
        for name, side in (("mean", mean), ("deviation", deviation)):
            if side is not None:
                keep.append(lend(vector(side, width, name), "float"))
                setattr(desc, name, keep[-1])
        error, result = new_error(), ffi.new("struct mlsched_model **")
        check(lib.mlsched_model_create(desc, error, result), error, errors.InvalidModelError)
        self._model = ffi.gc(result[0], lib.mlsched_model_free)
        # The library looks at the schema's width where it is said, not where a model is made.
        if schema:
            self.replace(schema=schema)

    _model: Any

    @classmethod
    def _of(cls, pointer: Any) -> Model:
        self = cls.__new__(cls)
        self._model = ffi.gc(pointer, lib.mlsched_model_free)
        return self

    def __repr__(self) -> str:
        shape = "-".join(map(str, (self.inputs, *(l.n_out for l in self._layers()))))
        return f"<mlsched.Model {shape}{', schema ' + self.schema if self.schema else ''}>"

    # What it is.

    def _meta(self) -> Any:
        """Lives as long as the model: read it while self is there."""
        return lib.mlsched_model_meta(self._model)

    def _layers(self) -> list[Any]:
        """The library's own descriptions, whose pointers live as long as the model."""
        found = []
        for i in range(lib.mlsched_model_layers(self._model)):
            found.append(ffi.new("struct mlsched_layer *"))
            lib.mlsched_model_layer(self._model, i, found[-1])
        return found

    @property
    def inputs(self) -> int:
        """Numbers in a row of inputs."""
        return int(lib.mlsched_model_inputs(self._model))

    @property
    def outputs(self) -> int:
        """Numbers in a row of outputs."""
        return int(lib.mlsched_model_outputs(self._model))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The dense layers; weights and bias are copies."""
        return tuple(
            Layer(weights=copy_of(layer.weights, layer.n_in * layer.n_out)
                  .reshape(layer.n_in, layer.n_out),
                  bias=copy_of(layer.bias, layer.n_out) if layer.bias else None,
                  activation=ACTIVATIONS[layer.activation], alpha=layer.alpha)
            for layer in self._layers())

    @property
    def normalization(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """(mean, deviation), [inputs] each, copies; None when there is no normalisation."""
        mean, deviation = ffi.new("const float **"), ffi.new("const float **")
        lib.mlsched_model_normalization(self._model, mean, deviation)
        if not mean[0]:
            return None
        return copy_of(mean[0], self.inputs), copy_of(deviation[0], self.inputs)

    @property
    def schema(self) -> str:
        """Name of the feature schema; "" when the file does not say."""
        return text(self._meta().schema)

    @property
    def format(self) -> str:
        """What it was read from: "savedmodel", "onnx", ...; "" for none."""
        return text(self._meta().format)

    @property
    def producer(self) -> str:
        """What wrote the file, as far as it tells."""
        return text(self._meta().producer)

    @property
    def threshold(self) -> float:
        """Migrate when the probability is above it."""
        return float(self._meta().threshold)

    @property
    def threshold_logit(self) -> float:
        """Migrate when the logit is above it."""
        return float(lib.mlsched_model_threshold(self._model))

    @property
    def calibration(self) -> Ranges | None:
        """The ranges of the inputs in training, if the file has them."""
        meta = self._meta()
        if not meta.n_calibration:
            return None
        return Ranges(copy_of(meta.input_min, meta.n_calibration),
                      copy_of(meta.input_max, meta.n_calibration))

    @property
    def mechanisms(self) -> tuple[str, ...] | None:
        """Those of the scheduler that it was trained for; None when it does not say."""
        meta = self._meta()
        return tuple(filter(None, text(meta.mechanisms).split(","))) if meta.tuned else None

    @property
    def offers_us(self) -> tuple[float, ...] | None:
        """us for which a CPU must be expected to be idle before a move within the domain, to
        another one, to another node is offered; None when it does not say."""
        meta = self._meta()
        return tuple(meta.offers_us) if meta.tuned else None

    @property
    def provenance(self) -> dict[str, Any] | None:
        """Data set, seed, date, scores, ...; None when there is none, or it is no JSON object."""
        try:
            found = json.loads(text(self._meta().provenance) or "null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def checksum(self) -> int:
        """CRC-32C of shapes, activations and weights."""
        return int(lib.mlsched_model_checksum(self._model))

    @property
    def scheduler_objection(self) -> str:
        """Why `mlsched run` does not take it, and what to do; "" when it does."""
        error = new_error()
        return text(error.message) if lib.mlsched_model_fits_scheduler(self._model, error) else ""

    @property
    def isa(self) -> str:
        """Which code computes it on this processor: "avx512", "avx2", "neon", "scalar"."""
        return text(lib.mlsched_isa_name(lib.mlsched_model_isa(self._model)))

    # What it computes.

    def predict(self, rows: ArrayLike, *,
                out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Forward pass in float32.

        rows: [n, inputs], or [inputs] for a single row.  An array of float32 in C order is
            read where it lies; anything else that is real (other types, other orders, lists)
            is copied first.  Nobody may change it meanwhile.
        out: [n, outputs] float32, C-contiguous, not overlapping rows: filled in and returned,
            instead of a new array.

        Returns [n, outputs] float32; of a single row [outputs].  A row's outputs do not
        depend on the rows beside it, to the bit.
        Raises ShapeError; InputError when rows are not real numbers, or out does not do.
        """
        array, single = as_rows(rows, self.inputs)
        result = output_for(out, (len(array), self.outputs), np.float32, array)
        lib.mlsched_model_predict(self._model, lend(array, "float"), len(array),
                                  lend(result, "float", True))
        return result[0] if single and out is None else result

    def logits(self, rows: ArrayLike, *,
               out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """What decides: the sum in front of the last sigmoid (of softmax over two outputs the
        difference of the second and the first), [n] float32.

        rows, out: as for predict(); out is [n].
        Raises as predict(), and UnsupportedError when the model has no single logit.
        """
        array, single = as_rows(rows, self.inputs)
        result = output_for(out, (len(array),), np.float32, array)
        code = lib.mlsched_model_logit(self._model, lend(array, "float"), len(array),
                                       lend(result, "float", True))
        if code:
            raise_error(code, self._logit_objection(), errors.UnsupportedError)
        return result[0] if single and out is None else result

    def _logit_objection(self) -> str:
        """The sentence that mlsched_model_logit() has no place for."""
        error = new_error()
        lib.mlsched_decide_features(self._model, ffi.NULL, 0, self.inputs, ffi.NULL, error)
        return text(error.message)

    def decide(self, rows: ArrayLike) -> NDArray[np.bool_]:
        """The verdicts in float32: [n] bool, True is "migrate".  As logits() > threshold_logit."""
        return np.asarray(self.logits(rows) > np.float32(self.threshold_logit))

    def quantize(self, rows: ArrayLike | None = None, *,
                 min_agreement: float | None = None) -> FixedPoint:
        """The fixed-point form, which the kernel computes, with a report of what that costs.

        rows: [n, inputs] such as occur, by which the ranges of the inputs are found; without
            them the ranges are the model's calibration or those of its schema.
        min_agreement: share of verdicts that must be those of float32, 0 to 1; by default 0.995.

        Raises AgreementError, which has the report, when they agree less often;
        UnsupportedError when a layer has no form in integers; InputError when no range is
        known or a row is not finite; ShapeError.
        """
        array = None
        if rows is not None:
            array, _ = as_rows(rows, self.inputs)
            if not len(array):
                raise errors.InputError("rows: expected at least one", errno.EINVAL)
        return quantize(self._model, array, min_agreement)

    # What can be made of it.

    def replace(self, *, schema: str | None = None, threshold: float | None = None,
                calibration: Ranges | None = None, mechanisms: Sequence[str] | None = None,
                offers_us: Sequence[float] | None = None,
                provenance: Mapping[str, Any] | None = None) -> Model:
        """The same network with other metadata: a new model, this one stays as it is.

        What is None stays as it is.  Keras and ONNX files do not say what their inputs mean:
        replace(schema="mig15") does, and scheduler_objection says whether that is needed.
        Raises as Model().
        """
        # A schema that is not changed may be one that only a newer library knows.
        tuned, keep = (mechanisms, offers_us) != (None, None), list[Any]()
        meta = new_meta(
            keep, self.inputs, schema=schema or "",
            threshold=self.threshold if threshold is None else threshold,
            calibration=self.calibration if calibration is None else calibration,
            mechanisms=mechanisms if tuned else self.mechanisms,
            offers_us=offers_us if tuned else self.offers_us, provenance=provenance)
        mine = self._meta()
        if schema is None:
            meta.schema = mine.schema
        if provenance is None:
            meta.provenance = mine.provenance
        meta.format, meta.producer = mine.format, mine.producer
        error, result = new_error(), ffi.new("struct mlsched_model **")
        code = lib.mlsched_model_with_meta(self._model, meta, error, result)
        of_shape = text(error.message).startswith("Expected shape")
        check(code, error, errors.ShapeError if of_shape else errors.InvalidModelError)
        return Model._of(result[0])

    def save(self, path: Path, *, format: str | None = None, form: str = "variables") -> str:
        """Write it, as a whole or not at all; returns the name of the format.

        path: replaced when it is a model or an empty directory; anything else is left alone.
        format: one of formats(); None: that whose suffix the path has, else "savedmodel".
        form: of a SavedModel: "variables", or "frozen" (weights in saved_model.pb).

        Raises UnsupportedError when the format can only be read or has no place for this
        model; InputError; FileError.
        """
        if form not in FORMS:
            raise errors.InputError(f"form: expected one of {', '.join(FORMS)}, got {form!r}",
                                    errno.EINVAL)
        name = ffi.NULL if format is None else ffi.new("char[]", format.encode())
        options = ffi.new("struct mlsched_write_opts *")
        options.size = ffi.sizeof("struct mlsched_write_opts")
        options.format, options.form = name, FORMS.index(form)
        error, taken = new_error(), ffi.new("struct mlsched_format *")
        check(lib.mlsched_model_write(self._model, os.fsencode(path), options, taken, error), error)
        return text(taken.name)


def copy_of(pointer: Any, count: int) -> NDArray[np.float32]:
    """float32 of the library as an array of its own."""
    return np.frombuffer(ffi.buffer(pointer, count * 4), np.float32).copy()


def load(path: Path) -> Model:
    """Read a model, whatever its format: a SavedModel directory, a Keras .h5 or .keras, an ONNX or
    LiteRT file (formats() lists them).  The format is found by content; no code from the file is run,
    and nothing in it is trusted.

    Raises ModelNotFoundError; InvalidModelError when it is damaged or no model;
    UnsupportedError when it is valid and we cannot compute it: the message names the layer;
    FileError.
    """
    error, result = new_error(), ffi.new("struct mlsched_model **")
    check(lib.mlsched_model_load(os.fsencode(path), error, result), error,
          errors.InvalidModelError, errors.ModelNotFoundError)
    return Model._of(result[0])


def convert(source: Path, target: Path, *, format: str | None = None, form: str = "variables",
            schema: str | None = None) -> str:
    """load(source).replace(schema=schema).save(target, ...): returns the name of the format.

    Weights stay the same bits, metadata goes along where the format has a place for it.
    """
    model = load(source)
    if schema is not None:
        model = model.replace(schema=schema)
    return model.save(target, format=format, form=form)
