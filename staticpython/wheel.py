"""The interpreter as a wheel (PEP 427): `python -m staticpython.wheel --into DIST PLAN...`.

The tree is in the package static_python, beside the command that starts it (runtime/wheel). A wheel has no links: they
stand in tree.json, and `static-python unpack` makes them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from staticpython.config import ROOT
from staticpython.errors import StaticPythonError
from staticpython.published import contents_of, mode_of, pack, written_whole
from staticpython.target_plan import TargetPlan

SOURCE = ROOT / "runtime/wheel"
PACKAGE, COMMAND = "static_python", "static-python"
# PyPI's limit for a file (docs.pypi.org, storage limits).
MOST_BYTES = 100_000_000


def distribution(plan: TargetPlan) -> str:
    """Return the project's name: an interpreter of another flavour, or for newer CPUs, is another project.

    A wheel's tags know neither.
    """
    usual = next(iter(plan.arch.cpus.values())).download
    cpu = plan.cpu.download
    return "_".join([PACKAGE, *([cpu] if cpu != usual else []), *plan.variant])


def version(plan: TargetPlan) -> str:
    """Return the wheel's version: CPython's, and behind it our release of it (PEP 440, post-releases)."""
    return f"{plan.version}.post{plan.release}"


def platforms(plan: TargetPlan) -> list[str]:
    """Return the platform tags: the oldest manylinux and musllinux (PEP 600, PEP 656)."""
    return [f"{platform}_{plan.arch.wheel_arch}" for platform in plan.arch.wheel_platforms]


def _stem(plan: TargetPlan) -> str:
    return f"{distribution(plan)}-{version(plan)}"


def wheel_name(plan: TargetPlan) -> str:
    """Return the wheel's file name."""
    return f"{_stem(plan)}-py3-none-{'.'.join(platforms(plan))}.whl"


def _metadata(plan: TargetPlan) -> str:
    fields = {
        "Metadata-Version": "2.1",
        "Name": distribution(plan).replace("_", "-"),
        "Version": version(plan),
        "Summary": "CPython as one fully static executable, with its library",
        "License": "Python-2.0 and others: see licences/ in the tree",
        "Requires-Python": ">=3.8",
        "Classifier": "Operating System :: POSIX :: Linux",
        "Description-Content-Type": "text/markdown",
    }
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return head + "\n" + (SOURCE / "README.md").read_text(encoding="utf-8")


def _files(plan: TargetPlan, tree: Path) -> Iterator[tuple[str, bytes, int]]:
    """Yield everything that is in the wheel but RECORD: name, content and permissions."""
    for path in sorted((SOURCE / PACKAGE).glob("*.py")):
        yield f"{PACKAGE}/{path.name}", path.read_bytes(), 0o644
    paths = contents_of(tree)
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    facts = {
        "interpreter": plan.program,
        "time": plan.source_date_epoch,
        "links": {path.relative_to(tree).as_posix(): str(path.readlink()) for path in paths if path.is_symlink()},
        "files": [path.relative_to(tree).as_posix() for path in files],
    }
    yield f"{PACKAGE}/tree.json", (json.dumps(facts, indent=0) + "\n").encode(), 0o644
    for path in files:
        yield f"{PACKAGE}/tree/{path.relative_to(tree).as_posix()}", path.read_bytes(), mode_of(path)
    # Of the wheel only, not of the tree: pip and uv print it instead of installing there (PEP 668).
    yield (
        f"{PACKAGE}/tree/lib/python{plan.series}/EXTERNALLY-MANAGED",
        (SOURCE / "EXTERNALLY-MANAGED").read_bytes(),
        0o644,
    )
    info = f"{_stem(plan)}.dist-info"
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in platforms(plan))
    wheel = f"Wheel-Version: 1.0\nGenerator: {PACKAGE}\nRoot-Is-Purelib: false\n{tags}"
    yield f"{info}/METADATA", _metadata(plan).encode(), 0o644
    yield f"{info}/WHEEL", wheel.encode(), 0o644
    yield f"{info}/entry_points.txt", f"[console_scripts]\n{COMMAND} = {PACKAGE}.__main__:main\n".encode(), 0o644
    yield f"{info}/LICENSE", (ROOT / "LICENSE").read_bytes(), 0o644


def write_wheel(plan: TargetPlan, tree: Path, into: Path) -> Path:
    """Pack a target's tree; return the wheel, which is in the folder `into`. The same tree gives the same bytes.

    Raises UsageError for no tree, StaticPythonError for more than an index takes.
    """
    result = into / wheel_name(plan)
    record, time = f"{_stem(plan)}.dist-info/RECORD", plan.source_date_epoch
    lines = []
    with written_whole(result) as part:
        with zipfile.ZipFile(part, "w") as archive:
            for name, data, mode in _files(plan, tree):
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                lines.append(f"{_quoted(name)},sha256={digest},{len(data)}\n")
                _add(archive, name, data, mode, time)
            _add(archive, record, "".join([*lines, f"{record},,\n"]).encode(), 0o644, time)
        size = part.stat().st_size
        if size > MOST_BYTES:
            raise StaticPythonError(f"{result}: {size / 1e6:.0f} MB: PyPI takes {MOST_BYTES / 1e6:.0f} MB")
    return result


def _quoted(name: str) -> str:
    """Return a name as a field of RECORD, which is CSV (PEP 376)."""
    return f'"{name}"' if "," in name else name


def _add(archive: zipfile.ZipFile, name: str, data: bytes, mode: int, seconds: int) -> None:
    info = zipfile.ZipInfo(name, time.gmtime(seconds)[:6])
    info.create_system = 3  # Unix: external_attr holds permissions
    info.external_attr = (0o100000 | mode) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data, compresslevel=6)


def main(arguments: list[str] | None = None) -> int:
    """Write the wheel of each target; returns the exit code."""
    return pack("wheel", __doc__, arguments, lambda plan, tree, _, into: [write_wheel(plan, tree, into)])


if __name__ == "__main__":
    sys.exit(main())
