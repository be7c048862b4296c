"""Libraries built for glibc, loaded into static programs (docs/loader.md): the same files under the host's glibc.

Their sources are in ``glibc/``. A check's output under glibc is the expected one; none is written down here.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from staticpython.abi import EXPECTED as EXPECTED_ABI
from staticpython.abi import Abi, compare, head, sides, unexpected
from staticpython.assemble import LIBRARIES
from staticpython.config import ROOT
from staticpython.inventory import EXPECTED, Expected, Inventory, aliases, facts, read_needs, read_program, report_on
from staticpython.schema import load
from staticpython.wheel_table import COMPUTATIONS, Computations
from tests.build.conftest import BuiltTarget, clean_environment, enter_chroot, network_environment, visible_symbols

SOURCES = Path(__file__).with_name("glibc")
TABLE = ROOT / "runtime/musl/glibc"

CHECKS = [
    name
    for source in sorted(SOURCES.glob("*.cc"))
    for name in re.findall(r"^CHECK\((\w+)\)", source.read_text(encoding="utf-8"), re.MULTILINE)
]

SWITCH = "STATICPYTHON_GLIBC"
DRIVERS = ("driver", "tls")


@dataclass(frozen=True)
class Built:
    """Libraries that the host's compiler made for glibc; drivers for them, for the host and for the target."""

    target: BuiltTarget
    folder: Path

    def library(self, source: str, name: str, *flags: str) -> Path:
        output = self.folder / name
        compiler = "g++" if source.endswith(".cc") else "gcc"
        compile_it([compiler, "-O1", "-fPIC", "-shared", str(SOURCES / source), "-o", str(output), *flags])
        return output

    def here(self, driver: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a driver on the host, with glibc."""
        return run([str(self.folder / "host" / driver), *map(str, arguments)], {})

    def static(self, driver: str, *arguments: str | Path, on: str = "1") -> subprocess.CompletedProcess[str]:
        """Run a driver of the target."""
        return run([str(self.folder / "static" / driver), *map(str, arguments)], {SWITCH: on})

    def refusal(self, library: Path, on: str = "1") -> str:
        done = self.static("driver", library, on=on)
        assert done.returncode == 3, (done.returncode, done.stdout, done.stderr)
        return done.stdout


def run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != SWITCH} | variables
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, env=env)


def compile_it(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


@pytest.fixture(scope="module")
def built(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Built:
    if not target.plan.arch.glibc_cflags:
        pytest.skip("this arch refuses libraries built for glibc")
    if target.emulator or platform.libc_ver()[0] != "glibc" or not (shutil.which("gcc") and shutil.which("g++")):
        pytest.skip("needs a host of the target's arch with glibc, gcc and g++")
    built = Built(target, tmp_path_factory.mktemp("glibc"))
    for kind, command in (("host", ["gcc", "-pthread"]), ("static", [str(target.cc), "-Wl,--export-dynamic"])):
        (built.folder / kind).mkdir()
        for name in DRIVERS:
            compile_it([*command, "-O1", str(SOURCES / f"{name}.c"), "-o", str(built.folder / kind / name), "-ldl"])
    built.library("libtls.c", "libtls.so")
    script = built.folder / "versions"
    script.write_text("LEAST_1 { versioned; };\nLEAST_2 { *; };\n", encoding="utf-8")
    built.library("libifunc.c", "libifunc.so", f"-Wl,--version-script={script}", "-Wl,-soname,libifunc.so")
    return built


@pytest.fixture(scope="module")
def checks(built: Built) -> Path:
    sources = [str(path) for path in sorted(SOURCES.glob("*.cc"))]
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-w", "-pthread"]
    compile_it(["g++", *flags, *sources, "-o", str(built.folder / "checks.so")])
    return built.folder / "checks.so"


def test_all_checks_are_run(built: Built, checks: Path) -> None:
    listed = built.here("driver", checks).stdout.split()
    assert sorted(listed) == sorted(CHECKS)
    assert len(listed) >= 150
    assert built.static("driver", checks).stdout.split() == listed


@dataclass(frozen=True)
class Printed:
    """The checks' output and wait statuses, under glibc and here; and the error output here."""

    host: dict[str, tuple[str, str]]
    static: dict[str, tuple[str, str]]
    faults: str


@pytest.fixture(scope="module")
def printed(built: Built, checks: Path) -> Printed:
    """One process per driver loads the library, and forks for each check, because loading costs most."""
    # They print the program's name, so it is the same in both cases.
    os.chdir(built.folder)
    folder = re.compile(rf"{re.escape(str(built.folder))}/(host|static)/")
    runs = (built.here("driver", checks, "-"), built.static("driver", checks, "-"))
    host, static = (
        {name: (folder.sub("", text), status) for name, text, status in
         re.findall(r"^== (\w+)\n(.*?)\n== (\d+)$", run.stdout, re.MULTILINE | re.DOTALL)}
        for run in runs
    )  # fmt: skip
    assert (runs[0].returncode, runs[0].stderr) == (0, "")
    return Printed(host, static, runs[1].stderr)


@pytest.mark.parametrize("check", CHECKS)
def test_prints_what_it_prints_under_glibc(printed: Printed, check: str) -> None:
    text, status = printed.host[check]
    assert text and status == "0"
    assert printed.static[check] == (text, status), printed.faults


@pytest.mark.parametrize("on", ["", "0", "yes"])
def test_is_off_unless_asked_for(built: Built, checks: Path, on: str) -> None:
    message = built.refusal(checks, on)
    assert "built for glibc (it needs libc.so.6" in message
    assert f"{SWITCH}=1" in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program set-user-ID for another")
def test_is_off_when_set_user_id(built: Built) -> None:
    folder = Path("/var/tmp") / f"glibc-test-{os.getpid()}"  # another user must reach it
    folder.mkdir(mode=0o755)
    try:
        driver = shutil.copy(built.folder / "static/driver", folder)
        library = shutil.copy(built.library("libmissing.c", "libfunction.so"), folder)
        command = [str(driver), str(library)]

        def as_nobody() -> str:
            return subprocess.run(
                command, env={SWITCH: "1"}, user=65534, capture_output=True, text=True, cwd="/"
            ).stdout

        Path(driver).chmod(0o755)
        assert "built for glibc" not in as_nobody()
        Path(driver).chmod(0o4755)
        assert "built for glibc" in as_nobody()
    finally:
        shutil.rmtree(folder)


def test_initial_exec_tls_in_threads_old_and_new(built: Built) -> None:
    copies = [shutil.copy(built.folder / "libtls.so", built.folder / f"libtls{n}.so") for n in range(5)]
    host, static = built.here("tls", *copies), built.static("tls", *copies)
    assert host.stdout.split() == ["4202", "4203", "4204", "4205", "4201", "42"]
    assert (static.stdout, static.returncode) == (host.stdout, 0)


def test_exceptions_of_libraries_between_the_segments_of_the_program(built: Built) -> None:
    built.target.needs_pie()
    source, program = SOURCES.with_name("loader") / "between.c", built.folder / "static/between"
    flags = ["-O1", "-Wl,--export-dynamic", "-Wl,-z,max-page-size=2097152"]
    compile_it([str(built.target.cc), *flags, str(source), "-o", str(program)])
    library = built.library("libthrows.cc", "libthrows.so")
    copies = [shutil.copy(library, built.folder / f"libthrows{n}.so") for n in range(50)]
    # Addresses are random: in a quarter of the runs all have room above the program.
    for _ in range(30):
        done = built.static("between", "throws", *copies)
        assert done.returncode == 0, done.stdout + done.stderr
        if int(done.stdout) > 0:
            return
    pytest.fail("no library was put between the segments")


def test_initial_exec_tls_runs_out(built: Built) -> None:
    """A library is refused if there is no room, and a failed load gives its room back."""
    copies = [shutil.copy(built.folder / "libtls.so", built.folder / f"libtls{n}.so") for n in range(50)]
    done = built.static("tls", *copies)
    assert done.returncode == 1
    assert "initial-exec TLS" in done.stdout
    assert "built for glibc" not in done.stdout


def call(built: Built, library: Path, function: str) -> tuple[int, int, str]:
    """Make a check of a library's function that returns an int, and call it with either driver."""
    source = built.folder / f"call-{function}.c"
    source.write_text(
        f"int {function}(void);\n#include <stdio.h>\n"
        f'static void run(void) {{ printf("%d\\n", {function}()); }}\n'
        "struct check { const char *name; void (*run)(void); struct check *next; };\n"
        'static struct check check = { "call", run, 0 };\nstruct check *checks = &check;\n',
        encoding="utf-8",
    )
    caller = built.library(str(source), f"libcall-{library.name}-{function}.so", str(library), "-Wl,-rpath,$ORIGIN")
    host, static = built.here("driver", caller, "call"), built.static("driver", caller, "call")
    assert host.returncode == 0, host.stdout + host.stderr
    assert static.returncode == 0, static.stdout + static.stderr
    return int(host.stdout), int(static.stdout), static.stderr


def test_ifuncs(built: Built) -> None:
    assert call(built, built.folder / "libifunc.so", "ifuncs") == (2222, 2222, "")
    assert call(built, built.folder / "libifunc.so", "tls") == (5, 5, "")


def test_symbol_versions_of_other_libraries(built: Built) -> None:
    user = built.library(
        "libuser.c", "libuser.so", str(built.folder / "libifunc.so"), "-Wl,-rpath,$ORIGIN", "-Wl,-soname,libuser.so"
    )
    assert call(built, user, "all") == (122222, 122222, "")
    assert call(built, user, "far_away") == (2, 2, "")


def test_missing_function_says_its_name_when_called(built: Built) -> None:
    library = built.library("libmissing.c", "libmissing.so", "-Wl,-soname,libmissing.so")
    assert call(built, library, "get") == (1, 1, "")
    done = built.static("driver", built.folder / "libcall-libmissing.so-get.so", "call")
    assert done.returncode == 0
    source = built.folder / "aborts.c"
    source.write_text(
        "struct check { const char *name; void (*run)(void); struct check *next; };\nvoid call(void);\n"
        'static struct check check = { "call", call, 0 };\nstruct check *checks = &check;\n',
        encoding="utf-8",
    )
    caller = built.library(str(source), "libaborts.so", str(library), "-Wl,-rpath,$ORIGIN")
    done = built.static("driver", caller, "call")
    assert done.returncode == -6
    assert "libmissing.so called argp_parse, a function of glibc that this program does not have" in done.stderr


def test_missing_data_is_refused(built: Built) -> None:
    library = built.library("libmissing.c", "libdata.so", "-DDATA")
    assert "_nl_msg_cat_cntr_that_is_not: symbol not found" in built.refusal(library)


def test_aliases_are_of_what_there_is(target: BuiltTarget) -> None:
    """Each alias stands for a name that the program has, and is a name that it lacks: else nobody would ask for it."""
    if not target.plan.arch.glibc_cflags:
        pytest.skip("this arch refuses libraries built for glibc")
    pairs = aliases((TABLE / "aliases.h").read_text(encoding="utf-8"))
    assert len(pairs) > 200
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names)
    visible = visible_symbols(target.binary)
    assert [same for _, same in pairs if same not in visible and f"__glibc_{same}" not in visible] == []
    assert [name for name in names if name in visible or f"__glibc_{name}" in visible] == []


def test_functions_for_large_files_are_those_of_musl() -> None:
    source = ROOT / "build/sources/musl/ldso/dynlink.c"
    if not source.exists():
        pytest.skip("the sources of what was built are no longer there")
    found = re.search(r"lfs64_list\[\] =(.*?);", source.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    names = "".join(re.findall(r'"(.*?)"', found[1])).split("\\0")
    assert [name for name in names if name] == facts().lfs64


def test_constants_and_types_are_glibcs_or_differ_for_a_reason(target: BuiltTarget) -> None:
    if not target.plan.arch.glibc_version or target.plan.toolchain != "zig":
        pytest.skip("this arch refuses libraries built for glibc, or the toolchain has no headers of glibc")
    include, expected = target.build.parent / "sources/musl/include", load(EXPECTED_ABI, Abi)
    if not include.exists():
        pytest.skip("the sources of what was built are no longer there")
    compared = compare(*sides(target.plan, target.build, []), head(include, expected.left_out))
    assert list(unexpected(compared, expected)) == []
    assert compared.constants > 7000 and compared.types > 400


@pytest.fixture
def tree(built: Built, checks: Path, tmp_path: Path) -> Path:
    """A root folder that holds only a driver in a tree of its own and the checks: no libc, no libstdc++, no /proc."""
    root = tmp_path / "root"
    (root / "tree/bin").mkdir(parents=True)
    shutil.copy(built.folder / "static/driver", root / "tree/bin")
    (root / "elsewhere").mkdir()
    (root / "elsewhere/driver").symlink_to("../tree/bin/driver")
    shutil.copy(checks, root)
    return root


def host_libraries(folder: Path) -> None:
    """Fill a folder with the host's own libraries of GCC."""
    folder.mkdir(parents=True)
    for name in ("libstdc++.so.6", "libgcc_s.so.1"):
        found = subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        shutil.copyfile(found.stdout.strip(), folder / name)


def test_libraries_of_the_tree_in_an_empty_chroot(tree: Path, checks: Path) -> None:
    """What a wheel takes from the system is taken from the tree, wherever that is and whatever started the program."""

    def streams(driver: str) -> subprocess.CompletedProcess[str]:
        return run([*enter_chroot(), str(tree), driver, "/checks.so", "streams"], {SWITCH: "1"})

    without = streams("/tree/bin/driver")
    assert without.returncode == 3 and "libstdc++.so.6" in without.stdout
    host_libraries(tree / "tree" / LIBRARIES)
    here = subprocess.run([str(checks.parent / "host/driver"), str(checks), "streams"], capture_output=True, text=True)
    for driver in ("/tree/bin/driver", "/elsewhere/driver"):
        assert (streams(driver).stdout, streams(driver).returncode) == (here.stdout, 0)
    (tree / "tree").rename(tree / "moved")
    assert streams("/moved/bin/driver").stdout == here.stdout


def test_libraries_of_the_tree_come_before_the_systems(tree: Path, checks: Path, tmp_path: Path) -> None:
    def first(**variables: str) -> str:
        command = [str(tree / "elsewhere/driver"), str(checks), "streams"]
        return run(command, {SWITCH: "1", **variables}).stdout

    printed = first()  # the system's
    own = tree / "tree" / LIBRARIES
    host_libraries(own)
    (own / "libstdc++.so.6").write_bytes(b"")
    assert f"{own}/libstdc++.so.6: the file is empty" in first()
    host_libraries(tmp_path / "asked for")
    assert first(LD_LIBRARY_PATH=str(tmp_path / "asked for")) == printed


@pytest.mark.parametrize("library", ["libifunc.so", "libuser.so"])
def test_damaged_libraries_never_crash_the_loader(built: Built, library: str) -> None:
    if library == "libuser.so":
        built.library("libuser.c", library, str(built.folder / "libifunc.so"), "-Wl,-rpath,$ORIGIN")
    fuzz = built.folder / "static/fuzz"
    source = SOURCES.with_name("loader") / "fuzz.c"
    compile_it([str(built.target.cc), "-O1", "-Wl,--export-dynamic", str(source), "-o", str(fuzz)])
    count = 2000
    done = built.static("fuzz", built.folder / library, built.folder / f"damaged-{library}", str(count), "1")
    assert done.returncode == 0, done.stdout[-2000:]
    words = done.stdout.splitlines()[-1].split()
    loaded, refused, bad = int(words[1]), int(words[3]), int(words[5])
    assert (loaded + refused, bad) == (count, 0)
    # Neither is rare. If one became rare, the damage would no longer hit the intended places.
    assert min(loaded, refused) > count // 5


EXPECTED_OF_WHEELS = load(EXPECTED, Expected).wheels
COMPUTED = load(COMPUTATIONS, Computations).projects
WHEELS = {name: COMPUTED[name] for name in EXPECTED_OF_WHEELS}


def install(target: BuiltTarget, folder: Path, projects: list[str], *platforms: str) -> None:
    options = ["-m", "pip", "-q", "--disable-pip-version-check", "install", "--only-binary", ":all:"]
    options += [f"--platform={p}" for p in platforms]
    target.run(*options, "--target", folder, *projects, env=network_environment() | {SWITCH: "1"})


def inventory(target: BuiltTarget, folder: Path, metadata: Path) -> Inventory:
    """Make the inventory of an installed wheel, with names of objects up to the first `-` or `.`."""
    installed = [line.split(",")[0] for line in (metadata / "RECORD").read_text(encoding="utf-8").splitlines()]
    files = [file for file in installed if ".so" in Path(file).suffixes]
    report = report_on([read_needs(file, (folder / file).read_bytes()) for file in files], read_program(target.binary))
    assert report.for_glibc
    return Inventory(
        libraries_of_gcc=report.libraries_of_gcc,
        outside=report.outside,
        initial_exec=sorted({re.split(r"[-.]", name)[0] for name in report.initial_exec}),
        ifuncs=sorted({re.split(r"[-.]", name)[0] for name in report.ifuncs}),
        uncovered=report.uncovered,
    )


@pytest.mark.parametrize("project", WHEELS)
def test_manylinux_wheel(target: BuiltTarget, cpython_on_glibc: Path, tmp_path: Path, project: str) -> None:
    """A manylinux wheel beside musllinux ones gives the results that CPython on glibc gives with the same release."""
    if not target.plan.arch.glibc_cflags or target.emulator:
        pytest.skip("this arch refuses libraries built for glibc, or is run by an emulator")
    arch, wheel = target.plan.arch.wheel_arch, WHEELS[project]
    folder, control = tmp_path / "mixed", tmp_path / "glibc"
    install(target, folder, [project, *wheel.beside])
    (kind,) = folder.glob(f"{project.replace('-', '_')}-*.dist-info/WHEEL")
    assert "manylinux" in kind.read_text(encoding="utf-8"), "a wheel for musl is the better one: name another project"
    env = clean_environment(PYTHONPATH=str(folder), **{SWITCH: "1"})
    result = target.run("-X", "faulthandler", "-c", wheel.program, env=env)
    assert result
    refused = subprocess.run(
        [str(target.binary), "-c", wheel.program],
        capture_output=True,
        text=True,
        env=clean_environment(PYTHONPATH=str(folder)),
    )
    assert refused.returncode == 1
    (meta,) = folder.glob(f"{project.replace('-', '_')}-*.dist-info")
    found, wanted = inventory(target, folder, meta), EXPECTED_OF_WHEELS[project]
    # A later release may need less.
    assert set(found.uncovered) <= set(wanted.uncovered), found.uncovered
    assert set(found.outside) <= set(wanted.outside) and set(found.libraries_of_gcc) <= set(wanted.libraries_of_gcc)
    assert set(found.initial_exec) <= set(wanted.initial_exec) and set(found.ifuncs) <= set(wanted.ifuncs)
    version = meta.name.removesuffix(".dist-info").split("-")[1]
    manylinux = [f"manylinux_2_28_{arch}", f"manylinux_2_27_{arch}", f"manylinux2014_{arch}"]
    install(target, control, [f"{project}=={version}", *wheel.beside], *manylinux)
    command = [str(cpython_on_glibc), "-c", wheel.program]
    shown = subprocess.run(command, capture_output=True, text=True, env=clean_environment(PYTHONPATH=str(control)))
    assert shown.returncode == 0, shown.stderr
    assert result == shown.stdout.strip()


def test_manylinux_wheel_in_an_empty_chroot(target: BuiltTarget, chroot: Callable[..., str], tmp_path: Path) -> None:
    """With GCC's libraries in the tree, a wheel that needs them computes where there is no glibc and no libstdc++."""
    if not (target.tree / LIBRARIES).is_dir():
        pytest.skip("built without --gcc-libraries")
    wheel = WHEELS["scikit-learn"]
    install(target, tmp_path / "root/wheels", ["scikit-learn", *wheel.beside])
    outside = target.run(
        "-c", wheel.program, env=clean_environment(PYTHONPATH=str(tmp_path / "root/wheels"), **{SWITCH: "1"})
    )
    assert outside
    assert chroot("-c", wheel.program, PYTHONPATH="/wheels", **{SWITCH: "1"}) == outside


def test_gcc_libraries_of_the_tree(target: BuiltTarget) -> None:
    """Each is there under its soname, needs nothing but glibc and the others, and its licence is told."""
    folder = target.tree / LIBRARIES
    if not folder.is_dir():
        pytest.skip("built without --gcc-libraries")
    needs = [read_needs(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    assert [n.soname for n in needs] == sorted(n.name for n in needs)
    assert {n.soname for n in needs} <= set(facts().libraries_of_gcc)
    report = report_on(needs, read_program(target.binary))
    assert report.for_glibc == len(needs)
    # strtof128: std::from_chars of numbers with 128 bits.
    assert (report.outside, set(report.uncovered)) == ([], {"strtof128"})
    texts = [path.read_text(encoding="utf-8") for path in (target.tree / "licences").glob("g*/*") if path.is_file()]
    for words in ("GCC RUNTIME LIBRARY EXCEPTION", "GNU GENERAL PUBLIC LICENSE", "GNU LESSER GENERAL PUBLIC LICENSE"):
        assert any(words in text for text in texts), words
