"""The `full` archive: `python -m staticpython.full --into DIST PLAN...`, a plan.json for each target.

It holds the tree and what its interpreter was linked from, as python-build-standalone's has them: `python/install`,
`python/build`, and PYTHON.json, which says what is where (`full.schema.yml`). Objects, libraries and options are those
of the link itself: CPython's Makefile names them, and the compiler says what it gives the linker. `build/link.rsp` has
them all: in the folder `python`, `ld.lld @build/link.rsp -o NAME` links the same bytes again.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from staticpython.config import ROOT
from staticpython.errors import StaticPythonError, UsageError
from staticpython.licences import is_gpl
from staticpython.published import FOLDER, Archive, build_options, pack, write_archive
from staticpython.target_plan import TargetPlan
from staticpython.verify import emulator_of

SCHEMA = ROOT / "staticpython/full.schema.yml"
DESCRIBE = ROOT / "staticpython/describe.py"
VERSION = "8"  # of PYTHON.json's format
LINK = "build/link.rsp"
# The compiler's arguments for the linker that belong to this machine, or that each user's link sets itself.
DROPPED = re.compile(r"-L.*|--sysroot=.*|-Map=.*|-plugin-opt=(?!mcpu=).*")
DROPPED_WITH_NEXT = ("-o", "-plugin", "-dynamic-linker")


@dataclass(frozen=True)
class Link:
    """How an interpreter is linked: the linker's words, as they are below `python/`, and the file behind each path."""

    words: list[str]
    files: dict[str, Path]

    @property
    def objects(self) -> list[str]:
        """CPython's own objects, but for the one with main()."""
        others = ("build/lib/", "build/Programs/python.o")
        return [word for word in self.words if word.endswith(".o") and not word.startswith(others)]


class Build:
    """The folder where a target's interpreter was linked, and what CPython's Makefile there knows."""

    def __init__(self, plan: TargetPlan, folder: Path) -> None:
        """Take a target's plan, and the folder of its plan.json; raises UsageError where nothing was built."""
        self.plan = plan
        self.cpython = folder / "cpython"
        self.libraries = folder / "sysroot/usr/lib"
        self.triple = plan.arch.triple
        path = f"{(folder / 'toolchain/bin').resolve()}:{os.environ['PATH']}"
        self.environment = os.environ | {"PATH": path, "LC_ALL": "C", "MAKEFLAGS": ""}
        if not (self.cpython / "Makefile").is_file():
            raise UsageError(f"{self.cpython}: nothing was built there: run make first")

    def run(self, *command: str) -> str:
        """Return what a command says in CPython's folder; raises StaticPythonError when it fails."""
        where: Any = {"cwd": self.cpython, "env": self.environment}
        done = subprocess.run(command, **where, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StaticPythonError(f"{shlex.join(command)}: {done.stderr.strip() or done.returncode}")
        return str(done.stdout + done.stderr)

    def variables(self, names: list[str]) -> dict[str, list[str]]:
        """Return the words of variables of CPython's Makefile."""
        lines = "".join(f"$(info {name}=$({name}))" for name in names)
        said = self.run("make", "-s", f"--eval=static-python: ; @:{lines}", "static-python")
        return {name: text.split() for name, _, text in (line.partition("=") for line in said.splitlines())}

    def link_command(self) -> str:
        """Return the command, for a shell in CPython's folder, that links the interpreter."""
        steps = self.run("make", "-n", "-W", "Programs/python.o", "python").splitlines()
        return next(line for line in steps if " -o python " in line)

    def link(self) -> Link:
        """Return how the interpreter is linked; raises StaticPythonError for what has no place in an archive."""
        *_, said = self.run("sh", "-c", f"{self.link_command()} '-###'").splitlines()
        given = iter(shlex.split(said)[1:])
        words, files = [], {}
        for word in given:
            if word in DROPPED_WITH_NEXT:
                next(given)
            elif not DROPPED.fullmatch(word):
                name, place, file = self.place(word)
                words.append(name + place)
                if file:
                    files[place] = file
        if left := [word for word in words if "/" in word and word.rpartition("=")[2] not in files]:
            raise StaticPythonError(f"the linker is given what cannot be in an archive: {' '.join(left)}")
        return Link(words, files)

    def place(self, word: str) -> tuple[str, str, Path | None]:
        """Return a word of the linker's: what is before a path in it, where that is in the archive, and the file."""
        if word.startswith("-l"):
            name = f"lib{word[2:]}.a"
            return "", f"build/lib/{name}", self.libraries / name
        option, equals, text = word.rpartition("=") if word.startswith("-") else ("", "", word)
        file = Path(os.path.normpath(self.cpython / text))
        if "/" not in text or not file.is_file():
            return option + equals, text, None
        if file.is_relative_to(self.cpython):
            return option + equals, f"build/{file.relative_to(self.cpython)}", file
        folder = "lib" if file.parent == self.libraries else "link"
        return option + equals, f"build/{folder}/{file.name}", file


def modules_of(setup: str) -> dict[str, list[str]]:
    """Return the modules that a Modules/Setup file links in, and the objects of each, as paths in an archive."""
    result, static = {}, False
    for line in setup.splitlines():
        name, *words = line.split("#")[0].split() or [""]
        if name.startswith("*"):
            static = name == "*static*"
        elif name and static and not re.match(r"\s*\w+\s*=", line):
            result[name] = [f"build/Modules/{Path(word).with_suffix('.o')}" for word in words if word.endswith(".c")]
    return result


def origin_of(plan: TargetPlan, path: str) -> tuple[str, str] | None:
    """Return the licence, and the pattern of its texts in `licences`, of a library or object; none of CPython's own.

    It is a package's, by its path in the archive, or that of a part of CPython's source.
    """
    for package in plan.packages:
        if f"lib/{Path(path).name}" in package.installs:
            return package.licence.spdx, f"{package.name}/*"
        for part in package.parts.values():
            objects = [f"build/{Path(file).with_suffix('.o')}" for file in part.files]
            if path in objects or (part.folder and path.startswith(f"build/{part.folder}/")):
                return part.spdx, f"{package.name}/{part.text}"
    return None


def licences(plan: TargetPlan, paths: list[str], tree: Path) -> dict[str, Any]:
    """Return what PYTHON.json says of the licences of a module's libraries and objects but CPython's own.

    Of `A OR B` it is the one that is not the GPL. Of none it says nothing, as python-build-standalone's: readers take
    an empty list for a faulty one.
    """
    origins = dict.fromkeys(origin for path in paths if (origin := origin_of(plan, path)))
    if not origins:
        return {}
    taken = [next((a for a in text.split(" OR ") if not is_gpl(a)), text) for text, _ in origins]
    files = (file for _, pattern in origins for file in sorted((tree / "licences").glob(pattern)))
    return {
        "licenses": list(dict.fromkeys(taken)),
        "license_paths": [f"install/{file.relative_to(tree)}" for file in files],
        "license_public_domain": set(taken) == {"blessing"},  # SQLite's
    }


def build_info(build: Build, link: Link, tree: Path) -> dict[str, Any]:
    """Return PYTHON.json's build_info: which objects and libraries the core and each module of C have."""
    modules = build.cpython / "Modules"
    inittab = dict(re.findall(r'^ *{"(\w+)", (\w+)},', (modules / "config.c").read_text(), re.MULTILINE))
    required = modules_of((modules / "Setup.bootstrap").read_text())
    objects = modules_of((modules / "Setup.local").read_text()) | required
    flags = {name: f"MODULE_{name.upper()}_LDFLAGS" for name in objects}
    variables = build.variables(sorted(flags.values()))
    extensions = {}
    for name, init in sorted(inittab.items()):
        given = dict.fromkeys(build.place(word)[1] for word in variables.get(flags.get(name, ""), []))
        libraries = [path for path in given if path in link.files]
        extensions[name] = [
            {
                "in_core": name not in objects,
                "init_fn": init,
                "links": [{"name": Path(path).stem[3:], "path_static": path} for path in libraries],
                "objs": objects.get(name, []),
                "required": name in required or name not in objects,
                "variant": "default",
                **licences(build.plan, [*libraries, *objects.get(name, [])], tree),
            }
        ]
    theirs = {path for paths in objects.values() for path in paths}
    core = [path for path in link.objects if path not in theirs]
    return {
        "core": {
            "objs": sorted(core),
            "links": [{"name": name, "path_static": f"build/lib/lib{name}.a"} for name in ("c", "z")],
        },
        "extensions": extensions,
        "inittab_object": "build/Modules/config.o",
        "inittab_source": "build/Modules/config.c",
        "inittab_cflags": ["-std=c11", "-DNDEBUG", "-DPy_BUILD_CORE"],
        "object_file_format": "elf",
    }


def python_json(build: Build, link: Link, tree: Path) -> dict[str, Any]:
    """Return PYTHON.json of a target; raises StaticPythonError for one that its schema does not allow."""
    plan = build.plan
    binary = (tree / "bin" / f"python{plan.series}").resolve()
    command = [*emulator_of(plan), str(binary), "-I", "-S", str(DESCRIBE), str(tree.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StaticPythonError(f"{binary} does not say what it is: {done.stderr}")
    options = [*plan.variant, *build_options(plan)]
    info = {
        "version": VERSION,
        "target_triple": f"{plan.cpu.download}-unknown-linux-musl",
        "optimizations": "+".join(word for word in build_options(plan) if word != "static"),
        "build_options": "+".join(options),
        "python_version": plan.version,
        "python_stdlib_test_packages": [],
        "python_symbol_visibility": "global-default",
        "python_extension_module_loading": ["builtin", "shared-library"],
        "libpython_link_mode": "static",
        "crt_features": ["static"],
        "build_info": build_info(build, link, tree),
        "licenses": ["Python-2.0"],
        "license_path": "install/licences/cpython/LICENSE",
        **json.loads(done.stdout),
    }
    check(info)
    return info


def check(info: dict[str, Any]) -> None:
    """Raise StaticPythonError unless PYTHON.json is as its schema says."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    for error in jsonschema.Draft202012Validator(schema).iter_errors(info):
        raise StaticPythonError(f"PYTHON.json: {error.json_path}: {error.message[:200]}")


def write_full(plan: TargetPlan, tree: Path, folder: Path, into: Path) -> Path:
    """Pack a target's tree and its parts, which are in the folder of its plan.json; return the archive."""
    build = Build(plan, folder)
    link = build.link()
    result = into / Archive.of(plan, "full").name
    with tempfile.TemporaryDirectory(dir=into, prefix=".full.") as temporary:
        stage = Path(temporary)
        files = dict(link.files)
        for name in ("config.c", "Setup.bootstrap", "Setup.stdlib"):
            files[f"build/Modules/{name}"] = build.cpython / "Modules" / name
        files["build/Modules/Setup.local"] = folder / "Setup.local"
        for path, file in files.items():
            (stage / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, stage / path)
        (stage / LINK).write_text("\n".join(map(shlex.quote, link.words)) + "\n", encoding="utf-8")
        info = json.dumps(python_json(build, link, tree), indent=1, sort_keys=True) + "\n"
        (stage / "PYTHON.json").write_text(info, encoding="utf-8")
        return write_archive(result, [(FOLDER, stage), (f"{FOLDER}/install", tree)], plan.source_date_epoch)


def main(arguments: list[str] | None = None) -> int:
    """Write the full archive of each target; returns the exit code."""
    return pack("full", __doc__, arguments, lambda *target: [write_full(*target)])


if __name__ == "__main__":
    sys.exit(main())
