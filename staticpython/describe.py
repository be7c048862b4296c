"""Run by a target's interpreter: `python -I -S describe.py TREE` prints what PYTHON.json says of it.

A path of the tree begins with `install`, in what stands for a variable with `/install`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import sys
import sysconfig
from typing import Any

SUFFIXES = ("bytecode", "debug_bytecode", "extension", "optimized_bytecode", "source")


def describe(tree: str) -> dict[str, Any]:
    """Return what this interpreter, which is in a tree, is."""

    def below(path: str) -> str:
        return os.path.normpath(f"install/{os.path.relpath(path, tree)}")

    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    # This folder depends on who runs the program.
    variables = sorted((sysconfig.get_config_vars() | {"userbase": "~/.local"}).items())
    return {
        "python_tag": tag,
        "python_abi_tag": tag + sys.abiflags,
        "python_platform_tag": sysconfig.get_platform().replace("-", "_").replace(".", "_"),
        "python_implementation_cache_tag": sys.implementation.cache_tag,
        "python_implementation_hex_version": sys.implementation.hexversion,
        "python_implementation_name": sys.implementation.name,
        "python_implementation_version": [str(part) for part in sys.implementation.version],
        "python_major_minor_version": sysconfig.get_python_version(),
        "python_bytecode_magic_number": importlib.util.MAGIC_NUMBER.hex(),
        "python_suffixes": {name: getattr(importlib.machinery, f"{name.upper()}_SUFFIXES") for name in SUFFIXES},
        "python_exe": below(sys.executable),
        "python_paths": {name: below(path) for name, path in sysconfig.get_paths().items()},
        "python_paths_abstract": sysconfig.get_paths(expand=False),
        "python_stdlib_platform_config": below(sysconfig.get_config_var("LIBPL")),
        "python_config_vars": {name: str(value).replace(tree, "/install") for name, value in variables},
    }


if __name__ == "__main__":
    json.dump(describe(sys.argv[1]), sys.stdout)
