"""Write our bug fixes as mails to upstream: `python -m staticpython.upstream [PACKAGE...]`.

They are the patches of the kind `correctness` whose header says `Upstream: not sent.`, without a reason against it.
Each is applied to the release alone and written as by `git format-patch`, for `git send-email` and `git am`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from staticpython.config import ROOT, patches, pick
from staticpython.errors import UnpackError, UsageError, run_main
from staticpython.load import load_facts
from staticpython.patch_headers import Header, read_header
from staticpython.plan import fitting_releases
from staticpython.unpack import apply_patch, released

KEYS = ("user.name", "user.email")


@dataclass(frozen=True)
class Author:
    """Who sends the mails."""

    name: str
    address: str


def is_ready(header: Header) -> bool:
    """Tell whether upstream could take a patch: it fixes a bug there, and nothing is said against sending it."""
    return header.kind == "correctness" and bool(re.match(r"not sent(?: yet)?\.|not sent; to be sent", header.upstream))


def message(header: Header) -> str:
    """Return the text of a commit: what the patch does, and why."""
    return f"{header.summary.removesuffix('.')}\n\n{header.why}\n"


def git(tree: Path, author: Author, *arguments: str, text: str = "") -> str:
    """Run git in a folder, without the user's settings; raises UsageError with what it said."""
    options = [f"user.name={author.name}", f"user.email={author.address}", "commit.gpgSign=false"]
    command = ["git", "-C", str(tree), *(word for option in options for word in ("-c", option)), *arguments]
    try:
        run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UsageError("git is needed: install it") from None
    if run.returncode:
        raise UsageError(f"{' '.join(arguments)}: git failed:\n{run.stdout}{run.stderr}")
    return run.stdout


def write_mails(tree: Path, found: list[Path], into: Path, author: Author) -> Iterator[tuple[Path, Path | None]]:
    """Write a mail for each patch to a tree as it was released; yield the patch, and the mail if it applies alone."""
    into.mkdir(parents=True, exist_ok=True)
    git(tree, author, "init", "--quiet")
    git(tree, author, "add", "--all", "--force")
    git(tree, author, "commit", "--quiet", "--message", "As released")
    git(tree, author, "tag", "released")
    for patch in found:
        git(tree, author, "checkout", "--quiet", "--detach", "released")
        try:
            apply_patch(patch, tree)
        except UnpackError:
            git(tree, author, "reset", "--quiet", "--hard")
            git(tree, author, "clean", "--quiet", "-fdx")
            yield patch, None
            continue
        git(tree, author, "add", "--all", "--force")
        git(tree, author, "commit", "--quiet", "--cleanup=verbatim", "--file=-", text=message(read_header(patch)))
        mail = into / patch.name
        mail.write_text(git(tree, author, "format-patch", "-1", "--stdout"), encoding="utf-8")
        yield patch, mail


def _setting(key: str) -> str:
    return subprocess.run(["git", "config", key], capture_output=True, text=True, check=False).stdout.strip()


def current_author() -> Author:
    """Return who git says the user is; raises UsageError."""
    words = [_setting(key) for key in KEYS]
    if not all(words):
        raise UsageError(
            f"git does not know who sends the mails: git config {KEYS[0]} NAME, git config {KEYS[1]} ADDRESS"
        )
    return Author(*words)


def main(arguments: list[str] | None = None) -> int:
    """Write the mails; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.upstream", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="all when none is given")
    parser.add_argument("--downloads", type=Path, default=ROOT / "downloads")
    parser.add_argument("--into", type=Path, default=Path("build/upstream"))
    options = parser.parse_args(arguments)

    def body() -> int:
        facts, author = load_facts(), current_author()
        for name in options.packages:
            pick("package", name, list(facts.packages))
        for name in options.packages or facts.packages:
            package = facts.in_series(facts.packages[name], facts.default_series)
            release = next(iter(fitting_releases(package)), None)
            found = [p for p in patches(package, release.version) if is_ready(read_header(p))] if release else []
            if not found or not release:
                continue
            with tempfile.TemporaryDirectory() as folder:
                tree = Path(folder) / name
                released(package, release, options.downloads, Path(folder), tree)
                for patch, mail in write_mails(tree, found, options.into / name, author):
                    print(f"{patch.relative_to(ROOT)}: {mail or 'needs others before it'}")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
