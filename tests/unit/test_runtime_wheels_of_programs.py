"""Which of two wheels of a release pip takes, if it holds programs."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.unit.test_runtime_programs import elf, switch, system, with_glibc
from tests.unit.test_runtime_support import load

__all__ = ["system"]  # a fixture

wheels = load("wheels_of_programs")
MUSL, GLIBC = "musllinux_1_2_x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64"


class Tag(NamedTuple):
    interpreter: str
    abi: str
    platform: str


class Target:
    platforms: list[str] | None = None

    def get_sorted_tags(self) -> list[Tag]:
        return [Tag("cp314", "cp314", MUSL), Tag("py3", "none", MUSL), Tag("py3", "none", "any")]

    def get_unsorted_tags(self) -> set[Tag]:
        return set(self.get_sorted_tags())


def candidate(version: str, platform: str, tag: str = "py3-none") -> SimpleNamespace:
    name = f"n-{version}-{tag}-{platform}.whl"
    return SimpleNamespace(version=version, link=SimpleNamespace(filename=name, url=f"https://example.org/{name}"))


class Evaluator:
    def __init__(self, target: Any, specifier: Any = None) -> None:
        self.specifier = specifier
        self.tags, self.unsorted = target.get_sorted_tags(), target.get_unsorted_tags()

    def get_applicable_candidates(self, candidates: list[Any]) -> list[Any]:
        return candidates


def finder_class() -> type[Any]:
    """A PackageFinder as far as it is patched."""

    class PackageFinder:
        def __init__(self, target: Any) -> None:
            self._target_python = target

        def make_link_evaluator(self, _project: str) -> Evaluator:
            return Evaluator(self._target_python)

        def make_candidate_evaluator(self, _project: str, specifier: Any = None) -> Evaluator:
            return Evaluator(self._target_python, specifier)

    return PackageFinder


@pytest.fixture
def finder(system: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Return a function that makes a finder which is patched on a system with glibc 2.17."""
    switch(monkeypatch, {})
    with_glibc(system, "2.17")
    found = finder_class()
    wheels.patch_finder(SimpleNamespace(PackageFinder=found))
    return found


def test_programs_for_the_system_are_offered_after_those_for_musl(finder: Callable[[Any], Any]) -> None:
    target = Target()
    made = finder(target)
    for evaluator in (made.make_link_evaluator("n"), made.make_candidate_evaluator("n", specifier="==")):
        kinds = [tag.platform.split("_")[0] for tag in evaluator.tags]
        assert kinds[:2] == ["musllinux", "musllinux"] and kinds[-1] == "any"
        more = evaluator.tags[2:-1]
        assert (
            more[0] == Tag("py3", "none", "manylinux_2_17_x86_64")
            and Tag("py3", "none", "manylinux2014_x86_64") in more
        )
        assert {(tag.interpreter, tag.abi) for tag in more} == {("py3", "none")}
        assert evaluator.unsorted == set(evaluator.tags)
    assert evaluator.specifier == "=="
    assert made._target_python is target


def test_platforms_that_were_asked_for_stay(finder: Callable[[Any], Any]) -> None:
    target = Target()
    target.platforms = ["linux_x86_64"]
    assert finder(target).make_link_evaluator("n").tags == target.get_sorted_tags()


def test_a_wheel_for_glibc_needs_one_for_musl_beside_it(finder: Callable[[Any], Any]) -> None:
    """Otherwise it may be a library for ctypes, and pip would try one release after the other."""
    both, alone = [candidate("2", GLIBC), candidate("2", MUSL)], candidate("3", GLIBC)
    extension = candidate("1", MUSL, "cp314-cp314")
    evaluator = finder(Target()).make_candidate_evaluator("n")
    assert evaluator.get_applicable_candidates([extension, *both, alone]) == [extension, *both]


def test_a_wheel_for_both_or_for_this_machine_stays(finder: Callable[[Any], Any]) -> None:
    """ziglang has one wheel, with tags of both; a wheel that was built here may be tagged `linux_x86_64`."""
    wheels = [candidate("1", f"manylinux_2_12_x86_64.manylinux2010_x86_64.{MUSL}"), candidate("2", "linux_x86_64")]
    evaluator = finder(Target()).make_candidate_evaluator("n")
    assert evaluator.get_applicable_candidates(wheels) == wheels


@pytest.mark.parametrize("case", ["variable", "musl", "no glibc", "other pip"])
def test_where_nothing_is_changed(system: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    switch(monkeypatch, {b"STATICPYTHON_GLIBC": b"1"} if case == "variable" else {})
    if case != "no glibc":
        with_glibc(system, "2.36")
    if case == "musl":
        (system / "ld-musl").touch()
    found = type("PackageFinder", (), {}) if case == "other pip" else finder_class()
    before = dict(vars(found))
    wheels.patch_finder(SimpleNamespace(PackageFinder=found))
    assert dict(vars(found)) == before


class InconsistentError(Exception):
    """pip's MetadataInconsistent."""


@pytest.fixture
def prepare(finder: Callable[[Any], Any]) -> Callable[[Path], str]:
    """Return a function that prepares a wheel beside which there is one for glibc."""

    class RequirementPreparer:
        def prepare_linked_requirement(self, _req: Any, _parallel: bool = False) -> str:
            return "metadata"

        def _prepare_linked_requirement(self, _req: Any, _parallel: bool) -> str:
            return "wheel"

    wheels.patch_preparer(
        SimpleNamespace(RequirementPreparer=RequirementPreparer, MetadataInconsistent=InconsistentError)
    )

    def prepare_it(path: Path) -> str:
        link = SimpleNamespace(url=path.as_uri(), filename=path.name)
        musl, glibc = SimpleNamespace(version="1", link=link), candidate("1", GLIBC)
        finder(Target()).make_candidate_evaluator("n").get_applicable_candidates([glibc, musl])
        requirement = SimpleNamespace(link=link, local_file_path=str(path))
        return str(RequirementPreparer().prepare_linked_requirement(requirement, True))

    return prepare_it


def wheel(system: Path, *members: str) -> Path:
    path = system / f"n-1-py3-none-{MUSL}.whl"
    with zipfile.ZipFile(path, "w") as file:
        for member in members:
            info = zipfile.ZipInfo(member)
            info.external_attr = 0o755 << 16
            file.writestr(info, elf(f"{system}/ld-musl"))
    return path


@pytest.mark.parametrize("library", ["", "n.libs/libstdc++.so.6"])
def test_a_program_that_cannot_start_is_discarded(prepare: Callable[[Path], str], system: Path, library: str) -> None:
    path = wheel(system, *filter(None, ["n/bin/prog", library]))
    with pytest.raises(InconsistentError) as caught:
        prepare(path)
    assert (
        str(caught.value) == f"its program prog cannot start on this system, which does not have its {system}/ld-musl"
    )


def test_a_program_that_starts_is_kept(prepare: Callable[[Path], str], system: Path) -> None:
    path = wheel(system, "n/bin/prog")
    (system / "ld-musl").touch()
    assert prepare(path) == "wheel"


def test_a_library_beside_a_program_is_kept(prepare: Callable[[Path], str], system: Path) -> None:
    assert prepare(wheel(system, "n/bin/prog", "n/libn.so")) == "wheel"


def test_other_wheels_are_prepared_as_before(prepare: Callable[[Path], str], system: Path) -> None:
    """Of them pip needs only the metadata to decide."""
    path = wheel(system, "n/bin/prog").rename(system / "n-1-cp314-cp314-musllinux_1_2_x86_64.whl")
    assert prepare(path) == "metadata"


def test_a_pip_without_these_names_stays() -> None:
    class RequirementPreparer:
        pass

    module = SimpleNamespace(RequirementPreparer=RequirementPreparer, MetadataInconsistent=InconsistentError)
    wheels.patch_preparer(module)
    assert not hasattr(RequirementPreparer, "prepare_linked_requirement")
