"""Which sources have a newer release: `python -m staticpython.audit --downloads DIR [PACKAGE...]`; `make audit`.

It looks where the package's file is downloaded from: in Debian's lists of sources (trixie, forky, sid) or PyPI's index
(PEP 503). An upstream release that Debian lacks is not found. `python -m staticpython.bump` changes to a new release.
"""

from __future__ import annotations

import argparse
import functools
import html
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import requests
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version
from rich.console import Console
from rich.table import Table

from staticpython.config import Facts, Package, Release, pick
from staticpython.errors import run_main
from staticpython.fetch import CONNECT_TIMEOUT, READ_TIMEOUT, UnavailableError, apt_options, index_page
from staticpython.load import load_facts
from staticpython.plan import fitting_releases


@dataclass(frozen=True)
class Answer:
    """What was found of a package: a newer file's name, an empty one for none, or why nobody knows."""

    package: str
    version: str
    newest: str
    where: str


def numbers(name: str) -> list[int]:
    """Return the numbers of a file's name, which order the files of one source package: `musl_1.2.6.orig.tar.gz`."""
    return [int(number) for number in re.findall("[0-9]+", name.partition("_")[2].partition(".orig.")[0])]


def newest_in_debian(listing: str) -> str:
    """Return the newest upstream file in the output of `apt-cache showsrc`; raises UnavailableError without one."""
    files = re.findall(r"^ [0-9a-f]{64} \d+ (\S+\.orig\.tar\.\w+)$", listing, re.MULTILINE)
    # A release candidate is not a release.
    finished = [name for name in files if "~" not in name]
    if not finished:
        raise UnavailableError("Debian's lists have no such source package")
    return str(max(finished, key=numbers))


def _version_of(file: str) -> Version:
    parse = parse_wheel_filename if file.endswith(".whl") else parse_sdist_filename
    return parse(file)[1]


def newest_in_pypi(page: str) -> Version:
    """Return the newest finished release that a project's page lists; raises UnavailableError for none."""
    versions = []
    for name in re.findall(r'href="[^"#]*?([^/"#]+)["#]', page):
        try:
            versions.append(_version_of(html.unescape(name)))
        except (InvalidSdistFilename, InvalidWheelFilename):
            continue
    finished = [version for version in versions if not version.is_prerelease]
    if not finished:
        raise UnavailableError("the index lists no release")
    return max(finished)


@functools.cache
def _apt(downloads: Path) -> tuple[str, ...]:
    return tuple(apt_options(downloads / ".apt"))


def ask(package: Package, release: Release, downloads: Path) -> Answer:
    """Ask for a package's newer release where its file is from."""
    try:
        if release.debian:
            source = release.debian.split("/")[-2]
            command = ["apt-cache", *_apt(downloads), "showsrc", source]
            listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            found, ours = newest_in_debian(listing), release.debian.rpartition("/")[2]
            return Answer(package.name, release.version, found if numbers(found) > numbers(ours) else "", "Debian")
        if release.pypi:
            project = release.pypi.project
            page = requests.get(index_page(project, sys.executable), timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
            page.raise_for_status()
            newest = newest_in_pypi(page.text)
            is_newer = newest > _version_of(release.file)
            return Answer(package.name, release.version, str(newest) if is_newer else "", f"PyPI {project}")
    except (UnavailableError, requests.RequestException) as error:
        return Answer(package.name, release.version, "?", str(error).splitlines()[0])
    return Answer(package.name, release.version, "?", "it is at upstream's address only: look there")


def sources(facts: Facts, names: list[str]) -> list[tuple[Package, Release]]:
    """Return the packages with a file of their own, each with the release that is taken; each series' CPython, too."""
    found = []
    for package in facts.packages.values():
        if names and package.name not in names:
            continue
        if package.kind == "cpython":
            found += [(package, s.releases[0]) for s in facts.series.values() if not s.variant_of]
        elif package.releases:
            found += [(package, release) for release in fitting_releases(package)[:1]]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Say which sources have a newer release; returns the exit code, 0 whether there are any or not."""
    parser = argparse.ArgumentParser(prog="staticpython.audit", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="only these (default: all)")
    parser.add_argument("--downloads", type=Path, default=Path("downloads"), help="where apt's lists are kept")
    options = parser.parse_args(arguments)

    def body() -> int:
        facts = load_facts()
        for name in options.packages:
            pick("package", name, list(facts.packages))
        table = Table("package", "ours", "newer", "asked", box=None, pad_edge=False)
        answers = [ask(package, release, options.downloads) for package, release in sources(facts, options.packages)]
        for answer in answers:
            table.add_row(answer.package, answer.version, answer.newest, answer.where)
        Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)
        newer = [answer for answer in answers if answer.newest not in ("", "?")]
        print(f"{len(newer)} of {len(answers)} have a newer release: python -m staticpython.bump takes one")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
