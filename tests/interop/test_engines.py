# SPDX-License-Identifier: GPL-2.0
"""The engine "tensorflow" against the engine "native", with the oldest and newest TensorFlow.

1. `mlsched predict` by both, on every model of tests/golden/savedmodel: the same
   verdicts, outputs alike.  Models that compute in another type than float32
   are refused, for the engine has no other tensors.  The fixtures of all other formats, too, of
   which it makes SavedModels for TensorFlow.
2. `mlsched run` in shadow by TensorFlow: at every migration of this kernel the
   verdict that native gives.
3. float64 is a type error of TensorFlow's, as in the original, and none of the engine.
4. `mlsched bench inference` measures it beside native.
5. Without TensorFlow everything else works, and the message says what was looked
   for.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

from interop import (
    MLSCHED,
    TOP,
    WHY_NONE,
    Environment,
    Scratch,
    Tap,
    as_text,
    compare,
    environments,
    in_each,
    mlsched,
    numbers,
    predict,
    worker,
)

GOLDEN = TOP / "tests" / "golden"
MODELS = GOLDEN / "savedmodel" / "models"
# Times the largest output, where that is above 1: TensorFlow adds in another order.
TOLERANCE = 1e-6
# They compute, within or at their end, in another type; what is said of them.
OTHER_TYPES = {
    "tf221-layers-double": "found types 1 and 2: the engine has no other tensors",
    "tf221-layers-half": "found types 1 and 19: the engine has no other tensors",
    "tf221-layers-bfloat16": "TensorFlow {version} computes",
}

tap = Tap()


def version_of(environment: Environment) -> str:
    (info,) = environment.root.glob("lib/python3*/site-packages/tensorflow_cpu-*.dist-info")
    return info.name.removeprefix("tensorflow_cpu-").removesuffix(".dist-info")


def check_model(name: str, by_engine: dict[str, list | str], ours: list | str,
                versions: dict[str, str]) -> None:
    for environment, found in by_engine.items():
        version = versions[environment]
        if name in OTHER_TYPES:
            wanted = OTHER_TYPES[name].format(version=version)
            tap.result(isinstance(found, str) and wanted in found,
                       f"engine_tensorflow_{version}_refuses_other_types: {name}",
                       f"expected: {wanted}\nfound:    {found}")
            continue
        wrong = ours if isinstance(ours, str) else compare(found, ours, TOLERANCE, 0.5)
        tap.result(not wrong, f"engines_agree: {name} by native and TensorFlow {version}", wrong)


def check_models(available: list[Environment], versions: dict[str, str]) -> None:
    names = sorted(path.name for path in MODELS.iterdir())
    rows = {name: as_text(json.loads((MODELS / name / "expected.json").read_text())["inputs"])
            for name in names}
    ours = {name: predict(MODELS / name / "model", rows[name]) for name in names}
    theirs = in_each(available, lambda environment: {
        name: predict(MODELS / name / "model", rows[name], "--engine", "tensorflow",
                      "--tensorflow-library", environment.library) for name in names})
    for name in names:
        check_model(name, {environment: found[name] for environment, found in theirs.items()},
                    ours[name], versions)


def check_foreign(available: list[Environment], versions: dict[str, str]) -> None:
    """The fixtures of all other formats, of which the engine makes SavedModels."""
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(GOLDEN.glob("*/models/*/model.*")):
        expected = path.parent / "expected.json"
        found[path.parent.name] = (path, as_text(json.loads(expected.read_text())["inputs"]))
    tap.result(len(found) >= 20, "there_are_models_of_other_formats", str(sorted(found)))
    theirs = in_each(available, lambda environment: {
        name: predict(model, rows, "--engine", "tensorflow", "--tensorflow-library",
                      environment.library) for name, (model, rows) in found.items()})
    for name, (model, rows) in found.items():
        check_model(name, {environment: by[name] for environment, by in theirs.items()},
                    predict(model, rows), versions)


def check_float64(environment: Environment, version: str) -> None:
    """The type error of the original: float64 given where float32 is expected.

    TensorFlow still has it; with rows that only float64 holds, the engine has not, because there
    is no way to hand over another type (tests/cli/test_engine_tensorflow.sh looks at each tensor).
    """
    generator = random.Random(64)
    rows = "".join(" ".join(repr(generator.random() * 3) for _ in range(10)) + "\n"
                   for _ in range(64))
    for name in ("tf215-keras2-savedmodel", "tf221-keras3-savedmodel", "hand-variables-savedmodel"):
        model = MODELS / name / "model"
        answer = worker(environment, "tf_types.py", model, text=rows)
        tap.result("double" in answer["text"] or "float64" in answer["text"],
                   f"float64_is_a_type_error_of_tensorflow_{version}: {name}",
                   f"{answer['error']}: {answer['text']}")
        found = predict(model, rows, "--engine", "tensorflow", "--tensorflow-library",
                        environment.library)
        wrong = compare(found, answer["outputs"], TOLERANCE, 0.5)
        tap.result(not wrong, f"float64_is_none_of_the_engine_{version}: {name}", wrong)


def check_bench(environment: Environment, version: str) -> None:
    """It is measured beside native, with the same weights, also of a model that is no SavedModel."""
    for model in (MODELS / "tf221-keras3-savedmodel" / "model",
                  GOLDEN / "tflite" / "models" / "tf212-small" / "model.tflite"):
        done = mlsched("bench", "inference", "--json", "--engine", "tensorflow",
                       "--tensorflow-library", environment.library, model)
        results = json.loads(done.stdout)["results"] if done.returncode == 0 else []
        by = {result["path"]: result for result in results}
        tap.result("ns_median" in by.get("TensorFlow", {}).get("independent", {}),
                   f"bench_measures_tensorflow_{version}: {model.name}",
                   f"{done.stdout[:300]}{done.stderr}")


def check_logits(environment: Environment, version: str) -> None:
    """--logit by an engine that gives outputs: the same sum, as far as float32 lets it be found."""
    model = MODELS / "tf221-keras3-savedmodel" / "model"
    inputs = json.loads((model.parent / "expected.json").read_text())["inputs"]
    ours = predict(model, as_text(inputs), "--logit")
    found = predict(model, as_text(inputs), "--logit", "--engine", "tensorflow",
                    "--tensorflow-library", environment.library)
    # Of an output near 1 its distance to 1 is rounded: logits of 5 are good to 1e-4.
    near = [(one, other) for one, other in zip(found, ours) if abs(other[0]) < 5]
    wrong = (found if isinstance(found, str)
             else compare([one for one, _ in near], [other for _, other in near], 1e-4, 0))
    tap.result(not wrong and len(near) > 10, f"logits_agree: native and TensorFlow {version}", wrong)


def check_shadow(environment: Environment, version: str) -> None:
    """Live: migrations of the running kernel, judged by TensorFlow and by native."""
    name = f"shadow_by_tensorflow_{version}_gives_the_verdicts_of_native"
    if os.geteuid() != 0 or not Path("/sys/kernel/btf/vmlinux").exists():
        tap.skip(name, "needs root and a kernel with BTF")
        return
    done = mlsched("run", "--backend", "shadow", "--engine", "tensorflow", "--tensorflow-library",
                   environment.library, "--model", MODELS / "tf221-keras3-savedmodel" / "model",
                   "--duration", "3", "-v", "--json")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 or len(documents) < 3:
        if "root" in done.stdout + done.stderr:
            tap.skip(name, "root may not use bpf() here")
        else:
            tap.result(False, name, f"status {done.returncode}: {done.stdout[-500:]}{done.stderr}")
        return
    start, last = documents[0], documents[-1]
    tap.same(f"shadow_names_its_engine: TensorFlow {version}", ("tensorflow", True),
             (start["engine"]["name"], version in start["engine"]["what"]))
    decisions = [document for document in documents if document["type"] == "decision"]
    differ = [d for d in decisions if d["migrate"] != d["native"]["migrate"]]
    tap.result(len(decisions) > 0 and not differ and last["engine"]["failed"] == 0 and
               last["engine"]["same_verdict_as_native"] == last["migrations"], name,
               f"{len(decisions)} decisions, other verdicts: {differ[:3]}, {last['engine']}")


def check_without(scratch: Path) -> None:
    """A copy of the program, with no TensorFlow where it looks for one."""
    program = scratch / "mlsched"
    shutil.copy(MLSCHED, program)
    model = MODELS / "hand-variables-savedmodel" / "model"
    row = "1 1 1 0.5 0.5 0 0 0 0 0\n"
    clean = {key: value for key, value in os.environ.items()
             if key not in ("VIRTUAL_ENV", "LD_LIBRARY_PATH")}

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, "predict", *options, model], input=row, text=True,
                              capture_output=True, check=False, env=clean)

    tap.same("without_tensorflow_native_works", (0, 1), (
        run().returncode, len(numbers(run("--engine", "native").stdout))))
    done = run("--engine", "tensorflow")
    if done.returncode == 0:
        tap.skip("without_tensorflow_it_says_what_it_looked_for", "the system has TensorFlow")
    else:
        tap.result(done.returncode == 1 and not done.stdout and all(words in done.stderr for words in (
            "mlsched predict: --engine tensorflow: found no TensorFlow: looked for",
            "libtensorflow.so.2", f"{scratch}/tensorflow/lib/python3", "--tensorflow-library")),
                   "without_tensorflow_it_says_what_it_looked_for", done.stderr)
    done = run("--engine", "tensorflow", "--tensorflow-library", str(scratch / "none.so"))
    tap.result(done.returncode == 1 and f"{scratch}/none.so" in done.stderr,
               "a_library_that_is_not_there_is_named", done.stderr)
    done = run("--engine", "tensorflow", "--tensorflow-library", "libm.so.6")
    tap.result(done.returncode == 1 and
               "expected TensorFlow's C library, found no TF_Version" in done.stderr,
               "a_library_that_is_another_is_told_so", done.stderr)


def main() -> None:
    with Scratch() as scratch:
        check_without(scratch)
    available = environments()
    if not available:
        tap.skip("engines", WHY_NONE)
        tap.finish()
    versions = {environment.name: version_of(environment) for environment in available}
    check_models(available, versions)
    check_foreign(available, versions)
    for environment in available:
        check_float64(environment, versions[environment.name])
        check_bench(environment, versions[environment.name])
        check_logits(environment, versions[environment.name])
        check_shadow(environment, versions[environment.name])
    tap.finish()


main()
