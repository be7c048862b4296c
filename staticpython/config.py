"""The facts: what the YAML files may contain, and how they are read and checked against each other."""

from __future__ import annotations

import dataclasses
import datetime
import re
import string
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.enums import ENUM_E_MACHINE

from staticpython import ROOT as ROOT
from staticpython import forms
from staticpython.errors import FactsError, UsageError, nearest
from staticpython.licences import is_gpl
from staticpython.patch_headers import is_for_speed
from staticpython.schema import key, load, read_text

KINDS = ("configure", "make", "copy", "zig-object", "cross-tool", "cross-runtime", "data", "cpython")
_MACHINES = [name for name in ENUM_E_MACHINE if name.startswith("EM_")]
# Besides the arch's keys, what a package's texts are filled in with (render.fill).
FILLED_IN = ("sysroot", "cross", "line_editor", "allocator", "hidden")
TOOLS_OF_RECIPES = ("cc", "c++", "ar", "ranlib")
# It has everything that Debian ever had, and is slow: fetch asks it last.
SNAPSHOTS = "https://snapshot.debian.org/"
HOST_STYLES = ("gnu", "target", "none")
# The name of a malloc -> its folder below musl's src/malloc.
ALLOCATORS = {"mimalloc": "mimalloc", "musl": "mallocng"}
# The archives that musl installs.
LIBC = [f"lib{name}.a" for name in ("c", "crypt", "dl", "m", "pthread", "resolv", "rt", "util", "xnet")]
_FOLDERS = ("common", "families", "flavours", "launchers", "packages", "series", "toolchains")


@dataclass(frozen=True)
class Cpu:
    """The CPU that code is compiled for: newer CPUs run it too."""

    cflags: list[str] = key("Compiler flags that select it.")
    zig: str = key("The same CPU, as Zig's `-mcpu` names it.")
    emulator: str = key("The same CPU, as the emulator's `-cpu` names it.")
    download: str = key("The CPU in the names of archives, as python-build-standalone names it.")
    configure_answers: dict[str, str] = key("Answers for configure that depend on the CPU.", default={})


@dataclass(frozen=True)
class Arch:
    """A CPU architecture: `configs/<arch>.yml`."""

    name: str
    triple: str = key("The target triple, as in GNU config.sub; names the tools, the tree and the modules' suffix.")
    native_on: list[str] = key("Machines (`uname -m`) whose kernel runs this arch's programs directly.")
    elf_machine: str = key("e_machine of the binary, with the name that elf.h gives it.")
    elf_class: int = key("Bits of the ELF class.", choices=(32, 64))
    cpus: dict[str, Cpu] = key("What `--cpu` may name; the first one is the default.", form=forms.NAME)
    pie: bool = key("Whether programs are static-PIE, else at a fixed address; `--pie` and `--no-pie` override it.")
    thread_stack_mib: int = key("Stack of a new thread in MiB (p_memsz of PT_GNU_STACK, which musl reads).")
    linux_headers: str = key("The kernel's name for the arch, as in Zig's `<name>-linux-any` header folders.")
    zig_target: str = key("The arch as Zig's `-target` names it.")
    openssl_target: str = key("The arch as OpenSSL's `Configure` names it.", form=forms.OPENSSL_TARGET)
    wheel_arch: str = key("The arch in a musllinux wheel tag (PEP 656).")
    glibc_loader: str = key("glibc's dynamic linker, which programs built for glibc name (PT_INTERP).")
    wheel_platforms: list[str] = key(
        "Platform tags of the interpreter's own wheel, without the arch: the oldest ones, since a static program runs"
        " on every Linux.",
        form=forms.WHEEL_PLATFORM,
    )
    oci_arch: str = key("The arch in an OCI image, as Go names it (GOARCH).")
    gcc_cpus: list[str] = key("How triples of existing GCC toolchains for the arch begin, best first.")
    emulator: str = key("The qemu-user program that runs this arch's binaries elsewhere.")
    also: list[str] = key("Other names of the arch, which `--arch` takes as well.", default=[])
    byte_order: str = key("Order of the bytes in a number.", default="little", choices=("little", "big"))
    preserve_none: bool = key(
        "Whether compilers that have the calling convention `preserve_none` have it for this arch.", default=False
    )
    cflags: list[str] = key("Compiler flags that every object of this arch gets, after the CPU's: the ABI.", default=[])
    glibc_cflags: list[str] = key(
        "Compiler flags for the C library on an arch whose programs can load libraries built for glibc"
        " (runtime/musl/glibc); without flags, such libraries are refused.",
        default=[],
    )
    glibc_version: str | None = key(
        "The highest glibc version in wheel tags that pip accepts with such libraries (PEP 600).", default=None
    )
    gcc_libraries: list[str] = key(
        "Packages that `--gcc-libraries` puts into the tree: GCC's shared libraries, which manylinux wheels expect in"
        " the system, and their licences.",
        default=[],
    )
    lto_ldflags: list[str] = key("Linker flags that tell link-time optimisation the arch's ABI.", default=[])
    configure: dict[str, list[str]] = key(
        "Package -> arguments of its configure on this arch only, after the package's own.", default={}
    )
    configure_answers: dict[str, str] = key(
        "Answers for configure tests that would have to run a program (config.site), if they differ from those in"
        " configs/common/answers.yml; native builds take them as well.",
        default={},
    )

    @property
    def machine_number(self) -> int:
        """Number of the machine in an ELF header."""
        return int(ENUM_E_MACHINE[self.elf_machine])


@dataclass(frozen=True)
class Answers:
    """Answers for configure on every arch: `configs/common/answers.yml`."""

    configure_answers: dict[str, str] = key(
        "Answers for configure tests that would have to run a program; an arch or a CPU may override them."
    )


@dataclass(frozen=True)
class OwnRelease:
    """The release of this project: `configs/common/release.yml`."""

    date: str = key("The day of the release, year-month-day; a part of the names that `make dist` writes.")

    @property
    def stamp(self) -> str:
        """The date as in file names: 20261127."""
        return self.date.replace("-", "")


@dataclass(frozen=True)
class PyPI:
    """A file of a PyPI project."""

    project: str = key("Name of the PyPI project; a wheel's version is the release's.")
    platform: str = key("Platform tag of the wheel, for `pip download --platform`.", default="any")


@dataclass(frozen=True)
class Release:
    """One version of a package: one file, one hash, several places to download it from."""

    version: str = key("Upstream's version.", form=forms.VERSION)
    file: str = key("Name of the file in downloads/ and in a mirror.", form=forms.ARCHIVE)
    size: int = key("Size of the file in bytes; 0 if only the hash is known.")
    sha256: str = key("SHA-256 of the file; nothing is used before it matches.", form=forms.SHA256)
    urls: list[str] = key("Addresses of the file, best first.", default=[], form=forms.URL)
    debian: str | None = key(
        "Path of the file in Debian's archive, `pool/main/<letter>/<source package>/<file>`. apt downloads it: if"
        " its lists have a file with this hash, from there, otherwise from a mirror's pool.",
        default=None,
        form=forms.POOL_PATH,
    )
    pypi: PyPI | None = key("The PyPI project with the file; pip's settings name the index.", default=None)
    inner: str | None = key(
        "A tarball or folder inside the file that contains the source tree.", default=None, form=forms.INSIDE
    )
    host: str | None = key("Build machine (`uname -m`) that this release is for; any if missing.", default=None)


@dataclass(frozen=True)
class Licence:
    """A package's licence."""

    spdx: str = key(
        "SPDX expression. A package under the GPL, LGPL or AGPL is linked only with --with-gpl, unless an alternative"
        " (`OR`) or an exception (`WITH`) allows other licences for the linked program."
    )
    files: list[str] = key("Licence texts in the source tree, copied beside the interpreter.", form=forms.INSIDE)
    texts: list[str] = key(
        "Licence texts that the source tree lacks: files of this repository, copied beside the interpreter.", default=[]
    )

    @property
    def gpl(self) -> bool:
        """Whether everything that is linked with the package must be under the GPL."""
        return is_gpl(self.spdx)


@dataclass(frozen=True)
class Part:
    """Another project's code in a package's source."""

    spdx: str = key("SPDX expression of its licence. It must not ask for the GPL, LGPL or AGPL.")
    folder: str | None = key(
        "Its folder in the source, if it is linked in: the full archive tells the licence of each module with it.",
        default=None,
        form=forms.INSIDE,
    )
    files: list[str] = key(
        "Upstream's own files that it was copied into, if it has no folder.", default=[], form=forms.INSIDE
    )
    text: str | None = key(
        "With `folder` or `files`: the file with its terms, as it is named beside the interpreter; one of `licence`.",
        default=None,
    )

    @property
    def places(self) -> list[str]:
        """Where in the source it is."""
        return [*([self.folder] if self.folder else []), *self.files]


@dataclass(frozen=True)
class Package:
    """A source package: `configs/packages/<name>.yml`."""

    name: str
    summary: str = key("What it is and what needs it, in one line.")
    homepage: str = key("Upstream's home page.")
    licence: Licence = key("Licence of what it puts into the interpreter.")
    kind: str = key("The way it is built; picks the steps in make/recipes.", choices=KINDS)
    releases: list[Release] = key(
        "Releases, preferred first. If one cannot be downloaded, the next is used and a warning is printed. Kind"
        " cpython has none here: each series has its own (`configs/series`).",
        default=[],
    )
    upstream_name: str | None = key("Its name in lists of materials, if upstream's name is another.", default=None)
    cpe: str | None = key(
        "Vendor and product in the names that lists of vulnerabilities use (CPE), if those know it: `openssl:openssl`.",
        default=None,
        form=forms.CPE,
    )
    build_only: bool = key(
        "Nothing of it is in the interpreter: lists of what an application contains leave it out.", default=False
    )
    parts: dict[str, Part] = key("Kind cpython: what its source contains of other projects.", default={})
    default_series: str | None = key("Kind cpython: the series that is built without --python.", default=None)
    source_of: str | None = key("A package whose source tree contains this one's, instead of releases.", default=None)
    subset: list[str] = key(
        "Files and folders to take from the release, or from `source_of`'s tree.", default=[], form=forms.INSIDE
    )
    trees: dict[str, str] = key(
        "Other packages' source trees that this one builds inside its own: folder here -> package.",
        default={},
        form=forms.INSIDE,
    )
    needs: list[str] = key("Packages that must be in the sysroot first.", default=[])
    replaced_by: str | None = key("A GPL package that replaces it with --with-gpl.", default=None)
    in_tree: bool = key("It builds only in its source tree, so the build folder is a copy of the tree.", default=False)
    overlay: dict[str, str] = key(
        "Our own files laid over the source tree: path here -> path there.", default={}, form=forms.INSIDE
    )
    only_for_speed: list[str] = key(
        "Files of `overlay` that go with patches of the kind `speed`: --no-speedups leaves them out.", default=[]
    )
    autoreconf: bool = key("Run `autoreconf -fi` after unpacking: the source has no configure.", default=False)
    configure_script: str = key("Name of the configure script.", default="configure")
    host_style: str = key(
        "How configure is told the triple: `gnu` (--build, --host), `target` (--target) or `none`.",
        default="gnu",
        choices=HOST_STYLES,
    )
    configure: list[str] = key(
        "Arguments of configure; `{sysroot}` and the arch's keys, such as `{openssl_target}`, are filled in.",
        default=[],
    )
    configure_env: dict[str, str] = key("Environment of configure, besides the tools and CFLAGS.", default={})
    cflags: list[str] = key("CFLAGS, after those of the arch.", default=[])
    trained: bool = key(
        "A library that the interpreter's trained profile includes, and that its link optimises.", default=False
    )
    train_again: dict[str, str] = field(default_factory=dict)  # from a series
    link: list[str] = key(
        "Kind cpython: flags of the interpreter's own link only. `{hidden}` stands for all linked archives"
        " except those of `exported` packages.",
        default=[],
    )
    exported: bool = key(
        "Libraries that the interpreter loads can use the functions of its archives (`installs`).", default=False
    )
    make: list[str] = key("Arguments of make; for kind zig-object the file to compile.", default=[])
    install: list[str] = key("Targets of `make install`.", default=["install"])
    install_files: dict[str, str] = key(
        "File or folder built, or for kind copy of the source -> place below usr/; kind make installs nothing else.",
        default={},
        form=forms.INSIDE,
    )
    installs: list[str] = key("Files below usr/ that must exist after the installation.", default=[], form=forms.INSIDE)
    runtime_fact: str | None = key("Name of its version in the interpreter's _staticpython.facts.", default=None)
    runtime_data: dict[str, str] = key(
        "Kind data: file or folder -> place in lib/python*/_staticpython.", default={}, form=forms.INSIDE
    )
    libraries: list[str] = key(
        "Kind data: shared libraries built for glibc, files of the source, which get into `lib/built-for-glibc` of the"
        " tree.",
        default=[],
        form=forms.INSIDE,
    )
    speedups: bool = True  # False: without files and patches for speed only, see without_speedups()
    lacking: tuple[str, ...] = ()  # names of patches that the series lacks, see of_series()

    @property
    def archives(self) -> list[str]:
        """Names of the archives that it must install."""
        return [Path(file).name for file in (*self.installs, *self.install_files.values()) if file.endswith(".a")]


@dataclass(frozen=True)
class Optimisation:
    """Flags that make the interpreter fast; extension modules get none of them."""

    lto_cflags: list[str] = key("Compiler flags of link-time optimisation; empty without it.", default=[])
    lto_ldflags: list[str] = key("Linker flags of link-time optimisation.", default=[])
    profile_use: list[str] = key("Compiler flags that use a trained profile; `{profile}` is the file.", default=[])
    profile_ldflags: list[str] = key(
        "Linker flags that order functions; `{order}` is the list of functions that start-up calls.", default=[]
    )
    data_ldflags: list[str] = key(
        "Linker flags that say where a PIE's data begins; `{source}` is the folder of the interpreter's source.",
        default=[],
    )


@dataclass(frozen=True)
class Family:
    """What toolchains with the same compiler have in common: `configs/families/<name>.yml`."""

    cflags: list[str] = key("Flags of every compilation, before a toolchain's own.", default=[])
    ldflags: list[str] = key("Flags of every link, before a toolchain's own.", default=[])
    preserve_none: bool = key(
        "Whether it has `musttail` and, on arches with it, the calling convention `preserve_none`.", default=False
    )
    optimisation: Optimisation = key("Flags that make the interpreter fast.", default=Optimisation())


@dataclass(frozen=True)
class Toolchain:
    """A compiler and linker: `configs/toolchains/<name>.yml`."""

    name: str
    summary: str = key("What it is and when to take it, in one line.")
    needs: list[str] = key(
        "Packages that every other one is compiled against: C library, compiler builtins, kernel headers."
    )
    tools: dict[str, str] = key(
        "Tool -> command; each becomes a wrapper `<triple>-<tool>`. `{package}` is the package's folder, `{target}`"
        " the target's in build/, `{triple}` the arch's. A command without these is found in PATH."
    )
    build_tools: dict[str, str] = key("The same, for programs of the build machine: `build-<tool>`.")
    family: str = key("The compiler whose options it takes: `configs/families/<name>.yml`.")
    package: str | None = key("The package that contains it.", default=None)
    builds: list[str] = key("Packages that it is built from, before everything else.", default=[])
    from_prefix: bool = key("It is in the folder that --toolchain-prefix names.", default=False)
    debian: list[str] = key("Debian's and Ubuntu's packages that have its commands.", default=[])
    cflags: list[str] = key(
        "Flags of every compilation, filled in as `tools`; `{sysroot}` is the target's, `{cc}` the compiler's command.",
        default=[],
    )
    ldflags: list[str] = key(
        "Flags of every link; filled in as `cflags`, and `{bin}` is the wrappers' folder.", default=[]
    )
    profile_generate: list[str] = key("Compiler flags that make programs write a profile: `make profile`.", default=[])
    profile_runtime: list[str] = key("Linker flags of an interpreter that writes a profile.", default=[])
    preserve_none: bool = False  # from the family
    optimisation: Optimisation = Optimisation()  # from the family


@dataclass(frozen=True)
class Launcher:
    """A program that starts the compiler (--launcher): `configs/launchers/<name>.yml`."""

    name: str
    summary: str = key("What it is and when to take it, in one line.")
    debian: str = key("Debian's and Ubuntu's package of it.")
    command: str = key("Shell words before the compiler and its arguments; `{family}` is the toolchain's.")
    remote: bool = key(
        "Compiles remotely. Files that use a profile stay local: remote machines lack it.", default=False
    )


@dataclass(frozen=True)
class Flavour:
    """Another flavour of interpreter than the fast one (--flavour): `configs/flavours/<name>.yml`."""

    name: str
    summary: str = key("What it is and when to take it, in one line.")
    cflags: list[str] = key("Flags of every compilation for the target, after all others.", default=[])
    without: list[str] = key("Modules and features left out, as with --without.", default=[])
    allocator: str = key(
        "The malloc, unless --allocator says otherwise.", default="mimalloc", choices=tuple(ALLOCATORS)
    )
    library: bool = key("Whether the executable holds the code of much-used library modules.", default=True)


@dataclass(frozen=True)
class Module:
    """A standard-library extension module."""

    sources: list[str] = key(
        "Words of its line in Setup.local after the name: sources, includes, archives.", default=[]
    )
    needs: list[str] = key(
        "Packages that are built before it. The module gets the flags that CPython's configure knows, or, if `sources`"
        " has any, such as `-llz4`, those alone.",
        default=[],
    )
    feature: str | None = key("Group that --without and --only can name.", default=None)
    gpl: bool = key("Linked only with --with-gpl, because it needs a GPL package.", default=False)
    test: bool = key("Never linked: built as a shared object, for `make test-stdlib` only.", default=False)
    disabled: str | None = key("The reason why it is never built.", default=None)


@dataclass(frozen=True)
class Modules:
    """The extension modules of a CPython release series: `setup_local/<series>.yml`."""

    modules: dict[str, Module] = key("Every extension module of CPython's Modules/Setup.stdlib.in, by name.")


@dataclass(frozen=True)
class Series:
    """A CPython release series: `configs/series/<series>.yml`. Its lists and mappings follow those of the package."""

    name: str
    modules: dict[str, Module]  # from setup_local/<series>.yml
    variant_of: str | None = key(
        "The series of which this is another build. This one shares its releases, modules, patches and date; lists and"
        " mappings of both are joined. The name is that series' with CPython's ABI flags: `3.14t`.",
        default=None,
    )
    releases: list[Release] = key("Releases, preferred first.", default=[])
    date: str = key(
        "The day of its newest release, year-month-day. The newest day of all series is SOURCE_DATE_EPOCH.", default=""
    )
    profile: str | None = key("The trained profile (`make profile`), packed with xz.", default=None)
    order: str | None = key("The list of functions that start-up calls (`make profile`).", default=None)
    train_again: dict[str, str] = key(
        "Objects that `make profile` compiles a second time -> the flag for that.", default={}
    )
    overlay: dict[str, str] = key(
        "Our own files laid over the source tree: path here -> path there.", default={}, form=forms.INSIDE
    )
    only_for_speed: list[str] = key("Files of `overlay` that --no-speedups leaves out.", default=[])
    configure: list[str] = key("Arguments of configure.", default=[])
    tail_calls: list[str] = key(
        "Arguments of configure if compiler and CPU have `preserve_none`: one function for each bytecode"
        " instruction, which ends with a jump to the next one.",
        default=[],
    )
    configure_env: dict[str, str] = key("Environment of configure.", default={})
    link: list[str] = key("Flags of the interpreter's own link.", default=[])
    library: bool = key("Whether the executable contains the code of the standard library's modules.", default=True)
    lacking: dict[str, str] = key("Patches of `patches/cpython` that this series lacks: name -> reason.", default={})

    @property
    def modules_file(self) -> str:
        """The file that lists its extension modules."""
        return f"setup_local/{self.variant_of or self.name}.yml"

    @property
    def abi_flags(self) -> str:
        """What follows the version in the name of a variant: `t` of `3.14t`."""
        return self.name.removeprefix(self.variant_of) if self.variant_of else ""

    def full_version(self, version: str) -> str:
        """Return the version of one of its releases with the ABI flags: `3.14.7t`."""
        return version + self.abi_flags

    @property
    def full_versions(self) -> list[str]:
        """The versions of all its releases, with the ABI flags."""
        return [self.full_version(release.version) for release in self.releases]


@dataclass(frozen=True)
class Supported:
    """A line of `supported.txt`: a target, a toolchain, and how the pair is tested."""

    arch: str
    toolchain: str
    tested_by: str


@dataclass(frozen=True)
class Facts:
    """Everything the YAML files and `supported.txt` say."""

    arches: dict[str, Arch]
    packages: dict[str, Package]
    toolchains: dict[str, Toolchain]
    launchers: dict[str, Launcher]
    flavours: dict[str, Flavour]
    series: dict[str, Series]
    release: OwnRelease
    supported: list[Supported]

    @property
    def arch_names(self) -> dict[str, str]:
        """What may name an arch -> its name: the name itself, and those under `also`."""
        return {word: a.name for a in self.arches.values() for word in (a.name, *a.also)}

    @property
    def cpython(self) -> Package:
        """The interpreter's package, with the releases of every series."""
        (package,) = (p for p in self.packages.values() if p.kind == "cpython")
        return package

    @property
    def default_series(self) -> str:
        """The series that is built by default."""
        assert self.cpython.default_series
        return self.cpython.default_series

    def in_series(self, package: Package, series: str) -> Package:
        """Return a package for a series; only the interpreter has series."""
        if package.kind != "cpython":
            return package
        pick("Python series", series, list(self.series))
        return of_series(package, self.series[series])


def of_series(cpython: Package, series: Series) -> Package:
    """Return the interpreter's package for a series: with the series' additions, and its releases that are left."""
    package = dataclasses.replace(
        cpython,
        releases=[r for r in cpython.releases if r in series.releases],
        overlay=cpython.overlay | series.overlay,
        only_for_speed=[*cpython.only_for_speed, *series.only_for_speed],
        train_again=series.train_again,
        configure=[*cpython.configure, *series.configure],
        configure_env=cpython.configure_env | series.configure_env,
        link=[*cpython.link, *series.link],
        lacking=tuple(series.lacking),
    )
    return package if cpython.speedups else without_speedups(package)


def pick(what: str, name: str, known: Collection[str]) -> None:
    """Raise UsageError if `name` is not in `known`, with the nearest name and all allowed ones."""
    if name not in known:
        raise UsageError(f"unknown {what} '{name}'{nearest(name, known)} (known: {', '.join(sorted(known))})")


def load_facts(root: Path = ROOT, *, with_patches: bool = True) -> Facts:
    """Read and check all YAML files below `root`, and the patches' places; raises FactsError with file, key, remedy."""
    _check_files(root)
    configs = root / "configs"
    answers = load(configs / "common/answers.yml", Answers).configure_answers
    families = {p.stem: load(p, Family) for p in sorted((configs / "families").glob("*.yml"))}
    facts = Facts(
        arches={p.stem: _load_arch(p, answers) for p in sorted(configs.glob("*.yml"))},
        packages={p.stem: load(p, Package, name=p.stem) for p in sorted((configs / "packages").glob("*.yml"))},
        toolchains={p.stem: _load_toolchain(p, families) for p in sorted((configs / "toolchains").glob("*.yml"))},
        launchers={p.stem: load(p, Launcher, name=p.stem) for p in sorted((configs / "launchers").glob("*.yml"))},
        flavours={p.stem: load(p, Flavour, name=p.stem) for p in sorted((configs / "flavours").glob("*.yml"))},
        series=_load_every_series(root),
        release=_load_release(configs / "common/release.yml"),
        supported=[],
    )
    _check_series(facts, root)
    facts.packages[facts.cpython.name] = _with_releases(facts)
    _check_arches(facts.arches, configs)
    facts.supported.extend(_load_supported(root / "supported.txt", facts))
    _check_references(facts, root)
    _check_packages(facts, root)
    _check_flavours(facts, root)
    _check_modules(facts, root)
    _check_texts(facts, root)
    _check_sources(facts, root)
    _check_cycles(facts.packages, configs / "packages")
    if with_patches:
        _check_patches(facts, root)
    return facts


def _load_arch(path: Path, answers: dict[str, str]) -> Arch:
    arch = load(path, Arch, name=path.stem)
    check_known(path, "elf_machine", "machine of elf.h", arch.elf_machine, _MACHINES)
    if not 1 <= arch.thread_stack_mib <= 1024:
        raise FactsError(f"{path}: thread_stack_mib: must be from 1 to 1024, not {arch.thread_stack_mib}")
    if not arch.cpus:
        raise FactsError(f"{path}: cpus: name one at least")
    _check_glibc_keys(path, arch)
    _check_triples(path, arch)
    _check_emulator(path, arch)
    return dataclasses.replace(arch, configure_answers=answers | arch.configure_answers)


def _check_glibc_keys(path: Path, arch: Arch) -> None:
    """Raise FactsError if an arch has one of the two keys for glibc alone, or no version of it."""
    if bool(arch.glibc_cflags) != bool(arch.glibc_version):
        raise FactsError(f"{path}: give both of glibc_cflags and glibc_version, or neither")
    if arch.glibc_version and not re.fullmatch(r"\d+\.\d+", arch.glibc_version):
        raise FactsError(f"{path}: glibc_version: '{arch.glibc_version}' is no version: write it as 2.36")


def _check_triples(path: Path, arch: Arch) -> None:
    """Raise FactsError for an arch that is not for musl, or has two ABIs."""
    for name in ("triple", "zig_target"):
        if not re.fullmatch(r"[a-z0-9_]+-linux-musl[a-z0-9]*", getattr(arch, name)):
            raise FactsError(f"{path}: {name}: must be of the form <cpu>-linux-musl<abi>")
    if arch.triple.rpartition("-")[2] != arch.zig_target.rpartition("-")[2]:
        raise FactsError(f"{path}: zig_target: has another ABI than the triple")


def _check_emulator(path: Path, arch: Arch) -> None:
    """Raise FactsError for an emulator that has no name of the arch in its own."""
    names = (arch.name, *arch.also, *arch.native_on, arch.triple.partition("-")[0])
    known = {f"qemu-{name}{suffix}" for name in names for suffix in ("", "-static")}
    check_known(path, "emulator", "program of qemu-user for this arch", arch.emulator, known)


def _load_every_series(root: Path) -> dict[str, Series]:
    found: dict[str, Series] = {}
    # A variant's name comes after that of its series.
    for path in sorted((root / "configs/series").glob("*.yml"), key=lambda p: p.stem):
        series = load(path, Series, name=path.stem, modules={})
        found[path.stem] = _load_variant(path, series, found) if series.variant_of else _load_series(path, series, root)
    return found


def _load_variant(path: Path, own: Series, others: dict[str, Series]) -> Series:
    assert own.variant_of
    check_known(path, "variant_of", "series", own.variant_of, [s.name for s in others.values() if not s.variant_of])
    base = others[own.variant_of]
    if not own.name.startswith(base.name):
        raise FactsError(f"{path}: variant_of: name the file {base.name}<ABI flags>.yml")
    for name in ("releases", "date"):
        if getattr(own, name):
            raise FactsError(f"{path}: {name}: {own.name} has that of {base.name}")
    return dataclasses.replace(
        own,
        modules=base.modules,
        releases=base.releases,
        date=base.date,
        overlay=base.overlay | own.overlay,
        only_for_speed=[*base.only_for_speed, *own.only_for_speed],
        configure=[*base.configure, *own.configure],
        tail_calls=[*base.tail_calls, *own.tail_calls],
        configure_env=base.configure_env | own.configure_env,
        link=[*base.link, *own.link],
        lacking=base.lacking | own.lacking,
    )


def _load_series(path: Path, series: Series, root: Path) -> Series:
    modules = root / "setup_local" / path.name
    if not re.fullmatch(r"[0-9]+\.[0-9]+", path.stem):
        raise FactsError(f"{path}: is named by no series, as 3.16.yml is; another build of one says variant_of")
    if not modules.is_file():
        raise FactsError(
            f"{path}: no {modules}, which lists its extension modules: copy that of the nearest series, then adapt it"
            " to what Modules/Setup.stdlib.in of its source lists"
        )
    series = dataclasses.replace(series, modules=load(modules, Modules).modules)
    _check_date(path, series.date)
    if not series.releases:
        raise FactsError(f"{path}: releases: give one at least")
    for i, release in enumerate(series.releases):
        if not release.version.startswith(f"{series.name}."):
            raise FactsError(f"{path}: releases[{i}].version: {release.version} is of another series")
    return series


def _load_release(path: Path) -> OwnRelease:
    release = load(path, OwnRelease)
    _check_date(path, release.date)
    return release


def _check_date(path: Path, date: str) -> None:
    """Raise FactsError if the text is not a day in the form year-month-day."""
    try:
        exact = datetime.date.fromisoformat(date).isoformat() == date  # newer Pythons accept other forms, too
    except ValueError:
        exact = False
    if not exact:
        raise FactsError(f"{path}: date: '{date}' is no day: write it as 2026-08-05")


def _with_releases(facts: Facts) -> Package:
    """Return the interpreter's package with the releases of all series, the default one's first."""
    ordered = sorted(facts.series.values(), key=lambda s: s.name != facts.default_series)
    return dataclasses.replace(facts.cpython, releases=[r for s in ordered if not s.variant_of for r in s.releases])


def _check_files(root: Path) -> None:
    """Raise FactsError for files that nothing would read."""
    for folder in ("configs", *(f"configs/{name}" for name in _FOLDERS), "setup_local"):
        for path in sorted((root / folder).glob("*")):
            wanted = path.suffix == ".yml" or (folder == "configs" and path.name in (*_FOLDERS, "licences"))
            if path.name.startswith(".") or path.name.endswith("~"):
                continue  # an editor's
            if not wanted:
                raise FactsError(f"{path}: is not read: names of files here end with .yml")
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", path.stem):
                raise FactsError(f"{path}: the name must be of letters, digits and _ . + -")
    if (root / "configs/all.yml").exists():
        raise FactsError(f"{root}/configs/all.yml: --arch all means every arch: choose another name")


def _check_series(facts: Facts, root: Path) -> None:
    found = sorted(p.name for p in facts.packages.values() if p.kind == "cpython")
    if len(found) != 1:
        raise FactsError(f"{root}/configs/packages: one package is of kind: cpython, not {', '.join(found) or 'none'}")
    for name in sorted(path.stem for path in (root / "setup_local").glob("*.yml")):
        if name not in facts.series or facts.series[name].variant_of:
            raise FactsError(f"{root}/setup_local/{name}.yml: a series without configs/series/{name}.yml")
    package = facts.cpython
    where = root / "configs/packages" / f"{package.name}.yml"
    if package.releases:
        raise FactsError(f"{where}: releases: each series has its own, in configs/series")
    if not package.default_series:
        raise FactsError(f"{where}: default_series: missing; which one is built when --python does not say?")
    check_known(where, "default_series", "series", package.default_series, facts.series)


def _check_arches(arches: dict[str, Arch], where: Path) -> None:
    """Raise FactsError if arches share a name, a tree or wheels."""
    every = list(arches.values())
    names = [("all", "all"), *((a.name, a.name) for a in every), *((a.name, n) for a in every for n in a.also)]
    for i, first in _taken(names):
        owner, name = names[i]
        raise FactsError(f"{where / owner}.yml: also: {name} names {first}")
    for name in ("triple", "zig_target", "wheel_arch"):
        for i, first in _taken((arch.name, getattr(arch, name)) for arch in every):
            raise FactsError(
                f"{where / every[i].name}.yml: {name}: {getattr(every[i], name)} is that of configs/{first}.yml: two"
                " arches differ in it"
            )


def _load_toolchain(path: Path, families: dict[str, Family]) -> Toolchain:
    toolchain = load(path, Toolchain, name=path.stem)
    check_known(path, "family", "family", toolchain.family, families)
    family = families[toolchain.family]
    return dataclasses.replace(
        toolchain,
        cflags=[*family.cflags, *toolchain.cflags],
        ldflags=[*family.ldflags, *toolchain.ldflags],
        preserve_none=family.preserve_none,
        optimisation=family.optimisation,
    )


def _load_supported(path: Path, facts: Facts) -> Iterator[Supported]:
    arches = {a.triple: a.name for a in facts.arches.values()}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.startswith("#"):
            continue
        triple, toolchain, tested_by = (*line.split(None, 2), "", "", "")[:3]
        for what, word, known, origin in (
            ("triple", triple, list(arches), "`triple` in configs/<arch>.yml"),
            ("toolchain", toolchain, list(facts.toolchains), "the name of its file in configs/toolchains"),
        ):
            if word not in known:
                raise FactsError(
                    f"{path}:{number}: unknown {what} '{word}'{nearest(word, known)}; correct this line, or {origin}"
                )
        if not tested_by:
            raise FactsError(f"{path}:{number}: say what the pair is tested by")
        yield Supported(arches[triple], toolchain, tested_by)


def _under_gpl(where: str, spdx: str) -> bool:
    """Return whether a licence asks for the GPL; raises FactsError for what is no SPDX expression."""
    try:
        return is_gpl(spdx)
    except ValueError as error:
        raise FactsError(f"{where}: {error}") from None


def _check_parts(package: Package, where: Path) -> None:
    """Raise FactsError for a part under the GPL, or one whose terms are not beside the interpreter."""
    texts = [Path(file).name for file in (*package.licence.files, *package.licence.texts)]
    for name, part in package.parts.items():
        if _under_gpl(f"{where}: parts.{name}.spdx", part.spdx):
            raise FactsError(f"{where}: parts.{name}.spdx: {part.spdx}: would be in every build, under the GPL")
        if bool(part.places) != bool(part.text):
            raise FactsError(f"{where}: parts.{name}: give text and one of folder and files, or none of them")
        if part.text:
            check_known(where, f"parts.{name}.text", "licence text", part.text, texts)


def references(facts: Facts) -> Iterator[tuple[str, str, list[str]]]:
    """Yield every list of packages' names: its file, its key and the names."""
    for package in facts.packages.values():
        where = f"configs/packages/{package.name}.yml"
        yield where, "needs", package.needs
        yield where, "replaced_by", [package.replaced_by] if package.replaced_by else []
        yield where, "source_of", [package.source_of] if package.source_of else []
        yield where, "trees", list(package.trees.values())
    for arch in facts.arches.values():
        yield f"configs/{arch.name}.yml", "gcc_libraries", arch.gcc_libraries
        yield f"configs/{arch.name}.yml", "configure", list(arch.configure)
    for toolchain in facts.toolchains.values():
        where = f"configs/toolchains/{toolchain.name}.yml"
        yield where, "needs", toolchain.needs
        yield where, "builds", toolchain.builds
        yield where, "package", [toolchain.package] if toolchain.package else []
    for series in facts.series.values():
        for name, module in series.modules.items():
            yield series.modules_file, f"modules.{name}.needs", module.needs


def _check_references(facts: Facts, root: Path) -> None:
    for file, where_key, names in references(facts):
        for name in names:
            check_known(root / file, where_key, "package", name, facts.packages)
    for arch in facts.arches.values():
        for name in arch.configure:
            if facts.packages[name].kind not in ("configure", "cross-tool", "cpython"):
                kind = facts.packages[name].kind
                raise FactsError(f"{root}/configs/{arch.name}.yml: configure.{name}: kind {kind} has no configure")


def _check_packages(facts: Facts, root: Path) -> None:
    """Raise FactsError for a package that cannot be what it says of itself."""
    for package in facts.packages.values():
        where = root / "configs/packages" / f"{package.name}.yml"
        _under_gpl(f"{where}: licence.spdx", package.licence.spdx)
        _check_parts(package, where)
        for text in package.licence.texts:
            if not (root / text).is_file():
                raise FactsError(f"{where}: licence.texts: no file {text}")
        if package.replaced_by and not facts.packages[package.replaced_by].licence.gpl:
            raise FactsError(f"{where}: replaced_by: {package.replaced_by} is not under the GPL: need it instead")
        for name in package.needs:
            if facts.packages[name].kind in ("data", "cpython"):
                raise FactsError(f"{where}: needs: {name} is of kind {facts.packages[name].kind}: into no sysroot")
        if package.source_of and facts.packages[package.source_of].source_of:
            raise FactsError(f"{where}: source_of: {package.source_of} has no releases either: name their package")
        if package.runtime_fact and len({r.version for r in package.releases}) != 1:
            raise FactsError(f"{where}: runtime_fact: takes one version: give one release, as no other may stand in")
        if package.exported and not package.archives:
            raise FactsError(f"{where}: installs: name the archives (lib/lib*.a) that are exported")
        if package.kind == "make" and not package.install_files:
            raise FactsError(f"{where}: install_files: missing; kind make runs no `make install`: say what goes where")
        if package.trained and package.kind not in ("configure", "make"):
            raise FactsError(
                f"{where}: trained: takes flags for the compiler, so a kind that has CFLAGS: configure, make"
            )


def _check_modules(facts: Facts, root: Path) -> None:
    for series in facts.series.values():
        where = root / series.modules_file
        for name, module in series.modules.items():
            if module.feature in series.modules:
                raise FactsError(f"{where}: modules.{name}.feature: {module.feature} is a module's name")
            _check_libraries(where, f"modules.{name}.sources", module.sources, facts)
            if bool(module.sources) == bool(module.disabled):
                raise FactsError(f"{where}: modules.{name}: give either sources or, with the reason, disabled")


def _check_texts(facts: Facts, root: Path) -> None:
    """Raise FactsError for a text that cannot be filled in, or a tool that is missing."""
    filled_in = {*(f.name for f in dataclasses.fields(Arch)), *FILLED_IN}
    owners: list[Package | Series] = [*facts.packages.values(), *facts.series.values()]
    for owner in owners:
        folder = "series" if isinstance(owner, Series) else "packages"
        where = root / "configs" / folder / f"{owner.name}.yml"
        for name in ("cflags", "configure", "configure_env", "link", "make", "install", "install_files"):
            _check_fillable(where, name, getattr(owner, name, []), filled_in)
        for name in ("configure_env", "link"):
            _check_libraries(where, name, getattr(owner, name), facts)
    for arch in facts.arches.values():
        for name, arguments in arch.configure.items():
            _check_fillable(root / f"configs/{arch.name}.yml", f"configure.{name}", arguments, filled_in)
    for toolchain in facts.toolchains.values():
        where = root / "configs/toolchains" / f"{toolchain.name}.yml"
        if missing := [tool for tool in TOOLS_OF_RECIPES if tool not in toolchain.tools]:
            raise FactsError(f"{where}: tools: lacks {', '.join(missing)}")
        for name in ("tools", "build_tools"):
            commands = getattr(toolchain, name)
            if empty := [tool for tool, command in commands.items() if not command.split()]:
                raise FactsError(f"{where}: {name}.{empty[0]}: empty; it says: the command")
            _check_fillable(where, name, commands, {"package", "target", "triple"})
        flags = {"package", "target", "triple", "sysroot", "bin", "cc"}
        _check_fillable(where, "cflags", toolchain.cflags, flags)
        _check_fillable(where, "ldflags", toolchain.ldflags, flags)
        where = root / "configs/families" / f"{toolchain.family}.yml"
        for name, place in (("profile_use", "profile"), ("profile_ldflags", "order"), ("data_ldflags", "source")):
            _check_fillable(where, f"optimisation.{name}", getattr(toolchain.optimisation, name), {place})
    for launcher in facts.launchers.values():
        _check_fillable(root / "configs/launchers" / f"{launcher.name}.yml", "command", [launcher.command], {"family"})


def _check_fillable(where: Path, where_key: str, texts: list[str] | dict[str, str], known: Collection[str]) -> None:
    """Raise FactsError if a text has something else in braces than one of the known names."""
    for text in _every(texts):
        if "{" not in text and "}" not in text:
            continue
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError:
            raise FactsError(f"{where}: {where_key}: '{text}': for braces that stay write {{{{ and }}}}") from None
        for name in names:
            check_known(where, where_key, "value for", f"{{{name}}}", {f"{{{n}}}" for n in known})


def _every(texts: list[str] | dict[str, str]) -> list[str]:
    return [*texts, *texts.values()] if isinstance(texts, dict) else texts


def _check_libraries(where: Path, where_key: str, texts: list[str] | dict[str, str], facts: Facts) -> None:
    """Raise FactsError for a flag such as -lz whose archive no package lists under `installs` or `install_files`."""
    known = {*LIBC, *(archive for package in facts.packages.values() for archive in package.archives)}
    for text in _every(texts):
        for name in re.findall(r"(?<![\w-])-l([\w+.-]+)", text):
            check_known(where, where_key, "package that installs", f"lib{name}.a", known)


def _check_flavours(facts: Facts, root: Path) -> None:
    """Raise FactsError if a flavour leaves out a module or feature that no series has."""
    modules = [module for series in facts.series.values() for module in series.modules.items()]
    known = {name for name, _ in modules} | {module.feature for _, module in modules if module.feature}
    for flavour in facts.flavours.values():
        for name in flavour.without:
            check_known(root / "configs/flavours" / f"{flavour.name}.yml", "without", "module or feature", name, known)


def _taken(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[int, str]]:
    """Yield the place of each (owner, value) whose value had another owner before, and that first owner."""
    owners: dict[str, str] = {}
    for i, (owner, value) in enumerate(pairs):
        if (first := owners.setdefault(value, owner)) != owner:
            yield i, first


def check_known(where: Path, where_key: str, what: str, name: str, known: Collection[str]) -> None:
    """Raise FactsError if `name` is not in `known`, with the nearest name."""
    if name not in known:
        # A standard has hundreds of names: name only the nearest.
        every = f" (known: {', '.join(sorted(known))})" if len(known) < 100 else ""
        raise FactsError(f"{where}: {where_key}: no {what} '{name}'{nearest(name, known)}{every}")


def _check_sources(facts: Facts, root: Path) -> None:
    for package in facts.packages.values():
        where = root / "configs/packages" / f"{package.name}.yml"
        if bool(package.releases) == bool(package.source_of):
            raise FactsError(f"{where}: releases: give either releases or source_of")
        if package.kind != "cpython":
            _check_releases(where, package.releases)
        _check_overlay(where, package, root)
    for series in facts.series.values():
        where = root / "configs/series" / f"{series.name}.yml"
        _check_releases(where, series.releases)
        _check_overlay(where, series, root)
        for name, trained in {"profile": series.profile, "order": series.order}.items():
            if trained and not (root / trained).is_file():
                raise FactsError(f"{where}: {name}: no file {trained}")


def _check_releases(where: Path, releases: list[Release]) -> None:
    known: set[tuple[str, str | None]] = set()
    for i, first in _taken((r.version, r.sha256) for r in releases):
        raise FactsError(f"{where}: releases[{i}].sha256: is that of {first}")
    for i, release in enumerate(releases):
        if (release.version, release.host) in known:
            raise FactsError(f"{where}: releases[{i}].version: {release.version} is given twice")
        known.add((release.version, release.host))
        if release.size < 0:
            raise FactsError(f"{where}: releases[{i}].size: must not be negative")
        _check_addresses(f"{where}: releases[{i}]", release)
        if not (release.urls or release.debian or release.pypi):
            raise FactsError(f"{where}: releases[{i}]: give at least one of urls, debian and pypi")


def _check_addresses(where: str, release: Release) -> None:
    """Raise FactsError for the address of another version: its file's name lacks a number of the release's file."""
    # In Debian's archive of snapshots a file's name is its hash.
    addresses = [("urls", url) for url in release.urls if not url.startswith(SNAPSHOTS)]
    addresses += [("debian", release.debian)] if release.debian else []
    for name, address in addresses:
        file = address.rpartition("/")[2]
        # A package may be part of another's archive: the file's numbers count, not the version's.
        if missing := [n for n in re.findall("[0-9]+", release.file) if n not in re.split("[^0-9]+", file)]:
            raise FactsError(
                f"{where}.{name}: {file} is of another version than `file`, {release.file}: there is no {missing[0]} in"
                " it. Take the file of that version, or leave this address out."
            )


def _check_overlay(where: Path, owner: Package | Series, root: Path) -> None:
    for source in owner.overlay:
        if not (root / source).is_file():
            raise FactsError(f"{where}: overlay: no file {source}")
    for source in owner.only_for_speed:
        check_known(where, "only_for_speed", "file of overlay", source, owner.overlay)


def _check_cycles(packages: dict[str, Package], where: Path) -> None:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            cycle = " -> ".join([*path[path.index(name) :], name])
            raise FactsError(f"{where / name}.yml: needs: dependency cycle: {cycle}")
        if name not in done:
            for need in packages[name].needs:
                visit(need, [*path, name])
            done.add(name)

    for name in packages:
        visit(name, [])


def _check_patches(facts: Facts, root: Path) -> None:
    for folder in sorted(p for p in (root / "patches").glob("*") if not p.name.startswith(".")):
        if not folder.is_dir():
            raise FactsError(f"{folder}: belongs into the folder of its package")
        if not any(folder.name == n or folder.name.startswith(f"{n}-") for n in facts.packages):
            raise FactsError(f"{folder}: no package of that name{nearest(folder.name, facts.packages)}")
        if not any(folder in patch_folders(p, r.version, root) for p in facts.packages.values() for r in _releases(p)):
            versions = [
                r.version for p in facts.packages.values() for r in _releases(p) if folder.name.startswith(p.name)
            ]
            raise FactsError(f"{folder}: patches for a version that is not there (known: {', '.join(versions)})")
        _check_names_of_patches(folder)
    _check_series_patches(facts, root)


def _check_names_of_patches(folder: Path) -> None:
    """Raise FactsError for a file that is not applied, or shares its place in the order with another one."""
    found = sorted(p for p in folder.iterdir() if not p.name.startswith(".") and not p.name.endswith("~"))
    for path in found:
        if not re.fullmatch(r"[0-9]{4}-[\w.-]+\.patch", path.name) or not path.is_file():
            raise FactsError(f"{path}: name a patch by four digits, its place in the order: 0001-what-it-does.patch")
    for i, first in _taken((path.name, path.name[:4]) for path in found):
        raise FactsError(f"{found[i]}: the number is that of {first}: choose another one")


def _check_series_patches(facts: Facts, root: Path) -> None:
    """Raise FactsError if a series lacks a patch of another series without a reason, and it is not for speed."""
    package = without_speedups(facts.cpython)
    names = {
        series.name: {p.stem for r in series.releases for p in patches(of_series(package, series), r.version, root)}
        for series in facts.series.values()
    }
    known = {p.stem for folder in (root / "patches").glob(f"{package.name}*") for p in folder.glob("*.patch")}
    for series in facts.series.values():
        where = root / "configs/series" / f"{series.name}.yml"
        others = {name: other for other, found in names.items() for name in found if other != series.name}
        missing = sorted(set(others) - names[series.name] - set(series.lacking))
        if missing:
            raise FactsError(
                f"{where}: patches of {others[missing[0]]} that {series.name} lacks: {', '.join(missing)}; put each"
                f" into patches/{package.name}-{series.name}, or say under lacking why it is not needed"
            )
        folders = [f for r in series.releases for f in patch_folders(package, r.version, root)[1:]]
        own = {p.stem for folder in folders for p in folder.glob("*.patch")}
        for name in series.lacking:
            check_known(where, "lacking", "patch", name, known)
            if name in own:
                raise FactsError(f"{where}: lacking: {name} is there")


def _releases(package: Package) -> list[Release]:
    return package.releases or [Release(version="", file="", size=0, sha256="")]


def patch_folders(package: Package, version: str, root: Path = ROOT) -> list[Path]:
    """Return the folders whose patches apply to a version: `<name>`, then `<name>-<version or leading part of it>`."""
    parts = re.split(r"(?=[.-])", version)
    names = [package.name] + [f"{package.name}-{''.join(parts[:n])}" for n in range(1, len(parts) + 1) if version]
    return [folder for name in names if (folder := root / "patches" / name).is_dir()]


def patches(package: Package, version: str, root: Path = ROOT) -> list[Path]:
    """Return the patches for a version of a package, in the order in which they apply: by number, over all folders.

    A patch in the folder of a version replaces one of the same name in a more general folder.
    """
    found = {patch.name: patch for folder in patch_folders(package, version, root) for patch in folder.glob("*.patch")}
    every = [found[name] for name in sorted(found) if found[name].stem not in package.lacking]
    return every if package.speedups else [patch for patch in every if not is_for_speed(patch)]


def without_speedups(package: Package) -> Package:
    """Return a package without the patches and files that are only for speed."""
    overlay = {ours: theirs for ours, theirs in package.overlay.items() if ours not in package.only_for_speed}
    return dataclasses.replace(package, overlay=overlay, speedups=False)
