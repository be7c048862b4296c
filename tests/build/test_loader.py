"""The loader in libc.a: programs that load libraries, good, foreign and damaged ones.

Everything is compiled with the target's own wrappers and run natively or under the emulator.
The sources are in ``loader/``; each explains its purpose.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget

SOURCES = Path(__file__).with_name("loader")

# All checks of driver.c. The test fails if this list and the driver's differ.
CHECKS = (
    "exit_order",
    "tls",
    "scope",
    "next",
    "phdr",
    "addr",
    "self",
    "first_use_in_threads",
    "fork_while_loading",
    "lazy",
    "tables",
    "relro",
    "program_relro",
    "failed_load_leaves_no_trace",
)

# The compiler's options for kinds of thread-local access, if there is more than one.
TLS_DIALECTS: dict[str, tuple[str, ...]] = {
    "x86_64": ("gnu", "gnu2"),
    "i386": ("gnu", "gnu2"),
    "aarch64": ("",),  # descriptors only
    "riscv64": ("trad", "desc"),
}

# Another machine than the target's: class, data, e_machine.
FOREIGN = {"x86_64": ("aarch64", 2, 183), "aarch64": ("x86_64", 2, 62)}


@dataclass(frozen=True)
class Built:
    """The libraries and programs, compiled into ``folder``."""

    target: BuiltTarget
    folder: Path

    def compile(self, source: str, output: str, *flags: str) -> Path:
        path = self.folder / output
        # This links the whole C library and exports it to loaded libraries.
        kind = ["-shared", "-fPIC"] if ".so" in output else ["-Wl,--export-dynamic"]
        command = [str(self.target.cc), "-O1", *kind, str(SOURCES / source), "-o", str(path), *flags]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
        return path

    def run(
        self, program: str, *args: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [*self.target.emulator, str(self.folder / program), *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, env=env)

    def refusal(self, library: Path | str, env: Mapping[str, str] | None = None) -> str:
        """The message with which loading it fails."""
        done = self.run("driver", "load", library, env=env)
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        return next(line for line in done.stdout.splitlines() if line.startswith("Error"))


def compile_all(built: Built) -> None:
    dep = built.compile("libdep.c", "libdep.so")
    built.compile("libmain.c", "libmain.so", str(dep), "-Wl,-rpath,$ORIGIN")
    for name in ("later", "weaktls", "plain", "hidden"):
        built.compile(f"lib{name}.c", f"lib{name}.so")
    for name in ("lazy", "lazydata"):
        built.compile(f"lib{name}.c", f"lib{name}.so", "-Wl,-z,lazy")
    built.compile("libplain.c", "libsysv.so", "-Wl,--hash-style=sysv")
    built.compile("libplain.c", "libgnu.so", "-Wl,--hash-style=gnu")
    built.compile("libplain.c", "librelr.so", "-Wl,-z,pack-relative-relocs")
    built.compile("libplain.c", "libnow.so", "-Wl,-z,now")
    built.compile("libmissing.c", "libmissing.so", "-DMISSING=nowhere_at_all")
    built.compile("driver.c", "driver")
    script = built.folder / "versions"
    script.write_text("NODE_1 { global: later; };\n", encoding="utf-8")
    versions = built.compile(
        "liblater.c", "libversions.so", "-Wl,-soname,libversions.so", f"-Wl,--version-script={script}"
    )
    built.compile("libmissing.c", "libversioned.so", "-DMISSING=later", str(versions), "-Wl,-rpath,$ORIGIN")


@pytest.fixture(scope="module")
def built(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Built:
    built = Built(target, tmp_path_factory.mktemp("loader"))
    compile_all(built)
    return built


def test_all_checks_are_run(built: Built) -> None:
    listed = [line for line in built.run("driver").stdout.splitlines() if " " not in line]
    assert listed == list(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_check(built: Built, check: str) -> None:
    done = built.run("driver", check, built.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok" in done.stdout.splitlines()


def test_constructors_and_destructors_run_in_order(built: Built) -> None:
    assert built.run("driver", "exit_order", built.folder).stdout.split("\n") == [
        "program ctor",
        "dep ctor",
        "main ctor",
        "loaded",
        "ok",
        "main dtor",
        "dep dtor",
        "program dtor",
        "",
    ]


def test_libraries_between_the_segments_of_the_program(built: Built) -> None:
    built.target.needs_pie()
    built.compile("between.c", "between", "-Wl,-z,max-page-size=2097152")
    copies = [shutil.copy(built.folder / "libplain.so", built.folder / f"libplain{n}.so") for n in range(50)]
    # Addresses are random: in a quarter of the runs all have room above the program. An emulator chooses its own.
    for _ in range(1 if built.target.emulator else 30):
        done = built.run("between", "plain", *copies)
        assert done.returncode == 0, done.stdout + done.stderr
        if int(done.stdout) > 0:
            return
    assert built.target.emulator


def test_thread_local_storage_of_each_dialect(built: Built, tmp_path: Path) -> None:
    for dialect in TLS_DIALECTS[built.target.arch]:
        other = Built(built.target, tmp_path / f"tls-{dialect}")
        other.folder.mkdir()
        flag = f"-mtls-dialect={dialect}" if dialect else "-O2"
        dep = other.compile("libdep.c", "libdep.so", flag)
        other.compile("libmain.c", "libmain.so", str(dep), "-Wl,-rpath,$ORIGIN", flag)
        done = built.run("driver", "tls", other.folder)
        assert done.returncode == 0, f"{dialect}: {done.stdout}"


def test_program_stands_for_libraries_it_contains(built: Built) -> None:
    built.compile("driver.c", "driver-with-zlib", "-DWITH_ZLIB")
    done = built.run("driver-with-zlib", "self", built.folder)
    assert done.returncode == 0, done.stdout


def test_library_path(built: Built, tmp_path: Path) -> None:
    built.compile("libplain.c", "libsearched.so")
    shutil.move(built.folder / "libsearched.so", tmp_path)
    message = built.refusal("libsearched.so")
    assert "No such file" in message
    assert "LD_LIBRARY_PATH" in message
    found = {**os.environ, "LD_LIBRARY_PATH": f"/nonexistent:{tmp_path}"}
    assert built.run("driver", "load", "libsearched.so", env=found).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program set-user-ID for another")
@pytest.mark.native_only("an emulated program does not get the kernel's AT_SECURE")
def test_library_path_is_ignored_when_set_user_id(built: Built) -> None:
    folder = Path("/var/tmp") / f"loader-test-{os.getpid()}"  # another user must reach it
    folder.mkdir(mode=0o755)
    try:
        shutil.copy(built.folder / "driver", folder)
        shutil.copy(built.folder / "libplain.so", folder / "libsearched.so")
        (folder / "driver").chmod(0o755)
        (folder / "libsearched.so").chmod(0o755)
        command = [str(folder / "driver"), "load", "libsearched.so"]
        env = {"LD_LIBRARY_PATH": str(folder)}

        def as_nobody() -> int:
            return subprocess.run(command, env=env, user=65534, capture_output=True, cwd="/").returncode

        assert as_nobody() == 0
        (folder / "driver").chmod(0o4755)
        assert as_nobody() == 1
    finally:
        shutil.rmtree(folder)


def test_missing_dependency_names_both(built: Built) -> None:
    lost = built.compile("liblater.c", "liblost.so")
    built.compile("libplain.c", "libneedy.so", "-Wl,--no-as-needed", str(lost))
    lost.unlink()
    message = built.refusal(built.folder / "libneedy.so")
    assert "liblost.so: No such file" in message
    assert "libneedy.so)" in message


@pytest.mark.parametrize(
    ("symbol", "of_glibc"), [("nowhere_at_all", False), ("__printf_chk", True), ("__isoc23_strtol", True)]
)
def test_missing_symbol_is_named(built: Built, symbol: str, of_glibc: bool) -> None:
    library = built.compile("libmissing.c", f"lib{symbol}.so", f"-DMISSING={symbol}")
    message = built.refusal(library)
    assert f"{symbol}: symbol not found" in message
    assert str(library) in message
    assert ("glibc" in message) == of_glibc


def test_library_for_glibc_is_refused(built: Built, tmp_path: Path) -> None:
    script = tmp_path / "versions"
    script.write_text("GLIBC_2.34 { global: nowhere_at_all; };\n", encoding="utf-8")
    source = tmp_path / "libc.c"
    source.write_text("int nowhere_at_all(void) { return 0; }\n", encoding="utf-8")
    glibc = built.compile(str(source), "stub.so", "-Wl,-soname,libc.so.6", f"-Wl,--version-script={script}")
    library = built.compile("libmissing.c", "libforeign.so", "-DMISSING=nowhere_at_all", str(glibc))
    message = built.refusal(library)
    assert "built for glibc" in message
    assert "GLIBC_2.34, for nowhere_at_all" in message
    assert "musllinux" in message


def test_library_for_libgcc_is_not_taken_for_glibc(built: Built, tmp_path: Path) -> None:
    """The libgcc_s.so.1 of every musllinux wheel has versions called GLIBC_2.0."""
    script = tmp_path / "versions"
    script.write_text("GLIBC_2.0 { global: nowhere_at_all; };\n", encoding="utf-8")
    source = tmp_path / "libgcc.c"
    source.write_text("int nowhere_at_all(void) { return 0; }\n", encoding="utf-8")
    name = "libgcc_s-2d945d6c.so.1"
    gcc = built.compile(str(source), name, f"-Wl,-soname,{name}", f"-Wl,--version-script={script}")
    library = built.compile("libmissing.c", "libwheel.so", "-DMISSING=nowhere_at_all", str(gcc), "-Wl,-rpath,$ORIGIN")
    done = built.run("driver", "load", library)
    assert done.returncode == 0, done.stdout


def test_other_files_are_refused(built: Built, tmp_path: Path) -> None:
    good = (built.folder / "libplain.so").read_bytes()

    def refusal(data: bytes) -> str:
        path = tmp_path / "file.so"
        path.write_bytes(data)
        message = built.refusal(path)
        assert str(path) in message
        return message

    assert "empty" in refusal(b"")
    assert "not an ELF" in refusal(b"/* GNU ld script */ INPUT(libfoo.a)")
    assert "truncated" in refusal(good[:40])
    assert "truncated" in refusal(good[: len(good) // 4])
    assert "not a shared library" in refusal(good[:16] + struct.pack("<H", 1) + good[18:])
    assert "a program, not a library" in refusal(good[:16] + struct.pack("<H", 2) + good[18:])
    name, elf_class, machine = FOREIGN.get(built.target.arch, ("x86_64", 2, 62))
    foreign = bytearray(good)
    foreign[4] = elf_class
    foreign[18:20] = struct.pack("<H", machine)
    assert f"built for {name} (64 bit)" in refusal(bytes(foreign))
    assert "directory" in built.refusal(tmp_path)
    assert "No such file" in built.refusal(tmp_path / "none.so")


def test_whole_program_is_refused(built: Built) -> None:
    program = built.compile("fuzz.c", "another-program")
    data = program.read_bytes()
    # Without its names, by which it would count as libc itself.
    program.write_bytes(data.replace(b"\0__libc_start_main\0", b"\0__libc_start_xxxx\0"))
    assert "a program, not a library" in built.refusal(program)


@pytest.mark.parametrize("library", ["libmain.so", "librelr.so", "libsysv.so", "libversioned.so"])
def test_damaged_libraries_never_crash_the_loader(built: Built, library: str) -> None:
    built.compile("fuzz.c", "fuzz")
    count = 300 if built.target.emulator else 1000
    copy = built.folder / f"damaged-{library}"
    done = built.run("fuzz", built.folder / library, copy, str(count), "1")
    assert done.returncode == 0, done.stdout[-2000:]
    words = done.stdout.splitlines()[-1].split()
    loaded, refused, bad = int(words[1]), int(words[3]), int(words[5])
    assert loaded + refused == count
    assert bad == 0
    # Neither is rare. If one became rare, the damage would no longer hit the intended places.
    assert min(loaded, refused) > count // 5


@pytest.mark.any_cpu("the unwinder is Zig's; what it asks here, dl_iterate_phdr, is C code, tested by itself")
@pytest.mark.long("Zig compiles its C++ library; test_wheels.py runs wheels in C++, test_glibc.py exceptions of GCC's")
def test_exceptions_within_and_across_libraries(built: Built) -> None:
    """Each library contains its own C++ runtime and unwinder, as Zig links them."""
    zig = built.target.build.parent / "sources/ziglang/ziglang/zig"
    if not zig.exists():
        pytest.skip("needs Zig, which has a C++ library: built with another toolchain")
    zig_target = built.target.plan.arch.zig_target

    def compile_cxx(source: str, output: str, *flags: str) -> Path:
        path = built.folder / output
        command = [str(zig), "c++", "-target", zig_target, "-O1", "-shared", "-fPIC"]
        command += [str(SOURCES / source), "-o", str(path), *flags]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return path

    throws = compile_cxx("libthrow.cc", "libthrow.so", "-Wl,-soname,libthrow.so")
    catches = compile_cxx("libcatch.cc", "libcatch.so", str(throws), "-Wl,-rpath,$ORIGIN")
    built.compile("exceptions.c", "exceptions")
    done = built.run("exceptions", catches)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["within", "across", "thread"]


@pytest.mark.parametrize(
    "fix", ["strptime_before_tzset", "fma_of_zero", "exp2_of_fractions", "iconv_of_gb18030", "qsort_of_many"]
)
def test_fixes_of_libc(built: Built, fix: str) -> None:
    if fix == "qsort_of_many" and built.target.emulator:
        pytest.skip("too slow under an emulator, and no fault on a 64-bit target")
    built.compile("libc_fixes.c", "libc-fixes")
    done = built.run("libc-fixes", fix)
    assert done.returncode == 0, done.stdout
    assert done.stdout == "ok\n"


def test_debugger_sees_libraries(built: Built) -> None:
    gdb = shutil.which("gdb")
    if gdb is None or built.target.emulator or sys.platform != "linux":
        pytest.skip("needs gdb and a native target")
    command = [gdb, "-nx", "-q", "-batch", "-ex", "set debuginfod enabled off"]
    command += ["-ex", "set breakpoint pending on", "-ex", "break plain_sum", "-ex", "run"]
    command += ["-ex", "info sharedlibrary", "-ex", "backtrace 1", "--args"]
    command += [str(built.folder / "driver"), "tables", str(built.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "ptrace" in done.stderr:
        pytest.skip("this machine does not allow ptrace")
    assert "Yes" in done.stdout, done.stdout + done.stderr
    assert "libplain.so" in done.stdout
    assert "plain_sum ()" in done.stdout


def test_start_costs_nothing(built: Built, tmp_path: Path) -> None:
    """An empty program makes no system call for the loader."""
    strace = shutil.which("strace")
    if strace is None or built.target.emulator:
        pytest.skip("needs strace and a native target")
    source = tmp_path / "empty.c"
    source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    program = built.compile(str(source), "empty")
    log = tmp_path / "log"
    subprocess.run([strace, "-f", "-o", str(log), str(program)], check=True)
    calls = [line.split("(")[0].split()[-1] for line in log.read_text(encoding="utf-8").splitlines()]
    assert set(calls[:-1]) <= {"execve", "arch_prctl", "set_thread_area", "set_tid_address", "mprotect", "exit_group"}
    assert len(calls) <= 7, calls
