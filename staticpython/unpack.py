"""Unpack and patch a source: `python -m staticpython.unpack PACKAGE --record RECORD --downloads DIR --into DIR`.

The tree appears under its name only when it is complete: an interrupted unpacking never looks finished.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

if sys.version_info >= (3, 12):
    import tarfile
else:  # the first with PEP 706's filters in every release
    from backports import tarfile

from staticpython.config import ROOT, Package, Release, patches, pick, without_speedups
from staticpython.errors import UnpackError, UsageError, run_main
from staticpython.fetched import check, read_record
from staticpython.load import load_facts


def unpack(archive: Path, into: Path) -> None:
    """Unpack a tarball, wheel or Debian package; a single top folder is left out, but for wheels.

    Raises UnpackError for what could write outside `into`: absolute paths, `..`, links that lead out, device files.
    """
    into.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, into)
        else:
            with archive.open("rb") as file, tarfile.open(fileobj=_tarball(file, archive)) as tar:
                tar.extractall(into, members=[_checked(m, archive) for m in tar], filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise UnpackError(f"{archive}: cannot be unpacked: {error}") from None
    _lift_single_folder(into, archive)


def _tarball(file: BinaryIO, archive: Path) -> BinaryIO:
    """Return an archive's tarball: the whole file, or of a Debian package (deb(5)) the member with its files.

    Such a package is an archive of ar(1): a header of 60 bytes before each member, which begins at an even place.
    """
    magic = b"!<arch>\n"
    if file.read(len(magic)) != magic:
        file.seek(0)
        return file
    while header := file.read(60):
        name, size = header[:16].decode("latin-1").rstrip(" /"), header[48:58].strip()
        if len(header) != 60 or header[58:] != b"`\n" or not size.isdigit():
            break
        content = file.read(int(size))
        if len(content) != int(size):
            break
        if name.startswith("data.tar"):
            return io.BytesIO(content)
        file.seek(int(size) % 2, os.SEEK_CUR)
    raise UnpackError(f"{archive}: is no whole Debian package: there is no data.tar in it")


def _checked(member: tarfile.TarInfo, archive: Path) -> tarfile.TarInfo:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise UnpackError(f"{archive}: {member.name}: leads outside the folder")
    return member


def _unpack_zip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as wheel:
        for info in wheel.infolist():
            path = PurePosixPath(info.filename)
            if path.is_absolute() or ".." in path.parts or (info.external_attr >> 16) & 0o170000 == 0o120000:
                raise UnpackError(f"{archive}: {info.filename}: leads outside the folder")
            target = Path(wheel.extract(info, into))
            if info.external_attr >> 16 & 0o100:
                target.chmod(0o755)


def _lift_single_folder(into: Path, archive: Path) -> None:
    entries = list(into.iterdir())
    if archive.suffix != ".whl" and len(entries) == 1 and entries[0].is_dir():
        inner = entries[0].rename(into.with_name(f"{into.name}.inner"))
        into.rmdir()
        inner.rename(into)


def apply_patch(patch: Path, tree: Path) -> None:
    """Apply a patch with no fuzz; raises UnpackError with what patch(1) said."""
    command = [
        "patch",
        "-p1",
        "--fuzz=0",
        "--batch",
        "--forward",
        "--no-backup-if-mismatch",
        "-i",
        str(patch.resolve()),
    ]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if run.returncode:
        raise UnpackError(f"{patch}: does not apply cleanly:\n{run.stdout}{run.stderr}")


def cut(package: Package, source: Path, tree: Path) -> None:
    """Copy a package's `subset` of a tree that has more."""
    _check_there(package, "subset", package.subset, source)
    for item in package.subset:
        target = tree / item
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / item).is_dir():
            shutil.copytree(source / item, target, symlinks=True)
        else:
            shutil.copy2(source / item, target)


def _check_there(package: Package, where: str, files: list[str], tree: Path) -> None:
    for file in files:
        if not (tree / file).exists():
            raise UnpackError(f"configs/packages/{package.name}.yml: {where}: the source has no {file}")


def released(package: Package, release: Release | None, downloads: Path, into: Path, tree: Path) -> None:
    """Make `tree`: the package's files as they were released, or cut out of another one's source in `into`."""
    held = tree.with_name(f"{tree.name}.held")
    for leftover in (tree, tree.with_name(f"{tree.name}.inner"), held):
        shutil.rmtree(leftover, ignore_errors=True)
    if release is None:
        assert package.source_of
        cut(package, into / package.source_of, tree)
        return
    archive = downloads / release.file
    if not archive.is_file():
        raise UsageError(f"{archive}: no such file: run make fetch")
    check(archive, package, release)
    unpack(archive, tree)
    if release.inner:
        _check_there(package, "releases.inner", [release.inner], tree)
        (tree / release.inner).replace(held)
        shutil.rmtree(tree)
        if held.is_dir():
            held.rename(tree)
        else:
            unpack(held, tree)
            held.unlink()
    if package.subset:
        tree.rename(held)
        cut(package, held, tree)
        shutil.rmtree(held)


def prepare(package: Package, release: Release | None, downloads: Path, into: Path) -> None:
    """Make `into/<package>`: unpacked or cut out, patched, overlaid and with a configure script."""
    goal, temporary = into / package.name, into / f".{package.name}.new"
    shutil.rmtree(goal, ignore_errors=True)
    released(package, release, downloads, into, temporary)
    version = release.version if release else ""
    for patch in patches(package, version):
        apply_patch(patch, temporary)
    for ours, theirs in package.overlay.items():
        if (temporary / theirs).is_dir():
            raise UnpackError(f"configs/packages/{package.name}.yml: overlay: {theirs} is a folder in the source")
        (temporary / theirs).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / ours, temporary / theirs)
    for place, other in package.trees.items():
        (temporary / place).symlink_to(f"../{other}")
    if package.autoreconf:
        _autoreconf(package, temporary)
    _check_there(package, "licence.files", package.licence.files, temporary)
    if package.kind == "configure" and not (temporary / package.configure_script).is_file():
        raise UnpackError(
            f"configs/packages/{package.name}.yml: configure_script: the source has no {package.configure_script};"
            " if it has a configure.ac, write `autoreconf: true`, which makes one"
        )
    temporary.rename(goal)


def _autoreconf(package: Package, tree: Path) -> None:
    try:
        run = subprocess.run(["autoreconf", "-fi"], cwd=tree, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UnpackError(f"{package.name}: needs autoreconf: install autoconf, automake and libtool") from None
    if run.returncode:
        raise UnpackError(f"{package.name}: autoreconf failed (are automake and libtool there?):\n{run.stderr}")
    shutil.rmtree(tree / "autom4te.cache", ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Unpack one package's source; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.unpack", description=__doc__)
    parser.add_argument("package")
    parser.add_argument("--record", type=Path, help="what staticpython.fetch recorded")
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--series", default="", help="which one the interpreter is of")
    parser.add_argument("--no-speedups", action="store_true", help="without patches that are only for speed")
    options = parser.parse_args(arguments)

    def body() -> int:
        facts = load_facts()
        pick("package", options.package, list(facts.packages))
        if facts.packages[options.package].releases and not (options.record and options.record.is_file()):
            raise UsageError(
                f"--record: no record of {options.package}'s file: `make build/fetched/{options.package}.json`"
            )
        release = read_record(options.record).release if options.record else None
        package = facts.in_series(facts.packages[options.package], options.series)
        package = without_speedups(package) if options.no_speedups else package
        options.into.mkdir(parents=True, exist_ok=True)
        prepare(package, release, options.downloads, options.into)
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
