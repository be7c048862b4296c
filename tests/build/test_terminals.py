"""Terminals are known on a machine without descriptions."""

from __future__ import annotations

import pytest

from .conftest import BuiltTarget, clean_environment

MANY = """xterm-256color xterm-kitty kitty xterm-ghostty ghostty rxvt-unicode-256color st-256color foot alacritty vscode
tmux-256color wezterm konsole-256color screen.xterm-256color screen-256color contour rio xterm-new-one-256color""".split()


@pytest.mark.parametrize(
    ("term", "colors"),
    [*((t, 256) for t in MANY), ("rxvt-unicode", 88), ("st", 8), ("linux", 8), ("screen.linux", 8), ("dumb", -1), ("vt100", -1)],
)
def test_colors(target: BuiltTarget, term: str, colors: int) -> None:
    program = "import curses; curses.setupterm(fd=1); print(curses.tigetnum('colors'), bool(curses.tigetstr('cuu1')))"
    # TERMINFO_DIRS takes the place of the folders that are compiled in.
    env = clean_environment(TERM=term, TERMINFO="/nonexistent", TERMINFO_DIRS="/nonexistent", HOME="/nonexistent")
    assert target.run("-c", program, env=env) == f"{colors} {term != 'dumb'}"


def test_unknown_is_unknown(target: BuiltTarget) -> None:
    program = "import curses\ntry: curses.setupterm('no-such', 1)\nexcept curses.error: print('unknown')"
    assert target.run("-c", program) == "unknown"
