"""`python3 -m _staticpython bundle`: an application, what it needs and this Python in one executable file."""

from __future__ import annotations

import _imp
import argparse
import hashlib
import importlib.machinery
import importlib.util
import json
import marshal
import os
import re
import signal
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from _staticpython import inputs, modules
from _staticpython.payload import Payload, PayloadError

DESCRIPTION = """\
Write one executable file with this Python, its standard library, packages and what is to run. It needs nothing else on
the machine, not even /proc, and writes nothing anywhere.
"""
EPILOG = "What follows -- goes to pip."

# Folders of the standard library that no application needs to run.
_LEFT_OUT = {"test", "idlelib", "turtledemo", "ensurepip", "site-packages", "__pycache__"}


class Bundler:
    """Collects files; all of them go below python/, as in the installed tree."""

    def __init__(self, target: inputs.Target) -> None:
        self.target = target
        self.folders: list[Path] = []
        self.library = f"python/lib/python{inputs.SERIES}"
        self._sources: list[tuple[str, Path]] = []
        self._machine = _machine_of(target.program)
        self.sizes: dict[str, int] = {}
        stdlib = target.stdlib
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
        if ".so" in path.name and _machine_of(path) not in {b"", self._machine}:
            raise PayloadError(f"{path}: a library for another CPU")
        self.payload.add_file(name, path, program=os.access(path, os.X_OK))
        part = name[len(self.library) + 1 :].split("/") if name.startswith(self.library) else ["programs"]
        whose = part[1] if part[0] == "site-packages" else "standard library"
        self.sizes[whose] = self.sizes.get(whose, 0) + path.stat().st_size
        if name.endswith(".py") and name.startswith(self.library):
            self._sources.append((name, path))

    def _add_code(self) -> None:
        """Add the code of all modules: nothing is compiled, and little read, when they are imported."""
        known = modules.Modules() if modules.is_known() else None
        for name, path in self._sources:
            source = path.read_bytes()
            code = _compiled(source, path)
            if code is None:
                continue
            module, place = self._module(name)
            if known and module:
                if not self._in_executable(module, place):
                    known.add(module, code, place)
            else:
                folder, _, last = name.rpartition("/")
                cached = f"{folder}/__pycache__/{last[:-3]}.{sys.implementation.cache_tag}.pyc"
                self.payload.add_file(cached, _bytecode(source, code))
        if known:
            file = known.file()
            self.sizes["code"] = len(file)
            self.payload.add_file(modules.PLACE, file)

    def _module(self, name: str) -> tuple[str, int]:
        """The module that a file is imported as, and where it is; no name if that is not certain."""
        base, place = name[len(self.library) + 1 : -3], 0
        if base.startswith("site-packages/"):
            base, place = base.partition("/")[2], modules.SITE
        folder, _, last = base.rpartition("/")
        start = name[: -len(base) - 3]
        rivals = [start + base + suffix for suffix in EXTENSION_SUFFIXES]
        if last == "__init__":
            base, place = folder, place | modules.PACKAGE
        else:
            rivals += [f"{start}{base}/__init__{suffix}" for suffix in [".py", *EXTENSION_SUFFIXES]]
        parts = base.split("/")
        if not base or any("." in part for part in parts) or any(rival in self.payload for rival in rivals):
            return "", 0
        return ".".join(parts), place

    @staticmethod
    def _in_executable(module: str, place: int) -> bool:
        return not place & modules.SITE and _imp.library_find(module) is not None  # type: ignore[attr-defined]

    def add_packages(self, folder: Path) -> None:
        """Add all that is in a folder as `pip install --target` or a virtual environment makes it."""
        self.folders.append(folder)
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

    def add_start(self, name: str, code: str) -> str:
        """Add what calls an entry point, as pip makes it for a console script; return its path below the program."""
        place = f"python/bin/{name}"
        if place in self.payload:
            place += ".py"
        self.payload.add_file(place, code.encode())
        return place

    def write(self, output: Path, config: dict[str, str]) -> int:
        """Write the executable; return the payload's size."""
        for key, value in config.items():
            if "\0" in value:
                raise PayloadError(f"{key}: {value!r} has a zero in it")
        self._add_code()
        self.payload.config = b"".join(f"{k}={v}\0".encode() for k, v in config.items())
        return self.payload.write(self.target.program, output)


def _machine_of(path: Path) -> bytes:
    """Class, byte order and CPU of an ELF file; nothing for other files."""
    with path.open("rb") as file:
        head = file.read(20)
    return head[4:6] + head[18:20] if head[:4] == b"\x7fELF" else b""


def _compiled(source: bytes, path: Path) -> types.CodeType | None:
    """The code of a module; None if it is no Python of this version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _compiled_before(source, path) or compile(source, path.name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return None


def _bytecode(source: bytes, code: types.CodeType) -> bytes:
    """What an import would write, and take without a look at the source."""
    by_hash_unchecked = (1).to_bytes(4, "little")
    head = importlib.util.MAGIC_NUMBER + by_hash_unchecked + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def _compiled_before(source: bytes, path: Path) -> types.CodeType | None:
    """The code in the module's .pyc, if that was made of this very source, as those of the library are (PEP 552)."""
    try:
        data = Path(importlib.util.cache_from_source(path, optimization="")).read_bytes()
    except OSError:
        return None
    by_hash = int.from_bytes(data[4:8], "little") & 1
    if data[:4] != importlib.util.MAGIC_NUMBER or not by_hash or data[8:16] != importlib.util.source_hash(source):
        return None
    code: types.CodeType = marshal.loads(data[16:])
    return code


def check_module(name: str, folders: list[Path], *, runs: bool) -> None:
    """Refuse a module that is in none of the folders, or that `-m` could not run; none of its code is executed."""
    paths: list[str] | None = [str(folder) for folder in folders]
    parts = name.split(".")
    if parts[0] in sys.builtin_module_names:
        return
    for count in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:count]), paths or [])
        if spec is None:
            where = "the library and the packages"
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
    # A process that multiprocessing spawns imports it, too.
    call = f'if __name__ == "__main__":\n    sys.exit({function}())\n'
    return module, f"import sys\nfrom {module} import {top}\n\n{call}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m _staticpython bundle", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT",
        help="a script to run (and what its block `# /// script` asks for), a requirement, a wheel, a project's folder",
    )  # fmt: skip
    parser.add_argument("-c", dest="console_script", metavar="NAME", help="a console script to run")
    parser.add_argument("-m", dest="module", help="a module to run, as python3 -m does")
    parser.add_argument("-e", dest="entry", metavar="MODULE:FUNCTION", help="a function to call, as console scripts do")
    parser.add_argument(
        "-r", dest="files", type=Path, action="append", default=[], metavar="FILE", help="requirements, as for pip"
    )
    parser.add_argument(
        "--site-packages", type=Path, action="append", default=[], metavar="FOLDER",
        help="packages, as pip install --target makes them; more than once",
    )  # fmt: skip
    parser.add_argument("--arch", default="", help="the CPU to bundle for: that of a tree beside this one")
    parser.add_argument("--interpreter", type=Path, metavar="TREE", help="the tree to bundle with")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what is in it, and how large, as JSON")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the executable to write")
    return parser


def _wanted(options: argparse.Namespace, output: Path) -> inputs.Inputs:
    """What is to be bundled; raises PayloadError for what can be known to be wrong before anything is installed."""
    for folder in options.site_packages:
        if not folder.is_dir():
            raise PayloadError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
        if (folder / "pyvenv.cfg").is_file():
            raise PayloadError(
                f"{folder}: a virtual environment: name its folder lib/python{inputs.SERIES}/site-packages"
            )
    wanted = inputs.Inputs.of(options.inputs, options.files)
    ways = [options.console_script, options.module, options.entry, wanted.script]
    if sum(x is not None for x in ways) > 1:
        raise PayloadError("say one thing to run: a script, -c NAME, -m MODULE or -e MODULE:FUNCTION")
    if all(x is None for x in ways) and not wanted.is_installed:
        raise PayloadError("say what to run: a script, -c NAME, -m MODULE or -e MODULE:FUNCTION")
    if options.entry is not None:
        parse_entry(options.entry)
    if wanted.script and output.exists() and output.samefile(wanted.script):
        raise PayloadError(f"{options.output}: -o names the script itself")
    if options.report and (options.report.is_dir() or not options.report.parent.is_dir()):
        raise PayloadError(f"{options.report}: no such folder, or a folder itself: --report says which file to write")
    return wanted


def _what_runs(options: argparse.Namespace, bundler: Bundler, script: Path | None, output: Path) -> dict[str, str]:
    """The part of the configuration that says what is run; raises PayloadError if it is not there."""
    if script:
        place = bundler.add_script(script)
        _warn_of_neighbours(script, bundler.folders)
        return {"script": place}
    folders = [bundler.target.stdlib, *bundler.folders]
    if options.module is not None:
        check_module(options.module, folders, runs=True)
        return {"module": options.module}
    name, entry = "", options.entry
    if entry is None:
        name, entry = inputs.console_script(bundler.folders, options.console_script, output.name)
    module, code = parse_entry(entry)
    check_module(module, folders, runs=False)
    return {"script": bundler.add_start(name or module, code), "entry": entry}


def _warn_of_neighbours(script: Path, folders: list[Path]) -> None:
    for name in inputs.neighbours(script):
        if not importlib.machinery.PathFinder.find_spec(name, [str(folder) for folder in folders]):
            print(
                f"bundle: warning: {script} imports {name}, which is beside it and is not carried:"
                " put it into a folder and name that by --site-packages, or make a project of both",
                file=sys.stderr,
            )


def _report(file: Path, output: Path, bundler: Bundler, config: dict[str, str]) -> None:
    data = output.read_bytes()
    report = {
        "output": output.name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "python": sys.version.split()[0],
        "target": bundler.target.triple,
        "runs": config,
        "packages": [{"name": d.metadata["Name"], "version": d.version} for d in inputs.distributions(bundler.folders)],
        "sizes": dict(sorted(bundler.sizes.items())),
    }
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class _Terminated(BaseException):
    """SIGTERM came: what was begun is cleaned up, and pip ended, as after Ctrl-C."""


def _terminate(*_: object) -> None:
    raise _Terminated


def main(arguments: list[str]) -> int:
    """Bundle; return the exit code."""
    parser = _parser()
    pip_options: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, pip_options = arguments[:at], arguments[at + 1 :]
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        output = output_file(options.output)
        inputs.check_pip_options(pip_options)
        wanted = _wanted(options, output)
        own = inputs.Target(Path(sysconfig.get_config_var("installed_base") or sys.base_prefix))
        target = inputs.Target.find(own.tree, options.arch, options.interpreter)
        with inputs.temporary() as temporary:
            folders = list(options.site_packages)
            if wanted.is_installed:
                folders.append(inputs.install(wanted, target, own, Path(temporary), pip_options))
            bundler = Bundler(target)
            for folder in folders:
                bundler.add_packages(folder)
            config = _what_runs(options, bundler, wanted.script, output)
            bundler.write(output, config)
            if options.report:
                _report(options.report, output, bundler, config)
    except (PayloadError, OSError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, _Terminated) as stop:
        print("bundle: interrupted; nothing was written", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)
    runs = config.get("entry") or config.get("module") or config["script"]
    print(f"{options.output}: {output.stat().st_size / 1e6:.1f} MB, runs {runs}")
    return 0
