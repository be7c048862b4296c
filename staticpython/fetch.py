"""Get packages' source files: `python -m staticpython.fetch PACKAGE... --downloads DIR --record DIR`.

In this order: the downloads folder, the mirror, upstream, the Debian source package through apt, the pools of apt's
mirrors, PyPI with pip's settings, Debian's archive of snapshots. A file has another name until its size and SHA-256
are the pinned ones.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from urllib3.util.retry import Retry

from staticpython.config import SNAPSHOTS, Package, PyPI, Release, pick
from staticpython.errors import ChecksumError, FetchError, run_main
from staticpython.fetched import check, record
from staticpython.load import load_facts
from staticpython.plan import choose_releases, fitting_releases

CONNECT_TIMEOUT, READ_TIMEOUT = 5, 60  # seconds
PYPI_INDEX = "https://pypi.org/simple"
APT_HELPER = Path("/usr/lib/apt/apt-helper")
APT_LISTS_AGE = 6 * 3600  # seconds after which Debian's lists are downloaded again
# Debian's suites with the versions in configs/packages, newest last: unstable or stable may have what testing drops.
DEBIAN_SUITES = ("trixie", "forky", "sid")

console = Console(stderr=True, highlight=False, soft_wrap=True)


class UnavailableError(Exception):
    """One place does not have the file; the next one is asked."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where files come from and go to."""

    downloads: Path
    mirror: str = ""
    python: str = sys.executable


def fetch(package: Package, places: Places) -> tuple[Release, str]:
    """Get the file of the first release that can be downloaded; return the release and where it came from.

    Raises FetchError if there is none, with each place's answer, and ChecksumError for a wrong file in the downloads
    folder or the mirror.
    """
    answers: list[str] = []
    fitting = fitting_releases(package)
    for release in fitting:
        origin = _fetch_release(package, release, places, answers)
        if origin:
            if release is not fitting[0]:
                console.print(
                    f"[bold yellow]warning:[/] {package.name}: {fitting[0].version} cannot be downloaded, "
                    f"taking {release.version} instead"
                )
            return release, origin
    wanted = fitting[0]
    raise FetchError(
        f"{package.name}: {wanted.file} cannot be downloaded:\n"
        + "".join(f"  {a}\n" for a in answers)
        + "  Bring the file "
        f"(sha256 {wanted.sha256}) to {places.downloads}/ by hand, or give --mirror a folder or URL that has it."
    )


def _fetch_release(package: Package, release: Release, places: Places, answers: list[str]) -> str:
    goal = places.downloads / release.file
    if goal.exists():
        check(goal, package, release)
        return "downloads"
    with _locked(places.downloads / f".{release.file}.lock"):  # a killed make may have left a download behind
        return "downloads" if goal.exists() else _fetch_from_anywhere(package, release, places, answers)


def _fetch_from_anywhere(package: Package, release: Release, places: Places, answers: list[str]) -> str:
    goal = places.downloads / release.file
    for origin, bring in _ways(release, places):
        part = goal.with_name(f"{goal.name}.part")
        try:
            bring(part)
            check(part, package, release)
        except ChecksumError as error:
            if origin.startswith("mirror"):
                raise
            answers.append(f"{origin}: {error}")
        except UnavailableError as error:
            answers.append(f"{origin}: {error}")
        else:
            part.rename(goal)
            console.print(f"fetched   {package.name:14} {release.file} from {origin}")
            return origin
    return ""


def _ways(release: Release, places: Places) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield the places to ask, each with the function that downloads the file to a path."""
    if places.mirror:
        yield f"mirror {places.mirror}", lambda part: _from_mirror(places.mirror, release, part)
    snapshots = [url for url in release.urls if url.startswith(SNAPSHOTS)]
    for url in (u for u in release.urls if u not in snapshots):
        yield url, lambda part, url=url: _download(url, release, part)  # type: ignore[misc]
    if debian := release.debian:
        yield f"Debian {debian.split('/')[-2]}", lambda part: _from_debian(debian, release, places, part)
        # The lists name what a suite has today; a mirror's pool keeps a file as long as any suite has it.
        for url in (f"{mirror}/{debian}" for mirror in _debian_mirrors()):
            yield url, lambda part, url=url: _by_apt(url, [], release, part)  # type: ignore[misc]
    if pypi := release.pypi:
        yield f"PyPI {pypi.project}", lambda part: _from_pypi(pypi, release, places, part)
    for url in snapshots:
        yield url, lambda part, url=url: _download(url, release, part)  # type: ignore[misc]


def _from_mirror(mirror: str, release: Release, part: Path) -> None:
    if urlsplit(mirror).scheme in ("http", "https"):
        _download(f"{mirror.rstrip('/')}/{release.file}", release, part)
        return
    file = Path(mirror.removeprefix("file://")) / release.file
    if not file.is_file():
        raise UnavailableError(f"no file {file}")
    shutil.copyfile(file, part)


def _download(url: str, release: Release, part: Path) -> None:
    """Fetch a URL, continuing where an earlier try was cut off (RFC 9110, Range)."""
    have = part.stat().st_size if part.exists() else 0
    if release.size and have >= release.size:
        have = 0
    try:
        reply = _session().get(
            url,
            headers={"Range": f"bytes={have}-"} if have else {},
            stream=True,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
        )
        reply.raise_for_status()
        resumed = reply.status_code == requests.codes.partial_content
        with part.open("ab" if resumed else "wb") as file, _progress() as progress:
            task = progress.add_task(release.file, total=release.size or None, completed=have if resumed else 0)
            for block in reply.iter_content(1 << 16):
                file.write(block)
                progress.advance(task, len(block))
                if release.size and file.tell() > release.size:
                    raise UnavailableError("sends more bytes than the file has")
    except requests.RequestException as error:
        raise UnavailableError(_first_line(error)) from None


def _session() -> requests.Session:
    """Return a session that retries after temporary errors."""
    session = requests.Session()
    retry = Retry(total=3, connect=1, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
    session.mount("http://", HTTPAdapter(max_retries=retry))
    session.mount("https://", HTTPAdapter(max_retries=retry))
    return session


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "reason", None) or error)
    cause = re.search(r"(NameResolutionError|ConnectTimeoutError|NewConnectionError|SSLError|ProxyError)", repr(error))
    return f"cannot be reached ({cause.group(1)})" if cause else text.splitlines()[0]


def _from_debian(pool_path: str, release: Release, places: Places, part: Path) -> None:
    """Let apt fetch a source package's file with private state: without root, and without changes to the system.

    The file is found by its hash, whatever its name in Debian, and in any revision of the package.
    """
    if not APT_HELPER.exists():
        raise UnavailableError("this machine has no apt")
    source = pool_path.split("/")[-2]
    state = places.downloads / ".apt"
    with _locked(state / "lock"):
        options = apt_options(state)
        listing = _run(["apt-cache", *options, "showsrc", source]).stdout
        version, name = _find_in_listing(listing, release.sha256)
        uris = _run(["apt-get", *options, "source", "--print-uris", "--only-source", "-qq", f"{source}={version}"])
        found = re.search(rf"^'(\S+)' {re.escape(name)} ", uris.stdout, re.MULTILINE)
        if not found:
            raise UnavailableError(apt_reason(uris.stderr))
        _by_apt(found.group(1), options, release, part)


def _by_apt(url: str, options: list[str], release: Release, part: Path) -> None:
    """Let apt fetch an address of one of its mirrors, with its proxy, certificates and passwords."""
    if url.startswith("file:"):  # otherwise apt makes a link
        url = f"copy:{url.removeprefix('file:')}"
    if os.geteuid() == 0:  # apt's own user cannot write here
        options = [*options, "-oAPT::Sandbox::User=root"]
    run = _run([str(APT_HELPER), *options, "download-file", url, str(part), f"SHA256:{release.sha256}"])
    if run.returncode:
        raise UnavailableError(apt_reason(run.stderr))


def _find_in_listing(listing: str, sha256: str) -> tuple[str, str]:
    """Find a file by its hash in `apt-cache showsrc`'s output; return the package's version and the file's name."""
    for stanza in listing.split("\n\n"):
        version = re.search(r"^Version: (\S+)$", stanza, re.MULTILINE)
        file = re.search(rf"^ {sha256} \d+ (\S+)$", stanza, re.MULTILINE)
        if version and file:
            return version.group(1), file.group(1)
    raise UnavailableError(f"no version in {', '.join(DEBIAN_SUITES)} has a file of this hash")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that only one process at a time writes the files that it protects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def apt_options(
    state: Path, kind: str = "deb-src", suites: tuple[str, ...] = DEBIAN_SUITES, arch: str = ""
) -> list[str]:
    """Return apt's options for a state below `state`, with current lists of Debian's sources, or packages (`deb`)."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    sources = state / "sources.list"
    text = "".join(f"{kind} {mirror} {suite} main\n" for mirror in _debian_mirrors()[:1] for suite in suites)
    if not text:
        raise UnavailableError("this machine's apt knows no Debian mirror")
    changed = not sources.exists() or sources.read_text() != text
    sources.write_text(text)
    settings = {
        "Dir::Etc::sourcelist": str(sources.resolve()),
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": str((state / "lists").resolve()),
        "Dir::Cache": str((state / "cache").resolve()),
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "Acquire::Retries": "2",
    }
    options = [f"-o{name}={value}" for name, value in settings.items() if value]
    stamp = state / "updated"
    if changed or not stamp.exists() or time.time() - stamp.stat().st_mtime > APT_LISTS_AGE:
        console.print(f"fetched   apt            Debian's lists of {'sources' if kind == 'deb-src' else 'packages'}")
        run = _run(["apt-get", *options, "update", "-q"])
        if run.returncode or not any((state / "lists").glob("*_Sources*" if kind == "deb-src" else "*_Packages*")):
            raise UnavailableError(apt_reason(run.stderr))
        if not run.stderr:  # apt only warns about a list that it could not download
            stamp.touch()
    return options


def _debian_mirrors() -> list[str]:
    """Return the mirrors of Debian's archive in the settings of this machine's apt.

    The security archive and other repositories do not have these suites. Without lists (`--no-release-info`), as in
    a fresh container, apt knows no labels: then the address decides.
    """
    if not APT_HELPER.exists():
        return []
    mirrors: dict[str, None] = {}
    for options in (["$(ORIGIN)|$(LABEL)|$(REPO_URI)"], ["||$(REPO_URI)", "--no-release-info"]):
        run = _run(["apt-get", "indextargets", "--format", *options])
        for line in run.stdout.splitlines():
            origin, label, uri = line.split("|", 2)
            uri = uri.rstrip("/")
            if (origin, label) == ("Debian", "Debian") or (not origin and uri.endswith("/debian")):
                mirrors[uri] = None
    return list(mirrors)


def apt_reason(stderr: str) -> str:
    """Return apt's first complaint."""
    said = [line[2:].strip() for kind in ("E:", "W:") for line in stderr.splitlines() if line.startswith(kind)]
    return said[0] if said else "apt did not bring the file"


def _from_pypi(pypi: PyPI, release: Release, places: Places, part: Path) -> None:
    """Let pip fetch a wheel, with the user's own index settings. It would also run the code of a source release."""
    if not release.file.endswith(".whl"):
        _download(_address_in_index(pypi, release, places), release, part)
        return
    with tempfile.TemporaryDirectory(dir=places.downloads) as folder:
        # pip resumes no downloads, and shows its own progress on a terminal.
        options = ["--no-deps", "--disable-pip-version-check", "--only-binary", ":all:", "--dest", folder]
        options += ["--platform", pypi.platform] if pypi.platform != "any" else []
        run = _run([places.python, "-m", "pip", "download", "-q", *options, f"{pypi.project}=={release.version}"])
        file = Path(folder) / release.file
        if not file.is_file():
            errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
            raise UnavailableError(errors[-1] if errors else f"pip brought no {release.file}")
        shutil.move(file, part)


def index_page(project: str, python: str) -> str:
    """Return the address of a project's page in the index of a Python's pip settings (PEP 503)."""
    settings = _run([python, "-m", "pip", "config", "list"]).stdout
    indexes = dict(re.findall(r"^(\S+)\.index-url='(.*)'$", settings, re.MULTILINE))
    chosen = next((indexes[section] for section in (":env:", "download", "global") if section in indexes), PYPI_INDEX)
    return f"{chosen.rstrip('/')}/{project}/"


def _address_in_index(pypi: PyPI, release: Release, places: Places) -> str:
    """Return the address of a project's file in the index of pip's settings."""
    page = index_page(pypi.project, places.python)
    try:
        reply = _session().get(page, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
        reply.raise_for_status()
    except requests.RequestException as error:
        raise UnavailableError(f"{page}: {_first_line(error)}") from None
    found = re.search(rf'href="([^"#]*{re.escape(release.file)})["#]', reply.text)
    if not found:
        raise UnavailableError(f"{page} lists no {release.file}")
    return urljoin(reply.url, html.unescape(found.group(1)))


def _run(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def main(arguments: list[str] | None = None) -> int:
    """Fetch packages' sources; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.fetch", description=__doc__)
    parser.add_argument("packages", nargs="+", metavar="PACKAGE")
    parser.add_argument("--downloads", type=Path, required=True, help="folder of the files")
    parser.add_argument("--record", type=Path, required=True, help="folder of the records of what was fetched")
    parser.add_argument("--mirror", default="", help="folder or URL asked first")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--release", help="only this version")
    which.add_argument(
        "--every-release", action="store_true", help="all versions, not only the first that can be downloaded"
    )
    options = parser.parse_args(arguments)

    def body() -> int:
        facts = load_facts()
        places = Places(options.downloads, options.mirror)
        for name in options.packages:
            pick("package", name, list(facts.packages))
            chosen = choose_releases(facts, (f"{name}={options.release}",)) if options.release else facts
            package = chosen.packages[name]
            for releases in [[r] for r in package.releases] if options.every_release else [package.releases]:
                wanted = dataclasses.replace(package, releases=releases)
                record(wanted, *fetch(wanted, places), options.record / f"{name}.json")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
