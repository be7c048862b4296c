"""pylock.toml (PEP 751): the packages locked for a target, as requirements that pip accepts only with their hashes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _staticpython.payload import PayloadError

if TYPE_CHECKING:
    from _staticpython.inputs import Target

# Those that pip accepts.
_STRONG = ("sha256", "sha384", "sha512")


def is_lock(path: Path) -> bool:
    """Whether a file has a lock file's name."""
    return re.fullmatch(r"pylock(\.[^.]+)?\.toml", path.name) is not None


def locked_requirements(lock: Path, target: Target) -> list[str]:
    """Lines of a requirements file: one for each package, and the places that the lock names for its file.

    A file with the right hash may come from anywhere: an index and --find-links are asked, too.
    """
    lines = []
    for package, source in _selected(lock, target):
        if not hasattr(source, "hashes"):
            raise PayloadError(
                f"{lock}: {package.name}: a folder or a repository has no hash: leave it out of the lock"
                " (uv: --no-emit-project), and name it beside that"
            )
        hashes = [f"--hash={kind}:{value}" for kind, value in source.hashes.items() if kind in _STRONG]
        if not hashes:
            raise PayloadError(f"{lock}: {package.name}: it has none of the hashes {', '.join(_STRONG)}")
        where = (lock.parent.resolve() / source.path).as_uri() if source.path else source.url
        if package.archive is source:
            lines.append(f"{package.name} @ {where} {' '.join(hashes)}")
        else:
            version = package.version or _version(source.filename)
            lines += [f"{package.name}=={version} {' '.join(hashes)}", f"--find-links {where}"]
    return lines


def _selected(lock: Path, target: Target) -> list[tuple[Any, Any]]:
    """The lock's packages, each with the one file that the target uses."""
    import tomllib  # type: ignore[import-not-found,unused-ignore]
    from pip._vendor.packaging import markers, pylock, tags  # type: ignore[attr-defined,unused-ignore]

    environment = markers.default_environment() | {"platform_machine": target.machine}
    known = [*tags.cpython_tags(platforms=target.platforms)]
    known += tags.compatible_tags(interpreter=known[0].interpreter, platforms=target.platforms)
    try:
        locked = pylock.Pylock.from_dict(tomllib.loads(lock.read_text(encoding="utf-8")))
        return list(locked.select(environment=environment, tags=known))
    except (ValueError, pylock.PylockValidationError, pylock.PylockSelectError) as error:
        raise PayloadError(f"{lock}: {error}") from None


def _version(filename: str) -> str:
    from pip._vendor.packaging import utils

    parse = utils.parse_wheel_filename if filename.endswith(".whl") else utils.parse_sdist_filename
    return str(parse(filename)[1])
