"""What a bundle runs: checks it, and writes it in the form that runtime/interpreter/bundle.c reads."""

from __future__ import annotations

import argparse
import ast
import importlib.machinery
import importlib.util
import re
import symtable
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _staticpython import inputs
from _staticpython.payload import PayloadError

if TYPE_CHECKING:
    from _staticpython.contents import Bundler


def check_module(name: str, folders: list[Path], *, runs: bool) -> importlib.machinery.ModuleSpec | None:
    """Refuse a module that is in none of the folders, or that `-m` could not run; none of its code is executed.

    Return its spec, which says where it is; None for a built-in module.
    """
    paths: list[str] | None = [str(folder) for folder in folders]
    parts = name.split(".")
    spec = None
    if parts[0] in sys.builtin_module_names:
        return None
    for count in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:count]), paths or [])
        if spec is None:
            where = "the library and the packages"
            raise PayloadError(f"{name}: no module {'.'.join(parts[:count])} in {where}")
        paths = spec.submodule_search_locations
    if runs and paths is not None and not importlib.machinery.PathFinder.find_spec(f"{name}.__main__", paths):
        raise PayloadError(f"{name}: a package without __main__.py cannot be run")
    return spec


def check_entry(entry: str, folders: list[Path]) -> None:
    """Refuse an entry point if its module is missing, or certainly has no such function; nothing is executed."""
    module, function = _parts_of(entry)
    spec = check_module(module, folders, runs=False)
    top = function.split(".")[0]
    if not spec or not spec.origin or not spec.origin.endswith(".py"):
        return
    is_module = importlib.machinery.PathFinder.find_spec(f"{module}.{top}", spec.submodule_search_locations or [])
    if not is_module and not may_define(Path(spec.origin).read_bytes(), top):
        raise PayloadError(f"{entry}: {module} does not define {top}")


def may_define(source: bytes, name: str) -> bool:
    """Whether a module with that source may define a name: the source binds it, or it is not certain."""
    try:
        text = importlib.util.decode_source(source)
        tree = ast.parse(text)
        if symtable.symtable(text, "", "exec").lookup(name).is_assigned():
            return True
    except (SyntaxError, ValueError, RecursionError):
        return True
    except KeyError:
        pass
    return any(_binds(node, name) for node in ast.walk(tree))


def _binds(node: ast.AST, name: str) -> bool:
    """Whether a part of a module may bind a module-level name in another way than by assignment."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any(alias.name == "*" or (alias.asname or alias.name).split(".")[0] == name for alias in node.names)
    if isinstance(node, ast.Global):
        return name in node.names
    if isinstance(node, ast.FunctionDef):
        return node.name == "__getattr__"
    # exec(...), globals()[...] = ..., sys.modules[__name__] = ..., names that enum adds to a module
    if isinstance(node, ast.Name):
        return node.id in {"exec", "globals", "vars", "locals", "setattr", "global_enum"}
    return isinstance(node, ast.Attribute) and node.attr in {"modules", "__dict__", "global_enum", "_convert_"}


# A process that multiprocessing spawns imports this, too. Ctrl-C during the import of the application, which cannot
# catch it yet, ends the process as it ends a C program: without a traceback.
_ENTRY = """\
import _signal
import sys

_waits = __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
if _waits:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from {module} import {top}

if _waits and _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)

if __name__ == "__main__":
    sys.exit({function}())
"""


def _parts_of(entry: str) -> tuple[str, str]:
    match = re.fullmatch(r"([\w.]+):([\w.]+)", entry)
    if not match:
        raise PayloadError(f"{entry}: an entry point is MODULE:FUNCTION, such as httpie.__main__:main")
    return match[1], match[2]


def parse_entry(entry: str) -> tuple[str, str]:
    """The module of MODULE:FUNCTION, and a console script's code for it."""
    module, function = _parts_of(entry)
    top = function.split(".")[0]
    return module, _ENTRY.format(module=module, top=top, function=function)


def _module_code(module: str) -> str:
    """The code of a script that runs a module, as -m does."""
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
        check_entry(spec, folders)
        bundler.check_is_there(module)
    else:
        check_module(spec, folders, runs=True)
        bundler.check_is_there(spec)
        code = _module_code(spec)
    return name, bundler.add_start(name, code)


def what_runs(options: argparse.Namespace, bundler: Bundler, script: Path | None) -> list[tuple[str, str]]:
    """The configuration; raises PayloadError if something that it names is missing."""
    if options.python:
        return [("variable", variable) for variable in options.env]
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
        config = _default(options, bundler, script) + config
    config += [("argument", word) for word in options.args]
    return config + [("variable", variable) for variable in options.env]


def _default(options: argparse.Namespace, bundler: Bundler, script: Path | None) -> list[tuple[str, str]]:
    """What runs if no command is named."""
    if script:
        place = bundler.add_script(script)
        _warn_of_neighbours(script, bundler.folders)
        return [("script", place)]
    folders = [bundler.target.stdlib, *bundler.folders]
    if options.module is not None:
        check_module(options.module, folders, runs=True)
        bundler.check_is_there(options.module)
        return [("module", options.module)]
    name, entry = "", options.entry
    if entry is None:
        # `http-{arch}` is `http` for another CPU.
        named = re.sub(r"[-_.]?\{arch\}", "", Path(options.output).name)
        name, entry = inputs.console_script(bundler.folders, options.console_script, named)
    module, code = parse_entry(entry)
    check_entry(entry, folders)
    bundler.check_is_there(module)
    return [("script", bundler.add_start(name or module, code)), ("entry", entry)]


def _warn_of_neighbours(script: Path, folders: list[Path]) -> None:
    for name in inputs.neighbours(script):
        if not importlib.machinery.PathFinder.find_spec(name, [str(folder) for folder in folders]):
            print(
                f"bundle: warning: {script} imports {name}, which is beside it and is not carried:"
                " put it into a folder and name that by --site-packages, or make a project of both",
                file=sys.stderr,
            )
