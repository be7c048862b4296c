"""The command line of generate.py."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from staticpython.check import SEEN_ELSEWHERE, check
from staticpython.config import ROOT, Arch, Facts, Package, pick
from staticpython.errors import UsageError, nearest, run_main
from staticpython.load import load_facts
from staticpython.plan import Options, Plan, host_arch, make_plan
from staticpython.render import programs, render, write
from staticpython.verify import EMULATORS_DEBIAN


class _Parser(argparse.ArgumentParser):
    """A parser whose messages look like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see --help")


def parser() -> argparse.ArgumentParser:
    """Return the parser of generate.py's options."""
    result = _Parser(
        prog="generate.py",
        allow_abbrev=False,
        description="Render the Makefile that builds a fully static python3. Then run make.",
        epilog="Exit codes: 2 unknown option or name, 3 a mistake in a YAML file or patch.",
    )
    add = result.add_argument
    add(
        "--arch",
        action="append",
        metavar="ARCH",
        help="CPU to build for; may be given more than once, or be 'all' (default: this machine's)",
    )
    add("--cpu", default="", metavar="NAME", help="the oldest CPU that the code must run on (default: see --list)")
    add("--python", default="", metavar="VERSION", help="release series or exact release (default: see --list)")
    add("--toolchain", default="zig", metavar="NAME", help="compiler and linker (default: %(default)s)")
    add(
        "--toolchain-prefix",
        default="",
        metavar="DIR|URL#sha256=HEX",
        help="with --toolchain gcc: the folder of a ready musl cross toolchain, or an archive to download",
    )
    add("--launcher", default="", metavar="NAME", help="compile through ccache, sccache, distcc or icecc")
    add("--with-gpl", action="store_true", help="link GPL libraries: readline instead of libedit, gdbm, dbm.ndbm")
    add(
        "--gcc-libraries",
        action="store_true",
        help="put GCC's shared libraries (libstdc++, libgomp, ...) into the tree, for wheels built for glibc",
    )
    add("--plain", action="store_true", help="no profile, no LTO: a faster build, a slower interpreter")
    add("--symbols", action="store_true", help="compile with debug information, for `make symbols`")
    add(
        "--speedups",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="--no-speedups: leave out patches that are only for speed, to see whether they cause a fault",
    )
    add("--without", action="append", default=[], metavar="NAME", help="leave a module or feature out")
    add(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="of modules that belong to a feature, link only these",
    )
    add(
        "--prefix",
        default="/usr/local",
        metavar="DIR",
        help="where 'make install' copies the tree (default: %(default)s)",
    )
    add(
        "--pie",
        action=argparse.BooleanOptionalAction,
        help="static-PIE, or a fixed address, which starts faster (default: `pie` in configs/ARCH.yml)",
    )
    add("--allocator", default="", metavar="NAME", help="malloc: mimalloc (default) or musl")
    add("--flavour", default="", metavar="NAME", help="another flavour of interpreter: small, for tiny systems")
    add("--profile", dest="flavour", default="", help=argparse.SUPPRESS)  # the old name, for one release
    add("--release", action="append", default=[], metavar="PACKAGE=VERSION", help="use this release of a package")
    add(
        "--output",
        type=Path,
        default=None,
        metavar="DIR",
        help="folder of Makefile, build/ and dist/ (default: this one)",
    )
    add("--mirror", default="", metavar="DIR|URL", help="folder or URL to try first for sources")
    add("--json", action="store_true", help="with --list: as JSON")
    instead = result.add_mutually_exclusive_group().add_argument
    instead("--list", action="store_true", help="list what the options above may name: arches, Pythons, features, ...")
    instead("--missing", action="store_true", help="print the command that installs missing tools for these options")
    instead("--check", action="store_true", help="check all facts and patches, write nothing")
    instead("--dry-run", action="store_true", help="list the files that would be written")
    said = result.add_mutually_exclusive_group().add_argument
    said("-q", "--quiet", action="store_true", help="print only errors")
    said("-v", "--verbose", action="store_true", help="name each file written")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Run generate.py; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_main(lambda: _run(_parsed(given)))


def _parsed(given: list[str]) -> argparse.Namespace:
    """Return the options; raises UsageError for one that does not exist, with the nearest one that does."""
    known = parser()
    options, unknown = known.parse_known_args(given)
    if unknown:
        names = re.findall(r"--[a-z][a-z-]+", known.format_help())
        raise UsageError(f"unknown option {unknown[0]}{nearest(unknown[0].partition('=')[0], names)}; see --help")
    return options


def _run(options: argparse.Namespace) -> int:
    if options.json and not options.list:
        raise UsageError("--json goes with --list")
    options.prefix = _prefix(options.prefix)
    facts = load_facts(with_patches=False) if options.list else load_facts()
    if options.list:
        print(_listing(facts, as_json=options.json))
        return 0
    options.python = options.python or facts.default_series  # the Makefile keeps it
    options.arch = _arches(options.arch or [], facts)
    plan = make_plan(facts, _plan_options(options, facts))
    if options.missing:
        if words := dict.fromkeys(" ".join(missing_programs(plan).values()).split()):
            print("apt-get install", *words)
        return 0
    output = (options.output or ROOT).resolve()
    _check_for_make(output)
    files = render(plan, output, _replay(options))
    if options.check:
        patches = check(facts, lambda given: make_plan(facts, _plan_options(_parsed(given), facts)))
        if not options.quiet:
            print(
                f"{len(facts.packages)} packages, {len(facts.arches)} arches,"
                f" {len(plan.series.modules)} modules, {patches}: all well"
            )
            print(SEEN_ELSEWHERE)
        return 0
    if options.dry_run:
        for path, text in sorted(files.items()):
            current = output / path
            if not current.exists() or current.read_bytes() != text.encode():
                print(path)
        return 0
    try:
        written = write(files, output)
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be written: {error.strerror}") from None
    if options.verbose:
        for path in written:
            print(path)
    if not options.quiet:
        print(_summary(plan, changed=bool(written)))
        for program, debian in missing_programs(plan).items():
            print(f"warning: {_without(plan, program)}; Debian and Ubuntu: apt-get install {debian}", file=sys.stderr)
    return 0


def _arches(given: list[str], facts: Facts) -> list[str]:
    """Return our names of the arches that --arch names; `all` stays. Raises UsageError for an unknown one."""
    names = facts.arch_names | {"all": "all"}
    for name in given:
        pick("arch", name, names)
    return list(dict.fromkeys(names[name] for name in given))


def _plan_options(options: argparse.Namespace, facts: Facts) -> Options:
    arches = options.arch or [host_arch(facts)]
    if "all" in arches:
        arches = list(facts.arches)
    return Options(
        arches=tuple(dict.fromkeys(arches)),
        cpu=options.cpu,
        python=options.python,
        toolchain=options.toolchain,
        toolchain_prefix=_toolchain_prefix(options.toolchain_prefix),
        launcher=options.launcher,
        with_gpl=options.with_gpl,
        without=tuple(options.without),
        only=tuple(options.only),
        prefix=options.prefix,
        mirror=_mirror(options.mirror),
        pie=options.pie,
        allocator=options.allocator,
        flavour=options.flavour,
        releases=tuple(options.release),
        plain=options.plain,
        symbols=options.symbols,
        speedups=options.speedups,
        gcc_libraries=options.gcc_libraries,
    )


def _toolchain_prefix(given: str) -> str:
    """Return the prefix as make needs it; raises UsageError if the folder or the hash is missing."""
    if "://" in given:
        if not re.fullmatch(r"[^'#]+#sha256=[0-9a-f]{64}", given):
            raise UsageError(f"--toolchain-prefix {given}: a URL ends with #sha256= and 64 hexadecimal digits")
        return given
    if given and not (Path(given) / "bin").is_dir():
        raise UsageError(f"--toolchain-prefix {given}: no folder bin/ in it")
    if given:
        _check_for_make(Path(given).resolve())
    return str(Path(given).resolve()) if given else ""


def _check_for_make(folder: Path) -> None:
    if any(c.isspace() or c in ":#$%'" for c in str(folder)):
        raise UsageError(f"{folder}: make does not support paths with spaces or one of : # $ % '")


def _mirror(given: str) -> str:
    """Return the mirror as an absolute path or URL; raises UsageError if the folder is missing."""
    if "://" in given:
        if not re.fullmatch(r"https?://[^\s'#$]+", given):
            raise UsageError(f"--mirror {given}: an address begins with http:// or https:// and has no blank, ' # $")
        return given
    if given and not Path(given).is_dir():
        raise UsageError(f"--mirror {given}: no such folder")
    return _value("--mirror", str(Path(given).resolve())) if given else ""


def _value(option: str, text: str) -> str:
    """Return the value of a variable in the Makefile; raises UsageError if the rules cannot quote it."""
    if any(c in "#$'\n" for c in text):
        raise UsageError(f"{option} {text}: make does not support # $ ' in it")
    return text


def _prefix(given: str) -> str:
    """Return the prefix; raises UsageError if it is no absolute path or make cannot use it."""
    if not Path(given).is_absolute():
        raise UsageError(f"--prefix '{given}': name a folder by its absolute path, such as /usr/local")
    return _value("--prefix", str(Path(given)))


def _replay(options: argparse.Namespace) -> list[str]:
    """Return the arguments with which the Makefile renders itself again."""
    words = [f"--arch={a}" for a in options.arch or []]
    words += [f"--cpu={options.cpu}"] if options.cpu else []
    words += [f"--python={options.python}", f"--toolchain={options.toolchain}", f"--prefix={options.prefix}"]
    prefix = _toolchain_prefix(options.toolchain_prefix)
    words += [f"--toolchain-prefix={prefix}"] if prefix else []
    words += [f"--launcher={options.launcher}"] if options.launcher else []
    words += ["--with-gpl"] if options.with_gpl else []
    words += ["--gcc-libraries"] if options.gcc_libraries else []
    words += ["--plain"] if options.plain else []
    words += ["--symbols"] if options.symbols else []
    words += [] if options.speedups else ["--no-speedups"]
    words += [] if options.pie is None else ["--pie" if options.pie else "--no-pie"]
    words += [f"--without={n}" for n in options.without] + [f"--only={n}" for n in options.only]
    words += [f"--allocator={options.allocator}"] if options.allocator else []
    words += [f"--flavour={options.flavour}"] if options.flavour else []
    words += [f"--release={word}" for word in options.release]
    words += [f"--output={options.output.resolve()}"] if options.output else []
    words += [f"--mirror={_mirror(options.mirror)}"] if options.mirror else []
    return words


def _summary(plan: Plan, *, changed: bool) -> str:
    lines = [
        f"{t.name:10} dist/{plan.tree_of(t)}  {len(t.modules)} modules linked"
        f"{'' if t.native else ', cross'}, toolchain {t.toolchain.name}"
        for t in plan.targets
    ]
    return "\n".join([*lines, f"Makefile {'written' if changed else 'unchanged'}; now run: make"])


def missing_programs(plan: Plan) -> dict[str, str]:
    """Return the compilers and emulators that this machine lacks, each with Debian's packages of it."""
    needed: dict[str, str] = {}
    for target in plan.targets:
        needed |= programs(target)
        needed |= {} if target.native else {target.arch.emulator: EMULATORS_DEBIAN}
    return {program: debian for program, debian in needed.items() if not shutil.which(program)}


def _without(plan: Plan, program: str) -> str:
    """Return what the lack of a program means for the build."""
    emulated = [t.name for t in plan.targets if not t.native and t.arch.emulator == program]
    if not emulated:
        return f"no {program} in PATH: the build will stop when it needs it"
    return f"no {program} in PATH: {emulated[0]} is built, but not started or tested here"


def _version(package: Package) -> str:
    return package.releases[0].version if package.releases else f"part of {package.source_of}"


def _matrix(facts: Facts) -> list[dict[str, str]]:
    """Return the supported pairs that CI can build, each with Debian's packages for its toolchain."""
    return [
        {"arch": pair.arch, "toolchain": pair.toolchain, "debian": " ".join(facts.toolchains[pair.toolchain].debian)}
        for pair in facts.supported
        if not facts.toolchains[pair.toolchain].from_prefix
    ]


def _described(arch: Arch) -> str:
    """Return an arch's triple, its CPUs and its other names."""
    also = f"  (also {', '.join(arch.also)})" if arch.also else ""
    return f"{arch.triple}  {' '.join(arch.cpus)}{also}"


def _listing(facts: Facts, *, as_json: bool) -> str:
    features: dict[str, list[str]] = {}
    for series in facts.series.values():
        for name, module in sorted(series.modules.items()):
            if module.feature and name not in features.setdefault(module.feature, []):
                features[module.feature].append(name)
    data = {
        "arches": {a.name: _described(a) for a in facts.arches.values()},
        "pythons": [version for s in facts.series.values() for version in s.full_versions],
        "toolchains": {t.name: t.summary for t in facts.toolchains.values()},
        "launchers": {launcher.name: launcher.summary for launcher in facts.launchers.values()},
        "flavours": {flavour.name: flavour.summary for flavour in facts.flavours.values()},
        "packages": {p.name: f"{_version(p)}  {p.licence.spdx}  {p.summary}" for p in facts.packages.values()},
        "features": {name: " ".join(modules) for name, modules in sorted(features.items())},
    }
    if as_json:
        return json.dumps({**data, "release": facts.release.stamp, "matrix": _matrix(facts)}, indent=2)
    lines = []
    for title, entries in data.items():
        lines.append(f"{title}:")
        pairs = entries.items() if isinstance(entries, dict) else ((e, "") for e in entries)
        lines += [f"  {name:15} {text}".rstrip() for name, text in pairs]
    return "\n".join(lines)
