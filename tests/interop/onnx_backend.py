# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with ONNX: the project's own backend test data as models that mlsched may take.

    onnx_backend.py DIR OPERATION...

The OPERATIONs are those that mlsched knows.  Nearly every case of the data is one operator whose
operands, weights too, are all inputs of the graph.  Each case whose operators are known becomes a
model in up to three forms, with the operators, their attributes and all numbers as they are:

  rows N    its N-th input is the model's, as rows; the others are stored in the file
  weights   all inputs are stored in the file; what is computed of them is the model's bias

What is added: a product with the identity matrix in front of rows, which changes no number, because
a network has at least one layer; for operators that work number by number, tensors of another rank
than 2 are written as one row; for BatchNormalization and Softmax, as rows of the axis over which
they work.  Opsets below 7 go through ONNX's own version_converter.

unclaimed() says, from docs/formats.md, which of them mlsched does not claim, and why; the caller
holds it to that in both directions.  The answer is a list of forms, and how many cases there are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnx.backend.test.case.node import collect_testcases

WIDEST = 256
OLDEST, NEWEST, NEWEST_IR = 7, 28, 14
ACTIVATIONS = ("Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Clip", "PRelu")
ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Sum", "Max")
BY_NUMBER = (*ACTIVATIONS, *ARITHMETIC, "Identity", "Dropout")
OF_STORED = ("Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "Neg", "Sqrt", "Reciprocal", "Constant",
             "Identity", "Dropout", "Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze",
             "Transpose")


@dataclass
class Case:
    """A model of one output, with the numbers that go in and come out."""

    name: str
    model: onnx.ModelProto
    inputs: dict[str, np.ndarray]
    output: np.ndarray

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        return list(self.model.graph.node)

    @property
    def opset(self) -> int:
        return max(entry.version for entry in self.model.opset_import if entry.domain in ("", "ai.onnx"))

    @property
    def constants(self) -> dict[str, np.ndarray]:
        """What Constant nodes hold."""
        return {node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in self.nodes
                if node.op_type == "Constant" and node.attribute[0].name == "value"}

    def attribute(self, name: str, otherwise: object) -> object:
        found = [a for node in self.nodes for a in node.attribute if a.name == name]
        return helper.get_attribute_value(found[0]) if found else otherwise


def stored_cases() -> Iterator[tuple[str, onnx.ModelProto, list[object], list[object]]]:
    """Those that the package holds as files: what PyTorch exported, and small models."""
    data = Path(onnx.backend.test.__file__).parent / "data"
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        for directory in sorted((data / kind).iterdir()):
            if not (directory / "model.onnx").exists():
                continue
            model = onnx.load(str(directory / "model.onnx"))
            sets = sorted(directory.glob("test_data_set_*"))
            yield (f"{kind}/{directory.name}", model, read_set(sets[0], "input"),
                   read_set(sets[0], "output"))


def read_set(directory: Path, what: str) -> list[object]:
    arrays: list[object] = []
    for number in range(len(list(directory.glob(f"{what}_*.pb")))):
        tensor = TensorProto()
        content = (directory / f"{what}_{number}.pb").read_bytes()
        try:
            tensor.ParseFromString(content)
            arrays.append(numpy_helper.to_array(tensor))
        except Exception:           # a sequence or an optional: no tensor
            arrays.append(None)
    return arrays


def all_cases() -> Iterator[tuple[str, onnx.ModelProto, list[object], list[object]]]:
    # The cases of data/node, made by what made them: newer packages no longer hold the files.
    for case in collect_testcases(None):
        if case.data_sets:
            given, wanted = case.data_sets[0]
            yield f"node/{case.name}", case.model, list(given), list(wanted)
    yield from stored_cases()


def why_not(model: onnx.ModelProto, known: set[str], given: list[object],
            wanted: list[object]) -> str:
    """Why it is no case for us at all, or ""."""
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in known:
            return "another operator"
    if not model.graph.node:
        return "no operator"
    if len(model.graph.output) != 1:
        return "several outputs"
    if not all(isinstance(array, np.ndarray) for array in [*given, *wanted]):
        return "not tensors, or of numbers that NumPy has not"
    return "" if wanted[0].dtype == np.float32 else "an output of other numbers than float32"


def upgrade(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """To versions that we read; None where ONNX's converter cannot."""
    opset = max([entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")] or [1])
    if opset >= OLDEST:
        return model
    try:
        return version_converter.convert_version(model, 13)
    except Exception:               # it says so by many kinds of errors
        return None


def unclaimed(case: Case, row: str | None) -> str:
    """Why mlsched need not take it in this form, or ""."""
    ops = [node.op_type for node in case.nodes]
    for name, array in case.inputs.items():
        if array.dtype.kind not in "f" and (row == name or set(ops) & {*ARITHMETIC, "Min", "Neg"}):
            return "numbers are no float numbers"
    if "Cast" in ops and any(array.dtype.kind != "f" for array in case.inputs.values()):
        return "a cast of other than float numbers"
    if not np.isfinite(case.output).all():
        return "numbers that are not finite"
    if case.opset > NEWEST:
        return "operators newer than 28"
    if case.attribute("training_mode", 0) or any(
            node.op_type == "Dropout" and len(node.input) > 2 and
            case.inputs[node.input[2]].any() for node in case.nodes):
        return "training"
    if row is None:
        return unclaimed_weights(case, ops)
    return unclaimed_rows(case, ops, row)


def unclaimed_weights(case: Case, ops: list[str]) -> str:
    if not set(ops) <= set(OF_STORED):
        return "computed from stored numbers alone"
    for node in case.nodes:
        if node.op_type in ("Sum", "Max", "Min") and len(node.input) != 2:
            return "not two operands"
        if node.op_type == "Transpose" and (len(case.output.shape) != 2):
            return "a transposition of no matrix"
        if node.op_type == "Reshape" and case.attribute("allowzero", 0) and case.output.size == 0:
            return "an empty tensor"
    for array in case.inputs.values():
        if array.dtype == np.float64 and (array.astype(np.float32) != array).any():
            return "float64 that float32 does not hold"
    return ""


def unclaimed_rows(case: Case, ops: list[str], row: str) -> str:
    for node in case.nodes:
        reason = unclaimed_node(case, node, row)
        if reason:
            return reason
    return ""


def unclaimed_node(case: Case, node: onnx.NodeProto, row: str) -> str:
    held = {**case.constants, **case.inputs}
    held.pop(row)
    op, first = node.op_type, bool(node.input) and node.input[0] not in held
    others = [held[name] for name in node.input if name in held]
    if op in ("Where", "Greater"):
        return "only as a scaled ELU"
    if op in ("Gather", "Concat", "Shape"):
        return "only of shapes"
    if op == "Min" or (op in ("Neg", "Sqrt", "Reciprocal", "Transpose") and first):
        return "only of stored numbers"
    if op == "Max" and not (len(node.input) == 2 and len(others) == 1 and not others[0].any() and
                            others[0].size == 1):
        return "a maximum with other numbers than 0"
    if op in ("Sum", "Max") and len(node.input) != 2:
        return "not two operands"
    if op == "Div" and not first:
        return "division by rows"
    if op == "PRelu" and (not first or len(set(others[0].reshape(-1).tolist())) != 1):
        return "several slopes"
    if op == "Clip" and limits(case, node) not in ((0.0, 6.0), (0.0, None)):
        return "other limits than those of ReLU and ReLU6"
    if op == "Gemm" and (not first or case.attribute("transA", 0)):
        return "rows transposed, or on the right"
    if op == "Gemm" and len(node.input) > 2 and node.input[2] not in held:
        return "a computed bias"
    if op == "MatMul" and not first:
        return "rows on the right"
    if op in ("Gemm", "MatMul") and any(array.ndim > 2 for array in others):
        return "a product of other than matrices"
    if op == "Gemm" and len(others) > 1 and others[1].ndim == 2 and others[1].shape[0] > 1:
        return "a bias of its own for each row"
    return ""


def limits(case: Case, node: onnx.NodeProto) -> tuple[float | None, float | None]:
    found: list[float | None] = []
    for number, name in ((1, "min"), (2, "max")):
        if len(node.input) > number and node.input[number]:
            found.append(float({**case.constants, **case.inputs}[node.input[number]]))
        else:
            found.append(case.attribute(name, None))
    return found[0], found[1]


def fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Can it be broadcast?"""
    last = zip(reversed(shape), reversed(into))
    return len(shape) <= len(into) and all(a in (1, b) for a, b in last)


class Form:
    """A case as a model file, with rows and outputs."""

    def __init__(self, case: Case, row: str | None) -> None:
        self.case, self.row = case, row
        self.nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in case.nodes]
        self.stored = dict(case.inputs)
        self.output = case.output

    def why_not(self) -> str:
        """Why there is no such form, or "": only its shape is looked at."""
        if self.row is None:
            return "" if 0 < self.case.output.size <= WIDEST else "an output that is no row"
        return self.lay_out(self.case.inputs[self.row])

    def lay_out(self, x: np.ndarray) -> str:
        ops = {node.op_type for node in self.nodes}
        if ops <= {"BatchNormalization"} and x.ndim > 2:
            self.rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
            self.output = np.moveaxis(self.output, 1, -1).reshape(-1, x.shape[1])
        elif ops <= {"Softmax"} and x.ndim > 2 and self.case.attribute("axis", -1) == -1:
            self.rows, self.output = x.reshape(-1, x.shape[-1]), self.output.reshape(-1, x.shape[-1])
        elif x.ndim == 2 and self.output.ndim == 2:
            self.rows = x
        elif ops <= set(BY_NUMBER) and x.shape == self.output.shape and 0 < x.size <= WIDEST:
            self.rows, self.output = x.reshape(1, -1), self.output.reshape(1, -1)
            for name, array in self.stored.items():
                if array.size == 1 or name == self.row:
                    continue
                if not fits(array.shape, x.shape):
                    return "no rows"
                self.stored[name] = np.broadcast_to(array, x.shape).reshape(1, -1).copy()
        else:
            return "no rows"
        return "" if max(self.rows.shape[1], self.output.shape[1]) <= WIDEST else "wider than 256"

    def model(self) -> onnx.ModelProto:
        initializers = [numpy_helper.from_array(array, name) for name, array in self.stored.items()
                        if name != self.row]
        initializers += [i for i in self.case.model.graph.initializer if i.name not in self.stored]
        ends = self.case.model.graph.output[0].name
        if self.row is None:
            size = self.output.size
            self.rows = np.ones((1, 1), np.float32)
            initializers += [numpy_helper.from_array(np.zeros((1, size), np.float32), "zeros"),
                             numpy_helper.from_array(np.int64([1, size]), "one row")]
            nodes = [*self.nodes, helper.make_node("Reshape", [ends, "one row"], ["bias"]),
                     helper.make_node("MatMul", ["features", "zeros"], ["nothing"]),
                     helper.make_node("Add", ["nothing", "bias"], ["made"])]
            self.output, ends = self.output.reshape(1, -1), "made"
        else:
            width = self.rows.shape[1]
            initializers.append(numpy_helper.from_array(np.eye(width, dtype=np.float32), "identity"))
            for node in self.nodes:
                for number, name in enumerate(node.input):
                    if name == self.row:
                        node.input[number] = "rows"
            nodes = [helper.make_node("MatMul", ["features", "identity"], ["rows"]), *self.nodes]
        graph = helper.make_graph(
            nodes, "case",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", self.rows.shape[1]])],
            [helper.make_tensor_value_info(ends, TensorProto.FLOAT, ["n", self.output.shape[1]])],
            initializers)
        return helper.make_model(graph, ir_version=min(max(self.case.model.ir_version, 4), NEWEST_IR),
                                 opset_imports=[helper.make_opsetid("", self.case.opset)])

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        onnx.save(self.model(), str(directory / "model.onnx"))
        for name, array in (("rows", self.rows), ("outputs", self.output)):
            (directory / f"{name}.txt").write_text(
                "".join(" ".join(f"{v:.9g}" for v in line) + "\n" for line in array.tolist()))


def forms_of(case: Case, top: Path) -> Iterator[dict]:
    for number, row in [*enumerate(case.inputs), (None, None)]:
        form = Form(case, row)
        if row is not None and case.inputs[row].dtype != np.float32:
            continue
        if form.why_not():
            continue
        name = "weights" if row is None else f"rows {number}"
        directory = top / case.name / name.replace(" ", "-")
        form.write(directory)
        yield {"case": case.name, "form": name, "directory": str(directory),
               "unclaimed": unclaimed(case, row)}


def main() -> None:
    top, known = Path(sys.argv[1]), set(sys.argv[2:])
    forms, others, total = [], {}, 0
    for name, model, given, wanted in all_cases():
        total += 1
        reason = why_not(model, known, given, wanted)
        made: list[dict] = []
        if not reason:
            newer = upgrade(model)
            reason = "" if newer else "older than operators 7, and not convertible"
        if not reason:
            names = [value.name for value in newer.graph.input]
            held = {i.name: numpy_helper.to_array(i) for i in newer.graph.initializer}
            open_names = [n for n in names if n not in held]
            inputs = {**dict(zip(open_names, given)), **held}
            made = list(forms_of(Case(name, newer, inputs, wanted[0]), top))
            reason = "" if made else "neither rows nor a row of weights"
        if reason:
            others[reason] = others.get(reason, 0) + 1
        forms += made
    print(json.dumps({"onnx": onnx.__version__, "total": total, "others": others, "forms": forms}))


if __name__ == "__main__":
    main()
