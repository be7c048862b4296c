"""Packaging tools learn the musllinux tags, however they start the interpreter."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment, network_environment

pytestmark = pytest.mark.any_cpu("Python code; musllinux wheels are installed by test_wheels.py on each CPU")

FLAGS = [(), ("-S",), ("-E", "-s"), ("-I",), ("-I", "-S"), ("-EsS",), ("-I", "-B", "-W", "ignore")]
# pip's copy of packaging, as in a tool's script: from a folder that the script adds to sys.path.
ASK = """
import sys
sys.path.append(sys.argv[1])
from pip._vendor.packaging import _musllinux, tags
print(_musllinux._get_musl_version(sys.executable), [t for t in dict.fromkeys(t.platform for t in tags.sys_tags())])
"""
# The question that PDM's dep-logic asks.
PDM = "import sys; sys.path.append(sys.argv[1]); from dep_logic.tags import Platform; print(Platform.current())"
ARCHES_OF_DEP_LOGIC = {"i686": "x86"}  # its own names for them, on any system
TOOLS = ["dep-logic", "uv"]  # PDM itself needs a compiler if PyPI has no wheel of msgpack


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_copy_of_packaging(target: BuiltTarget, flags: tuple[str, ...]) -> None:
    shown = target.run(*flags, "-c", ASK, target.stdlib / "site-packages")
    arch = target.plan.arch.wheel_arch
    wanted = [f"musllinux_1_{minor}_{arch}" for minor in (2, 1, 0)]
    assert shown.startswith("_MuslVersion(major=1, minor=2) ")
    assert [tag for tag in wanted if f"'{tag}'" in shown] == wanted
    assert "manylinux" not in shown


def test_manylinux_tags_come_last_where_libraries_for_glibc_load(target: BuiltTarget) -> None:
    env = clean_environment(STATICPYTHON_GLIBC="1")
    shown = target.run("-c", ASK, target.stdlib / "site-packages", env=env)
    arch, version = target.plan.arch.wheel_arch, target.plan.arch.glibc_version
    assert ("manylinux" in shown) == bool(version)
    if version:
        wanted = [f"'musllinux_1_0_{arch}'", f"'manylinux_{version.replace('.', '_')}_{arch}'", f"'linux_{arch}'"]
        places = [shown.index(tag) for tag in wanted]
        assert places == sorted(places)


@pytest.fixture
def beside_glibc(target: BuiltTarget) -> None:
    """For tests of programs in wheels: the system has glibc, and no musl."""
    if not target.plan.arch.glibc_version or target.emulator:
        pytest.skip("this arch refuses libraries built for glibc, or is run by an emulator")
    if platform.libc_ver()[0] != "glibc" or [*Path("/lib").glob("ld-musl-*")]:
        pytest.skip("programs for musl start on this system, or none for glibc")


@pytest.mark.usefixtures("beside_glibc")
def test_wheels_with_programs_fit_the_system(target: BuiltTarget) -> None:
    """They have no ABI in their tags; wheels with extension modules keep the interpreter's order."""
    code = """if 1:
        import sys
        sys.path.append(sys.argv[1])
        from pip._internal.utils.compatibility_tags import get_supported
        for kind in "cp", "py":
            print(next(t.platform for t in get_supported() if t.interpreter.startswith(kind) and t.platform != "any"))
    """
    for on, wanted in (("", ["musllinux", "musllinux"]), ("1", ["musllinux", "manylinux"])):
        env = clean_environment(STATICPYTHON_GLIBC=on)
        shown = target.run("-c", code, target.stdlib / "site-packages", env=env)
        assert [tag.partition("_")[0] for tag in shown.split()] == wanted


@pytest.mark.usefixtures("beside_glibc")
def test_program_from_a_wheel(target: BuiltTarget, tmp_path: Path) -> None:
    """ninja has wheels for both. pip looks into the one for musl, whose program does not start on this system."""
    target.run("-m", "venv", tmp_path)
    options = ["-m", "pip", "--disable-pip-version-check", "install", "--force-reinstall", "--only-binary", ":all:"]

    def install(*more: str, **switch: str) -> str:
        env = network_environment() | switch
        command = [str(tmp_path / "bin/python3"), *options, *more, "ninja"]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    discarded, warned = "its program ninja cannot start on this system", "The program ninja of ninja cannot start"
    for switch in {}, {"STATICPYTHON_GLIBC": "1"}:
        said = install(**switch)
        assert ((discarded in said), (warned in said)) == (not switch, False)
        subprocess.run([tmp_path / "bin/ninja", "--version"], check=True)
    # A platform that is asked for by name is taken.
    named = f"--platform=musllinux_1_2_{target.plan.arch.wheel_arch}"
    assert warned in install(named, "--target", str(tmp_path / "other"))
    with pytest.raises(FileNotFoundError):
        subprocess.run([tmp_path / "other/bin/ninja", "--version"])


@pytest.mark.usefixtures("beside_glibc")
def test_library_for_ctypes_from_a_wheel(target: BuiltTarget, tmp_path: Path) -> None:
    """pypdfium2 has wheels for both, tagged as ninja's are. Without the variable only the one for musl loads."""
    options = ["-m", "pip", "-q", "--disable-pip-version-check", "install", "--only-binary", ":all:"]
    target.run(*options, "--target", tmp_path, "pypdfium2", env=network_environment())
    target.run("-c", "import pypdfium2", env=clean_environment(PYTHONPATH=str(tmp_path)))


def test_zip_file(target: BuiltTarget, tmp_path: Path) -> None:
    """A tool in a zip file, such as pip.pyz."""
    code = """if 1:
        import sys, zipfile
        with zipfile.ZipFile("tool.zip", "w") as file:
            file.writestr("tool/__init__.py", "")
            file.writestr("tool/packaging/__init__.py", "")
            file.writestr("tool/packaging/_musllinux.py", "def _get_musl_version(executable): return None")
        sys.path.insert(0, "tool.zip")
        from tool.packaging import _musllinux
        print(_musllinux._get_musl_version(sys.executable), _musllinux._get_musl_version("/bin/sh"))
    """
    assert target.run("-S", "-c", code, cwd=tmp_path) == "(1, 2) None"


def test_nothing_is_added_to_the_import_system(target: BuiltTarget) -> None:
    code = "import sys; print([getattr(f, '__name__', f) for f in sys.meta_path])"
    assert target.run("-c", code) == "['BuiltinImporter', 'FrozenImporter', 'PathFinder']"


@pytest.fixture(scope="module")
def tools(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the tools, from PyPI."""
    if not target.starts_programs:
        pytest.skip("venv and pip start programs: needs `make test` and binfmt_misc in a user namespace")
    if target.emulator:
        pytest.skip("uv is a program of this machine; what it asks the interpreter is tested above")
    folder = tmp_path_factory.mktemp("tools") / "venv"
    target.run("-m", "venv", folder)
    pip = ["-m", "pip", "-q", "--disable-pip-version-check", "install", *TOOLS]
    target.run(*pip, python=folder / "bin/python3", env=network_environment())
    return folder


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_pdm_knows_the_platform(target: BuiltTarget, tools: Path, flags: tuple[str, ...]) -> None:
    site_packages = next((tools / "lib").glob("python3*/site-packages"))
    shown = target.run(*flags, "-c", PDM, site_packages, env=clean_environment())
    arch = target.plan.arch.wheel_arch
    assert shown == f"musllinux_1_2_{ARCHES_OF_DEP_LOGIC.get(arch, arch)}"


def test_uv_makes_an_environment_through_a_link(target: BuiltTarget, tools: Path, tmp_path: Path) -> None:
    """uv makes an environment, and accepts wheels for musl in it."""
    (tmp_path / "l3").symlink_to(target.tree / "bin/python3")
    uv = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
    environment = network_environment() | {"UV_CACHE_DIR": str(tmp_path / "cache")}
    program = str(tools / "bin/uv")
    target.run("-c", uv, program, "venv", "-q", "-p", tmp_path / "l3", tmp_path / "env", env=environment)
    # One that has wheels for musl on every CPU that uv runs on.
    install = ["pip", "install", "-q", "-p", str(tmp_path / "env"), "--only-binary", ":all:", "multidict"]
    target.run("-c", uv, program, *install, env=environment)
    code = "import multidict._multidict; print(multidict._multidict.__file__)"
    assert "-linux-musl.so" in target.run("-c", code, python=tmp_path / "env/bin/python")
