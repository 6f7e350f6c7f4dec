# SPDX-License-Identifier: GPL-2.0
"""A model as integers: what the kernel computes, to the bit."""

from __future__ import annotations

import errno
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlsched import errors
from mlsched._library import as_rows, check, ffi, lend, lib, new_error, output_for, text

__all__ = ["FixedPoint", "HiddenLayer", "QuantizationReport", "quantize"]

RANGES = ("rows", "calibration", "schema")      # enum mlsched_range_source


@dataclass(frozen=True)
class HiddenLayer:
    """units: as the kernel has them; a leaky ReLU or ReLU6 counts as two.
    active: share of them that are above zero, over the rows: what must be multiplied."""

    units: int
    active: float


@dataclass(frozen=True)
class QuantizationReport:
    """What quantisation costs: how well the integers stand for the floats.

    range: where the ranges of the inputs came from: "rows" (those given, and the model's own if
        it has some), "calibration" (the model's own), "schema".  Outside of them inputs are clamped.
    rows_made: no rows were given, and what follows was measured on rows drawn evenly from the ranges.
    rows: on how many it was measured.
    agreement, disagreements: share of rows whose verdict is float32's, number of those whose is not.
    logit_std: standard deviation of float32's logit over the rows.
    median_error, max_error: of |logit - float32's logit|, in logit_std.
    worst_margin: largest |float32's logit - threshold| among the disagreements, in logit_std.
    inputs, live_inputs: all, and those whose range is more than one value.
    hidden: the hidden layers, after linear ones were folded into the next.
    weight_bits: of the largest weight of each layer, sign included; the output's is last.
    bytes: size of the integer model.
    """

    range: str
    rows_made: bool
    rows: int
    agreement: float
    disagreements: int
    logit_std: float
    median_error: float
    max_error: float
    worst_margin: float
    inputs: int
    live_inputs: int
    hidden: tuple[HiddenLayer, ...]
    weight_bits: tuple[int, ...]
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As `mlsched inspect --json` has it under "fixed_point", without "kernel_engine"."""
        found = asdict(self)
        del found["rows_made"]
        return {key: list(value) if isinstance(value, tuple) else value
                for key, value in found.items()}


def read_report(report: Any) -> QuantizationReport:
    n = report.n_hidden
    return QuantizationReport(
        range=RANGES[report.range], rows_made=bool(report.rows_made), rows=report.n_rows,
        agreement=report.agreement, disagreements=report.disagreements,
        logit_std=report.logit_std, median_error=report.median_error, max_error=report.max_error,
        worst_margin=report.worst_margin, inputs=report.n_inputs, live_inputs=report.n_live_inputs,
        hidden=tuple(HiddenLayer(report.units[i], report.active[i]) for i in range(n)),
        weight_bits=tuple(report.weight_bits[0:n + 1]), bytes=report.bytes)


class FixedPoint:
    """The fixed-point form of a model, made by Model.quantize().

    Inputs are clamped to the ranges that it was made with and become signed Q16.16 numbers
    (value * 65536, rounded to the nearest); the logit is a 64-bit integer, and the verdict is
    logit > threshold: the same integers as in the kernel, whatever the processor.

    Immutable; any number of threads may use it at once, and predictions release the GIL.
    """

    def __init__(self) -> None:
        raise TypeError("made by Model.quantize()")

    @classmethod
    def _of(cls, pointer: Any, report: QuantizationReport) -> FixedPoint:
        self = cls.__new__(cls)
        self._q = ffi.gc(pointer, lib.mlsched_qmodel_free)
        self._report = report
        return self

    _q: Any
    _report: QuantizationReport

    def __repr__(self) -> str:
        return (f"<mlsched.FixedPoint: {self.inputs} inputs, {self._report.bytes} bytes, "
                f"{100 * self._report.agreement:.2f} % of verdicts as in float32>")

    @property
    def report(self) -> QuantizationReport:
        """What quantisation costs."""
        return self._report

    @property
    def inputs(self) -> int:
        """Features in one row."""
        return int(lib.mlsched_qmodel_inputs(self._q))

    @property
    def threshold(self) -> int:
        """The verdict is "migrate" when the logit is above it."""
        return int(lib.mlsched_qmodel_threshold(self._q))

    @property
    def scale(self) -> float:
        """logit / scale approximates the logit of float32."""
        return float(lib.mlsched_qmodel_scale(self._q))

    @property
    def schema(self) -> str:
        """Name of the feature schema, "" if the model named none."""
        return text(lib.mlsched_qmodel_schema(self._q))

    @property
    def checksum(self) -> int:
        """CRC-32C of the integers."""
        return int(lib.mlsched_qmodel_checksum(self._q))

    @property
    def kernel_objection(self) -> str:
        """Why the engine inside the kernel does not take it; "" when it does."""
        error = new_error()
        code = lib.mlsched_qmodel_fits_kernel(self._q, error)
        if code not in (0, -errno.ENOTSUP):
            check(code, error)
        return text(error.message) if code else ""

    def logits(self, rows: ArrayLike, *, out: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """The integers that decide, for rows of numbers.

        rows: [n, inputs], or [inputs] for a single row, of float32 in C order; anything else
            that is real is copied first.
        out: [n] int64 that is filled in and returned, instead of a new array.

        Returns [n], in units of 1 / scale; of a single row a scalar array.
        Raises ShapeError, InputError.
        """
        array, single = as_rows(rows, self.inputs)
        result = output_for(out, (len(array),), np.int64, array)
        lib.mlsched_qmodel_logit_float(self._q, lend(array, "float"), len(array),
                                       lend(result, "int64_t", True))
        return result[0] if single and out is None else result

    def logits_q16(self, features: ArrayLike, *,
                   out: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """The same for features as the kernel has them: [n, inputs] int32, Q16.16.

        Raises ShapeError; InputError, also when the numbers are no integers or beyond 32 bits.
        """
        array, single = as_rows(features, self.inputs, np.int32)
        result = output_for(out, (len(array),), np.int64, array)
        lib.mlsched_qmodel_logit(self._q, lend(array, "int32_t"), len(array),
                                 lend(result, "int64_t", True))
        return result[0] if single and out is None else result

    def decide(self, rows: ArrayLike) -> NDArray[np.bool_]:
        """The verdicts of the kernel for rows of numbers: [n] bool, True is "migrate"."""
        return np.asarray(self.logits(rows) > self.threshold)


def quantize(model: Any, rows: NDArray[np.float32] | None,
             min_agreement: float | None) -> FixedPoint:
    """Model.quantize(); model is the library's object, rows are as it wants them."""
    error = new_error()
    report = ffi.new("struct mlsched_quantize_report *")
    result = ffi.new("struct mlsched_qmodel **")
    options = ffi.NULL
    if min_agreement is not None:
        options = ffi.new("struct mlsched_quantize_opts *")
        options.size = ffi.sizeof("struct mlsched_quantize_opts")
        options.min_agreement = min_agreement
    lent = ffi.NULL if rows is None else lend(rows, "float")
    code = lib.mlsched_quantize(model, lent, 0 if rows is None else len(rows), options, report,
                                error, result)
    if code == -errno.ERANGE:
        failure = errors.AgreementError(text(error.message), errno.ERANGE)
        failure.report = read_report(report)
        raise failure
    check(code, error)
    return FixedPoint._of(result[0], read_report(report))
