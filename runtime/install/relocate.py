#!/usr/bin/env python3
"""Make an installed CPython tree independent of where it was built and of where it is.

    relocate.py TREE --placeholder /python --scrub BUILD_FOLDER [--scrub TOOLCHAIN ...]

CPython's `make install` writes its prefix and the build's paths into several files. The tree was
configured with a prefix that exists nowhere (the placeholder). Afterwards:

- _sysconfigdata_*.py computes the prefix from the file's own path,
- the config Makefile, the .pc files and python3-config do the same in their own languages,
- build-details.json and _sysconfig_vars_*.json have paths that are relative to the file,
- bin/python is the interpreter, too,
- scripts in bin/ start the interpreter beside them; pip gets its scripts even if it was only unpacked,
- flags that are only for compiling the interpreter itself are removed,
- sysconfig's compilers are scripts of the tree: bin/<triple>-cc, -c++, -ar,
- modules that need Tk are removed, and so are compiled files, because they contain paths.

At the end every file is searched for the paths to scrub. Standard library only; running it again changes
nothing.
"""

from __future__ import annotations

import argparse
import ast
import base64
import csv
import hashlib
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Value = str | int

MARKER = "/install"
"""Stands for the prefix inside _sysconfigdata, as in python-build-standalone. In words that begin with it, uv
puts the folder that it installs to. uv drops the code after the dictionary."""

TOO_GENERAL = frozenset({"/", "/home", "/opt", "/root", "/tmp", "/usr", "/usr/local", "/var"})
"""Paths that a tree may name for good reasons, such as TZPATH."""

TK_LIBRARY = ("idlelib", "tkinter", "turtledemo", "turtle.py")

WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|\\(?:.|$)|[^\s'"\\])+""")
ASSIGNMENT = re.compile(r"^([A-Za-z_]\w*)([ \t]*[:?+]?=[ \t]*)(.*)$")

# Options whose value is the next word.
TAKES_VALUE = {
    "-I", "-L", "-isystem", "-idirafter", "-iquote", "-include", "-imacros", "-isysroot", "--sysroot",
    "-target", "-mllvm", "-Xclang", "-Xlinker", "-o", "-T",
}  # fmt: skip

# Options for compiling and linking the interpreter; an extension module must not inherit them.
CORE_ONLY = re.compile(
    r"""'?(?:
      -flto | -fno-lto | -fprofile- | -fcs-profile- | -fauto-profile | -fuse-ld= | -fno-sanitize
    | -f(?:no-)?(?:pie|PIE)\b | -(?:no-)?pie$ | -static | -nost | -nodefaultlibs
    | -f(?:file|debug|macro|profile)-prefix-map= | -target$ | --target= | --sysroot | -mllvm$ | -Xclang$
    | -Wl, | -s$ | -rdynamic | -D(?:DATE|TIME)= | -Wno-backend-plugin | -Wno-profile | -Wno-unused-command-line
    )""",
    re.VERBOSE,
)

# Options for the interpreter's speed are of no use to anything else, in any variable.
FAST_ONLY = re.compile(
    r"'?(?:-flto|-fno-lto|-ffat-lto|-f(?:cs-)?profile-|-Wprofile-|-Wl,--(?:fat-)?lto-|-Wl,-mllvm,|-mllvm$|-mattr=)"
)

# The first line is CPython's own (Lib/sysconfig/__main__.py): uv accepts no other.
SYSCONFIGDATA_HEAD = """\
# system configuration generated and used by the sysconfig module
build_time_vars = {
"""

SYSCONFIGDATA_TAIL = '''\
}}


def _relocated(values):
    """Fill in where this file is: PREFIX/lib/pythonX.Y. The placeholder, if it was not read as a file."""
    import os
    import re

    prefix = {placeholder!r}
    if '__file__' in globals():
        prefix = os.path.abspath(__file__)
        for _ in range(3):
            prefix = os.path.dirname(prefix)
    quote = "'" if any(character.isspace() for character in prefix) else ''
    marker = re.compile({marker!r})

    def fill(value):
        if not isinstance(value, str) or not marker.search(value):
            return value
        for tool in {tools!r}:
            value = value.replace(tool, quote + tool + quote)
        return marker.sub(lambda _: prefix, value)

    return {{key: fill(value) for key, value in values.items()}}


build_time_vars = _relocated(build_time_vars)
'''

# Evaluated at once (:=), while the last word is still this Makefile.
MAKEFILE_PREFIX = "prefix:=\t$(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)"

# sh runs the second line; to Python, lines two and three are a string (distlib does the same).
LAUNCHER = """\
#!/bin/sh
'''exec' "$(dirname -- "$(readlink -f -- "$0")")/{python}" "$0" "$@"
' '''
"""

# The script that pip writes for its entry point: distlib/scripts.py.
PIP_SCRIPT = """\
import sys

from pip._internal.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
"""

COMPILER_SCRIPT = """\
#!/bin/sh
# Runs the compiler for {triple} that this machine has: see lib/{python}/_staticpython/cc.py.
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/{python}" -I -S -c 'from _staticpython.cc import main; main()' {tool} "$@"
"""

DYNLOAD_README = """\
Every extension module is inside the executable. This folder marks the exec_prefix of the tree
(Modules/getpath.py of CPython) and must exist.
"""


class RelocationError(Exception):
    """The tree is not as `make install` leaves it, or a path could not be removed from it."""


@dataclass(frozen=True)
class Tree:
    """An installed CPython: where it is and what its files are called."""

    root: Path
    python: str
    """python3.13: the executable's and the library folder's name."""
    triple: str
    placeholder: str
    scrub: tuple[str, ...]

    @property
    def library(self) -> Path:
        """The standard library."""
        return self.root / "lib" / self.python

    @property
    def config(self) -> Path:
        """The folder of the config Makefile (LIBPL)."""
        return only(self.library.glob("config-*"), "config folder")

    def is_dirty(self, text: str) -> bool:
        """Does `text` contain a path that must not be in the tree?"""
        return any(path in text for path in self.scrub)


def only(paths: Iterable[Path], what: str) -> Path:
    """Return the only path; there must be exactly one."""
    found = sorted(paths)
    if len(found) != 1:
        raise RelocationError(f"expected one {what}, found {[str(path) for path in found]}")
    return found[0]


def write(path: Path, text: str) -> None:
    """Write `text`, keeping the file's mode; leave an equal file alone."""
    data = text.encode()
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


# ---------------------------------------------------------------- words of a command line


def drop_words(value: str, is_unwanted: Callable[[str], bool]) -> str:
    """Drop unwanted words from a command line; an option goes together with its separate value."""
    kept: list[str] = []
    words = WORD.findall(value)
    index = 0
    while index < len(words):
        width = 2 if words[index] in TAKES_VALUE and index + 1 < len(words) else 1
        group = words[index : index + width]
        if not any(map(is_unwanted, group)):
            kept += group
        index += width
    return value if len(kept) == len(words) else " ".join(kept)


def clean_value(tree: Tree, name: str, value: str) -> str:
    """Return the value of a Makefile variable without build paths and the interpreter's own flags."""
    value = drop_words(drop_words(value, tree.is_dirty), lambda word: FAST_ONLY.match(word) is not None)
    if name == "OPT" or (name.endswith("FLAGS") and "NODIST" not in name):
        value = drop_words(value, lambda word: CORE_ONLY.match(word) is not None)
    return value


def clean_line(tree: Tree, line: str) -> str:
    """Clean one line: an assignment, a command, or other words."""
    if match := ASSIGNMENT.match(line):
        name, equals, value = match.groups()
        return f"{name}{equals}{clean_value(tree, name, value)}".rstrip()
    if tree.is_dirty(line):
        indent = line[: len(line) - len(line.lstrip())]
        return indent + drop_words(line, tree.is_dirty)
    return line


def clean_lines(tree: Tree, text: str) -> str:
    """Drop words with build paths from the lines of a Makefile or Setup file."""
    return "\n".join(clean_line(tree, line) for line in text.split("\n"))


# ---------------------------------------------------------------- sysconfig, Makefile, .pc, python3-config


def tool_values(triple: str, prefix: str) -> dict[str, str]:
    """sysconfig's values for building extension modules, with a given spelling of the prefix."""
    cc, cxx, ar = (f"{prefix}/bin/{triple}-{tool}" for tool in ("cc", "c++", "ar"))
    return {
        "AR": ar,
        "BLDSHARED": f"{cc} -shared",
        "CC": cc,
        "CCSHARED": "-fPIC",
        "CPP": f"{cc} -E",
        "CXX": cxx,
        "GNULD": "yes",
        "LDCXXSHARED": f"{cxx} -shared",
        "LDSHARED": f"{cc} -shared",
        "LINKCC": cc,
        "MAINCC": cc,
        "RANLIB": f"{ar} s",
    }


def read_sysconfigdata(path: Path) -> dict[str, Value]:
    """Return the dictionary build_time_vars of a _sysconfigdata module, without running it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            values = ast.literal_eval(node.value)
            return {str(key): value for key, value in values.items()}
    raise RelocationError(f"{path}: no build_time_vars")


def placeholder_pattern(placeholder: str) -> re.Pattern[str]:
    """Match the placeholder as a whole path or the start of one, but not "/python3" or "./python"."""
    return re.compile(
        rf"""(?:(?<=^)|(?<=[\s"'=:,;])|(?<=-I)|(?<=-L)){re.escape(placeholder)}(?=[/\s"':;,]|$)""",
    )


def relocate_sysconfigdata(tree: Tree) -> None:
    """Rewrite _sysconfigdata so that it computes the prefix from its own place."""
    path = only(tree.library.glob("_sysconfigdata_*.py"), "_sysconfigdata module")
    pattern = placeholder_pattern(tree.placeholder)
    values = read_sysconfigdata(path)
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = pattern.sub(MARKER, clean_value(tree, name, value))
    values.update(tool_values(tree.triple, MARKER))
    tail = SYSCONFIGDATA_TAIL.format(
        placeholder=tree.placeholder,
        marker=placeholder_pattern(MARKER).pattern,
        tools=tuple(tool_values(tree.triple, MARKER)[name] for name in ("CC", "CXX", "AR")),
    )
    lines = [f"    {name!r}: {values[name]!r},\n" for name in sorted(values)]
    write(path, SYSCONFIGDATA_HEAD + "".join(lines) + tail)


def relocate_json(tree: Tree) -> None:
    """Rewrite the files that describe the tree without running it: relative paths, as in PEP 739.

    CPython has such files since 3.14.
    """
    pattern, here = placeholder_pattern(tree.placeholder), "../.."
    for path in tree.library.glob("_sysconfig_vars_*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        for name in ("userbase", "projectbase"):  # these are the user's, and the build's
            values.pop(name, None)
        for name, value in values.items():
            if isinstance(value, str):
                values[name] = pattern.sub(here, clean_value(tree, name, value))
        values.update(tool_values(tree.triple, here))
        write(path, json.dumps(values, indent=2) + "\n")
    for path in tree.library.glob("build-details.json"):
        details = json.loads(pattern.sub(".", path.read_text(encoding="utf-8")))
        details["base_prefix"] = here
        details.get("libpython", {}).pop("static", None)  # prune() removes it
        write(path, json.dumps(details, indent=2) + "\n")


def relocate_makefile(tree: Tree) -> None:
    """Rewrite the config Makefile so that GNU make computes the prefix."""
    path = tree.config / "Makefile"
    text = clean_lines(tree, path.read_text(encoding="utf-8"))
    text = re.sub(r"(?m)^prefix[ \t]*=.*$", lambda _: MAKEFILE_PREFIX, text)
    values = tool_values(tree.triple, "$(prefix)")
    text = re.sub(
        r"(?m)^(\w+)([ \t]*=[ \t]*).*$",
        lambda match: f"{match[1]}{match[2]}{values[match[1]]}" if match[1] in values else match[0],
        text,
    )
    write(path, placeholder_pattern(tree.placeholder).sub("$(prefix)", text))


def relocate_config_folder(tree: Tree) -> None:
    """Clean the other text files beside the config Makefile."""
    for path in sorted(tree.config.iterdir()):
        if path.name == "Makefile" or path.is_dir():
            continue
        data = path.read_bytes()
        if any(name.encode() in data for name in tree.scrub) and b"\0" not in data:
            write(path, clean_lines(tree, data.decode()))


def clean_pc_line(tree: Tree, line: str) -> str:
    """Drop words with build paths from a line "Keyword: words" of a .pc file."""
    keyword, colon, words = line.partition(": ")
    return f"{keyword}{colon}{drop_words(words, tree.is_dirty)}".rstrip()


def relocate_pkgconfig(tree: Tree) -> None:
    """Let pkg-config compute the prefix: pcfiledir in pc(5)."""
    for path in sorted((tree.root / "lib/pkgconfig").glob("*.pc")):
        if path.is_symlink():
            continue
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"(?m)^prefix=.*$", "prefix=${pcfiledir}/../..", text)
        text = "\n".join(clean_pc_line(tree, line) for line in text.split("\n"))
        write(path, placeholder_pattern(tree.placeholder).sub("${prefix}", text))


def relocate_python_config(tree: Tree) -> None:
    """Let python3-config use the prefix that it finds, instead of both prefixes and sed."""
    for path in sorted((tree.root / "bin").glob("python*-config")):
        if path.is_symlink():
            continue
        text = path.read_text(encoding="utf-8")
        text = re.sub(r'\$\(echo (".*") \| sed "s#\$prefix#\$prefix_real#"\)', r"\1", text)
        text = re.sub(r'(?m)^prefix=".*"$', 'prefix="$prefix_real"', text)
        text = re.sub(
            r'(?m)^(\w+)="(.*)"$',
            lambda match: f'{match[1]}="{clean_value(tree, match[1], match[2])}"',
            text,
        )
        write(path, placeholder_pattern(tree.placeholder).sub("$prefix_real", text))


# ---------------------------------------------------------------- scripts


def with_launcher(script: str, python: str) -> str | None:
    """Replace the head of a Python script; return None for other files.

    The head is a shebang line for Python. If that line would be too long or contain a space, pip and distlib
    write three lines like those of LAUNCHER. `python` is relative to the script's folder.
    """
    head, _, body = script.partition("\n")
    if head == "#!/bin/sh" and body.startswith("'''exec' "):
        body = body.split("\n", 2)[2]
    elif not (head.startswith("#!") and "python" in head):
        return None
    return LAUNCHER.format(python=python) + body


def relocate_script(path: Path, python: str) -> None:
    """Let the script start `python`, if it is a Python script."""
    if path.is_symlink() or not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(2) != b"#!":
            return
    text = with_launcher(path.read_text(encoding="utf-8"), python)
    if text is not None:
        write(path, text)


def link_python(tree: Tree) -> None:
    """Make bin/python, as environments and python-build-standalone's archives have it."""
    path = tree.root / "bin/python"
    if not path.is_symlink():
        path.symlink_to(tree.python)


def relocate_scripts(tree: Tree) -> None:
    """Let the scripts start the interpreter beside them."""
    folder = tree.root / "bin"
    for path in sorted(folder.iterdir()):
        relocate_script(path, tree.python)
    up = "/".join([".."] * len(tree.config.relative_to(tree.root).parts))
    for path in sorted(tree.config.glob("*.py")):
        relocate_script(path, f"{up}/bin/{tree.python}")


def write_compiler_scripts(tree: Tree) -> None:
    """Write bin/<triple>-cc and its companions."""
    for tool in ("cc", "c++", "ar"):
        path = tree.root / "bin" / f"{tree.triple}-{tool}"
        write(path, COMPILER_SCRIPT.format(triple=tree.triple, python=tree.python, tool=tool))
        path.chmod(0o755)


# ---------------------------------------------------------------- what remains in the tree


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def prune(tree: Tree, *, with_tests: bool) -> None:
    """Remove modules that need Tk, compiled files, and files for linking a program with this tree's library.

    Such a program would also need the build's compiler and libraries: objects may be LLVM bitcode.
    """
    unwanted = [tree.library / name for name in TK_LIBRARY]
    unwanted += (tree.root / "bin").glob("idle*")
    unwanted += tree.library.glob("**/__pycache__")
    unwanted.append(tree.config / "python.o")
    unwanted += (tree.root / "lib").glob("**/libpython*.a")
    unwanted += (tree.root / "lib/pkgconfig").glob("*-embed.pc")
    if not with_tests:
        unwanted.append(tree.library / "test")
    for path in unwanted:
        remove(path)


def keep_dynload_folder(tree: Tree) -> None:
    """Put a file into lib-dynload, because archives and copies may lose an empty folder."""
    folder = tree.library / "lib-dynload"
    folder.mkdir(exist_ok=True)
    write(folder / "README.txt", DYNLOAD_README)


def record_row(base: Path, name: str) -> list[str]:
    """Return the row of `name`, relative to `base`, in a wheel's RECORD (PEP 376, PEP 427)."""
    data = (base / name).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [name, f"sha256={digest}", str(len(data))]


def write_pip_scripts(tree: Tree) -> None:
    """Write pip's commands under pip's names, and list them in its RECORD."""
    base = tree.library / "site-packages"
    found = sorted(base.glob("pip-*.dist-info/RECORD"))
    if not found:
        return
    record = only(found, "installed pip")
    with record.open(encoding="utf-8", newline="") as file:
        rows = {row[0]: row for row in csv.reader(file) if row}
    version = tree.python.removeprefix("python")
    for name in ("pip", "pip3", f"pip{version}"):
        path = tree.root / "bin" / name
        write(path, LAUNCHER.format(python=tree.python) + PIP_SCRIPT)
        path.chmod(0o755)
        row = record_row(base, f"../../../bin/{name}")
        rows[row[0]] = row
    installer = f"{record.parent.name}/INSTALLER"
    if (base / installer).is_file():
        rows[installer] = record_row(base, installer)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows[name] for name in sorted(rows))
    write(record, text.getvalue())


# ---------------------------------------------------------------- the whole tree


def find_dirty_files(root: Path, paths: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """Yield the files that contain one of the paths, with that path."""
    needles = [(path, path.encode()) for path in paths]
    for file in sorted(root.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        data = file.read_bytes()
        yield from ((file, path) for path, needle in needles if needle in data)


def check(tree: Tree) -> None:
    """Fail, naming the files, if a path to scrub is still in the tree, binaries included."""
    dirty = [f"{file.relative_to(tree.root)}: {path}" for file, path in find_dirty_files(tree.root, tree.scrub)]
    if dirty:
        raise RelocationError("build paths are left in the tree:\n  " + "\n  ".join(dirty))


def open_tree(root: Path, placeholder: str, scrub: Iterable[str], triple: str | None) -> Tree:
    """Look at an installed tree."""
    os_module = only((root / "lib").glob("python3.*/os.py"), "lib/python3.*/os.py")
    library = os_module.parent
    if triple is None:
        data = only(library.glob("_sysconfigdata_*.py"), "_sysconfigdata module")
        values: Mapping[str, Value] = read_sysconfigdata(data)
        triple = str(values["MULTIARCH"])
    paths = tuple(sorted({path.rstrip("/") or "/" for path in scrub}))
    if general := TOO_GENERAL.intersection(paths):
        raise RelocationError(f"too general to scrub: {', '.join(sorted(general))}")
    return Tree(root, library.name, triple, placeholder.rstrip("/"), paths)


def relocate(tree: Tree, *, with_tests: bool = False) -> None:
    """Make the tree independent of its place: all steps."""
    prune(tree, with_tests=with_tests)
    keep_dynload_folder(tree)
    relocate_sysconfigdata(tree)
    relocate_json(tree)
    relocate_makefile(tree)
    relocate_config_folder(tree)
    relocate_pkgconfig(tree)
    relocate_python_config(tree)
    link_python(tree)
    relocate_scripts(tree)
    write_compiler_scripts(tree)
    write_pip_scripts(tree)
    check(tree)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tree", type=Path, help="the installed tree, as moved from DESTDIR")
    parser.add_argument("--placeholder", required=True, help="the prefix CPython was configured with")
    parser.add_argument(
        "--scrub", action="append", default=[], metavar="PATH", help="a path that must not be in the tree"
    )
    parser.add_argument("--triple", help="for the names of compiler scripts; default: sysconfig's MULTIARCH")
    parser.add_argument("--with-tests", action="store_true", help="keep the package `test`")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run from the command line; return the exit code."""
    options = parse_arguments(arguments)
    try:
        tree = open_tree(options.tree, options.placeholder, options.scrub, options.triple)
        relocate(tree, with_tests=options.with_tests)
    except (RelocationError, OSError, KeyError) as error:
        print(f"relocate.py: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
