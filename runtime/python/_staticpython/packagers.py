"""Modules of packaging tools that must be told something about this interpreter once they are imported.

They are copied into pip, setuptools, poetry, uv and others, and `pip install -U pip` replaces them. So this is a hook
in the import system (importlib._bootstrap), which also works without site, instead of a patch for one copy.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch(name: str, module: "Any") -> None:
    """Patch a module that was just imported; importlib._bootstrap has the same list of names."""
    if name.endswith("packaging._musllinux"):
        from _staticpython import musllinux

        musllinux.patch(module)
    elif name.endswith("distlib.scripts"):
        from _staticpython import scripts

        scripts.patch_distlib(module)
    elif name.endswith("packaging.tags"):
        from _staticpython import programs

        programs.patch_tags(module)
    elif name.endswith("index.package_finder"):
        from _staticpython import wheels_of_programs

        wheels_of_programs.patch_finder(module)
    elif name.endswith("operations.prepare"):
        from _staticpython import wheels_of_programs

        wheels_of_programs.patch_preparer(module)
    elif name.endswith("operations.install.wheel"):
        from _staticpython import programs, scripts

        scripts.patch_pip(module)
        programs.patch_pip(module)
