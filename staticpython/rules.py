"""What the facts of the YAML files must fulfil besides having the right keys and types."""

from __future__ import annotations

import dataclasses
import re
import string
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from elftools.elf.enums import ENUM_E_MACHINE

from staticpython.config import (
    FILLED_IN,
    SNAPSHOTS,
    TOOLS_OF_RECIPES,
    Arch,
    Facts,
    Package,
    Release,
    Series,
    check_known,
    of_series,
    patch_folders,
    patches,
    releases_of,
    without_speedups,
)
from staticpython.errors import FactsError, nearest
from staticpython.licences import is_gpl

_MACHINES = [name for name in ENUM_E_MACHINE if name.startswith("EM_")]
# The archives that musl installs.
LIBC = [f"lib{name}.a" for name in ("c", "crypt", "dl", "m", "pthread", "resolv", "rt", "util", "xnet")]


def check_arch(path: Path, arch: Arch) -> None:
    """Raise FactsError for an arch that lacks something, or contradicts itself."""
    check_known(path, "elf_machine", "machine of elf.h", arch.elf_machine, _MACHINES)
    if not 1 <= arch.thread_stack_mib <= 1024:
        raise FactsError(f"{path}: thread_stack_mib: must be from 1 to 1024, not {arch.thread_stack_mib}")
    if not arch.cpus:
        raise FactsError(f"{path}: cpus: name one at least")
    names = list(arch.cpus)
    for i, first in _taken((name, cpu.download) for name, cpu in arch.cpus.items()):
        raise FactsError(f"{path}: cpus.{names[i]}.download: is that of {first}: their archives would have one name")
    _check_glibc_keys(path, arch)
    _check_triples(path, arch)
    _check_emulator(path, arch)


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


def check_series(facts: Facts, root: Path) -> None:
    """Raise FactsError unless one package is CPython, each series has its modules, and one is the default."""
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


def check_facts(facts: Facts, root: Path) -> None:
    """Raise FactsError for facts that contradict each other, or name what there is not."""
    _check_arches(facts.arches, root / "configs")
    _check_references(facts, root)
    _check_packages(facts, root)
    _check_flavours(facts, root)
    _check_modules(facts, root)
    _check_texts(facts, root)
    _check_sources(facts, root)
    _check_cycles(facts.packages, root / "configs/packages")


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
            for needed in module.needs:
                _check_linked(f"{where}: modules.{name}.needs", facts.packages[needed])
            if bool(module.sources) == bool(module.disabled):
                raise FactsError(f"{where}: modules.{name}: give either sources or, with the reason, disabled")


def _check_linked(where: str, package: Package) -> None:
    """Raise FactsError for a package that no program can contain, or not without its licence."""
    if package.build_only or not package.archives:
        raise FactsError(
            f"{where}: {package.name} is no library: its file names no archive in `installs`, or build_only"
        )
    if not package.licence.files and not package.licence.texts:
        raise FactsError(f"{where}: {package.name} is linked, so its file must name licence.files or licence.texts")


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


def check_patches(facts: Facts, root: Path) -> None:
    """Raise FactsError for a patch that no build would apply, or that a series lacks without a reason."""
    for folder in sorted(p for p in (root / "patches").glob("*") if not p.name.startswith(".")):
        if not folder.is_dir():
            raise FactsError(f"{folder}: belongs in the folder of its package")
        if not any(folder.name == n or folder.name.startswith(f"{n}-") for n in facts.packages):
            raise FactsError(f"{folder}: no package of that name{nearest(folder.name, facts.packages)}")
        if not any(
            folder in patch_folders(p, r.version, root) for p in facts.packages.values() for r in releases_of(p)
        ):
            versions = [
                r.version for p in facts.packages.values() for r in releases_of(p) if folder.name.startswith(p.name)
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
