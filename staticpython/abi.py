"""Compare the constants and types of glibc's headers with those of the C library that was built (docs/loader.md).

`python -m staticpython.abi --plan build/<target>/plan.json`: a library that was compiled with glibc's headers passes
their values to musl. glibc's headers are those of the toolchain's zig, for the newest glibc that wheels may ask for;
`--headers /usr/include/x86_64-linux-gnu --headers /usr/include` uses a Debian machine's. `tests/build/glibc_abi.yml`
must list each difference, with a reason; exit code 1 if one is missing there, or no longer exists.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from staticpython.config import ROOT
from staticpython.errors import StaticPythonError, UsageError, run_main
from staticpython.schema import key, load
from staticpython.target_plan import TargetPlan, read_plan

EXPECTED = ROOT / "tests/build/glibc_abi.yml"
FOLDERS = ("", "arpa", "net", "netinet", "netpacket", "sys")
DIAGNOSTICS = ("-ferror-limit=0", "-fno-caret-diagnostics", "-fmacro-backtrace-limit=1")
ROUNDS = 8  # some faults show up only when others are gone


@dataclass(frozen=True)
class Difference:
    """Constants and types that differ between glibc and musl, for one reason."""

    reason: str = key("Why the difference does no harm, or what goes wrong.")
    handled: str = key("The file that bridges the difference.", default="")
    constants: list[str] = key("Names of constants; shell patterns.", default=[])
    types: list[str] = key("Names of types, or `type.field`; shell patterns.", default=[])


@dataclass(frozen=True)
class Abi:
    """`tests/build/glibc_abi.yml`."""

    left_out: dict[str, str] = key("Header that is not compared -> why.")
    differences: list[Difference] = key("What differs.")


class AbiError(StaticPythonError):
    """The compiler failed."""

    exit_code = 10


@dataclass(frozen=True)
class Side:
    """One C library's headers, and a compiler for them."""

    name: str
    compiler: list[str]

    def run(self, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Compile a text."""
        command = [*self.compiler, "-w", "-D_GNU_SOURCE", *DIAGNOSTICS, *flags, "-x", "c", "-"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    def must(self, text: str, *flags: str) -> str:
        """Compile a text that must be valid; return the compiler's output."""
        done = self.run(text, *flags)
        if done.returncode:
            raise AbiError(f"the headers of {self.name} do not compile:\n{done.stderr[:2000]}")
        return done.stdout

    def without_faults(self, head: str, lines: dict[str, str], *flags: str) -> tuple[list[str], str]:
        """Compile lines after a head, dropping those with errors; return the names of the rest, and the output."""
        lines, before = dict(lines), head.count("\n")
        for _ in range(ROUNDS):
            done = self.run(head + "".join(f"{line}\n" for line in lines.values()), *flags)
            if not done.returncode:
                return list(lines), done.stdout
            bad = {int(n) - before - 1 for n in re.findall(r"^<stdin>:(\d+):\d+: error", done.stderr, re.MULTILINE)}
            kept = {name: line for i, (name, line) in enumerate(lines.items()) if i not in bad}
            if len(kept) == len(lines):
                break
            lines = kept
        raise AbiError(f"the headers of {self.name} do not compile:\n{done.stderr[:2000]}")

    def numbers(self, head: str, expressions: dict[str, str]) -> dict[str, int]:
        """Return the values of constant expressions; others, and those that are no integers, are left out."""
        # A pointer has no unary plus. A value is named by its number, because `type.field` is no identifier.
        names = list(expressions)
        lines = {str(i): f"const long long v_{i} = (long long)+({expressions[n]});" for i, n in enumerate(names)}
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "values.o"
            self.without_faults(head, lines, "-c", "-o", str(output))
            with output.open("rb") as file:
                return {names[int(n)]: value for n, value in _values(ELFFile(file))}


def _values(elf: ELFFile) -> Iterator[tuple[str, int]]:
    table: Any = elf.get_section_by_name(".symtab")
    data: dict[int, bytes] = {}
    for symbol in table.iter_symbols():
        if symbol.name.startswith("v_"):
            section, at = symbol["st_shndx"], symbol["st_value"]
            if section not in data:
                found = elf.get_section(section)
                data[section] = bytes(found.data_size) if found["sh_type"] == "SHT_NOBITS" else found.data()
            yield symbol.name[2:], int.from_bytes(data[section][at : at + 8], "little", signed=True)


def sides(plan: TargetPlan, build: Path, headers: list[Path]) -> tuple[Side, Side]:
    """Return glibc's headers and musl's, for the arch of a target."""
    arch, zig = plan.arch, build.parent / "sources/ziglang/ziglang"
    musl = Side("musl", [str(build / f"toolchain/bin/{arch.triple}-cc")])
    if not (zig / "zig").exists():
        raise UsageError(f"{zig}/zig is not there: its headers of glibc are compared with; build with --toolchain zig")
    include, kernel = zig / "lib/libc/include", arch.linux_headers
    ours = [f"{kernel}-linux-gnu", f"{arch.name}-linux-gnu", "generic-glibc", f"{kernel}-linux-any", "any-linux-any"]
    folders = headers or [include / name for name in ours if (include / name).exists()]
    target = arch.triple.replace("musl", "gnu")
    glibc = [str(zig / "zig"), "clang", f"--target={target}", "-nostdinc", "-isystem", str(zig / "lib/include")]
    if arch.glibc_version and not headers:
        glibc.append(f"-D__GLIBC_MINOR__={arch.glibc_version.partition('.')[2]}")
    return Side("glibc", [*glibc, *(x for folder in folders for x in ("-isystem", str(folder)))]), musl


def head(include: Path, left_out: Iterable[str]) -> str:
    """Return a text that includes every header that both libraries have."""
    names = [f"{folder}/{p.name}".lstrip("/") for folder in FOLDERS for p in sorted((include / folder).glob("*.h"))]
    return "".join(
        f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in names if name not in set(left_out)
    )


def macros(side: Side, text: str) -> set[str]:
    """Return the public macros without arguments."""
    found = re.findall(r"^#define (\w+) \S", side.must(text, "-E", "-dM"), re.MULTILINE)
    return {name for name in found if not name.startswith("__")}


def type_names(side: Side, text: str) -> set[str]:
    """Return names that may be types: `struct x`, and names that typedef declares."""
    text = re.sub(r"^#.*", "", side.must(text, "-E"), flags=re.MULTILINE)
    found = {f"{kind} {name}" for kind, name in re.findall(r"\b(struct|union)\s+(\w+)\s*\{", text)}
    found |= set(re.findall(r"\}\s*(\w+)\s*;", text)) | set(
        re.findall(r"\btypedef\b[^;{}()]*?\b(\w+)(?:\[\w+\])?\s*;", text)
    )
    return {name for name in found if not name.split()[-1].startswith("__")}


def layouts(side: Side, text: str, types: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the fields of types: name -> offset. A field of an anonymous struct belongs to the outer struct."""
    names = list(types)
    lines = {name: f"struct holder_{i} {{ {name} v; }};" for i, name in enumerate(names)}
    _, dump = side.without_faults(text, lines, "-fsyntax-only", "-Xclang", "-fdump-record-layouts-complete")
    found: dict[str, dict[str, str]] = {}
    for block in dump.split("*** Dumping AST Record Layout\n"):
        if holder := re.match(r" *0 \| struct holder_(\d+)\n", block):
            found[names[int(holder[1])]] = dict(_fields(block))
    return found


def _fields(block: str) -> Iterator[tuple[str, str]]:
    inside = 0  # depth in a named field's own struct, whose fields do not count
    for at, indent, text in re.findall(r"^ *([\d:-]+) \|( +)(.*)$", block, re.MULTILINE):
        depth = len(indent) // 2
        if depth < 2 or (inside and depth > inside):
            continue
        inside = 0
        if not text.rstrip().endswith(")"):
            inside = depth
            yield text.split()[-1], at


@dataclass
class Compared:
    """What both libraries have, and the differences: name -> (glibc's, musl's)."""

    constants: int = 0
    types: int = 0
    different_constants: dict[str, tuple[int, int]] = field(default_factory=dict)
    different_types: dict[str, tuple[str, str]] = field(default_factory=dict)


def compare(glibc: Side, musl: Side, text: str) -> Compared:
    """Compare each constant and type that both sides have."""
    names = sorted(macros(glibc, text) & macros(musl, text))
    ours, theirs = (side.numbers(text, {name: name for name in names}) for side in (musl, glibc))
    both = sorted(ours.keys() & theirs.keys())
    compared = Compared(len(both))
    compared.different_constants = {n: (theirs[n], ours[n]) for n in both if theirs[n] != ours[n]}
    types = sorted(type_names(glibc, text) & type_names(musl, text))
    fields = [layouts(side, text, types) for side in (glibc, musl)]
    common = [name for name in types if all(name in found for found in fields)]
    compared.types = len(common)
    sizes = {name: f"sizeof({name})" for name in common}
    signs = {f"{name} is signed": f"({name})-1 < 0" for name in common}
    for name in common:
        for member in fields[0][name].keys() & fields[1][name].keys():
            sizes[f"{name}.{member}"] = f"sizeof((({name} *)0)->{member})"
    theirs, ours = (side.numbers(text, sizes | signs) for side in (glibc, musl))
    for name in sorted(theirs.keys() & ours.keys()):
        if theirs[name] != ours[name]:
            compared.different_types[name] = (f"{theirs[name]} bytes", f"{ours[name]} bytes")
    for name in common:
        there, here = (found[name] for found in fields)
        for member in sorted(there):
            if not member.startswith("_") and there[member] != here.get(member):
                where = f"at {here[member]}" if member in here else "not there"
                compared.different_types[f"{name}.{member}"] = (f"at {there[member]}", where)
    return compared


def unexpected(compared: Compared, expected: Abi) -> Iterator[str]:
    """Yield differences that are not listed, and listed ones that do not differ."""
    constants, types = set[str](), set[str]()
    for difference in expected.differences:
        for kind, patterns, found, used in (
            ("constant", difference.constants, compared.different_constants, constants),
            ("type", difference.types, compared.different_types, types),
        ):
            for pattern in patterns:
                matching = {name for name in found if fnmatchcase(name, pattern)}
                if not matching:
                    yield f"{kind} {pattern}: is the same in both, or in one only: take it out of {EXPECTED.name}"
                used |= matching
    for name, (glibc, musl) in compared.different_constants.items():
        if name not in constants:
            yield f"constant {name}: glibc {glibc}, musl {musl}"
    for name, (there, here) in compared.different_types.items():
        if name not in types:
            yield f"type {name}: glibc {there}, musl {here}"


def main(arguments: list[str] | None = None) -> int:
    """Print what is unexpected; return 1 if there is anything."""
    parser = argparse.ArgumentParser(prog="staticpython.abi", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--headers", type=Path, action="append", default=[], help="a folder of glibc's headers instead")
    options = parser.parse_args(arguments)
    plan, build = read_plan(options.plan), options.plan.resolve().parent
    if not plan.arch.glibc_version:
        raise UsageError(f"{plan.arch.name} loads no libraries built for glibc: there is nothing to compare")
    expected = load(EXPECTED, Abi)
    compared = compare(
        *sides(plan, build, options.headers), head(build.parent / "sources/musl/include", expected.left_out)
    )
    faults = list(unexpected(compared, expected))
    print("\n".join(faults) if faults else "nothing else differs than what is expected")
    print(f"{compared.constants} constants, {len(compared.different_constants)} differ;", end=" ")
    print(f"{compared.types} types, {len(compared.different_types)} differences of size, place or sign")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(run_main(main))
