"""Count another CPU's instructions in qemu-user: `python -m bench.guest QEMU NAME=PYTHON NAME=PYTHON`.

    python -m bench.guest qemu-aarch64 plain=.../bin/python3 ours=.../bin/python3

prints the others' instructions, divided by those of the last one, for each benchmark of a group (`language`) and for
start-up. QEMU must support plugins: Debian's qemu-user does, qemu-user-static does not.
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.baselines import BenchError, environment
from bench.suites import timed_command, timed_input
from staticpython.benchmarks import Group, load_bench
from staticpython.errors import UsageError, run_main

PLUGIN = Path(__file__).with_name("insns.c")
LOOPS = 10


def build_plugin(folder: Path) -> Path:
    """Compile the plugin with this machine's compiler; return the shared object."""
    plugin = folder / "insns.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(PLUGIN), "-o", str(plugin)], check=True)
    return plugin


def instructions(qemu: list[str], command: list[str], text: str = "") -> int:
    """Return how many of the guest's instructions a command takes."""
    with tempfile.NamedTemporaryFile("r") as log:
        run = subprocess.run(
            [*qemu, "-d", "plugin", "-D", log.name, *command],
            input=text,
            env=environment() | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.findall(r"^instructions: (\d+)$", log.read(), re.MULTILINE)
    if run.returncode or not found:
        raise BenchError(f"{' '.join(command[:2])}: exit code {run.returncode}; {run.stderr[-200:]}")
    return int(found[-1])


def count(qemu: list[str], python: Path, group: Group) -> dict[str, int]:
    """Return benchmark -> instructions: for start-up all of them, for a statement those of one more execution."""
    command = timed_command(python)
    before = instructions(qemu, command, timed_input(group, loops={}))
    found = {"-c pass": instructions(qemu, [str(python), "-c", "pass"])}
    for name in group.statements:
        found[name] = (instructions(qemu, command, timed_input(group, loops={name: LOOPS})) - before) // LOOPS
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench.guest", description=__doc__)
    parser.add_argument("qemu")
    parser.add_argument("interpreters", nargs="+", metavar="NAME=PYTHON")
    parser.add_argument("--group", default="language")
    options = parser.parse_args(arguments)

    def body() -> int:
        groups = load_bench().micro
        if options.group not in groups:
            raise UsageError(f"no group '{options.group}' ({', '.join(groups)})")
        pythons = dict(text.split("=", 1) for text in options.interpreters if "=" in text)
        if len(pythons) != len(options.interpreters):
            raise UsageError("an interpreter is given as NAME=PYTHON")
        with tempfile.TemporaryDirectory() as folder:
            qemu = [options.qemu, "-plugin", str(build_plugin(Path(folder)))]
            counts = {name: count(qemu, Path(path), groups[options.group]) for name, path in pythons.items()}
        *others, last = counts
        print(f"| benchmark | {' | '.join(f'{name} / {last}' for name in others)} |")
        print("| --- |" + " ---: |" * len(others))
        for benchmark, ours in counts[last].items():
            print(f"| {benchmark} | {' | '.join(f'{counts[n][benchmark] / ours:.2f}' for n in others)} |")
        small = [b for b in counts[last] if b in groups[options.group].statements]
        means = [math.exp(sum(math.log(counts[n][b] / counts[last][b]) for b in small) / len(small)) for n in others]
        print(f"| **geometric mean of {options.group}** | {' | '.join(f'**{mean:.2f}**' for mean in means)} |")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
