"""Names, bytes and lists of the files for users: archives as python-build-standalone's."""

from __future__ import annotations

import configparser
import dataclasses
import functools
import gzip
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import parse_wheel_filename

from staticpython import archive, image, index, wheel
from staticpython.config import ROOT, Facts
from staticpython.errors import StaticPythonError, UsageError
from staticpython.image import write_image
from staticpython.index import downloads
from staticpython.licences import is_gpl
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.published import Archive
from staticpython.target_plan import TargetPlan, built, read_plan
from staticpython.wheel import distribution, write_wheel

TREE = "cpython-3.14.7-x86_64-linux-musl"


@functools.cache
def facts() -> Facts:
    return load_facts()


def plan_of(**options: Any) -> TargetPlan:
    plan = make_plan(facts(), Options(**{"arches": ("x86_64",)} | options))
    return dataclasses.replace(TargetPlan.of(plan, plan.targets[0]), source_date_epoch=1786000000)


@pytest.mark.parametrize("arch", sorted(load_facts().arches))
def test_plan_is_read_as_it_was_written(arch: str, tmp_path: Path) -> None:
    written = plan_of(arches=(arch,))
    (tmp_path / "plan.json").write_text(written.text())
    assert read_plan(tmp_path / "plan.json") == written
    assert list(read_plan(tmp_path / "plan.json").arch.cpus) == list(written.arch.cpus), "the first one is the default"


@pytest.mark.parametrize(("good", "bad"), [('"pie":', '"pies":'), (' "series"', ' "serie"'), ("{", "")])
def test_plan_of_another_version(good: str, bad: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan_of().text().replace(good, bad, 1))
    with pytest.raises(StaticPythonError, match="run generate.py again"):
        read_plan(tmp_path / "plan.json")


def test_no_plan_and_no_tree(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="generate.py writes it"):
        read_plan(tmp_path / "plan.json")
    with pytest.raises(UsageError, match="run make first"):
        built(tmp_path, plan_of())


def fake_tree(dist: Path, name: str, time: int) -> None:
    (dist / name / "bin").mkdir(parents=True)
    (dist / name / "bin/python3").symlink_to("python3.14")
    program = dist / name / "bin/python3.14"
    program.write_text("x")
    program.chmod(0o700 if time else 0o755)
    (dist / name / "readme").write_text(name)
    os.utime(program, (time, time))


def pack(folder: Path, *plans: TargetPlan) -> None:
    """As make dist does."""
    files = []
    for plan in plans:
        files.append(folder / f"plan-{plan.tree}.json")
        files[-1].write_text(plan.text())
    assert archive.main(["--into", str(folder / "dist"), *map(str, files)]) == 0


def test_name() -> None:
    date = facts().release.stamp
    assert Archive.of(plan_of(), "install_only").name == (
        f"cpython-3.14.7+{date}-x86_64-unknown-linux-musl-install_only.tar.gz"
    )


@pytest.mark.parametrize(
    ("options", "middle"),
    [
        ({"cpu": "x86-64-v3"}, "x86_64_v3-unknown-linux-musl"),
        ({"python": "3.14t"}, "x86_64-unknown-linux-musl-freethreaded"),
        ({"flavour": "small"}, "x86_64-unknown-linux-musl-small"),
        ({"python": "3.14t", "with_gpl": True}, "x86_64-unknown-linux-musl-freethreaded+gpl"),
        ({"with_gpl": True, "gcc_libraries": True}, "x86_64-unknown-linux-musl-gpl+gcclibs"),
        ({"arches": ("i386",)}, "i686-unknown-linux-musl"),
        ({"arches": ("aarch64",)}, "aarch64-unknown-linux-musl"),
    ],
)
def test_other_interpreters_have_other_names(options: dict[str, Any], middle: str) -> None:
    made = Archive.of(plan_of(**options), "install_only")
    assert f"-{middle}-install_only.tar.gz" in made.name
    assert Archive.parse(made.name) == made


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({}, "musl-pgo+lto+static-full.tar.zst"),
        ({"plain": True}, "musl-noopt+static-full.tar.zst"),
        ({"python": "3.14t"}, "musl-freethreaded+lto+static-full.tar.zst"),
    ],
)
def test_name_of_full(options: dict[str, Any], end: str) -> None:
    made = Archive.of(plan_of(**options), "full")
    assert made.name.endswith(end)
    assert Archive.parse(made.name) == made


@pytest.mark.parametrize(
    "name",
    ["SHA256SUMS", "cpython-3.14.7-x86_64-linux-musl.tar.xz", "cpython-3.14.7+1-x86_64-unknown-linux-musl.tar.gz"],
)
def test_other_files_are_no_archives(name: str) -> None:
    assert Archive.parse(name) is None


def test_every_cpu_has_a_name_of_its_own() -> None:
    names = [cpu.download for arch in facts().arches.values() for cpu in arch.cpus.values()]
    assert sorted(set(names)) == sorted(names)


def test_bytes_follow_from_the_content(tmp_path: Path) -> None:
    """The time, the builder's umask and options for gzip in the environment do not change the bytes."""
    digests = set()
    for time, folder in enumerate((tmp_path / "one", tmp_path / "two")):
        fake_tree(folder / "dist", TREE, time)
        with pytest.MonkeyPatch.context() as patch:
            if time:
                patch.setenv("GZIP", "-1")
            pack(folder, plan_of())
        files = sorted((folder / "dist").glob("*.tar.gz"))
        assert [f.name.rpartition("-")[2] for f in files] == ["install_only.tar.gz", "install_only_stripped.tar.gz"]
        assert not list((folder / "dist").glob("*.part"))
        digests |= {hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    assert len(digests) == 1
    with tarfile.open(files[0]) as tar:
        members = {m.name: m for m in tar}
        assert list(members) == [
            *("python", "python/bin", "python/bin/python3", "python/bin/python3.14", "python/readme"),
        ]
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in tar} == {(0, 0, "", "", 1786000000)}
        assert members["python/bin/python3"].linkname == "python3.14"
        assert [members[f"python/{n}"].mode for n in ("bin/python3.14", "readme")] == [0o755, 0o644]
    assert gzip.decompress(files[0].read_bytes())[257:262] == b"ustar"


def test_a_tree_that_is_a_link(tmp_path: Path) -> None:
    """As if dist is made from trees on another disk: the tree is packed, without its place on this machine."""
    for folder in (tmp_path / "one", tmp_path / "two"):
        fake_tree(folder / "dist", TREE, 0)
        if folder.name == "two":
            (folder / "dist" / TREE).rename(folder / "tree")
            (folder / "dist" / TREE).symlink_to(folder / "tree")
        pack(folder, plan_of())
    one, two = (next((tmp_path / name / "dist").glob("*_only.tar.gz")) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_no_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(plan_of().text())
    assert archive.main(["--into", str(tmp_path / "dist"), str(tmp_path / "plan.json")]) == 2
    assert "no such tree: run make first" in capsys.readouterr().err
    assert not list((tmp_path / "dist").glob("*.tar.gz"))


def test_no_gzip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake_tree(tmp_path / "dist", TREE, 0)
    (tmp_path / "plan.json").write_text(plan_of().text())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert archive.main(["--into", str(tmp_path / "dist"), str(tmp_path / "plan.json")]) == 2
    assert "apt-get install gzip" in capsys.readouterr().err


def test_gzip_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As if the disk is full: an error, and no file that looks like an archive."""
    fake_tree(tmp_path / "dist", TREE, 0)
    (tmp_path / "plan.json").write_text(plan_of().text())
    (tmp_path / "gzip").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "gzip").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert archive.main(["--into", str(tmp_path / "dist"), str(tmp_path / "plan.json")]) == 1
    assert "gzip failed with exit code 9" in capsys.readouterr().err
    assert not list((tmp_path / "dist").glob("*.tar.gz*"))


def test_uvs_list() -> None:
    stripped = "unknown-linux-musl-install_only_stripped.tar.gz"
    names = [
        f"cpython-3.14.7+20260101-x86_64-{stripped}",
        f"cpython-3.14.7+20260202-x86_64-{stripped}",
        "cpython-3.14.7+20260202-x86_64-unknown-linux-musl-install_only.tar.gz",
        f"cpython-3.15.0rc2+20260202-x86_64_v3-{stripped}",
        f"cpython-3.14.7+20260202-aarch64-{stripped.replace('install', 'freethreaded-install')}",
        f"cpython-3.14.7+20260202-aarch64-{stripped.replace('install', 'small-install')}",
        f"cpython-3.14.7+20260202-i686_x87-{stripped}",
    ]
    found = downloads({name: f"hash of {name}" for name in names}, "https://example.org/files/")
    assert sorted(found) == [
        "cpython-3.14.7+freethreaded-linux-aarch64-musl",
        "cpython-3.14.7-linux-x86_64-musl",
        "cpython-3.15.0rc2-linux-x86_64_v3-musl",
    ]
    assert found["cpython-3.14.7-linux-x86_64-musl"] == {
        "name": "cpython",
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "musl",
        "major": 3,
        "minor": 14,
        "patch": 7,
        "prerelease": "",
        "url": f"https://example.org/files/cpython-3.14.7%2B20260202-x86_64-{stripped}",
        "sha256": f"hash of cpython-3.14.7+20260202-x86_64-{stripped}",
        "variant": None,
        "build": "20260202",
    }
    assert found["cpython-3.15.0rc2-linux-x86_64_v3-musl"]["prerelease"] == "rc2"
    assert found["cpython-3.15.0rc2-linux-x86_64_v3-musl"]["arch"] == {"family": "x86_64", "variant": "v3"}


def test_workflow_runs_what_is_there() -> None:
    """The workflow starts existing modules and waits for existing jobs; it uploads the files that make dist lists."""
    text = (ROOT / ".github/workflows/build.yml").read_text()
    for module in re.findall(r"python -m (staticpython\.\w+)", text):
        assert importlib.util.find_spec(module), module
    jobs = yaml.safe_load(text)["jobs"]
    assert {job["needs"] for job in jobs.values() if "needs" in job} <= set(jobs)
    (upload,) = (
        step["with"]["path"].split()
        for step in jobs["build"]["steps"]
        if "path" in step.get("with", {}) and "name" in step["with"]
    )
    assert {f"dist/{pattern}" for pattern in index.PUBLISHED} <= set(upload)


def test_index_of_several_arches(tmp_path: Path) -> None:
    plans = [plan_of(), plan_of(arches=("aarch64",))]
    for plan in plans:
        fake_tree(tmp_path / "dist", plan.tree, 0)
    pack(tmp_path, *plans)
    assert index.main([str(tmp_path / "dist"), "--url", "https://example.org/x"]) == 0
    found = json.loads((tmp_path / "dist/downloads.json").read_text())
    assert [key.split("-")[3] for key in found] == ["aarch64", "x86_64"]
    for plan, entry in zip(plans, [found[key] for key in sorted(found, reverse=True)], strict=True):
        name = Archive.of(plan, "install_only_stripped").name
        assert entry["url"] == f"https://example.org/x/{name.replace('+', '%2B')}"
        assert entry["sha256"] == hashlib.sha256((tmp_path / "dist" / name).read_bytes()).hexdigest()
    assert len({entry["sha256"] for entry in found.values()}) == 2
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "dist", capture_output=True, text=True)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5, "two archives of each arch, and the list"
    again = (tmp_path / "dist/SHA256SUMS").read_bytes()
    assert index.main([str(tmp_path / "dist"), "--url", "https://example.org/x"]) == 0
    assert (tmp_path / "dist/SHA256SUMS").read_bytes() == again


@pytest.mark.parametrize(
    ("url", "says"), [("dist", "is no URL"), ("https://example.org", "no archive of an interpreter is there")]
)
def test_what_cannot_be_listed(tmp_path: Path, url: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert index.main([str(tmp_path), "--url", url]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_wheel_follows_from_the_content(tmp_path: Path) -> None:
    """The wheel's names, links and bytes; another project checks the file with its version, kind and CPU."""
    wheels = []
    for time, folder in enumerate((tmp_path / "one", tmp_path / "two")):
        fake_tree(folder, TREE, time)
        wheels.append(write_wheel(plan_of(), folder / TREE, folder))
        assert {path.name for path in folder.iterdir()} == {TREE, wheels[0].name}
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    version = f"3.14.7.post{facts().release.stamp}"
    assert wheels[0].name == (
        f"static_python-{version}-py3-none-manylinux_2_5_x86_64.manylinux1_x86_64.musllinux_1_1_x86_64.whl"
    )
    parse_wheel_filename(wheels[0].name)
    with zipfile.ZipFile(wheels[0]) as archive:
        names = archive.namelist()
        assert json.loads(archive.read("static_python/tree.json")) == {
            "interpreter": "bin/python3.14",
            "time": 1786000000,
            "links": {"bin/python3": "python3.14"},
            "files": ["bin/python3.14", "readme"],
        }
        marker = configparser.ConfigParser(interpolation=None)
        marker.read_string(archive.read("static_python/tree/lib/python3.14/EXTERNALLY-MANAGED").decode())
        assert "static-python -m venv" in marker["externally-managed"]["Error"]
        assert archive.getinfo("static_python/tree/bin/python3.14").external_attr >> 16 == 0o100755
        assert archive.getinfo("static_python/tree/readme").external_attr >> 16 == 0o100644
    assert names[-1] == f"static_python-{version}.dist-info/RECORD"
    assert f"static_python-{version}.dist-info/LICENSE" in names
    assert distribution(plan_of(cpu="x86-64-v3")) == "static_python_x86_64_v3"
    assert distribution(plan_of(arches=("i386",))) == "static_python", "the first CPU in the file, not by its name"
    assert distribution(plan_of(python="3.14t")) == "static_python_freethreaded"


def test_wheel_that_no_index_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "MOST_BYTES", 1000)
    fake_tree(tmp_path, TREE, 0)
    with pytest.raises(StaticPythonError, match="PyPI takes 0 MB"):
        write_wheel(plan_of(), tmp_path / TREE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [TREE]


def test_image_of_several_arches(tmp_path: Path) -> None:
    """OCI image layout: each blob has the name of its hash, each descriptor the blob's size; a layer is an archive."""
    plans = [plan_of(), plan_of(arches=("aarch64",))]
    images = []
    for time, folder in enumerate((tmp_path / "one", tmp_path / "two")):
        for plan in plans:
            fake_tree(folder / "dist", plan.tree, time)
        pack(folder, *plans)
        images.append(write_image(plans, folder / "dist", "https://example.org/source"))
    assert images[0].read_bytes() == images[1].read_bytes()
    assert images[0].name == f"cpython-3.14.7+{facts().release.stamp}.oci.tar"
    with tarfile.open(images[0]) as tar:
        content = {m.name: file.read() for m in tar if (file := tar.extractfile(m))}
    blobs = {name: data for name, data in content.items() if name.startswith("blobs/")}
    assert all(name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}" for name, data in blobs.items())

    def read(descriptor: dict[str, Any]) -> bytes:
        data = blobs[f"blobs/{descriptor['digest'].replace(':', '/')}"]
        assert len(data) == descriptor["size"]
        return data

    assert json.loads(content["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (top,) = json.loads(content["index.json"])["manifests"]
    manifests = json.loads(read(top))["manifests"]
    assert [m["platform"]["architecture"] for m in manifests] == ["amd64", "arm64"]
    for plan, descriptor in zip(plans, manifests, strict=True):
        manifest = json.loads(read(descriptor))
        (layer,) = manifest["layers"]
        assert read(layer) == (images[0].parent / Archive.of(plan, "install_only").name).read_bytes()
        config = json.loads(read(manifest["config"]))
        diff = f"sha256:{hashlib.sha256(gzip.decompress(read(layer))).hexdigest()}"
        assert config["rootfs"] == {"type": "layers", "diff_ids": [diff]}
        told = config["config"].pop("Labels")
        assert config["config"] == {"Env": ["PATH=/python/bin"], "Cmd": ["python3.14"]}
        assert config["created"] == told["org.opencontainers.image.created"] == "2026-08-06T07:06:40Z"
        assert manifest["annotations"] == told == image.labels(plan, "https://example.org/source")


def test_labels_of_an_image() -> None:
    told = {name.removeprefix("org.opencontainers.image."): text for name, text in image.labels(plan_of()).items()}
    assert (told["title"], told["version"]) == ("static-python", "3.14.7")
    assert "source" not in told, "not known"
    assert "Apache-2.0 AND" in told["licenses"] and "AND (BSD-3-Clause OR GPL-2.0-only) AND" in told["licenses"]
    assert " AND BSD-2-Clause AND " in told["licenses"] and " AND dtoa" in told["licenses"], "parts of CPython's source"
    assert "Linux-syscall-note" not in told["licenses"] and not is_gpl(told["licenses"])


def test_image_without_archives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(plan_of().text())
    assert image.main(["--into", str(tmp_path), str(tmp_path / "plan.json")]) == 2
    assert "run make archives first" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
