"""Existing toolchains are recognised by their properties, and launchers get only compilations."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from staticpython.config import ROOT
from staticpython.errors import FetchError, UsageError
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.render import render, write
from staticpython.toolchain import TOOLS, fetch_toolchain, find_compiler, link_tools


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def compiler(prefix: Path, name: str, machine: str) -> Path:
    return script(prefix / "bin" / name, f"echo {machine}")


def test_the_compiler_for_musl_is_taken(tmp_path: Path) -> None:
    compiler(tmp_path, "i686-linux-gnu-gcc", "i686-linux-gnu")
    short = compiler(tmp_path, "i586-linux-gcc", "i586-buildroot-linux-musl")
    compiler(tmp_path, "x86_64-linux-musl-gcc", "x86_64-linux-musl")
    assert find_compiler(tmp_path, ["i686", "i586", "i386"]) == short


def test_no_compiler_for_the_arch_names_what_is_there(tmp_path: Path) -> None:
    compiler(tmp_path, "x86_64-linux-musl-gcc", "x86_64-linux-musl")
    with pytest.raises(UsageError, match=r"no aarch64 GCC for musl in bin/: x86_64-linux-musl-gcc"):
        find_compiler(tmp_path, ["aarch64"])


def test_tools_beside_the_compiler_are_linked(tmp_path: Path) -> None:
    for tool in TOOLS:
        script(tmp_path / f"bin/riscv64-linux-musl-{tool}", "")
    link_tools(tmp_path / "bin/riscv64-linux-musl-gcc", tmp_path / "found")
    assert {p.name for p in (tmp_path / "found").iterdir()} == set(TOOLS)
    (tmp_path / "bin/riscv64-linux-musl-objcopy").unlink()
    with pytest.raises(UsageError, match="objcopy: missing"):
        link_tools(tmp_path / "bin/riscv64-linux-musl-gcc", tmp_path / "found")


def test_toolchain_by_address(tmp_path: Path) -> None:
    """The archive is checked, kept in downloads/ and unpacked; its top folder is the prefix."""
    compiler(tmp_path / "served/cross", "aarch64-linux-musl-gcc", "aarch64-linux-musl")
    archive = tmp_path / "served/cross.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "served/cross", "cross")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/cross.tgz#sha256="
    try:
        with pytest.raises(FetchError, match="not the pinned bytes"):
            fetch_toolchain(address + "0" * 64, tmp_path / "downloads", tmp_path / "prefix")
        prefix = fetch_toolchain(address + digest, tmp_path / "downloads", tmp_path / "prefix")
    finally:
        server.shutdown()
        server.server_close()
    assert find_compiler(prefix, ["aarch64"]).parent == prefix / "bin"


@pytest.mark.parametrize("options", [{"toolchain": "gcc"}, {"toolchain_prefix": "/opt/musl"}])
def test_a_prefix_goes_with_gcc_only(options: dict[str, str]) -> None:
    with pytest.raises(
        UsageError, match="--toolchain-prefix needs --toolchain gcc|--toolchain gcc needs --toolchain-prefix: "
    ):
        make_plan(load_facts(), Options(arches=("x86_64",), **options))  # type: ignore[arg-type]


def test_everything_waits_for_a_toolchain_that_is_built() -> None:
    (target,) = make_plan(load_facts(), Options(arches=("x86_64",), toolchain="crossmake")).targets
    packages = {p.name: p for p in target.packages}
    assert target.needs(packages["gcc"]) == ["binutils"]
    assert {"binutils", "gcc"} <= set(target.needs(packages["musl"]))
    assert {"gcc-runtime", "musl"} <= set(target.needs(packages["zlib"]))


@pytest.mark.parametrize("launcher", ["ccache", "distcc"])
def test_launcher_gets_what_compiles_only(tmp_path: Path, launcher: str) -> None:
    plan = make_plan(load_facts(), Options(arches=("x86_64",), toolchain="llvm", launcher=launcher))
    write(render(plan, tmp_path, []), tmp_path)
    script(tmp_path / f"path/{launcher}", 'echo "launched ${1##*/}"')
    script(tmp_path / "path/clang-19", "echo compiler")
    wrapper = tmp_path / "build/x86_64/toolchain/bin/x86_64-linux-musl-cc"

    def run(*arguments: str) -> str:
        env = {"PATH": f"{tmp_path / 'path'}:/usr/bin:/bin"}
        return subprocess.run([wrapper, *arguments], env=env, capture_output=True, text=True, check=True).stdout.strip()

    launched = "launched x86_64-linux-musl-cc.compiler"
    assert run("-c", "x.c") == launched
    # Another machine lacks the profile, and gives the source another name.
    assert run("-c", "-fprofile-instr-use=p", "x.c") == (launched if launcher == "ccache" else "compiler")
    assert run("x.o", "-o", "x") == run("--version") == run("-E", "x.c") == "compiler"


def test_supported_pairs_are_for_ci() -> None:
    pairs = {(p.arch, p.toolchain) for p in load_facts(ROOT).supported}
    assert {("x86_64", "zig"), ("aarch64", "zig")} <= pairs
