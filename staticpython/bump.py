"""Take a new upstream release: `python -m staticpython.bump PACKAGE VERSION FILE_OR_URL`.

Writes its version, name, size and SHA-256 as the first release of configs/packages/PACKAGE.yml (of cpython: of
configs/series/SERIES.yml), and leaves comments and everything else as they are. Addresses get the new version, too.
The hash is that of what was downloaded: compare it with what upstream announces.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import requests
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from staticpython.config import ROOT, SNAPSHOTS, Package, pick
from staticpython.errors import FetchError, StaticPythonError, UsageError, run_main
from staticpython.fetch import CONNECT_TIMEOUT, READ_TIMEOUT
from staticpython.fetched import sha256_of
from staticpython.load import load_facts


def pool_path(path: str, version: str, file: str) -> str:
    """Return the path in Debian's pool for a new version of a file: Debian's own name, or the one it would give it."""
    folder, _, old = path.rpartition("/")
    name = file if ".orig.tar." in file else re.sub(r"_.*(?=\.orig\.tar\.)", f"_{version}", old)
    return f"{folder}/{name}"


def bump(path: Path, version: str, file: Path, name: str, url: str | None) -> None:
    """Rewrite the first release in a package's YAML file."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = path.read_text(encoding="utf-8")
    data = yaml.load(text)
    release: CommentedMap = data["releases"][0]
    old_version, old_name = release["version"], release["file"]
    if debian := release.get("debian"):
        release["debian"] = pool_path(debian, version, name)
    release["version"] = version
    release["file"] = name
    release["size"] = file.stat().st_size
    release["sha256"] = sha256_of(file)
    urls = release.setdefault("urls", [])  # changed in place: the list keeps its style
    if url:
        urls[:1] = [url]
    urls[:] = [u for u in urls if not u.startswith(SNAPSHOTS)]  # they are named by the old bytes
    urls[:] = [u if u == url else u.replace(old_name, name).replace(old_version, version) for u in urls]
    if not urls:
        del release["urls"]
    written = io.StringIO()
    yaml.dump(data, written)
    # ruamel wraps long lists anew, also those of other keys: only the release's lines are taken.
    lines, new = text.splitlines(keepends=True), written.getvalue().splitlines(keepends=True)
    lines[_first_release(text)] = new[_first_release(written.getvalue())]
    path.write_text("".join(lines), encoding="utf-8")


def _check_name(file: str, package: Package) -> None:
    """Raise UsageError for a file that begins like none of the package's own: it is probably another one's."""
    known = {package.name, *(r.file for r in package.releases), *(Path(r.debian or "").name for r in package.releases)}
    stems = sorted({_stem(name) for name in known} - {""})
    if _stem(file) not in stems:
        raise UsageError(
            f"{file}: is not {package.name}'s, whose files begin with {' or '.join(stems)}: rename it if it is"
        )


def _stem(file: str) -> str:
    """Return a file's name up to the version: `sqlite-autoconf` of sqlite-autoconf-3530400.tar.gz."""
    return re.split(r"[-_.]?v?[0-9]", file.lower(), maxsplit=1)[0]


def _first_release(text: str) -> slice:
    """Return the lines of a YAML file from the first release to what follows it."""
    data: CommentedMap = YAML().load(text)
    releases = data["releases"]
    starts = [releases.lc.item(i)[0] for i in range(len(releases))] + [data.lc.key(name)[0] for name in data]
    first = starts[0]
    return slice(first, min(n for n in [*starts, len(text.splitlines())] if n > first))


def download(url: str, into: Path) -> Path:
    """Fetch a URL into a folder; raises FetchError."""
    target = into / Path(urlsplit(url).path).name
    try:
        with (
            requests.get(url, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)) as reply,
            target.open("wb") as file,
        ):
            reply.raise_for_status()
            shutil.copyfileobj(reply.raw, file)
    except requests.RequestException as error:
        raise FetchError(f"{url}: {error}") from None
    return target


def main(arguments: list[str] | None = None) -> int:
    """Bump a package; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.bump", description=__doc__)
    parser.add_argument("package")
    parser.add_argument("version")
    parser.add_argument("source", help="the new release: a file or a URL")
    options = parser.parse_args(arguments)

    def body() -> int:
        facts = load_facts()
        pick("package", options.package, list(facts.packages))
        if parent := facts.packages[options.package].source_of:
            raise UsageError(f"{options.package} has no releases: it is part of {parent}")
        is_url = "://" in options.source
        if not is_url and not Path(options.source).is_file():
            raise UsageError(f"{options.source}: is no file; give the release's archive, or its URL")
        with tempfile.TemporaryDirectory() as folder:
            file = download(options.source, Path(folder)) if is_url else Path(options.source)
            path = ROOT / "configs/packages" / f"{options.package}.yml"
            if facts.packages[options.package].kind == "cpython":
                series = options.version.rpartition(".")[0]
                pick("series", series, [s.name for s in facts.series.values() if not s.variant_of])
                if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?", options.version):
                    raise UsageError(f"{options.version} is no version of CPython, such as 3.14.8 or 3.15.0rc2")
                path = ROOT / "configs/series" / f"{series}.yml"
            _check_name(file.name, facts.packages[options.package])
            if not (tarfile.is_tarfile(file) or zipfile.is_zipfile(file)):
                raise UsageError(f"{options.source}: is no archive that can be unpacked")
            before = path.read_text(encoding="utf-8")
            bump(path, options.version, file, file.name, options.source if is_url else None)
            try:
                load_facts(with_patches=False)
            except StaticPythonError:
                path.write_text(before, encoding="utf-8")
                raise
            print(f"{path}: {options.version}, sha256 {sha256_of(file)}; compare it with what upstream announces")
            if facts.packages[options.package].kind == "cpython":
                print(f"{path}: date: set it to the day of the release")
            load_facts()  # says which patches are of an earlier version
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
