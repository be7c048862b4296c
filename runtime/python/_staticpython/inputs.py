"""What to bundle, installed into a folder by this tree's pip: requirements, wheels, projects, scripts' dependencies."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from _staticpython.cache import Cache
from _staticpython.locks import is_lock, locked_requirements
from _staticpython.parts import normalized
from _staticpython.payload import PayloadError

# Followed by `t` without a GIL, as in the names of files and folders.
SERIES = "{}.{}{}".format(*sys.version_info[:2], sys.abiflags)
_ARCHIVES = (".whl", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip")
# PEP 723.
_BLOCK = re.compile(r"(?m)^# /// script\s*$\n((?:^#(?:| .*)$\n)+?)^# ///\s*$")
# pip as on another CPU: its options choose the wheels, but markers ask the module platform.
_PIP = "import platform, runpy, sys; m = sys.argv.pop(1)\nif m: platform.machine = lambda: m\n"
_PIP += "runpy.run_module('pip', run_name='__main__', alter_sys=True)"

_OURS = {"--target", "--prefix", "--root", "--user", "--dry-run", "--python", "--download", "--report"}


@dataclass
class Inputs:
    """The inputs that the command line names."""

    script: Path | None = None
    lock: Path | None = None
    # Projects' folders and archives.
    paths: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, words: list[str], files: list[Path]) -> Inputs:
        """Distinguish scripts, archives, folders, lock files and requirements."""
        inputs = cls()
        for path in files:
            if is_lock(path):
                inputs._add(str(path))
            else:
                inputs.files.append(_existing(path))
        for word in words:
            inputs._add(word)
        if inputs.lock:
            for what in [*inputs.requirements, *inputs.files]:
                raise PayloadError(f"{what}: it is not in {inputs.lock}: with a lock, name only folders and archives")
        elif inputs.script:
            inputs.requirements += script_requirements(inputs.script)
        return inputs

    def _add(self, word: str) -> None:
        path = Path(word)
        if path.is_dir():
            if not any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
                raise PayloadError(f"{word}: neither pyproject.toml nor setup.py is there: no project's folder")
            self.paths.append(str(path.resolve()))
        elif is_lock(path):
            if self.lock:
                raise PayloadError(f"{word}: {self.lock} is the lock already: name one")
            self.lock = _existing(path)
        elif word.endswith(_ARCHIVES) and "://" not in word:
            self.paths.append(str(_existing(path).resolve()))
        elif word.endswith(".py") or path.is_file():
            if self.script:
                raise PayloadError(f"{word}: {self.script} is to run already: name one script")
            self.script = _existing(path)
        elif "/" in word and "://" not in word:
            raise PayloadError(f"{word}: no such file or folder")
        else:
            self.requirements.append(word)

    @property
    def is_installed(self) -> bool:
        """Whether pip has anything to do."""
        return bool(self.lock or self.paths or self.requirements or self.files)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise PayloadError(f"{path}: no such file")
    return path


def script_requirements(script: Path) -> list[str]:
    """Return the requirements in a script's block `# /// script` (PEP 723)."""
    import tomllib  # type: ignore[import-not-found,unused-ignore]

    match = _BLOCK.search(script.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n"))
    if not match:
        return []
    try:
        asked = tomllib.loads("".join(line[2:] or "\n" for line in match[1].splitlines(keepends=True)))
    except tomllib.TOMLDecodeError as error:
        raise PayloadError(f"{script}: in its block `# /// script`: {error}") from None
    wanted = asked.get("requires-python", "")
    if wanted:
        from pip._vendor.packaging.specifiers import SpecifierSet

        version = "{}.{}.{}".format(*sys.version_info)
        if not SpecifierSet(wanted).contains(version, prereleases=True):
            raise PayloadError(f"{script}: it wants Python {wanted}, and this one is {version}")
    dependencies = asked.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
        raise PayloadError(f"{script}: `dependencies` of its block `# /// script` is no list of strings")
    return list(dependencies)


class Target:
    """The tree whose interpreter carries everything."""

    def __init__(self, tree: Path) -> None:
        self.stdlib = tree / f"lib/python{SERIES}"
        self.program = tree / f"bin/python{SERIES}"
        facts = self.stdlib / "_staticpython/facts.py"
        if not facts.is_file() or not self.program.is_file():
            raise PayloadError(f"{tree}: no tree of this project's with Python {SERIES}, as this one is")
        self.tree = tree
        known = runpy.run_path(str(facts))
        self.triple, self.musl, self.time = str(known["TRIPLE"]), str(known["MUSL_VERSION"]), int(known["TIME"])
        # As in wheels' tags and markers.
        self.machine = {"i386": "i686"}.get(self.arch, self.arch)

    @property
    def arch(self) -> str:
        """The CPU, as in the names of trees."""
        return self.triple.partition("-")[0]

    @classmethod
    def find(cls, own: Path, arches: list[str], trees: list[Path]) -> list[Target]:
        """The named trees; or, for names of arches, the trees beside this one, or this one itself."""
        if trees:
            return [cls(tree) for tree in trees]
        beside = cls._beside(own) | {cls(own).arch: own}
        if not arches:
            return [cls(own)]
        for arch in arches:
            if arch not in {*beside, "all"}:
                raise PayloadError(
                    f"{own.resolve().parent} has no tree for {arch}, but for {', '.join(sorted(beside))}:"
                    " name one by --interpreter"
                )
        return [cls(beside[arch]) for arch in (sorted(beside) if "all" in arches else dict.fromkeys(arches))]

    @classmethod
    def _beside(cls, own: Path) -> dict[str, Path]:
        """Trees beside one, by their arches: one for each arch, of the same release if possible."""
        found: dict[str, Path] = {}
        own = own.resolve()
        for tree in sorted(own.parent.glob("cpython-*-linux-musl*"), key=lambda t: (t != own, t.name)):
            match = re.fullmatch(r"cpython-[^-]+-([^-]+)-linux-musl[a-z]*", tree.name)
            if match and (tree / f"bin/python{SERIES}").is_file():
                found.setdefault(match[1], tree)
        return found

    @property
    def platforms(self) -> list[str]:
        """Platform tags of the wheels that it accepts, the best first."""
        minor = int(self.musl.split(".")[1])
        return [f"musllinux_1_{n}_{self.machine}" for n in range(minor, -1, -1)] + [f"linux_{self.machine}"]

    def pip_options(self) -> list[str]:
        """The options that make pip choose wheels for it."""
        version = "{}.{}".format(*sys.version_info)
        options = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", version]
        # An interpreter without a GIL loads no extensions of the limited API.
        abis = [f"cp{SERIES.replace('.', '')}", *([] if sys.abiflags else ["abi3"]), "none"]
        options += [word for abi in abis for word in ("--abi", abi)]
        return options + [word for p in self.platforms for word in ("--platform", p)]


def data(text: str) -> tuple[Path, str]:
    """The file or folder of PATH[:PLACE], and its place below sys.prefix."""
    path, _, place = text.rpartition(":") if ":" in text else (text, "", os.path.basename(os.path.abspath(text)))
    if not os.path.exists(path):
        raise PayloadError(f"--add {text}: no such file or folder: {path}")
    if not place.strip("/"):
        raise PayloadError(f"--add {text}: say at which place below sys.prefix: PATH:PLACE")
    return Path(path), place


def check_pip_options(options: list[str]) -> None:
    """Refuse options by which pip would put packages elsewhere, or nowhere."""
    for option in options:
        if option.partition("=")[0] in _OURS or option.startswith("-t"):
            raise PayloadError(f"{option}: the bundle decides where packages go; leave this out")


@dataclass
class Installer:
    """This tree's pip, which installs packages for a target into folders.

    If pip is killed, the files that it leaves are below `temporary`, too.
    """

    target: Target
    own: Target
    temporary: Path
    options: list[str]
    cache: Cache
    # SHA-256 of the packages' archives, by their normalized names.
    hashes: dict[str, str] = field(default_factory=dict)

    def install(self, inputs: Inputs) -> list[Path]:
        """Install the inputs and their dependencies into folders."""
        words = [word for path in inputs.files for word in ("-r", str(path))] + inputs.paths + inputs.requirements
        if not inputs.lock:
            return [self._pip("packages", words, words)] if words else []
        lines = locked_requirements(inputs.lock, self.target)
        for line in lines:
            if match := re.match(r"([\w.-]+)(?:==| @ ).* --hash=sha256:(\w+)", line):
                self.hashes[normalized(match[1])] = match[2]
        key = hashlib.sha256("\0".join([*lines, self.target.triple, *self.options]).encode()).hexdigest()
        folders = [self.cache.folder(key, lambda: self._locked(lines, str(inputs.lock)))]
        # A project's dependencies are locked.
        return [*folders, self._pip("projects", ["--no-deps", *words], words)] if words else folders

    def _locked(self, lines: list[str], lock: str) -> Path:
        file = self.temporary / "locked.txt"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self._pip("locked", ["--no-deps", "--require-hashes", "-r", str(file)], ["what is in", lock])

    def _pip(self, name: str, words: list[str], meant: list[str]) -> Path:
        folder, scratch = self.temporary / name, self.temporary / "pip"
        scratch.mkdir(exist_ok=True)
        foreign = self.target.triple != self.own.triple
        command = [sys.executable, "-c", _PIP, self.target.machine if foreign else "", "--disable-pip-version-check"]
        report = self.temporary / "report.json"
        command += ["-q", "install", "--no-compile", "--root-user-action", "ignore", "--target", str(folder)]
        command += ["--report", str(report)]
        command += self.target.pip_options() if foreign else []
        environment = os.environ | {"TMPDIR": str(scratch)}
        if subprocess.run([*command, *self.options, *words], check=False, env=environment).returncode:
            what = " ".join(os.path.relpath(w) if w.startswith("/") else w for w in meant)
            raise PayloadError(f"pip could not install {what} for {self.target.triple}: it says above why")
        for package in json.loads(report.read_bytes())["install"] if report.is_file() else []:
            if digest := package["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256"):
                self.hashes[normalized(package["metadata"]["name"])] = digest
        folder.mkdir(exist_ok=True)
        _tidy(folder)
        return folder


def _tidy(folder: Path) -> None:
    """Remove what depends on this machine: paths of projects and wheels, and the Python in scripts' first lines."""
    gone = set()
    for path in folder.glob("*.dist-info/direct_url.json"):
        if b'"file:' in path.read_bytes():
            path.unlink()
            gone.add(path.relative_to(folder).as_posix())
    changed = set()
    for path in (folder / "bin").glob("*"):
        text = path.read_bytes()
        first, newline, rest = text.partition(b"\n")
        if first.startswith(b"#!") and b"python" in first:
            path.write_bytes(b"#!/usr/bin/env python3" + newline + rest)
            changed.add(path.name)
    for record in folder.glob("*.dist-info/RECORD"):
        lines = []
        for line in record.read_text(encoding="utf-8").splitlines():
            name = line.partition(",")[0]
            if name in gone:
                continue
            is_script = name.rpartition("/")[2] in changed and name.rpartition("/")[0].endswith("bin")
            lines.append(f"{name},," if is_script else line)
        record.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def distributions(folders: list[Path]) -> list[importlib.metadata.Distribution]:
    """The distributions in folders, sorted by their names."""
    found = importlib.metadata.distributions(path=[str(folder) for folder in folders])
    return sorted(found, key=lambda d: d.metadata["Name"].lower())


def console_script(folders: list[Path], name: str | None, output: str) -> tuple[str, str]:
    """Return the name and the entry point of a console script.

    Without a name: the one named like the output file or like the requirement, or the only one that the latter has.
    """
    every = distributions(folders)
    found = {e.name: (e.value, d) for d in every for e in d.entry_points if e.group == "console_scripts"}
    if name is not None:
        if name not in found:
            known = ", ".join(sorted(found)) or "none"
            raise PayloadError(f"{name}: no package has such a console script; there are: {known}")
        return name, _without_extras(found[name][0])
    asked = {n: v for n, (v, d) in found.items() if d.read_text("REQUESTED") is not None}
    names = {d.metadata["Name"].lower() for d in every if d.read_text("REQUESTED") is not None}
    named = {n: v for n, v in asked.items() if n.lower() in names}
    for choice in ({n: v for n, v in asked.items() if n == output}, named, asked):
        if len(choice) == 1:
            ((only, entry),) = choice.items()
            return only, _without_extras(entry)
    known = f"console scripts: {', '.join(sorted(asked))}" if asked else "there is no console script"
    raise PayloadError(f"say what to run: -c NAME, -m MODULE, -e MODULE:FUNCTION or a script; {known}")


def _without_extras(entry: str) -> str:
    return entry.partition("[")[0].strip()


def neighbours(script: Path) -> list[str]:
    """Return the modules that a script imports from its own folder, as `python3 SCRIPT` would."""
    tree = ast.parse(script.read_bytes())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return sorted(
        name
        for name in {name.partition(".")[0] for name in names}
        if (script.parent / f"{name}.py").is_file() or (script.parent / name / "__init__.py").is_file()
    )


def temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed afterwards."""
    return tempfile.TemporaryDirectory(prefix="bundle-")
