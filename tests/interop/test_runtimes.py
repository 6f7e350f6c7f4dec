# SPDX-License-Identifier: GPL-2.0
"""`mlsched bench` with the real runtimes: TensorFlow, ONNX Runtime, LiteRT, PyTorch, OpenBLAS.

Each that is installed computes what we compute, from the file that is written for it, and says the
version that its package has; the benchmark itself refuses who does not.  How fast they are fails no
test.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from interop import BUILD, TOP, Tap, mlsched

GOLDEN = TOP / "tests" / "golden"
# One of each kind of file, a normalisation, activations behind hidden layers and outputs.
MODELS = (
    GOLDEN / "savedmodel" / "models" / "tf221-keras3-15-10-1-savedmodel" / "model",
    GOLDEN / "savedmodel" / "models" / "tf221-keras3-norm-savedmodel" / "model",
    GOLDEN / "keras" / "models" / "keras3-activations" / "model.keras",
    GOLDEN / "tflite" / "models" / "tf221-tflite" / "model.tflite",
)
# Of what is installed as a wheel: by engine, the environment and the package.
WHEELS = {
    "tensorflow": ("tensorflow", "tensorflow_cpu"),
    "onnxruntime": ("onnx", "onnxruntime"),
    "litert": ("litert", "ai_edge_litert"),
}
ENGINES = ("openblas", *WHEELS, "pytorch", "torchscript")
# LiteRT's ELU has no alpha: that model cannot be written for it.
NOT_FOR = {("litert", "keras3-activations"): "expected an alpha of 1"}

tap = Tap()


def version_of(engine: str) -> str | None:
    """That of the package, or None when it is not installed."""
    environment, package = WHEELS[engine]
    for info in (BUILD / environment).glob(f"lib/python3*/site-packages/{package}-*.dist-info"):
        return info.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    return None


def has_torch() -> bool:
    done = subprocess.run(["/usr/bin/python3", "-c", "import torch"], capture_output=True, check=False)
    return done.returncode == 0


def check_result(engine: str, name: str, result: dict[str, object]) -> None:
    label = f"bench_measures_{engine}: {name}"
    why = NOT_FOR.get((engine, name))
    if why:
        tap.result(why in str(result.get("unavailable")), f"bench_says_why_not_{engine}: {name}", str(result))
    elif engine.startswith(("pytorch", "torch")) and not has_torch():
        tap.skip(label, "no PyTorch: apt install python3-torch")
    elif engine in WHEELS and version_of(engine) is None:
        tap.skip(label, f"no {engine}: make install-runtimes needs a network, and CPython 3.11 on x86-64")
    else:
        columns = ("independent", "dependent", "batch_64", "batch_1024")
        tap.result(all("ns_median" in result.get(column, {}) for column in columns), label, str(result))


def check_model(model: Path) -> None:
    name = model.parent.name
    done = mlsched("bench", "inference", "--json", model)
    if not tap.result(done.returncode == 0, f"all_compute_what_we_compute: {name}",
                      done.stdout[:500] + done.stderr):
        return
    report = json.loads(done.stdout)
    by = {result.get("engine"): result for result in report["results"]}
    for engine in ENGINES:
        check_result(engine, name, by[engine])
    versions = {runtime["engine"]: runtime["version"] for runtime in report.get("runtimes", [])}
    for engine in WHEELS:
        if engine in versions:
            tap.same(f"bench_names_the_version_of_{engine}: {name}", version_of(engine), versions[engine])


def check_load() -> None:
    """Each in a process of its own."""
    done = mlsched("bench", "load", "--json", "--loads", "3", "--engine", "all", MODELS[0])
    lines = [json.loads(line) for line in done.stdout.splitlines()][1:]
    found = {line["engine"] for line in lines}
    tap.same("bench_load_has_a_line_for_each", {"native", "fixed", "bpf", *ENGINES}, found)
    wrong = [line for line in lines if "unavailable" not in line and not (
        line["first_answer_ms"] > 0 and line["load_us"] > 0 and line["peak_kb"] > 1000 and line["file_bytes"] > 1e6)]
    tap.result(not wrong, "bench_load_measures_each", str(wrong))
    missing = {line["engine"] for line in lines if "unavailable" in line}
    tap.same("bench_load_finds_what_is_installed", set(), {
        engine for engine in WHEELS if version_of(engine)} & missing)


def main() -> None:
    for model in MODELS:
        check_model(model)
    check_load()
    tap.finish()


main()
