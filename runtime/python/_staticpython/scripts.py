"""Let commands that are installed into the tree start the interpreter beside them, so that the tree can be moved.

Commands of virtual environments, --user, --target and --prefix name their interpreter by its path, as usual.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# As relocate.py writes it: sh runs the second line; to Python, lines two and three are a string.
HEAD = """\
#!/bin/sh
'''exec' "$(dirname -- "$(readlink -f -- "$0")")/{python}"{options} "$0" "$@"
' '''
"""


def is_in_tree(folder: str, executable: str) -> bool:
    """Are the scripts and the interpreter both in the bin folder of the tree that this process runs from?"""
    if sys.prefix != sys.base_prefix:
        return False
    tree = os.path.realpath(os.path.join(sys.base_prefix, "bin"))
    return os.path.realpath(folder) == tree and os.path.realpath(os.path.dirname(executable)) == tree


def head(executable: str, options: str = "") -> bytes:
    """Return the first lines of a script, for an interpreter beside it."""
    return HEAD.format(python=os.path.basename(executable), options=options).encode()


def patch_distlib(module: "Any") -> None:
    """Make distlib's ScriptMaker, with which pip writes entry points, use these first lines."""
    maker = getattr(module, "ScriptMaker", None)
    original = getattr(maker, "_build_shebang", None)
    if original is None:
        return

    def _build_shebang(self: "Any", executable: bytes, post_interp: bytes) -> "Any":
        """Build a shebang line: distlib's, or for the tree's own bin one that can be moved."""
        path = os.fsdecode(executable).strip('"')
        if is_in_tree(self.target_dir, path):
            return head(path, os.fsdecode(post_interp))
        return original(self, executable, post_interp)

    maker._build_shebang = _build_shebang  # type: ignore[union-attr]


def patch_pip(module: "Any") -> None:
    """Make pip's fix_script(), which completes `#!python` in a wheel's scripts, use these first lines."""
    original = getattr(module, "fix_script", None)
    if original is None:
        return

    def fix_script(path: str) -> "Any":
        """Replace #!python; return whether the file was changed."""
        changed = original(path)
        if changed and is_in_tree(os.path.dirname(path), sys.executable):
            with open(path, "rb") as script:
                script.readline()
                rest = script.read()
            with open(path, "wb") as script:
                script.write(head(sys.executable) + rest)
        return changed

    module.fix_script = fix_script
