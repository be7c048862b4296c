"""Bill of materials and provenance of an interpreter, as documents for programs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from staticpython import provenance, sbom
from staticpython.assemble import cpe_name
from staticpython.config import ROOT
from staticpython.errors import StaticPythonError
from staticpython.fetched import sha256_of
from staticpython.provenance import files_of, make_statement
from staticpython.published import Archive
from staticpython.sbom import make_document
from staticpython.wheel import write_wheel
from tests.unit.test_published import TREE, fake_tree, pack, plan_of

PATCH = "patches/zlib/" + next((ROOT / "patches/zlib").glob("*.patch")).name

CPE = "cpe:2.3:a:zlib-ng:zlib-ng:1.2:*:*:*:*:*:*:*"


def entry(name: str, **more: Any) -> dict[str, Any]:
    usual = {"version": "1.2", "file": f"{name}-1.2.tar.gz", "sha256": "a" * 64, "licence": "MIT", "patches": {}}
    return {"name": name, **usual, **more}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A folder with a tree that is made of three sources."""
    dist = tmp_path / "dist"
    fake_tree(dist, TREE, 0)
    inputs = [
        entry("zlib", patches={PATCH: sha256_of(ROOT / PATCH)}, licence="Zlib", upstream_name="zlib-ng", cpe=CPE),
        entry("zstd", licence="BSD-3-Clause OR GPL-2.0-only", urls=["https://example.org/zstd.tar.gz"]),
        entry("sqlite"),
        entry("cpython", version="3.14.7", sha256="b" * 64),
    ]
    (dist / TREE / "manifest.json").write_text(json.dumps({"python": "3.14.7", "inputs": inputs}))
    return dist


def test_document(dist: Path, tmp_path: Path) -> None:
    source = tmp_path / "build/sources/cpython/Misc/sbom.spdx.json"
    source.parent.mkdir(parents=True)
    inner = {
        "name": "expat",
        "versionInfo": "2.8",
        "externalRefs": [{"referenceLocator": "cpe:2.3:a:x:expat:2.8:*:*:*:*:*:*:*"}],
    }
    source.write_text(json.dumps({"packages": [inner, {"name": "macholib", "versionInfo": "1.0"}]}))
    (source.parent.parent / "Python").mkdir()
    (source.parent.parent / "Python/dtoa.c").touch()
    site = dist / TREE / "lib/python3.14/site-packages"
    (site / "pip-26.2.dist-info").mkdir(parents=True)
    (site / "pip/_vendor").mkdir(parents=True)
    idna = {"name": "idna", "version": "3.18", "purl": "pkg:pypi/idna@3.18"}
    (site / "pip/_vendor/bom.cdx.json").write_text(json.dumps({"components": [{"name": "pip"}, idna]}))
    text = make_document(plan_of(), dist / TREE, tmp_path / "build")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == make_document(plan_of(), dist / TREE, tmp_path / "build")
    document = json.loads(text)
    assert document["metadata"]["timestamp"].startswith("2026-08-06T07:06:40")
    assert document["metadata"]["component"]["hashes"][0]["content"] == sha256_of(dist / TREE / "bin/python3.14")
    parts = {part["name"]: part for part in document["components"]}
    assert parts["zlib-ng"]["purl"] == f"pkg:generic/zlib-ng@1.2?checksum=sha256:{'a' * 64}"
    assert parts["zlib-ng"]["cpe"] == CPE
    assert "cpe" not in parts["sqlite"]
    depends = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    assert (depends["static-python"], depends["sqlite"]) == (["cpython", "sqlite", "zlib", "zstd"], ["zlib"])
    (patch,) = parts["zlib-ng"]["pedigree"]["patches"]
    assert patch["diff"]["text"]["content"] == (ROOT / PATCH).read_text()
    assert "download_url=https" in parts["zstd"]["purl"]
    assert parts["zstd"]["licenses"] == [{"expression": "BSD-3-Clause OR GPL-2.0-only"}]
    assert [(part["name"], part["licenses"]) for part in parts["cpython"]["components"]] == [
        ("dtoa", [{"license": {"id": "dtoa"}}]),
        ("expat", [{"license": {"id": "MIT"}}]),
        ("macholib", [{"expression": "MIT OR PSF-2.0"}]),
        ("pip", [{"license": {"id": "MIT"}}]),
    ]
    dtoa, *_, pip = parts["cpython"]["components"]
    assert pip["components"] == [{"bom-ref": "cpython/pip/idna", "type": "library", **idna}]
    assert dtoa["description"] == "in Python/dtoa.c"


def test_a_part_without_a_licence(dist: Path, tmp_path: Path) -> None:
    """A new release of CPython may contain one that the facts do not know."""
    source = tmp_path / "build/sources/cpython/Misc/sbom.spdx.json"
    source.parent.mkdir(parents=True)
    source.write_text(json.dumps({"packages": [{"name": "libnew", "versionInfo": "1"}]}))
    with pytest.raises(StaticPythonError, match=r"cpython.yml: parts: lacks libnew"):
        make_document(plan_of(), dist / TREE, tmp_path / "build")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3.5.7", "3.5.7:*"),
        ("3.15.0rc2", "3.15.0:rc2"),
        ("6.6-20260608", "6.6:20260608"),
        ("12.2.0-14+deb12u1", r"12.2.0:14\+deb12u1"),
    ],
)
def test_name_in_lists_of_vulnerabilities(version: str, expected: str) -> None:
    assert cpe_name("a:b", version) == f"cpe:2.3:a:a:b:{expected}:*:*:*:*:*:*"


def test_a_patch_that_was_changed_since(dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = dist / TREE / "manifest.json"
    manifest.write_text(manifest.read_text().replace(sha256_of(ROOT / PATCH), "c" * 64))
    (tmp_path / "plan.json").write_text(plan_of().text())
    assert sbom.main(["--into", str(dist), str(tmp_path / "plan.json")]) == 1
    assert f"{PATCH}: is not the patch that was built with" in capsys.readouterr().err
    assert [path.name for path in dist.iterdir()] == [TREE]


def test_another_tree(dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(dataclasses.replace(plan_of(), version="3.14.8").text())
    assert sbom.main(["--into", str(dist), str(tmp_path / "plan.json")]) == 2
    assert "is of Python 3.14.7, not 3.14.8" in capsys.readouterr().err


def test_a_tree_without_its_interpreter(dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(plan_of().text())
    (dist / TREE / "bin/python3.14").unlink()
    assert sbom.main(["--into", str(dist), str(tmp_path / "plan.json")]) == 2
    assert "bin/python3.14: no such file: run make first" in capsys.readouterr().err


def everything(dist: Path) -> None:
    """As make dist, without the index; the file of make full, which needs a build, is only a name."""
    plan = plan_of()
    (dist / Archive.of(plan, "full").name).write_bytes(b"full")
    pack(dist.parent, plan)
    write_wheel(plan, dist / TREE, dist)
    (dist / sbom.sbom_name(plan)).write_text(make_document(plan, dist / TREE, dist.parent / "build"))


def test_statement(dist: Path) -> None:
    everything(dist)
    command = "generate.py --arch=x86_64 --prefix=/usr/local --mirror=/home/me/files '--without=a b'"
    statement = make_statement(plan_of(), dist, "https://example.org/builder", command)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {s["name"]: s["digest"]["sha256"] for s in statement["subject"]} == {
        file.name: sha256_of(file) for file in files_of(plan_of(), dist)
    }
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["command"] == "generate.py --arch=x86_64 '--without=a b'"
    sources = {source["name"]: source for source in definition["resolvedDependencies"]}
    assert sources["cpython-1.2.tar.gz"]["digest"] == {"sha256": "b" * 64}
    assert "gitCommit" in sources["static-python"]["digest"]


@pytest.mark.parametrize(("builder", "says"), [("me", "is no URI"), ("urn:x:y", "no such file: run make dist")])
def test_no_statement(dist: Path, tmp_path: Path, builder: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(plan_of().text())
    arguments = ["--into", str(dist), "--builder", builder, "--command", "x", str(tmp_path / "plan.json")]
    assert provenance.main(arguments) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in dist.iterdir()] == [TREE]
