"""What the helpers that make calls know of a target: `build/<target>/plan.json`, written and read here."""

from __future__ import annotations

import dataclasses
import datetime
import json
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staticpython.config import ROOT, Arch, Cpu, Licence, Package, Part, patches
from staticpython.errors import StaticPythonError, UsageError
from staticpython.plan import Plan, Target, fitting_releases


def source_tree(package: Package) -> str:
    """Return the folder of a package's source below build/sources: another package's when nothing is cut out."""
    return package.source_of if package.source_of and not package.subset else package.name


@dataclass(frozen=True)
class PackagePlan:
    """A package of a target. Which release is built, its record in build/fetched says."""

    name: str
    kind: str
    licence: Licence
    parts: dict[str, Part]
    # By release; what is cut out of another package's source has patches, too, but no release.
    patches: dict[str, list[str]]
    source_of: str | None
    source_tree: str
    cflags: list[str]
    configure: list[str]
    trained: bool
    runtime_data: dict[str, str]
    libraries: list[str]
    upstream_name: str | None
    cpe: str | None
    build_only: bool
    installs: list[str]

    @classmethod
    def of(cls, package: Package) -> PackagePlan:
        """Return what is written of a package."""
        versions = dict.fromkeys(r.version for r in fitting_releases(package)) or [""]
        return cls(
            name=package.name,
            kind=package.kind,
            licence=package.licence,
            parts=package.parts,
            patches={v: [str(f.relative_to(ROOT)) for f in patches(package, v)] for v in versions},
            source_of=package.source_of,
            source_tree=source_tree(package),
            cflags=package.cflags,
            configure=package.configure,
            trained=package.trained,
            runtime_data=package.runtime_data,
            libraries=package.libraries,
            upstream_name=package.upstream_name,
            cpe=package.cpe,
            build_only=package.build_only,
            installs=[*package.installs, *package.install_files.values()],
        )


@dataclass(frozen=True)
class TargetPlan:
    """A target, with what it shares with the others: version, date, kind of build."""

    arch: Arch
    cpu: Cpu
    cflags: list[str]  # of every object: the CPU's, the arch's, the position's, -g
    configure_answers: dict[str, str]
    pie: bool
    native: bool
    version: str
    series: str
    release: str
    source_date_epoch: int
    variant: list[str]
    tree: str
    toolchain: str
    profile: str | None
    order: str | None
    library: bool
    speedups: bool
    symbols: bool
    malloc: str
    cflags_core: list[str]
    ldflags_core: list[str]
    modules: list[str]
    packages: list[PackagePlan]

    @classmethod
    def of(cls, plan: Plan, target: Target) -> TargetPlan:
        """Return what is written of a target."""
        return cls(
            arch=target.arch,
            cpu=target.cpu,
            cflags=list(target.cflags),
            configure_answers=target.configure_answers,
            pie=target.pie,
            native=target.native,
            version=plan.version,
            series=plan.series.name,
            release=plan.release,
            source_date_epoch=plan.source_date_epoch,
            variant=plan.variant,
            tree=plan.tree_of(target),
            toolchain=target.toolchain.name,
            profile=target.profile,
            order=target.order,
            library=target.flavour.library,
            speedups=target.speedups,
            symbols=plan.options.symbols,
            malloc=target.malloc,
            cflags_core=list(target.cflags_core),
            ldflags_core=list(target.ldflags_core),
            modules=sorted(target.modules),
            packages=[PackagePlan.of(p) for p in target.packages],
        )

    @property
    def program(self) -> str:
        """The interpreter's place in a tree."""
        return f"bin/python{self.series}"

    @property
    def created(self) -> datetime.datetime:
        """The time of all files built."""
        return datetime.datetime.fromtimestamp(self.source_date_epoch, datetime.timezone.utc)

    def text(self) -> str:
        """Return the file's text."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def read_plan(path: Path) -> TargetPlan:
    """Return what a plan.json says.

    Raises UsageError if it cannot be read, StaticPythonError for what another version of this program wrote.
    """
    try:
        plan: TargetPlan = _value(TargetPlan, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: generate.py writes it") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StaticPythonError(f"{path}: is not of this version ({error!r}): run generate.py again") from None
    return plan


def built(tree: Path, plan: TargetPlan) -> Path:
    """Return the interpreter of a tree; raises UsageError if it is not there."""
    binary = tree / plan.program
    if not binary.is_file():
        raise UsageError(f"{binary}: no such file: run make first")
    return binary


def _value(hint: Any, data: Any) -> Any:
    """Return what JSON holds as the type that a field has."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return None if data is None else _value(arguments[0], data)
    if origin is list:
        return [_value(arguments[0], item) for item in data]
    if origin is dict:
        return {name: _value(arguments[1], item) for name, item in data.items()}
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{name: _value(hints[name], item) for name, item in data.items()})  # type: ignore[operator]
    return data
