"""The trained profile: `python -m staticpython.profile unpack | check | train | merge` (docs/profile.md).

A front-end profile of clang: counts of the source's functions, each with a hash of its syntax tree, the same for every
CPU and version of clang. `check` says how many functions the compiler could use it for.
"""

from __future__ import annotations

import argparse
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from staticpython.assemble import add_runtime, stdlib_of
from staticpython.config import ROOT
from staticpython.errors import StaticPythonError, run_main
from staticpython.target_plan import TargetPlan, read_plan

WARN_BELOW = 0.97
MAGIC = b"\xfflprofi\x81"
# The two parts of the training and their weights in the profile: train.py is shorter, and nearer to what programs do.
WEIGHTS = {"tests": 1, "train": 3}
# The first step of a package's build, as step.sh writes it into the log.
BEGINS = "\n#: begin\n"
_CALLED = re.compile(r"^  (\S+):\n(?:    .*\n)*?    Function count: (\d+)$", re.MULTILINE)
_COMPLAINT = re.compile(r"profile data may be (?:out of date|incomplete): of \d+ functions?, (\d+) ")


def functions_in(profile: bytes) -> int:
    """Return the number of functions in an indexed profile: the entries of its hash table (LLVM, InstrProf.h)."""
    if profile[:8] != MAGIC:
        raise StaticPythonError("not an indexed profile of LLVM")
    (table,) = struct.unpack_from("<Q", profile, 32)
    _, entries = struct.unpack_from("<QQ", profile, table)
    return int(entries)


def unmatched_in(log: str) -> int:
    """Return how many functions clang found no data for, or data of another version, since the last build began."""
    return sum(int(m.group(1)) for m in _COMPLAINT.finditer(log.rpartition(BEGINS)[2]))


def check(profile: Path, logs: list[Path]) -> str:
    """Return the report on a build with these logs, with a warning when the profile is stale."""
    functions = functions_in(profile.read_bytes())
    unmatched = sum(unmatched_in(log.read_text(encoding="utf-8", errors="replace")) for log in logs)
    share = functions / (functions + unmatched)
    report = f"profile   {profile.name}: fits {share:.1%} of the functions, {unmatched} of {functions + unmatched} not"
    if share < WARN_BELOW:
        report += f"\nwarning: the profile is stale: below {WARN_BELOW:.0%}; train it anew (docs/profile.md)"
    return report


def unpack(packed: Path, file: Path) -> None:
    """Unpack a profile for the compiler, or copy a list of functions for the linker."""
    data = packed.read_bytes()
    if packed.suffix == ".xz":
        data = lzma.decompress(data)
        functions_in(data)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.new")
    temporary.write_bytes(data)
    temporary.replace(file)


def train(plan: TargetPlan, build: Path) -> None:
    """Run the workloads with the interpreter in `build`, which adds its counts to those in `build`/raw."""
    raw, library = build / "raw", build / "runtime"
    raw.mkdir(exist_ok=True)
    shutil.rmtree(library, ignore_errors=True)
    library.mkdir()
    add_runtime(library, plan, build.parent.parent)
    environment = os.environ | {
        "PYTHONPATH": str(stdlib_of(library, plan.series).resolve()),
        "PYTHONPYCACHEPREFIX": str((build / "pycache").resolve()),
        "PYTHONHASHSEED": "0",
    }
    python = str((build / "python").resolve())
    workload = str(ROOT / "profiles/train.py")
    # Once for the compiled files, which are not part of the training.
    subprocess.run([python, workload], check=True, env=environment | {"LLVM_PROFILE_FILE": "/dev/null"})
    for name, command in {"train": [workload], "tests": ["-m", "test", "--pgo", "--timeout=1200"]}.items():
        where = {"LLVM_PROFILE_FILE": str(raw.resolve() / f"{name}-%2m.profraw")}
        run = subprocess.run([python, *command], check=False, env=environment | where)
        print(f"{name}: exit code {run.returncode}")
        if run.returncode and name == "train":
            raise StaticPythonError(f"{workload} failed with exit code {run.returncode}")
    where = {"LLVM_PROFILE_FILE": str(raw.resolve() / "start-%2m.profraw")}
    subprocess.run([python, "-c", "pass"], check=True, env=environment | where)


def called_in(shown: str) -> list[str]:
    """Return the names of functions that were called, the most called first, of what `llvm-profdata show` printed."""
    calls: dict[str, int] = {}
    for name, count in _CALLED.findall(shown):
        # The file of a static function stands before its name.
        calls[re.split("[;:]", name)[-1]] = int(count)
    return [name for name in sorted(calls, key=lambda n: (-calls[n], n)) if calls[name]]


def merge(raw: Path, profdata: Path, result: Path) -> None:
    """Merge what the workloads wrote into `raw`: `result`.profdata.xz, with their weights, and `result`.order."""
    for name in (*WEIGHTS, "start"):
        subprocess.run([profdata, "merge", "-o", raw / name, *sorted(raw.glob(f"{name}-*.profraw"))], check=True)
    weighted = [f"-weighted-input={weight},{raw / name}" for name, weight in WEIGHTS.items()]
    subprocess.run([profdata, "merge", "-o", raw / "merged", *weighted], check=True)
    merged = (raw / "merged").read_bytes()
    packed = lzma.compress(merged, preset=9 | lzma.PRESET_EXTREME)
    Path(f"{result}.profdata.xz").write_bytes(packed)
    show = subprocess.run([profdata, "show", "--all-functions", raw / "start"], check=True, stdout=subprocess.PIPE)
    called = called_in(show.stdout.decode())
    uncounted = (ROOT / "profiles/uncounted.order").read_text(encoding="utf-8")
    Path(f"{result}.order").write_text("\n".join(called) + "\n" + uncounted, encoding="utf-8")
    print(f"{result}: {functions_in(merged)} functions, {len(packed)} bytes; start-up calls {len(called)}")


def main(arguments: list[str] | None = None) -> int:
    """Unpack, check or train a profile; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.profile", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("unpack").add_argument
    add("packed", type=Path)
    add("file", type=Path)
    add = commands.add_parser("check").add_argument
    add("profile", type=Path)
    add("--logs", type=Path, nargs="+", required=True)
    add = commands.add_parser("train").add_argument
    add("--plan", type=Path, required=True)
    add("--build", type=Path, required=True)
    add = commands.add_parser("merge").add_argument
    add("raw", type=Path)
    add("--profdata", type=Path, required=True)
    add("--result", type=Path, required=True)
    options = parser.parse_args(arguments)

    def body() -> int:
        if options.command == "unpack":
            unpack(options.packed, options.file)
        elif options.command == "check":
            print(check(options.profile, options.logs))
        elif options.command == "train":
            train(read_plan(options.plan), options.build)
        else:
            merge(options.raw, options.profdata.resolve(), options.result)
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
