"""What was fetched: a file's hash, and the record of it that everything later reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from staticpython.config import Package, PyPI, Release
from staticpython.errors import ChecksumError, FetchError


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What a build is made from: the chosen release. All later steps take it from here."""

    package: str
    release: Release
    origin: str


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def pinned_in(package: Package, release: Release) -> str:
    """Return where a release's hash stands."""
    if not release.version:
        return "--toolchain-prefix"
    if package.kind == "cpython":
        return f"configs/series/{release.version.rpartition('.')[0]}.yml"
    return f"configs/packages/{package.name}.yml"


def check(path: Path, package: Package, release: Release) -> None:
    """Raise ChecksumError, and give the file another name, unless it has the release's size and SHA-256."""
    size, digest = path.stat().st_size, sha256_of(path)
    if (size, digest) != (release.size or size, release.sha256):
        kept = path.with_name(f"{release.file}.wrong")
        path.replace(kept)
        raise ChecksumError(
            f"{path}: these are not the pinned bytes (kept as {kept.name})\n"
            f"  wanted  sha256 {release.sha256}, {release.size or 'any number of'} bytes\n"
            f"  found   sha256 {digest}, {size} bytes\n"
            "  Run make again to fetch it anew. If it stays so, the file was changed where it came from, or"
            f" {pinned_in(package, release)} has a wrong sha256 or size of {release.file}."
        )


def record(package: Package, release: Release, origin: str, path: Path) -> None:
    """Write what was fetched, for unpacking and the manifest. It comes last, so its existence means success."""
    data = dataclasses.asdict(release) | {"package": package.name, "origin": origin}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.rename(path)


def read_record(path: Path) -> Fetched:
    """Return what `record` wrote; raises FetchError if another version of this program wrote it.

    Fields of a release that only that version knows are ignored.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        pypi = PyPI(**data["pypi"]) if data["pypi"] else None
        known = {field.name: data[field.name] for field in dataclasses.fields(Release) if field.name in data}
        return Fetched(data["package"], Release(**known | {"pypi": pypi}), data["origin"])
    except (KeyError, TypeError, ValueError) as error:
        raise FetchError(f"{path}: is no record of a fetched file ({error!r}): remove it and run make again") from None
