# SPDX-License-Identifier: GPL-2.0
"""The Python package (python/): a source distribution and a wheel of it by `python -m build`,
installed where nothing else of mlsched is, checked by mypy, tested by pytest, and compared with
the oldest and newest TensorFlow and ONNX Runtime in the same process.

KEEP=1 keeps what was built.
"""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree
import zipfile
from pathlib import Path

from interop import (
    TOP,
    WHY_NO_ONNX,
    WHY_NONE,
    Environment,
    Scratch,
    Tap,
    environments,
    in_each,
)
from python_package import PYTHON, WHY_NO_TOOLS, Installed, beside, build, install, lend, run, tools

# Of the extension; libm is part of the C library.
NEEDED = {"libc.so.6", "libjansson.so.4", "libm.so.6", "libprotobuf-c.so.1"}
MODELS = ["models/default", "tests/golden/savedmodel/models/tf221-layers-elu/model",
          "tests/golden/savedmodel/models/tf221-layers-softmax/model",
          "tests/golden/keras/models/tf215-keras2-norm-h5/model.h5",
          "tests/golden/keras/models/tf221-keras3-norm-keras/model.keras",
          "tests/golden/onnx/models/onnx-torch215/model.onnx"]

tap = Tap()


def check_wheel(wheel: Path, unpacked: Path) -> None:
    """One wheel for all CPythons, with everything in it."""
    tap.result(bool(re.fullmatch(r"mlsched-[\d.]+-cp310-abi3-linux_\w+\.whl", wheel.name)),
               "wheel_is_for_every_cpython_from_3_10_on", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    names = {str(path.relative_to(unpacked / "mlsched")) for path in unpacked.rglob("mlsched/**/*")}
    wanted = {"py.typed", "_native.pyi", "_native.abi3.so", "libs/libjansson.so.4",
              "libs/libprotobuf-c.so.1"}
    wanted |= {path.name for path in (PYTHON / "src" / "mlsched").glob("*.py")}
    tap.result(wanted <= names, "wheel_has_types_extension_and_libraries", f"missing: {wanted - names}")
    tap.result(any(unpacked.glob("*.dist-info/**/LICENSE")), "wheel_has_the_licence")
    dynamic = subprocess.run(["readelf", "-dW", unpacked / "mlsched" / "_native.abi3.so"],
                             capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    tap.result(needed <= NEEDED, "wheel_needs_the_c_library_and_what_it_brings", f"found: {needed}")
    tap.result("$ORIGIN/libs" in dynamic, "extension_looks_beside_itself_first", dynamic)
    text = (unpacked / "mlsched" / "_native.abi3.so").read_bytes()
    tap.result(str(TOP).encode() not in text, "extension_does_not_name_the_checkout")


def check_libraries(environment: Installed, scratch: Path) -> None:
    """Which files a process that imports the package has mapped."""
    script = ("import mlsched, re; print(*sorted({line.split()[-1] for line in open('/proc/self/maps') "
              "if re.search('/(libjansson|libprotobuf-c|libmlsched|_native[.])[^/]*$', line)}), sep='\\n')")
    done = run([environment.python, "-c", script], scratch)
    outside = [line for line in done.stdout.split() if not line.startswith(str(environment.root.resolve()))]
    tap.result(done.returncode == 0 and len(done.stdout.split()) == 3 and not outside,
               "what_is_loaded_is_the_wheels_own", f"{done.stdout}{done.stderr}")


def check_types(environment: Environment, installed: Installed, scratch: Path) -> None:
    cache = ["--cache-dir", scratch / "mypy"]
    config = ["--config-file", PYTHON / "pyproject.toml"]
    done = run([environment.python, "-m", "mypy", *cache, *config, PYTHON / "src", PYTHON / "tests"],
               PYTHON)
    tap.result(done.returncode == 0, "mypy_strict_finds_nothing", done.stdout + done.stderr)
    user = scratch / "user.py"
    user.write_text("import mlsched\n\nmodel: mlsched.Model = mlsched.load('model')\n"
                    "print(model.quantize().report.agreement + 1.0)\nmodel.predict('x', out=3)\n"
                    "reveal_type(mlsched.convert('a', 'b'))\n")
    done = run([environment.python, "-m", "mypy", *cache, "--strict", "--python-executable",
                installed.python, user], scratch)
    found = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if "user.py:" in line]
    tap.result(len(found) == 2 and 'Argument "out"' in found[0] and 'Revealed type is "' in found[1]
               and "str" in found[1], "installed_package_has_types_for_its_users",
               done.stdout + done.stderr)


def run_pytest(installed: Installed, scratch: Path) -> None:
    report = scratch / "pytest.xml"
    done = run([installed.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report,
                "--basetemp", scratch / "pytest", "-c", PYTHON / "pyproject.toml", "--rootdir", PYTHON,
                PYTHON / "tests"], scratch)
    if not report.exists():
        tap.result(False, "pytest", done.stdout + done.stderr)
        return
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.')}: {case.get('name')}"
        skipped = case.find("skipped")
        wrong = [found for found in (case.find("failure"), case.find("error")) if found is not None]
        if skipped is not None:
            tap.skip(name, skipped.get("message", ""))
        else:
            tap.result(not wrong, name, "\n".join(found.text or "" for found in wrong))
    tap.result(done.returncode == 0, "pytest_ended_well", done.stdout[-3000:] + done.stderr[-3000:])


def check_tools(family: str, script: str, why: str, environment: Environment, installed: Installed,
                scratch: Path, arguments: list[Path]) -> None:
    """The package in the process of another tool, by a worker."""
    found = environments(family)
    if not found:
        tap.skip(f"python_beside_{family}", why)

    def work(other: Environment) -> subprocess.CompletedProcess[str]:
        made = beside(scratch / f"{family}-{other.name}", other, environment)
        lend(installed, made)
        directory = scratch / f"{family}-{other.name}-models"
        directory.mkdir()
        return run([made.python, Path(__file__).parent / script, directory, *arguments], scratch)

    for name, done in in_each(found, work).items():
        if not tap.result(done.returncode == 0, f"{script.removesuffix('.py')}_{name}_runs",
                          done.stdout[-2000:] + done.stderr[-4000:]):
            continue
        answer = json.loads(done.stdout.splitlines()[-1])
        results = answer.pop("results")
        print(f"# {name}: {answer}")
        for case, wrong in results:
            tap.result(not wrong, f"{script.removesuffix('.py')}_{name}: {case}", wrong)


def main() -> None:
    environment = tools()
    if not environment:
        tap.skip("python_package", WHY_NO_TOOLS)
        tap.finish()
    with Scratch() as scratch:
        _, wheel = build(environment, scratch / "dist")
        check_wheel(wheel, scratch / "unpacked")
        installed = beside(scratch / "venv", environment)
        install(installed, wheel)
        check_libraries(installed, scratch)
        check_types(environment, installed, scratch)
        run_pytest(installed, scratch)
        check_tools("tensorflow", "python_keras.py", WHY_NONE, environment, installed, scratch, [])
        check_tools("onnx", "python_onnx.py", WHY_NO_ONNX, environment, installed, scratch,
                    [TOP / name for name in MODELS])
    tap.finish()


if __name__ == "__main__":
    main()
