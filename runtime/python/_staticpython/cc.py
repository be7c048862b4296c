"""Behind bin/<triple>-cc, -c++ and -ar: run the compiler for musl that this machine has.

In this order: $STATIC_PYTHON_CC (CXX, AR); Zig, whose PyPI package `ziglang` is a whole cross compiler;
a musl compiler under one of its usual names; the system's own, if the system is musl. In setuptools,
meson and others $CC overrides all of these.

A library built this way may need libc.so (DT_NEEDED). Our loader itself answers for that name, as musl's does.
"""

import os
import sys
from os import path

from _staticpython.facts import TRIPLE, WHEEL_ARCH, ZIG_TARGET
from _staticpython.toolchain import find_ziglang

VARIABLES = {"cc": "STATIC_PYTHON_CC", "c++": "STATIC_PYTHON_CXX", "ar": "STATIC_PYTHON_AR"}

# Other compilers by name; musl-gcc is for the machine's own architecture, and has no C++.
PREFIXED = {
    "cc": (f"{TRIPLE}-gcc", f"{TRIPLE}-clang"),
    "c++": (f"{TRIPLE}-g++", f"{TRIPLE}-clang++"),
    "ar": (f"{TRIPLE}-ar", f"{TRIPLE}-gcc-ar", "llvm-ar", "ar"),
}

# `zig cc` refuses linker options that it does not know. These only tune or report, so they can be dropped:
# the option's name, and whether the next word is its value, unless joined by "=".
IGNORED_BY_ZIG = {
    "-Bsymbolic-functions": False,
    "-Map": True,
    "-O1": False,
    "-O2": False,
    "-t": False,
    "--allow-multiple-definition": False,
    "--default-symver": False,
    "--exclude-libs": True,
    "--icf": False,
    "--no-copy-dt-needed-entries": False,
    "--no-keep-memory": False,
    "--no-rosegment": False,
    "--package-metadata": False,
    "--plugin-opt": False,
    "-plugin-opt": False,
    "--threads": False,
    "--trace": False,
    "--unresolved-symbols": False,
    "--verbose": False,
    "--warn-common": False,
}
IGNORED_KEYWORDS = ("separate-code", "noseparate-code", "pack-relative-relocs")  # -z KEYWORD


def find_program(name: str) -> "str | None":
    """Return the path of `name` in the PATH, or None."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        program = path.join(folder or ".", name)
        if path.isfile(program) and os.access(program, os.X_OK):
            return program
    return None


def find_zig() -> "str | None":
    """Return a zig: of the active virtual environment, this tree, the user's packages, or the PATH."""
    library = "lib/python{}.{}{}/site-packages".format(*sys.version_info[:2], sys.abiflags)
    user_base = os.environ.get("PYTHONUSERBASE") or path.expanduser("~/.local")
    bases = (os.environ.get("VIRTUAL_ENV"), sys.base_prefix, user_base)
    folders = [path.join(base, library) for base in bases if base]
    return find_ziglang(folders) or find_program("zig") or find_program("python-zig")


def _says_musl(program: str) -> bool:
    """Does the output of `program -dumpmachine` name musl and our machine?"""
    import subprocess

    try:
        answer = subprocess.run([program, "-dumpmachine"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    machine = answer.stdout.partition("-")[0]
    own = {WHEEL_ARCH, TRIPLE.partition("-")[0]} | ({"i486", "i586"} if WHEEL_ARCH == "i686" else set())
    return "musl" in answer.stdout and machine in own


def find_other(tool: str) -> "str | None":
    """Return a musl compiler that is not Zig, or None."""
    names = PREFIXED[tool]
    if tool == "cc" and os.uname().machine == WHEEL_ARCH:
        names += ("musl-gcc",)
    for name in names:
        if program := find_program(name):
            return program
    if tool == "ar" or not path.exists(f"/lib/ld-musl-{TRIPLE.partition('-')[0]}.so.1"):
        return None
    program = find_program(tool)
    return program if program and _says_musl(program) else None


def _filter_linker_options(options: "list[str]") -> "list[str]":
    """Rewrite the words of one -Wl, option for Zig's linker driver."""
    kept: list[str] = []
    words = iter(options)
    for word in words:
        name, joined, _ = word.partition("=")
        if "-" + name in IGNORED_BY_ZIG:
            name = "-" + name  # -exclude-libs is --exclude-libs: ld(1)
        if name in IGNORED_BY_ZIG:
            if IGNORED_BY_ZIG[name] and not joined:
                next(words, None)
        elif word == "-z":
            keyword = next(words, "")
            if keyword not in IGNORED_KEYWORDS:
                kept += [word, keyword]
        elif word == "-R":
            kept.append("-rpath")
        elif word.startswith("-R"):
            kept += ["-rpath", word[2:]]
        elif word == "--symbolic":
            kept.append("-Bsymbolic")
        else:
            kept.append(word)
    return kept


def zig_arguments(arguments: "list[str]") -> "list[str]":
    """Return a GCC command line's arguments in the form that `zig cc` accepts."""
    result = ["-target", ZIG_TARGET, "-Wno-error=date-time"]
    if not any(argument.startswith("-fsanitize") for argument in arguments):
        result.append("-fno-sanitize=all")  # Zig traps undefined behaviour at -O0
    for argument in arguments:
        if argument.startswith("-Wl,"):
            words = _filter_linker_options(argument.split(",")[1:])
            if words:
                result.append(",".join(["-Wl", *words]))
        elif argument.startswith("-march=x86-64"):
            result.append(argument.replace("x86-64", "x86_64").replace("_64-v", "_64_v"))
        elif not argument.startswith(("-mtune=", "-fuse-ld=", "-static-libgcc", "-static-libstdc++")):
            result.append(argument)
    return result


def zig_command(zig: str, tool: str, arguments: "list[str]") -> "list[str]":
    """Return the whole command line for a Zig."""
    if tool == "ar":
        return [zig, "ar", *arguments]
    return [zig, tool, *zig_arguments(arguments)]


def build_command(tool: str, arguments: "list[str]") -> "list[str] | None":
    """Return the command line to run, or None if there is no compiler."""
    zig = None
    if arguments and arguments[0].startswith("--zig="):
        zig = arguments[0].partition("=")[2]
        arguments = arguments[1:]
    if chosen := os.environ.get(VARIABLES[tool]):
        import shlex

        return [*shlex.split(chosen), *arguments]
    zig = zig or find_zig()
    if zig:
        return zig_command(zig, tool, arguments)
    other = find_other(tool)
    return [other, *arguments] if other else None


def explain(tool: str) -> str:
    """Say what is missing and how to get it."""
    return (
        f"{TRIPLE}-{tool}: error: found no compiler that builds for {TRIPLE}.\n"
        f"Install one into this Python (or into the virtual environment):\n"
        f"    {path.join(sys.base_prefix, 'bin', 'python3')} -m pip install ziglang\n"
        f"or name one: {VARIABLES[tool]}=... or put {PREFIXED[tool][0]} in the PATH.\n"
    )


def main() -> None:
    """Run the tool that the first argument names, with the rest."""
    tool, *arguments = sys.argv[1:]
    if tool != "ar" and arguments[-1:] in (["-print-multiarch"], ["--print-multiarch"]):
        print(TRIPLE)
        return
    command = build_command(tool, arguments)
    if command is None:
        sys.exit(explain(tool).rstrip())
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{TRIPLE}-{tool}: error: cannot run {command[0]}: {error.strerror}")
