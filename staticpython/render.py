"""Rendered files: the Makefile and the files that it needs for each target. Only changed files are written."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from staticpython.config import ROOT, Arch, Package
from staticpython.errors import FactsError
from staticpython.plan import Plan, Source, Target, unpacked
from staticpython.setup_local import render_setup_local
from staticpython.target_plan import TargetPlan, source_tree

FACT_GLOBS = (
    "Makefile.in",
    "make/*.in",
    "make/recipes/*.in",
    "generate.py",
    "configs/*.yml",
    "configs/*/*.yml",
    "setup_local/*.yml",
    "patches/*/*.patch",
    # A folder is newer when a file was removed from it.
    "configs/",
    "configs/*/",
    "patches/*/",
    "setup_local/",
    "staticpython/*.py",
    "staticpython/templates/*",
)


@dataclass(frozen=True)
class SourceView:
    """A source as the template sees it."""

    source: Source
    release: Any
    files: tuple[str, ...]
    only: str
    series: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    @property
    def unpacked_with(self) -> dict[str, str]:
        """What unpacking does besides patching, by the YAML key: as a part of the recipe, a change unpacks again."""
        package = self.source.package
        found = {
            "releases.inner": self.release and self.release.inner,
            "subset": package.subset,
            "overlay": list(package.overlay.values()),
            "trees": package.trees,
            "autoreconf": package.autoreconf,
            "configure_script": package.configure_script if package.kind == "configure" else "",
            "licence.files": package.licence.files,
        }
        return {name: json.dumps(value) for name, value in found.items() if value}


@dataclass(frozen=True)
class TrainingFile:
    """A file from training: its path here, and its name below build/profiles."""

    packed: str

    @property
    def unpacked(self) -> str:
        """The name of the file for compiler or linker."""
        return unpacked(self.packed)


@dataclass(frozen=True)
class TargetView:
    """A target as the template sees it."""

    target: Target
    tree: str
    wrappers: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    @property
    def profile(self) -> TrainingFile | None:
        """The trained profile that this target uses."""
        return TrainingFile(self.target.profile) if self.target.profile else None

    @property
    def training_files(self) -> list[TrainingFile]:
        """The files from training that this target uses."""
        return [TrainingFile(f) for f in (self.target.profile, self.target.order) if f]

    @property
    def folder(self) -> str:
        """The folder of all files that are built for this target only."""
        return f"build/{self.target.name}"

    @property
    def plan(self) -> str:
        """The file that describes this target for the helpers."""
        return f"{self.folder}/plan.json"

    @property
    def env(self) -> str:
        """The environment, as words before a command that compiles for the target."""
        return f"$({self.target.name}_ENV)"

    @property
    def build_env(self) -> str:
        """The environment, as words before a command that compiles for this machine."""
        return f"$({self.target.name}_BUILD_ENV)"

    @property
    def sysroot(self) -> str:
        """The folder of headers and libraries."""
        return f"$({self.target.name}_SYSROOT)"

    @property
    def emulate(self) -> str:
        """The words before a command that starts the target's programs."""
        return "" if self.target.native else f"$(TOOL)emulate --plan {self.plan} "

    @property
    def compiler_source(self) -> str:
        """The stamp of the package that contains the toolchain, if any."""
        package = self.target.toolchain.package
        return f"build/sources/{package}.stamp" if package else ""

    @property
    def data_sources(self) -> str:
        """The stamps of packages that are data of the interpreter's own code, or are copied into the tree."""
        added = self.target.arch.gcc_libraries
        return each(
            [source_tree(p) for p in self.target.packages if p.runtime_data or p.name in added],
            "build/sources/",
            ".stamp",
        )

    @property
    def built(self) -> list[str]:
        """Names of the packages with a recipe, each after its needs."""
        return [p.name for p in self.target.packages if p.kind != "data"]

    @property
    def programs(self) -> dict[str, str]:
        """The programs in PATH that toolchain and launcher use, each with Debian's packages of it."""
        return programs(self.target)

    @property
    def trains(self) -> bool:
        """Whether `make profile` can train this target's interpreter."""
        return self.target.native and self.target.speedups and bool(self.target.toolchain.profile_generate)

    @property
    def cpython(self) -> Package:
        """The interpreter's package."""
        return self.target.interpreter

    @property
    def exported(self) -> list[str]:
        """The archives whose functions loaded libraries can use."""
        return [archive for p in self.target.packages if p.exported for archive in p.archives]

    def has(self, name: str) -> bool:
        """Whether a package is part of this target."""
        return any(p.name == name for p in self.target.packages)

    def host_arguments(self, package: Package) -> list[str]:
        """Return configure's arguments for the triple. A build for this machine is no cross build."""
        triple = self.target.arch.triple
        build = triple if self.target.native else f"{self.target.build_machine}-build-linux-gnu"
        styles = {"gnu": [f"--build={build}", f"--host={triple}"], "target": [f"--target={triple}"], "none": []}
        return styles[package.host_style]


def programs(target: Target) -> dict[str, str]:
    """Return the programs in PATH that toolchain and launcher use, each with Debian's packages of it."""
    toolchain, launcher = target.toolchain, target.launcher
    words = [command.split()[0] for command in [*toolchain.tools.values(), *toolchain.build_tools.values()]]
    found = {word: " ".join(toolchain.debian) for word in sorted(set(words)) if "{" not in word}
    return found | ({launcher.name: launcher.debian} if launcher else {})


def render(plan: Plan, output: Path, arguments: list[str], python: str = sys.executable) -> dict[Path, str]:
    """Return every generated file's path (below `output`) and text; raises FactsError for a mistake in a template."""
    try:
        files = _render(plan, output, arguments, python)
    except jinja2.TemplateError as error:
        raise FactsError(f"{_place_in_template(error)}: {error.message}") from None
    for path in (Path("Makefile"), *(path for path in files if path.parent.name == "recipes")):
        _check_tabs(path, files[path])
    return files


def _place_in_template(error: jinja2.TemplateError) -> str:
    """Return file and line of a mistake: jinja's frames in the traceback have a template's."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.endswith(".py")]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "a template"


def _check_tabs(path: Path, makefile: str) -> None:
    """Raise FactsError for a line that begins with a blank: for make, a command begins with a tab."""
    if line := re.search(r"(?m)^ .*\S", makefile):
        raise FactsError(f"{path}, from Makefile.in and make/: a command begins with a tab, not with blanks:{line[0]}")


def _render(plan: Plan, output: Path, arguments: list[str], python: str) -> dict[Path, str]:
    generated = "Generated by generate.py; do not edit: the facts are in configs/, setup_local/ and Makefile.in."
    environment = _environment()
    files: dict[Path, str] = {}
    views = []
    for target in plan.targets:
        own = _render_target(plan, target, environment, generated)
        files |= own
        wrappers = tuple(sorted(str(p) for p in own if p.parent.name == "bin"))
        views.append(TargetView(target, plan.tree_of(target), wrappers))
    sources = [_source_view(s, plan.series.name) for s in plan.sources]
    environment.globals |= {
        "options": plan.options,
        "series": plan.series.name,
        "sources_of": {s.name: s for s in sources},
    }
    # A recipe is a prerequisite of its package, so the package is rebuilt only if the recipe's own text changes.
    recipes = _recipes(environment, sources, views)
    makefile = environment.get_template("Makefile.in").render(
        generated=generated,
        project="." if output.resolve() == ROOT else str(ROOT),
        python=python,
        arguments=shlex.join(arguments),
        source_date_epoch=plan.source_date_epoch,
        sources=sources,
        targets=views,
        trees=[f"dist/{t.tree}" for t in views],
        plans=" ".join(t.plan for t in views),
        trainers=plan.trainers,
        training_files=sorted({f for t in views for f in t.training_files}, key=lambda f: f.packed),
        packages=sorted({name for t in views for name in t.built}),
        fact_globs=FACT_GLOBS,
        recipes=recipes,
    )
    return files | {Path("Makefile"): makefile} | {Path(path): text for path, text in recipes.items()}


def _recipes(environment: jinja2.Environment, sources: list[SourceView], targets: list[TargetView]) -> dict[str, str]:
    """Return the rules that build one thing each, by the path of the file that contains only that rule."""

    def recipe(template: str, **facts: Any) -> str:
        return environment.get_template(f"recipes/{template}.mk.in").render(**facts)

    found = {f"build/recipes/{s.name}": recipe("source", source=s) for s in sources if s.has_own_tree}
    if not all(t.native for t in targets):
        found["build/recipes/build-python"] = recipe("build-python", t=targets[0])
    for t in targets:
        found[f"{t.folder}/recipes/toolchain"] = recipe("toolchain", t=t)
        for package in (p for p in t.packages if p.name in t.built):
            template = "cpython" if package.kind == "cpython" else "package"
            found[f"{t.folder}/recipes/{package.name}"] = recipe(template, t=t, package=package)
    return found


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([ROOT, ROOT / "make", ROOT / "staticpython/templates"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        comment_start_string="<#",  # the shell's ${#x} would open jinja's default comment
        comment_end_string="#>",
    )
    environment.filters |= {f.__name__: f for f in (fill, quote, words, assign, each)}
    environment.filters["basename"] = lambda path: Path(path).name
    return environment


def each(names: Iterable[str], before: str = "", after: str = "") -> str:
    """Return names for the end of a line, with a blank before each."""
    return "".join(f" {before}{name}{after}" for name in names)


def words(texts: Iterable[str], target: TargetView) -> str:
    """Return texts from the YAML files, filled in, as words for the end of a command."""
    return each(quote(fill(text, target)) for text in texts)


def assign(variables: dict[str, str], target: TargetView) -> str:
    """Return variables for the environment of a command: texts from the YAML files, filled in."""
    return each(f"{name}={quote(fill(value, target))}" for name, value in variables.items())


def fill(text: str, target: TargetView | Target) -> str:
    """Fill in a text from the YAML files: the arch's keys, `{sysroot}`, the `{cflags}` of every object and others."""
    facts = {f.name: getattr(target.arch, f.name) for f in dataclasses.fields(Arch)}
    facts = {name: " ".join(value) if isinstance(value, list) else value for name, value in facts.items()}
    editor = target.replaced.get("libedit", "editline")
    return text.format_map(
        facts
        | {
            "cflags": " ".join(target.cflags),
            "sysroot": f"$({target.name}_SYSROOT)",
            "cross": f"$(TOP)/build/{target.name}/cross",
            "line_editor": editor,
            "allocator": target.malloc,
            "hidden": f"$({target.name}_HIDDEN)",
        }
    )


def quote(text: str) -> str:
    """Quote a word for the shell inside a Makefile; make still expands a variable in it."""
    return f'"{text}"' if "$(" in text else shlex.quote(text)


def _source_view(source: Source, series: str) -> SourceView:
    files = [str(p.relative_to(ROOT)) for p in source.patches] + list(source.package.overlay)
    # The tree's name contains the interpreter's version, so no other release may replace it.
    exact = source.package.kind == "cpython" or len(source.package.releases) == 1
    only = f"--release {source.release.version} " if source.release and exact else ""
    return SourceView(source, source.release, tuple(files), only, series if source.package.kind == "cpython" else "")


def _render_target(plan: Plan, target: Target, environment: jinja2.Environment, generated: str) -> dict[Path, str]:
    folder = Path("build") / target.name
    files = _wrappers(target, folder / "toolchain/bin", environment, generated)
    left_out = [*target.disabled, *target.test_modules]
    files[folder / "Setup.local"] = render_setup_local(target.modules, left_out, generated)
    files[folder / "Setup.test"] = render_setup_local(target.modules, target.disabled, generated, target.test_modules)
    files[folder / "facts.py"] = _facts(plan, target, generated)
    files[folder / "config.site"] = f"# {generated}\n" + "".join(
        f"{k}={v}\n" for k, v in target.configure_answers.items()
    )
    files[folder / "plan.json"] = TargetPlan.of(plan, target).text()
    return files


def _wrappers(target: Target, folder: Path, environment: jinja2.Environment, generated: str) -> dict[Path, str]:
    """Return the wrapper scripts through which everything is compiled."""
    arch, toolchain, launcher = target.arch, target.toolchain, target.launcher
    places = {"triple": arch.triple, "target": "$target", "package": f"$build/sources/{toolchain.package}"}
    commands = {tool: _command(command, places) for tool, command in toolchain.tools.items()}
    places |= {"sysroot": "$sysroot", "bin": "$here", "cc": commands["cc"]}

    def flags(words: list[str]) -> str:
        return " ".join(f'"{word.format_map(places)}"' for word in words)

    compiler, tool = environment.get_template("compiler.in"), environment.get_template("tool.in")
    files = {}
    for name, command in commands.items():
        path = folder / f"{arch.triple}-{name}"
        if name not in ("cc", "c++"):
            files[path] = tool.render(generated=generated, command=command)
            continue
        if launcher:
            files[path.with_name(f"{path.name}.compiler")] = tool.render(generated=generated, command=command)
        files[path] = compiler.render(
            generated=generated,
            command=command,
            compiler=f"{path.name}.compiler",
            launcher=launcher.command.format(family=toolchain.family) if launcher else "",
            remote=launcher is not None and launcher.remote,
            triple=arch.triple,
            cflags=flags([*toolchain.cflags, *target.cflags]),
            pie=target.pie,
            last=flags(target.flavour.cflags),
            ldflags=flags(toolchain.ldflags),
            stack=arch.thread_stack_mib << 20,
        )
    for name, command in toolchain.build_tools.items():
        files[folder / f"build-{name}"] = tool.render(generated=generated, command=_command(command, places))
    return files


def _command(command: str, places: dict[str, str]) -> str:
    """Return a command of a toolchain for a wrapper, with its first word filled in; a path is quoted."""
    program, *arguments = command.split()
    return " ".join([f'"{program.format_map(places)}"' if "{" in program else program, *arguments])


def _facts(plan: Plan, target: Target, generated: str) -> str:
    facts: dict[str, str | int] = {p.runtime_fact: p.releases[0].version for p in target.packages if p.runtime_fact}
    facts |= {
        "TRIPLE": target.arch.triple,
        "WHEEL_ARCH": target.arch.wheel_arch,
        "ZIG_TARGET": target.arch.zig_target,
        "ELF_MACHINE": target.arch.machine_number,
        "GLIBC_LOADER": target.arch.glibc_loader,
        "GLIBC_VERSION": target.arch.glibc_version or "",
        "TIME": plan.source_date_epoch,
    }
    return f'"""{generated}"""\n\n' + "".join(f"{k} = {json.dumps(v)}\n" for k, v in facts.items())


def write(files: dict[Path, str], output: Path) -> list[Path]:
    """Write the files whose text has changed; return their paths."""
    return [path for path, text in sorted(files.items()) if _write_if_changed(output / path, text)]


def _write_if_changed(path: Path, text: str) -> bool:
    if path.exists() and path.read_bytes() == text.encode():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    if text.startswith("#!"):
        temporary.chmod(0o755)
    temporary.replace(path)
    return True
