"""Programs that carry files: the payload's format (see runtime/musl/payload.h), and its place in an ELF file."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAGIC = b"PYLOAD\0\2"
VERSION = 2
NOTE_NAME = b"static-python"
HEAD = struct.Struct("<8s6Qq2I32s20s4x")
AT_DIGEST = struct.calcsize("<8s6Qq2I")
ENTRY = struct.Struct("<IHHIIQQ")
FOLDER, FILE, PROGRAM, LINK = range(4)

# 1980, as in zip files. The library's folder has another time, by which the interpreter recognises its files.
DEFAULT_TIME = 315532800

_PT_LOAD, _PT_NOTE = 1, 4
_PF_R = 4
_SHT_PROGBITS = 1


class PayloadError(Exception):
    """Something cannot be carried, or a program cannot carry it."""


def umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0o77)
    os.umask(mask)
    return mask


def matches(path: str, pattern: str) -> bool:
    """Whether a pattern matches this path or a folder above it."""
    pattern = pattern.removeprefix("./").rstrip("/")
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, f"{pattern}/*")


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


# ---- The program


class _Fields(NamedTuple):
    """A header in the program: its place in the file, its layout and its fields by name."""

    at: int
    layout: struct.Struct
    names: tuple[str, ...]
    values: dict[str, int]

    @classmethod
    def read(cls, data: bytes | bytearray, at: int, layout: str, names: str) -> _Fields:
        form = struct.Struct(layout)
        if at + form.size > len(data):
            raise PayloadError("the program is truncated: its headers are not all there")
        fields = tuple(names.split())
        return cls(at, form, fields, dict(zip(fields, form.unpack_from(data, at), strict=True)))

    def write(self, data: bytearray) -> None:
        self.layout.pack_into(data, self.at, *(self.values[n] for n in self.names))


# By ELF class: the file's header from e_entry on, a program header, a section header.
_LAYOUTS = {
    1: ("<IIIIHHHHHH", "<8I", "<10I"),
    2: ("<QQQIHHHHHH", "<IIQQQQQQ", "<IIQQQQIIQQ"),
}
_HEADER = "entry phoff shoff flags ehsize phentsize phnum shentsize shnum shstrndx"
_PROGRAM_HEADER = {
    1: "type offset vaddr paddr filesz memsz flags align",
    2: "type flags offset vaddr paddr filesz memsz align",
}
_SECTION_HEADER = "name type flags addr offset size link info addralign entsize"


class Program:
    """An ELF program with room for a payload."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = bytearray(path.read_bytes())
        if self.data[:4] != b"\x7fELF" or len(self.data) < 64 or self.data[4] not in _LAYOUTS or self.data[5] != 1:
            raise PayloadError(f"{path}: not a program for a little-endian CPU")
        try:
            self._read(self.data[4])
        except PayloadError as error:
            raise PayloadError(f"{path}: {error}") from None

    def _read(self, elf_class: int) -> None:
        header, program, section = _LAYOUTS[elf_class]
        h = _Fields.read(self.data, 24, header, _HEADER).values
        self.bits = 32 * elf_class
        self.machine = int.from_bytes(self.data[18:20], "little")
        segments = [
            _Fields.read(self.data, h["phoff"] + i * h["phentsize"], program, _PROGRAM_HEADER[elf_class])
            for i in range(h["phnum"])
        ]
        self.sections = [
            _Fields.read(self.data, h["shoff"] + i * h["shentsize"], section, _SECTION_HEADER)
            for i in range(h["shnum"])
        ]
        self.build_id = bytes(20)
        note = version = 0
        for name, kind, at, size in self._notes(segments):
            if name == b"GNU" and kind == 3:
                self.build_id = bytes(self.data[at : at + size])[:20].ljust(20, b"\0")
            elif name == NOTE_NAME and size >= 8:
                note, version = at, kind
        loads = [s for s in segments if s.values["type"] == _PT_LOAD]
        if not note or not loads:
            raise PayloadError(
                "it has no place for what it is to carry: take a python3 that was built by static-python"
            )
        if version != VERSION:
            raise PayloadError("it is of another release of static-python than this one: its files have another form")
        self.note = note
        self.segment = max(loads, key=lambda s: s.values["vaddr"])
        if self.segment.values["flags"] != _PF_R:
            raise PayloadError("its last segment is not the one that the link reserves for files (payload.ld)")

    def _notes(self, segments: list[_Fields]) -> Iterator[tuple[bytes, int, int, int]]:
        for s in (s.values for s in segments if s.values["type"] == _PT_NOTE):
            at, end = s["offset"], min(s["offset"] + s["filesz"], len(self.data))
            while at + 12 <= end:
                name_size, size, kind = struct.unpack_from("<3I", self.data, at)
                name = bytes(self.data[at + 12 : at + 12 + name_size]).rstrip(b"\0")
                start = at + 12 + _up(name_size, 4)
                if start + size > end:
                    break
                yield name, kind, start, size
                at = start + _up(size, 4)

    @property
    def page(self) -> int:
        """The largest page size that the kernel may have: mapped data begins at a multiple of it."""
        return max(self.segment.values["align"], 4096)

    @property
    def payload_size(self) -> int:
        return int(struct.unpack_from("<Q", self.data, self.note)[0])

    @property
    def payload(self) -> bytes:
        """The program's payload."""
        at = self.segment.values["offset"]
        return bytes(self.data[at : at + self.payload_size])

    def reserve(self, size: int) -> int:
        """Make room for so many bytes after the program; return where they begin."""
        if self.payload_size:
            raise PayloadError(f"{self.path}: it carries something already: take the python3 that it was made of")
        at = _up(len(self.data), self.page)
        if self.bits == 32 and self.segment.values["vaddr"] + size >= 1 << 31:
            raise PayloadError(f"{self.path}: {size >> 20} MiB are too much for a program of 32 bits")
        address = self.segment.values["vaddr"]
        self.segment.values.update(offset=at, filesz=size, memsz=size)
        self.segment.write(self.data)
        for section in self.sections:
            if section.values["type"] == _SHT_PROGBITS and section.values["addr"] == address:
                section.values.update(offset=at, size=size)
                section.write(self.data)
        struct.pack_into("<Q", self.data, self.note, size)
        return at


# ---- The payload


# Opening a file unpacks all of it, so larger files than this are not compressed.
_PACKED_AT_MOST = 64 << 20


def deflated(content: bytes, level: int) -> bytes:
    """Return a file's content as DEFLATE (RFC 1951), or nothing if that is not smaller by an eighth."""
    if len(content) > _PACKED_AT_MOST:
        return b""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    packed = packer.compress(content) + packer.flush()
    return packed if len(packed) + 16 <= len(content) * 7 // 8 else b""


@dataclass
class _Entry:
    kind: int
    content: bytes | Path = b""
    # The content as DEFLATE; empty if it is stored as it is.
    packed: bytes = b""
    children: dict[bytes, _Entry] = field(default_factory=dict)
    number: int = 0
    size: int = 0
    at: int = 0


class Payload:
    """Files, and what the program has to do with them."""

    def __init__(self, config: bytes = b"", time: int = DEFAULT_TIME) -> None:
        self.root = _Entry(FOLDER)
        self.config = config
        self.time = time

    def _place(self, path: str | bytes) -> tuple[_Entry, bytes]:
        """The folder of a path, made if it is missing, and the path's last part."""
        *folders, name = os.fsencode(path).strip(b"/").split(b"/")
        at = self.root
        for part in folders:
            at = at.children.setdefault(self._checked(part, path), _Entry(FOLDER))
            if at.kind != FOLDER:
                raise PayloadError(f"{os.fsdecode(path)}: {os.fsdecode(part)} is a file, too")
        return at, self._checked(name, path)

    @staticmethod
    def _checked(name: bytes, path: str | bytes) -> bytes:
        if not name or name in {b".", b".."} or b"\0" in name or len(name) > 255:
            raise PayloadError(f"{os.fsdecode(path)}: no name for a file")
        return name

    def _add(self, path: str | bytes, entry: _Entry) -> None:
        folder, name = self._place(path)
        if name in folder.children:
            raise PayloadError(f"{os.fsdecode(path)}: there are two of it")
        folder.children[name] = entry

    def add_folder(self, path: str | bytes) -> None:
        folder, name = self._place(path)
        if folder.children.setdefault(name, _Entry(FOLDER)).kind != FOLDER:
            raise PayloadError(f"{os.fsdecode(path)}: it is a file, too")

    def add_file(self, path: str | bytes, content: bytes | Path, *, program: bool = False, packed: bytes = b"") -> None:
        """Add a file; `packed` is deflated() of its content, but not for programs and mapped files."""
        self._add(path, _Entry(PROGRAM if program else FILE, content, packed))

    def replace_file(self, path: str, content: bytes) -> int:
        """Replace the content of an added file; return the size of the old content."""
        folder, name = self._place(path)
        entry = folder.children[name]
        before = len(entry.packed) or len(entry.content)  # type: ignore[arg-type]
        entry.content, entry.packed = content, b""
        return before

    def files(self) -> Iterator[tuple[str, int, bytes | Path]]:
        """All files, sorted, with their kinds and contents; a link to a file counts as the file."""
        yield from self._files_in(self.root, b"")

    def _files_in(self, folder: _Entry, at: bytes) -> Iterator[tuple[str, int, bytes | Path]]:
        for name, child in sorted(folder.children.items()):
            path = at + name
            if child.kind == FOLDER:
                yield from self._files_in(child, path + b"/")
                continue
            entry: _Entry | None = child
            target = path
            for _ in range(40):
                if entry is None or entry.kind != LINK:
                    break
                target = os.path.normpath(os.path.dirname(target) + b"/" + bytes(entry.content))
                entry = self._find(target)
            if entry and entry.kind in {FILE, PROGRAM}:
                yield os.fsdecode(path), entry.kind, entry.content

    def add_link(self, path: str | bytes, target: str | bytes) -> None:
        target = os.fsencode(target)
        if not target or target.startswith(b"/") or b"\0" in target or len(target) > 4095:
            raise PayloadError(f"{os.fsdecode(path)}: a link out of the program: {os.fsdecode(target)}")
        self._add(path, _Entry(LINK, target))

    def _find(self, path: bytes) -> _Entry | None:
        at: _Entry | None = self.root
        for part in path.strip(b"/").split(b"/"):
            at = at.children.get(part) if at else None
        return at

    def __contains__(self, path: str) -> bool:
        return self._find(os.fsencode(path)) is not None

    def _number(self) -> tuple[list[_Entry], list[tuple[int, bytes]]]:
        """All entries, a folder's children together and after it; and the parent and name of each."""
        entries, names = [self.root], [(0, b"")]
        for entry in entries:  # it grows meanwhile
            if entry.kind == FOLDER:
                entry.at, entry.size = len(entries), len(entry.children)
                for name, child in sorted(entry.children.items()):
                    child.number = len(entries)
                    entries.append(child)
                    names.append((entry.number, name))
        return entries, names

    def _lay_out(self, page: int, build_id: bytes) -> tuple[bytes, list[_Entry], int]:
        """Everything before the data, the entries in the data's order, and the payload's size."""
        entries, names = self._number()
        text = b"".join(n for _, n in names)
        at_names = HEAD.size + ENTRY.size * len(entries)
        at_config = _up(at_names + len(text), 8)
        at = at_config + len(self.config)
        # Mapped files are placed together, so that little space is lost.
        ordered = [e for e in entries if e.kind != FOLDER]
        mapped = {
            e.number
            for e in ordered
            if e.kind in {FILE, PROGRAM} and not e.packed and is_mapped(names[e.number][1], e.content)
        }
        ordered.sort(key=lambda e: e.number not in mapped)
        for e in ordered:
            e.size = len(e.content) if isinstance(e.content, bytes) else e.content.stat().st_size
            e.at = _up(at, page if e.number in mapped else 16)
            at = e.at + (len(e.packed) or e.size)
        # No other data may follow a library in its last page.
        size = _up(at, page)
        table = bytearray()
        name_at = 0
        for entry, (parent, name) in zip(entries, names, strict=True):
            table += ENTRY.pack(name_at, len(name), entry.kind, parent, len(entry.packed), entry.at, entry.size)
            name_at += len(name)
        head = HEAD.pack(
            MAGIC, size, HEAD.size, at_names, len(text), at_config, len(self.config), self.time,
            len(entries), page, bytes(32), build_id,
        )  # fmt: skip
        start = (head + bytes(table) + text).ljust(at_config, b"\0") + self.config
        return start, ordered, size

    def measure(self, program: Path) -> int:
        """Return how many bytes write() will write."""
        elf = Program(program)
        return elf.reserve(0) + self._lay_out(elf.page, elf.build_id)[2]

    def write(self, program: Path, output: Path) -> int:
        """Write a copy of a program that carries this payload; return the payload's size.

        Raises PayloadError if that file cannot be written, and OSError if a file cannot be read.
        """
        elf = Program(program)
        start, entries, size = self._lay_out(elf.page, elf.build_id)
        at = elf.reserve(size)
        temporary = output.with_name(f".{output.name}.{os.getpid()}")
        try:
            with temporary.open("w+b") as file:
                file.write(elf.data.ljust(at, b"\0"))
                digest = _write_payload(file, start, entries, size)
                file.seek(at + AT_DIGEST)
                file.write(digest)
            temporary.chmod(0o777 & ~umask())
            temporary.replace(output)
        except OSError as error:
            if error.filename not in {None, str(temporary)}:
                raise
            raise PayloadError(f"{output}: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)
        return size


def is_mapped(name: bytes, content: bytes | Path) -> bool:
    """Whether the loader may open a file: it maps the file from where it is stored."""
    return b".so" in name or _is_elf(content)


def _is_elf(content: bytes | Path) -> bool:
    if isinstance(content, bytes):
        return content[:4] == b"\x7fELF"
    with content.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _write_payload(file: BinaryIO, start: bytes, entries: list[_Entry], size: int) -> bytes:
    digest = hashlib.sha256()
    written = 0

    def put(data: bytes) -> None:
        nonlocal written
        file.write(data)
        digest.update(data)
        written += len(data)

    put(start)
    for e in entries:
        put(bytes(e.at - written))
        data = e.packed or (e.content if isinstance(e.content, bytes) else e.content.read_bytes())
        if len(data) != (len(e.packed) or e.size):
            raise PayloadError(f"{e.content!r}: it changed while it was read")
        put(data)
    put(bytes(size - written))
    return digest.digest()
