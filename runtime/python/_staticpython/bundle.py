"""`python3 -m _staticpython bundle`: an application, what it needs and this Python in one executable file."""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import marshal
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from _staticpython.payload import Payload, PayloadError

DESCRIPTION = """\
Write one executable file with this Python, its standard library, the packages of a folder and what is to run. It needs
nothing else on the machine, not even /proc, and writes nothing anywhere.
"""

# Folders of the standard library that no application needs to run.
_LEFT_OUT = {"test", "idlelib", "turtledemo", "ensurepip", "site-packages", "__pycache__"}


def _series() -> str:
    return "{}.{}".format(*sys.version_info)


def _stdlib(tree: Path) -> Path:
    return tree / f"lib/python{_series()}"


class Bundler:
    """Collects files; all of them go below python/, as in the installed tree."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.library = f"python/lib/python{_series()}"
        stdlib = _stdlib(tree)
        # By this time the interpreter knows the files of its library.
        self.payload = Payload(time=int((stdlib / "os.py").stat().st_mtime))
        for path in self._files(stdlib):
            name = str(path.relative_to(stdlib))
            top = name.split("/")[0]
            if top not in _LEFT_OUT and not top.startswith("config-"):
                self._add(f"{self.library}/{name}", path, stdlib)
        self.payload.add_folder(f"{self.library}/lib-dynload")
        self.payload.add_folder(f"{self.library}/site-packages")

    @staticmethod
    def _files(folder: Path) -> Iterator[Path]:
        """Files, links and empty folders, always in the same order; of folders of bytecode nothing."""
        for at, folders, names in os.walk(folder):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            links = [f for f in folders if Path(at, f).is_symlink()]
            for name in [*sorted(n for n in names if not n.endswith((".pyc", ".pyo"))), *links]:
                yield Path(at, name)
            if not folders and not names and at != str(folder):
                yield Path(at)

    def _add(self, name: str, path: Path, top: Path) -> None:
        if path.is_symlink():
            target = os.path.realpath(path)
            if os.path.commonpath([target, os.path.realpath(top)]) == os.path.realpath(top):
                self.payload.add_link(name, os.path.relpath(target, os.path.realpath(path.parent)))
                return
            # What is elsewhere is copied.
            if os.path.isdir(target):
                raise PayloadError(f"{path}: a link to a folder elsewhere, {target}: put the folder itself there")
        if path.is_dir():
            self.payload.add_folder(name)
            return
        if not path.is_file():
            raise PayloadError(f"{path}: neither a file nor a folder: a bundle cannot carry it")
        self.payload.add_file(name, path, program=os.access(path, os.X_OK))
        if name.endswith(".py"):
            code = _bytecode(path)
            if code is not None:
                folder, _, last = name.rpartition("/")
                cached = f"{folder}/__pycache__/{last[:-3]}.{sys.implementation.cache_tag}.pyc"
                self.payload.add_file(cached, code)

    def add_packages(self, folder: Path) -> None:
        """Add all that is in a folder as `pip install --target` or a virtual environment makes it."""
        for path in self._files(folder):
            name = str(path.relative_to(folder))
            place = "python/" if name.startswith("bin/") else f"{self.library}/site-packages/"
            if place + name in self.payload:
                raise PayloadError(f"{path}: another folder has a file of this name")
            self._add(place + name, path, folder)

    def add_script(self, script: Path) -> str:
        """Add a script; return its path below the program."""
        try:
            compile(script.read_bytes(), script.name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise PayloadError(f"{script}: {error}") from None
        name = f"python/bin/{script.name}"
        self.payload.add_file(name, script)
        return name

    def write(self, output: Path, config: dict[str, str]) -> int:
        """Write the executable; return the payload's size."""
        for key, value in config.items():
            if "\0" in value:
                raise PayloadError(f"{key}: {value!r} has a zero in it")
        self.payload.config = b"".join(f"{k}={v}\0".encode() for k, v in config.items())
        return self.payload.write(self.tree / f"bin/python{_series()}", output)


def _bytecode(path: Path) -> bytes | None:
    """What an import would write, and take without a look at the source; None if it is no Python of this version."""
    source = path.read_bytes()
    digest = importlib.util.source_hash(source)
    code = _compiled_before(path, digest)
    if code is None:
        try:
            code = marshal.dumps(compile(source, path.name, "exec", dont_inherit=True, optimize=0))
        except (SyntaxError, ValueError):
            return None
    # Flags: by hash, and not checked.
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + digest + code


def _compiled_before(path: Path, digest: bytes) -> bytes | None:
    """The code in the module's .pyc, if that was made of this very source, as those of the library are (PEP 552)."""
    try:
        data = Path(importlib.util.cache_from_source(path, optimization="")).read_bytes()
    except OSError:
        return None
    by_hash = int.from_bytes(data[4:8], "little") & 1
    return data[16:] if data[:4] == importlib.util.MAGIC_NUMBER and by_hash and data[8:16] == digest else None


def check_module(name: str, folders: list[Path], *, runs: bool) -> None:
    """Refuse a module that is in none of the folders, or that `-m` could not run; none of its code is executed."""
    paths: list[str] | None = [str(folder) for folder in folders]
    parts = name.split(".")
    if parts[0] in sys.builtin_module_names:
        return
    for count in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:count]), paths or [])
        if spec is None:
            where = "the library and --site-packages"
            raise PayloadError(f"{name}: no module {'.'.join(parts[:count])} in {where}")
        paths = spec.submodule_search_locations
    if runs and paths is not None and not importlib.machinery.PathFinder.find_spec(f"{name}.__main__", paths):
        raise PayloadError(f"{name}: a package without __main__.py cannot be run")


def output_file(text: str) -> Path:
    """The file to write, through links as other tools do; refuse what is no regular file."""
    path = Path(os.path.realpath(text))
    if not text or text.endswith("/") or path.is_dir():
        raise PayloadError(f"{text or repr(text)}: a folder; -o says which file to write")
    if path.exists() and not path.is_file():
        raise PayloadError(f"{text}: not a regular file")
    if not path.parent.is_dir():
        raise PayloadError(f"{text}: no such folder: {path.parent}")
    return path


def parse_entry(entry: str) -> tuple[str, str]:
    """The module of MODULE:FUNCTION, and the code that a console script has for it."""
    match = re.fullmatch(r"([\w.]+):([\w.]+)", entry)
    if not match:
        raise PayloadError(f"{entry}: an entry point is MODULE:FUNCTION, such as httpie.__main__:main")
    module, function = match.groups()
    top = function.split(".")[0]
    return module, f"import sys\nfrom {module} import {top}\nsys.exit({function}())"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m _staticpython bundle", description=DESCRIPTION)
    parser.add_argument("script", nargs="?", type=Path, help="a script to run")
    parser.add_argument("-m", dest="module", help="a module to run, as python3 -m does")
    parser.add_argument("-e", dest="entry", metavar="MODULE:FUNCTION", help="a function to call, as console scripts do")
    parser.add_argument(
        "--site-packages", type=Path, action="append", default=[], metavar="FOLDER",
        help="packages, as pip install --target makes them; more than once",
    )  # fmt: skip
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the executable to write")
    return parser


def main(arguments: list[str]) -> int:
    """Bundle; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if sum(x is not None for x in (options.script, options.module, options.entry)) != 1:
        parser.error("say one thing to run: a script, -m MODULE or -e MODULE:FUNCTION")
    try:
        # What is wrong with it is said at once.
        output = output_file(options.output)
        module, code = (options.module, "") if options.entry is None else parse_entry(options.entry)
        for folder in options.site_packages:
            if not folder.is_dir():
                raise PayloadError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
        if options.script and not options.script.is_file():
            raise PayloadError(f"{options.script}: {'not a file' if options.script.exists() else 'no such file'}")
        if options.script and output.exists() and output.samefile(options.script):
            raise PayloadError(f"{options.output}: -o names the script itself")
        tree = Path(sysconfig.get_config_var("installed_base") or sys.base_prefix)
        if not options.script:
            check_module(module, [_stdlib(tree), *options.site_packages], runs=not code)
        bundler = Bundler(tree)
        for folder in options.site_packages:
            bundler.add_packages(folder)
        if options.script:
            config = {"script": bundler.add_script(options.script)}
        else:
            config = {"code": code} if code else {"module": module}
        bundler.write(output, config)
    except (PayloadError, OSError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bundle: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(f"{options.output}: {output.stat().st_size / 1e6:.1f} MB")
    return 0
