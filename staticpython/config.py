"""The facts: what each kind of YAML file may contain. `load` reads them, `rules` checks them against each other."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.enums import ENUM_E_MACHINE

from staticpython import ROOT as ROOT
from staticpython import forms
from staticpython.errors import FactsError, UsageError, nearest
from staticpython.licences import is_gpl
from staticpython.patch_headers import is_for_speed
from staticpython.schema import key

KINDS = ("configure", "make", "copy", "zig-object", "cross-tool", "cross-runtime", "data", "cpython")
# Besides the arch's keys, what a package's texts are filled in with (render.fill).
FILLED_IN = ("sysroot", "cross", "line_editor", "allocator", "hidden")
TOOLS_OF_RECIPES = ("cc", "c++", "ar", "ranlib")
# It has everything that Debian ever had, and is slow: fetch asks it last.
SNAPSHOTS = "https://snapshot.debian.org/"
HOST_STYLES = ("gnu", "target", "none")
# The name of a malloc -> its folder below musl's src/malloc.
ALLOCATORS = {"mimalloc": "mimalloc", "musl": "mallocng"}


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
    linux_headers: str = key(
        "The kernel's name for the arch, as in Zig's `<name>-linux-any` header folders.", form=forms.NAME
    )
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
    also: list[str] = key("Other names of the arch, which `--arch` takes as well.", default=[], form=forms.NAME)
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
    configure_script: str = key("Name of the configure script.", default="configure", form=forms.INSIDE)
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


def check_known(where: Path, where_key: str, what: str, name: str, known: Collection[str]) -> None:
    """Raise FactsError if `name` is not in `known`, with the nearest name."""
    if name not in known:
        # A standard has hundreds of names: name only the nearest.
        every = f" (known: {', '.join(sorted(known))})" if len(known) < 100 else ""
        raise FactsError(f"{where}: {where_key}: no {what} '{name}'{nearest(name, known)}{every}")


def releases_of(package: Package) -> list[Release]:
    """Return a package's releases; one without a version for a package that has no source."""
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
