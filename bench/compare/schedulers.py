# SPDX-License-Identifier: GPL-2.0
"""What is compared: one table of schedulers, and which files a run of each depends on."""

import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess

OURS = "mlsched run --json --backend scx --interval 1000"
DUMMY = "/nonexistent"
MECHANISMS = " --mechanisms all"
# Models that decide by one thing or by nothing, as tests/live/constant_model.c takes them.
CONSTANTS = {
    "refuse": ["-5"],
    "accept": ["5"],
    # By the input of mig15 that is 1 within a last-level cache and 0 beyond.
    "refuse-llc": ["-5", "15", "mig15", "2", "10"],
}


class Scheduler:
    """One row of a comparison.

    name:     in results and tables
    title:    what the tables call it
    program:  path of its program on the host, or None for the kernel's own
    command:  in the guest, or None
    ours:     of the program only its BPF objects matter; of others the crate's version
    models:   {path on the host: path in the guest}
    tie:      of the load (a control under the kernel's own scheduler)
    """

    def __init__(self, name, title, program=None, command=None, models=None, tie=None, ours=False):
        self.name, self.title, self.program, self.command, self.ours = name, title, program, command, ours
        self.models, self.tie = models or {}, tie


EM_BPF = 247


def bpf_objects_in(program):
    """The BPF programs that libbpf's skeletons have put into a program, as bytes."""
    at = -1
    while (at := program.find(b"\x7fELF\x02\x01\x01", at + 1)) >= 0:
        head = program[at:at + 64]
        if len(head) < 64 or struct.unpack_from("<H", head, 18)[0] != EM_BPF:
            continue
        (sections,), (size, n) = struct.unpack_from("<Q", head, 40), struct.unpack_from("<HH", head, 58)
        yield program[at:at + sections + size * n]


def schedules_in(program, directory):
    """A file with what in our program schedules: its BPF objects, the policy's numbers among them.

    All else of it loads them, waits and counts: results stay good when that changes.
    """
    objects = list(bpf_objects_in(pathlib.Path(program).read_bytes()))
    if not objects:
        raise ValueError(f"{program}: expected BPF programs in it, found none")
    file = pathlib.Path(directory) / "schedules"
    file.write_bytes(b"".join(objects))
    return file


def named_in(program, directory):
    """A file with the crate and version that a published scheduler was built from (DIR/NAME-VERSION/bin/NAME).

    With the crate's own lock file that is all its source.  Two builds of it differ in their bits, for
    paths of the build are in them, and not in what they do.
    """
    file = pathlib.Path(directory) / "crate"
    file.write_text(pathlib.Path(program).parent.parent.name + "\n", encoding="utf-8")
    return file


PROVENANCE = "provenance"


def decides_in(model, directory):
    """A model without what its training says of itself, which moves no task: results stay good when that changes.

    model:      a directory on the host
    directory:  where a copy can be made
    returns:    the model itself when it has none of that
    """
    model = pathlib.Path(model)
    metadata = model / "assets/mlsched.json"
    if not metadata.exists() or PROVENANCE not in (text := json.loads(metadata.read_text(encoding="utf-8"))):
        return model
    copy = pathlib.Path(directory) / "decides"
    shutil.copytree(model, copy)
    del text[PROVENANCE]
    (copy / "assets/mlsched.json").write_text(json.dumps(text, sort_keys=True), encoding="utf-8")
    return copy


def digest_of(paths):
    """A hash of the contents of files and directories, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        path = pathlib.Path(path)
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(str(file.relative_to(path)).encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def stripped(program, directory):
    """A copy without what no instruction depends on: debug information, symbols, build id.

    Debug information holds the path of the build, and its size would move the time at
    which the guest has unpacked its files.
    """
    copy = pathlib.Path(directory) / pathlib.Path(program).name
    if not os.access(program, os.X_OK):
        raise FileNotFoundError(f"{program}: no such program")
    subprocess.run(["strip", "--strip-all", "--remove-section=.note.gnu.build-id", "--remove-section=.comment",
                    "-o", copy, program], check=True)
    return copy


def peers(directory):
    """Every published scheduler that bench/peers/build-schedulers.sh has built: DIR/NAME-VERSION/bin/NAME."""
    found = []
    for program in sorted(pathlib.Path(directory).glob("scx_*-*/bin/scx_*")):
        version = program.parent.parent.name.removeprefix(program.name + "-")
        name = f"{program.name.removeprefix('scx_')}-{version}"
        found.append(Scheduler(name, f"{program.name} {version}", program, f"/bin/{program.name}"))
    return found


def ours(program, model, constants, options="", tag=""):
    """mlsched with no model, with the constant ones, with the default one; without and with all mechanisms."""
    suffix = f"-{tag}" if tag else ""
    command = f"{OURS} {options}".rstrip()

    def without_model(name, title, more=""):
        return Scheduler(name + suffix, title + suffix, program, f"{command} --mode collect --model {DUMMY}{more}",
                         ours=True)

    def with_model(name, title, path, more=""):
        return Scheduler(name + suffix, title + suffix, program, f"{command} --model /model{more}", {path: "/model"},
                         ours=True)

    return [
        without_model("heuristic", "mlsched, no model"),
        without_model("mechanisms", "mlsched, all mechanisms", MECHANISMS),
        with_model("refuse-llc", "mlsched, LLC kept", constants / "refuse-llc"),
        with_model("mechanisms-refuse-llc", "mlsched, all mechanisms, LLC kept", constants / "refuse-llc", MECHANISMS),
        with_model("refuse", "mlsched, always refuse", constants / "refuse"),
        with_model("accept", "mlsched, always accept", constants / "accept"),
        with_model("model", "mlsched, default model", model),
    ]


def kernels_own():
    """EEVDF, and the same with threads tied by what someone knows in advance."""
    return [
        Scheduler("eevdf", "EEVDF"),
        Scheduler("eevdf-home", "EEVDF, LLC kept", tie="home"),
        Scheduler("eevdf-cache", "EEVDF, LLC by work", tie="cache"),
    ]
