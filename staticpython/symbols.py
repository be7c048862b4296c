"""Debug information: `python -m staticpython.symbols --into DIST PLAN...`, a plan.json for each target.

The interpreter is stripped while it is linked. This links it again with its symbols, proves that whatever is loaded of
both is the same, and packs it: `python/bin/python3.X.debug`, which is unpacked beside `python/bin/python3.X`. It can be
run itself; by its build id debuggers and profilers find it for the other one.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from staticpython.errors import UsageError, VerifyError
from staticpython.full import Build
from staticpython.published import FOLDER, Archive, pack, write_archive
from staticpython.target_plan import TargetPlan, built

# What the interpreter is linked with, and this is not.
WITHOUT = ("-s", "-Wl,-Map=python.map")


def build_id(path: Path) -> str:
    """Return the build id of a program, in hexadecimal digits; raises VerifyError when it has none."""
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".note.gnu.build-id")
        if not isinstance(section, NoteSection):
            raise VerifyError(f"{path}: no build id")
        return str(next(section.iter_notes())["n_desc"])


def loaded(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Yield what is loaded of a program: each section's name, address and content (none of one that is all zeros)."""
    with path.open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                zeros = section["sh_type"] == "SHT_NOBITS"
                yield section.name, section["sh_addr"], b"" if zeros else section.data()


def difference(first: Path, second: Path) -> str:
    """Return the name of the first section that is loaded of one program and is another in the other; or nothing."""
    ours, theirs = list(loaded(first)), list(loaded(second))
    different = (a[0] for a, b in zip(ours, theirs, strict=False) if a != b)
    return next(different, "" if len(ours) == len(theirs) else "(their number)")


def link_with_symbols(build: Build, interpreter: Path, identity: str, result: Path) -> None:
    """Link what an interpreter with that build id is linked from, with its symbols.

    Raises VerifyError when it is not the same program.
    """
    words = [word for word in shlex.split(build.link_command()) if word not in WITHOUT]
    words[words.index("-o") + 1] = str(result.resolve())
    build.run(*words, f"-Wl,--build-id=0x{identity},--compress-debug-sections=zlib")
    if name := difference(interpreter, result):
        raise VerifyError(f"{interpreter} is not what build/ has now, as to section {name}: run make")


def write_symbols(plan: TargetPlan, tree: Path, folder: Path, into: Path) -> Path:
    """Pack the debug information of a target's interpreter, whose plan.json is in `folder`; return the archive."""
    if not plan.symbols:
        raise UsageError("built without debug information: generate.py --symbols, and make, build it with")
    build = Build(plan, folder)
    interpreter = built(tree, plan).resolve()
    with tempfile.TemporaryDirectory(dir=into, prefix=".symbols.") as temporary:
        stage = Path(temporary)
        program = stage / "bin" / f"{interpreter.name}.debug"
        program.parent.mkdir()
        identity = build_id(interpreter)
        link_with_symbols(build, interpreter, identity, program)
        # gdb runs it when it reads the program, where the user allows that.
        shutil.copyfile(build.cpython / "python-gdb.py", program.with_name(f"{program.name}-gdb.py"))
        by_id = stage / "lib/debug/.build-id" / identity[:2] / f"{identity[2:]}.debug"
        by_id.parent.mkdir(parents=True)
        by_id.symlink_to(f"../../../../bin/{program.name}")
        return write_archive(into / Archive.of(plan, "symbols").name, [(FOLDER, stage)], plan.source_date_epoch)


def main(arguments: list[str] | None = None) -> int:
    """Write the debug information of each target; returns the exit code."""
    return pack("symbols", __doc__, arguments, lambda *target: [write_symbols(*target)])


if __name__ == "__main__":
    sys.exit(main())
