"""The `full` archive: it and a linker are enough to link the interpreter again."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from staticpython.config import ROOT
from staticpython.full import LINK, write_full
from staticpython.load import load_facts
from staticpython.published import build_options
from tests.build.conftest import BuiltTarget, network_environment
from tests.build.test_downloads import UV

SHOW = """if True:
    import ctypes, json, sqlite3, ssl, sys
    print(json.dumps([sys.prefix, sorted(sys.builtin_module_names)]))
"""


@dataclass(frozen=True)
class Unpacked:
    """The archive's files, and its PYTHON.json."""

    folder: Path
    info: dict[str, Any]


@pytest.fixture(scope="module")
def unpacked(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    """The archive, made as make does, and unpacked by tar."""
    folder = tmp_path_factory.mktemp("full")
    archive = write_full(target.plan, target.tree, target.build, folder)
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", folder, "--no-same-owner"], check=True)
    return Unpacked(folder / "python", json.loads((folder / "python/PYTHON.json").read_text()))


@pytest.fixture(scope="module")
def anew(target: BuiltTarget, unpacked: Unpacked) -> Path:
    """The interpreter, linked only from the archive's files; without LTO, which takes minutes."""
    words = (unpacked.folder / LINK).read_text().split()
    quick = ["--no-fat-lto-objects"] if "--fat-lto-objects" in words else []
    linker = target.build / f"toolchain/bin/{target.triple}-ld"
    command = [str(linker.resolve()), f"@{LINK}", *quick, "-o", "install/bin/anew"]
    done = subprocess.run(command, cwd=unpacked.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return unpacked.folder / "install/bin/anew"


def test_the_interpreter_is_linked_anew(target: BuiltTarget, unpacked: Unpacked, anew: Path) -> None:
    """It runs, with exactly the modules that PYTHON.json names."""
    prefix, modules = json.loads(target.run("-c", SHOW, python=anew))
    assert Path(prefix) == unpacked.folder / "install"
    assert modules == sorted(unpacked.info["build_info"]["extensions"])
    assert modules == json.loads(target.run("-c", SHOW))[1]


def test_the_same_bytes(target: BuiltTarget, anew: Path) -> None:
    if "lto" in build_options(target.plan):
        pytest.skip("with LTO that takes minutes")
    assert anew.read_bytes() == target.binary.read_bytes()


def test_what_python_json_names_is_there(unpacked: Unpacked) -> None:
    info = unpacked.info
    build = info["build_info"]
    modules = [candidate for candidates in build["extensions"].values() for candidate in candidates]
    objects = [*build["core"]["objs"], *(path for module in modules for path in module["objs"])]
    links = [link["path_static"] for part in [build["core"], *modules] for link in part["links"]]
    texts = [info["license_path"], *(path for module in modules for path in module.get("license_paths", []))]
    named = {*objects, *links, *texts, build["inittab_object"], build["inittab_source"], info["python_exe"]}
    assert {path for path in named if not (unpacked.folder / path).is_file()} == set()
    assert {path for path in info["python_paths"].values() if not (unpacked.folder / path).is_dir()} == set()
    assert {link["name"] for link in build["extensions"]["_ssl"][0]["links"]} == {"ssl", "crypto"}
    linked = {word for word in (unpacked.folder / LINK).read_text().split() if word.startswith("build/")}
    assert {path for path in [*objects, *links] if path not in linked} == set(), "all of it is in the interpreter"


def test_licences(unpacked: Unpacked) -> None:
    """Each module with a library tells that library's licence, also of the libraries that CPython's source contains."""
    modules = {name: module for name, (module,) in unpacked.info["build_info"]["extensions"].items()}
    assert [name for name, module in modules.items() if module["links"] and "licenses" not in module] == []
    for name in ("pyexpat", "_decimal", "_sha2"):
        assert all(path.startswith("install/licences/cpython/") for path in modules[name]["license_paths"]), name
    # What pip says of itself is what the list of parts says.
    (metadata,) = (unpacked.folder / "install/lib").glob("python3*/site-packages/pip-*.dist-info/METADATA")
    assert f"\nLicense-Expression: {load_facts().cpython.parts['pip'].spdx}\n" in metadata.read_text()


# The headings of Doc/license.rst on other projects' code, and the parts (configs/packages/cpython.yml) or packages that
# they are here; none of what is not in the interpreter, nor in its library.
INCORPORATED = {
    "Mersenne Twister": "mersenne-twister",
    "Sockets": None,  # the C library has getaddrinfo
    "Asynchronous socket services": None,  # in CPython's tests
    "Cookie management": "cookies",
    "Execution tracing": "trace",
    "UUencode and UUdecode functions": "uu",
    "XML Remote Procedure Calls": "xmlrpc",
    "test_epoll": None,
    "Select kqueue": None,  # not on Linux
    "SipHash24": "siphash24",
    "strtod and dtoa": "dtoa",
    "OpenSSL": "openssl",
    "expat": "expat",
    "libffi": "libffi",
    "zlib": "zlib",
    "cfuhash": "cfuhash",
    "libmpdec": "mpdecimal",
    "W3C C14N test suite": None,
    "mimalloc": "mimalloc",
    "asyncio": "uvloop",
    "Global Unbounded Sequences (GUS)": "global-unbounded-sequences",
    "Zstandard bindings": "pyzstd",
    "Unicode Character Database": "unicode-character-database",
    "Profiling module": "d3",  # and d3-flame-graph
    "Pixi packages": None,  # in Tools
}


@pytest.mark.any_cpu("it is in the source")
def test_what_cpython_says_that_it_contains(target: BuiltTarget) -> None:
    """Each of it is a part or a package, whose licence the lists name; a part's files are there."""
    source = target.build.parent / "sources/cpython"
    text = (source / "Doc/license.rst").read_text().partition("for Incorporated Software\n")[2]
    headings = re.findall(r"^(\S.*)\n-{4,}$", text, re.MULTILINE)
    facts = load_facts()
    assert [each for each in headings if each not in INCORPORATED] == [], "say here what they are"
    known = {INCORPORATED[heading] for heading in headings} - {None}
    assert known <= {*facts.cpython.parts, *facts.packages}
    places = [place for name in known if name in facts.cpython.parts for place in facts.cpython.parts[name].places]
    assert [place for place in places if not (source / place).exists()] == []


@pytest.mark.any_cpu("PYTHON.json has the same keys")
def test_pyoxidizer_reads_it(unpacked: Unpacked, tmp_path: Path) -> None:
    """The only program on PyPI that does. It expects version 7, and CPython's tests, which are not in the archive.

    Its list of licences is of 2022, older than Unicode-3.0.
    """
    if platform.machine() != "x86_64":
        pytest.skip("PyPI has PyOxidizer for Linux on x86_64 only")
    info = unpacked.info | {"version": "7", "run_tests": "build/run_tests.py"}
    (tmp_path / "python").mkdir()
    (tmp_path / "python/PYTHON.json").write_text(json.dumps(info).replace("Unicode-3.0", "Unicode-DFS-2016"))
    archive = tmp_path / "version-7.tar.zst"
    folders = ["-C", str(unpacked.folder.parent), "python/build", "python/install"]
    pack = ["tar", "--zstd", "-cf", str(archive), "-C", str(tmp_path), "python/PYTHON.json", *folders]
    subprocess.run(pack, check=True, env=os.environ | {"ZSTD_CLEVEL": "1"})
    program = ["tool", "run", "--from", "pyoxidizer==0.24.0", "pyoxidizer", "python-distribution-info"]
    environment = network_environment() | {"UV_TOOL_DIR": str(tmp_path / "tools")}
    done = subprocess.run([UV, *program, archive], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert f"Version:       {info['python_version']}\n" in done.stdout
    modules = done.stdout.partition("Extension Modules\n")[2].partition("Python Modules\n")[0]
    assert re.findall(r"^(\w+)\n-+$", modules, re.MULTILINE) == sorted(info["build_info"]["extensions"])


def test_no_folder_of_the_build_machine(target: BuiltTarget, unpacked: Unpacked) -> None:
    """Otherwise other machines would make other bytes; LTO's bitcode has the source paths that the compiler got."""
    folders = {bytes(folder) for folder in (ROOT, target.build.resolve().parent)}
    files = [path for path in (unpacked.folder / "build").rglob("*") if path.is_file()]
    found = {
        path.name for path in [*files, unpacked.folder / "PYTHON.json"] if any(f in path.read_bytes() for f in folders)
    }
    assert found == set()


def test_no_time_of_the_build(unpacked: Unpacked) -> None:
    """The members of a static library have no time: ar(5) has it at bytes 16 to 28 of a member's header."""
    times: dict[str, int] = {}
    for library in (unpacked.folder / "build").rglob("*.a"):
        data, at = library.read_bytes(), len("!<arch>\n")
        while at < len(data):
            times[library.name] = max(times.get(library.name, 0), int(data[at + 16 : at + 28].strip() or b"0"))
            size = int(data[at + 48 : at + 58])
            at += 60 + size + size % 2
    assert len(times) > 10
    assert {name for name, time in times.items() if time} == set()


def test_setup_local_is_that_of_the_interpreter(unpacked: Unpacked) -> None:
    """It is not that of the test extensions, by which `make test` replaces it."""
    assert "*shared*" not in (unpacked.folder / "build/Modules/Setup.local").read_text()
