"""runtime/python/_staticpython/payload.py: the payload's format and its place in an ELF file."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from pathlib import Path

import pytest
from _staticpython.payload import (
    AT_DIGEST,
    ENTRY,
    FILE,
    FOLDER,
    HEAD,
    LINK,
    MAGIC,
    PROGRAM,
    VERSION,
    Payload,
    PayloadError,
    Program,
    deflated,
)

BUILD_ID = bytes(range(20))


def note(name: bytes, kind: int, content: bytes) -> bytes:
    name += b"\0"
    return struct.pack("<3I", len(name), len(content), kind) + name.ljust(-(-len(name) // 4) * 4, b"\0") + content


NOTES = note(b"GNU", 3, BUILD_ID) + note(b"static-python", VERSION, bytes(8))
# Others with the same names or kinds, which must stay as they are.
OTHERS = note(b"GNU", 1, bytes(16)) + note(b"other", 3, bytes(20)) + note(b"other", 1, bytes(8))
OTHERS += note(b"static-python", VERSION, bytes(4))


def make_elf(path: Path, bits: int = 64, flags: int = 4, notes: bytes = NOTES + OTHERS, load: int = 1) -> Path:
    """A program that is only headers: segments for code, for the payload and for TLS, a section, and notes."""
    at_notes, at_sections = 512, 1024
    code, place = (5, 0, 0x1000, 0x1000, 0x100, 0x100, 0x1000), (flags, 0x700, 0x9000, 0x9000, 128, 128, 0x10000)
    threads = (4, 0x700, 0xA000, 0xA000, 0, 64, 16)
    if bits == 64:
        ident, header, program, section = 2, "<HHIQQQIHHHHHH", "<IIQQQQQQ", "<IIQQQQIIQQ"
        phdrs = [
            (load, *code),
            (load, *place),
            (7, *threads),
            (4, 4, at_notes, at_notes, at_notes, len(notes), len(notes), 4),
        ]
    else:
        ident, header, program, section = 1, "<HHIIIIIHHHHHH", "<8I", "<10I"
        phdrs = [(kind, *s[1:6], s[0], s[6]) for kind, s in ((load, code), (load, place), (7, threads))]
        phdrs.append((4, at_notes, at_notes, at_notes, len(notes), len(notes), 4, 4))
    size = 64 if bits == 64 else 52
    data = bytearray(at_sections + struct.calcsize(section))  # linkers put their table last
    data[:7] = b"\x7fELF" + bytes([ident, 1, 1])
    struct.pack_into(
        header, data, 16, 3, 62, 1, 0, size, at_sections, 0, size, struct.calcsize(program), len(phdrs),
        struct.calcsize(section), 1, 0,
    )  # fmt: skip
    for i, phdr in enumerate(phdrs):
        struct.pack_into(program, data, size + i * struct.calcsize(program), *phdr)
    struct.pack_into(section, data, at_sections, 1, 1, 2, 0x9000, 0x700, 128, 0, 0, 16, 0)
    data[at_notes : at_notes + len(notes)] = notes
    path.write_bytes(data)
    return path


def tree_of(payload: bytes) -> dict[str, tuple[int, bytes]]:
    """The files as the C library finds them: paths, kinds and contents."""
    head = HEAD.unpack_from(payload)
    magic, size, at_entries, at_names, names_size, _, _, _, count, page, digest, build_id = head
    assert (magic, size, build_id) == (MAGIC, len(payload), BUILD_ID)
    blank = payload[:AT_DIGEST] + bytes(32) + payload[AT_DIGEST + 32 :]
    assert hashlib.sha256(blank).digest() == digest
    entries = [ENTRY.unpack_from(payload, at_entries + i * ENTRY.size) for i in range(count)]
    found: dict[str, tuple[int, bytes]] = {}

    def visit(number: int, path: str) -> None:
        _, _, _, _, _, first, children = entries[number]
        assert first > number
        names = []
        for child in range(first, first + children):
            name, name_size, kind, parent, packed, at, length = entries[child]
            assert parent == number and name + name_size <= names_size and (not packed or kind == FILE)
            names.append(payload[at_names + name : at_names + name + name_size])
            below = path + names[-1].decode()
            content = zlib.decompress(payload[at : at + packed], -15) if packed else payload[at : at + length]
            assert kind == FOLDER or len(content) == length
            found[below] = (kind, b"" if kind == FOLDER else content)
            if kind in {FILE, PROGRAM} and payload[at : at + 4] == b"\x7fELF":
                assert at % page == 0
            if kind == FOLDER:
                visit(child, below + "/")
        assert names == sorted(names)

    visit(0, "")
    return found


@pytest.mark.parametrize("bits", [32, 64])
def test_what_is_written_is_found(tmp_path: Path, bits: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"\x7fELF and more")
    payload = Payload(b"key=value\0", time=7)
    payload.add_file("b/two.so", source)
    payload.add_file("b/one", b"1")
    payload.add_file("a", b"", program=True)
    payload.add_file("b/three", b"\x7fELF", program=True)
    payload.add_file("b/long", b"long" * 9999, packed=deflated(b"long" * 9999, 6))
    payload.add_link("b/c/link.so", "../one")
    payload.add_folder("b/empty")
    payload.add_folder("b")
    program = make_elf(tmp_path / "program", bits)
    size = payload.write(program, tmp_path / "out")
    elf = Program(tmp_path / "out")
    assert tree_of(elf.payload) == {
        "a": (PROGRAM, b""),
        "b": (FOLDER, b""),
        "b/c": (FOLDER, b""),
        "b/c/link.so": (LINK, b"../one"),
        "b/empty": (FOLDER, b""),
        "b/long": (FILE, b"long" * 9999),
        "b/one": (FILE, b"1"),
        "b/three": (PROGRAM, b"\x7fELF"),
        "b/two.so": (FILE, b"\x7fELF and more"),
    }
    assert "b/one" in payload and "b/none" not in payload
    # Segment, section and note agree; everything else is unchanged.
    place = {"offset": 0x10000, "filesz": size, "memsz": size, "vaddr": 0x9000}
    assert {k: elf.segment.values[k] for k in place} == place
    assert (elf.sections[0].values["offset"], elf.sections[0].values["size"]) == (0x10000, size)
    # Mapped files have their own pages, here one each; all others share pages with each other and the tables.
    assert elf.payload_size == size == 3 * 0x10000
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert sum(a != b for a, b in zip(program.read_bytes(), elf.data, strict=False)) < 40
    # No other file is left, and no program can get a second payload.
    assert {p.name for p in tmp_path.iterdir()} == {"source", "program", "out"}
    with pytest.raises(PayloadError, match="carries something already"):
        payload.write(tmp_path / "out", tmp_path / "again")


def test_no_more_than_fits_into_32_bits(tmp_path: Path) -> None:
    assert Program(make_elf(tmp_path / "program")).reserve(1 << 31) == 0x10000
    assert Program(make_elf(tmp_path / "program", 32)).reserve((1 << 31) - 0x9001) == 0x10000
    with pytest.raises(PayloadError, match="too much for a program of 32 bits"):
        Program(make_elf(tmp_path / "program", 32)).reserve((1 << 31) - 0x9000)


@pytest.mark.parametrize(
    ("path", "message"),
    [("a/../b", "no name"), ("a/./b", "no name"), ("", "no name"), ("n" * 256, "no name"), ("a\0", "no name"),
     ("file/x", "file is a file, too"), ("file", "two of it")],
)  # fmt: skip
def test_names_that_cannot_be(path: str, message: str) -> None:
    payload = Payload()
    payload.add_file("file", b"")
    with pytest.raises(PayloadError, match=message):
        payload.add_file(path, b"")
    with pytest.raises(PayloadError, match="no name|is a file, too"):
        payload.add_folder(path)
    payload.add_file("n" * 255, b"")


@pytest.mark.parametrize("target", ["", "/etc/passwd", "a\0b", "n" * 4096])
def test_links_out_of_it_are_refused(target: str) -> None:
    with pytest.raises(PayloadError, match="a link out of the program"):
        Payload().add_link("link", target)
    Payload().add_link("link", "n" * 4095)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    payload = Payload()
    payload.add_file("file", tmp_path / "source")
    (tmp_path / "source").touch()
    program = make_elf(tmp_path / "program")
    (tmp_path / "out").mkdir()
    with pytest.raises(PayloadError, match="out: Is a directory"):
        payload.write(program, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"source", "program", "out"}


def test_programs_without_a_place(tmp_path: Path) -> None:
    for name, elf, message in (
        ("script", None, "not a program for a little-endian CPU"),
        ("notes", make_elf(tmp_path / "notes", notes=NOTES[:36] + OTHERS), "no place for what it is to carry"),
        ("older", make_elf(tmp_path / "older", notes=note(b"static-python", 1, bytes(8))), "another release"),
        ("newer", make_elf(tmp_path / "newer", notes=note(b"static-python", 3, bytes(8))), "another release"),
        ("writable", make_elf(tmp_path / "writable", flags=6), "not the one that the link reserves"),
        ("loads", make_elf(tmp_path / "loads", load=2), "no place for what it is to carry"),
    ):
        if elf is None:
            (tmp_path / name).write_text("#!/bin/sh\n")
        with pytest.raises(PayloadError, match=f"{name}: .*{message}"):
            Payload().write(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_programs_of_another_kind(tmp_path: Path) -> None:
    good = make_elf(tmp_path / "program").read_bytes()
    for data in (b"\x7fOLD" + good[4:], good[:63], good[:4] + b"\3" + good[5:], good[:5] + b"\2" + good[6:], b""):
        (tmp_path / "program").write_bytes(data)
        with pytest.raises(PayloadError, match="program: not a program for a little-endian CPU"):
            Program(tmp_path / "program")


def test_damaged_programs_are_refused(tmp_path: Path) -> None:
    random_ = random.Random(5)
    data = make_elf(tmp_path / "program").read_bytes()
    refused = 0
    for _ in range(300):
        damaged = bytearray(data[: random_.choice([len(data), random_.randrange(len(data))])])
        for _ in range(3):
            if damaged:
                damaged[random_.randrange(min(300, len(damaged)))] = random_.choice([0, 0x7F, 0xFF])
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            Program(tmp_path / "damaged")
        except PayloadError:
            refused += 1
    assert 50 < refused <= 300


def test_what_is_worth_compressing() -> None:
    random_ = random.Random(6)
    assert deflated(b"", 9) == deflated(b"short", 9) == deflated(random_.randbytes(100000), 9) == b""
    text = b"".join(b"%d" % random_.randrange(1000) for _ in range(5000))
    assert len(deflated(text, 9)) < len(text) * 7 // 8
    assert zlib.decompress(deflated(text, 9), -15) == text
