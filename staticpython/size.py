"""What an interpreter is made of: `python -m staticpython.size --plan PLAN --map MAP --tree TREE`.

The map is the linker's (`-Map`): of each section it says which object of which library it came from.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath

from rich.console import Console
from rich.table import Table

from staticpython.errors import VerifyError, run_main
from staticpython.target_plan import TargetPlan, read_plan

# Sections of the output by what they are; the others are constants. What is zero at the start is not in the file.
KINDS = {
    "code": r"\.(text|init|fini|plt|iplt)\b.*",
    "data": r"\.(data|tdata|got|init_array|fini_array|dynamic)\b.*",
    "zero": r"\.(bss|tbss|relro_padding)\b.*",
}
COLUMNS = ("code", "constants", "data", "zero")

# LLD: VMA, LMA, size and alignment, then the output section, or eight columns on what came in, and then its symbols.
LLD_LINE = re.compile(r" *([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+) +\d+ (?:(\.\S+)|        (\S.*):\(.*\))$")
# GNU ld: an output section begins its line, an input section stands one space in; address and size may be on the next.
GNU_LINE = re.compile(r"( ?)(\.[\w.$-]+|COMMON) +0x([0-9a-f]+) +0x([0-9a-f]+)(?: +(?!load address)(\S.*))?")


def input_sections(text: str) -> Iterator[tuple[str, str, int]]:
    """Read a linker's map; give output section, the file that something in it came from, and its bytes.

    Sections that are not loaded (debug information, comments) are left out.
    """
    output = ""
    if text.lstrip().startswith("VMA"):
        for line in text.splitlines():
            if found := LLD_LINE.fullmatch(line):
                address, size, section, source = found.groups()
                output = section or output
                if source and int(address, 16):
                    yield output, source, int(size, 16)
        return
    # What was thrown away stands before the memory map.
    body = re.sub(r"\n( ?[.\w$-]+)\n +0x", r"\n\1 0x", text.partition("Linker script and memory map")[2])
    for line in body.splitlines():
        if found := GNU_LINE.match(line):
            indent, section, address, size, source = found.groups()
            output = output if indent else section
            if indent and source and int(address, 16):
                yield output, source, int(size, 16)


def kind_of(section: str) -> str:
    """Return the column of an output section."""
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, section)), "constants")


def package_of(source: str, owners: dict[str, str]) -> str:
    """Return the package that a file in the map belongs to: `libssl.a(ssl_lib.o)` to the one that installs libssl.a."""
    if source.startswith("<"):
        return "the linker's tables, merged strings"
    return owners.get(PurePath(source.partition("(")[0]).name, "cpython")


def sizes(text: str, plan: TargetPlan) -> dict[str, Counter[str]]:
    """Return package -> kind -> bytes."""
    owners = {PurePath(file).name: p.name for p in plan.packages for file in p.installs}
    result: dict[str, Counter[str]] = {}
    for section, source, size in input_sections(text):
        result.setdefault(package_of(source, owners), Counter())[kind_of(section)] += size
    return result


def in_file(row: Counter[str]) -> int:
    """Return the bytes that a row takes in the file."""
    return row.total() - row["zero"]


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.size", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--map", type=Path, required=True)
    parser.add_argument("--tree", type=Path, required=True)
    options = parser.parse_args(arguments)

    def body() -> int:
        try:
            text = options.map.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError as error:
            raise VerifyError(f"{options.map}: no map of the link; build with `make cpython-rebuild`") from error
        report(sizes(text, read_plan(options.plan)), options.tree)
        return 0

    return run_main(body)


def report(rows: dict[str, Counter[str]], tree: Path) -> None:
    """Print what the interpreter and its tree are made of."""
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    binary = (tree / "bin/python3").resolve()
    table = Table(f"{tree.name}, KiB", *COLUMNS, "in the file", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in sorted(rows.items(), key=lambda item: -in_file(item[1])):
        table.add_row(name, *(f"{row[kind] / 1024:,.0f}" for kind in COLUMNS), f"{in_file(row) / 1024:,.0f}")
    whole = sum(rows.values(), Counter())
    table.add_row("together", *(f"{whole[kind] / 1024:,.0f}" for kind in COLUMNS), f"{in_file(whole) / 1024:,.0f}")
    console.print(table, f"{binary.name}: {binary.stat().st_size / 1024:,.0f}, padding and headers included", "")
    parts = Table("the tree, KiB", "", box=None, pad_edge=False)
    parts.columns[1].justify = "right"
    for part in sorted(tree.iterdir()):
        files = [part, *part.rglob("*")]
        size = sum(f.stat().st_size for f in files if f.is_file() and not f.is_symlink())
        parts.add_row(part.name, f"{size / 1024:,.0f}")
    console.print(parts)


if __name__ == "__main__":
    sys.exit(main())
