"""The header of a patch, before its first hunk: what the patch does, why, and which tests fail without it.

`python -m staticpython.patch_headers` writes docs/patches.md, the list of all patches. The form of a header is

Make this do that.

Why, in as many paragraphs as needed.

Upstream: its state there, or why it is not sent.
Tested: tests/build/test_this.py (test_name); CPython's test_that.
Kind: correctness
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from staticpython import ROOT
from staticpython.errors import FactsError, nearest, run_main
from staticpython.schema import read_text

TABLE = "docs/patches.md"

# Kind -> what it means.
KINDS = {
    "correctness": "fixes a bug that users of upstream's release also have, perhaps with another compiler or CPU",
    "platform": "what this project's kind of build needs: static, relocatable, with a loader, with these toolchains",
    "speed": "only makes it faster or smaller; --no-speedups leaves it out",
}
FIELDS = ("Upstream", "Tested", "Kind")
WIDTH = 120
# Topic -> the files that belong to it. A patch has the topic in which it changes most lines.
TOPICS = {
    "build": r"(.*/)?(Makefile[^/]*|configure(\.ac)?)|Misc/.*",
    "files": r"src/(fcntl|stat|dirent|unistd|conf)/.*|Modules/posixmodule\.c",
    "headers": r"include/.*",
    "import": r"Lib/(importlib/.*|site\.py)|Python/(import|frozen)\.c|Modules/getpath\..*",
    "interpreter": r"Python/ceval\.c|Tools/gdb/.*",
    "loader": r"(ldso|src/ldso|src/env)/.*",
    "memory": r"Objects/(obmalloc\.c|mimalloc/.*)|Include/internal/(mimalloc/.*|pycore_obmalloc\.h)|Include/object\.h",
    "network": r"src/network/.*|Lib/ssl\.py",
    "process": r"src/(process|sched)/.*|Python/remote_debug\.h",
    "start and end": r"Python/(pylifecycle|pythonrun)\.c|Modules/(main|signalmodule)\.c|src/signal/.*",
    "text": r"Objects/(stringlib/|unicode|bytes).*|.*/unicodeobj.*|Modules/(binascii|_json|_sre/).*|Python/pystrhex.*",
    "threads": r"src/(thread|select)/.*|Python/ceval_gil\.c",
    "time": r"src/time/.*|Lib/zoneinfo/.*|Modules/timemodule\.c",
    "types": r"Objects/(type|descr|long|dict).*",
}
_STARTS = tuple(f"{name}: " for name in FIELDS)
_HUNKS = re.compile(r"^(?:diff |--- |Index: )", re.MULTILINE)
_FORM = re.compile(
    r"(?P<summary>[^\n]+\.)\n\n(?P<why>\S.*?)\n\n"
    r"Upstream: (?P<upstream>\S.*?)\nTested: (?P<tested>\S.*?)\nKind: (?P<kind>\w+)\n*",
    re.DOTALL,
)
# What other projects write -> what is written here.
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
        """This project's test files that it names."""
        return re.findall(r"\btests/[\w./-]*\w", self.tested)

    @property
    def test_names(self) -> list[tuple[str, str]]:
        """This project's single tests that it names, each with its file: `FILE (test_x)` or `FILE::test_x`."""
        found = re.findall(r"\b(tests/[\w./-]*\w)(?: \(([^)]*)\)|::(\w+))", self.tested)
        return [(file, name) for file, *words in found for name in re.findall(r"\btest_\w+", " ".join(words))]

    @property
    def cpython_tests(self) -> list[str]:
        """CPython's tests that it names; `test_json` in `tests/x.py (test_json)` is not one."""
        others = re.sub(r"\btests/\S+( \([^)]*\))?", "", self.tested)
        return re.findall(r"(?<![.\w])test_\w+", others)


def read_header(patch: Path) -> Header:
    """Read a patch's header; raises FactsError that names the wrong line and what belongs there."""
    whole = read_text(patch)
    text = _HUNKS.split(whole, maxsplit=1)[0]
    lines = text.rstrip("\n").split("\n")
    for number, line in enumerate(lines, 1):
        word, colon, _ = line.partition(":")
        if colon and word.lower() in _OTHERS and not line.startswith(_STARTS):
            raise _wrong(patch, number, f"instead of '{word}:' write {_OTHERS[word.lower()]}")
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
    _check_hunks(patch, whole)
    return header


def _check_hunks(patch: Path, text: str) -> None:
    """Raise FactsError for a patch without changes, or whose files patch(1) would look for elsewhere."""
    if not re.search(r"^@@ -\d", text, re.MULTILINE):
        raise FactsError(f"{patch}: changes nothing: no hunk (@@ -1 +1 @@) after the header")
    for names in re.findall(r"^--- (\S+).*\n\+\+\+ (\S+).*\n@@ -", text, re.MULTILINE):
        for name in names:
            if name != "/dev/null" and not re.match("[a-z]/", name):
                raise FactsError(f"{patch}: {name}: paths begin with a/ and b/, as `git diff` writes them")


def _wrong(patch: Path, number: int, what: str) -> FactsError:
    return FactsError(f"{patch}:{number}: {what}; CONTRIBUTING.md has the form of a header")


def _first_fault(lines: list[str]) -> tuple[int, str]:
    """Return the number of the first line that breaks the form, and what belongs there."""
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
    """Tell whether a patch is only for speed; raises FactsError if its header does not say."""
    return read_header(patch).kind == "speed"


def changed_lines(patch: Path) -> Counter[str]:
    """Return the files that a patch changes, each with the number of lines added and removed."""
    lines: Counter[str] = Counter()
    file = ""
    for line in patch.read_text(encoding="utf-8").splitlines():
        if line.startswith(("--- ", "+++ ")):
            name = line[4:].split("\t")[0]
            file = file if name == "/dev/null" else name.partition("/")[2]
        elif file and line.startswith(("+", "-")):
            lines[file] += 1
    return lines


def topic_of(patch: Path) -> str:
    """Return the part of the package that a patch is about, not its tests; without a name for it, the file's folder."""
    topics: Counter[str] = Counter()
    for file, count in changed_lines(patch).items():
        folder = file.split("/")[-2:][0]
        topics[next((t for t, files in TOPICS.items() if re.fullmatch(files, file)), folder)] += count
    return min(topics, key=lambda topic: (topic == "test", -topics[topic], topic))


def render_table(root: Path = ROOT) -> str:
    """Return the list of all patches as Markdown: by folder, needed ones first, then those for speed, by topic."""
    lines = ["# Patches", "", "Written by `python -m staticpython.patch_headers`; do not edit.", ""]
    lines += [f"* `{kind}`: {meaning}" for kind, meaning in KINDS.items()]
    lines += ["", "Patches apply in the order of their numbers. Here they are in the order of their topics."]
    for folder in sorted(path for path in (root / "patches").iterdir() if path.is_dir()):
        lines += ["", f"## {folder.name}"]
        found = [(topic_of(patch), patch.stem, read_header(patch)) for patch in folder.glob("*.patch")]
        needed = [row for row in found if row[2].kind != "speed"]
        lines += _rows("needed", needed) + _rows("for speed", [row for row in found if row not in needed])
    return "\n".join(lines) + "\n"


def _rows(title: str, patches: list[tuple[str, str, Header]]) -> list[str]:
    """Return a table of patches, without patches nothing."""
    lines = ["", f"| {title} | topic | kind | what it does | upstream |", "|---|---|---|---|---|"]
    for topic, name, header in sorted(patches, key=lambda row: row[:2]):
        upstream = " ".join(header.upstream.split())
        lines.append(f"| {name} | {topic} | {header.kind} | {header.summary} | {upstream} |".replace("\\", "\\\\"))
    return lines if patches else []


def main(arguments: list[str] | None = None) -> int:
    """Write the list."""
    argparse.ArgumentParser(prog="staticpython.patch_headers", description=__doc__).parse_args(arguments)
    (ROOT / TABLE).write_text(render_table(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
