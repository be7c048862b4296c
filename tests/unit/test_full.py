"""The `full` archive: which files of a link are in it, and what PYTHON.json may contain."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from staticpython import describe, full
from staticpython.errors import StaticPythonError, UsageError
from staticpython.full import Build, modules_of
from staticpython.published import write_archive
from tests.unit.test_published import fake_tree, plan_of

SETUP = """\
# comment
*static*
VARIABLE = x.c
_ssl _ssl.c
_io _io/_iomodule.c _io/bytesio.c -lm
*shared*
_testcapi _testcapimodule.c
*disabled*
_tkinter
"""
MAKEFILE = """\
HERE = yes
MODULE__SSL_LDFLAGS = -L/elsewhere/lib -lssl
python: Programs/python.o
\tmy-cc -o python Programs/python.o -L/elsewhere/lib -lssl
"""
# A compiler's output for -###, about a link that it would start.
SAID = """\
echo 'clang version 1' >&2
echo ' "/my/ld" "-L/elsewhere/lib" "-plugin" "/my/plugin.so" "-plugin-opt=mcpu=x" "-plugin-opt=/my/wrapper"' \\
    '"-dynamic-linker" "/lib/ld.so"' \\
    '"-o" "python" "-T" "../sources/a b.ld" "--order=../sources/order" "--exclude-libs=liba.a:libb.a"' \\
    '"{libraries}/crt1.o" "Programs/python.o" "Modules/_ssl.o" "Python/x.o" "-lssl" {more}' >&2
"""


def built(folder: Path, more: str = "") -> Build:
    """Return a folder where an interpreter was linked, with a compiler that only prints its commands."""
    bin_ = folder / "target/toolchain/bin"
    libraries = folder / "target/sysroot/usr/lib"
    files = ["cpython/Programs/python.o", "cpython/Modules/_ssl.o", "cpython/Python/x.o", "sources/a b.ld"]
    files += ["sources/order", "sysroot/usr/lib/crt1.o", "sysroot/usr/lib/libssl.a"]
    for file in files:
        (folder / "target" / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "target" / file).write_text(file)
    (folder / "target/cpython/Makefile").write_text(MAKEFILE)
    bin_.mkdir(parents=True)
    (bin_ / "my-cc").write_text(f"#!/bin/sh\n{SAID.format(libraries=libraries, more=more)}")
    (bin_ / "my-cc").chmod(0o755)
    return Build(plan_of(), folder / "target")


def test_link(tmp_path: Path) -> None:
    """This machine's files are left out, and each other file has its place in the archive."""
    link = built(tmp_path).link()
    assert link.words == [
        *("-plugin-opt=mcpu=x", "-T", "build/link/a b.ld", "--order=build/link/order"),
        *("--exclude-libs=liba.a:libb.a", "build/lib/crt1.o", "build/Programs/python.o", "build/Modules/_ssl.o"),
        *("build/Python/x.o", "build/lib/libssl.a"),
    ]
    assert {path: file.read_text() for path, file in link.files.items()} == {
        "build/link/a b.ld": "sources/a b.ld",
        "build/link/order": "sources/order",
        "build/lib/crt1.o": "sysroot/usr/lib/crt1.o",
        "build/lib/libssl.a": "sysroot/usr/lib/libssl.a",
        "build/Programs/python.o": "cpython/Programs/python.o",
        "build/Modules/_ssl.o": "cpython/Modules/_ssl.o",
        "build/Python/x.o": "cpython/Python/x.o",
    }
    assert link.objects == ["build/Modules/_ssl.o", "build/Python/x.o"]


def test_a_link_with_what_is_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(StaticPythonError, match=r"cannot be in an archive: --with=/of/this/machine"):
        built(tmp_path, '"--with=/of/this/machine"').link()


def test_variables_of_cpythons_makefile(tmp_path: Path) -> None:
    found = built(tmp_path).variables(["MODULE__SSL_LDFLAGS", "MODULE__IO_LDFLAGS"])
    assert found == {"MODULE__SSL_LDFLAGS": ["-L/elsewhere/lib", "-lssl"], "MODULE__IO_LDFLAGS": []}


def test_nothing_was_built(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run make first"):
        Build(plan_of(), tmp_path)


def test_modules_of_setup() -> None:
    assert modules_of(SETUP) == {
        "_ssl": ["build/Modules/_ssl.o"],
        "_io": ["build/Modules/_io/_iomodule.o", "build/Modules/_io/bytesio.o"],
    }


def test_licences(tmp_path: Path) -> None:
    """Of two licences, the one with fewer conditions for linking is chosen."""
    plan = plan_of()
    (tmp_path / "licences/zstd").mkdir(parents=True)
    (tmp_path / "licences/zstd/LICENSE").write_text("x")
    assert full.licences(plan, ["build/lib/libzstd.a", "build/lib/libbz2.a"], tmp_path) == {
        "licenses": ["BSD-3-Clause", "bzip2-1.0.6"],
        "license_paths": ["install/licences/zstd/LICENSE"],
        "license_public_domain": False,
    }
    assert full.licences(plan, ["build/Modules/_ssl.o"], tmp_path) == {}


@pytest.mark.parametrize(
    ("path", "spdx", "text"),
    [
        ("expat/libexpat.a", "MIT", "COPYING"),
        ("_decimal/libmpdec/libmpdec.a", "BSD-2-Clause", "license.rst"),
        ("_hacl/libHacl_Hash_SHA2.a", "MIT", "HACL"),
        ("_hacl/Hacl_Hash_MD5.o", "MIT", "HACL"),
        ("_zstd/compressor.o", "BSD-3-Clause", "license.rst"),
        ("_randommodule.o", "BSD-3-Clause", "license.rst"),
    ],
)
def test_licences_of_what_cpython_contains(tmp_path: Path, path: str, spdx: str, text: str) -> None:
    """It is told of each module with it, whether that links a library or, as in 3.13, has the object."""
    (tmp_path / "licences/cpython").mkdir(parents=True)
    (tmp_path / "licences/cpython" / text).write_text("x")
    assert full.licences(plan_of(), ["build/Modules/x.o", f"build/Modules/{path}"], tmp_path) == {
        "licenses": [spdx],
        "license_paths": [f"install/licences/cpython/{text}"],
        "license_public_domain": False,
    }


def example() -> dict[str, Any]:
    """Return a valid, short PYTHON.json."""
    module = {"in_core": False, "init_fn": "PyInit__ssl", "objs": ["build/Modules/_ssl.o"], "required": False}
    links = [{"name": "ssl", "path_static": "build/lib/libssl.a"}]
    licence = {"licenses": ["Apache-2.0"], "license_paths": ["install/l"], "license_public_domain": False}
    paths = {"stdlib": "install/lib", "include": "install/include", "scripts": "install/bin"}
    core = {"objs": ["build/Python/x.o"], "links": links}
    return {
        "version": "8",
        "target_triple": "x86_64-unknown-linux-musl",
        "optimizations": "pgo+lto",
        "build_options": "freethreaded+pgo+lto+static",
        "python_tag": "cp314",
        "python_abi_tag": "cp314t",
        "python_platform_tag": "linux_x86_64",
        "python_implementation_cache_tag": "cpython-314",
        "python_implementation_hex_version": 1,
        "python_implementation_name": "cpython",
        "python_implementation_version": ["3", "14", "7", "final", "0"],
        "python_version": "3.14.7",
        "python_major_minor_version": "3.14",
        "python_paths": paths,
        "python_paths_abstract": paths,
        "python_config_vars": {str(number): "" for number in range(100)},
        "python_exe": "install/bin/python3.14",
        "python_stdlib_platform_config": "install/lib/config",
        "python_stdlib_test_packages": [],
        "python_suffixes": {name: [".x"] for name in describe.SUFFIXES},
        "python_bytecode_magic_number": "0123abcd",
        "libpython_link_mode": "static",
        "python_symbol_visibility": "global-default",
        "python_extension_module_loading": ["builtin", "shared-library"],
        "crt_features": ["static"],
        "build_info": {
            "core": core,
            "extensions": {"_ssl": [module | licence | {"links": links, "variant": "default"}]},
            "inittab_object": "build/Modules/config.o",
            "inittab_source": "build/Modules/config.c",
            "inittab_cflags": [],
            "object_file_format": "elf",
        },
        "licenses": ["Python-2.0"],
        "license_path": "install/licences/cpython/LICENSE",
    }


def test_schema_takes_what_is_right() -> None:
    full.check(example())


LICENCE = ("licenses", "license_paths", "license_public_domain")


def without(*keys: str) -> dict[str, Any]:
    """Return the example without keys of its module."""
    info = example()
    (module,) = info["build_info"]["extensions"]["_ssl"]
    for key in keys:
        del module[key]
    return info


@pytest.mark.parametrize("key", LICENCE)
def test_a_licence_is_whole_or_not_there(key: str) -> None:
    full.check(without(*LICENCE))
    with pytest.raises(StaticPythonError, match=f"'{key}' is a dependency of"):
        full.check(without(key))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["version"], "7", r"\$\.version: '8' was expected"),
        (["python_exe"], "/usr/bin/python3", r"\$\.python_exe"),
        (["unknown"], 1, r"Additional properties are not allowed \('unknown'"),
        (["licenses"], None, r"\$\.licenses"),
        (["build_info", "core", "objs"], [], r"\$\.build_info\.core\.objs"),
        (["build_info", "extensions", "_ssl", 0, "licenses"], [], r"_ssl'\]\[0\]\.licenses"),
        (["build_info", "extensions", "_ssl", 0, "objs"], [], r"_ssl'\]\[0\]\.objs"),
        (["build_info", "extensions", "_ssl", 0, "links", 0, "path_static"], "/lib/libssl.a", r"path_static"),
    ],
)
def test_schema_refuses(path: list[str | int], value: Any, says: str) -> None:
    info: Any = copy.deepcopy(example())
    place = info
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(StaticPythonError, match=says):
        full.check(info)


@pytest.mark.parametrize("key", sorted(example()))
def test_every_key_must_be_there(key: str) -> None:
    with pytest.raises(StaticPythonError, match=f"'{key}' is a required property"):
        full.check({name: value for name, value in example().items() if name != key})


def test_bytes_follow_from_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options for zstd in the environment do not change the bytes."""
    archives = []
    for number in range(2):
        fake_tree(tmp_path / str(number), "tree", number)
        archives.append(write_archive(tmp_path / f"{number}.tar.zst", [("python", tmp_path / f"{number}/tree")], 1))
        monkeypatch.setenv("ZSTD_CLEVEL", "1")
    assert archives[0].read_bytes() == archives[1].read_bytes()
    listed = subprocess.run(["tar", "--zstd", "-tf", archives[0]], capture_output=True, text=True, check=True)
    assert listed.stdout.split()[-1] == "python/readme"


def test_packing_program_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: it ends while a block is half written, whose rest cannot be written at the end either."""
    fake_tree(tmp_path, "tree", 0)
    (tmp_path / "tree/big").write_bytes(bytes(1 << 20))
    # With 4 KiB taken out, a pipe has 64 KiB: six blocks of tar and the seventh but for 2 KiB.
    (tmp_path / "zstd").write_text("#!/bin/sh\ndd bs=4096 count=1 of=/dev/null\nsleep 0.3\nexit 3\n")
    (tmp_path / "zstd").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    result = tmp_path / "result.tar.zst"
    with pytest.raises(StaticPythonError, match="zstd failed with exit code 3"):
        write_archive(result, [("python", tmp_path / "tree")], 1)
    assert list(tmp_path.glob("result*")) == []


def test_describe() -> None:
    """This machine's own Python reports the same about itself as a target's would, without folders of the machine."""
    script = [sys.executable, "-I", "-S", str(full.DESCRIBE), sys.base_prefix]
    homes = [{"HOME": home} for home in ("/home/a", "/home/b")]
    said, again = (subprocess.run(script, capture_output=True, text=True, check=True, env=e).stdout for e in homes)
    assert said == again and "/home/a" not in said
    assert f'"python_tag": "cp3{sys.version_info.minor}"' in said
    assert '"scripts": "install/' in said
