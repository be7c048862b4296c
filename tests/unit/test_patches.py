"""Every patch says why it is there, and applies to its source without fuzz."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATCHES = sorted((ROOT / "patches").glob("*/*.patch"))
CPYTHON_PATCHES = sorted((ROOT / "patches" / "cpython-3.13").glob("*.patch"))
TARBALLS = ("Python-3.13.*.tar.xz", "Python-3.13.*.tgz", "python3.13_*.orig.tar.xz")


def header(patch: Path) -> str:
    return re.split(r"(?m)^(?:diff |--- )", patch.read_text(encoding="utf-8"), maxsplit=1)[0]


def names(patch: Path) -> str:
    return f"{patch.parent.name}/{patch.name}"


@pytest.mark.parametrize("patch", PATCHES, ids=names)
def test_name_and_header(patch: Path) -> None:
    assert re.fullmatch(r"\d{4}-[A-Za-z0-9._-]+\.patch", patch.name)
    assert header(patch).strip(), "no header: say why the patch is there"


@pytest.mark.parametrize("patch", CPYTHON_PATCHES, ids=names)
def test_header_tells_upstream_status_and_tests(patch: Path) -> None:
    text = header(patch)
    summary, blank = text.split("\n")[:2]
    assert summary.endswith(".") and len(summary) < 100 and not blank
    assert re.search(r"(?m)^Upstream: ", text) and re.search(r"(?m)^Tested: ", text)


def find_tarball() -> Path | None:
    found = [path for pattern in TARBALLS for path in (ROOT / "downloads").rglob(pattern)]
    return sorted(found)[-1] if found else None


def touched_files(patch: Path) -> list[str]:
    return re.findall(r"(?m)^\+\+\+ b/(\S+)", patch.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pristine files that the CPython patches touch."""
    tarball = find_tarball()
    if tarball is None:
        pytest.skip("CPython's source is not in downloads/ (make fetch brings it)")
    if shutil.which("patch") is None:
        pytest.skip("the program patch is not installed")
    wanted = {name for patch in CPYTHON_PATCHES for name in touched_files(patch)}
    folder = tmp_path_factory.mktemp("cpython")
    with tarfile.open(tarball) as archive:
        for member in archive:
            name = member.name.partition("/")[2]
            data = archive.extractfile(member) if name in wanted else None
            if data is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data.read())
    return folder


def test_cpython_patches_apply_in_order(source: Path) -> None:
    for patch in CPYTHON_PATCHES:
        result = subprocess.run(
            ["patch", "-p1", "--fuzz=0", "--batch", "-i", patch],
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout
        assert "offset" not in result.stdout, result.stdout
    for path in source.rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


@pytest.mark.parametrize(
    ("machine", "maxsize", "expected"),
    [
        ("x86_64", 2**63 - 1, "linux-x86_64"),
        ("x86_64", 2**31 - 1, "linux-i686"),
        ("i686", 2**31 - 1, "linux-i686"),
        ("aarch64", 2**63 - 1, "linux-aarch64"),
    ],
)
def test_platform_is_that_of_the_interpreter(machine: str, maxsize: int, expected: str) -> None:
    patch = (ROOT / "patches/cpython-3.13/0003-sysconfig-i686-platform.patch").read_text(encoding="utf-8")
    added = re.findall(r"(?m)^\+ {12}(?!\+)(.*)$", patch)
    scope = {"machine": machine, "sys": type("sys", (), {"maxsize": maxsize})}
    exec("\n".join(added), scope)
    assert f"linux-{scope['machine']}" == expected
