"""Bug fixes as mails to upstream."""

from __future__ import annotations

from pathlib import Path

import pytest

from staticpython.patch_headers import Header
from staticpython.upstream import Author, git, is_ready, main, write_mails

AUTHOR = Author("Ada Ünger", "ada@example.org")
PATCH = """\
Say {text}.

It said nothing. Kept:
#1 is no comment.

Upstream: not sent.
Tested: tests/unit/test_upstream.py
Kind: correctness

--- a/x.c
+++ b/x.c
@@ -1,2 +1,3 @@
 one
+{text}
 {after}
"""


@pytest.mark.parametrize(
    ("kind", "upstream", "ready"),
    [
        ("correctness", "not sent.", True),
        ("correctness", "not sent yet.", True),
        ("correctness", "not sent yet; 1.2.6 has the fault.", False),
        ("correctness", "not sent; to be sent.", True),
        ("correctness", "not sent; musl's authors decided otherwise.", False),
        ("correctness", "fixed after 1.2.6.", False),
        ("platform", "not sent.", False),
        ("speed", "not sent.", False),
    ],
)
def test_which_are_ready(kind: str, upstream: str, ready: bool) -> None:
    assert is_ready(Header("Do.", "Why.", upstream, "test_x.", kind)) == ready


def patch(folder: Path, name: str, text: str, after: str) -> Path:
    path = folder / name
    path.write_text(PATCH.format(text=text, after=after), encoding="utf-8")
    return path


def test_each_is_a_mail_for_the_release_alone(tmp_path: Path) -> None:
    """A second patch of the same lines applies as well; one that needs another is named without a mail."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "x.c").write_text("one\ntwo\n")
    found = [patch(tmp_path, "1.patch", "é", "two"), patch(tmp_path, "2.patch", "deux", "two")]
    found.insert(1, patch(tmp_path, "needs.patch", "x", "é"))
    mails = dict(write_mails(tree, found, tmp_path / "mails", AUTHOR))
    assert [path.name for path, mail in mails.items() if mail is None] == ["needs.patch"]
    for path, text in ((found[0], "é"), (found[2], "deux")):
        mail = mails[path]
        assert mail
        other = tmp_path / f"other-{path.stem}"
        other.mkdir()
        (other / "x.c").write_text("one\ntwo\n")
        for command in (["init", "-q"], ["add", "x.c"], ["commit", "-qm", "As released"], ["am", "-q", str(mail)]):
            git(other, AUTHOR, *command)
        assert (other / "x.c").read_text() == f"one\n{text}\ntwo\n"
        assert git(other, AUTHOR, "log", "-1", "--format=%an <%ae>%n%B").strip() == (
            f"Ada Ünger <ada@example.org>\nSay {text}\n\nIt said nothing. Kept:\n#1 is no comment."
        )


def test_who_sends_them_must_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    assert main(["--into", str(tmp_path / "mails")]) == 2
    assert not (tmp_path / "mails").exists()
