"""What a patch says of itself before its first hunk: what it does, why, and what would notice if it were gone.

`python -m staticpython.patch_headers` writes docs/patches.md, the list of all. The form of a header is

Let this do that.

Why, in as many paragraphs as it takes.

Upstream: what became of it there, or why it is not sent.
Tested: tests/build/test_this.py (test_name); CPython's test_that.
Kind: correctness
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from staticpython import ROOT
from staticpython.errors import FactsError, nearest

TABLE = "docs/patches.md"

# Kind -> what it means.
KINDS = {
    "correctness": "mends a fault that users of upstream's release have too, or have with another compiler or CPU",
    "platform": "makes it what this project builds: static, relocatable, with a loader, of these toolchains",
    "speed": "is for speed or memory only, and is left out by --no-speedups",
}
FIELDS = ("Upstream", "Tested", "Kind")
WIDTH = 120
_STARTS = tuple(f"{name}: " for name in FIELDS)
_HUNKS = re.compile(r"^(?:diff |--- |Index: )", re.MULTILINE)
_FORM = re.compile(
    r"(?P<summary>[^\n]+\.)\n\n(?P<why>\S.*?)\n\n"
    r"Upstream: (?P<upstream>\S.*?)\nTested: (?P<tested>\S.*?)\nKind: (?P<kind>\w+)\n*",
    re.DOTALL,
)
# What other projects write, and what stands for it here.
_OTHERS = {
    "why": "the reason itself, after an empty line",
    "tested by": "'Tested:'",
    "tested-by": "'Tested:'",
    "tested": "'Tested:'",
    "upstream": "'Upstream:'",
    "kind": "'Kind:'",
}


@dataclass(frozen=True)
class Header:
    """A patch's header."""

    summary: str
    why: str
    upstream: str
    tested: str
    kind: str

    @property
    def test_files(self) -> list[str]:
        """The files of this project's tests that it names."""
        return re.findall(r"\btests/[\w./-]*\w", self.tested)

    @property
    def test_names(self) -> list[tuple[str, str]]:
        """The single tests of this project that it names, each with its file: `FILE (test_x)` or `FILE::test_x`."""
        found = re.findall(r"\b(tests/[\w./-]*\w)(?: \(([^)]*)\)|::(\w+))", self.tested)
        return [(file, name) for file, *words in found for name in re.findall(r"\btest_\w+", " ".join(words))]

    @property
    def cpython_tests(self) -> list[str]:
        """CPython's tests that it names; `test_json` in `tests/x.py (test_json)` is none of them."""
        others = re.sub(r"\btests/\S+( \([^)]*\))?", "", self.tested)
        return re.findall(r"(?<![.\w])test_\w+", others)


def read_header(patch: Path) -> Header:
    """Read a patch's header; raises FactsError that says which line is wrong and what belongs there."""
    text = _HUNKS.split(patch.read_text(encoding="utf-8"), maxsplit=1)[0]
    lines = text.rstrip("\n").split("\n")
    for number, line in enumerate(lines, 1):
        word, colon, _ = line.partition(":")
        if colon and word.lower() in _OTHERS and not line.startswith(_STARTS):
            raise _wrong(patch, number, f"in the place of '{word}:' write {_OTHERS[word.lower()]}")
        if len(line) > WIDTH:
            raise _wrong(patch, number, f"longer than {WIDTH} characters")
    found = _FORM.fullmatch(text)
    if not found:
        raise _wrong(patch, *_first_fault(lines))
    header = Header(**found.groupdict())
    if header.kind not in KINDS:
        number = lines.index(f"Kind: {header.kind}") + 1
        raise _wrong(patch, number, f"Kind: {header.kind}: unknown{nearest(header.kind, KINDS)} ({', '.join(KINDS)})")
    if not (header.test_files or header.cpython_tests):
        number = next(n for n, line in enumerate(lines, 1) if line.startswith("Tested: "))
        raise _wrong(patch, number, "Tested: names no test: a file below tests/, or one of CPython's (test_json)")
    return header


def _wrong(patch: Path, number: int, what: str) -> FactsError:
    return FactsError(f"{patch}:{number}: {what}; CONTRIBUTING.md has the form of a header")


def _first_fault(lines: list[str]) -> tuple[int, str]:
    """Return the number of the first line that is not in the form, and what belongs there."""
    if not lines[0].strip():
        return 1, "no header: say what the patch does and why"
    if not lines[0].endswith("."):
        return 1, "the first line is a sentence, with a full stop, that says what the patch does"
    places = []
    for field in _STARTS:
        at = [n for n, line in enumerate(lines, 1) if line.startswith(field)]
        if len(at) != 1:
            return len(lines), f"{len(at) or 'no'} lines '{field}...'; one belongs to the end"
        places += at
    if places != sorted(places):
        return places[0], f"the order is {', '.join(FIELDS)}"
    if lines[1]:
        return 2, "an empty line belongs after the first"
    if lines[places[0] - 2]:
        return places[0], "an empty line belongs before 'Upstream:'"
    if places[0] <= 3:
        return 3, "say why, before 'Upstream:'"
    return places[2], "'Kind:' is the last line, of one word"


def is_for_speed(patch: Path) -> bool:
    """Tell whether a patch is for speed only; raises FactsError for a header that does not say it."""
    return read_header(patch).kind == "speed"


def render_table(root: Path = ROOT) -> str:
    """Return the list of all patches as Markdown: by folder, what is needed before what is for speed only."""
    lines = ["# Patches", "", "Made by `python -m staticpython.patch_headers`; do not edit.", ""]
    lines += [f"* `{kind}`: {meaning}" for kind, meaning in KINDS.items()]
    for folder in sorted(path for path in (root / "patches").iterdir() if path.is_dir()):
        lines += ["", f"## {folder.name}", "", "| patch | kind | what it does | upstream |", "|---|---|---|---|"]
        headers = [(patch.stem, read_header(patch)) for patch in sorted(folder.glob("*.patch"))]
        lines += [_row(name, header) for name, header in sorted(headers, key=lambda item: item[1].kind == "speed")]
    return "\n".join(lines) + "\n"


def _row(name: str, header: Header) -> str:
    return f"| {name} | {header.kind} | {header.summary} | {' '.join(header.upstream.split())} |".replace("\\", "\\\\")


def main() -> int:
    """Write the list."""
    (ROOT / TABLE).write_text(render_table(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
