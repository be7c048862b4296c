"""A build reports what it needs on this machine at its beginning, not when it misses it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from staticpython import cli, plan, verify
from staticpython.config import ROOT
from staticpython.load import load_facts
from staticpython.verify import EMULATORS_DEBIAN, linked_faults
from tests.unit.test_published import plan_of


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """An x86_64 machine on which no emulator, no ccache and no GCC for another CPU is installed."""
    monkeypatch.setattr(plan, "host_machine", lambda: "x86_64")
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if "qemu" in name or name == "ccache" else which(name))


@pytest.mark.usefixtures("lacking")
def test_a_missing_emulator_is_said_at_the_beginning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([f"--output={tmp_path}", "--arch=riscv64"]) == 0
    said = capsys.readouterr().err
    assert "warning: no qemu-riscv64-static in PATH: riscv64 is built, but not started or tested here" in said
    assert f"apt-get install {EMULATORS_DEBIAN}" in said
    assert cli.main([f"--output={tmp_path}", "--arch=x86_64", "--arch=i386"]) == 0
    assert "warning" not in capsys.readouterr().err, "the kernel runs these"


@pytest.mark.usefixtures("lacking")
def test_what_bootstrap_installs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--missing", "--arch=riscv64", "--arch=aarch64", "--launcher=ccache"]) == 0
    assert set(capsys.readouterr().out.split()) == {"apt-get", "install", "ccache", EMULATORS_DEBIAN}
    assert cli.main(["--missing", "--arch=x86_64"]) == 0
    assert capsys.readouterr().out == ""


def bootstrap(folder: Path, arch: str) -> subprocess.CompletedProcess[str]:
    """Run bootstrap.sh in a folder with nothing else but configs/, up to the virtual environment."""
    shutil.copy(ROOT / "bootstrap.sh", folder)
    shutil.copytree(ROOT / "configs", folder / "configs", dirs_exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    for name in ("python3", "apt-get", "sudo"):
        (folder / "bin" / name).write_text('#!/bin/sh\necho "begins" >&2\nexit 9\n')
        (folder / "bin" / name).chmod(0o755)
    env = {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
    return subprocess.run(["sh", "bootstrap.sh", *arch.split()], cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("option", ["--arch ", "--arch="])
def test_bootstrap_begins_with_the_arch(tmp_path: Path, option: str) -> None:
    """What it installs takes minutes."""
    run = bootstrap(tmp_path, f"{option}armm --quiet")
    known = " ".join(sorted(load_facts().arches))
    assert (run.returncode, run.stderr) == (2, f"bootstrap.sh: unknown arch 'armm' (known: {known})\n")
    for name in (*load_facts().arch_names, "all"):
        run = bootstrap(tmp_path, f"{option}{name}")
        assert "begins" in run.stderr and "unknown" not in run.stderr


def test_bootstrap_needs_a_folder_that_it_can_write(tmp_path: Path) -> None:
    (tmp_path / ".venv").touch()
    run = bootstrap(tmp_path, "--arch x86_64")
    assert run.returncode == 1
    assert f"bootstrap.sh: cannot write to {tmp_path}/.venv: make it yours (chown), or remove it" in run.stderr


def test_lint_comes_after_bootstrap(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/lint", tmp_path / ".ci")
    run = subprocess.run([tmp_path / ".ci/lint"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, ".ci/lint: no tools in .venv yet: run ./bootstrap.sh first\n")


def test_an_interruption_of_the_imports_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "staticpython").mkdir()
    (tmp_path / "staticpython/__init__.py").write_text("raise KeyboardInterrupt\n")
    shutil.copy(ROOT / "generate.py", tmp_path)
    run = subprocess.run([sys.executable, tmp_path / "generate.py"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (130, "interrupted\n")


def make_tree(tmp_path: Path, modules: list[str]) -> list[str]:
    """Make a tree with this machine's Python as its interpreter; return verify's arguments for it."""
    binary = tmp_path / "dist/tree/bin/python3.13"
    binary.parent.mkdir(parents=True)
    shutil.copy(os.path.realpath(sys.executable), binary)
    with binary.open("rb") as file:
        elf = ELFFile(file)
        machine = {"elf_machine": elf["e_machine"], "elf_class": elf.elfclass, "byte_order": sys.byteorder}
    written = plan_of()
    arch = dataclasses.replace(written.arch, **machine, thread_stack_mib=8, emulator="qemu-foreign-static")
    made = dataclasses.replace(written, arch=arch, pie=True, native=False, series="3.13", tree="tree", modules=modules)
    (tmp_path / "build/foreign").mkdir(parents=True)
    (tmp_path / "build/foreign/plan.json").write_text(made.text())
    stamp = tmp_path / "build/foreign/verified"
    return [str(tmp_path / "dist/tree"), f"--plan={tmp_path}/build/foreign/plan.json", f"--stamp={stamp}"]


def test_verify_without_an_emulator_does_its_static_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = make_tree(tmp_path, ["nothing_has_this"])
    assert verify.main(arguments) == 7, "this machine's Python is no static one"
    said = capsys.readouterr().err
    assert "module nothing_has_this is not linked in" in said
    assert "does not run on this machine" not in said
    for check in ("binary_faults", "linked_faults"):
        monkeypatch.setattr(verify, check, lambda *_, **__: iter(()))
    assert verify.main(arguments) == 0
    assert "left out whether it starts and its modules import, which takes qemu-foreign-static" in (
        capsys.readouterr().out
    )
    assert not (tmp_path / "build/foreign/verified").exists(), "the next make must try again"


def test_verify_with_all_halves_leaves_its_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = make_tree(tmp_path, [])
    for check in ("binary_faults", "linked_faults", "module_faults"):
        monkeypatch.setattr(verify, check, lambda *_, **__: iter(()))
    monkeypatch.setattr(verify, "missing_emulator", lambda _: "")
    assert verify.main(arguments) == 0
    assert (tmp_path / "build/foreign/verified").exists()


def test_linked_modules_are_found_without_running(tmp_path: Path) -> None:
    source, library = tmp_path / "m.c", tmp_path / "m.so"
    source.write_text("void PyInit_asked(void);\nvoid PyInit_here(void) { PyInit_asked(); }\n")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("this machine has no C compiler to make the file with")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    assert list(linked_faults(library, ["here", "asked", "gone"])) == [
        "module asked is not linked in",
        "module gone is not linked in",
    ]


@pytest.mark.parametrize("command", [["generate.py", "--arch=aarch64"], ["-m", "staticpython.fetch", "xz"]])
def test_a_python_without_the_packages_says_what_to_do(tmp_path: Path, command: list[str]) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare/bin/python"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    run = subprocess.run([python, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    for words in (
        "has no cyclonedx, elftools, jinja2, jsonschema, license_expression, packaging, requests, rich, yaml",
        "./bootstrap.sh",
        "-m pip install -r requirements.txt",
    ):
        assert words in run.stderr


def test_every_package_that_a_command_imports_is_asked_for() -> None:
    """staticpython/__init__.py names all requirements.txt packages that more than one command uses."""
    import staticpython

    own = {"staticpython", "bench"}
    optional = {"backports", "ruamel"}  # only for older Pythons; only for staticpython.bump
    optional |= {"urllib3", "packageurl"}  # part of requests; part of cyclonedx
    imported = set()
    for path in (ROOT / "staticpython").glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                imported.add(words[1].split(".")[0].rstrip(","))
    assert imported - set(sys.stdlib_module_names) - own - optional == set(staticpython.NEEDED)
