"""The compilers that sysconfig names: scripts of the tree, because the machine's are not known in advance.

The tree's _sysconfigdata already has CC=<tree>/bin/<triple>-cc and so on (_staticpython.cc explains what
that script runs). Here the running interpreter adds what only it knows: the Zig of the PyPI package
`ziglang` in its virtual environment, or in pip's isolated build environment.
"""

import sys
from os import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

VARIABLES = ("CC", "CXX", "AR", "LDSHARED", "LDCXXSHARED", "BLDSHARED", "LINKCC", "MAINCC", "CPP", "RANLIB")


def find_ziglang(folders: "Iterable[str]") -> "str | None":
    """Return the zig program of a `ziglang` package (PyPI) in one of the folders, or None."""
    for folder in folders:
        program = path.join(folder, "ziglang", "zig")
        if path.isfile(program):
            return path.abspath(program)
    return None


def _quoted(word: str) -> str:
    """Quote for shlex.split(), which setuptools uses to split commands; as _sysconfigdata does."""
    return f"'{word}'" if any(character.isspace() for character in word) else word


def customize_config_vars(config_vars: "dict[str, Any]") -> None:
    """Name the Zig that this interpreter sees, unless the compiler script finds it by itself."""
    # pip hides the environment's own packages from an isolated build, so the folder is named.
    own = "{}/lib/python{}.{}{}/site-packages".format(sys.prefix, *sys.version_info[:2], sys.abiflags)
    zig = find_ziglang([*sys.path, own])
    if not zig or zig.startswith(sys.base_prefix + "/"):
        return
    from _staticpython.facts import TRIPLE

    for name in VARIABLES:
        value = config_vars.get(name, "")
        for tool in ("cc", "c++", "ar"):
            script = _quoted(f"{sys.base_prefix}/bin/{TRIPLE}-{tool}")
            if isinstance(value, str) and value.startswith(script):
                config_vars[name] = f"{script} {_quoted('--zig=' + zig)}{value[len(script) :]}"
