# SPDX-License-Identifier: GPL-2.0
"""PyTorch for `mlsched bench`: computes and times what bench/pytorch.c asks for.

PyTorch has no C interface, so it is measured where its users call it, in Python.
Requests come as lines of JSON on standard input, followed by rows as float32;
answers go to standard output in the same way.  The first request has the network:
{"mode": "eager" or "script", "normalised": whether there is a mean and a deviation of each input,
"layers": [{"n_in", "n_out", "activation", "alpha"}]}, then these two, and each layer's weights
([n_in][n_out]) and biases.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, BinaryIO

import torch

# Of one measurement; those of the C side are in bench/harness.c.
SAMPLE_NS = 30_000
TOTAL_NS = 80_000_000
MIN_SAMPLES = 31
MAX_SAMPLES = 1001
# Single rows come in turn from so many different ones.
DIFFERENT = 64

ACTIVATIONS = {
    "linear": lambda alpha: None,
    "relu": lambda alpha: torch.nn.ReLU(),
    "relu6": lambda alpha: torch.nn.ReLU6(),
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "sigmoid": lambda alpha: torch.nn.Sigmoid(),
    "tanh": lambda alpha: torch.nn.Tanh(),
    "softmax": lambda alpha: torch.nn.Softmax(dim=1),
}


class Normalisation(torch.nn.Module):
    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return (rows - self.mean) / self.deviation


def floats(stream: BinaryIO, *shape: int) -> torch.Tensor:
    n = 1
    for side in shape:
        n *= side
    return torch.frombuffer(bytearray(stream.read(4 * n)), dtype=torch.float32).reshape(shape)


def build(request: dict[str, Any], normalisation: list[torch.Tensor],
          numbers: list[tuple[torch.Tensor, torch.Tensor]]) -> Any:
    modules: list[torch.nn.Module] = [Normalisation(*normalisation)] if normalisation else []
    for layer, (weights, bias) in zip(request["layers"], numbers):
        linear = torch.nn.Linear(layer["n_in"], layer["n_out"])
        with torch.no_grad():
            linear.weight.copy_(weights.t())
            linear.bias.copy_(bias)
        modules.append(linear)
        activation = ACTIVATIONS[layer["activation"]](layer["alpha"])
        if activation is not None:
            modules.append(activation)
    network = torch.nn.Sequential(*modules).eval()
    if request["mode"] == "eager":
        return network
    example = torch.zeros(1, request["layers"][0]["n_in"])
    network = torch.jit.freeze(torch.jit.trace(network, example))
    # The profiling executor specialises in the first calls.
    for _ in range(20):
        network(example)
    return network


def operation(network: Any, rows: torch.Tensor, dependent: bool) -> Any:
    """What is timed: a function that makes n calls."""
    if len(rows) > 1:
        def batches(n: int) -> None:
            for _ in range(n):
                network(rows)
        return batches
    singles = [rows[:1].clone() for _ in range(DIFFERENT)]
    if dependent:
        def chained(n: int) -> None:
            row = singles[0]
            for _ in range(n):
                row[0, 0] = network(row)[0, 0]
        return chained

    def independent(n: int) -> None:
        for i in range(n):
            network(singles[i % DIFFERENT])
    return independent


def measure(function: Any) -> list[float]:
    """ns of one call, sample by sample."""
    n = 1
    while True:
        begin = time.perf_counter_ns()
        function(n)
        took = time.perf_counter_ns() - begin
        if took >= SAMPLE_NS:
            break
        n *= 2
    samples: list[float] = []
    first = time.perf_counter_ns()
    while len(samples) < MAX_SAMPLES and (len(samples) < MIN_SAMPLES
                                          or time.perf_counter_ns() - first < TOTAL_NS):
        begin = time.perf_counter_ns()
        function(n)
        samples.append((time.perf_counter_ns() - begin) / n)
    return samples


def main() -> None:
    stream, out = sys.stdin.buffer, sys.stdout.buffer

    def say(document: dict[str, Any], data: bytes = b"") -> None:
        out.write(json.dumps(document).encode() + b"\n" + data)
        out.flush()

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    first = json.loads(stream.readline())
    normalisation = [floats(stream, first["layers"][0]["n_in"]) for _ in range(2 * first["normalised"])]
    numbers = [(floats(stream, layer["n_in"], layer["n_out"]), floats(stream, layer["n_out"]))
               for layer in first["layers"]]
    with torch.inference_mode():
        network = build(first, normalisation, numbers)
        say({"version": torch.__version__, "file": torch.__file__})
        for line in stream:
            request = json.loads(line)
            if request["do"] == "load":
                begin = time.perf_counter_ns()
                build(first, normalisation, numbers)
                say({"number": (time.perf_counter_ns() - begin) / 1e3})
                continue
            if request["do"] == "overhead":
                # A module that does nothing: what a call costs before anything is computed.
                row = torch.zeros(1, first["layers"][0]["n_in"])
                samples = sorted(measure(operation(torch.nn.Identity().eval(), row, False)))
                say({"number": samples[len(samples) // 2]})
                continue
            rows = floats(stream, request["rows"], first["layers"][0]["n_in"])
            if request["do"] == "predict":
                result = network(rows).contiguous()
                data = bytes(result.reshape(-1).view(torch.uint8).tolist())
                say({"bytes": len(data)}, data)
            else:
                say({"ns": measure(operation(network, rows, request["dependent"]))})


main()
