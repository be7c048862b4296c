"""Records what a bundle made with --record uses: see traces.py, which reads it. A .pth file starts this.

Each process adds a line for a module or a source at its first use. So nothing is lost if a process is killed, and
processes of multiprocessing count. The file is opened for each line, because some programs close all descriptors.
"""

from __future__ import annotations

import os
import sys

_said: set[str] = set()
_file: list[str] = []


def _write(line: str) -> None:
    if line in _said or "\n" in line:
        return
    _said.add(line)
    try:
        fd = os.open(_file[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, os.fsencode(f"{line}\n"))
        finally:
            os.close(fd)
    except OSError as error:
        if "" not in _said and sys.stderr:
            _said.add("")
            print(f"--record {_file[0]}: {error.strerror}: what is imported is not written down", file=sys.stderr)


class _Finder:
    """Sees each module that is looked for, and finds none itself."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        _write(name)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    """Sources that are read, or run, by their paths."""
    if event in {"open", "cpython.run_file"} and isinstance(arguments[0], str) and arguments[0].endswith(".py"):
        program = sys.base_prefix.removesuffix("python")
        if arguments[0].startswith(program):
            _write(arguments[0].removeprefix(program))


def start(file: str) -> None:
    """Record what was imported so far, and from now on what is looked for."""
    _file.append(file)
    for name in list(sys.modules):
        _write(name)
    sys.meta_path.insert(0, _Finder)
    sys.addaudithook(_heard)
