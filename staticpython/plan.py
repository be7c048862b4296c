"""Decisions: from facts and the user's options to a plan, which is then rendered."""

from __future__ import annotations

import dataclasses
import datetime
import platform
from dataclasses import dataclass
from pathlib import Path

from staticpython.config import (
    ALLOCATORS,
    ROOT,
    Arch,
    Cpu,
    Facts,
    Flavour,
    Launcher,
    Module,
    Optimisation,
    Package,
    Release,
    Series,
    Toolchain,
    of_series,
    patches,
    pick,
    without_speedups,
)
from staticpython.errors import FactsError, UsageError


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    arches: tuple[str, ...]
    cpu: str = ""
    python: str = ""
    toolchain: str = "zig"
    toolchain_prefix: str = ""
    launcher: str = ""
    with_gpl: bool = False
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    prefix: str = "/usr/local"
    mirror: str = ""
    pie: bool | None = None
    allocator: str = ""
    flavour: str = ""
    releases: tuple[str, ...] = ()
    plain: bool = False
    symbols: bool = False
    speedups: bool = True
    gcc_libraries: bool = False


@dataclass(frozen=True)
class Source:
    """A source tree that all targets share: a package with its release and its patches."""

    package: Package
    release: Release | None
    patches: tuple[Path, ...]
    cut_from: str | None

    @property
    def name(self) -> str:
        """The package's name, which is also the tree's."""
        return self.package.name

    @property
    def folder(self) -> str:
        """The tree's folder below build/sources: another package's if it is used as it is."""
        return self.package.name if self.has_own_tree or self.cut_from is None else self.cut_from

    @property
    def has_own_tree(self) -> bool:
        """Whether the package has its own source tree."""
        return self.cut_from is None or bool(self.package.subset)


@dataclass(frozen=True)
class Target:
    """One interpreter to build."""

    arch: Arch
    cpu: Cpu
    pie: bool
    toolchain: Toolchain
    launcher: Launcher | None
    cflags: tuple[str, ...]  # of every object: for CPU, ABI, position, debug information
    configure_answers: dict[str, str]
    native: bool
    build_machine: str
    packages: tuple[Package, ...]
    sysroot_base: frozenset[str]
    modules: dict[str, Module]
    test_modules: dict[str, Module]
    disabled: tuple[str, ...]
    replaced: dict[str, str]
    malloc: str
    speedups: bool
    flavour: Flavour
    profile: str | None
    order: str | None
    cflags_core: tuple[str, ...]
    cflags_library: tuple[str, ...]
    ldflags_core: tuple[str, ...]

    @property
    def name(self) -> str:
        """The arch's name; the folders in build/ and logs/ have it too."""
        return self.arch.name

    @property
    def interpreter(self) -> Package:
        """The interpreter's package, with what its series adds."""
        return next(p for p in self.packages if p.kind == "cpython")

    def needs(self, package: Package) -> list[str]:
        """Return the packages of this target that must be installed before `package` is configured."""
        here = {p.name for p in self.packages}
        if package.kind == "cpython":
            return sorted(p.name for p in self.packages if p.kind not in ("data", "cpython"))
        base: set[str] = set() if package.name in self.toolchain.builds else set(self.toolchain.builds)
        base |= set() if package.name in self.sysroot_base else self.sysroot_base
        return sorted(here & ({self.replaced.get(n, n) for n in package.needs} | base))


@dataclass(frozen=True)
class Plan:
    """Everything that is rendered."""

    options: Options
    series: Series
    version: str
    date: str
    release: str
    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    trainers: tuple[str, ...]

    @property
    def name(self) -> str:
        """The version with the series' ABI flags: `3.14.7t`."""
        return self.series.full_version(self.version)

    @property
    def source_date_epoch(self) -> int:
        """The second in which the date begins: the time of all files built (reproducible-builds.org)."""
        return int(datetime.datetime.fromisoformat(self.date).replace(tzinfo=datetime.timezone.utc).timestamp())

    def tree_of(self, target: Target) -> str:
        """Return the name of a target's finished tree below dist/, such as `cpython-3.13.15-x86_64-linux-musl`."""
        return f"cpython-{self.name}-{target.arch.triple}"

    @property
    def variant(self) -> list[str]:
        """The differences from the usual interpreter, as words in the names of archives."""
        freethreaded = ["freethreaded"] if self.series.abi_flags else []
        added = [
            word for word, wanted in (("gpl", self.options.with_gpl), ("gcclibs", self.options.gcc_libraries)) if wanted
        ]
        return [*freethreaded, *filter(None, [self.options.flavour]), *added]


def host_machine() -> str:
    """Return this machine's CPU as `uname -m` names it."""
    return platform.machine()


def fitting_releases(package: Package) -> list[Release]:
    """Return a package's releases that are for this machine, preferred first."""
    return [r for r in package.releases if r.host in (None, host_machine())]


def host_arch(facts: Facts) -> str:
    """Return this machine's arch; raises UsageError if there is none."""
    machine = host_machine()
    fitting = [a.name for a in facts.arches.values() if machine in a.native_on]
    if not fitting:
        raise UsageError(f"no arch for this machine ({machine}); give --arch (known: {', '.join(facts.arches)})")
    # A 64-bit kernel also runs 32-bit programs; the machine's own arch has its name.
    return machine if machine in fitting else fitting[0]


def make_plan(facts: Facts, options: Options) -> Plan:
    """Turn the facts and the user's options into a plan; raises UsageError for unknown names."""
    for arch in options.arches:
        pick("arch", arch, facts.arches)
    if options.cpu:
        pick("cpu", options.cpu, [cpu for arch in options.arches for cpu in facts.arches[arch].cpus])
    flavour = _choose_flavour(facts, options)
    if not options.speedups:
        if options.allocator not in ("", "musl"):
            raise UsageError(f"--allocator {options.allocator} excludes --no-speedups: it is only for speed")
        facts = dataclasses.replace(facts, packages={n: without_speedups(p) for n, p in facts.packages.items()})
        flavour = dataclasses.replace(flavour, allocator="musl", library=False)
    options = dataclasses.replace(
        options, allocator=options.allocator or flavour.allocator, without=(*options.without, *flavour.without)
    )
    pick("allocator", options.allocator, list(ALLOCATORS))
    pick("toolchain", options.toolchain, list(facts.toolchains))
    if options.launcher:
        pick("launcher", options.launcher, list(facts.launchers))
    if facts.toolchains[options.toolchain].from_prefix != bool(options.toolchain_prefix):
        ready = [t.name for t in facts.toolchains.values() if t.from_prefix]
        if not options.toolchain_prefix:
            raise UsageError(
                f"--toolchain {options.toolchain} needs --toolchain-prefix: a folder, or an archive's address"
            )
        raise UsageError(f"--toolchain-prefix needs --toolchain {' or '.join(ready)}")
    series, facts = _choose_python(choose_releases(facts, options.releases), options.python)
    _check_modules(facts, series)
    targets = tuple(_make_target(facts, options, flavour, series, facts.arches[a]) for a in options.arches)
    for target in targets:
        _check_licences(target, options)
    toolchain = facts.toolchains[options.toolchain]
    wanted = {p.name for t in targets for p in t.packages} | ({toolchain.package} if toolchain.package else set())
    wanted |= {s for n in wanted if (s := facts.packages[n].source_of)}
    wanted |= {tree for n in wanted for tree in facts.packages[n].trees.values()}
    sources = tuple(_make_source(facts.packages[n]) for n in sorted(wanted))
    version = next(s.release.version for s in sources if s.package.kind == "cpython" and s.release)
    trainers = tuple(t.name for t in facts.toolchains.values() if t.profile_generate)
    # One date for all builds: the libraries are the same for every series.
    date = max(s.date for s in facts.series.values())
    return Plan(options, series, version, date, facts.release.stamp, sources, targets, trainers)


def _check_modules(facts: Facts, series: Series) -> None:
    """Raise FactsError for a module with `gpl: true` that needs no package under the GPL."""
    for name, module in series.modules.items():
        if module.gpl and not any(facts.packages[n].licence.gpl for n in _closure(facts, module.needs)):
            raise FactsError(
                f"{series.modules_file}: modules.{name}.gpl: nothing that it needs is under the GPL"
                f" (needs: {', '.join(module.needs) or 'nothing'})"
            )


def _check_licences(target: Target, options: Options) -> None:
    """Raise FactsError if a package under the GPL is linked or shipped without --with-gpl."""
    if options.with_gpl:
        return
    for package in target.packages:
        # The licence of a compiler does not extend to its output, nor that of a loaded library to the program.
        if package.licence.gpl and package.kind != "cross-tool" and not package.libraries:
            users = [n for n, m in target.modules.items() if package.name in m.needs]
            users += [p.name for p in target.packages if package.name in p.needs]
            raise FactsError(
                f"configs/packages/{package.name}.yml: licence.spdx: {package.licence.spdx}: linked only with"
                f" --with-gpl, but {', '.join(sorted(users)) or 'the build'} needs it: mark the module with"
                " `gpl: true`, so that it is left out, or generate with --with-gpl"
            )


def _choose_flavour(facts: Facts, options: Options) -> Flavour:
    """Return the flavour that --flavour names; by default the fast one."""
    if not options.flavour:
        return Flavour(name="", summary="")
    pick("flavour", options.flavour, list(facts.flavours))
    return facts.flavours[options.flavour]


def choose_releases(facts: Facts, wanted: tuple[str, ...]) -> Facts:
    """Return the facts with only the wanted release of each package in `wanted` (`package=version`).

    Raises UsageError for an unknown package or version.
    """
    packages = dict(facts.packages)
    for word in wanted:
        name, _, version = word.partition("=")
        pick("package", name, list(packages))
        if not version:
            raise UsageError(f"--release {word}: write it as PACKAGE=VERSION")
        if [other for other in wanted if other.startswith(f"{name}=") and other != word]:
            raise UsageError(f"--release: more than one of {name}")
        if not packages[name].releases:
            raise UsageError(f"--release {word}: it has none of its own: it is part of {packages[name].source_of}")
        releases = [r for r in packages[name].releases if r.version == version]
        if not releases:
            pick(f"release of {name}", version, [r.version for r in packages[name].releases])
        packages[name] = dataclasses.replace(packages[name], releases=releases)
    return dataclasses.replace(facts, packages=packages)


def _choose_python(facts: Facts, wanted: str) -> tuple[Series, Facts]:
    """Find the series for a series' name or exact version; return it, and the facts with only that release."""
    wanted = wanted or facts.default_series
    every = {version: s for s in facts.series.values() for version in s.full_versions}
    pick("Python", wanted, [*facts.series, *every])
    series = facts.series.get(wanted) or every[wanted]
    cpython = of_series(facts.cpython, series)
    releases = [r for r in cpython.releases if wanted in (series.full_version(r.version), series.name)]
    if not releases:
        raise UsageError(f"Python {wanted}: --release names another release: name it with --python only")
    only = dataclasses.replace(cpython, releases=releases[:1])
    return series, dataclasses.replace(facts, packages=facts.packages | {cpython.name: only})


def _make_target(facts: Facts, options: Options, flavour: Flavour, series: Series, arch: Arch) -> Target:
    modules = _choose_modules(series, options)
    test_modules = {n: m for n, m in series.modules.items() if m.test}
    toolchain = facts.toolchains[options.toolchain]
    base = frozenset(_closure(facts, [*toolchain.builds, *toolchain.needs]))
    replaced = {p.name: p.replaced_by for p in facts.packages.values() if p.replaced_by and options.with_gpl}
    roots = [replaced.get(n) or n for m in modules.values() for n in m.needs]
    names = _closure(facts, [*toolchain.builds, *toolchain.needs, *roots])
    always = [p.name for p in facts.packages.values() if p.runtime_data or p.kind == "cpython"]
    if options.gcc_libraries:
        if not arch.glibc_cflags:
            raise UsageError(f"--gcc-libraries: libraries built for glibc cannot be loaded on {arch.name}")
        always += arch.gcc_libraries
    interpreter = facts.cpython
    if toolchain.preserve_none and arch.preserve_none:
        interpreter = dataclasses.replace(interpreter, configure=[*interpreter.configure, *series.tail_calls])
    chosen = facts.packages | {interpreter.name: interpreter}
    for name, arguments in arch.configure.items():
        chosen[name] = dataclasses.replace(chosen[name], configure=[*chosen[name].configure, *arguments])
    packages = tuple(chosen[n] for n in [*names, *(n for n in always if n not in names)])
    fast = Optimisation() if options.plain else toolchain.optimisation
    if not options.speedups:  # the profile fits only the patched sources
        fast = dataclasses.replace(fast, profile_use=[], profile_ldflags=[], data_ldflags=[])
    profile = series.profile if fast.profile_use else None
    order = series.order if fast.profile_ldflags else None
    pie = arch.pie if options.pie is None else options.pie
    cpu = arch.cpus.get(options.cpu) or next(iter(arch.cpus.values()))
    return Target(
        arch=arch,
        cpu=cpu,
        pie=pie,
        toolchain=toolchain,
        launcher=facts.launchers[options.launcher] if options.launcher else None,
        cflags=(*cpu.cflags, *arch.cflags, *(() if pie else ("-fno-pie",)), *(("-g",) if options.symbols else ())),
        configure_answers=arch.configure_answers | cpu.configure_answers,
        native=host_machine() in arch.native_on,
        build_machine=host_machine(),
        packages=packages,
        sysroot_base=base,
        modules=modules,
        test_modules=test_modules,
        disabled=tuple(sorted(set(series.modules) - set(modules) - set(test_modules))),
        replaced={n: r for n, r in replaced.items() if r},
        malloc=ALLOCATORS[options.allocator],
        speedups=options.speedups,
        # _staticpython/freeze.py writes the library's code for little-endian CPUs.
        flavour=flavour
        if arch.byte_order == "little" and series.library
        else dataclasses.replace(flavour, library=False),
        profile=profile,
        order=order,
        cflags_core=(*_with_trained(fast.profile_use, "profile", profile), *fast.lto_cflags),
        # Libraries compile at several depths of folders, so the path is absolute; none of them stores its flags.
        cflags_library=(
            *_with_trained(fast.profile_use, "profile", profile, "$(TOP)/build/profiles"),
            *fast.lto_cflags,
        ),
        ldflags_core=(
            *_with_trained(fast.profile_ldflags, "order", order),
            *(f.format(source=f"../../sources/{interpreter.name}") for f in fast.data_ldflags if pie),
            *(fast.lto_ldflags + arch.lto_ldflags if fast.lto_cflags else []),
        ),
    )


def _with_trained(flags: list[str], name: str, file: str | None, folder: str = "../../profiles") -> list[str]:
    """Return the flags that use a file from training; without a file, none."""
    return [f.format(**{name: f"{folder}/{unpacked(file)}"}) for f in flags] if file else []


def unpacked(file: str) -> str:
    """Return the name of a file from training below build/profiles."""
    return Path(file).name.removesuffix(".xz")


def _closure(facts: Facts, names: list[str]) -> list[str]:
    """Return packages and everything that they need, each after its needs."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name not in ordered:
            for need in facts.packages[name].needs:
                visit(need)
            ordered.append(name)

    for name in names:
        visit(name)
    return ordered


def _choose_modules(series: Series, options: Options) -> dict[str, Module]:
    """Return the modules to link, by name."""
    features = {m.feature for m in series.modules.values() if m.feature}
    for name in (*options.without, *options.only):
        pick("module or feature", name, [*series.modules, *features])
    if both := sorted(set(options.only) & set(options.without)):
        raise UsageError(f"--only {both[0]}: left out by --without or by the flavour")

    def named(name: str, module: Module, names: tuple[str, ...]) -> bool:
        return name in names or module.feature in names

    def wanted(name: str, module: Module) -> bool:
        if (
            module.disabled
            or module.test
            or (module.gpl and not options.with_gpl)
            or named(name, module, options.without)
        ):
            return False
        # Modules without a feature are small, and the standard library itself needs them.
        return not options.only or module.feature is None or named(name, module, options.only)

    return {n: m for n, m in series.modules.items() if wanted(n, m)}


def _make_source(package: Package) -> Source:
    if package.source_of:
        return Source(package, None, tuple(patches(package, "", ROOT)), package.source_of)
    fitting = fitting_releases(package)
    if not fitting:
        raise UsageError(f"package {package.name}: no release for this machine ({host_machine()})")
    every = [p for r in fitting for p in patches(package, r.version, ROOT)]
    return Source(package, fitting[0], tuple(dict.fromkeys(every)), None)
