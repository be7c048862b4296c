"""Programs in wheels. The system starts them, so they must fit its C library, whatever this interpreter loads.

They are in wheels without an extension module, tagged `py3-none-<platform>`: ninja, cmake. Such a wheel may instead
hold a library for ctypes; its tags do not say which.
"""

import os
import re
import struct

from _staticpython.facts import GLIBC_LOADER, GLIBC_VERSION, WHEEL_ARCH
from _staticpython.musllinux import OLD_NAMES, loads_glibc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO, Any

# The program interpreters that the ABIs of musl and glibc name (glibc's: GLIBC_LOADER).
MUSL_LOADER = f"/lib/ld-musl-{WHEEL_ARCH}.so.1"

HAS_PROGRAMS = re.compile(r"-none-[^-]*linux[^-]*\.whl$")
PT_INTERP, LITTLE_ENDIAN = 3, 1  # man 5 elf


def glibc_of_system(loader: "str | None" = None) -> "tuple[int, int] | None":
    """The version of the system's glibc; None where there is none.

    Up to 2.33 it is in the loader's own name (ld-2.31.so), later in its text.
    """
    loader = loader or GLIBC_LOADER
    match: re.Match[str] | re.Match[bytes] | None
    match = re.search(r"ld-(\d+)\.(\d+)\.so$", os.path.realpath(loader))
    if not match:
        try:
            with open(loader, "rb") as file:
                match = re.search(rb" release version (\d+)\.(\d+)", file.read())
        except OSError:
            return None
    return (int(match[1]), int(match[2])) if match else None


def glibc_of_tag(platform: str) -> "tuple[int, int] | None":
    """The glibc that a platform tag is for; None if it is for another C library."""
    match = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    if match:
        return int(match[1]), int(match[2])
    return next(((2, minor) for minor, name in OLD_NAMES.items() if platform.startswith(f"{name}_")), None)


def for_glibc_only() -> "tuple[int, int] | None":
    """The version of the system's glibc, where programs for musl do not start."""
    return None if os.path.exists(MUSL_LOADER) else glibc_of_system()


def in_order_of_system(platforms: "Iterable[str]") -> "list[str]":
    """Put those platform tags first whose programs start here: glibc's where the system has it, and no musl."""
    platforms = list(platforms)
    glibc = for_glibc_only()
    if glibc is None:
        return platforms
    starts = [p for p in platforms if (glibc_of_tag(p) or (99, 0)) <= glibc]
    return starts + [p for p in platforms if p not in starts]


def patch_tags(module: "Any") -> None:
    """Have packaging.tags offer wheels in the best order, where both kinds load (STATICPYTHON_GLIBC=1).

    Extension modules for musl come first: packaging compares ABIs before platforms, and would take cp314 for glibc
    before abi3 for musl. Wheels without an extension module come in the order of the system. Elsewhere a library for
    ctypes must be built for musl, and pip looks into the wheel (wheels_of_programs.py).
    """
    compatible, extensions = getattr(module, "compatible_tags", None), getattr(module, "cpython_tags", None)
    if compatible is None or extensions is None or not hasattr(module, "platform_tags") or not loads_glibc():
        return

    def compatible_tags(
        python_version: "Any" = None, interpreter: "Any" = None, platforms: "Iterable[str] | None" = None
    ) -> "Iterator[Any]":
        """Yield the tags without an ABI, the best first."""
        platforms = list(platforms or ()) or in_order_of_system(module.platform_tags())
        return compatible(python_version, interpreter, platforms)  # type: ignore[no-any-return]

    def cpython_tags(
        python_version: "Any" = None, abis: "Any" = None, platforms: "Iterable[str] | None" = None, **named: "Any"
    ) -> "Iterator[Any]":
        """Yield the tags of extension modules, the best first; platforms that are named keep their order."""
        platforms = list(platforms or ())
        tags = extensions(python_version, abis, platforms or None, **named)
        return tags if platforms else iter(sorted(tags, key=lambda tag: not tag.platform.startswith("musllinux_")))

    module.compatible_tags, module.cpython_tags = compatible_tags, cpython_tags


def interpreter_of(file: "IO[bytes]") -> "str | None":
    """The program interpreter (PT_INTERP) of an ELF file; None for other files."""
    head = file.read(64)
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] != LITTLE_ENDIAN:
        return None
    bits64 = head[4] == 2
    (start,) = struct.unpack_from("<Q", head, 32) if bits64 else struct.unpack_from("<I", head, 28)
    size, count = struct.unpack_from("<HH", head, 54 if bits64 else 42)
    entry = struct.Struct("<II6Q" if bits64 else "<8I")
    if size != entry.size:
        return None
    file.seek(start)
    table = file.read(size * count)
    for at in range(0, len(table) - size + 1, size):
        fields = entry.unpack_from(table, at)
        offset, length = (fields[2], fields[5]) if bits64 else (fields[1], fields[4])
        if fields[0] == PT_INTERP and length <= 4096:
            file.seek(offset)
            return os.fsdecode(file.read(length).rstrip(b"\0"))
    return None


def cannot_start(wheel: str) -> "tuple[str, str] | None":
    """The first program of a wheel whose program interpreter this system does not have, and that interpreter."""
    import zipfile

    with zipfile.ZipFile(wheel) as files:
        for info in files.infolist():
            if not info.external_attr >> 16 & 0o111 and ".data/scripts/" not in info.filename:
                continue
            with files.open(info) as file:
                interpreter = interpreter_of(file)
            if interpreter and not os.path.exists(interpreter):
                return info.filename, interpreter
    return None


def explanation(name: str, program: str, interpreter: str) -> str:
    """What a user is told of a program that cannot start."""
    program = program.rpartition("/")[2]
    text = f"The program {program} of {name} cannot start on this system, which does not have its {interpreter}."
    if GLIBC_VERSION and "ld-musl" in interpreter and glibc_of_system() and not loads_glibc():
        text += (
            " With STATICPYTHON_GLIBC=1 in the environment pip takes the one for this system:"
            f" STATICPYTHON_GLIBC=1 pip install --force-reinstall --no-deps {name}"
        )
    return text


def patch_pip(module: "Any") -> None:
    """Have pip's install_wheel() warn of programs that cannot start."""
    original, logger = getattr(module, "install_wheel", None), getattr(module, "logger", None)
    if original is None or logger is None:
        return

    def install_wheel(name: str, wheel_path: str, *arguments: "Any", **named: "Any") -> "Any":
        """Install a wheel, and look at its programs."""
        result = original(name, wheel_path, *arguments, **named)
        if HAS_PROGRAMS.search(wheel_path):
            found = cannot_start(wheel_path)
            if found:
                logger.warning("%s", explanation(name, *found))
        return result

    module.install_wheel = install_wheel
