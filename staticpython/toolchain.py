"""Find a ready GCC cross toolchain: `python -m staticpython.toolchain PREFIX|URL#sha256=HEX --cpus CPUS --into DIR`.

musl.cc and musl-cross-make name a compiler `x86_64-linux-musl-gcc`, Bootlin `x86_64-buildroot-linux-musl-gcc`, others
have a vendor in it. The wrappers need one name: `DIR/found/gcc` is a link to it, and the other tools are beside it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from staticpython.config import Licence, Package, Release
from staticpython.errors import UsageError, run_main
from staticpython.fetch import Places, fetch
from staticpython.unpack import unpack

TOOLS = ("gcc", "g++", "ar", "ranlib", "objcopy")


def find_compiler(prefix: Path, cpus: list[str]) -> Path:
    """Return the C compiler in `prefix`/bin for the first of the CPU names that has one for musl.

    Raises UsageError with what is there when none fits.
    """
    there = sorted((prefix / "bin").glob("*-gcc"))
    for cpu in cpus:
        for compiler in there:
            if compiler.name.startswith(f"{cpu}-") and _makes_musl_programs(compiler):
                return compiler
    names = ", ".join(c.name for c in there) or "no compiler at all"
    raise UsageError(f"--toolchain-prefix {prefix}: no {' or '.join(cpus)} GCC for musl in bin/: {names}")


def _makes_musl_programs(compiler: Path) -> bool:
    # Bootlin also has x86_64-linux-gcc: the name does not say the C library, but the compiler does.
    run = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=False)
    return "musl" in run.stdout


def link_tools(compiler: Path, found: Path) -> None:
    """Make `found` a folder with a link `<tool>` to each of the tools; raises UsageError for a missing one."""
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    for tool in TOOLS:
        program = compiler.with_name(f"{compiler.name.removesuffix('gcc')}{tool}")
        if not program.exists():
            raise UsageError(f"{program}: missing; the toolchain is not whole")
        (found / tool).symlink_to(program.resolve())


def fetch_toolchain(address: str, downloads: Path, into: Path) -> Path:
    """Download `URL#sha256=HEX`, unpack it into `into` and return that folder."""
    url, _, digest = address.partition("#sha256=")
    name = PurePosixPath(urlsplit(url).path).name
    release = Release(version="", file=name, size=0, sha256=digest, urls=[url])
    package = Package("toolchain", "", url, Licence("", []), kind="data", releases=[release])
    fetch(package, Places(downloads))
    shutil.rmtree(into, ignore_errors=True)
    unpack(downloads / name, into)
    return into


def main(arguments: list[str] | None = None) -> int:
    """Find a toolchain; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.toolchain", description=__doc__)
    parser.add_argument("prefix", help="folder with bin/, or URL#sha256=HEX of an archive with one")
    parser.add_argument("--cpus", required=True, help="CPU names that the compiler's may begin with, best first")
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args(arguments)

    def body() -> int:
        remote = "://" in options.prefix
        unpacked = options.into / "prefix"
        prefix = fetch_toolchain(options.prefix, options.downloads, unpacked) if remote else Path(options.prefix)
        link_tools(find_compiler(prefix.resolve(), options.cpus.split(",")), options.into / "found")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
