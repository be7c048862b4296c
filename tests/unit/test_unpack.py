"""Archives: only files for the target folder are unpacked, and all of them or none."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from staticpython.config import Licence, Package, Release
from staticpython.errors import ChecksumError, UnpackError, UsageError
from staticpython.fetched import pinned_in
from staticpython.unpack import apply_patch, prepare, unpack


def tarball(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 3 if kind == tarfile.REGTYPE else 0
    return info


def test_single_top_folder_is_left_out(tmp_path: Path) -> None:
    members = [
        member("top", tarfile.DIRTYPE),
        member("top/a"),
        member("top/sub/b"),
        member("top/empty", tarfile.DIRTYPE),
    ]
    members += [member("top/sub/link", tarfile.SYMTYPE, "../a"), member("top/hard", tarfile.LNKTYPE, "top/a")]
    for one in members:
        one.mode = 0o755
    unpack(tarball(tmp_path / "a.tgz", *members), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "empty", "hard", "sub"]
    assert (tmp_path / "out/sub/link").readlink() == Path("../a") and (tmp_path / "out/hard").read_bytes() == b"xxx"


@pytest.mark.parametrize("names", [["a"], ["a/b", "c"]])
def test_what_is_no_single_top_folder_stays(names: list[str], tmp_path: Path) -> None:
    unpack(tarball(tmp_path / "a.tgz", *map(member, names)), tmp_path / "out")
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()) == names


def debian_package(path: Path, *members: tuple[str, bytes]) -> Path:
    """Write members as ar(1) does."""
    content = b"!<arch>\n"
    for name, data in members:
        header = f"{name:16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}".encode() + b"`\n"
        content += header + data + b"\n" * (len(data) % 2)
    path.write_bytes(content)
    return path


def data_tar(tmp_path: Path, *members: tarfile.TarInfo) -> tuple[str, bytes]:
    return "data.tar.gz", tarball(tmp_path / "data.tgz", *members).read_bytes()


def test_debian_package(tmp_path: Path) -> None:
    """Only its files get out, not what dpkg is told about them; members of an odd length are followed by a byte."""
    files = [member("./usr/lib/x.so.1.2"), member("./usr/lib/x.so.1", tarfile.SYMTYPE, "x.so.1.2")]
    # The documentation of some is another package's.
    files += [member("./usr/share/doc/x", tarfile.SYMTYPE, "y")]
    members = [("debian-binary", b"2.0\n"), ("control.tar.xz/", b"odd"), data_tar(tmp_path, *files)]
    unpack(debian_package(tmp_path / "a.deb", *members), tmp_path / "out")
    assert (tmp_path / "out/lib/x.so.1").read_bytes() == b"xxx"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lib", "share"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside"])
def test_debian_package_that_leads_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnpackError, match="leads outside"):
        unpack(debian_package(tmp_path / "a.deb", data_tar(tmp_path, member(name))), tmp_path / "out")


@pytest.mark.parametrize("size", [8, 9, 60, 70, 150, 200])
def test_debian_package_that_is_cut_off(size: int, tmp_path: Path) -> None:
    members = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), data_tar(tmp_path, member("a"))]
    whole = debian_package(tmp_path / "a.deb", *members)
    assert whole.stat().st_size > 200
    whole.write_bytes(whole.read_bytes()[:size])
    with pytest.raises(UnpackError, match="is no whole Debian package"):
        unpack(whole, tmp_path / "out")


def test_wheel(tmp_path: Path) -> None:
    """The only folder in a wheel is a package, and is kept; programs stay executable."""
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as archive:
        for name, mode in (("a/program", 0o100755), ("a/data", 0o100644)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "x")
    unpack(tmp_path / "a-1-py3-none-any.whl", tmp_path / "out")
    assert [(tmp_path / "out/a" / name).stat().st_mode & 0o111 for name in ("program", "data")] == [0o111, 0]


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil"),
        member("/etc/evil"),
        member("top/../../evil"),
        member("top/../evil"),
        member("top/link", tarfile.SYMTYPE, "../../../etc/passwd"),
        member("top/hard", tarfile.LNKTYPE, "../../etc/passwd"),
        member("top/device", tarfile.CHRTYPE),
        member("top/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda m: f"{m.name}-{m.type.decode()}",
)
def test_unsafe_members_are_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(UnpackError):
        unpack(tarball(tmp_path / "a.tgz", member("top/a"), bad), tmp_path / "deep/er/out")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(("name", "mode"), [("../evil", 0o100644), ("/evil", 0o100644), ("link", 0o120777)])
def test_unsafe_wheel_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(info, "x")
    with pytest.raises(UnpackError, match="leads outside"):
        unpack(wheel, tmp_path / "out")


def test_truncated_archive(tmp_path: Path) -> None:
    path = tarball(tmp_path / "a.tgz", *(member(f"top/{n}") for n in range(100)))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UnpackError, match="cannot be unpacked"):
        unpack(path, tmp_path / "out")


def thing(archive: Path) -> tuple[Package, Release]:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    release = Release("1", archive.name, archive.stat().st_size, digest, ["http://x.invalid"])
    return Package("thing", "", "", Licence("MIT", []), "data", [release]), release


def test_prepare_starts_anew_after_an_interruption(tmp_path: Path) -> None:
    package, release = thing(tarball(tmp_path / "a.tgz", member("top/a")))
    for leftover in ("thing", ".thing.new", ".thing.new.inner", ".thing.new.held"):
        (tmp_path / "into" / leftover).mkdir(parents=True)
        (tmp_path / "into" / leftover / "half").touch()
    prepare(package, release, tmp_path, tmp_path / "into")
    assert [p.name for p in (tmp_path / "into").iterdir()] == ["thing"]
    assert [p.name for p in (tmp_path / "into/thing").iterdir()] == ["a"]


def test_tarball_inside_the_tarball(tmp_path: Path) -> None:
    inner = tarball(tmp_path / "inner.tgz", member("tool-1/configure"))
    outer = tmp_path / "outer.tar"
    with tarfile.open(outer, "w") as tar:
        tar.add(inner, "orig/inner.tgz")
        tar.addfile(member("orig/other"), io.BytesIO(b"xxx"))
    package, release = thing(outer)
    release = dataclasses.replace(release, inner="inner.tgz")
    prepare(package, release, tmp_path, tmp_path / "into")
    assert [str(p.relative_to(tmp_path / "into")) for p in (tmp_path / "into").rglob("*")] == [
        "thing",
        "thing/configure",
    ]


def test_folder_inside_the_tarball(tmp_path: Path) -> None:
    package, release = thing(tarball(tmp_path / "a.tgz", member("top/src/lib/configure"), member("top/setup.py")))
    release = dataclasses.replace(release, inner="src/lib")
    prepare(package, release, tmp_path, tmp_path / "into")
    assert [str(p.relative_to(tmp_path / "into")) for p in (tmp_path / "into").rglob("*")] == [
        "thing",
        "thing/configure",
    ]


def test_only_what_is_wanted_of_a_release(tmp_path: Path) -> None:
    names = ("top/lib/a", "top/lib/sub/b", "top/other", "top/LICENSE")
    package, record = thing(tarball(tmp_path / "a.tgz", *map(member, names)))
    prepare(dataclasses.replace(package, subset=["lib", "LICENSE"]), record, tmp_path, tmp_path / "into")
    found = [str(p.relative_to(tmp_path / "into")) for p in (tmp_path / "into").rglob("*") if p.is_file()]
    assert sorted(found) == ["thing/LICENSE", "thing/lib/a", "thing/lib/sub/b"]
    assert [p.name for p in (tmp_path / "into").iterdir()] == ["thing"]


def test_what_the_facts_name_is_in_the_source(tmp_path: Path) -> None:
    package, release = thing(tarball(tmp_path / "a.tgz", member("top/a")))
    licence = dataclasses.replace(package.licence, files=["COPYINGX"])
    for change, said in (({"subset": ["src"]}, "subset: .* no src"), ({"licence": licence}, "files: .* no COPYINGX")):
        with pytest.raises(UnpackError, match=f"configs/packages/thing.yml: .*{said}"):
            prepare(dataclasses.replace(package, **change), release, tmp_path, tmp_path / "into")
        assert not (tmp_path / "into/thing").exists()
    with pytest.raises(UnpackError, match=r"configs/packages/thing\.yml: releases\.inner: the source has no src/lib"):
        prepare(package, dataclasses.replace(release, inner="src/lib"), tmp_path, tmp_path / "into")
    with pytest.raises(UnpackError, match=r"thing\.yml: configure_script: .* no configure; .* `autoreconf: true`"):
        prepare(dataclasses.replace(package, kind="configure"), release, tmp_path, tmp_path / "into")
    (tmp_path / "a.tgz").unlink()
    with pytest.raises(UsageError, match=r"a\.tgz: no such file: run make fetch"):
        prepare(package, release, tmp_path, tmp_path / "into")


def test_part_of_another_tree_with_ours_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("into/other/lib/sub/a", "into/other/lib/b", "into/other/LICENSE", "ours/x.c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr("staticpython.unpack.ROOT", tmp_path)
    package, _ = thing(tarball(tmp_path / "a.tgz"))
    package = dataclasses.replace(package, source_of="other", subset=["lib/sub", "LICENSE"])
    package = dataclasses.replace(package, overlay={"ours/x.c": "new/x.c"}, trees={"lib/tree": "third"})
    prepare(package, None, tmp_path, tmp_path / "into")
    tree = tmp_path / "into/thing"
    found = {str(p.relative_to(tree)): p.read_text() for p in tree.rglob("*") if p.is_file()}
    expected = {"lib/sub/a": "into/other/lib/sub/a", "LICENSE": "into/other/LICENSE", "new/x.c": "ours/x.c"}
    assert found == expected and (tree / "lib/tree").readlink() == Path("../third")
    with pytest.raises(UnpackError, match="overlay: lib is a folder in the source"):
        prepare(dataclasses.replace(package, overlay={"ours/x.c": "lib"}), None, tmp_path, tmp_path / "into")


def test_autoreconf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, release = thing(tarball(tmp_path / "a.tgz", member("top/a")))
    package = dataclasses.replace(package, autoreconf=True)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UnpackError, match="thing: needs autoreconf: install"):
        prepare(package, release, tmp_path, tmp_path / "into")
    program = tmp_path / "bin/autoreconf"
    program.parent.mkdir()
    for text in ("echo no libtoolize >&2; exit 1", 'echo "$@" >configure; /bin/mkdir autom4te.cache'):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        if "exit 1" in text:
            with pytest.raises(UnpackError, match="thing: autoreconf failed .*\nno libtoolize"):
                prepare(package, release, tmp_path, tmp_path / "into")
            assert not (tmp_path / "into/thing").exists()
    prepare(package, release, tmp_path, tmp_path / "into")
    assert (tmp_path / "into/thing/configure").read_text() == "-fi\n"
    assert not (tmp_path / "into/thing/autom4te.cache").exists()


@pytest.mark.parametrize(
    ("kind", "version", "where"),
    [
        ("make", "1.0", "configs/packages/thing.yml"),
        ("cpython", "3.15.0rc2", "configs/series/3.15.yml"),
        ("data", "", "--toolchain-prefix"),
    ],
)
def test_where_a_hash_is_pinned(tmp_path: Path, kind: str, version: str, where: str) -> None:
    package, release = thing(tarball(tmp_path / "a.tgz", member("top/a")))
    other = dataclasses.replace(release, version=version)
    assert pinned_in(dataclasses.replace(package, kind=kind), other) == where


def test_prepare_checks_again(tmp_path: Path) -> None:
    archive = tarball(tmp_path / "a.tgz", member("top/a"))
    package, release = thing(archive)
    archive.write_bytes(archive.read_bytes() + b"!")
    with pytest.raises(ChecksumError, match=r"configs/packages/thing\.yml has a wrong sha256 or size of a\.tgz"):
        prepare(package, release, tmp_path, tmp_path / "into")


def test_patch_with_fuzz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/f").write_text("".join(f"{n}\n" for n in range(20)))
    patch = tmp_path / "0001.patch"
    hunk = "--- a/f\n+++ b/f\n@@ -8,7 +8,7 @@\n{}\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n"
    patch.write_text(hunk.format(" changed"))
    with pytest.raises(UnpackError, match="does not apply cleanly"):
        apply_patch(patch, tmp_path / "tree")
    patch.write_text(hunk.format(" 7"))
    apply_patch(patch, tmp_path / "tree")
    assert "ten" in (tmp_path / "tree/f").read_text()
