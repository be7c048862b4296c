"""A release is chosen once, when its file is fetched, and all later steps use that choice."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from staticpython import assemble, config
from staticpython.config import Licence, Package, Release
from staticpython.errors import FactsError, FetchError
from staticpython.fetch import Places, fetch
from staticpython.fetched import Fetched, read_record, record, sha256_of
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.target_plan import TargetPlan
from staticpython.unpack import prepare
from tests.unit.test_unpack import member, tarball

PATCH = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-xxx\n\\ No newline at end of file\n+{0}\n\\ No newline at end of file\n"


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package with two releases, each with its own patch; only the older release can be downloaded."""
    (tmp_path / "downloads").mkdir()
    archive = tarball(tmp_path / "downloads/thing-1.tgz", member("top/a"))
    for folder in ("thing-1", "thing-2"):
        (tmp_path / "patches" / folder).mkdir(parents=True)
        (tmp_path / "patches" / folder / "0001.patch").write_text(PATCH.format(folder))
    new = Release("2", "thing-2.tgz", 1, "0" * 64, ["http://host.invalid/thing-2.tgz"])
    old = Release("1", archive.name, archive.stat().st_size, sha256_of(archive), ["http://host.invalid/thing-1.tgz"])
    for module in ("config", "target_plan", "assemble"):
        monkeypatch.setattr(f"staticpython.{module}.ROOT", tmp_path)
    monkeypatch.setattr(config.patch_folders, "__defaults__", (tmp_path,))
    monkeypatch.setattr(config.patches, "__defaults__", (tmp_path,))
    return Package("thing", "", "", Licence("MIT", []), "copy", [new, old], cpe="one:thing")


def plan_of(package: Package) -> TargetPlan:
    """Return the plan.json of a target with one more package."""
    made = make_plan(load_facts(Path(config.__file__).parent.parent), Options(arches=("x86_64",), plain=True))
    target = dataclasses.replace(made.targets[0], packages=(*made.targets[0].packages, package))
    written = TargetPlan.of(made, target)
    return dataclasses.replace(written, packages=[p for p in written.packages if p.name == package.name])


def test_a_fallback_is_in_the_tree_and_in_the_manifest(two: Package, tmp_path: Path) -> None:
    path = tmp_path / "build/fetched/thing.json"
    record(two, *fetch(two, Places(tmp_path / "downloads")), path)
    older = json.loads(path.read_text()) | {"a_key_that_is_gone": None}
    path.write_text(json.dumps(older))
    chosen = read_record(path)
    assert chosen == Fetched("thing", two.releases[1], "downloads")
    prepare(two, chosen.release, tmp_path / "downloads", tmp_path / "build/sources")
    assert (tmp_path / "build/sources/thing/a").read_text() == "thing-1"
    (entry,) = assemble.manifest(plan_of(two), tmp_path / "build")["inputs"]
    assert (entry["version"], entry["file"]) == ("1", "thing-1.tgz")
    assert entry["cpe"].startswith("cpe:2.3:a:one:thing:1:*")
    assert list(entry["patches"]) == ["patches/thing-1/0001.patch"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"package": "thing", "origin": "x", "pypi": null}'])
def test_a_record_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "thing.json").write_text(text)
    with pytest.raises(FetchError, match="remove it and run make again"):
        read_record(tmp_path / "thing.json")


def test_no_other_release_stands_in_for_a_version_that_is_built_in(project: Path) -> None:
    path = project / "configs/packages/libffi.yml"
    path.write_text(path.read_text() + "runtime_fact: LIBFFI_VERSION\n")
    with pytest.raises(FactsError, match="runtime_fact: takes one version"):
        load_facts(project)
