# SPDX-License-Identifier: GPL-2.0
"""Worker, runs with ONNX Runtime: write networks in every form that we know, and their outputs.

    onnx_write.py DIR SEED

For each case DIR/NAME/ holds model.onnx, rows.txt, outputs.txt and weights.npz; DIR/bad-NAME/
holds what is no chain of dense layers.  The answer lists both.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTHS = (10, 16, 12, 1)
NEWEST = min(onnx.defs.onnx_opset_version(), 28)


class Net:
    """A graph that grows; a node's output is its name."""

    def __init__(self, generator: np.random.Generator, opset: int) -> None:
        self.generator, self.opset = generator, opset
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.weights: list[np.ndarray] = []
        self.row, self.width = "features", WIDTHS[0]

    def store(self, array: np.ndarray) -> str:
        name = f"stored:{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def constant(self, array: np.ndarray) -> str:
        tensor = numpy_helper.from_array(np.asarray(array), "")
        return self.node("Constant", [], value=tensor)

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = f"{op}/{len(self.nodes)}:0"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def then(self, op: str, *others: str, **attributes: object) -> None:
        self.row = self.node(op, [self.row, *others], **attributes)

    def random(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (self.generator.standard_normal(shape) * scale).astype(np.float32)

    def weight(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        array = self.random(*shape, scale=scale)
        self.weights.append(array)
        return array

    def dense(self, width: int, form: str = "gemm") -> None:
        kernel = self.weight(self.width, width, scale=self.width ** -0.5)
        bias = self.weight(width, scale=0.3)
        if form == "gemm":
            self.then("Gemm", self.store(kernel), self.store(bias))
        elif form == "transposed":
            self.then("Gemm", self.store(kernel.T.copy()), self.store(bias[None]), transB=1)
        elif form == "scaled":
            self.then("Gemm", self.store(kernel), self.store(bias), alpha=0.5, beta=2.0)
        elif form == "matmul":
            self.then("MatMul", self.store(kernel))
            self.row = self.node("Add", [self.store(bias), self.row])
        elif form == "constants":
            self.then("Gemm", self.constant(kernel), self.constant(bias))
        elif form == "half":
            half = self.store(kernel.astype(np.float16))
            self.then("MatMul", self.node("Cast", [half], to=TensorProto.FLOAT))
            self.then("Add", self.store(bias))
        self.width = width

    def activate(self, name: str) -> None:
        if name == "relu6" and self.opset >= 11:
            self.then("Clip", self.constant(np.float32(0)), self.constant(np.float32(6)))
        elif name == "relu6":
            self.then("Clip", min=0.0, max=6.0)
        elif name == "prelu":
            self.then("PRelu", self.store(np.float32([0.2])))
        elif name == "max":
            self.then("Max", self.store(np.float32(0)))
        elif name in ("LeakyRelu", "Elu"):
            self.then(name, alpha=0.3)
        else:
            self.then(name)

    def batch_normalization(self) -> None:
        statistics = [self.random(self.width) for _ in range(3)]
        variance = np.abs(self.random(self.width)) + np.float32(0.1)
        self.then("BatchNormalization", *map(self.store, statistics), self.store(variance))

    def model(self) -> onnx.ModelProto:
        shape = ["rows", WIDTHS[0]]
        graph = helper.make_graph(
            self.nodes, "case", [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(self.row, TensorProto.FLOAT, ["rows", self.width])],
            self.stored)
        made = helper.make_model(graph, producer_name="onnx_write", ir_version=8,
                                 opset_imports=[helper.make_opsetid("", self.opset)])
        onnx.checker.check_model(made)
        return made


def plain(net: Net, form: str = "gemm", activation: str = "Relu", last: str = "Sigmoid") -> None:
    for width in WIDTHS[1:-1]:
        net.dense(width, form)
        net.activate(activation)
    net.dense(2 if last == "Softmax" else 1, form)
    if last:
        net.activate(last)


def normalized(net: Net, op: str) -> None:
    net.then("Sub", net.store(net.random(1, net.width, scale=20)))
    factor = np.abs(net.random(net.width)) * 10 + 1
    net.then(op, net.store(factor if op == "Div" else 1 / factor))
    plain(net)


def batch_normalized(net: Net) -> None:
    net.batch_normalization()
    net.dense(16)
    net.batch_normalization()
    net.activate("Relu")
    net.batch_normalization()
    net.dense(1)
    net.activate("Sigmoid")


def decorated(net: Net) -> None:
    net.then("Identity")
    net.then("Flatten")
    net.then("Reshape", net.store(np.int64([-1, WIDTHS[0]])))
    net.then("Dropout")
    net.then("Reshape", net.store(np.int64([0, -1])))
    net.then("Cast", to=TensorProto.FLOAT)
    plain(net)


def viewed(net: Net) -> None:
    rows = net.node("Gather", [net.node("Shape", [net.row]), net.store(np.int64(0))], axis=0)
    rows = net.node("Unsqueeze", [rows, net.store(np.int64([0]))])
    net.then("Reshape", net.node("Concat", [rows, net.store(np.int64([-1]))], axis=0))
    plain(net)


def squeezed(net: Net) -> None:
    plain(net)
    axes = net.store(np.int64([1]))
    net.then("Squeeze", axes)
    net.then("Unsqueeze", axes)


CASES: dict[str, tuple[int, Callable[[Net], None]]] = {
    **{f"opset {opset}": (opset, plain) for opset in range(7, NEWEST + 1)},
    **{f"weights as {form}": (13, lambda net, form=form: plain(net, form))
       for form in ("transposed", "scaled", "matmul", "constants", "half")},
    **{f"activation {name}": (13, lambda net, name=name: plain(net, activation=name))
       for name in ("Sigmoid", "Tanh", "LeakyRelu", "Elu", "relu6", "prelu", "max")},
    "relu6 of old": (10, lambda net: plain(net, activation="relu6")),
    "softmax": (13, lambda net: plain(net, last="Softmax")),
    "softmax of old": (11, lambda net: plain(net, last="Softmax")),
    "linear": (13, lambda net: plain(net, last="")),
    "sub and div": (13, lambda net: normalized(net, "Div")),
    "sub and mul": (13, lambda net: normalized(net, "Mul")),
    "batch normalization": (15, batch_normalized),
    "batch normalization of old": (9, batch_normalized),
    "what changes nothing": (13, decorated),
    "computed shape": (13, viewed),
    "squeezed": (13, squeezed),
}


def residual(net: Net) -> None:
    net.dense(16)
    before = net.row
    net.dense(16)
    net.then("Add", before)
    plain(net)


BAD: dict[str, Callable[[Net], None]] = {
    "residual": residual,
    "selu": lambda net: plain(net, activation="Selu"),
    "sine": lambda net: plain(net, activation="Sin"),
    "softplus": lambda net: plain(net, last="Softplus"),
    "squared": lambda net: (net.then("Mul", net.row), plain(net)),  # type: ignore[func-returns-value]
}


def run(path: Path, rows: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


def write_case(directory: Path, name: str, seed: int) -> dict:
    opset, build = CASES[name]
    net = Net(np.random.default_rng([seed, *name.encode()]), opset)
    build(net)
    directory.mkdir()
    onnx.save(net.model(), str(directory / "model.onnx"))
    rows = net.random(200, WIDTHS[0], scale=2)
    outputs = run(directory / "model.onnx", rows)
    # Where a verdict hangs on the last digit, tools may differ.
    clear = np.abs(outputs[:, -1] - 0.5) > 1e-4
    np.savetxt(directory / "rows.txt", rows[clear], fmt="%.9g")
    rows[clear].tofile(directory / "rows.f32")
    np.savetxt(directory / "outputs.txt", outputs[clear], fmt="%.9g")
    exact = not name.startswith(("batch", "sub and mul", "weights as scaled", "weights as half"))
    if exact:
        np.savez(directory / "weights.npz", *net.weights)
    linear = name == "linear"
    return {"name": name, "threshold": None if linear else 0.5}


def main() -> None:
    top, seed = Path(sys.argv[1]), int(sys.argv[2])
    cases = [write_case(top / name.replace(" ", "-"), name, seed) for name in CASES]
    for name, build in BAD.items():
        net = Net(np.random.default_rng(seed), 13)
        build(net)
        (top / f"bad-{name}").mkdir()
        onnx.save(net.model(), str(top / f"bad-{name}" / "model.onnx"))
    net = Net(np.random.default_rng(seed), 13)
    plain(net)
    (top / "bad-external").mkdir()
    onnx.save(net.model(), str(top / "bad-external" / "model.onnx"), save_as_external_data=True,
              location="weights.bin", size_threshold=0)
    print(json.dumps({"cases": cases, "bad": [*BAD, "external"], "onnx": onnx.__version__,
                      "runtime": onnxruntime.__version__}))


if __name__ == "__main__":
    main()
