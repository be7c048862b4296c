"""Archives of finished trees: `python -m staticpython.archive --into DIST PLAN...`, a plan.json for each target.

`install_only` is what uv and its like unpack: the tree, in the folder python/. `install_only_stripped` are the same
bytes: the interpreter is stripped while it is linked.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from staticpython.errors import run_main
from staticpython.published import Archive, write_tar_gz

FOLDER = "python"


def write_archives(plan: dict[str, Any], tree: Path, into: Path) -> list[Path]:
    """Pack a target's tree into a folder; return both archives. The same tree gives the same bytes."""
    archive = Archive.of(plan, "install_only")
    first = write_tar_gz(into / archive.name, [(FOLDER, tree)], plan["source_date_epoch"])
    second = into / archive.with_flavour("install_only_stripped").name
    second.unlink(missing_ok=True)
    os.link(first, second)
    return [first, second]


def main(arguments: list[str] | None = None) -> int:
    """Write the archives of each target; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.archive", description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the folder of the trees, and of the archives")
    parser.add_argument("plans", type=Path, nargs="+", metavar="PLAN")
    options = parser.parse_args(arguments)

    def body() -> int:
        for path in options.plans:
            plan = json.loads(path.read_text(encoding="utf-8"))
            for archive in write_archives(plan, options.into / plan["tree"], options.into):
                print(f"packed    {archive}  {archive.stat().st_size / 1e6:.1f} MB")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
