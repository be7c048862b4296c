"""What a bundle runs: checked, and as runtime/interpreter/bundle.c reads it."""

from __future__ import annotations

import argparse
import importlib.machinery
import re
import sys
from pathlib import Path

from _staticpython import inputs
from _staticpython.contents import Bundler
from _staticpython.payload import PayloadError


def check_module(name: str, folders: list[Path], *, runs: bool) -> None:
    """Refuse a module that is in none of the folders, or that `-m` could not run; none of its code is executed."""
    paths: list[str] | None = [str(folder) for folder in folders]
    parts = name.split(".")
    if parts[0] in sys.builtin_module_names:
        return
    for count in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:count]), paths or [])
        if spec is None:
            where = "the library and the packages"
            raise PayloadError(f"{name}: no module {'.'.join(parts[:count])} in {where}")
        paths = spec.submodule_search_locations
    if runs and paths is not None and not importlib.machinery.PathFinder.find_spec(f"{name}.__main__", paths):
        raise PayloadError(f"{name}: a package without __main__.py cannot be run")


def parse_entry(entry: str) -> tuple[str, str]:
    """The module of MODULE:FUNCTION, and the code that a console script has for it."""
    match = re.fullmatch(r"([\w.]+):([\w.]+)", entry)
    if not match:
        raise PayloadError(f"{entry}: an entry point is MODULE:FUNCTION, such as httpie.__main__:main")
    module, function = match.groups()
    top = function.split(".")[0]
    # A process that multiprocessing spawns imports it, too.
    call = f'if __name__ == "__main__":\n    sys.exit({function}())\n'
    return module, f"import sys\nfrom {module} import {top}\n\n{call}"


def _module_code(module: str) -> str:
    """The code of a file that runs a module, as -m does."""
    call = f'    runpy.run_module({module!r}, run_name="__main__", alter_sys=True)\n'
    return f'import runpy\n\nif __name__ == "__main__":\n{call}'


def parse_command(text: str) -> tuple[str, str]:
    """The name and the rest of NAME=SPEC."""
    name, _, spec = text.partition("=")
    if not re.fullmatch(r"\w[\w.+-]*", name) or re.fullmatch(r"python[\d.]*", name):
        raise PayloadError(f"--command {text}: {name!r} is no name for a command")
    return name, spec


def _add_command(text: str, bundler: Bundler) -> tuple[str, str]:
    """Add the file of a command: NAME, NAME=MODULE:FUNCTION or NAME=MODULE; return its name and its place."""
    folders = [bundler.target.stdlib, *bundler.folders]
    name, spec = parse_command(text)
    if not spec:
        _, spec = inputs.console_script(bundler.folders, name, "")
    if ":" in spec:
        module, code = parse_entry(spec)
        check_module(module, folders, runs=False)
    else:
        check_module(spec, folders, runs=True)
        code = _module_code(spec)
    return name, bundler.add_start(name, code)


def what_runs(
    options: argparse.Namespace, bundler: Bundler, script: Path | None, output: Path
) -> list[tuple[str, str]]:
    """The configuration; raises PayloadError if what it names is not there."""
    commands = [_add_command(text, bundler) for text in options.command]
    for name in {name for name, _ in commands}:
        if sum(name == other for other, _ in commands) > 1:
            raise PayloadError(f"--command {name}: there are two of it")
    config = [(f"command {name}", place) for name, place in commands]
    if (
        not commands
        or script
        or any(way is not None for way in (options.console_script, options.module, options.entry))
    ):
        config = _default(options, bundler, script, output) + config
    config += [("argument", word) for word in options.args]
    return config + [("variable", variable) for variable in options.env]


def _default(options: argparse.Namespace, bundler: Bundler, script: Path | None, output: Path) -> list[tuple[str, str]]:
    """What is run where no command is named."""
    if script:
        place = bundler.add_script(script)
        _warn_of_neighbours(script, bundler.folders)
        return [("script", place)]
    folders = [bundler.target.stdlib, *bundler.folders]
    if options.module is not None:
        check_module(options.module, folders, runs=True)
        return [("module", options.module)]
    name, entry = "", options.entry
    if entry is None:
        name, entry = inputs.console_script(bundler.folders, options.console_script, output.name)
    module, code = parse_entry(entry)
    check_module(module, folders, runs=False)
    return [("script", bundler.add_start(name or module, code)), ("entry", entry)]


def _warn_of_neighbours(script: Path, folders: list[Path]) -> None:
    for name in inputs.neighbours(script):
        if not importlib.machinery.PathFinder.find_spec(name, [str(folder) for folder in folders]):
            print(
                f"bundle: warning: {script} imports {name}, which is beside it and is not carried:"
                " put it into a folder and name that by --site-packages, or make a project of both",
                file=sys.stderr,
            )
