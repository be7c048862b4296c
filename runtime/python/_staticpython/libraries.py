"""ctypes.util.find_library for an executable that is its own C library.

Upstream asks ldconfig, gcc or ld, which know about the machine's C library and not about ours.
"""

import os
import struct
import sys
from os import path

from _staticpython.facts import ELF_MACHINE, TRIPLE

# Our loader itself answers for these, whatever the file is called: musl's ldso/dynlink.c, load_library().
# The executable has everything that is in musl's libc.so (crypt, resolv) and in the interpreter (the
# Python C API).
_EXECUTABLE = "libc.so"
_PYTHON = "python{}.{}{}".format(*sys.version_info[:2], sys.abiflags)
_OWN = {
    **dict.fromkeys(("c", "crypt", "resolv", "python3", _PYTHON), _EXECUTABLE),
    **{name: f"lib{name}.so" for name in ("m", "pthread", "dl", "rt", "util", "xnet")},
    "z": "libz.so.1",
}

_DEFAULT_PATH = "/lib:/usr/local/lib:/usr/lib"


def _elf_ident() -> "tuple[int, int, int, int]":
    """The fields in the first 20 bytes of our own shared libraries: class, byte order, type, machine."""
    return 2 if sys.maxsize > 2**32 else 1, 1 if sys.byteorder == "little" else 2, 3, ELF_MACHINE


def _is_own_kind(name: str, allow_glibc: bool) -> bool:
    """Is `name` a shared library for this machine, and not built for glibc?"""
    try:
        with open(name, "rb") as file:
            header = file.read(20)
            if len(header) < 20 or header[:4] != b"\x7fELF":
                return False
            ident = (header[4], header[5], *struct.unpack("=HH", header[16:20]))
            return ident == _elf_ident() and (allow_glibc or b"\0libc.so.6\0" not in file.read())
    except OSError:
        return False


def _split(folders: str) -> "list[str]":
    return [folder for folder in folders.replace("\n", ":").split(":") if folder]


def _system_folders() -> "list[str]":
    """The folders the loader searches by default: musl's ldso/dynlink.c, load_library()."""
    arch = TRIPLE.partition("-")[0]
    try:
        with open(f"/etc/ld-musl-{arch}.path", encoding="utf-8") as file:
            return _split(file.read())
    except OSError:
        return _split(_DEFAULT_PATH)


def _by_version(name: str) -> "tuple[bool, list[int]]":
    """Sort key: libx.so first, then the highest version."""
    numbers = [int(part) for part in name.partition(".so")[2].split(".") if part.isdigit()]
    return name.endswith(".so"), numbers


def _find_in(folder: str, stem: str, allow_glibc: bool) -> "str | None":
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    found = [name for name in names if name == stem or name.startswith(f"{stem}.")]
    for name in sorted(found, key=_by_version, reverse=True):
        if _is_own_kind(path.join(folder, name), allow_glibc):
            return name
    return None


def find_library(name: str) -> "str | None":
    """Return what CDLL() needs to load the library `name`, or None.

    A library built for glibc counts only if it is in LD_LIBRARY_PATH. The loader accepts it if it does not
    need glibc's own symbols. In the system's folders, such libraries are for other programs.
    """
    if name in _OWN:
        return _OWN[name]
    stem = f"lib{name}.so"
    for folder in _split(os.environ.get("LD_LIBRARY_PATH", "")):
        if found := _find_in(folder, stem, allow_glibc=True):
            return found
    for folder in _system_folders():
        if found := _find_in(folder, stem, allow_glibc=False):
            return found
    return None
