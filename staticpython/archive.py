"""Archives of finished trees: `python -m staticpython.archive TREE...` writes TREE.tar.xz and SHA256SUMS."""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
from pathlib import Path

from staticpython.fetch import sha256_of


def archive(tree: Path) -> Path:
    """Pack a tree so that the same content gives the same bytes (sorted names, no owner, one date)."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))

    def neutral(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = epoch
        return info

    result = tree.with_name(f"{tree.name}.tar.xz")
    temporary = result.with_name(f"{result.name}.part")
    with tarfile.open(temporary, "w:xz", preset=6, format=tarfile.PAX_FORMAT) as tar:
        tar.add(tree, arcname=tree.name, recursive=False, filter=neutral)
        for path in sorted(tree.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(tree.parent)), recursive=False, filter=neutral)
    temporary.rename(result)
    return result


def main(arguments: list[str] | None = None) -> int:
    """Write the archives and SHA256SUMS; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.archive", description=__doc__)
    parser.add_argument("trees", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    for tree in options.trees:
        print(f"packed    {archive(tree)}")
    folder = options.trees[0].parent
    sums = "".join(f"{sha256_of(file)}  {file.name}\n" for file in sorted(folder.glob("*.tar.xz")))
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
