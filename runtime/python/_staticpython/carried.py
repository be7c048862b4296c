"""What an application in one file tells about itself: `STATICPYTHON=info APPLICATION`."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from _staticpython.payload import AT_DIGEST, HEAD, PayloadError, Program, matches, umask

USAGE = """\
usage: STATICPYTHON=info APPLICATION              what it is
       STATICPYTHON=list APPLICATION [GLOB]...    its files, with their sizes
       STATICPYTHON=extract APPLICATION FOLDER [GLOB]...
                                                  write its files into a folder
       STATICPYTHON=verify APPLICATION            whether all of it is as it was made
       STATICPYTHON=licences APPLICATION          the licences of all that it is made of
       STATICPYTHON=sbom APPLICATION              what it is made of, as CycloneDX's JSON
       STATICPYTHON=python APPLICATION ...        a Python with all that it carries
       STATICPYTHON=run:NAME APPLICATION ...      one of its commands
"""


def _program() -> str:
    return sys.executable[1:] if sys.executable.startswith("//") else sys.executable


def _payload(program: Program) -> memoryview:
    return memoryview(program.data)[program.segment.values["offset"] :][: program.payload_size]


def _head(program: Program) -> dict[str, object]:
    payload = _payload(program)
    names = "magic size at_entries at_names names_size at_config config_size time entries page sha256 build_id"
    head = dict(zip(names.split(), HEAD.unpack_from(payload), strict=True))
    at, size = int(head["at_config"]), int(head["config_size"])
    head["config"] = bytes(payload[at : at + size]).decode("utf-8", "replace").rstrip("\0").split("\0")
    return head


def _files(patterns: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    """The paths of files and links below the program, sorted; raises PayloadError if there are none."""
    root, found = _program(), False
    for folder, folders, names in os.walk(root):
        folders.sort()
        links = [f for f in folders if os.path.islink(os.path.join(folder, f))]
        for name in sorted([*names, *links]):
            path = os.path.join(folder, name)
            below = path[len(root) + 1 :]
            if not patterns or any(matches(below, p) for p in patterns):
                found = True
                yield below, os.lstat(path)
    if not found:
        raise PayloadError("it carries no such file; STATICPYTHON=list shows all")


def info() -> int:
    """Print what the application is."""
    program = Program(Path(_program()))
    head = _head(program)
    print(f"{_program()}: {len(program.data) / 1e6:.1f} MB, {head['entries']} files and folders")
    print(f"CPython {sys.version.split()[0]} for {sys.implementation._multiarch}")
    for line in head["config"]:  # type: ignore[attr-defined]
        key, _, value = line.partition("=")
        if key in {"entry", "module", "script", "argument", "variable"} or key.startswith("command "):
            print(f"{key}: {value!r}" if not value.isprintable() else f"{key}: {value}")
    tell_of_extracted()
    import importlib.metadata

    found = {(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()}
    print("packages: " + (", ".join(f"{name} {version}" for name, version in sorted(found)) or "none"))
    print(f"sha256 of what it carries: {head['sha256'].hex()}")  # type: ignore[attr-defined]
    return 0


def tell_of_extracted() -> None:
    """Print what it writes to the user's cache folder."""
    from _staticpython.extracted import LIST

    with suppress(FileNotFoundError), open(f"{_program()}/{LIST}", encoding="utf-8") as file:
        digest, *lines = file.read().splitlines()
        size = sum(int(line.partition(" ")[0]) for line in lines)
        print(f"extracts: {len(lines)} files, {size / 1e6:.1f} MB, to static-python/files/{digest} in ~/.cache")


def show(patterns: list[str]) -> int:
    """List files."""
    for path, status in _files(patterns):
        target = f" -> {os.readlink(f'{_program()}/{path}')}" if stat.S_ISLNK(status.st_mode) else ""
        print(f"{stat.filemode(status.st_mode)} {status.st_size:>9} {path}{target}")
    return 0


def extract(folder: str, patterns: list[str]) -> int:
    """Write files, if they are unchanged since the bundle was made; existing files are not overwritten."""
    if not folder:
        raise PayloadError("say which folder to write to")
    _checked()
    count = 0
    for path, status in _files(patterns):
        source, target = f"{_program()}/{path}", os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            raise PayloadError(f"{target} already exists: name a new folder")
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source), target)
        else:
            with open(source, "rb") as file, open(target, "xb") as out:
                shutil.copyfileobj(file, out)
            if status.st_mode & 0o111:
                os.chmod(target, os.stat(target).st_mode | 0o111 & ~umask())
        count += 1
    print(f"{folder}: {count} files")
    return 0


def _checked() -> str:
    """Return the SHA-256 of the payload; raises PayloadError if it was made with another one."""
    program = Program(Path(_program()))
    payload, made_with = _payload(program), _head(program)["sha256"]
    digest = hashlib.sha256(payload[:AT_DIGEST])
    digest.update(bytes(32))
    digest.update(payload[AT_DIGEST + 32 :])
    if digest.digest() != made_with:
        raise PayloadError("it is damaged: what it carries has another SHA-256 than it was made with")
    return digest.hexdigest()


def verify() -> int:
    """Compare the payload with its checksum."""
    print(f"{_program()}: well, {_checked()}")
    return 0


def tell(place: str) -> int:
    """Print one of the bundler's files about the bundle."""
    with open(f"{_program()}/{place}", "rb") as file:
        sys.stdout.buffer.write(file.read())
    sys.stdout.buffer.flush()
    return 0


def main(arguments: list[str]) -> int:
    """Do what STATICPYTHON asks for; return the exit code."""
    command, *rest = arguments or [""]
    try:
        if command == "info" and not rest:
            return info()
        if command == "list":
            return show(rest)
        if command == "extract" and rest:
            return extract(rest[0], rest[1:])
        if command == "verify" and not rest:
            return verify()
        if command in {"licences", "sbom"} and not rest:
            from _staticpython.parts import LICENCES, SBOM

            return tell(SBOM if command == "sbom" else LICENCES)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except (PayloadError, OSError) as error:
        print(f"{_program()}: {error}", file=sys.stderr)
        return 1
    print(USAGE, end="", file=sys.stdout if command == "help" else sys.stderr)
    return 0 if command == "help" else 2
