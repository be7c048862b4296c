"""Terminals are known without a terminfo database, and looked up in one if it exists."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

pytestmark = [pytest.mark.any_cpu("data and C code of ncurses"), pytest.mark.needs_modules("_curses")]

# name: how many colors it has; -1 for none. Many come with terminal emulators, under names that no list has.
COLORS = {
    **dict.fromkeys(("xterm-256color", "xterm-kitty", "kitty", "xterm-ghostty", "ghostty", "alacritty", "foot"), 256),
    **dict.fromkeys(("rxvt-unicode-256color", "st-256color", "vscode", "wezterm", "contour", "rio"), 256),
    **dict.fromkeys(("tmux-256color", "screen-256color", "screen.xterm-256color", "konsole-256color"), 256),
    **dict.fromkeys(("xterm-new-one-256color", "new-one-256color"), 256),
    **dict.fromkeys(("linux", "screen.linux", "xterm", "screen", "rxvt"), 8),
    "tmux-direct": 1 << 24,
    "vt100": -1,
    "dumb": -1,
}
ASK = """
import curses, sys
answers = {}
for name in sys.argv[1:]:
    try:
        curses.setupterm(name, 1)
    except curses.error:
        answers[name] = None
        continue
    answers[name] = curses.tigetnum("colors"), bool(curses.tigetstr("cup")), bool(curses.tigetstr("el"))
print(answers)
"""


def ask(run: Callable[..., str], *names: str) -> dict[str, tuple[int, bool, bool] | None]:
    """Return each terminal's abilities: colors, moving the cursor, clearing a line. None: unknown."""
    # setupterm() keeps the first terminal of a process.
    answers = [ast.literal_eval(run("-c", ASK, name)) for name in names]
    return {name: answer for each in answers for name, answer in each.items()}


def test_known_without_a_database(chroot: Callable[..., str]) -> None:
    answers = ask(chroot, *COLORS, "no-such-terminal")
    assert answers.pop("no-such-terminal") is None
    assert answers == {name: (n, name != "dumb", name != "dumb") for name, n in COLORS.items()}


@pytest.mark.parametrize("where", ["TERMINFO", "TERMINFO_DIRS", "HOME"])
def test_a_database_is_looked_into(target: BuiltTarget, tmp_path: Path, where: str) -> None:
    tic = shutil.which("tic")
    if tic is None:
        pytest.skip("needs tic (Debian: ncurses-bin)")
    source, folder = tmp_path / "mine.ti", tmp_path / ".terminfo"
    source.write_text("mine|a terminal,\n\tcolors#77, cup=\\E[%i%p1%d;%p2%dH, el=\\E[K,\n")
    subprocess.run([tic, "-x", "-o", str(folder), str(source)], check=True)
    value = str(tmp_path) if where == "HOME" else f"/nonexistent:{folder}" if where == "TERMINFO_DIRS" else str(folder)

    def run(*arguments: str) -> str:
        return target.run(*arguments, env=clean_environment(**{where: value}))

    assert ask(run, "mine") == {"mine": (77, True, True)}
