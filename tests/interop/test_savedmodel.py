# SPDX-License-Identifier: GPL-2.0
"""SavedModels between mlsched and the oldest and newest TensorFlow, both ways.

1. TensorFlow writes every kind of small network that we know (tf_write.py);
   mlsched computes the same outputs and gives the same verdicts.  What it
   cannot compute it refuses.
2. mlsched writes each of them again, with variables and frozen; TensorFlow's
   Python loader, its C library and Keras's TFSMLayer compute what mlsched does.
3. After that round trip the weights are the same bits.
4. What mlsched trained is loaded alike.

SEED=N repeats a run; KEEP=1 keeps the models.
"""

from __future__ import annotations

import filecmp
import json
import os
import random
import subprocess
from pathlib import Path

from interop import (
    HERE,
    MLSCHED,
    WHY_NONE,
    Environment,
    Scratch,
    Tap,
    as_float32,
    as_text,
    check_reading,
    check_refusal,
    compare,
    environments,
    in_each,
    mlsched,
    numbers,
    predict,
    seed_rows,
    worker,
    write_rows,
)

READ_TOLERANCE = 2e-6       # times the largest output, where that is above 1
WRITE_TOLERANCE = 1e-6
FORMS = ("variables", "frozen")
OWN = (
    ("relu", "--activation", "relu"),
    ("relu6", "--layers", "24,16", "--activation", "relu6"),
    ("leaky_relu", "--layers", "24,16", "--activation", "leaky_relu", "--alpha", "0.1"),
    ("elu", "--layers", "24,16", "--activation", "elu", "--alpha", "0.7"),
    ("tanh_and_sigmoid", "--layers", "24,16", "--activation", "tanh,sigmoid"),
    ("one_layer", "--layers", "0"),
    ("logits", "--layers", "8", "--logits"),
)

tap = Tap()


def check_float64_rows(directory: Path, width: int) -> None:
    """Rows of float64 are an error in TensorFlow; here they are text, rounded to float32."""
    generator = random.Random(1)
    rows = [[generator.random() for _ in range(width)] for _ in range(64)]
    found = predict(directory / "model", as_text(rows, digits=17))
    wanted = predict(directory / "model", as_text([as_float32(row) for row in rows]))
    tap.same("mlsched_takes_rows_with_the_digits_of_float64", (64, wanted), (len(found), found))


def own_models(scratch: Path) -> list[dict]:
    """Networks that mlsched itself trained, with every activation, in both forms."""
    generator = random.Random(3)
    models = []
    for name, *options in OWN:
        directory = scratch / "own" / name
        directory.mkdir(parents=True)
        done = mlsched("train", "-q", "--synthetic", "seed10", "--rows", "800", "--epochs", "1",
                       *options, "-o", directory / "variables")
        wrong = (done.stderr.strip() if done.returncode
                 else convert(directory, "frozen", source="variables"))
        if not tap.result(not wrong, f"mlsched_trains: {name}", wrong):
            continue
        rows = seed_rows(generator, 256)
        outputs = predict(directory / "variables", as_text(rows))
        if isinstance(outputs, str):
            tap.result(False, f"mlsched_reads_what_it_trained: {name}", outputs)
            continue
        # Nothing whose verdict hangs on a rounding error.
        write_rows(directory, [row for row, output in zip(rows, outputs)
                               if abs(output[-1] - 0.5) > 1e-4])
        models += [{"model": str(directory / form), "case": str(directory), "width": 10,
                    "label": f"{name} trained by mlsched, {form}", "threshold": 0.5}
                   for form in FORMS]
    return models


def convert(directory: Path, form: str, source: str = "model") -> str:
    """Let mlsched write the model again; "" or its error."""
    done = mlsched("convert", directory / source, directory / form, "--form", form)
    return "" if done.returncode == 0 else done.stderr.strip() or f"status {done.returncode}"


def check_writing_is_stable(name: str, directory: Path) -> None:
    """What mlsched wrote, mlsched reads and writes again byte for byte."""
    for form in FORMS:
        again = directory / f"{form}_again"
        done = mlsched("convert", directory / form, again, "--form", form)
        files = [path.relative_to(directory / form) for path in (directory / form).rglob("*")
                 if path.is_file()]
        _, differing, missing = filecmp.cmpfiles(directory / form, again, files, shallow=False)
        tap.same(f"mlsched_writes_its_own_again_byte_for_byte: {name} {form}", (0, [], []),
                 (done.returncode, differing, missing))


def same_outputs(what: str, found: list | str, ours: list | str, threshold: float | None) -> None:
    wrong = ours if isinstance(ours, str) else compare(found, ours, WRITE_TOLERANCE, threshold)
    tap.result(not wrong, what, wrong)


def check_loaded(version: str, label: str, answer: dict, ours: list | str,
                 threshold: float | None) -> None:
    """The Python side of one model that mlsched wrote."""
    if "error" in answer:
        tap.result(False, f"tensorflow_{version}_loads_mlsched: {label}", answer["error"])
        return
    same_outputs(f"tensorflow_{version}_loads_mlsched: {label}", answer["signature"], ours,
                 threshold)
    if "layer" in answer:
        same_outputs(f"keras_tfsmlayer_{version}_loads_mlsched: {label}", answer["layer"], ours,
                     threshold)
    if answer["weights"] != "not compared":
        tap.same(f"round_trip_keeps_every_bit_{version}: {label}", "equal", answer["weights"])


def compile_c_loader(scratch: Path) -> Path:
    program = scratch / "tf_c_load"
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-Wall", "-Wextra", "-Werror", "-o", program,
                    HERE / "tf_c_load.c", "-ldl"], check=True)
    return program


def run_c_loader(environment: Environment, program: Path, models: list[dict],
                 answers: list[dict]) -> dict[str, list | str]:
    """Outputs, or an error, of each model by its directory, from TensorFlow's C library."""
    lines = [" ".join([model["model"], answer["input"].split(":")[0],
                       answer["output"].split(":")[0], str(model["width"]),
                       f"{model['case']}/rows.f32"])
             for model, answer in zip(models, answers) if "error" not in answer]
    done = subprocess.run([program, environment.library], input="\n".join(lines) + "\n",
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode != 0:
        return {model["model"]: f"tf_c_load ended with {done.returncode}: {done.stderr[-500:]}"
                for model in models}
    found: dict[str, list | str] = {}
    output = iter(done.stdout.splitlines())
    for line in output:
        word, _, rest = line.partition(" ")
        if word == "error":
            path, _, message = rest.partition(" ")
            found[path] = message
        elif word == "model":
            path, count = rest.rsplit(" ", 1)
            found[path] = numbers("\n".join(next(output) for _ in range(int(count))))
    return found


def main() -> None:
    seed = int(os.environ.get("SEED", "1"))
    print(f"# SEED={seed} {MLSCHED}")
    available = environments()
    if not available:
        tap.skip("savedmodel", WHY_NONE)
        tap.finish()
    with Scratch() as scratch:
        program = compile_c_loader(scratch)
        written = in_each(available, lambda environment: worker(
            environment, "tf_write.py", scratch / environment.name, str(seed)))
        models = []
        for name, answer in written.items():
            version = answer["tensorflow"]
            for case in answer["cases"]:
                directory = scratch / name / case["name"]
                check_reading(tap, "tensorflow", version, case, directory / "model", READ_TOLERANCE)
                for form in FORMS:
                    wrong = convert(directory, form)
                    if tap.result(not wrong, f"mlsched_converts: {version} {case['name']} {form}",
                                  wrong):
                        models.append({"model": str(directory / form), "case": str(directory),
                                       "label": f"{case['name']} of {version}, {form}",
                                       "width": case["n_in"], "threshold": case["threshold"]})
            for case in answer["refused"]:
                model = scratch / name / "refused" / case
                check_refusal(tap, "tensorflow", version, case, model,
                              f"Invalid SavedModel format: {model}/saved_model.pb: ")
        models += own_models(scratch)
        newest = next(reversed(written))
        cases = written[newest]["cases"]
        for case in cases[:3]:
            check_writing_is_stable(case["name"], scratch / newest / case["name"])
        check_float64_rows(scratch / newest / cases[0]["name"], cases[0]["n_in"])

        ours = [predict(Path(model["model"]), (Path(model["case"]) / "rows.txt").read_text())
                for model in models]
        request = json.dumps({"models": models})
        read = in_each(available, lambda environment: worker(environment, "tf_read.py",
                                                             text=request))
        from_c = in_each(available, lambda environment: run_c_loader(
            environment, program, models, read[environment.name]["models"]))
        for name, answer in read.items():
            version = answer["tensorflow"]
            tap.result(all(loaded.get("float64") for loaded in answer["models"]),
                       f"tensorflow_{version}_refuses_rows_of_float64",
                       "it takes them: then no care is needed any more")
            for model, loaded, mine in zip(models, answer["models"], ours):
                check_loaded(version, model["label"], loaded, mine, model["threshold"])
                same_outputs(f"tensorflow_c_library_{version}_loads_mlsched: {model['label']}",
                             from_c[name].get(model["model"], "not loaded"), mine,
                             model["threshold"])
    tap.finish()


main()
