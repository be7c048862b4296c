"""The build's summary: `python -m staticpython.report BUILD --tree TREE...`: seconds per package, sizes, SHA-256."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from staticpython.fetched import sha256_of


def seconds_by_package(times: Path) -> dict[str, dict[str, int]]:
    """Read a times.tsv; return package -> step -> seconds of its last run."""
    result: dict[str, dict[str, int]] = defaultdict(dict)
    for line in times.read_text(encoding="utf-8").splitlines():
        package, step, seconds = line.split("\t")
        if step in ("begin", "empty"):  # only make room
            continue
        result[package][step] = int(seconds)
    return result


def main(arguments: list[str] | None = None) -> int:
    """Print the summary; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.report", description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--tree", type=Path, action="append", default=[])
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    for times in sorted(options.build.glob("*/times.tsv")):
        table = Table("package", "steps (s)", title=times.parent.name, title_justify="left", box=None, pad_edge=False)
        table.add_column("total", justify="right")
        for package, steps in seconds_by_package(times).items():
            table.add_row(package, "  ".join(f"{s} {n}" for s, n in steps.items()), str(sum(steps.values())))
        console.print(table, "")
    for tree in options.tree:
        binary = (tree / "bin/python3").resolve()
        size = binary.stat().st_size / 2**20
        console.print(f"{tree}/bin/python3  {size:.1f} MiB  sha256 {sha256_of(binary)}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
