"""Archives of finished trees: `python -m staticpython.archive --into DIST PLAN...`, a plan.json for each target.

`install_only` is what uv and its like unpack: the tree, in the folder python/. `install_only_stripped` are the same
bytes: the interpreter is stripped while it is linked.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from staticpython.published import FOLDER, Archive, pack, write_archive
from staticpython.target_plan import TargetPlan


def write_archives(plan: TargetPlan, tree: Path, into: Path) -> list[Path]:
    """Pack a target's tree into a folder; return both archives. The same tree gives the same bytes."""
    first, second = (into / Archive.of(plan, contents).name for contents in ("install_only", "install_only_stripped"))
    write_archive(first, [(FOLDER, tree)], plan.source_date_epoch)
    second.unlink(missing_ok=True)
    os.link(first, second)
    return [first, second]


def main(arguments: list[str] | None = None) -> int:
    """Write the archives of each target; returns the exit code."""
    return pack("archive", __doc__, arguments, lambda plan, tree, _, into: write_archives(plan, tree, into))


if __name__ == "__main__":
    sys.exit(main())
