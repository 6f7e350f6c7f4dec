# SPDX-License-Identifier: GPL-2.0
"""What a model is, where it comes from, and how it does in fixed point."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlsched import errors
from mlsched.fixed_point import QuantizationReport
from mlsched.formats import schemas
from mlsched.model import Layer, Model, Ranges, load

__all__ = ["Inspection", "inspect"]

# MLSCHED_MIN_AGREEMENT of mlsched/mlsched.h: what the engine inside the kernel demands.
MIN_AGREEMENT = 0.995


@dataclass(frozen=True, eq=False)
class Inspection:
    """All that `mlsched inspect` shows.

    model: the model itself, with everything that it says of itself.
    schema_version: of its schema in this library; None when there is no such schema.
    fixed_point: quantised by the ranges that it brings along, whatever the agreement; None when
        that cannot be.
    kernel_objection: why it cannot be, or why the engine inside the kernel does not take it; "" when
        it does.  Whether `mlsched run` takes it at all is model.scheduler_objection.
    """

    model: Model
    schema_version: int | None
    parameters: int
    fixed_point: QuantizationReport | None
    kernel_objection: str

    @property
    def kernel_engine(self) -> bool:
        """Whether the engine inside the kernel takes it."""
        return self.fixed_point is not None and not self.kernel_objection

    @property
    def engines(self) -> tuple[str, ...]:
        """Engines of `mlsched run` that compute it, the best one first."""
        if self.model.scheduler_objection:
            return ()
        return ("kernel", "native") if self.kernel_engine else ("native",)

    @property
    def backends(self) -> tuple[str, ...]:
        """Backends of `mlsched run` in which it can be asked: mig15's inputs only scx knows."""
        if self.model.scheduler_objection:
            return ()
        return ("scx",) if self.model.schema == "mig15" else ("scx", "shadow")

    def to_dict(self) -> dict[str, Any]:
        """As `mlsched inspect --json`, without the path and without the advice, which is of its commands."""
        m = self.model
        provenance, normalization, calibration = m.provenance, m.normalization, m.calibration
        fixed: dict[str, Any] = {"unavailable": self.kernel_objection}
        if self.fixed_point:
            fixed = {**self.fixed_point.to_dict(), "kernel_engine": self.kernel_engine,
                     "kernel_objection": self.kernel_objection or None}
        return {
            "format": m.format, "producer": m.producer, "schema": m.schema,
            "schema_version": self.schema_version, "inputs": m.inputs, "outputs": m.outputs,
            "parameters": self.parameters, "checksum": f"{m.checksum:08x}",
            "threshold": m.threshold, "threshold_logit": m.threshold_logit,
            "layers": [layer_dict(layer) for layer in m.layers],
            "normalization": pair("mean", "deviation", normalization),
            "calibration": pair("min", "max", calibration),
            "fixed_point": fixed, "objection": m.scheduler_objection or None,
            "engines": list(self.engines), "backends": list(self.backends),
            "mechanisms": None if m.mechanisms is None else list(m.mechanisms),
            "offers_us": None if m.offers_us is None else list(m.offers_us),
            "provenance": provenance,
        }

    def __str__(self) -> str:
        m, fixed = self.model, self.fixed_point
        shape = "-".join(map(str, (m.inputs, *(np.shape(l.weights)[1] for l in m.layers))))
        lines = [
            ("format", m.format or "none"), ("producer", m.producer or "unknown"),
            ("schema", m.schema or "not stated"), ("network", shape),
            ("parameters", str(self.parameters)),
            ("threshold", f"{m.threshold:g} (logit {m.threshold_logit:g})"),
            ("checksum", f"{m.checksum:08x}"),
        ]
        if fixed:
            lines.append(("fixed point", f"{100 * fixed.agreement:.2f} % of verdicts as in float32, "
                                         f"on {fixed.rows} rows drawn from its {fixed.range}"))
        lines.append(("kernel engine", "takes it" if self.kernel_engine
                      else f"does not take it: {self.kernel_objection}"))
        lines.append(("mlsched run", f"does not take it: {m.scheduler_objection}"
                      if m.scheduler_objection else "takes it"
                      + " with --backend scx" * ("shadow" not in self.backends)
                      + " with --engine native" * ("kernel" not in self.engines)))
        return "\n".join(f"{name:<14} {value}" for name, value in lines)


def pair(first: str, second: str, values: tuple[Any, Any] | Ranges | None) -> dict[str, Any] | None:
    return values and {first: values[0].tolist(), second: values[1].tolist()}


def parameters_of(layer: Layer) -> int:
    return int(np.size(layer.weights)) + (0 if layer.bias is None else int(np.size(layer.bias)))


def layer_dict(layer: Layer) -> dict[str, Any]:
    inputs, units = np.shape(layer.weights)
    found = {"inputs": inputs, "units": units, "activation": layer.activation,
             "bias": layer.bias is not None, "parameters": parameters_of(layer)}
    if layer.activation in ("leaky_relu", "elu"):
        found["alpha"] = layer.alpha
    return found


def inspect(model: Model | str | os.PathLike[str]) -> Inspection:
    """Look at a model, or at the file of one.

    Raises as load() when given a path.
    """
    if not isinstance(model, Model):
        model = load(model)
    report, objection = None, ""
    try:
        fixed = model.quantize(min_agreement=0.0)
        report, objection = fixed.report, fixed.kernel_objection
        if not objection and report.agreement < MIN_AGREEMENT:
            objection = (f"expected at least {100 * MIN_AGREEMENT:g} % of verdicts as in float32, "
                         f"found {100 * report.agreement:.2f} %")
    except (errors.UnsupportedError, errors.InputError) as error:
        objection = str(error)
    versions = {schema.name: schema.version for schema in schemas()}
    return Inspection(model=model, schema_version=versions.get(model.schema),
                      parameters=sum(map(parameters_of, model.layers)), fixed_point=report,
                      kernel_objection=objection)
