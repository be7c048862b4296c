"""Every patch says why it is there, and applies to its source without fuzz: with those for speed, and without them."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from staticpython.config import load_facts, patches, without_speedups
from staticpython.errors import FactsError
from staticpython.patch_headers import read_header
from staticpython.plan import Options, fitting_releases, make_plan

ROOT = Path(__file__).resolve().parents[2]
PATCHES = sorted((ROOT / "patches").glob("*/*.patch"))
FACTS = load_facts()
# Package -> the release that its patches are for; a part of another package's source has that one's.
PATCHED = {
    name: release
    for name, package in FACTS.packages.items()
    if patches(package, (release := fitting_releases(FACTS.packages[package.source_of or name])[0]).version)
}


def names(patch: Path) -> str:
    return f"{patch.parent.name}/{patch.name}"


@pytest.mark.parametrize("patch", PATCHES, ids=names)
def test_name_and_header(patch: Path) -> None:
    """The header's form: CONTRIBUTING.md."""
    assert re.fullmatch(r"\d{4}-[A-Za-z0-9._-]+\.patch", patch.name)
    header = read_header(patch)
    for file in header.test_files:
        assert (ROOT / file).is_file(), f"{names(patch)}: Tested: there is no {file}"
    for file, test in header.test_names:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{names(patch)}: Tested: {file} has no {test}"


def test_numbers_are_given_once() -> None:
    numbers = [(patch.parent, patch.name[:4]) for patch in PATCHES]
    assert len(set(numbers)) == len(numbers), "two patches of a package with the same number"


GOOD = """\
Let this do that.

The reason.

Upstream: sent.
Tested: tests/unit/test_x.py (test_a); test_b.
Kind: speed

"""


def test_header_is_read(tmp_path: Path) -> None:
    patch = tmp_path / "0001-x.patch"
    patch.write_text(f"{GOOD}--- a/x\n+++ b/x\n")
    header = read_header(patch)
    assert dataclasses.astuple(header) == (
        "Let this do that.",
        "The reason.",
        "sent.",
        "tests/unit/test_x.py (test_a); test_b.",
        "speed",
    )
    assert header.test_files == ["tests/unit/test_x.py"]
    assert header.test_names == [("tests/unit/test_x.py", "test_a")]
    assert header.cpython_tests == ["test_b"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (GOOD, "", ":1: no header"),
        ("do that.", "do that", ":1: the first line is a sentence"),
        ("The reason.\n\n", "", ":3: say why"),
        ("\n\nThe", "\nThe", ":2: an empty line"),
        ("reason.\n\nU", "reason.\nU", ":4: an empty line"),
        ("The reason", "Why: the reason", ":3: in the place of 'Why:' write"),
        ("Tested:", "Tested by:", ":6: in the place of 'Tested by:' write 'Tested:'"),
        ("Upstream:", "upstream:", ":5: in the place of 'upstream:' write 'Upstream:'"),
        ("Kind: speed\n", "", ":6: no lines 'Kind: ...'"),
        ("Upstream: sent.\n", "", "no lines 'Upstream: ...'"),
        ("Kind: speed", "Kind: sped", ":7: Kind: sped: unknown, did you mean 'speed'"),
        ("Kind: speed\n", "Kind: speed\nUpstream: x\n", "2 lines 'Upstream: ...'"),
        ("Kind: speed\n", "Kind: speed and more\n", ":7: 'Kind:' is the last line"),
        ("tests/unit/test_x.py (test_a); test_b", "everything that starts", ":6: Tested: names no test"),
        ("The reason.", "The reason. " * 20, ":3: longer than 120"),
    ],
)
def test_what_is_wrong_in_a_header_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    patch = tmp_path / "0001-x.patch"
    patch.write_text(f"{GOOD.replace(old, new)}--- a/x\n+++ b/x\n")
    with pytest.raises(FactsError) as error:
        read_header(patch)
    assert words in str(error.value)


def touched_files(patch: Path) -> list[str]:
    """Return the files that a patch changes; what it adds has no old name, what it removes no new one."""
    text = patch.read_text(encoding="utf-8")
    return [n.partition("/")[2] for n in re.findall(r"(?m)^(?:---|\+\+\+) (\S+)", text) if n != "/dev/null"]


def members(archive: Path, wanted: set[str], inner: str) -> Iterator[tuple[str, bytes]]:
    """Yield the wanted files of an archive, named as in the source tree: without its top folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            yield from ((name, wheel.read(name)) for name in wanted & set(wheel.namelist()))
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            path = member.name.removeprefix("./").partition("/")[2]
            name = path.removeprefix(f"{inner}/") if inner else path
            data = tar.extractfile(member) if name in wanted and (not inner or name != path) else None
            if data is not None:
                yield name, data.read()


@cache
def pristine(name: str) -> dict[str, bytes]:
    """Return the files, as released, that a package's patches touch."""
    release = PATCHED[name]
    archive = ROOT / "downloads" / release.file
    wanted = {file for patch in patches(FACTS.packages[name], release.version) for file in touched_files(patch)}
    return dict(members(archive, wanted, release.inner or ""))


def source(name: str, request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Return a package's files, or skip: CI says --sources, and then what an ordinary build fetches must be there."""
    release = PATCHED[name]
    if (ROOT / "downloads" / release.file).is_file():
        return pristine(name)
    plan = make_plan(FACTS, Options(arches=tuple(FACTS.arches)))
    if request.config.getoption("--sources"):
        assert release.file not in {s.release.file for s in plan.sources if s.release}, "run make fetch first"
    pytest.skip(f"{release.file} is not in downloads/: `make fetch` brings it")


@pytest.mark.parametrize("speedups", [True, False], ids=["all", "no-speedups"])
@pytest.mark.parametrize("name", PATCHED)
def test_patches_apply_in_order(name: str, speedups: bool, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    package = FACTS.packages[name] if speedups else without_speedups(FACTS.packages[name])
    for file, data in source(name, request).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(data)
    for patch in patches(package, PATCHED[name].version):
        command = ["patch", "-p1", "--fuzz=0", "--batch", "--forward", "-i", str(patch)]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, f"{names(patch)}: {run.stdout}"
        assert "fuzz" not in run.stdout
        # Where all are applied, nothing has moved.
        assert not speedups or "offset" not in run.stdout, f"{names(patch)}: {run.stdout}"
    for path in tmp_path.rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_cpython_has_the_tests_that_patches_name(
    request: pytest.FixtureRequest,
) -> None:
    source("cpython", request)
    with tarfile.open(ROOT / "downloads" / PATCHED["cpython"].file) as tar:
        found = re.findall(r"/Lib/test/(test_\w+)(?:\.py|$|/)", "\n".join(tar.getnames()), re.MULTILINE)
    missing = {names(p): [t for t in read_header(p).cpython_tests if t not in found] for p in PATCHES}
    assert not {patch: tests for patch, tests in missing.items() if tests}


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
