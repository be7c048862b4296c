"""Every patch has a reason, and applies to its source without fuzz: with the patches for speed, and without them."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import tarfile
import textwrap
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from staticpython.config import ROOT, Package, Release, patches, without_speedups
from staticpython.errors import FactsError
from staticpython.load import load_facts
from staticpython.patch_headers import TABLE, TOPICS, changed_lines, read_header, render_table, topic_of
from staticpython.plan import Options, fitting_releases, make_plan
from staticpython.setup_local import check_sources

PATCHES = sorted((ROOT / "patches").glob("*/*.patch"))
FACTS = load_facts()


def releases(package: Package) -> list[Release]:
    """Return the releases that a package's patches are for: one, for the interpreter one of each series.

    A part of another package's source has that package's release.
    """
    if package.kind == "cpython":
        return [series.releases[0] for series in FACTS.series.values()]
    return fitting_releases(FACTS.packages[package.source_of or package.name])[:1]


def of_its_series(package: Package, release: Release) -> Package:
    """Return the interpreter's package for the series of a release, and every other package as it is."""
    names = [name for name, series in FACTS.series.items() if release in series.releases and not series.variant_of]
    return FACTS.in_series(package, names[0]) if package.kind == "cpython" else package


# Name of a test case -> a package, and the release.
PATCHED = {
    f"{name}-{release.version}": (of_its_series(package, release), release)
    for name, package in FACTS.packages.items()
    for release in releases(package)
    if patches(package, release.version)
}
PYTHONS = [name for name, (package, _) in PATCHED.items() if package.kind == "cpython"]


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


def test_a_topic_is_that_of_most_lines(tmp_path: Path) -> None:
    patch = tmp_path / "0001-x.patch"
    patch.write_text(
        "- no change: before the first file\n"
        "--- a/src/time/mktime.c\n+++ b/src/time/mktime.c\n@@ -1 +1,2 @@\n-old\n+new\n+new\n"
        "--- a/src/network/gone.c\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-old\n-old\n"
        "--- /dev/null\n+++ b/src/network/new.c\n@@ -0,0 +1,2 @@\n+new\n+new\n"
    )
    assert changed_lines(patch) == {"src/time/mktime.c": 3, "src/network/gone.c": 2, "src/network/new.c": 2}
    assert topic_of(patch) == "network"
    patch.write_text("--- a/Lib/test/x.py\n+++ b/Lib/test/x.py\n+1\n+2\n--- a/src/time/x.c\n+++ b/src/time/x.c\n+1\n")
    assert topic_of(patch) == "time", "a test is for something else"


def test_each_topic_has_patches() -> None:
    assert set(TOPICS) <= {topic_of(patch) for patch in PATCHES}


@pytest.mark.parametrize("name", PATCHED)
def test_numbers_are_given_once(name: str) -> None:
    package, release = PATCHED[name]
    numbers = [patch.name[:4] for patch in patches(package, release.version)]
    assert len(set(numbers)) == len(numbers), "two patches of a package with the same number, which orders them"
    assert numbers == sorted(numbers)


def test_a_number_is_one_topic_in_every_series() -> None:
    topics = {(patch.name[:4], patch.name) for patch in PATCHES if patch.parent.name.startswith("cpython")}
    assert len(topics) == len(dict(topics)), "a number that stands for two topics"


def test_a_patch_of_a_series_is_another_than_that_of_every_series() -> None:
    texts = [p.read_text(encoding="utf-8") for p in PATCHES if p.parent.name.startswith("cpython")]
    assert len(set(texts)) == len(texts), "the same patch for two series belongs into patches/cpython"


def test_the_list_is_up_to_date() -> None:
    assert (ROOT / TABLE).read_text(encoding="utf-8") == render_table(), "run: python -m staticpython.patch_headers"


GOOD = """\
Let this do that.

The reason.

Upstream: sent.
Tested: tests/unit/test_x.py (test_a); test_b.
Kind: speed

"""
CHANGE = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


def test_header_is_read(tmp_path: Path) -> None:
    patch = tmp_path / "0001-x.patch"
    patch.write_text(f"{GOOD}{CHANGE}")
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
        ("The reason", "Why: the reason", ":3: instead of 'Why:' write"),
        ("Tested:", "Tested by:", ":6: instead of 'Tested by:' write 'Tested:'"),
        ("Upstream:", "upstream:", ":5: instead of 'upstream:' write 'Upstream:'"),
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
    patch.write_text(f"{GOOD.replace(old, new)}{CHANGE}")
    with pytest.raises(FactsError) as error:
        read_header(patch)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.encode(), "changes nothing"),
        (f"{GOOD}{CHANGE}".replace("a/x", "x").encode(), "x: paths begin with a/ and b/"),
        (f"{GOOD}{CHANGE}".replace("reason", "r\xe9ason").encode("latin-1"), "not in UTF-8"),
    ],
)
def test_what_patch_would_refuse_is_named(tmp_path: Path, text: bytes, words: str) -> None:
    patch = tmp_path / "0001-x.patch"
    patch.write_bytes(text)
    with pytest.raises(FactsError, match=words):
        read_header(patch)


def touched_files(patch: Path) -> list[str]:
    """Return the files that a patch changes; an added file has no old name, a removed one no new name."""
    text = patch.read_text(encoding="utf-8")
    return [n.partition("/")[2] for n in re.findall(r"(?m)^(?:---|\+\+\+) (\S+)", text) if n != "/dev/null"]


def members(archive: Path, wanted: set[str], inner: str) -> Iterator[tuple[str, bytes]]:
    """Yield the wanted files of an archive, named as in the source tree, without the top folder."""
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
    package, release = PATCHED[name]
    archive = ROOT / "downloads" / release.file
    wanted = {file for patch in patches(package, release.version) for file in touched_files(patch)}
    return dict(members(archive, wanted, release.inner or ""))


def source(name: str, request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Return a package's files, or skip: with --sources, as in CI, the files that a normal build fetches must exist."""
    package, release = PATCHED[name]
    if (ROOT / "downloads" / release.file).is_file():
        return pristine(name)
    plan = make_plan(FACTS, Options(arches=tuple(FACTS.arches)))
    if request.config.getoption("--sources"):
        assert package.kind != "cpython", "fetch the release of each series first, as .ci/run does"
        assert release.file not in {s.release.file for s in plan.sources if s.release}, "run make fetch first"
    pytest.skip(f"{release.file} is not in downloads/: `make fetch` brings it")


def is_python(code: bytes) -> bool:
    """Whether this Python can parse it; a later version's library may have new syntax."""
    try:
        compile(code, "", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("speedups", [True, False], ids=["all", "no-speedups"])
@pytest.mark.parametrize("name", PATCHED)
def test_patches_apply_in_order(name: str, speedups: bool, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    package, release = PATCHED[name]
    package = package if speedups else without_speedups(package)
    # A patch that several series share has the default series' line numbers.
    shared = ROOT / "patches" / package.name
    exact = package.kind != "cpython" or release in FACTS.series[FACTS.default_series].releases
    for file, data in source(name, request).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(data)
    for patch in patches(package, release.version):
        command = ["patch", "-p1", "--fuzz=0", "--batch", "--forward", "-i", str(patch)]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, f"{names(patch)}: {run.stdout}"
        assert "fuzz" not in run.stdout
        # If all patches are applied, no hunk has an offset.
        moved = speedups and (exact or patch.parent != shared) and "offset" in run.stdout
        assert not moved, f"{names(patch)}: {run.stdout}"
    for file, data in source(name, request).items():
        if file.endswith(".py") and is_python(data):
            assert is_python((tmp_path / file).read_bytes()), f"{file} is no Python any more"


@pytest.mark.parametrize("name", PYTHONS)
def test_cpython_has_the_source_files_of_modules(name: str, request: pytest.FixtureRequest) -> None:
    source(name, request)
    package, release = PATCHED[name]
    with tarfile.open(ROOT / "downloads" / release.file) as tar:
        found = {file.partition("/")[2] for file in tar.getnames()}
    found |= {*package.overlay.values(), *(f for p in patches(package, release.version) for f in touched_files(p))}
    (series,) = (s for s in FACTS.series.values() if release in s.releases and not s.variant_of)
    check_sources(series, {file.removeprefix("Modules/") for file in found if file.startswith("Modules/")})


@pytest.mark.parametrize("name", PYTHONS)
def test_cpython_has_the_tests_that_patches_name(name: str, request: pytest.FixtureRequest) -> None:
    source(name, request)
    package, release = PATCHED[name]
    with tarfile.open(ROOT / "downloads" / release.file) as tar:
        found = re.findall(r"/Lib/test/(test_\w+)(?:\.py|$|/)", "\n".join(tar.getnames()), re.MULTILINE)
    # Other packages' patches are tested with the default series.
    others = [p for p in PATCHES if not p.parent.name.startswith("cpython")] if name == PYTHONS[0] else []
    missing = {
        names(p): [t for t in read_header(p).cpython_tests if t not in found]
        for p in [*patches(package, release.version), *others]
    }
    assert not {patch: tests for patch, tests in missing.items() if tests}


@pytest.mark.parametrize("series", [name for name, series in FACTS.series.items() if not series.variant_of])
@pytest.mark.parametrize(
    ("machine", "maxsize", "expected"),
    [
        ("x86_64", 2**63 - 1, "linux-x86_64"),
        ("x86_64", 2**31 - 1, "linux-i686"),
        ("i686", 2**31 - 1, "linux-i686"),
        ("aarch64", 2**63 - 1, "linux-aarch64"),
    ],
)
def test_platform_is_that_of_the_interpreter(series: str, machine: str, maxsize: int, expected: str) -> None:
    every = patches(FACTS.in_series(FACTS.cpython, series), FACTS.series[series].releases[0].version)
    (patch,) = (p.read_text(encoding="utf-8") for p in every if p.name == "0003-sysconfig-i686-platform.patch")
    added = textwrap.dedent("\n".join(re.findall(r"(?m)^\+( .*)$", patch)))
    scope = {"machine": machine, "sys": type("sys", (), {"maxsize": maxsize})}
    exec(added, scope)
    assert f"linux-{scope['machine']}" == expected
