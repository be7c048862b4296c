"""What the options mean for a target."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from staticpython import assemble, inventory
from staticpython import plan as plan_module
from staticpython.config import ROOT
from staticpython.errors import UsageError
from staticpython.load import load_facts
from staticpython.patch_headers import read_header
from staticpython.plan import Options, Plan, _make_source, fitting_releases, host_arch, make_plan

FACTS = load_facts()
PYTHONS = sorted([*FACTS.series, *(version for s in FACTS.series.values() for version in s.full_versions)])


@pytest.fixture(autouse=True)
def x86_64_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "host_machine", lambda: "x86_64")


def plan(
    *, arches: tuple[str, ...] = ("x86_64",), cpu: str = "", with_gpl: bool = False, **names: tuple[str, ...]
) -> Plan:
    return make_plan(load_facts(), Options(arches=arches, cpu=cpu, with_gpl=with_gpl, **names))  # type: ignore[arg-type]


def names(made: Plan) -> set[str]:
    return {p.name for p in made.targets[0].packages}


def test_native_and_cross() -> None:
    assert [t.native for t in plan(arches=("x86_64", "i386", "aarch64")).targets] == [True, True, False]


def test_gpl_only_when_asked() -> None:
    free, gpl = plan(), plan(with_gpl=True)
    assert "readline" not in names(free) and "gdbm" not in names(free) and "_gdbm" not in free.targets[0].modules
    assert "libedit" not in names(gpl) and {"readline", "gdbm"} <= names(gpl) and "_gdbm" in gpl.targets[0].modules


@pytest.mark.parametrize("toolchain", ["zig", "crossmake"])
def test_every_part_has_the_text_of_its_licence(toolchain: str) -> None:
    made = make_plan(load_facts(), Options(arches=("x86_64",), toolchain=toolchain, with_gpl=True))
    packages = made.targets[0].packages
    assert [p.name for p in packages if p.kind != "cross-tool" and not (p.licence.files or p.licence.texts)] == []


def test_gcc_libraries_only_when_asked() -> None:
    facts = load_facts()
    for arch in facts.arches.values():
        wanted = set(arch.gcc_libraries)
        # What a library is must be told: the texts of its licence are packages of their own.
        assert all(p.libraries or p.licence.files for p in map(facts.packages.__getitem__, wanted))
        assert not wanted & names(make_plan(facts, Options(arches=(arch.name,))))
        asked = Options(arches=(arch.name,), gcc_libraries=True)
        if arch.glibc_cflags:
            assert wanted and wanted <= names(make_plan(facts, asked))
            assert "libuuid" in {s.name for s in make_plan(facts, asked).sources}, "it has texts of licences"
        else:
            with pytest.raises(UsageError, match=f"--gcc-libraries: .* cannot be loaded on {arch.name}"):
                make_plan(facts, asked)


def test_gcc_libraries_are_those_that_wheels_take_from_the_system() -> None:
    """Of libgfortran only the latest: GCC 14 makes no older one."""
    facts = load_facts()
    there = {Path(f).name for n in facts.arches["x86_64"].gcc_libraries for f in facts.packages[n].libraries}
    assert there == set(inventory.facts().libraries_of_gcc) - {"libgfortran.so.4", "libgfortran.so.3"}


def test_the_loader_looks_where_the_libraries_are_put() -> None:
    found = re.search(r'#define TREE_FOLDER "(.*)"', (ROOT / "runtime/musl/glibc/loader.h").read_text())
    assert found and found[1].strip("/") == assemble.LIBRARIES


def test_without_a_feature_leaves_its_packages_out() -> None:
    made = plan(without=("ssl", "_bz2"))
    assert not {"openssl", "bzip2"} & names(made)
    assert {"_ssl", "_hashlib", "_bz2"} <= set(made.targets[0].disabled)


def test_flavour_small() -> None:
    small = make_plan(load_facts(), Options(arches=("x86_64",), flavour="small"))
    assert not {"ncurses", "libedit", "libuuid"} & names(small)
    assert (small.targets[0].malloc, small.targets[0].flavour.library) == ("mallocng", False)
    other = make_plan(load_facts(), Options(arches=("x86_64",), flavour="small", allocator="mimalloc"))
    assert other.targets[0].malloc == "mimalloc"
    fast = plan().targets[0]
    assert (fast.malloc, fast.flavour.library, fast.flavour.cflags) == ("mimalloc", True, [])


@pytest.mark.parametrize("toolchain", ["zig", "llvm"])
@pytest.mark.parametrize("plain", [True, False])
def test_no_speedups(toolchain: str, plain: bool) -> None:
    """No patch of the kind `speed`, no file that only such a patch needs, no trained profile of the patched sources."""
    options = Options(arches=("x86_64",), toolchain=toolchain, plain=plain, speedups=False)
    made, fast = make_plan(load_facts(), options), make_plan(load_facts(), dataclasses.replace(options, speedups=True))
    (target,) = made.targets
    assert (target.malloc, target.flavour.library, target.profile, target.order) == ("mallocng", False, None, None)
    for flag in ("data.ld", "profile", "order"):
        assert flag not in " ".join([*target.cflags_core, *target.cflags_library, *target.ldflags_core])
    assert bool(target.cflags_core) != plain, "link-time optimisation is no patch"
    kinds = {p: read_header(p).kind for s in fast.sources for p in s.patches}
    assert {p for s in made.sources for p in s.patches} == {p for p, kind in kinds.items() if kind != "speed"}
    assert "speed" in kinds.values() and "platform" in kinds.values()
    overlay = {ours for s in made.sources for ours in s.package.overlay}
    bluetooth = {f.relative_to(ROOT).as_posix() for f in (ROOT / "runtime/interpreter/bluetooth").iterdir()}
    carried = {f"runtime/musl/{f}" for f in ("inflate.c", "payload.h", "payload.ld", "vfs.c", "vfs.h")}
    main = {"runtime/interpreter/bundle.c", "runtime/interpreter/hacl_config.h", *bluetooth}
    glibc = {f.relative_to(ROOT).as_posix() for f in (ROOT / "runtime/musl/glibc").iterdir()}
    assert overlay == {f"runtime/musl/{f}" for f in ("hosts.c", "loader.c", "userdb.c")} | carried | glibc | main


def test_no_speedups_has_no_fast_malloc() -> None:
    with pytest.raises(UsageError, match="--allocator mimalloc excludes --no-speedups"):
        make_plan(load_facts(), Options(arches=("x86_64",), allocator="mimalloc", speedups=False))
    make_plan(load_facts(), Options(arches=("x86_64",), allocator="musl", speedups=False))


def test_cpu_of_each_arch() -> None:
    made = plan(arches=("i386", "x86_64"))
    assert [t.cpu.zig for t in made.targets] == ["pentium_m", "x86_64"]
    old = plan(arches=("i386", "x86_64"), cpu="i686")
    assert [t.cpu.zig for t in old.targets] == ["i686", "x86_64"]
    assert [t.cflags[0] for t in old.targets] == ["-march=i686", "-march=x86-64"]
    rounds_twice = [t.configure_answers["ac_cv_x87_double_rounding"] for t in (made.targets[0], old.targets[0])]
    assert rounds_twice == ["no", "yes"]
    assert old.targets[0].arch == load_facts().arches["i386"], "what the file says of the arch stays as it is"


def test_only_keeps_what_has_no_feature() -> None:
    made = plan(only=("compression",))
    assert {"zlib", "_lzma", "math", "_socket"} <= set(made.targets[0].modules)
    assert not {"_ssl", "_sqlite3", "_ctypes"} & set(made.targets[0].modules)


def test_packages_come_after_what_they_need() -> None:
    (target,) = plan().targets
    order = [p.name for p in target.packages]
    for package in target.packages:
        for need in target.needs(package):
            assert order.index(need) < order.index(package.name)
    assert {"musl", "compiler-rt"} <= set(target.needs(next(p for p in target.packages if p.name == "zlib")))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arches": ("aarch46",)}, "unknown arch 'aarch46', did you mean 'aarch64'"),
        ({"arches": ("x86_64",), "cpu": "x86-64-v9"}, "unknown cpu 'x86-64-v9', did you mean 'x86-64-v3'"),
        ({"arches": ("x86_64",), "python": "2.7"}, f"unknown Python '2.7' (known: {', '.join(PYTHONS)})"),
        (
            {"arches": ("x86_64",), "python": PYTHONS[-1], "releases": (f"cpython={PYTHONS[1]}",)},
            f"Python {PYTHONS[-1]}: --release names another release",
        ),
        ({"arches": ("x86_64",), "toolchain": "zigg"}, "unknown toolchain 'zigg', did you mean 'zig'"),
        ({"arches": ("x86_64",), "allocator": "mimaloc"}, "unknown allocator 'mimaloc', did you mean 'mimalloc'"),
        ({"arches": ("x86_64",), "launcher": "cache"}, "unknown launcher 'cache', did you mean 'ccache'"),
        ({"arches": ("x86_64",), "flavour": "smal"}, "unknown flavour 'smal', did you mean 'small'"),
        ({"arches": ("x86_64",), "releases": ("zlip=2",)}, "unknown package 'zlip', did you mean 'zlib'"),
        ({"arches": ("x86_64",), "releases": ("xz=5.8.2",)}, "unknown release of xz '5.8.2', did you mean '5.8"),
        ({"arches": ("x86_64",), "releases": ("xz",)}, "--release xz: write it as PACKAGE=VERSION"),
        ({"arches": ("x86_64",), "releases": ("xz=5.8.1", "xz=5.8.4")}, "--release: more than one of xz"),
        ({"arches": ("x86_64",), "releases": ("compiler-rt=1",)}, "it is part of ziglang"),
        ({"arches": ("x86_64",), "without": ("ssl",), "only": ("ssl",)}, "--only ssl: left out by --without"),
        ({"arches": ("x86_64",), "flavour": "small", "only": ("terminal",)}, "--only terminal: left out by"),
        ({"arches": ("x86_64",), "without": ("sqlit",)}, "unknown module or feature 'sqlit', did you mean 'sqlite'"),
    ],
)
def test_unknown_names(options: dict[str, tuple[str, ...]], words: str) -> None:
    with pytest.raises(UsageError) as error:
        make_plan(FACTS, Options(**options))  # type: ignore[arg-type]
    assert words in str(error.value)


def test_a_release_is_for_this_machine() -> None:
    package = FACTS.packages["xz"]
    own, other, any_ = (dataclasses.replace(package.releases[0], host=host) for host in ("x86_64", "s390x", None))
    assert fitting_releases(dataclasses.replace(package, releases=[other, own, any_])) == [own, any_]
    with pytest.raises(UsageError, match=r"package xz: no release for this machine \(x86_64\)"):
        _make_source(dataclasses.replace(package, releases=[other]))


def test_host_arch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host_arch(load_facts()) == "x86_64"
    monkeypatch.setattr(plan_module, "host_machine", lambda: "i686")
    assert host_arch(load_facts()) == "i386"
    monkeypatch.setattr(plan_module, "host_machine", lambda: "s390x")
    with pytest.raises(UsageError, match="s390x"):
        host_arch(load_facts())


@pytest.mark.parametrize("series", FACTS.series)
@pytest.mark.parametrize(
    ("arch", "toolchain", "has"),
    [("x86_64", "zig", True), ("aarch64", "llvm", True), ("i386", "zig", False), ("x86_64", "crossmake", False)],
)
def test_tail_calls_where_compiler_and_cpu_have_them(series: str, arch: str, toolchain: str, has: bool) -> None:
    """configure does not test it, and if a compiler ignores the attribute, the result is slower than the loop."""
    made = make_plan(FACTS, Options(arches=(arch,), toolchain=toolchain, python=series))
    wanted = FACTS.series[series].tail_calls if has else []
    found = [word for word in made.targets[0].interpreter.configure if "tail-call" in word]
    assert found == wanted


def test_an_arch_adds_arguments_of_configure() -> None:
    own = FACTS.packages["zlib"].configure
    arch = dataclasses.replace(FACTS.arches["aarch64"], configure={"zlib": ["--without-neon"], "readline": ["--x"]})
    made = make_plan(dataclasses.replace(FACTS, arches=FACTS.arches | {"aarch64": arch}), Options(("aarch64", "i386")))
    found = [package.configure for t in made.targets for package in t.packages if package.name == "zlib"]
    assert found == [[*own, "--without-neon"], own]
    assert "readline" not in names(made), "an argument is no need"


def test_the_date_is_that_of_the_newest_release() -> None:
    dates = {make_plan(FACTS, Options(arches=("x86_64",), python=series)).date for series in FACTS.series}
    assert dates == {max(series.date for series in FACTS.series.values())}, "the libraries serve every series"
