# SPDX-License-Identifier: GPL-2.0
"""The scripts of src/model_dir under the oldest and the newest TensorFlow.

What they write, TensorFlow and mlsched read alike; transfer.py turns the files
of each Keras into the same network under either; their errors say what a person
needs.  KEEP=1 keeps the models.
"""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

from interop import (
    SCRIPTS,
    WHY_NONE,
    Environment,
    Scratch,
    Tap,
    compare,
    environments,
    in_each,
    numbers,
    predict,
    seed_rows,
    worker,
    write_rows,
)

TOLERANCE = 2e-6
CREATE, EXPORT, TRANSFER = (str(SCRIPTS / f"{name}.py")
                            for name in ("create_dummy_model", "model_export", "transfer"))
# What must be refused, by name of the case; everything else must be transferred.
REFUSED = {
    "five_inputs": "Expected shape [?, 10], got [?, 5]: ",
    "branches": "only a plain chain of layers can be transferred",
}

tap = Tap()


# ---- rows ---------------------------------------------------------------------------

def write_csv(path: Path, n_rows: int) -> None:
    """Decisions with columns in another order, one that nobody asked for, and no reserved ones."""
    generator = random.Random(6)
    with path.open("w") as file:
        file.write("when,moved,src_dom_load,dst_dom_load,cpu_idle,cpu_not_idle,cpu\n")
        for number in range(n_rows):
            src, dst, idle = generator.random(), generator.random(), generator.randrange(8)
            file.write(f"{number},{int(src - dst > 0.3 and idle > 0)},{src:.6f},{dst:.6f},"
                       f"{idle},{8 - idle},{generator.randrange(8)}\n")


# ---- one environment ------------------------------------------------------------------

def plan(top: Path, csv: Path, files: list[dict]) -> list[tuple[str, list[str]]]:
    """All runs of the scripts in one environment, in order, each with a name."""
    export = [EXPORT, "--output", str(top / "export"), "--rows", "1500", "--epochs", "3"]
    runs = [
        ("dummy", [CREATE, "--output", str(top / "dummy"), "--seed", "3"]),
        ("dummy_same_seed", [CREATE, "-q", "--seed", "3",
                             "--output", str(top / "dummy_same_seed")]),
        ("replaced_dummy", [CREATE, "-q", "--output", str(top / "export")]),
        ("export", export),
        ("export_same_seed", [*export, "-q", "--output", str(top / "export_same_seed")]),
        ("export_csv", [EXPORT, "-q", "--csv", str(csv), "--label", "moved", "--epochs", "4",
                        "--batch", "32", "--threshold", "0.4", "--patience", "2",
                        "--checkpoint-dir", str(top / "checkpoints"),
                        "--output", str(top / "export_csv")]),
        ("transfer_checkpoint", [TRANSFER, "-q", "--input",
                                 str(top / "checkpoints" / "best.weights.h5"),
                                 "--output", str(top / "transfer_checkpoint")]),
    ]
    for file in files:
        output = top / "transfers" / file["label"]
        runs.append((file["label"], [TRANSFER, "--input", file["path"], "--output", str(output)]))
    runs.append(("five_inputs_as_asked",
                 [TRANSFER, "-q", "--inputs", "5", "--output", str(top / "five_inputs_as_asked"),
                  "--input", next(f["path"] for f in files if f["case"] == "five_inputs")]))
    return runs


def metadata(model: Path) -> dict:
    return json.loads((model / "assets" / "mlsched.json").read_text())


def check_metadata(version: str, top: Path) -> None:
    """assets/mlsched.json says what the model is and where it comes from."""
    export = metadata(top / "export")
    provenance = export["provenance"]
    tap.same(f"export_records_where_the_model_comes_from_{version}",
             ("seed10", 0.5, f"model_export.py, tensorflow {version}", 1, 1050, 10, 0.0, 0.0),
             (export["schema"], export["threshold"], export["producer"].split(", keras")[0],
              provenance["seed"], provenance["rows"]["training"], len(export["calibration"]["max"]),
              export["calibration"]["min"][0], export["calibration"]["max"][9]))
    tap.result(0.5 < provenance["scores"]["auc"] < 1.0, f"export_records_its_scores_{version}",
               str(provenance))
    tap.same(f"csv_export_records_threshold_and_file_{version}", (0.4, "decisions.csv"),
             (metadata(top / "export_csv")["threshold"],
              metadata(top / "export_csv")["provenance"]["data"]))
    tap.same(f"model_of_another_width_has_no_schema_{version}", False,
             "schema" in metadata(top / "five_inputs_as_asked"))


def check_runs(version: str, top: Path, runs: list[tuple[str, list[str]]],
               results: list[dict]) -> None:
    """Status and messages of every run."""
    for (name, _), result in zip(runs, results):
        refused = [text for case, text in REFUSED.items() if name.split("/")[0] == case]
        wanted = 1 if refused else 0
        passed = result["status"] == wanted and all(text in result["err"] for text in refused)
        tap.result(passed, f"script_{'refuses' if refused else 'runs'}_{version}: {name}",
                   f"status {result['status']}\n{result['out'][-1500:]}\n{result['err'][-1500:]}")
        if not refused:
            tap.same(f"script_is_quiet_on_stderr_{version}: {name}", "", result["err"])
    table = results[[name for name, _ in runs].index("export")]["out"]
    tap.result(all(word in table for word in ("reduction", "false pos.", "false neg.", "\nmodel",
                                              "\nalways migrate", "\nnever migrate", "\nrule")),
               f"export_prints_the_evaluation_with_its_controls_{version}", table)


def check_directory(version: str, top: Path) -> None:
    """Replacing a model leaves nothing of the old one and nothing of the work behind."""
    model = top / "export"
    tap.same(f"model_directory_is_complete_{version}",
             ["assets", "saved_model.pb", "variables"],
             sorted(path.name for path in model.iterdir() if path.name != "fingerprint.pb"))
    tap.same(f"no_temporary_directory_is_left_{version}", [],
             [path.name for path in top.rglob(".*")])


def check_models(version: str, models: list[dict], answers: list[dict]) -> None:
    """TensorFlow, mlsched and, for transfers, the Keras that saved the file agree."""
    for model, answer in zip(models, answers):
        name = model["label"]
        if "error" in answer:
            tap.result(False, f"tensorflow_loads_{version}: {name}", answer["error"])
            continue
        case = Path(model["case"])
        loaded = answer["signature"]
        if (case / "outputs.txt").exists():
            wrong = compare(loaded, numbers((case / "outputs.txt").read_text()), TOLERANCE, None)
            tap.result(not wrong, f"transfer_keeps_the_network_{version}: {name}", wrong)
        ours = predict(Path(model["model"]), (case / "rows.txt").read_text())
        wrong = compare(ours, loaded, TOLERANCE, None)
        tap.result(not wrong, f"mlsched_reads_{version}: {name}", wrong)


def check_seeds(version: str, models: list[dict], answers: list[dict]) -> None:
    by_name = {model["label"]: answer.get("signature") for model, answer in zip(models, answers)}
    for one, other in (("dummy", "dummy_same_seed"), ("export", "export_same_seed"),
                       ("export_csv", "transfer_checkpoint")):
        tap.same(f"{other}_gives_the_same_numbers_as_{one}_{version}", by_name[one], by_name[other])


# ---- errors -------------------------------------------------------------------------

def usage_error(environment: Environment, name: str, text: str, script: str, *words: str) -> None:
    done = environment.run(script, *words)
    tap.result(done.returncode == 2 and text in done.stderr, f"usage: {name}",
               f"expected status 2 and {text}\nfound {done.returncode} {done.stderr}")


def failure(environment: Environment, name: str, message: str, script: str, *words: str) -> None:
    """Status 1, nothing on standard output, exactly one line on standard error."""
    done = environment.run(script, *words)
    tap.same(name, (1, "", f"{Path(script).name}: {message}\n"),
             (done.returncode, done.stdout, done.stderr))


def check_csv_errors(environment: Environment, scratch: Path) -> None:
    header = "cpu,cpu_idle,cpu_not_idle,src_dom_load,dst_dom_load,migrate"
    path = scratch / "bad.csv"
    out = ["--output", str(scratch / "never")]
    for name, text, message in (
        ("csv_lacks_columns", header.replace("dst_dom_load", "weight") + "\n1,1,1,1,1,1\n",
         f"Expected shape [?, 10], got [?, 5]: {path}:1: columns missing: dst_dom_load"),
        ("csv_lacks_label", header.replace("migrate", "moved") + "\n",
         f'{path}:1: no label column "migrate" among: cpu, cpu_idle, cpu_not_idle, src_dom_load, '
         "dst_dom_load, moved"),
        ("csv_has_no_number", header + "\n1,2,3,0.5,0.5,1\n1,2,lots,0.5,0.5,1\n",
         f'{path}:3: column "cpu_not_idle": expected a finite number, got "lots"'),
        ("csv_has_nan", header + "\n1,2,3,nan,0.5,1\n",
         f'{path}:2: column "src_dom_load": expected a finite number, got "nan"'),
        ("csv_has_other_label", header + "\n1,2,3,0.5,0.5,2\n",
         f'{path}:2: column "migrate": expected 0 or 1, got 2'),
        ("csv_row_is_short", header + "\n1,2,3,0.5,0.5\n",
         f"{path}:2: expected 6 fields as in the header, got 5"),
        ("csv_has_no_rows", header + "\n", f"{path}: no rows below the header"),
        ("csv_is_too_small", header + "\n" + "1,2,3,0.5,0.5,1\n" * 5,
         "5 rows are too few: the 3 training rows must hold both labels, 0 and 1"),
    ):
        path.write_text(text)
        failure(environment, name, message, EXPORT, "--csv", str(path), *out)
    failure(environment, "csv_is_missing", f"{scratch}/none.csv: no such file", EXPORT,
            "--csv", str(scratch / "none.csv"), *out)
    tap.same("failed_export_leaves_no_output", False, (scratch / "never").exists())


def check_file_errors(environment: Environment, scratch: Path, good: Path) -> None:
    out = ["--output", str(scratch / "never")]
    missing, text, cut = scratch / "none.h5", scratch / "text.h5", scratch / "cut.h5"
    text.write_text("this is no model")
    cut.write_bytes(good.read_bytes()[:good.stat().st_size // 2])
    failure(environment, "transfer_of_nothing", f"Model not found at path: {missing}", TRANSFER,
            "--input", str(missing), *out)
    failure(environment, "transfer_of_text", f"Invalid model format: {text}: expected HDF5 (.h5) "
            "or a zip archive (.keras), found b'this is '", TRANSFER, "--input", str(text), *out)
    failure(environment, "transfer_of_a_directory", f"Invalid model format: {scratch}: is a "
            "directory; expected a Keras file (.h5 or .keras)", TRANSFER,
            "--input", str(scratch), *out)
    done = environment.run(TRANSFER, "--input", cut, *out)
    tap.result(done.returncode == 1 and
               done.stderr.startswith(f"transfer.py: Invalid model format: {cut}: damaged: ") and
               done.stderr.count("\n") == 1, "transfer_of_half_a_file", done.stderr)


def check_output_errors(environment: Environment, scratch: Path) -> None:
    file, busy = scratch / "file", scratch / "busy"
    file.write_text("")
    busy.mkdir()
    (busy / "thesis.txt").write_text("years of work")
    failure(environment, "output_is_a_file", f"{file}: is a file, not a directory", CREATE,
            "--output", str(file))
    failure(environment, "output_holds_other_things", f"{busy}: holds other things than a "
            "SavedModel and is left alone; name an empty or a new directory", CREATE,
            "--output", str(busy))
    tap.same("output_with_other_things_is_untouched", "years of work",
             (busy / "thesis.txt").read_text())


SWAP = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
from load_patterns import UserError
from output_dir import write_savedmodel
out = pathlib.Path(sys.argv[2])
def write(path):
    pathlib.Path(path).mkdir()
    (pathlib.Path(path) / "saved_model.pb").write_text("new")
def bad(path): raise UserError("outputs differ")
try: write_savedmodel(out, {"mlsched": 1}, write, bad)
except UserError as error: print(error)
print((out / "saved_model.pb").read_text(), sorted(p.name for p in out.parent.iterdir()))
write_savedmodel(out, {"mlsched": 1}, write, lambda path: None)
print((out / "saved_model.pb").read_text(), sorted(p.name for p in out.parent.iterdir()))
"""


def check_swap(environment: Environment, scratch: Path) -> None:
    """A model that fails its check never takes the place of the old one."""
    out = scratch / "swap" / "model"
    out.mkdir(parents=True)
    (out / "saved_model.pb").write_text("old")
    done = environment.run("-c", SWAP, SCRIPTS, out)
    tap.same("failed_check_leaves_the_old_model_in_place",
             "outputs differ\nold ['model']\nnew ['model']\n", done.stdout + done.stderr)


def check_command_lines(environment: Environment, scratch: Path) -> None:
    for script in (CREATE, EXPORT, TRANSFER):
        done = environment.run(script, "--help")
        tap.result(done.returncode == 0 and "--output DIR" in done.stdout and not done.stderr,
                   f"help_is_printed: {Path(script).name}", done.stdout + done.stderr)
    usage_error(environment, "too few rows", "expected 20 or more, got 5", EXPORT, "--rows", "5")
    usage_error(environment, "threshold out of range", "expected a number between 0 and 1, got 2",
                EXPORT, "--threshold", "2")
    usage_error(environment, "learning rate of zero", "expected a number above 0, got 0", EXPORT,
                "--learning-rate", "0")
    usage_error(environment, "no input", "required: --input", TRANSFER)
    done = subprocess.run(["/usr/bin/python3", "-S", TRANSFER, "--help"], capture_output=True,
                          text=True, check=False)
    told = "TensorFlow is missing" in done.stderr and "make install-deps-tf" in done.stderr
    tap.result(done.returncode == 1 and told, "python_without_tensorflow_is_told_what_to_do",
               done.stderr)


def main() -> None:
    available = environments()
    if not available:
        tap.skip("model_dir", WHY_NONE)
        tap.finish()
    with Scratch() as scratch:
        rows, csv = scratch / "rows", scratch / "decisions.csv"
        rows.mkdir()
        write_rows(rows, seed_rows(random.Random(4), 200))
        write_csv(csv, 600)
        saved = in_each(available, lambda environment: worker(
            environment, "tf_keras_files.py", scratch / f"files-{environment.name}"))
        files = [{**file, "label": f"{file['case']}/{Path(file['path']).name}-of-"
                                   f"{answer['tensorflow']}"}
                 for answer in saved.values() for file in answer["files"]]
        plans = {environment.name: plan(scratch / environment.name, csv, files)
                 for environment in available}
        for environment in available:
            (scratch / environment.name).mkdir()
        done = in_each(available, lambda environment: worker(
            environment, "run_scripts.py",
            text=json.dumps({"runs": [words for _, words in plans[environment.name]]})))

        models = {}
        for environment in available:
            top = scratch / environment.name
            ours = [{"label": name, "model": str(top / name), "case": str(rows)}
                    for name in ("dummy", "dummy_same_seed", "export", "export_same_seed",
                                 "export_csv", "transfer_checkpoint")]
            ours += [{"label": file["label"], "model": str(top / "transfers" / file["label"]),
                      "case": str(Path(file["path"]).parent)}
                     for file in files if file["case"] not in REFUSED]
            models[environment.name] = ours
        read = in_each(available, lambda environment: worker(
            environment, "tf_read.py", text=json.dumps({"models": models[environment.name]})))

        for environment in available:
            name = environment.name
            version = done[name]["tensorflow"]
            check_runs(version, scratch / name, plans[name], done[name]["runs"])
            check_metadata(version, scratch / name)
            check_directory(version, scratch / name)
            check_models(version, models[name], read[name]["models"])
            check_seeds(version, models[name], read[name]["models"])
        newest = available[-1]
        check_command_lines(newest, scratch)
        check_csv_errors(newest, scratch)
        check_file_errors(newest, scratch, Path(files[0]["path"]))
        check_output_errors(newest, scratch)
        check_swap(newest, scratch)
    tap.finish()


main()
