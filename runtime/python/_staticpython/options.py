"""A bundle's options: from the command line, and from [tool.staticpython.bundle] in a project's pyproject.toml."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path

from _staticpython.payload import PayloadError

DESCRIPTION = """\
Write one executable file with this Python, its standard library, packages and what is to run. It needs nothing else on
the machine, not even /proc, and writes nothing anywhere, but by --extract.
"""
EPILOG = """\
What follows -- goes to pip. A project's pyproject.toml may have the long options in a table [tool.staticpython.bundle]:
command = ["a=app:main"].
"""

_WAYS = ("console-script", "module", "entry")
_SWITCHES = ("python", "no-sources", "only-traced", "dry-run")
# Their values begin with a path, which in a project's table is relative to the project's folder.
_PATHS = (
    "requirements", "site-packages", "add", "interpreter", "record", "trace", "report", "sbom", "licences", "cache",
    "output",
)  # fmt: skip


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _variable(text: str) -> str:
    if not re.match(r"[^=]+=", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m _staticpython bundle", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False
    )
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT",
        help="a script to run (and what its block `# /// script` asks for), a requirement, a wheel, a project's"
        " folder, pylock.toml",
    )  # fmt: skip
    add = parser.add_argument
    add("-c", "--console-script", metavar="NAME", help="a console script to run")
    add("-m", "--module", metavar="MODULE", help="a module to run, as python3 -m does")
    add("-e", "--entry", metavar="MODULE:FUNCTION", help="a function to call, as console scripts do")
    add(
        "--command", action="append", default=[], metavar="NAME[=SPEC]",
        help="a console script, MODULE or MODULE:FUNCTION that is run where the program is called by this name, or"
        " this is its first argument and nothing else is to run; more than once",
    )  # fmt: skip
    add(
        "--args", type=_words, action="extend", default=[], metavar="WORDS",
        help="stand before the arguments that the program is given, as a shell takes them apart",
    )  # fmt: skip
    add(
        "--env", type=_variable, action="append", default=[], metavar="NAME=VALUE",
        help="a variable of the environment, unless it is set; more than once",
    )  # fmt: skip
    add(
        "-r", "--requirements", type=Path, action="append", default=[], metavar="FILE", help="requirements, as for pip"
    )  # fmt: skip
    add(
        "--site-packages", type=Path, action="append", default=[], metavar="FOLDER",
        help="packages, as pip install --target makes them; more than once",
    )  # fmt: skip
    add(
        "--python", action="store_true",
        help="a Python with all that it carries, in place of an application",
    )  # fmt: skip
    add(
        "--add", action="append", default=[], metavar="PATH[:PLACE]",
        help="a file or folder, which the application finds at PLACE below sys.prefix; more than once",
    )  # fmt: skip
    add(
        "--exclude", action="append", default=[], metavar="GLOB",
        help="leave out files and folders whose path, as STATICPYTHON=list shows it, is like that; more than once",
    )  # fmt: skip
    add(
        "--extract", action="append", default=[], metavar="GLOB",
        help="files and folders with such a path are written to the user's folder for caches when they are needed, for"
        " other programs to see; more than once",
    )  # fmt: skip
    add(
        "--compress", choices=("fast", "small", "none"), default="fast",
        help="sources and data: in little time (as it is unless said otherwise), as small as can be, with the code of"
        " modules, not at all",
    )  # fmt: skip
    add("--no-sources", action="store_true", help="leave out the sources of modules whose code is in it")
    add(
        "--record", metavar="FILE",
        help="write an executable that writes down in FILE what it imports, for --trace",
    )  # fmt: skip
    add(
        "--trace", type=Path, action="append", default=[], metavar="FILE",
        help="have the code of what runs imported ready, and all other code compressed; more than once",
    )  # fmt: skip
    add("--only-traced", action="store_true", help="leave out all modules that the runs of --trace did not import")
    add(
        "--arch", action="append", default=[],
        help="the CPU to bundle for: that of a tree beside this one, or `all` of them; more than once, and {arch} in"
        " the name of a file to write is the CPU's name",
    )  # fmt: skip
    add(
        "--interpreter", type=Path, action="append", default=[], metavar="TREE",
        help="the tree to bundle with; more than once",
    )  # fmt: skip
    add("--report", metavar="FILE", help="write what is in it, and how large, as JSON")
    add("--sbom", metavar="FILE", help="write what it is made of as CycloneDX's JSON")
    add("--licences", metavar="FILE", help="write the licences of all that it is made of")
    add(
        "--fail-on", action="append", default=[], metavar="LICENCE",
        help="write nothing if something in it has such a licence: 'GPL-*', UNKNOWN; more than once",
    )  # fmt: skip
    add("--dry-run", action="store_true", help="do all but write files")
    add(
        "--cache", metavar="FOLDER", help="keep what the next bundle needs again there, not in ~/.cache; '' for nowhere"
    )
    add("-o", "--output", metavar="FILE", help="the executable to write")
    return parser


def read_options(arguments: list[str]) -> argparse.Namespace:
    """The options; those of the command line come after a project's."""
    parser = _parser()
    options = parser.parse_args(arguments)
    tables = [(Path(word), table) for word in options.inputs if (table := _table(Path(word)))]
    if len(tables) > 1:
        raise PayloadError("two of the projects have a table [tool.staticpython.bundle]: bundle one")
    for project, table in tables:
        known = [option[2:] for action in parser._actions for option in action.option_strings if option[:2] == "--"]
        words = _options_of(table, project, known)
        if any(vars(options)[way.replace("-", "_")] is not None for way in _WAYS):
            words = [word for word in words if word[2:].partition("=")[0] not in _WAYS]
        options = parser.parse_args([*words, *arguments])
    if options.output is None:
        parser.error("-o says which file to write")
    return options


def _table(project: Path) -> dict[str, object]:
    """A project's options; none if it is not a project's folder."""
    file = project / "pyproject.toml"
    if not file.is_file():
        return {}
    import tomllib  # type: ignore[import-not-found,unused-ignore]

    try:
        found: object = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PayloadError(f"{file}: {error}") from None
    for key in ("tool", "staticpython", "bundle"):
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _options_of(table: dict[str, object], project: Path, known: list[str]) -> list[str]:
    """A table as words of a command line."""
    words = []
    for key, value in table.items():
        where = f"{project / 'pyproject.toml'}: [tool.staticpython.bundle]: {key}"
        if key not in known or key == "help":
            raise PayloadError(f"{where}: there is no such option; there are: {', '.join(known)}")
        values: list[object] = value if isinstance(value, list) else [value]
        if isinstance(value, dict):
            values = [f"{name}={item}" for name, item in value.items()]
        if key in _SWITCHES:
            if not isinstance(value, bool):
                raise PayloadError(f"{where}: {value!r} is neither true nor false")
            words += [f"--{key}"] * value
            continue
        for text in values:
            if not isinstance(text, str):
                raise PayloadError(f"{where}: {text!r} is no string")
            words.append(f"--{key}={os.path.join(project, text) if key in _PATHS and text else text}")
    return words
