"""Archives of finished trees: `python -m staticpython.archive --into DIST PLAN...`, a plan.json for each target.

`install_only` is what uv and its like unpack: the tree, in the folder python/. `install_only_stripped` are the same
bytes: the interpreter is stripped while it is linked.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from staticpython.errors import run_main
from staticpython.published import FOLDER, Archive, read_plan, target_parser, write_archive


def write_archives(plan: dict[str, Any], tree: Path, into: Path) -> list[Path]:
    """Pack a target's tree into a folder; return both archives. The same tree gives the same bytes."""
    first, second = (into / Archive.of(plan, flavour).name for flavour in ("install_only", "install_only_stripped"))
    write_archive(first, [(FOLDER, tree)], plan["source_date_epoch"])
    second.unlink(missing_ok=True)
    os.link(first, second)
    return [first, second]


def main(arguments: list[str] | None = None) -> int:
    """Write the archives of each target; returns the exit code."""
    options = target_parser("archive", __doc__).parse_args(arguments)

    def body() -> int:
        for path in options.plans:
            plan = read_plan(path)
            for archive in write_archives(plan, options.into / plan["tree"], options.into):
                print(f"packed    {archive}  {archive.stat().st_size / 1e6:.1f} MB")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
