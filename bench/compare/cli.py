# SPDX-License-Identifier: GPL-2.0
"""The command line of vm-compare."""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

from compare import guests, loads, numbers, page, plot, results, schedulers, simulation, tables

PROFILES = ("make", "message", "mixed", "imbalance")
CACHE = os.environ.get("MLSCHED_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mlsched")

# What is built: of scripts/vm/versions.sh.
SOURCE = "lua5.4"

Job = collections.namedtuple("Job", "run scheduler load")


def words(text):
    return [word for word in text.replace(",", " ").split() if word]


def fail(text):
    sys.exit(f"vm-compare: {text}")


# ---- run ------------------------------------------------------------------------


def make(build, *targets):
    # As the Makefile itself names it: another name is another build.
    build = build.relative_to(guests.ROOT) if build.is_relative_to(guests.ROOT) else build
    targets = [f"{build}/{target}" for target in targets]
    done = subprocess.run(["make", "-s", "--no-print-directory", f"O={build}", *targets], cwd=guests.ROOT,
                          stdout=sys.stderr, check=False)
    if done.returncode:
        fail(f"make {' '.join(targets)} failed")


def choose(args, directory):
    """The schedulers that were asked for, by name."""
    mlsched = args.mlsched or args.build / "mlsched"
    constants = pathlib.Path(directory)
    every = schedulers.kernels_own() + schedulers.ours(
        mlsched, args.model, constants, args.mlsched_options, args.tag) + schedulers.peers(args.peers)
    table = {s.name: s for s in every}
    suffix = f"-{args.tag}" if args.tag else ""
    chosen = []
    for name in words(args.schedulers):
        if name == "peers":
            chosen += schedulers.peers(args.peers)
        elif name in table or name + suffix in table:
            chosen.append(table.get(name + suffix) or table[name])
        else:
            fail(f"scheduler {name}: expected one of {' '.join(table)}, or peers (those in {args.peers})")
    return chosen


def write_constants(build, directory):
    for name, (logit, *more) in schedulers.CONSTANTS.items():
        subprocess.run([build / "vm/constant_model", logit, pathlib.Path(directory) / name, *more], check=True)


def describe():
    """The commit that changed our program last, of those that we are built from."""
    sources = ("Makefile", "bpf", "core", "include", "src")

    def git(*arguments):
        return subprocess.run(["git", *arguments, "--", *sources], cwd=guests.ROOT, capture_output=True, text=True,
                              check=False)

    commit = git("log", "-1", "--abbrev=12", "--format=%h").stdout.strip()
    return commit + ("" if git("diff", "--quiet", "HEAD").returncode == 0 else "-dirty")


# What makes the guest, for all runs.
MACHINE = [guests.HERE / "guest.sh", guests.ROOT / "scripts/vm/machine.sh", guests.ROOT / "scripts/vm/guest-init"]


def plan(args, chosen, inputs, load_of):
    """Every run, repetitions outermost, the schedulers in rotating order.

    inputs: {(scheduler's name, load of loads.py): hash of what the run depends on}
    load_of: {profile: load}
    """
    cells = [(t, p) for t in words(args.topologies) for p in words(args.profiles)]
    git = describe()
    jobs = []
    for seed in range(1, args.reps + 1):
        for number, (topology, profile) in enumerate(cells):
            turn = (seed + number) % len(chosen)
            load = load_of[profile]
            for s in chosen[turn:] + chosen[:turn]:
                if s.tie and profile == loads.COMPILE:
                    fail(f"{s.name}: the processes of {profile} cannot be tied")
                jobs.append(Job({
                    "scheduler": s.name, "title": s.title, "topology": topology, "profile": profile, "seed": seed,
                    "kernel": args.kernel, "options": args.load_options, "command": s.command or "",
                    "inputs": inputs[s.name, load], "git": git, **({"traced": True} if args.trace else {})}, s, load))
    if args.only:
        asked = words(args.only)
        jobs = [j for j in jobs if f"{j.run['topology']}/{j.run['profile']}" in asked]
    return jobs


class Progress:
    """One line for each run that ended."""

    def __init__(self, total):
        self.total, self.done, self.started, self.lock = total, 0, time.monotonic(), threading.Lock()

    def show(self, run):
        self.done += 1
        passed = time.monotonic() - self.started
        left = passed / self.done * (self.total - self.done)
        load = run.get("load") or {}
        what = run["failed"] and f"FAILED: {run['failed'].splitlines()[0]}" or (
            f"makespan {load['makespan_ms']:.0f} ms, {load['moves']} moves, "
            f"wake-up p99 {load['wakeup_p99_us'] / 1e3:.1f} ms, wait p99 {load['wait_p99_us'] / 1e3:.1f} ms")
        print(f"[{self.done}/{self.total}, {left / 60:.0f} min left] {run['topology']} {run['profile']} "
              f"{run['scheduler']} seed {run['seed']}: {what}", file=sys.stderr, flush=True)


def run_all(jobs, args, programs):
    progress, bad = Progress(len(jobs)), []
    places = max(args.jobs, int(os.environ.get("MLSCHED_VM_GUESTS") or 1))
    pool = concurrent.futures.ThreadPoolExecutor(args.jobs)
    with results.opened(args.output) as file:
        waiting = [pool.submit(guests.execute, j.run, j.scheduler, programs, j.load, places) for j in jobs]
        try:
            for future in concurrent.futures.as_completed(waiting):
                try:
                    run = future.result()
                except guests.GuestDied as error:
                    bad.append(error)
                    print(f"vm-compare: {error}", file=sys.stderr)
                    continue
                results.append(file, run)
                progress.show(run)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            guests.end_all()
            fail("interrupted; the same command goes on from here")
    if bad:
        fail(f"{len(bad)} runs have no result; the same command tries them again")


def loads_of(args, directory):
    """{profile: load} of those that were asked for."""
    asked, found = words(args.profiles), {}
    unknown = set(asked) - set(PROFILES) - {loads.COMPILE}
    if unknown:
        fail(f"profile {min(unknown)}: expected one of {' '.join(PROFILES)} {loads.COMPILE}")
    if set(asked) & set(PROFILES):
        kind = loads.Traced if args.trace else loads.Workload
        workload = kind(schedulers.stripped(args.build / "vm/mls-workload", directory))
        found.update((name, workload) for name in asked if name in PROFILES)
    if loads.COMPILE in asked:
        tree = loads.compile_tree(SOURCE)
        if not tree:
            fail(f"{SOURCE} is not there to be compiled")
        found[loads.COMPILE] = loads.Compile(tree)
    return found


def refuse_a_mixed_file(runs, trace, path):
    """A file holds runs with --trace or without: of each scheduler only the newest are shown."""
    if any(bool(run.get("traced")) != trace for run in runs):
        fail(f"{path}: has runs {'without' if trace else 'with'} --trace: expected a file of its own for those {'with' if trace else 'without'}")


def command_run(args):
    targets = ["vm/mls-workload"]
    asked = words(args.schedulers)
    if any(name in asked for of in schedulers.CONSTANTS for name in (of, f"mechanisms-{of}")):
        targets.append("vm/constant_model")
    make(args.build, *targets)
    with tempfile.TemporaryDirectory(prefix="vm-compare-") as directory:
        if len(targets) > 1:
            write_constants(args.build, directory)
        chosen = choose(args, directory)
        load_of = loads_of(args, directory)
        programs, matters, inputs = {}, {}, {}
        for s in chosen:
            if s.program and s.program not in programs:
                place = tempfile.mkdtemp(dir=directory)
                programs[s.program] = schedulers.stripped(s.program, place)
                matters[s.program] = (schedulers.schedules_in if s.ours else schedulers.named_in)(s.program, place)
            for model in s.models:
                if model not in matters:
                    matters[model] = schedulers.decides_in(model, tempfile.mkdtemp(dir=directory))
            for load in set(load_of.values()):
                inputs[s.name, load] = schedulers.digest_of(
                    load.inputs + MACHINE + [matters[of] for of in ([s.program] if s.program else []) + list(s.models)])
        jobs = plan(args, chosen, inputs, load_of)
        known = results.read(args.output)
        refuse_a_mixed_file(known, args.trace, args.output)
        there = {results.key_of(run) for run in known if not (run["failed"] and args.retry)}
        missing = [job for job in jobs if results.key_of(job.run) not in there]
        print(f"vm-compare: {len(jobs)} runs, {len(jobs) - len(missing)} of them are in {args.output}", file=sys.stderr)
        run_all(missing, args, programs)


# ---- what is there ---------------------------------------------------------------


def read_newest(path):
    runs = results.newest(results.read(path))
    if not runs:
        fail(f"{path}: no results")
    return runs


def command_table(args):
    runs = read_newest(args.file)
    print(json.dumps(numbers.summary(runs), indent=1) if args.json else tables.markdown(runs))


def command_plot(args):
    if args.simulated:
        try:
            text = plot.svg_of_simulated(json.loads(pathlib.Path(args.file).read_text(encoding="utf-8"))["runs"])
        except (json.JSONDecodeError, KeyError) as error:
            fail(f"{args.file}: expected what `mlsched sim --json` prints: {error!r}")
    else:
        text = plot.svg(read_newest(args.file))
    if args.output:
        pathlib.Path(args.output).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


def command_page(args):
    def name_of(path):
        file = pathlib.Path(path).resolve()
        return file.relative_to(guests.ROOT) if file.is_relative_to(guests.ROOT) else file.name

    runs = read_newest(args.file)
    built = page.Built(results.newest(results.read(args.compile)), name_of(args.compile))
    traced = page.Built(results.newest(results.read(args.traced)), name_of(args.traced))
    controls = page.Built(results.newest(results.read(args.controls)), name_of(args.controls))
    (guests.ROOT / "docs/comparison.md").write_text(page.page(runs, name_of(args.file), built, traced, controls),
                                                    encoding="utf-8")
    (guests.ROOT / "docs/comparison.svg").write_text(plot.svg(runs), encoding="utf-8")


# ---- the command line -----------------------------------------------------------


def command_simulation(args):
    runs = [run for run in results.newest(results.read(args.file)) if not run["options"]]
    if not runs:
        fail(f"{args.file}: no results")
    make(args.build, "mlsched")
    rows = simulation.rows_of(args.build / "mlsched", args.model, runs)
    if args.json:
        print(json.dumps(rows))
        return
    print(simulation.summary(rows))
    print()
    print(simulation.table(rows))


def parser():
    top = argparse.ArgumentParser(prog="vm-compare", description="Compares schedulers in virtual machines whose time "
                                  "goes by instructions: the same numbers on every host, to the bit.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run what is missing in a file of results")
    run.set_defaults(function=command_run)
    run.add_argument("-o", "--output", required=True, metavar="FILE", help="of results, JSON lines; appended to")
    run.add_argument("--schedulers", default="eevdf,heuristic,refuse,accept,model,peers", metavar="LIST",
                     help="eevdf eevdf-home eevdf-cache heuristic mechanisms refuse-llc mechanisms-refuse-llc refuse "
                          "accept model, a peer's name, peers (%(default)s)")
    run.add_argument("--profiles", default=",".join(PROFILES), metavar="LIST",
                     help=f"{' '.join(PROFILES)}, and {loads.COMPILE}: a real one (%(default)s)")
    run.add_argument("--topologies", default=",".join(numbers.TOPOLOGIES), metavar="LIST",
                     help="as for scripts/vm/run, such as 2x2x2 (%(default)s)")
    run.add_argument("--only", metavar="LIST", help="of all cells only these: TOPOLOGY/PROFILE")
    run.add_argument("--reps", type=int, default=5, metavar="N", help="seeds 1 to N (%(default)s)")
    run.add_argument("--kernel", default="6.18.15", metavar="VERSION", help="as for scripts/vm/run (%(default)s)")
    run.add_argument("--jobs", type=int, default=int(os.environ.get("MLSCHED_VM_GUESTS") or os.cpu_count() or 1),
                     metavar="N", help="guests at a time; they do not disturb each other (%(default)s)")
    run.add_argument("--mlsched", type=pathlib.Path, metavar="PATH", help="another program than the build's")
    run.add_argument("--mlsched-options", default="", metavar="TEXT", help="more options for mlsched run")
    run.add_argument("--tag", default="", metavar="WORD", help="added to the names of our schedulers, to compare builds")
    run.add_argument("--model", type=pathlib.Path, default=guests.ROOT / "models/default", metavar="DIR",
                     help="the default model (%(default)s)")
    run.add_argument("--peers", type=pathlib.Path, default=os.path.join(CACHE, "peers"), metavar="DIR",
                     help="where bench/peers/build-schedulers.sh puts them (%(default)s)")
    run.add_argument("--load-options", default="", metavar="TEXT", help="more options for the load, such as \"-n 20\"; of compile: JOBS and flags for gcc")
    run.add_argument("--trace", action="store_true", help="count the time of CPUs that idle beside waiting threads, "
                     "by the kernel's events; into a file of its own: they take time")
    run.add_argument("--retry", action="store_true", help="repeat what failed, too")
    run.add_argument("--build", type=pathlib.Path, default=guests.ROOT / "build", metavar="DIR", help="(%(default)s)")
    shown = (
        ("table", "show results as tables (markdown)", command_table),
        ("plot", "write results as an SVG", command_plot),
        ("simulation", "the same loads simulated, beside results (markdown)", command_simulation),
        ("page", "write docs/comparison.md and its plot from results", command_page),
    )
    for name, text, function in shown:
        command = commands.add_parser(name, help=text)
        command.set_defaults(function=function)
        command.add_argument("file", metavar="FILE", help="of results")
        if name == "simulation":
            command.add_argument("--build", type=pathlib.Path, default=guests.ROOT / "build", metavar="DIR",
                                 help="(%(default)s)")
            command.add_argument("--model", type=pathlib.Path, default=guests.ROOT / "models/default", metavar="DIR",
                                 help="what model is in them (%(default)s)")
        if name in ("table", "simulation"):
            command.add_argument("--json", action="store_true", help="one document")
        if name == "page":
            command.add_argument("--compile", default=guests.ROOT / "bench/results/vm-compile.jsonl", metavar="FILE",
                                 help="of results of the load compile (%(default)s)")
            command.add_argument("--traced", default=guests.ROOT / "bench/results/vm-traced.jsonl", metavar="FILE",
                                 help="of results with --trace (%(default)s)")
            command.add_argument("--controls", default=guests.ROOT / "bench/results/vm-controls.jsonl", metavar="FILE",
                                 help="of results of controls with fewer seeds (%(default)s)")
        if name == "plot":
            command.add_argument("-o", "--output", metavar="FILE", help="instead of standard output")
            command.add_argument("--simulated", action="store_true", help="the file is what `mlsched sim --json` prints")
    return top


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    # In the background of a shell SIGINT is ignored; both end it, with its guests.
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    args = parser().parse_args()
    args.function(args)
