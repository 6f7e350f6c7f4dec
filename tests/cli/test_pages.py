#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The commands of README.md, docs/recordings.md and docs/simulator.md, typed as a reader would, in their order; longer
ones with options that make them short.  What cannot be run here is named below, with the test that has it.

(docs/python.md: tests/interop/test_python_page.py.  That all options are there: tests/cli/test_docs.sh.)"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests/lib")]

import tap  # noqa: E402

BUILD = (ROOT / os.environ.get("O", "build")).resolve()
MLSCHED = pathlib.Path(os.environ.get("MLSCHED", BUILD / "mlsched")).resolve()
SMALL = "-q -m 8c2l --seeds 1"
# How a command begins, and what is put behind it so that it takes a second.
SHORTER = {
    "sim -m 32c4l,128c16l2n -w make": SMALL,
    "sim -w own.db -m 16c2l": "-q",
    "sim -w own.db": SMALL,
    "sim -p mlsched --record sim.db": f"{SMALL} -w make",
    "sim --seeds 12 -w message": "-q",
    "sim": f"{SMALL} -w make",
    "train --from sim --workloads own.db": "-q --rounds 1 --epochs 1",
    "train --from sim": "-q --rounds 1 --epochs 1 --machines 8c2l --workloads make",
    "label ours.db -o ours": "--program-share 0.5",     # of so few programs a tenth may be none
    "eval --against-controls model -w make,my.json": "-m 8c2l --seeds 5",
}
# And what is not run, by which test it is instead.
ELSEWHERE = {
    "mlsched record ": "tests/live/test_record.sh", "mlsched run ": "tests/vm/test_boot.sh", "mlsched model ": "tests/cli/test_control.sh",
    "mlsched stats ": "tests/cli/test_control.sh", "mlsched top": "tests/cli/test_control.sh", "mlsched assess ": "tests/live/test_record.sh",
    "mlsched bench inference": "tests/cli/test_bench_inference.sh", "mlsched bench kernel": "tests/cli/test_bench_kernel.sh",
    "mlsched bench sim": "tests/cli/test_outputs.sh", "bench/vm-compare ": "tests/cli/test_vm_compare.py",
    "make ": "Makefile", "scripts/model-table.py ": "scripts/model-table.py", "src/model_dir/": "tests/interop/test_model_dir.py",
    "pip install": "tests/interop/test_python.py",
}
# What comes of it is not the page's to promise: 3 says that the refined model is not surely better.
MAY_END_WITH = {"train --from explored.db --init": (0, 3)}
RT_APP = '{"tasks":{"t":{"instance":2,"loop":50,"run":1000,"timer":{"ref":"x","period":4000}}},"global":{"duration":1}}'


def commands(page):
    """The lines of its blocks of commands, without comments; of those that go on, the whole."""
    found, language = [], None
    for line in page.read_text().replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            language = None if language is not None else line[3:]
        elif language == "":
            line = re.sub(r"(^|\s)#.*", "", line.replace("build/mlsched", "mlsched")).strip()
            if re.match(r"(mlsched [a-z]|bench/|make |scripts/|src/|pip |.*\| *mlsched )", line) and not re.match(r"mlsched \d", line):
                found.append(line)
    return found


def table_of(table, line):
    return next((value for start, value in table.items() if line.startswith(start)), None)


def follow(page, work, expected):
    """Each command in turn, in one directory; as many as are expected at least."""
    ran = 0
    for line in commands(page):
        test = table_of(ELSEWHERE, line)
        if test:
            assert (ROOT / test).exists(), test
            continue
        own = line.partition("mlsched ")[2]
        done = subprocess.run(["bash", "-c", f"{line} {table_of(SHORTER, own) or ''}"], cwd=work, capture_output=True, text=True,
                              check=False, env={**os.environ, "PATH": f"{work / 'bin'}:{os.environ['PATH']}"})
        print(f"{line}: {done.returncode}\n{done.stderr}")
        assert done.returncode in (table_of(MAY_END_WITH, own) or (0,)), f"{page.name}: {line}: {done.stderr[-800:]}"
        ran += 1
    assert ran >= expected, f"{page.name}: {ran} commands were run"


def at_work(function):
    """In a directory that has the program, the models, and the names of which the pages speak."""
    with tempfile.TemporaryDirectory(prefix="mlsched-pages-") as name:
        work = pathlib.Path(name)
        (work / "bin").mkdir()
        (work / "bin" / "mlsched").symlink_to(MLSCHED)
        (work / "models").symlink_to(ROOT / "models")
        shutil.copytree(ROOT / "models/default", work / "new_model")
        (work / "my.json").write_text(RT_APP)
        run = [MLSCHED, "sim", "-q", "-p", "mlsched", "-m", "8c2l", "-w", "make,mixed,message,server,phases", "--seeds", "2", "--explore", "0.2"]
        subprocess.run([*run, "--record", "ours.db"], cwd=work, check=True, capture_output=True)
        for other in ("own.db", "explored.db"):
            shutil.copy(work / "ours.db", work / other)
        subprocess.run([MLSCHED, "train", "-q", "--synthetic", "seed10", "--rows", "800", "--epochs", "1", "-o",
                        work / "model_path"], check=True, capture_output=True)
        (work / "src" / "model_dir").mkdir(parents=True)
        (work / "model_path").rename(work / "src" / "model_dir" / "model_path")
        function(work)


def the_readmes_commands_do_what_it_says():
    def check(work):
        follow(ROOT / "README.md", work, 9)
        assert (work / "report.html").stat().st_size > 10000 and (work / "frozen" / "saved_model.pb").exists()
        assert not (work / "frozen" / "variables").exists() and (work / "learned" / "saved_model.pb").exists()
    at_work(check)


def the_readmes_program_is_one():
    def check(work):
        body = re.search(r"```c\n#include <mlsched/mlsched.h>\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
        (work / "program.c").write_text(f"#include <stdio.h>\n#include <mlsched/mlsched.h>\nint main(void)\n{{\n{{\n{body}}}\n\treturn 0;\n}}\n")
        subprocess.run([os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", "-o", "program", "program.c",
                        BUILD / "libmlsched.so", f"-Wl,-rpath,{BUILD}"], cwd=work, check=True)
        done = subprocess.run([work / "program"], cwd=work, capture_output=True, text=True, check=True)
        assert done.stdout in ("migrate\n", "keep\n") and not done.stderr, done
    at_work(check)


def commands_about_recordings_do_what_the_page_says():
    def check(work):
        follow(ROOT / "docs/recordings.md", work, 7)
        assert all((work / "ours" / part).exists() for part in ("train.csv", "time.csv", "program.csv", "label.json"))
        assert (work / "ours.csv").stat().st_size > 10000
    at_work(check)


def commands_about_the_simulator_do_what_the_page_says():
    def check(work):
        (work / "explored.db").unlink()         # The page makes it.
        follow(ROOT / "docs/simulator.md", work, 14)
    at_work(check)


TESTS = [the_readmes_commands_do_what_it_says, the_readmes_program_is_one, commands_about_recordings_do_what_the_page_says,
         commands_about_the_simulator_do_what_the_page_says]


if __name__ == "__main__":
    sys.exit(tap.run(TESTS))
