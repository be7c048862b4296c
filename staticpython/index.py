"""Lists of a folder of archives: `python -m staticpython.index FOLDER --url URL` writes SHA256SUMS, downloads.json.

`uv python install --python-downloads-json-url` reads downloads.json: uv's own list of interpreters has the same
form (crates/uv-python/download-metadata.json of uv).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from staticpython.errors import UsageError, run_main
from staticpython.fetched import sha256_of
from staticpython.published import Archive, written_whole

INDEX, SUMS, SIGNATURE = "downloads.json", "SHA256SUMS", "SHA256SUMS.minisig"
# What uv can express about an interpreter. Others have a file name, but no place in uv's list.
UV_OPTIONS = {(): None, ("freethreaded",): "freethreaded"}
UV_CPUS = re.compile(r"(?P<family>x86_64|aarch64|i686|riscv64)(?:_(?P<variant>v[234]))?")
PUBLISHED = ("*.tar.gz", "*.tar.zst", "*.whl", "*.oci.tar", "*.json")


def downloads(archives: dict[str, str], url: str) -> dict[str, Any]:
    """Return uv's list of interpreters, for archives (name -> SHA-256) below `url`.

    Of two releases of one interpreter the later one is listed.
    """
    result: dict[str, Any] = {}
    for name in sorted(archives):  # by date, if everything before it is the same
        archive = Archive.parse(name)
        cpu = UV_CPUS.fullmatch(archive.cpu) if archive else None
        if not archive or not cpu or archive.options not in UV_OPTIONS or archive.contents != "install_only_stripped":
            continue
        variant = UV_OPTIONS[archive.options]
        major, minor, patch, prerelease = re.findall(r"^(\d+)\.(\d+)\.(\d+)(.*)$", archive.version)[0]
        key = f"cpython-{archive.version}{f'+{variant}' if variant else ''}-linux-{archive.cpu}-musl"
        result[key] = {
            "name": "cpython",
            "arch": cpu.groupdict(),
            "os": "linux",
            "libc": "musl",
            "major": int(major),
            "minor": int(minor),
            "patch": int(patch),
            "prerelease": prerelease,
            "url": f"{url.rstrip('/')}/{quote(name)}",
            "sha256": archives[name],
            "variant": variant,
            "build": archive.date,
        }
    return result


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file for users in a folder."""
    files = {file for pattern in PUBLISHED for file in folder.glob(pattern)}
    return {file.name: sha256_of(file) for file in sorted(files)}


def sums_text(files: dict[str, str]) -> str:
    """Return the content of SHA256SUMS for files (name -> SHA-256), as `sha256sum -c` reads it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))


def write_index(folder: Path, url: str) -> list[Path]:
    """Write both files of a folder; return them. Raises UsageError if there is no archive, or no URL.

    The signature of an earlier SHA256SUMS is removed.
    """
    if not re.match(r"(https?|file)://.", url):
        raise UsageError(f"--url {url}: is no URL: it is where the archives will be, as https://example.org/releases")
    sums = hashes(folder)
    sums.pop(INDEX, None)
    found = downloads(sums, url)
    if not any(Archive.parse(name) for name in sums):
        raise UsageError(f"{folder}: no archive of an interpreter is there: run make dist first")
    index = folder / INDEX
    _write(index, json.dumps(found, indent=1, sort_keys=True) + "\n")
    sums[INDEX] = sha256_of(index)
    (folder / SIGNATURE).unlink(missing_ok=True)
    _write(folder / SUMS, sums_text(sums))
    return [index, folder / SUMS]


def _write(path: Path, text: str) -> None:
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Write SHA256SUMS and downloads.json; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.index", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", required=True, help="where the files of the folder will be")
    options = parser.parse_args(arguments)

    def body() -> int:
        for file in write_index(options.folder, options.url):
            print(f"written   {file}")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
