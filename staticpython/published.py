"""Files for users: the names of archives, and archives whose bytes depend only on their contents.

The names are python-build-standalone's, because uv, mise, hatch, PyApp and Bazel's rules_python parse them:
`cpython-<version>+<date>-<arch>-unknown-linux-musl[-<options>]-<contents>.tar.gz`, `full.tar.zst`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from staticpython.errors import StaticPythonError, UsageError, run_main
from staticpython.target_plan import TargetPlan, read_plan

# The top folder in a target's archive, as in python-build-standalone's.
FOLDER = "python"
# Contents of the archives of a target, and their packing. The first two have the same bytes, because the interpreter is
# stripped by the link. `full` also has the interpreter's parts; `symbols` is unpacked beside one of them.
CONTENTS = {"install_only": "gz", "install_only_stripped": "gz", "full": "zst", "symbols": "zst"}
# The packing programs, by the end of the name, and variables that would change their output. gzip(1) has a deflate of
# its own; Python's zlib differs between machines. `gzip -9` saves 0.8% in 3 times the time, `zstd -19` 11% in 17 times.
PACKERS = {".gz": ["gzip", "-n", "-6"], ".zst": ["zstd", "-q", "-9", "--single-thread"]}
PACKERS_READ = ("GZIP", "ZSTD_CLEVEL", "ZSTD_NBTHREADS")

_NAME = re.compile(
    r"cpython-(?P<version>\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)\+(?P<date>\d{8})-(?P<cpu>[a-z0-9_]+)-unknown-linux-musl-"
    rf"(?:(?P<options>[a-z0-9+]+)-)?(?P<contents>{'|'.join(CONTENTS)})\.tar\.(?:gz|zst)"
)


@dataclass(frozen=True)
class Archive:
    """An archive, as described by its name."""

    version: str
    date: str
    cpu: str
    options: tuple[str, ...]
    contents: str

    @classmethod
    def of(cls, plan: TargetPlan, contents: str) -> Archive:
        """Return the archive of a target (its plan.json) with one of the CONTENTS, such as `install_only`."""
        options = (*plan.variant, *(build_options(plan) if contents == "full" else ()))
        return cls(plan.version, plan.release, plan.cpu.download, options, contents)

    @classmethod
    def parse(cls, name: str) -> Archive | None:
        """Parse a file's name; None if it is not an interpreter's archive."""
        found = _NAME.fullmatch(name)
        if not found:
            return None
        parts = found.groupdict()
        return cls(
            parts["version"],
            parts["date"],
            parts["cpu"],
            tuple((parts["options"] or "").split("+")) if parts["options"] else (),
            parts["contents"],
        )

    @property
    def stem(self) -> str:
        """The beginning of the names of all files of this interpreter."""
        options = f"-{'+'.join(self.options)}" if self.options else ""
        return f"cpython-{self.version}+{self.date}-{self.cpu}-unknown-linux-musl{options}"

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.stem}-{self.contents}.tar.{CONTENTS[self.contents]}"


def build_options(plan: TargetPlan) -> list[str]:
    """Return python-build-standalone's words for how a target is built: pgo, lto, noopt; static."""
    lto = any(flag.startswith("-flto") for flag in plan.cflags_core)
    return [*([word for word, so in (("pgo", plan.profile), ("lto", lto)) if so] or ["noopt"]), "static"]


def target_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser for a step of make dist: `--into DIST`, the folder of trees, and a plan.json per target."""
    parser = argparse.ArgumentParser(prog=f"staticpython.{name}", description=description)
    parser.add_argument("--into", type=Path, required=True, help="the folder of the trees, and of what is made of them")
    parser.add_argument("plans", type=Path, nargs="+", metavar="PLAN")
    return parser


def pack(
    name: str,
    description: str | None,
    arguments: list[str] | None,
    write: Callable[[TargetPlan, Path, Path, Path], list[Path]],
) -> int:
    """Run a step of make dist: write the files of each target and print their names; return the exit code.

    `write` takes a plan, its tree, the folder of its plan.json and the folder to write to, and returns the files.
    """
    options = target_parser(name, description).parse_args(arguments)

    def body() -> int:
        for path in options.plans:
            plan = read_plan(path)
            for file in write(plan, options.into / plan.tree, path.resolve().parent, options.into):
                print(f"packed    {file}  {file.stat().st_size / 1e6:.1f} MB")
        return 0

    return run_main(body)


def program(name: str) -> str:
    """Return the path of a program in PATH; raises UsageError, which names the Debian package, if it is missing."""
    path = shutil.which(name)
    if not path:
        raise UsageError(f"no {name} in PATH: install it (Debian and Ubuntu: apt-get install {name})")
    return path


@contextlib.contextmanager
def written_whole(result: Path) -> Iterator[Path]:
    """Yield a temporary path for a file: it gets its own name when the block ends, and a failure leaves nothing."""
    part = result.with_name(f"{result.name}.part")
    try:
        yield part
        part.replace(result)
    finally:
        part.unlink(missing_ok=True)


def mode_of(path: Path) -> int:
    """Return the permissions of a packed file, which do not depend on its owner or the umask."""
    return 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644


def contents_of(tree: Path) -> list[Path]:
    """Return everything below a tree, sorted by the bytes of its path; raises UsageError if there is no tree."""
    if not tree.is_dir():
        raise UsageError(f"{tree}: no such tree: run make first")
    return sorted(tree.rglob("*"), key=lambda path: os.fsencode(path.relative_to(tree)))


def write_tar(file: IO[bytes], folders: Iterable[tuple[str, Path]], time: int) -> None:
    """Write folders into a tar archive, each below its name, if it has one: sorted, without owners, with one time.

    The format is that of POSIX.1-2001 (pax).
    """
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, folder in folders:
            for path in [*([folder] if name else []), *contents_of(folder)]:
                info = tarfile.TarInfo("/".join(filter(None, [name, *path.relative_to(folder).parts])))
                info.mtime = time
                if path.is_symlink() and path != folder:  # a folder may be a link
                    info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, str(path.readlink())
                    tar.addfile(info)
                elif path.is_dir():
                    info.type, info.mode = tarfile.DIRTYPE, mode_of(path)
                    tar.addfile(info)
                else:
                    info.mode, info.size = mode_of(path), path.stat().st_size
                    with path.open("rb") as content:
                        tar.addfile(info, content)


def write_archive(result: Path, folders: Iterable[tuple[str, Path]], time: int) -> Path:
    """Write folders into `result`, a tar.gz or tar.zst; it appears under its name only when it is complete.

    Raises UsageError if the packing program is missing, StaticPythonError if it fails.
    """
    name, *options = PACKERS[result.suffix]
    packer = program(name)
    result.parent.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key not in PACKERS_READ}
    with written_whole(result) as part:
        with part.open("wb") as out:
            process = subprocess.Popen([packer, *options], stdin=subprocess.PIPE, stdout=out, env=environment)
            assert process.stdin
            try:
                with process.stdin:  # to close it writes the rest, which may fail as well
                    write_tar(process.stdin, folders, time)
            except BrokenPipeError:
                pass  # the packing program has printed the reason
            finally:
                failed = process.wait()
        if failed:
            raise StaticPythonError(f"{result}: {name} failed with exit code {failed}")
    return result
