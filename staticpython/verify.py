"""Prove what a built tree is: `python -m staticpython.verify TREE --plan build/<target>/plan.json`.

The binary: static-PIE, hardened, of the right machine, with every module that was asked for (ELF gABI, `man 5 elf`).
The interpreter: each of them imports. Where it does not run, that half is left out, and said so.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elftools.elf.descriptions import describe_reloc_type
from elftools.elf.elffile import ELFFile

from staticpython.config import Arch
from staticpython.errors import VerifyError, run_main
from staticpython.target_plan import TargetPlan, built, read_plan

EMULATORS_DEBIAN = "qemu-user-static"  # Debian's package of them
PF_X, PF_W = 1, 2
DF_BIND_NOW, DF_TEXTREL = 0x8, 0x4
DF_1_PIE, DF_1_NOW = 0x08000000, 0x1


def binary_faults(path: Path, arch: Arch, *, pie: bool = True) -> Iterator[str]:
    """Yield what is wrong with the binary, static-PIE or at a fixed address; nothing when all is well."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        if elf["e_machine"] != arch.elf_machine or elf.elfclass != arch.elf_class:
            yield f"is {elf['e_machine']} with {elf.elfclass} bits, not {arch.elf_machine} with {arch.elf_class}"
        if elf.little_endian != (arch.byte_order == "little"):
            yield f"is {'little' if elf.little_endian else 'big'}-endian, not {arch.byte_order}-endian"
        expected = "ET_DYN" if pie else "ET_EXEC"
        if elf["e_type"] != expected:
            yield f"is {elf['e_type']}, not {'position independent' if pie else 'at a fixed address'} ({expected})"
        segments = {s["p_type"]: s for s in elf.iter_segments()}
        if "PT_INTERP" in segments:
            yield "has PT_INTERP: it asks for a dynamic loader"
        if "PT_GNU_RELRO" not in segments:
            yield "has no PT_GNU_RELRO: its relocations stay writable"
        stack = segments.get("PT_GNU_STACK")
        if stack is None or stack["p_flags"] & PF_X:
            yield "has an executable stack"
        elif stack["p_memsz"] < arch.thread_stack_mib << 20:
            yield f"gives threads {stack['p_memsz']} bytes of stack, not {arch.thread_stack_mib} MiB"
        if any(s["p_flags"] & PF_X and s["p_flags"] & PF_W for s in elf.iter_segments("PT_LOAD")):
            yield "has a segment that is writable and executable"
        yield from _dynamic_faults(segments.get("PT_DYNAMIC"), pie=pie)


def _dynamic_faults(dynamic: Any, *, pie: bool) -> Iterator[str]:
    if dynamic is None:
        yield "has no PT_DYNAMIC: nothing that it loads could find a symbol"
        return
    tags = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic.iter_tags()}
    needed = [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")]
    if needed:
        yield f"needs shared libraries: {', '.join(needed)}"
    if "DT_TEXTREL" in tags or tags.get("DT_FLAGS", 0) & DF_TEXTREL:
        yield "has text relocations"
    if not (tags.get("DT_FLAGS", 0) & DF_BIND_NOW or tags.get("DT_FLAGS_1", 0) & DF_1_NOW):
        yield "is not bound at start (-z now): RELRO is not full"
    if pie and not tags.get("DT_FLAGS_1", 0) & DF_1_PIE:
        yield "is not marked as PIE"
    yield from _relocation_faults(dynamic, pie=pie)


def _relocation_faults(dynamic: Any, *, pie: bool) -> Iterator[str]:
    """Yield relocations that nothing makes: a static-PIE's start (dlstart.c) only adds the load address."""
    elf, symbols = dynamic.elffile, list(dynamic.iter_symbols())
    for kind, table in dynamic.get_relocation_tables().items():
        if kind == "RELR":
            if not pie:
                yield "has relative relocations, which nothing makes at start"
            continue
        for relocation in table.iter_relocations():
            name = describe_reloc_type(relocation["r_info_type"], elf)
            if not (pie and name.endswith("_RELATIVE")):
                yield f"has a relocation that nothing makes at start: {name} {symbols[relocation['r_info_sym']].name}"


def linked_faults(path: Path, modules: list[str]) -> Iterator[str]:
    """Yield the modules that are not linked in: each has a function PyInit_<name>, which is part of the C API."""
    with path.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".dynsym")
        there = {s.name for s in table.iter_symbols() if s["st_shndx"] != "SHN_UNDEF"} if table else set()
    for name in modules:
        if f"PyInit_{name}" not in there:
            yield f"module {name} is not linked in"


def module_faults(interpreter: list[str], modules: list[str]) -> Iterator[str]:
    """Yield what is wrong with the modules linked in: not there, or not importable."""
    program = (
        "import importlib, json, sys\n"
        "wrong = {}\n"
        "for name in json.load(sys.stdin):\n"
        "    if name not in sys.builtin_module_names: wrong[name] = 'is not linked in'; continue\n"
        "    try: importlib.import_module(name)\n"
        "    except Exception as error: wrong[name] = f'does not import: {error}'\n"
        "print(json.dumps(wrong))\n"
    )
    command = [*interpreter, "-I", "-c", program]
    run = subprocess.run(command, input=json.dumps(modules), capture_output=True, text=True, check=False)
    if run.returncode:
        yield f"exits with {run.returncode}: {run.stderr.strip()[-500:]}"
        return
    for name, fault in json.loads(run.stdout).items():
        yield f"module {name} {fault}"


def path_faults(tree: Path, forbidden: list[str]) -> Iterator[str]:
    """Yield the files in which a path of the build machine is left."""
    for path in sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink()):
        content = path.read_bytes()
        for name in forbidden:
            if name.encode() in content:
                yield f"{path.relative_to(tree)}: holds the build's path {name}"


def flag_faults(tree: Path) -> Iterator[str]:
    """Yield the files that would hand flags of the interpreter's own build (profile, LTO) on to extension modules."""
    own = re.compile(r"-fprofile-[\w-]+|-flto\b|-ffat-lto-objects|--fat-lto-objects|--lto-O\d")
    for path in sorted([*tree.glob("lib/python*/_sysconfigdata_*.py"), *tree.glob("lib/python*/config-*/Makefile")]):
        flags = sorted(set(own.findall(path.read_text(encoding="utf-8"))))
        if flags:
            yield f"{path.relative_to(tree)}: holds the interpreter's own flags {', '.join(flags)}"


def missing_emulator(plan: TargetPlan) -> str:
    """Return the emulator that the target's programs need here and that is not installed, if there is one."""
    emulator = plan.arch.emulator
    return "" if plan.native or shutil.which(emulator) else emulator


def emulator_of(plan: TargetPlan) -> list[str]:
    """Return the command that runs the target's programs here: empty when the kernel does.

    Raises VerifyError when the emulator is not installed.
    """
    if emulator := missing_emulator(plan):
        raise VerifyError(f"{plan.tree} does not run on this machine: install {emulator} (Debian: {EMULATORS_DEBIAN})")
    return [] if plan.native else [plan.arch.emulator]


def main(arguments: list[str] | None = None) -> int:
    """Verify a tree; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.verify", description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--stamp", type=Path, help="file to make when nothing was left out")
    options = parser.parse_args(arguments)

    def body() -> int:
        plan = read_plan(options.plan)
        binary = built(options.tree, plan)
        faults = [f"{binary} {f}" for f in binary_faults(binary, plan.arch, pie=plan.pie)]
        faults += path_faults(options.tree, [str(options.plan.resolve().parents[2])])
        faults += flag_faults(options.tree)
        faults += [f"{binary} {f}" for f in linked_faults(binary, plan.modules)]
        emulator = missing_emulator(plan)
        if not emulator and not faults:
            faults += [f"{binary} {f}" for f in module_faults([*emulator_of(plan), str(binary)], plan.modules)]
        if faults:
            raise VerifyError("\n  ".join(["the tree is not what it must be:", *faults]))
        kind = "static-PIE" if plan.pie else "static, at a fixed address"
        print(f"verified  {options.tree}: {kind}, full RELRO, NX, no loader, {len(plan.modules)} modules")
        if emulator:
            print(
                f"verified  {options.tree}: left out whether it starts and its modules import, which takes {emulator}"
                f" (Debian: {EMULATORS_DEBIAN}); once that is installed: make verify"
            )
        elif options.stamp:
            options.stamp.touch()
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
