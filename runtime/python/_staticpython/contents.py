"""The contents of a bundle: files, and the code of modules among them."""

from __future__ import annotations

import _imp
import hashlib
import importlib.util
import marshal
import os
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

from _staticpython import extracted, freeze, inputs, leftout, marks, modules
from _staticpython.cache import Cache, Kept
from _staticpython.payload import PROGRAM, Payload, PayloadError, deflated, is_mapped, matches
from _staticpython.traces import Trace

# Folders of the standard library that no application needs to run, and the mark with which uv keeps pip out.
_LEFT_OUT = {"test", "idlelib", "turtledemo", "ensurepip", "site-packages", "__pycache__", "EXTERNALLY-MANAGED"}

# zlib's levels; 0 leaves files as they are.
COMPRESSION = {"fast": 6, "small": 9, "none": 0}


# For STATICPYTHON=info and similar, and for texts in any encoding: always carried, with the source.
_ALWAYS = {"_staticpython", "encodings", "importlib", "zipfile"}
# Only extension modules have such suffixes; a library that others need does not.
_TAGGED = tuple(suffix for suffix in EXTENSION_SUFFIXES if suffix != ".so")
_NO_SOURCE = b'raise ImportError("its source was left out (--no-sources)")\n'


@cache
def _imported_by_commands() -> frozenset[str]:
    """Modules that STATICPYTHON=info and similar import, and options of Python such as -m: needed without a trace."""
    code = "import sys, runpy, shutil, importlib.metadata, _staticpython.carried; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    return frozenset(run.stdout.split())


@dataclass(frozen=True)
class Choice:
    """What to carry, and how."""

    exclude: list[str] = field(default_factory=list)
    compress: str = "fast"
    # Also the files that only a Python for virtual environments needs.
    whole: bool = False
    sources: bool = True
    trace: Trace | None = None
    only_traced: bool = False
    extract: list[str] = field(default_factory=list)


class _Source(NamedTuple):
    """A module's source: its path below the program, the file, its content and the content's SHA-256."""

    name: str
    path: Path
    content: bytes
    digest: bytes


class Bundler:
    """Collects files; all of them go below python/, as in the installed tree."""

    def __init__(self, target: inputs.Target, cache: Cache, choice: Choice) -> None:
        self.target = target
        self._cache = cache
        self._choice = choice
        self._kept: dict[str, Kept] = {}
        self._level = COMPRESSION[choice.compress]
        self._excluded = dict.fromkeys(choice.exclude, 0)
        self._left_out: set[str] = set()
        self._hooks: list[str] = []
        self.folders: list[Path] = []
        self.library = f"python/lib/python{inputs.SERIES}"
        self._sources: dict[str, list[_Source]] = {}
        self._scripts: dict[str, bytes] = {}
        self._machine = _machine_of(target.program)
        self.sizes: dict[str, int] = {}
        stdlib = target.stdlib
        # The interpreter recognises its library's files by the time of the build, whatever they have here.
        self.payload = Payload(time=target.time)
        for name, path in self._files(stdlib):
            top = name.split("/")[0]
            if (top not in _LEFT_OUT or (choice.whole and top == "ensurepip")) and not top.startswith("config-"):
                self._add(f"{self.library}/{name}", path, stdlib)
        self.payload.add_folder(f"{self.library}/lib-dynload")
        self.payload.add_folder(f"{self.library}/site-packages")

    @staticmethod
    def _files(folder: Path) -> Iterator[tuple[str, Path]]:
        """Files, links and empty folders, with their paths in the folder, in a fixed order; without __pycache__."""
        for at, folders, names in os.walk(folder):
            below = at[len(str(folder)) :].lstrip("/")
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            links = [f for f in folders if Path(at, f).is_symlink()]
            for name in [*sorted(n for n in names if not n.endswith((".pyc", ".pyo"))), *links]:
                yield f"{below}/{name}" if below else name, Path(at, name)
            if not folders and not names and below:
                yield below, Path(at)

    def _add(self, name: str, path: Path, top: Path) -> None:
        for pattern in self._excluded:
            if matches(name, pattern):
                self._excluded[pattern] += 1
                return
        if self._choice.only_traced and self._is_untraced(name):
            return
        if path.is_symlink():
            target = os.path.realpath(path)
            if os.path.commonpath([target, os.path.realpath(top)]) == os.path.realpath(top):
                self.payload.add_link(name, os.path.relpath(target, os.path.realpath(path.parent)))
                return
            # Files elsewhere are copied.
            if os.path.isdir(target):
                raise PayloadError(f"{path}: a link to a folder elsewhere, {target}: put the folder itself there")
        if path.is_dir():
            self.payload.add_folder(name)
            return
        if not path.is_file():
            raise PayloadError(f"{path}: neither a file nor a folder: a bundle cannot carry it")
        if ".so" in path.name and _machine_of(path) not in {b"", self._machine}:
            raise PayloadError(f"{path}: a library for another CPU")
        self._add_content(name, path)

    def _add_content(self, name: str, path: Path) -> None:
        """Add a file, compressed if it is only read: files that are mapped or executed stay as they are."""
        whose, program = self._whose(name), os.access(path, os.X_OK)
        is_source = name.endswith(".py") and name.startswith(self.library)
        content: bytes | Path = path
        packed = b""
        if is_source or (self._level and not program):
            data = path.read_bytes()
            digest = hashlib.sha256(data).digest()
            if self._level and not program and not is_mapped(os.fsencode(name), data):
                kept = self._kept_of(whose, "files")
                packed = kept.get(f"level {self._level}", digest, partial(deflated, data, self._level))
            if is_source or packed:
                content = data
            if is_source:
                self._sources.setdefault(whose, []).append(_Source(name, path, data, digest))
        self.payload.add_file(name, content, program=program, packed=packed)
        self.sizes[whose] = self.sizes.get(whose, 0) + (len(packed) or path.stat().st_size)

    def _is_untraced(self, name: str) -> bool:
        """Whether a file is a module that no traced run imported; if so, its name is recorded."""
        base = name.removeprefix(f"{self.library}/").removeprefix("site-packages/")
        suffix = next((suffix for suffix in (".py", *_TAGGED) if base.endswith(suffix)), None)
        trace = self._choice.trace
        if not suffix or not name.startswith(f"{self.library}/") or not trace:
            return False
        module = base.removesuffix(suffix).removesuffix("/__init__").replace("/", ".")
        top = module.partition(".")[0]
        is_there = "site-packages/" not in name and (
            top in _ALWAYS or module in _imported_by_commands() or self._in_executable(module, 0)
        )
        if is_there or module in trace or name in trace or not all(part.isidentifier() for part in module.split(".")):
            return False
        self._left_out.add(module)
        return True

    def _extracted(self) -> list[str]:
        """A SHA-256 of the files to extract, and a line for each file."""
        counts = dict.fromkeys(self._choice.extract, 0)
        digest, lines = hashlib.sha256(), []
        for path, kind, content in self.payload.files():
            found = [pattern for pattern in counts if matches(path, pattern)]
            for pattern in found:
                counts[pattern] += 1
            if not found:
                continue
            if "\n" in path:
                raise PayloadError(f"--extract: {path!r}: a name with the end of a line in it cannot be extracted")
            data = content if isinstance(content, bytes) else content.read_bytes()
            lines.append(f"{len(data)} {'program' if kind == PROGRAM else 'file'} {path}")
            digest.update(os.fsencode(f"{lines[-1]}\n") + hashlib.sha256(data).digest())
        for pattern, count in counts.items():
            if not count:
                raise PayloadError(f"--extract {pattern}: no file's path is like that; STATICPYTHON=list shows all")
        return [digest.hexdigest(), *lines]

    def check_is_there(self, module: str) -> None:
        """Refuse to leave out the module that the bundle runs."""
        if module in self._left_out:
            raise PayloadError(f"--only-traced: no run that was traced imported {module}, which is to be run")

    def add_hook(self, line: str) -> None:
        """Execute a line of Python at each start."""
        self._hooks.append(line)

    def _kept_of(self, whose: str, what: str) -> Kept:
        name = f"{what} of {whose}"
        if name not in self._kept:
            self._kept[name] = Kept(self._cache, name)
        return self._kept[name]

    def _whose(self, name: str) -> str:
        """The part that a file belongs to, for the report and the cache."""
        if not name.startswith(f"{self.library}/"):
            return "programs" if name.startswith("python/bin/") else "added"
        top, *rest = name.removeprefix(f"{self.library}/").split("/")
        return rest[0] if top == "site-packages" else "standard library"

    def _add_code(self) -> None:
        """Add the code of all modules, so that importing them compiles nothing and reads little."""
        known = modules.Modules() if modules.is_known() else None
        for whose, sources in self._sources.items():
            self._add_code_of(sources, known, self._kept_of(whose, "code"), self._kept_of(whose, "modules"))
        if known:
            scripts: dict[modules.Entry, _Source] = {}
            for name, script in self._scripts.items():
                source = _Source(name, Path(name), script, hashlib.sha256(script).digest())
                scripts[modules.Entry(name, modules.SCRIPT, source.digest)] = source
            known.add(list(scripts), self._kept_of("what is run", "modules"), lambda entry: _frozen(scripts[entry]))
            file = known.file()
            self.sizes["code"] = self.sizes.get("code", 0) + len(file)
            self.payload.add_file(modules.PLACE, file)
        for kept in self._kept.values():
            kept.keep()

    def _add_code_of(self, sources: list[_Source], known: modules.Modules | None, codes: Kept, made: Kept) -> None:
        """Add the code of modules to the known ones, or otherwise as files where an import looks for it."""
        entries: dict[modules.Entry, _Source] = {}
        for source in sources:
            module, place = self._module(source.name)
            if known and module and self._in_executable(module, place):
                continue
            if known and module and self._is_ready(module):
                entries[modules.Entry(module, place, source.digest)] = source
                continue
            # Code contains its file's name: two equal files have different code.
            kind = f"bytecode of {source.name}"
            if bytecode := codes.get(kind, source.digest, partial(_bytecode, source.content, source.path)):
                self._add_bytecode(source, bytecode, codes)
                self._drop_source(source)

        def frozen(entry: modules.Entry) -> modules.Frozen | None:
            code = codes.get("frozen", entry.digest, lambda: tuple(_frozen(entries[entry]) or ()))
            return modules.Frozen(*code) if code else None

        if known:
            have_code = known.add(list(entries), made, frozen)
            for entry, source in entries.items():
                if entry.name.encode() in have_code:
                    self._drop_source(source)

    def _add_bytecode(self, source: _Source, bytecode: bytes, codes: Kept) -> None:
        """Add a module's code as a file where an import looks for it."""
        folder, _, last = source.name.rpartition("/")
        packed = b""
        if self._level:
            kind = f"level {self._level} of {source.name}"
            packed = codes.get(kind, source.digest, partial(deflated, bytecode, self._level))
        name = f"{folder}/__pycache__/{last[:-3]}.{sys.implementation.cache_tag}.pyc"
        self.payload.add_file(name, bytecode, packed=packed)
        self.sizes["code"] = self.sizes.get("code", 0) + (len(packed) or len(bytecode))

    def _drop_source(self, source: _Source) -> None:
        """Without sources: replace a file whose code is carried by a stub, so that it is still found and listed."""
        top = source.name.removeprefix(f"{self.library}/").partition("/")[0]
        if not (self._choice.sources or top in _ALWAYS or any(matches(source.name, p) for p in self._choice.extract)):
            whose = self._whose(source.name)
            self.sizes[whose] -= self.payload.replace_file(source.name, _NO_SOURCE) - len(_NO_SOURCE)

    def _is_ready(self, module: str) -> bool:
        """Whether a module's code is carried ready to use, not in a compressed file."""
        trace = self._choice.trace
        return module in trace if trace else self._choice.compress != "small"

    def _module(self, name: str) -> tuple[str, int]:
        """The module name that a file is imported under, and its place; no name if that is not certain."""
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
        find = getattr(_imp, "library_find", None)  # not with --no-speedups
        return find is not None and not place & modules.SITE and find(module) is not None

    def add_packages(self, folder: Path) -> None:
        """Add everything in a folder that has the layout of `pip install --target` or of a virtual environment."""
        self.folders.append(folder)
        for name, path in self._files(folder):
            place = "python/" if name.startswith("bin/") else f"{self.library}/site-packages/"
            if place + name in self.payload:
                raise PayloadError(f"{path}: another folder has a file of this name")
            self._add(place + name, path, folder)

    def add_data(self, source: Path, place: str) -> None:
        """Add a file or a folder's contents, at a place below sys.prefix."""
        place = f"python/{place.strip('/')}"
        if source.is_dir():
            self.payload.add_folder(place)
            for name, path in self._files(source):
                self._add(f"{place}/{name}", path, source)
        else:
            self._add(place, source, source.parent)

    def add_script(self, script: Path) -> str:
        """Add a script; return its path below the program."""
        code = script.read_bytes()
        try:
            compile(code, script.name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise PayloadError(f"{script}: {error}") from None
        return self._add_start(f"python/bin/{script.name}", code)

    def add_start(self, name: str, code: str) -> str:
        """Add a script that calls an entry point, as pip's console scripts; return its path below the program."""
        place = f"python/bin/{name}"
        if place in self.payload:
            place += ".py"
        return self._add_start(place, code.encode())

    def _add_start(self, place: str, code: bytes) -> str:
        self.payload.add_file(place, code)
        self._scripts[place] = code
        return place

    def add_text(self, place: str, text: str) -> None:
        """Add a file of the bundle's own, at its path below the program."""
        content = text.encode("utf-8", "surrogateescape")
        self.payload.add_file(place, content, packed=deflated(content, self._level) if self._level else b"")

    def finish(self, config: list[tuple[str, str]]) -> None:
        """Add the code of all added modules, and what the bundle runs."""
        for pattern, count in self._excluded.items():
            if not count:
                raise PayloadError(f"--exclude {pattern}: no file's path is like that; STATICPYTHON=list shows all")
        for key, value in config:
            if "\0" in value:
                raise PayloadError(f"{key}: {value!r} has a zero in it")
        if self._choice.extract:
            self.add_text(extracted.LIST, "\n".join(self._extracted()))
            self.add_hook("import _staticpython.extracted as e; e.start()")
        if self._left_out:
            self.add_text(leftout.LIST, "\n".join(sorted(self._left_out)))
            self.add_hook("import _staticpython.leftout as l; l.start()")
        if self._hooks:
            self.add_text(f"{self.library}/site-packages/_staticpython.pth", "".join(f"{h}\n" for h in self._hooks))
        self._add_code()
        self.payload.config = b"".join(os.fsencode(f"{key}={value}\0") for key, value in config)


def identity_of_code(build_id: bytes) -> str:
    """Identifies what code depends on besides its source: the interpreter that compiles it, and the code's format."""
    digest = hashlib.sha256(build_id + importlib.util.MAGIC_NUMBER + sys.version.encode())
    for file in (__file__, freeze.__file__, marks.__file__, modules.__file__):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:32]


def _machine_of(path: Path) -> bytes:
    """Class, byte order and CPU of an ELF file; nothing for other files."""
    with path.open("rb") as file:
        head = file.read(20)
    return head[4:6] + head[18:20] if head[:4] == b"\x7fELF" else b""


def _compiled(source: bytes, path: Path) -> types.CodeType | None:
    """The code of a module; None if it is not valid in this version of Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _compiled_before(source, path) or compile(source, path.name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return None


def _frozen(source: _Source) -> modules.Frozen | None:
    code = _compiled(source.content, source.path)
    return modules.freeze(code) if code else None


def _bytecode(source: bytes, path: Path) -> bytes | None:
    """A .pyc that an import uses without looking at the source; or None."""
    code = _compiled(source, path)
    by_hash_unchecked = (1).to_bytes(4, "little")
    head = importlib.util.MAGIC_NUMBER + by_hash_unchecked + importlib.util.source_hash(source)
    return head + marks.one_form(code) if code else None


def _compiled_before(source: bytes, path: Path) -> types.CodeType | None:
    """The code in the module's .pyc, if it has the hash of this source, as the library's have (PEP 552)."""
    try:
        data = Path(importlib.util.cache_from_source(path, optimization="")).read_bytes()
    except OSError:
        return None
    by_hash = int.from_bytes(data[4:8], "little") & 1
    if data[:4] != importlib.util.MAGIC_NUMBER or not by_hash or data[8:16] != importlib.util.source_hash(source):
        return None
    code: types.CodeType = marshal.loads(data[16:])
    return code
