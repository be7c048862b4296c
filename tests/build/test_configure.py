"""Answers that configure was given about a target, and those that it found: each is measured on the target itself.

A cross build cannot run what it compiles, and a native build would measure the build machine. So configure gets the
answers (`configure_answers` in configs/<arch>.yml).
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from staticpython.load import load_facts
from staticpython.plan import host_arch
from staticpython.target_plan import read_plan
from tests.build.conftest import BuiltTarget, clean_environment

SOURCES = Path(__file__).with_name("configure")
ARCHES = load_facts().arches
KEYS = sorted({k for a in ARCHES.values() for k in a.configure_answers})

# Questions that CPython's configure answers without a program if it cannot run one.
NOT_ASKED = {
    "ac_cv_c_bigendian": "read from an object file",
    "ac_cv_have_chflags": "asked by linking: there is no such function",
    "ac_cv_have_lchflags": "asked by linking: there is no such function",
    "ac_cv_kpthread": "only where a thread needs a compiler flag",
    "ac_cv_kthread": "only where a thread needs a compiler flag",
    "ac_cv_pthread": "only where a thread needs a compiler flag",
}


def compile_program(target: BuiltTarget, name: str, folder: Path) -> Path:
    # CPython's compiler flags, as far as the answers depend on them.
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-fwrapv"]
    libraries = ["-lffi"] if (target.sysroot / "usr/lib/libffi.a").exists() else []
    command = [str(target.cc), *flags, str(SOURCES / f"{name}.c"), *libraries, "-o", str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.fixture(scope="module")
def answers(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(target, "answers", tmp_path_factory.mktemp("configure"))


@pytest.mark.parametrize("key", KEYS)
def test_answer_is_what_the_target_does(target: BuiltTarget, answers: Path, key: str) -> None:
    if "ffi" in key and not (target.sysroot / "usr/lib/libffi.a").exists():
        pytest.skip("built without libffi")
    done = subprocess.run([*target.emulator, str(answers), key], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == target.plan.configure_answers[key]


def test_every_question_has_an_answer(target: BuiltTarget) -> None:
    """Without an answer configure would guess silently: a hash that is not SipHash, a queue without its size."""
    configure = (target.build.parent / "sources/cpython/configure").read_text(encoding="utf-8")
    asked = set()
    for question in configure.split("if test ${ac_cv_")[1:]:
        key = re.match(r"(\w+)\+y\}", question)
        if key and '"$cross_compiling" = yes' in question.split(": result: ")[0]:
            asked.add(f"ac_cv_{key.group(1)}")
    assert {"ac_cv_c_bigendian", "ac_cv_buggy_getaddrinfo", "ac_cv_posix_semaphores_enabled"} <= asked, "another form"
    # Not every series has the same questions.
    assert asked - set(NOT_ASKED) <= set(KEYS)


def test_configure_took_the_answers(target: BuiltTarget) -> None:
    log = (target.build / "cpython/config.log").read_text(encoding="utf-8", errors="replace")
    found = dict(re.findall(r"^(ac_cv_\w+)='?([^'\n]*)'?$", log, re.MULTILINE))
    wanted = target.plan.configure_answers
    assert {k: found.get(k) for k in wanted} == wanted


def test_atomics_of_every_size(target: BuiltTarget, tmp_path: Path) -> None:
    """The compiler's helper functions for objects that the CPU cannot access at once, by their size or alignment."""
    program = compile_program(target, "atomics", tmp_path)
    done = subprocess.run([*target.emulator, str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    # In the program that asks, no object is free of locks beyond the size of a pointer.
    widest = target.plan.arch.elf_class // 8
    assert done.stdout.split() == [str(n) for n in (1, 2, 4, 8) if n <= widest]


def test_stack_is_aligned_everywhere(target: BuiltTarget, tmp_path: Path) -> None:
    program = compile_program(target, "stack", tmp_path)
    done = subprocess.run([*target.emulator, str(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_times_after_2038_and_files_over_4_gib(target: BuiltTarget, tmp_path: Path) -> None:
    program = (
        "import mmap, os, sys, time\n"
        "with open(sys.argv[1], 'w+b') as file:\n"
        "    file.seek(5 << 30); file.write(b'end'); file.flush()\n"
        "    assert os.fstat(file.fileno()).st_size == (5 << 30) + 3\n"
        "    with mmap.mmap(file.fileno(), 3, offset=5 << 30) as view: assert view[:] == b'end'\n"
        "os.utime(sys.argv[1], (1 << 33, 1 << 33))\n"
        "assert os.stat(sys.argv[1]).st_mtime == 1 << 33\n"
        "print(time.gmtime(1 << 33).tm_year, time.mktime(time.localtime(1 << 33)) == 1 << 33)\n"
    )
    try:
        assert target.run("-c", program, tmp_path / "large") == "2242 True"
    finally:
        (tmp_path / "large").unlink(missing_ok=True)


def test_runs_on_an_old_cpu(target: BuiltTarget) -> None:
    """An instruction that `cflags` do not allow for is an illegal one there, wherever it comes from."""
    emulator = shutil.which(target.plan.arch.emulator)
    if emulator is None:
        pytest.skip("needs the emulator")
    program = (
        "import decimal, hashlib, json, math, re, sqlite3, ssl, threading, zlib, lzma, bz2\n"
        "data = bytes(range(256)) * 999\n"
        "assert zlib.decompress(zlib.compress(data)) == lzma.decompress(lzma.compress(data)) == data\n"
        "assert bz2.decompress(bz2.compress(data)) == data and b'\\xff\\x00' in data\n"
        "[hashlib.new(name, data) for name in ('sha256', 'sha512', 'sha3_256', 'blake2b', 'blake2s', 'md5', 'sm3')]\n"
        "ssl.create_default_context(); ssl.RAND_bytes(32)\n"
        "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 100); hashlib.scrypt(b'a', salt=b'b', n=16, r=8, p=1)\n"
        "row = sqlite3.connect(':memory:').execute('select sum(value * 1.5) from json_each(\"[1, 2]\")').fetchone()\n"
        "assert row == (4.5,), row\n"
        "print(math.sqrt(2) * 0.1, json.dumps(1e300), 7 ** 300 % 1000007, decimal.Decimal(2).sqrt())\n"
    )
    command = [emulator, "-cpu", target.plan.cpu.emulator, str(target.binary), "-I", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=clean_environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        repr(math.sqrt(2) * 0.1),
        "1e+300",
        str(7**300 % 1000007),
        "1.414213562373095048801688724",
    ]


# Where a target's pyconfig.h and sysconfig may differ from this machine's own build: names, arches, and reasons.
# A name may be missing in some series.
DIFFERENCES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("ALIGNOF_LONG ALIGNOF_SIZE_T ALIGNOF_MAX_ALIGN_T", ("i386",), "a pointer has 32 bits, the ABI aligns to 8 bytes"),
    ("SIZEOF_LONG SIZEOF_SIZE_T SIZEOF_UINTPTR_T SIZEOF_VOID_P SIZEOF_PTHREAD_T", ("i386",), "a pointer has 32 bits"),
    ("SIZEOF_LONG_DOUBLE", ("i386",), "the x87's 80 bits in 12 bytes"),
    ("HAVE_LARGEFILE_SUPPORT", ("i386",), "off_t has 64 bits, more than long"),
    ("HAVE_GCC_UINT128_T HAVE___UINT128_T", ("i386",), "no 128-bit integers on a 32-bit CPU"),
    ("X87_DOUBLE_ROUNDING", ("i386",), "without SSE the x87 computes, in 80 bits"),
    ("HAVE_GCC_ASM_FOR_X64", ("i386", "aarch64", "riscv64"), "assembler of x86_64"),
    ("HAVE_GCC_ASM_FOR_X87", ("aarch64", "riscv64"), "assembler of x86"),
    ("PY_HAVE_PERF_TRAMPOLINE", ("i386", "riscv64"), "CPython has no assembly for these"),
    ("HAVE_USABLE_WCHAR_T", ("aarch64",), "wchar_t has no sign in the AArch64 ABI"),
    ("_Py_HACL_CAN_COMPILE_VEC128 _Py_HACL_CAN_COMPILE_VEC256", ("aarch64", "riscv64"), "BLAKE2 with SSE and AVX2"),
)
# sysconfig has both pyconfig.h's macros and the Makefile's variables.
SYSCONFIG_DIFFERENCES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    *DIFFERENCES,
    ("LIBMPDEC_CFLAGS MODULE__DECIMAL_CFLAGS", ("i386",), "libmpdec in C, with 32-bit words"),
    (
        "LIBHACL_BLAKE2_SIMD128_CFLAGS LIBHACL_BLAKE2_SIMD128_OBJS LIBHACL_BLAKE2_SIMD256_CFLAGS"
        " LIBHACL_BLAKE2_SIMD256_OBJS",
        ("aarch64", "riscv64"),
        "BLAKE2 with SSE and AVX2",
    ),
    ("BUILD_GNU_TYPE CONFIG_ARGS", ("aarch64", "riscv64"), "built on another machine, and configure was told so"),
    (
        "FREEZE_MODULE FREEZE_MODULE_BOOTSTRAP FREEZE_MODULE_BOOTSTRAP_DEPS FREEZE_MODULE_DEPS PYTHON_FOR_BUILD"
        " PYTHON_FOR_BUILD_DEPS PYTHON_FOR_FREEZE TESTPYTHON TESTRUNNER",
        ("aarch64", "riscv64"),
        "what is run while building is a Python of the build machine",
    ),
)


def explained(arch: str, table: tuple[tuple[str, tuple[str, ...], str], ...]) -> set[str]:
    return {name for names, arches, _ in table if arch in arches for name in names.split()}


def macros_of(target: BuiltTarget) -> dict[str, str]:
    text = (target.tree / f"include/python{target.plan.series}/pyconfig.h").read_text(encoding="utf-8")
    return dict(re.findall(r"^#\s*define\s+(\w+)(.*)$", text, re.MULTILINE))


def variables_of(target: BuiltTarget) -> dict[str, str]:
    """Return sysconfig's variables, with the target's own names removed from their values."""
    program = "import json, sysconfig; print(json.dumps(sysconfig.get_config_vars()))"
    found: dict[str, str] = json.loads(target.run("-c", program))
    names = (
        str(target.tree),
        target.triple,
        target.triple.replace("-", "-pc-", 1),
        target.triple.replace("-", "-unknown-", 1),
    )
    for name in names:
        found = {k: str(v).replace(name, "NAME") for k, v in found.items()}
    return found


@pytest.fixture
def reference(target: BuiltTarget) -> BuiltTarget:
    """The build for this machine itself, beside the target's."""
    build = target.build.parent / host_arch(load_facts())
    if build == target.build or not (build / "plan.json").exists():
        pytest.skip("needs this machine's own build beside it")
    native = BuiltTarget(read_plan(build / "plan.json"), build)
    if not native.binary.exists():
        pytest.skip("needs this machine's own build beside it")
    return native


@pytest.mark.parametrize("of", [macros_of, variables_of], ids=["pyconfig", "sysconfig"])
def test_differences_are_explained(
    target: BuiltTarget, reference: BuiltTarget, of: Callable[[BuiltTarget], dict[str, str]]
) -> None:
    ours, theirs = of(target), of(reference)
    different = {k: (ours.get(k), theirs.get(k)) for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)}
    wanted = explained(target.arch, DIFFERENCES if of is macros_of else SYSCONFIG_DIFFERENCES)
    assert {k: v for k, v in different.items() if k not in wanted} == {}
    assert wanted & (ours.keys() | theirs.keys()) <= set(different)
