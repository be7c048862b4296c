"""What libraries built for glibc need, read from shared libraries that are made here byte by byte, and damaged."""

from __future__ import annotations

import json
import random
import re
import struct
import zipfile
from pathlib import Path

import pytest

from staticpython import inventory
from staticpython.config import ROOT
from staticpython.errors import run_main
from staticpython.inventory import (
    FormatError,
    Needs,
    Program,
    Undefined,
    aliases,
    describe,
    facts,
    is_of_glibc,
    own_libraries,
    read_needs,
    read_program,
    report_on,
)
from staticpython.schema import load

PLT, GOT, INITIAL_EXEC, IRELATIVE = 7, 6, 18, 37  # x86_64


class Library:
    """A shared library for x86_64, of one segment, in which addresses are offsets."""

    def __init__(self) -> None:
        self.strings = bytearray(b"\0")
        self.symbols: list[bytes] = [bytes(24)]
        self.versions: list[int] = [0]
        self.needed: list[str] = []
        self.of: dict[str, list[str]] = {}  # library -> its versions
        self.numbers: list[str] = []  # from 2 on
        self.relocations: list[tuple[int, int]] = []
        self.flags = self.tls = 0

    def text(self, text: str) -> int:
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text) - 1

    def symbol(self, name: str, version: str = "", *, kind: int = 0, bind: int = 1, defined: bool = False) -> int:
        """`version` is `GLIBC_2.5@libc.so.6`."""
        number = 1
        if version:
            if version not in self.numbers:
                self.numbers.append(version)
                self.of.setdefault(version.split("@")[1], []).append(version.split("@")[0])
            number = 2 + self.numbers.index(version)
        self.symbols.append(struct.pack("<IBBHQQ", self.text(name), bind << 4 | kind, 0, int(defined), 64, 0))
        self.versions.append(number)
        return len(self.symbols) - 1

    def relocate(self, kind: int, symbol: int = 0) -> None:
        self.relocations.append((symbol, kind))

    def made(self, *, gnu_hash: bool = False) -> bytes:
        dynamic = [(1, self.text(name)) for name in self.needed]
        verneed = bytearray()
        for i, (file, versions) in enumerate(self.of.items()):
            size = 16 + 16 * len(versions)
            last = i == len(self.of) - 1
            verneed += struct.pack("<HHIII", 1, len(versions), self.text(file), 16, 0 if last else size)
            for j, name in enumerate(versions):
                step = 16 if j < len(versions) - 1 else 0
                verneed += struct.pack("<IHHII", 0, 0, 2 + self.numbers.index(f"{name}@{file}"), self.text(name), step)
        count = len(self.symbols)
        hashes = struct.pack("<IIII", 1, 1, 1, 0) + bytes(8) + struct.pack("<I", 1)
        hashes += b"".join(struct.pack("<I", i == count - 1) for i in range(1, count))
        plt = [r for r in self.relocations if r[1] == PLT]
        others = [r for r in self.relocations if r[1] != PLT]
        tables = {
            5: bytes(self.strings),
            6: b"".join(self.symbols),
            0x6FFFFEF5 if gnu_hash else 4: hashes
            if gnu_hash
            else struct.pack("<IIII", 1, count, 1, 0) + bytes(4 * count),
            0x6FFFFFF0: b"".join(struct.pack("<H", n) for n in self.versions),
            0x6FFFFFFE: bytes(verneed),
            7: b"".join(struct.pack("<QQq", 64, s << 32 | k, 0) for s, k in others),
            23: b"".join(struct.pack("<QQq", 64, s << 32 | k, 0) for s, k in plt),
        }
        dynamic += [(10, len(self.strings)), (8, 24 * len(others)), (2, 24 * len(plt)), (30, self.flags)]
        dynamic += [(0x6FFFFFFF, len(self.of)), (14, self.text("libmade.so.1"))]
        tables[5], dynamic[-6] = bytes(self.strings), (10, len(self.strings))
        at = 64 + 3 * 56
        body = bytearray()
        for tag, table in tables.items():
            if table:
                dynamic.append((tag, at + len(body)))
                body += table + bytes(-len(table) % 8)
        start = at + len(body)
        body += b"".join(struct.pack("<QQ", *entry) for entry in [*dynamic, (0, 0)])
        size, dynamic_size = at + len(body), 16 * (len(dynamic) + 1)
        header = struct.pack(
            "<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1" + bytes(9), 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0
        )
        segments = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
        segments += struct.pack("<IIQQQQQQ", 2, 6, start, start, start, dynamic_size, dynamic_size, 8)
        segments += struct.pack("<IIQQQQQQ", 7, 4, 0, 0, 0, 0, self.tls, 8)
        return header + segments + bytes(body)


@pytest.fixture
def chance() -> random.Random:
    """Other damage each time; a test that fails shows the seed."""
    seed = random.randrange(1 << 31)
    print(f"random.Random({seed})")
    return random.Random(seed)


def example() -> Library:
    library = Library()
    library.needed = ["libc.so.6", "libz.so.1", "libmade-2.so", "libstdc++.so.6", "ld-linux-x86-64.so.2"]
    library.symbol("own", kind=2, defined=True)
    library.symbol("chosen", kind=10, defined=True)
    library.symbol("qsort", "GLIBC_2.2.5@libc.so.6", kind=2)
    library.symbol("fopen64", "GLIBC_2.14@libc.so.6", kind=2)
    library.symbol("__strdup", "GLIBC_2.3@libc.so.6", kind=2)
    library.symbol("argp_parse", "GLIBC_2.28@libm.so.6", kind=2)
    library.relocate(PLT, library.symbol("called", "GLIBC_PRIVATE@libc.so.6"))
    library.relocate(GOT, library.symbol("looked_at", "GLIBC_2.2.5@libc.so.6"))
    library.symbol("perhaps", "GLIBC_2.2.5@libc.so.6", kind=2, bind=2)
    library.symbol("_Znwm", "GLIBCXX_3.4@libstdc++.so.6", kind=2)
    library.relocate(INITIAL_EXEC)
    library.relocate(IRELATIVE)
    library.flags, library.tls = 0x10, 100
    return library


PROGRAM = Program(frozenset(["__glibc_qsort", "fopen", "strdup", "Py_None"]))


@pytest.mark.parametrize("gnu_hash", [False, True])
def test_needs_are_read(gnu_hash: bool) -> None:
    needs = read_needs("x/libmade.so", example().made(gnu_hash=gnu_hash))
    assert (needs.machine, needs.soname, needs.for_glibc) == ("x86_64", "libmade.so.1", True)
    assert needs.libraries == tuple(example().needed)
    assert needs.defined == {"own", "chosen"}
    assert (needs.ifuncs, needs.irelative, needs.initial_exec, needs.static_tls, needs.tls) == (1, 1, 1, True, 100)
    found = {u.name: u for u in needs.undefined}
    assert found["fopen64"] == Undefined("fopen64", "GLIBC_2.14", "libc.so.6", function=True, type=2)
    assert found["argp_parse"].version == "GLIBC_2.28" and found["argp_parse"].file == "libm.so.6"
    assert (found["called"].function, found["looked_at"].function, found["perhaps"].weak) == (True, False, True)
    assert (found["_Znwm"].file, found["_Znwm"].of_glibc) == ("libstdc++.so.6", False)


def test_report() -> None:
    report = report_on([read_needs("libmade.so", example().made())], PROGRAM)
    assert report.uncovered == {
        "argp_parse": "missing function: aborts when called",
        "called": "missing function: aborts when called",
        "looked_at": "missing data: refused",
    }
    assert (report.newest, report.names, report.tls) == ("2.28", 7, 100)
    assert (report.libraries_of_gcc, report.outside) == (["libstdc++.so.6"], ["libmade-2.so"])
    assert report.initial_exec == report.ifuncs == ["libmade.so"]
    text = describe("wheel", report)
    assert text.splitlines()[0] == "wheel: 1 objects, 1 for glibc; 7 names of it, up to 2.28"
    assert "  not covered: looked_at (missing data: refused)" in text.splitlines()


def test_names_without_version_are_found_in_any_library() -> None:
    library = Library()
    library.needed = ["libc.so.6"]
    library.symbol("Py_None", kind=1)
    library.symbol("of_the_other", kind=2)
    library.symbol("of_nobody", kind=2)
    other = Library()
    other.symbol("of_the_other", kind=2, defined=True)
    objects = [read_needs("a.so", library.made()), read_needs("b.so", other.made())]
    assert report_on(objects, PROGRAM).uncovered == {"of_nobody": "no library exports it: refused"}
    assert report_on(objects, PROGRAM).for_glibc == 1
    library.needed.append("libelsewhere.so")  # may define it
    assert report_on([read_needs("a.so", library.made())], PROGRAM).uncovered == {}


def test_initial_exec_that_is_refused() -> None:
    library = Library()
    library.needed = ["libc.so.6"]
    library.symbol("x", kind=6, defined=True)
    library.relocate(INITIAL_EXEC)
    library.tls = 8
    needs = read_needs("a.so", library.made())
    assert list(report_on([needs], PROGRAM).uncovered) == ["a.so"]
    library.flags, library.tls = 0x10, facts().tls_room + 1
    needs = read_needs("a.so", library.made())
    assert list(report_on([needs], PROGRAM).uncovered) == ["initial-exec TLS"]


def test_the_programs_names_are_asked_as_the_loader_asks() -> None:
    for name, found in {
        "qsort": True,
        "fopen": True,
        "fopen64": True,
        "strdup64": False,
        "__strdup": True,
        "__strndup": False,
        "readdir64_r": False,
    }.items():
        assert PROGRAM.has(name) is found, name
    assert Program(frozenset(["readdir_r"])).has("readdir64_r")


def test_facts_are_those_of_the_c_sources() -> None:
    assert {"libc.so.6", "libmvec.so.1", "libcrypt.so.1"} <= own_libraries()
    assert is_of_glibc("ld-linux-x86-64.so.2") and not is_of_glibc("libstdc++.so.6")
    patch = next((ROOT / "patches/musl").glob("0068-*")).read_text(encoding="utf-8")
    assert f"#define STATIC_TLS_SURPLUS {facts().tls_room}\n" in patch
    loader = (ROOT / "runtime/musl/loader.c").read_text(encoding="utf-8")
    assert tuple(re.findall(r'\{ "(libz\.|libpython3\.)"', loader)) == inventory.OF_PROGRAM
    pairs = aliases(inventory.ALIASES.read_text(encoding="utf-8"))
    assert ("__strdup", "strdup") in pairs and ("__powf_finite", "powf") in pairs


def test_damage_is_said_and_never_more(chance: random.Random) -> None:
    """With any damage, the result is an error that names the file, or a list of needs."""
    sound = [example().made(), example().made(gnu_hash=True)]
    refused = read = 0
    for n in range(3000):
        data = bytearray(sound[n % 2])
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(64 * (n % 3 > 0), len(data))
            size = chance.choice((1, 2, 4, 8))
            value = chance.choice((0, 1, 0xFF, 1 << 31, (1 << 64) - 1, chance.getrandbits(64), len(data)))
            data[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        if chance.random() < 0.1:
            del data[chance.randrange(len(data)) :]
        try:
            needs = read_needs("libdamaged.so", bytes(data))
        except FormatError as error:
            refused += str(error).startswith("libdamaged.so: ")
        else:
            assert isinstance(needs, Needs) and report_on([needs], PROGRAM).objects == 1
            read += 1
    assert refused + read == 3000 and min(refused, read) > 300, (refused, read)


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = Library()
    for name in ("__glibc_qsort", "fopen", "strdup"):
        names.symbol(name, kind=2, defined=True)
    program, sound = tmp_path / "python3", Library()
    program.write_bytes(names.made())
    sound.needed = ["libc.so.6"]
    sound.symbol("qsort", "GLIBC_2.2.5@libc.so.6", kind=2)
    members = {"a/libmade-1.so.1.1k": example().made(), "a/script.so": b"INPUT(libmade.so)", "a/x.py": b""}
    bad = wheel(tmp_path / "bad-1-py3-none-manylinux2014_x86_64.whl", members)
    (tmp_path / "folder/sub").mkdir(parents=True)
    (tmp_path / "folder/sub/libgood.so").write_bytes(sound.made())
    command = ["--program", str(program)]
    assert inventory.main([*command, str(tmp_path / "folder")]) == 0
    assert "1 objects, 1 for glibc; 1 names of it, up to 2.2\n" in capsys.readouterr().out
    assert inventory.main([*command, "--json", str(bad), str(tmp_path / "folder/sub/libgood.so")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [report["objects"] for report in told.values()] == [1, 1]
    assert list(told[str(bad)]["uncovered"]) == ["argp_parse", "called", "looked_at"]


def test_what_is_no_library_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], chance: random.Random) -> None:
    program = tmp_path / "python3"
    program.write_bytes(example().made())
    whole = wheel(tmp_path / "a.whl", {"a.so": example().made()}).read_bytes()

    def said(path: Path, program: Path = program) -> str:
        assert run_main(lambda: inventory.main(["--program", str(program), str(path)])) in (0, 1, 2, 9)
        return capsys.readouterr().err

    (tmp_path / "text.so").write_text("no library")
    assert "text.so: is no ELF file" in said(tmp_path / "text.so")
    assert "none.so: No such file" in said(tmp_path / "none.so")
    assert "--program is an interpreter" in said(tmp_path / "text.so", tmp_path / "nowhere")
    (tmp_path / "cut.whl").write_bytes(whole[:100])
    assert "cut.whl: is damaged" in said(tmp_path / "cut.whl")
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "damaged.whl").write_bytes(data)
        error = said(tmp_path / "damaged.whl")
        assert error == "" or error.startswith("error: "), error


def test_expected_inventories_are_read() -> None:
    expected = load(inventory.EXPECTED, inventory.Expected)
    assert expected.wheels
    assert all(reason for wheel in expected.wheels.values() for reason in wheel.uncovered.values())


def test_only_the_program_may_have_fixed_addresses(tmp_path: Path) -> None:
    data = bytearray(example().made())
    data[16] = 2  # ET_EXEC, as with --no-pie
    with pytest.raises(FormatError, match="is no shared library"):
        read_needs("made", bytes(data))
    (tmp_path / "python3").write_bytes(data)
    assert read_program(tmp_path / "python3").has("own")
