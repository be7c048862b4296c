"""The program as a folder (runtime/musl/vfs.c): a random tree in a program and one on disk must answer alike."""

from __future__ import annotations

import os
import random
import shutil
import stat
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from _staticpython.payload import DEFAULT_TIME, Payload, Program, deflated, is_mapped

from staticpython.config import ROOT
from tests.build.conftest import BuiltTarget, compile_program

SOURCES = Path(__file__).with_name("vfs")
RESERVE = f"-Wl,-T,{ROOT}/runtime/musl/payload.ld"

NAMES = ["a", "b.py", "c", "dir", "lib", "x.so", "ü", "with space", "z" * 255, "_", "a.b.c", "A"]
MISSING = ["none", "n" * 256, "aa", "lib2", "b.pyc", "-"]


@pytest.fixture(scope="session")
def driver(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that makes calls, with a place for a payload."""
    return compile_program(target, SOURCES / "driver.c", tmp_path_factory.mktemp("vfs") / "driver", RESERVE)


def make_tree(random_: random.Random, root: Path, driver: Path, folders: int = 12) -> None:
    """Files, folders and links on disk, with the modes and the time of those in a payload."""
    places = [root]
    root.mkdir()
    for _ in range(folders):
        place = random_.choice(places) / random_.choice(NAMES)
        if not place.exists():
            place.mkdir()
            places.append(place)
    for _ in range(folders * 4):
        path = random_.choice(places) / random_.choice(NAMES)
        if os.path.lexists(path):
            continue
        kind = random_.random()
        if kind < 0.6:
            size = random_.choice([0, 1, 4095, 4096, 4097, random_.randrange(300000)])
            path.write_bytes(random_.randbytes(size) if random_.random() < 0.5 else text_of(random_, size))
            path.chmod(random_.choice([0o444, 0o444, 0o555]))
        elif kind < 0.7:
            shutil.copy(driver, path)
            path.chmod(0o555)
        else:
            path.symlink_to(random_link(random_, path, root))
    # Files that the tests of exec rely on.
    shutil.copy(driver, root / "program")
    (root / "program").chmod(0o555)
    finish_tree(root)


def text_of(random_: random.Random, size: int) -> bytes:
    """Compressible text: words, few or many."""
    words = [random_.randbytes(random_.randrange(1, 9)) for _ in range(random_.choice([1, 30, 3000]))]
    text = b"".join(random_.choices(words, k=min(size, 50000) // 4 + 1))
    return (text * (size // len(text) + 1))[:size]


def random_link(random_: random.Random, path: Path, root: Path) -> str:
    inside = random_.choice([*root.rglob("*")])
    target = os.path.relpath(inside, path.parent)
    above = "none" if path.parent == root else "../none"  # not out of the root
    return random_.choice([target, target, target + "/", "./" + target, "none", path.name, above, "."])


def finish_tree(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            if path.is_dir():
                path.chmod(0o555)
            os.utime(path, (DEFAULT_TIME, DEFAULT_TIME))
        else:
            os.utime(path, (DEFAULT_TIME, DEFAULT_TIME), follow_symlinks=False)


def payload_of(root: Path) -> Payload:
    payload = Payload()
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            payload.add_link(name, os.readlink(path))  # noqa: PTH115 - "./x" is not "x" here
        elif stat.S_ISDIR(mode):
            payload.add_folder(name)
        else:
            content, program = path.read_bytes(), bool(mode & 0o111)
            packed = b"" if program or is_mapped(os.fsencode(path.name), path) else deflated(content, 6)
            payload.add_file(name, path, program=program, packed=packed)
    return payload


def make_surroundings(place: Path) -> None:
    """The same surroundings for the program and the folder: both are called "app"."""
    (place / "deep" / "er").mkdir(parents=True)
    (place / "file").write_bytes(b"outside")
    for name, target in {
        "link": "app",
        "slash": "app/",
        "deep/link": "../app/dir",
        "deep/er/link": "../link/a",
        "to_lib": "app/lib",
        "to_none": "app/none",
        "loop": "loop",
    }.items():
        (place / name).symlink_to(target)
    for path in place.rglob("*"):
        os.utime(path, (DEFAULT_TIME, DEFAULT_TIME), follow_symlinks=False)


class Calls:
    """Random calls with random paths; an emulator starts no programs."""

    def __init__(self, random_: random.Random, root: Path, starts_programs: bool) -> None:
        self.random = random_
        self.never = set() if starts_programs else {"exec", "spawn"}
        self.known = [str(p.relative_to(root)) for p in root.rglob("*")]

    def tail(self) -> str:
        """A path within the tree, or nearly so."""
        r = self.random
        if r.random() < 0.8:
            parts = r.choice(self.known).split("/")
        else:
            parts = [r.choice(NAMES) for _ in range(r.randrange(1, 5))]
        for _ in range(r.choice([0] * 6 + [1, 1, 2, 3])):
            parts.insert(r.randrange(len(parts) + 1), r.choice([".", "..", "", *MISSING, *NAMES]))
        if r.random() < 0.01:
            parts[-1:] = ["d"] * r.choice([2000, 2040, 2047, 2048])
        return "/".join(parts) + r.choice(["", "", "", "/", "//", "/."])

    def path(self) -> str:
        r = self.random
        start = r.choice(
            ["@/"] * 16
            + [
                "app/",
                "./app/",
                "link/",
                "slash/",
                "deep/../app/",
                "deep/er/../../link/",
                "deep/link/",
                "deep/er/link/",
            ]
            + ["to_lib/", "to_none/", "loop/", "file/", "@//", "@/./", "0:", "1:", "2:", "3:"]
        )
        if r.random() < 0.02:
            return r.choice(["to_lib", "deep/link", "deep/er/link", "to_none", "@/", "@/.", "slash", ""])
        tail = self.tail()
        # Absolute paths are not used with a kept descriptor.
        return start + (tail.lstrip("/") or ".")

    def outside(self) -> str:
        return self.random.choice(["new", "file", "deep", "deep/new", "file/x", "none/x", "to_none", "deep/link", "."])

    def flags(self) -> int:
        """Flags of open by the driver's numbers: the access mode, then one bit each."""
        r = self.random
        return r.choice([0] * 6 + [1, 2]) | sum(1 << bit for bit in range(2, 9) if r.random() < 0.15)

    def line(self) -> str:
        r = self.random
        nofollow, empty = 0x100, 0x1000
        call, number = r.choice(
            [("stat", 0)] * 4
            + [("lstat", 0)] * 4
            + [("open", 0)] * 2
            + [("open", self.flags())] * 6
            + [
                ("keep", r.randrange(4)),
                ("fstatat", r.choice([0, nofollow, empty, nofollow | empty])),
                ("statx", r.choice([0, nofollow, empty])),
                ("statvfs", 0),
                ("fopen", r.randrange(7)),
                ("freopen", 0),
                ("access", r.choice([0, 1, 2, 4, 5, 6, 7])),
                ("access", r.choice([0, 4, 5, 8])),
                ("faccessat", r.choice([0, 4, 5]) | r.choice([0, 0x200, nofollow])),
                ("readlink", r.choice([1, 3, 4000])),
                ("readlink", 4000),
                ("realpath", 0),
                ("realpath", 0),
                ("opendir", 0),
                ("opendir", 0),
                ("scandir", 0),
                ("getxattr", r.randrange(2)),
                ("listxattr", r.randrange(2)),
                ("setxattr", 0),
                ("removexattr", 0),
                ("mkdir", 0),
                ("mknod", 0),
                ("unlink", 0),
                ("rmdir", 0),
                ("remove", 0),
                ("rename", 0),
                ("link", r.choice([0, 0x400])),
                ("symlink", 0),
                ("chmod", 0),
                ("chown", r.choice([0, nofollow])),
                ("utimens", r.choice([0, nofollow])),
                ("truncate", 0),
                ("mkdtemp", 0),
                ("mkstemp", 0),
                ("exec", 0),
                ("spawn", 0),
            ]
        )
        if call in self.never:
            call = "stat"
        first, second = self.path(), ""
        if call in {"rename", "link"}:
            second = r.choice([self.path(), self.outside()])
            # A mount point cannot be moved.
            first, second = (
                f"{p}none" if p.endswith(("app/", "@/", "link/", "slash/")) else p for p in (first, second)
            )
            if r.random() < 0.3:
                first, second = second, first
        elif call == "spawn":
            first, second = "@/program", self.path()
        return f"{call}\t{number}\t{first}\t{second}"


def leaves(line: str, place: Path) -> bool:
    """Does a path leave the root by ".."? That fails, because the program's path is no folder to the kernel.

    It also fails if the path ends at the program, which is a file, or starts at a kept descriptor, which may be any
    file.
    """
    root = place / "app"
    for path in line.split("\t")[2:]:
        if path[:1] in {"0", "1", "2", "3"} and ".." in path:
            return True
        text = path.replace("@", str(root), 1)
        if _walks_out(text, place, root):
            return True
    return False


def _link_at(path: Path) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115
    except OSError:
        return None


def _walks_out(text: str, place: Path, root: Path) -> bool:
    rest = [*text.split("/")]
    at = Path("/") if text.startswith("/") else place
    links = 0
    within = False
    while rest:
        part = rest.pop(0)
        if part in {"", "."}:
            continue
        if part == "..":
            if within and at == root:
                return True
            at = at.parent
            continue
        following = at / part
        if not os.path.lexists(following):
            return False
        target = _link_at(following)
        if target is not None and links < 41:
            links += 1
            if target.startswith("/"):
                at = Path("/")
            rest = target.split("/") + rest
            continue
        at = following
        within = within or at == root
    # "app" itself, and not "app/".
    return at == root and not text.endswith(("/", "/."))


def enter_read_only(place: Path) -> list[str]:
    """Return the command that runs another one with place/app mounted read-only."""
    private = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    script = 'mount --bind "$0/app" "$0/app" && mount -o remount,bind,ro "$0/app" && cd "$0" && exec "$@"'
    command = [*private, "sh", "-c", script, str(place)]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("neither root nor unprivileged user namespaces: nothing can be mounted read-only here")
    return command


def answers(command: list[str], lines: list[str], cwd: Path) -> list[str]:
    run = subprocess.run(
        command,
        input="\n".join(lines) + "\n",
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",  # readlink may cut a character
        cwd=cwd,
        timeout=120,
        env={"PATH": "/bin"},
    )
    got = run.stdout.replace(str(cwd), "PLACE").splitlines()
    assert run.returncode == 0, f"{run.returncode} after {lines[len(got) : len(got) + 1]}\n{run.stderr}"
    return got


def make_pair(tmp_path: Path, driver: Path, random_: random.Random) -> tuple[Path, Path]:
    """The folder of a program that carries a tree, and that of the tree on disk."""
    carried, plain = tmp_path / "carry", tmp_path / "plain"  # of the same length
    for place in (carried, plain):
        place.mkdir()
        make_surroundings(place)
    make_tree(random_, plain / "app", driver)
    payload_of(plain / "app").write(driver, carried / "app")
    return carried, plain


def test_random_calls_answer_as_on_disk(target: BuiltTarget, tmp_path: Path, driver: Path, seed: int) -> None:
    random_ = random.Random(seed)
    trees = 2 if target.emulator else 6
    different: list[str] = []
    for tree in range(trees):
        here = tmp_path / str(tree)
        here.mkdir()
        carried, plain = make_pair(here, driver, random_)
        calls = Calls(random_, plain / "app", not target.emulator)
        lines = [line for line in (calls.line() for _ in range(3000)) if not leaves(line, plain)]
        expected = answers([*enter_read_only(plain), *target.emulator, str(driver), str(plain / "app")], lines, plain)
        got = answers([*target.emulator, str(carried / "app"), str(carried / "app")], lines, carried)
        different += [
            f"tree {tree}: {line}\n  on disk: {e[:300]}\n  carried: {g[:300]}"
            for line, e, g in zip(lines, expected, got, strict=True)
            # A link's target and the rest are one path here, but two for the kernel.
            if e != g and not (len(line) > 3500 and g == "File name too long")
        ]
        assert sum(e.startswith("ok") for e in expected) > len(expected) / 12
    assert not different, "\n".join([f"{len(different)} answers differ", *different[:40]])


def damage(random_: random.Random, data: bytearray, start: int, end: int) -> None:
    """Change a few bytes, or a number, between two places."""
    extreme = [0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1, end - start, end - start + 1]
    for _ in range(random_.choice([1, 1, 1, 2, 5])):
        size = random_.choice([1, 1, 2, 4, 8])
        at = random_.randrange(start, end - size + 1)
        if random_.random() < 0.5:
            at -= (at - start) % size
        if random_.random() < 0.5:
            old = int.from_bytes(data[at : at + size], "little")
            number = random_.choice([*extreme, old + 1, old - 1, old ^ 1 << random_.randrange(8 * size)])
            data[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, "little")
        else:
            data[at : at + size] = random_.randbytes(size)


def test_what_is_damaged_is_an_error(target: BuiltTarget, tmp_path: Path, driver: Path, seed: int) -> None:
    """Head, entries, names and links: with any damage, calls return, and none crashes the program."""
    random_ = random.Random(seed)
    carried, plain = make_pair(tmp_path, driver, random_)
    calls = Calls(random_, plain / "app", starts_programs=False)
    lines = "\n".join(
        [calls.line() for _ in range(300)] + [f"{c}\t0\t@/{p}\t" for p in calls.known for c in ("stat", "open")]
    )
    program = Program(carried / "app")
    whole = bytes(program.data)
    start = program.segment.values["offset"]
    at_names, names_size = struct.unpack_from("<2Q", whole, start + 24)
    ends = []
    for _ in range(8 if target.emulator else 150):
        data = bytearray(whole)
        damage(random_, data, start + 16, start + at_names + names_size)
        (carried / "app").write_bytes(data)
        run = subprocess.run(
            [*target.emulator, str(carried / "app"), str(carried / "app")],
            input=lines + "\n", capture_output=True, encoding="utf-8", errors="surrogateescape", cwd=carried,
            timeout=120, env={},
        )  # fmt: skip
        ends.append((run.returncode, run.stderr[-60:]))
    wrong = [e for e in ends if e[0] != 0 and not (e[0] == 127 and e[1].endswith("is damaged\n"))]
    assert not wrong, f"{len(wrong)} of {len(ends)}: {wrong[:3]}"
    assert any(code == 0 for code, _ in ends)


def packed_in_many_ways(random_: random.Random, content: bytes) -> bytes:
    """DEFLATE with blocks of each kind: stored, fixed codes, dynamic codes."""
    packer = zlib.compressobj(
        random_.randrange(10), zlib.DEFLATED, -15, random_.randrange(1, 10),
        random_.choice([zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED, zlib.Z_FILTERED]),
    )  # fmt: skip
    cut = random_.randrange(len(content) + 1)
    first = packer.compress(content[:cut])
    first += packer.flush(random_.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH]))
    return first + packer.compress(content[cut:]) + packer.flush()


def test_compressed_files(target: BuiltTarget, tmp_path: Path, driver: Path, seed: int) -> None:
    """They have their content. If one is damaged, opening it fails, or gives the original number of bytes."""
    random_ = random.Random(seed)
    payload, plain = Payload(), tmp_path / "plain"
    plain.mkdir()
    names = [f"{n:03}" for n in range(60 if target.emulator else 150)]
    for name in names:
        content = text_of(random_, random_.choice([1, 7, 300, random_.randrange(70000), random_.randrange(300000)]))
        (plain / name).write_bytes(content)
        (plain / name).chmod(0o444)
        payload.add_file(name, content, packed=packed_in_many_ways(random_, content))
    finish_tree(plain)
    program = tmp_path / "app"
    payload.write(driver, program)
    lines = [f"open\t0\t@/{name}\t" for name in names]
    expected = answers([*target.emulator, str(driver), str(plain)], lines, tmp_path)
    assert answers([*target.emulator, str(program), str(program)], lines, tmp_path) == expected
    whole = program.read_bytes()
    start = Program(program).segment.values["offset"]
    at_config = int.from_bytes(whole[start + 40 : start + 48], "little")
    failed = 0
    for _ in range(2 if target.emulator else 20):
        data = bytearray(whole)
        for _ in range(500):
            damage(random_, data, start + at_config, len(data))
        program.write_bytes(data)
        got = answers([*target.emulator, str(program), str(program)], lines, tmp_path)
        failed += got.count("Input/output error")
        for g, e in zip(got, expected, strict=True):
            assert g == "Input/output error" or g.partition(" read ")[0] == e.partition(" read ")[0]
    assert failed > len(names) / 4


CHECKS = {
    "threads", "signals", "forks", "identity", "positions", "many", "loads", "loads_copies", "no_memfd",
    "no_memfd_read_only",
}  # fmt: skip


@dataclass(frozen=True)
class Carrier:
    """A program of checks that carries the files for them."""

    target: BuiltTarget
    program: Path

    def run(
        self, check: str, *enter: str, program: Path | str = "", carried: Path | str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a check; `carried`: the path under which it looks for its files."""
        start = program or self.program
        command = [*enter, *self.target.emulator, str(start), check, str(carried or start)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env={})

    def check(self, check: str, *enter: str, program: Path | str = "", carried: Path | str = "") -> None:
        run = self.run(check, *enter, program=program, carried=carried)
        assert (run.returncode, run.stdout) == (0, "ok\n"), f"{run.returncode}: {run.stdout}{run.stderr}"


@pytest.fixture(scope="module")
def carrier(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Carrier:
    folder = tmp_path_factory.mktemp("carrier")
    program = compile_program(target, SOURCES / "checks.c", folder / "checks", RESERVE, "-rdynamic")
    second, first = folder / "libsecond.so", folder / "libfirst.so"
    (folder / "second.c").write_text("int second(void) { return 41; }\n")
    (folder / "first.c").write_text("int second(void); int first(void) { return second() + 1; }\n")
    compile_program(target, folder / "second.c", second, "-shared", "-fPIC", "-Wl,-soname,libsecond.so")
    compile_program(target, folder / "first.c", first, "-shared", "-fPIC", "-Wl,-rpath,$ORIGIN", str(second))
    payload = Payload(config=b"configuration")
    for n in range(40):
        payload.add_file(f"many/{n:02}", f"{n:02}\n".encode() * 1000)
    payload.add_file("lib/libfirst.so", first)
    payload.add_file("lib/libsecond.so", second)
    payload.add_file("lib/other.so", b"no library")
    carried = folder / "carried"
    payload.write(program, carried)
    return Carrier(target, carried)


def test_all_checks_are_run(carrier: Carrier) -> None:
    run = subprocess.run([*carrier.target.emulator, carrier.program], capture_output=True, text=True)
    assert set(run.stdout.split()) == CHECKS


@pytest.mark.parametrize("check", sorted(CHECKS - {"loads_copies", "no_memfd", "no_memfd_read_only"}))
def test_check(carrier: Carrier, check: str) -> None:
    carrier.check(check)


def test_without_memfd(carrier: Carrier) -> None:
    if carrier.target.emulator:
        pytest.skip("a filter of system calls would be one of the emulator's")
    carrier.check("no_memfd")


# ---- Places and names


def private_mounts(script: str, *arguments: Path | str) -> list[str]:
    """Return the command that runs another one in its own mount namespace, after a script."""
    private = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*private, "mount", "-t", "tmpfs", "none", "/proc"], capture_output=True).returncode:
        pytest.skip("neither root nor unprivileged user namespaces: nothing can be mounted here")
    return [*private, "sh", "-ec", script + '; exec "$@"', "sh", *map(str, arguments)]


NO_PROC = "mount -t tmpfs none /proc"


def empty_root(carrier: Carrier, tmp_path: Path) -> list[str]:
    """Return the command that enters a read-only root folder that contains only the program, as /app."""
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(carrier.program, root / "app")
    return private_mounts(
        'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; chroot=$1; shift; set -- chroot "$chroot" "$@"', root
    )


@pytest.fixture
def native(target: BuiltTarget) -> None:
    if target.emulator:
        pytest.skip("about the kernel, which is the same beneath an emulator")


def test_by_other_names(carrier: Carrier, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(carrier.program)
    (tmp_path / "many").symlink_to(f"{carrier.program}/many")
    carrier.check("threads", program=tmp_path / "link")
    carrier.check("loads", program=carrier.program, carried=tmp_path / "link")
    carrier.check("threads", program=carrier.program, carried=tmp_path)
    carrier.check("threads", program=os.path.relpath(carrier.program))


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("check", ["threads", "identity", "positions", "loads"])
def test_without_proc(carrier: Carrier, check: str) -> None:
    carrier.check(check, *private_mounts(NO_PROC))


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("check", ["threads", "forks", "identity", "loads", "no_memfd_read_only"])
def test_in_an_empty_read_only_root(carrier: Carrier, tmp_path: Path, check: str) -> None:
    carrier.check(check, *empty_root(carrier, tmp_path), program="/app")


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("hide", ["true", NO_PROC])
@pytest.mark.parametrize("after", ["rm", "cp --remove-destination /bin/true"])
def test_deleted_or_replaced_while_it_runs(carrier: Carrier, tmp_path: Path, hide: str, after: str) -> None:
    """The program first opens a fifo, and waits there."""
    program, gate = tmp_path / "program", tmp_path / "gate"
    shutil.copy(carrier.program, program)
    os.mkfifo(gate)
    with subprocess.Popen(
        [*private_mounts(hide), str(program), "threads", str(program), str(gate)], stdout=subprocess.PIPE, text=True
    ) as run:
        with gate.open("w"):
            subprocess.run([*after.split(), str(program)], check=True)
        out, _ = run.communicate(timeout=60)
    assert (run.returncode, out) == (0, "ok\n")


@pytest.mark.usefixtures("native")
def test_that_may_not_be_read(carrier: Carrier, tmp_path: Path) -> None:
    """With mode 0111, as a user who is not its owner: then libraries are copied to a memfd."""
    if os.geteuid():
        pytest.skip("needs root, who becomes nobody")
    program = tmp_path / "program"
    shutil.copy(carrier.program, program)
    program.chmod(0o111)
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_mode & 0o1 == 0:
            folder.chmod(folder.stat().st_mode | 0o11)
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    carrier.check("threads", *become, program=program)
    carrier.check("loads_copies", *become, program=program)


# ---- Damage


def test_strip_keeps_it(carrier: Carrier, tmp_path: Path) -> None:
    tools = [["strip"], ["strip", "--strip-unneeded"], ["objcopy"], ["llvm-strip"], ["llvm-objcopy", "--strip-all"]]
    tried = 0
    for number, tool in enumerate(tools):
        copy = tmp_path / str(number)
        shutil.copy(carrier.program, copy)
        if not shutil.which(tool[0]):
            continue
        done = subprocess.run([*tool, str(copy)], capture_output=True, text=True)
        if done.returncode:
            # The tool is for another machine, or cannot do it.
            assert copy.read_bytes() == carrier.program.read_bytes() or carrier.target.emulator
            continue
        tried += 1
        carrier.check("threads", program=copy)
        carrier.check("loads", program=copy)
    if not tried:
        pytest.skip("no strip and no objcopy that knows this machine's programs")


def test_removed_payload_is_an_error(carrier: Carrier, tmp_path: Path) -> None:
    program = Program(carrier.program)
    program.segment.values.update(filesz=128, memsz=128)
    program.segment.write(program.data)
    copy = tmp_path / "copy"
    copy.write_bytes(program.data)
    copy.chmod(0o755)
    run = carrier.run("threads", program=copy)
    assert run.returncode == 127
    assert "was removed" in run.stderr


def test_damaged_payloads_never_crash(target: BuiltTarget, tmp_path: Path, driver: Path, seed: int) -> None:
    """With its tables randomly damaged, calls fail or find something; no signal ends the program."""
    random_ = random.Random(seed)
    make_tree(random_, tmp_path / "tree", driver)
    carried, copy = tmp_path / "carried", tmp_path / "app"
    payload_of(tmp_path / "tree").write(driver, carried)
    data = carried.read_bytes()
    start = Program(carried).segment.values["offset"]
    entries = int.from_bytes(data[start + 64 : start + 68], "little")
    calls = Calls(random_, tmp_path / "tree", False)
    lines = [calls.line() for _ in range(900)]
    ends = {0: 0, 127: 0}
    for _ in range(15 if target.emulator else 200):
        damaged = bytearray(data)
        for _ in range(random_.choice([1, 2, 10, 50])):
            # The head without its magic, or the entries.
            at = start + random_.choice([random_.randrange(8, 128), random_.randrange(128, 128 + 32 * entries)])
            if random_.random() < 0.5:
                damaged[at] = random_.choice([0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256)])
            else:
                at -= at % 4
                value = random_.choice(
                    [0, 1, 2, 3, len(data), len(data) - start, 0xFFFFFFFF, 0x7FFFFFFF, entries, entries - 1]
                )
                damaged[at : at + 4] = value.to_bytes(4, "little")
        copy.write_bytes(damaged)
        copy.chmod(0o755)
        run = subprocess.run(
            [*target.emulator, str(copy), str(copy)], input="\n".join(lines) + "\n", capture_output=True, text=True,
            errors="replace", timeout=60, cwd=tmp_path, env={},
        )  # fmt: skip
        assert run.returncode in ends, f"{run.returncode} after {lines[len(run.stdout.splitlines())]}"
        ends[run.returncode] += 1
        if run.returncode == 127:
            assert "damaged" in run.stderr
    assert min(ends.values()) or target.emulator, ends


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("value", [0, 1, 2])
def test_memfd_noexec(carrier: Carrier, tmp_path: Path, driver: Path, value: int) -> None:
    """vm.memfd_noexec belongs to a PID namespace. With 2, no memfd can be executed; files and libraries still work."""
    private = ["unshare", "-pfm", "--mount-proc"] if os.geteuid() == 0 else ["unshare", "-rpfm", "--mount-proc"]
    enter = [*private, "sh", "-ec", f'echo {value} >/proc/sys/vm/memfd_noexec; exec "$@"', "sh"]
    if subprocess.run([*enter, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespace, or a kernel before 6.3")
    for check in ("threads", "identity", "loads"):
        carrier.check(check, *enter)
    payload = Payload()
    payload.add_file("program", driver, program=True)
    carried = tmp_path / "carried"
    payload.write(driver, carried)
    (answer,) = answers([*enter, str(carried), str(carried)], ["exec\t0\t@/program\t"], tmp_path)
    assert answer == ("Permission denied" if value == 2 else "ok 42")
