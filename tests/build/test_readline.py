"""What scripts and users of GNU readline expect from the readline module, typed into a terminal.

The expected values are GNU readline's, so they hold for a build with it (--with-gpl) as well.
"""

from __future__ import annotations

import json
import os
import pty
import random
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

pytestmark = [pytest.mark.any_cpu("C code of libedit"), pytest.mark.needs_modules("readline")]

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"


@dataclass
class Terminal:
    """A process at a pseudoterminal."""

    process: subprocess.Popen[bytes]
    master: int
    shown: str = ""

    def wait(self, text: str) -> str:
        """Read until a text is shown; return what was shown up to its end."""
        end = time.monotonic() + 60
        while text not in self.shown:
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            try:
                data = os.read(self.master, 4096) if ready else b""
            except OSError:  # the other side is closed
                data = b""
            assert data, f"no {text!r} in {self.shown!r}"
            self.shown += data.decode(errors="replace")
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def send(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def start(target: BuiltTarget, home: Path, *arguments: str, **environment: str) -> Terminal:
    master, slave = pty.openpty()
    env = clean_environment(HOME=str(home), TERM="xterm", PYTHON_BASIC_REPL="1", PYTHON_COLORS="0") | environment
    command = [*target.emulator, str(target.binary), *arguments]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=home)
    os.close(slave)
    return Terminal(process, master)


def typed(target: BuiltTarget, home: Path, setup: str, keys: str, **environment: str) -> str:
    """Return the line that input() returns for some keys, after a program has configured readline."""
    program = f"import readline\n{setup}\nline = input('ready> ')\nprint('the ' + 'line', ascii(line), 'ends')"
    terminal = start(target, home, "-S", "-c", program, **environment)
    try:
        terminal.wait("ready> ")
        terminal.send(keys)
        terminal.wait("the line ")
        return str(eval(terminal.wait(" ends").removesuffix(" ends")))
    finally:
        terminal.close()


WORDS = """
words = ['alpha', 'alpine', 'beta']
readline.set_completer(lambda text, n: ([w for w in words if w.startswith(text)] + [None])[n])
"""
HISTORY = "for line in ('abc 1', 'xyz 2', 'abc 3', 'q 4'): readline.add_history(line)\n"


INSERT_AND_SHOW = "    readline.insert_text('given')\n    readline.redisplay()"


def bind(*lines: str) -> str:
    return "".join(f"readline.parse_and_bind({line!r})\n" for line in lines)


@pytest.mark.parametrize(
    ("setup", "keys", "line"),
    [
        pytest.param("", "a\tb\r", "a\tb", id="tab-unbound"),
        pytest.param(WORDS + bind("tab: complete"), "be\t\r", "beta", id="tab"),
        pytest.param(WORDS + bind("TAB:complete"), "be\t\r", "beta", id="tab-without-space"),
        pytest.param(WORDS + bind("  Tab:   complete  "), "be\t\r", "beta", id="tab-spaces"),
        pytest.param(WORDS + bind('"\\t": complete'), "be\t\r", "beta", id="tab-quoted"),
        pytest.param(WORDS + bind('"\\C-i": complete'), "be\t\r", "beta", id="control-i"),
        pytest.param(WORDS + bind("Control-x: complete"), "be\x18\r", "beta", id="control-x"),
        pytest.param(WORDS + bind("tab: complete"), "al\t\r", "alp", id="common-prefix"),
        pytest.param(WORDS + bind("tab: complete", "tab: self-insert"), "be\t\r", "be\t", id="tab-again-itself"),
        pytest.param(WORDS + bind("tab: complete", "set disable-completion on"), "be\t\r", "be\t", id="disabled"),
        pytest.param(WORDS + bind("tab: no-such-function", "tab: complete"), "be\t\r", "beta", id="unknown-function"),
        pytest.param(WORDS + bind("tab: complete", "# tab: self-insert"), "be\t\r", "beta", id="comment"),
        pytest.param(WORDS + bind("tab: complete", "set no-such-variable on", ""), "be\t\r", "beta", id="variable"),
        pytest.param(HISTORY + bind('"\\C-r": reverse-search-history'), "\x12xy\r", "xyz 2", id="control-r"),
        pytest.param(HISTORY + bind('"\\e[A": history-search-backward'), "abc" + UP + UP + "\r", "abc 1", id="search"),
        pytest.param(
            HISTORY + bind('"\\e[A": history-search-backward', '"\\e[B": history-search-forward'),
            "abc" + UP + UP + DOWN + "\r",
            "abc 3",
            id="search-back-and-forth",
        ),
        pytest.param(HISTORY + bind('"\\e[A": previous-history'), UP + UP + "\r", "abc 3", id="previous"),
        pytest.param(HISTORY, "\x10\x10\r", "abc 3", id="control-p"),
        pytest.param(bind('"\\C-o": "hello \\"you\\" \\\\"'), "\x0f!\r", 'hello "you" \\!', id="macro"),
        pytest.param(bind("Control-g: 'it'"), "\x07s\r", "its", id="macro-apostrophes"),
        pytest.param(bind('"\\ex": beginning-of-line'), "bc\x1bxa\r", "abc", id="escape"),
        pytest.param(bind('"\\x18\\x01": beginning-of-line'), "bc\x18\x01a\r", "abc", id="hexadecimal"),
        pytest.param(bind('"\\030a": beginning-of-line'), "bc\x18aa\r", "abc", id="octal"),
        pytest.param(bind("C-t: kill-whole-line"), "abc\x14x\r", "x", id="kill-whole-line"),
        pytest.param(bind("C-t: unix-word-rubout"), "ab cd\x14x\r", "ab x", id="word-rubout"),
        pytest.param(bind("C-t: upcase-word"), "ab\x01\x14\r", "AB", id="upcase-word"),
        pytest.param(bind("set editing-mode vi"), "bc\x1b0ia\r", "abc", id="vi"),
        pytest.param(WORDS + bind("tab: complete", "set editing-mode vi"), "be\t\r", "beta", id="vi-completes"),
        pytest.param(bind("set editing-mode vi", "set editing-mode emacs"), "bc\x01a\r", "abc", id="emacs-again"),
        pytest.param("readline.set_startup_hook(lambda: readline.insert_text('given '))", "x\r", "given x", id="hook"),
        pytest.param("readline.set_startup_hook(lambda: readline.insert_text('ab'))", "\x01x\r", "xab", id="edit"),
        pytest.param("readline.set_startup_hook(lambda: readline.insert_text('gïvén '))", "x\r", "gïvén x", id="utf8"),
        pytest.param("readline.set_pre_input_hook(lambda: readline.insert_text('a '))", "x\r", "a x", id="pre-input"),
        pytest.param(
            f"def hook():\n{INSERT_AND_SHOW.replace('given', 'given ')}\nreadline.set_pre_input_hook(hook)",
            "x\r",
            "given x",
            id="pre-input-redisplay",
        ),
    ],
)
def test_lines_of_gnu_readline(target: BuiltTarget, tmp_path: Path, setup: str, keys: str, line: str) -> None:
    assert typed(target, tmp_path, setup, keys) == line


MENU = WORDS + bind("tab: menu-complete", '"\\e[Z": menu-complete-backward')
SEARCH = HISTORY + bind('"\\e[A": history-search-backward', '"\\e[B": history-search-forward')
VI = HISTORY + bind("set editing-mode vi")
COMMAND = VI + bind("set keymap vi-command", '"gg": beginning-of-line', "set keymap vi-insert", '"\\C-o": "o"')
OTHER = bind("set keymap vi-command", "x: accept-line", "set keymap emacs")


@pytest.mark.parametrize(
    ("setup", "keys", "line"),
    [
        # the usual keys, without a line of configuration
        pytest.param("", "ab.cd ef\x1bbx\r", "ab.cd xef", id="M-b"),
        pytest.param("", "ab cd.ef\x1bbx\r", "ab cd.xef", id="M-b-in-a-name"),
        pytest.param("", "ab_cd.ef\x1b\x7fx\r", "ab_cd.x", id="M-Rubout"),
        pytest.param("", "ab.cd ef\x01\x1bdx\r", "x.cd ef", id="M-d"),
        pytest.param("", "ab cd.ef\x17x\r", "ab x", id="C-w"),
        pytest.param("", "ab cd \x17\x19\x19\r", "ab cd cd ", id="C-w-yanked"),
        pytest.param("", "abc\x02\x15x\r", "xc", id="C-u"),
        pytest.param("", "one two\x1btx\r", "two onex", id="M-t"),
        pytest.param("", "one two six\x02\x02\x02\x02\x1btx\r", "one six twox", id="M-t-between"),
        pytest.param("", "ab\x1b#", "#ab", id="M-#"),
        pytest.param(HISTORY, "a\x1b.x\r", "a4x", id="M-."),
        pytest.param(HISTORY, "a\x1b.\x1b.\x1b.x\r", "a2x", id="M-.-thrice"),
        pytest.param("readline.add_history('one')\n", "a\x1b.x\r", "aonex", id="M-.-one-word"),
        pytest.param(HISTORY, "a\x1b<x\r", "abc 1x", id="M-<"),
        pytest.param(HISTORY, "new\x1b<\x1b>x\r", "newx", id="M->"),
        pytest.param(HISTORY, "new" + DOWN + "x\r", "newx", id="down-at-the-end"),
        pytest.param(HISTORY, "new" + UP + DOWN + "x\r", "newx", id="up-and-down"),
        pytest.param(HISTORY, "\x12abc" + LEFT + "x\r", "xabc 3", id="arrow-ends-search"),
        pytest.param("", "ab cd\x1b[1;5Dx\r", "ab xcd", id="C-left"),
        pytest.param("", "ab cd\x1b[1;3Dx\r", "ab xcd", id="M-left"),
        pytest.param("", "a\x1b[6~\x1b[20~b\r", "ab", id="unknown-function-keys"),
        pytest.param(WORDS, "be\x1b\tx\r", "betax", id="M-Tab"),
        pytest.param(WORDS, "al\x1b?x\r", "alx", id="M-?"),
        # completion
        pytest.param(MENU, "al\tx\r", "alphax", id="menu"),
        pytest.param(MENU, "x al\t\tx\r", "x alpinex", id="menu-twice"),
        pytest.param(MENU, "al\t\t\x1b[Zx\r", "alphax", id="menu-back"),
        pytest.param(MENU, "al\t be\tx\r", "alpha betax", id="menu-two-words"),
        pytest.param(WORDS + bind("tab: possible-completions"), "al\tx\r", "alx", id="list"),
        pytest.param(
            WORDS + bind("tab: complete", "set completion-query-items 0"), "al\t\tx\r", "alpx", id="no-question"
        ),
        # searches, macros, sequences
        pytest.param(SEARCH, "abc" + UP + "x\r", "abcx 3", id="search-cursor"),
        pytest.param(SEARCH, "abc" + UP + UP + DOWN + "x\r", "abcx 3", id="search-again"),
        pytest.param(SEARCH, UP + UP + "x\r", "abc 3x", id="search-nothing"),
        pytest.param(SEARCH, "none" + UP + "x\r", "nonex", id="search-in-vain"),
        pytest.param(bind('"\\C-xp": "print()\\C-b"'), "\x18p1\r", "print(1)", id="macro-sequence"),
        pytest.param(bind('"\\C-o": "a\\C-tb"', '"\\C-t": "-"'), "\x0f\r", "a-b", id="macro-in-macro"),
        pytest.param(bind('"(": "()\\C-b"'), "f(x\r", "fx", id="macro-of-itself"),
        pytest.param(bind('"(": "\\C-v()\\C-b"'), "f(x\r", "f(x)", id="macro-quoted"),
        pytest.param(bind('"jk": "xyz"'), "jjk\r", "jxyz", id="sequence-after-its-start"),
        pytest.param(bind('"jk": "xyz"'), "aj\r", "aj", id="start-of-sequence"),
        pytest.param(bind('"\\C-o": "x"', "set editing-mode emacs"), "\x0f\r", "x", id="emacs-stays"),
        pytest.param(bind("C-t: tab-insert"), "a\x14b\r", "a\tb", id="tab-insert"),
        # vi's keys
        pytest.param(VI, "ab" + LEFT + "x\r", "axb", id="vi-left"),
        pytest.param(VI, "ab" + LEFT + RIGHT + "x\r", "abx", id="vi-right"),
        pytest.param(VI, UP + UP + "x\r", "abc 3x", id="vi-up"),
        pytest.param(VI, "ab\x1b[H x\r", " xab", id="vi-home"),
        pytest.param(VI, "ab\x1b[H\x1b[Fx\r", "abx", id="vi-end"),
        pytest.param(VI, "ab\x1b[H\x1b[3~x\r", "xb", id="vi-delete"),
        pytest.param(VI, "ab\x14x\r", "bax", id="vi-C-t"),
        pytest.param(VI, "ab cd\x17\x19\x19\r", "ab cdcd", id="vi-C-y"),
        pytest.param(VI, "bc\x1b\x1b0ia\r", "abc", id="vi-escape-twice"),
        pytest.param(VI, "\x1bkkx\r", "bc 3", id="vi-k"),
        pytest.param(VI + bind('"jk": vi-movement-mode'), "bcjk0ia\r", "abc", id="vi-jk"),
        pytest.param(COMMAND, "bc\x1bggia\r", "abc", id="keymap-of-commands"),
        pytest.param(COMMAND, "gg\x0f\r", "ggo", id="keymap-of-insertion"),
        pytest.param(OTHER, "axb\r", "axb", id="keymap-of-the-other-editor"),
    ],
)
def test_keys_of_gnu_readline(target: BuiltTarget, tmp_path: Path, setup: str, keys: str, line: str) -> None:
    assert typed(target, tmp_path, setup, keys) == line


@pytest.mark.parametrize("key", ['"\\M-x"', "Meta-x", "M-x", "Meta-x "])
def test_meta_is_escape(target: BuiltTarget, tmp_path: Path, key: str) -> None:
    if target.run("-c", "import readline; print(readline.backend)") != "editline":
        pytest.skip("GNU readline 8.2 takes M-x for a byte of UTF-8, and no blank before the colon")
    assert typed(target, tmp_path, bind(f"{key}: beginning-of-line"), "bc\x1bxa\r") == "abc"


def test_start_of_a_sequence_alone(target: BuiltTarget, tmp_path: Path) -> None:
    if target.run("-c", "import readline; print(readline.backend)") != "editline":
        pytest.skip("GNU readline waits for the next key, as CPython calls it")
    setup = bind('"jk": "xyz"')
    terminal = start(target, tmp_path, "-S", "-c", f"import readline\n{setup}\ninput('ready> ')")
    try:
        terminal.wait("ready> ")
        terminal.send("j")
        terminal.wait("j")
    finally:
        terminal.close()


@pytest.mark.parametrize("order", [1, -1])
def test_hook_for_matches(target: BuiltTarget, tmp_path: Path, order: int) -> None:
    """They are sorted, whatever the completer's order and their addresses."""
    setup = WORDS + f"words = words[::{order}]\n" + bind("tab: complete") + "shown = []\n"
    setup += "readline.set_completion_display_matches_hook(lambda *a: shown.append(a))\n"
    program = f"import readline\n{setup}line = input('ready> ')\nprint('the ' + 'end', line, shown[-1], 'ends')"
    terminal = start(target, tmp_path, "-S", "-c", program)
    try:
        terminal.wait("ready> ")
        terminal.send("al\t\t\tha\r")
        terminal.wait("the end ")
        assert terminal.wait(" ends") == "alpha ('alp', ['alpha', 'alpine'], 6) ends"
    finally:
        terminal.close()


def test_hook_for_one_line(target: BuiltTarget, tmp_path: Path) -> None:
    hook = "readline.set_startup_hook(lambda: readline.insert_text('1'))"
    program = f"import readline\n{hook}\na = input('ready> ')\nreadline.set_startup_hook()\nb = input('then> ')\n"
    terminal = start(target, tmp_path, "-S", "-c", program + "print('the ' + 'lines', a, b, 'ends')")
    try:
        for prompt, sent in (("ready> ", "\r"), ("then> ", "b\r")):
            terminal.wait(prompt)
            terminal.send(sent)
        terminal.wait("the lines ")
        assert terminal.wait(" ends") == "1 b ends"
    finally:
        terminal.close()


def test_given_line_is_shown_once(target: BuiltTarget, tmp_path: Path) -> None:
    setup = f"def hook():\n{INSERT_AND_SHOW}\nreadline.set_pre_input_hook(hook)"
    program = f"import readline\n{setup}\nprint('got', input('ready> '))"
    terminal = start(target, tmp_path, "-S", "-c", program)
    try:
        shown = terminal.wait("given")
        terminal.send("\r")
        shown += terminal.wait("got given")
        assert shown.count("ready> ") == 1, shown
    finally:
        terminal.close()


def test_list_at_once(target: BuiltTarget, tmp_path: Path) -> None:
    setup = WORDS + bind("tab: complete", "set show-all-if-ambiguous on")
    terminal = start(target, tmp_path, "-S", "-c", f"import readline\n{setup}\ninput('ready> ')")
    try:
        terminal.wait("ready> ")
        terminal.send("al\t")
        terminal.wait("alpine")
    finally:
        terminal.close()


INPUTRC = """\
# as in GNU readline's manual
set bell-style none
set editing-mode emacs
$if mode=vi
"\\C-o": "vi"
$else
"\\C-o": "emacs"
$endif
$if Python
"\\C-t": "python"
  $if term=no-such-terminal
  "\\C-t": "nested"
  $endif
$endif
$if Bash
"\\C-t": "bash"
$endif
$include more
tab: complete
"""


@pytest.mark.parametrize("where", ["home", "INPUTRC", "read_init_file"])
def test_init_files(target: BuiltTarget, tmp_path: Path, where: str) -> None:
    file = tmp_path / (".inputrc" if where == "home" else "other")
    file.write_text(INPUTRC)
    (tmp_path / "more").write_text('"\\C-g": "included"\n')
    setup = WORDS + ("readline.read_init_file('other')" if where == "read_init_file" else "")
    environment = {"INPUTRC": str(file)} if where == "INPUTRC" else {}
    keys = "\x0f \x14 \x07 be\t\r"
    assert typed(target, tmp_path, setup, keys, **environment) == "emacs python included beta"


@pytest.mark.parametrize("where", ["include", "INPUTRC", "read_init_file"])
def test_home_of_init_files(target: BuiltTarget, tmp_path: Path, where: str) -> None:
    (tmp_path / ".inputrc").write_text("$include ~/more\n" if where == "include" else "")
    (tmp_path / "more").write_text('"\\C-g": "included"\n')
    setup = "readline.read_init_file('~/more')" if where == "read_init_file" else ""
    environment = {"INPUTRC": "~/more"} if where == "INPUTRC" else {}
    assert typed(target, tmp_path, setup, "\x07\r", **environment) == "included"


@pytest.mark.parametrize(
    ("test", "holds"),
    [("version >= 7.0", True), ("version > 99", False), ("version < 5.1", False), ("version != 5", True)],
)
def test_versions_in_init_files(target: BuiltTarget, tmp_path: Path, test: str, holds: bool) -> None:
    (tmp_path / ".inputrc").write_text(f'$if {test}\n"\\C-g": "yes"\n$else\n"\\C-g": "no"\n$endif\n')
    assert typed(target, tmp_path, "", "\x07\r") == ("yes" if holds else "no")


# A backslash outside quotes is libedit's own quote: an unquoted \\e[A would be the three keys e[A.
@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        pytest.param("bind ^G ed-move-to-beg\n", "bc\x07a\r", "abc", id="control"),
        pytest.param("python:bind ^G ed-move-to-beg\nbash:bind ^G ed-move-to-end\n", "bc\x07a\r", "abc", id="program"),
        pytest.param('# arrows\n\nbind "\\e[A" ed-move-to-beg', "bc" + UP + "a\r", "abc", id="arrow"),
        pytest.param('bind -s ^G "hello you"\n', "\x07!\r", "hello you!", id="text"),
        pytest.param("bind -v\n", "bc\x1b0ia\r", "abc", id="vi"),
        pytest.param("bind ^I rl_complete\n", "be\t\r", "beta", id="tab"),
    ],
)
def test_editrc(target: BuiltTarget, tmp_path: Path, text: str, keys: str, line: str) -> None:
    if target.run("-c", "import readline; print(readline.backend)") != "editline":
        pytest.skip("GNU readline does not read libedit's file")
    (tmp_path / ".editrc").write_text(text)
    assert typed(target, tmp_path, WORDS, keys) == line


@pytest.mark.parametrize("how", ["repl", "interact"])
def test_tab_indents(target: BuiltTarget, tmp_path: Path, how: str) -> None:
    console = "import code, readline, rlcompleter\nreadline.parse_and_bind('tab: complete')\ncode.interact()"
    terminal = start(target, tmp_path, *([] if how == "repl" else ["-c", console]))
    try:
        terminal.wait(">>> ")
        for keys, answer in (("if 1:\r", "... "), ("\tprint(6 * 7)\r", "... "), ("\r", "42"), ("", ">>> ")):
            terminal.send(keys)
            terminal.wait(answer)
    finally:
        terminal.close()


LINES = ["a", "  two  words ", "back\\slash \\n \\040", "naïve ☃ 𝄞", "#1234567890", "a\tb", "^x$ %d 100%"]
LINES += ["x" * 5000, "\\^A\\M-a"]


def history(target: BuiltTarget, folder: Path, program: str) -> list[str]:
    """Run a program; return the history that it leaves."""
    tail = "print(json.dumps([readline.get_history_item(i + 1) for i in range(readline.get_current_history_length())]))"
    env = clean_environment(HOME=str(folder))
    found = json.loads(target.run("-c", f"import json, readline\n{program}\n{tail}", cwd=folder, env=env))
    assert isinstance(found, list)
    return found


def test_history_of_gnu_readline_is_read(target: BuiltTarget, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("".join(f"{line}\n" for line in LINES))
    assert history(target, tmp_path, "readline.read_history_file('plain')") == LINES
    (tmp_path / "crlf").write_bytes(b"a\r\n\r\n\nb\r\n")
    assert history(target, tmp_path, "readline.read_history_file('crlf')") == ["a", "b"]
    (tmp_path / "bytes").write_bytes(b"caf\xe9\n")
    assert history(target, tmp_path, "readline.read_history_file('bytes')") == ["caf\udce9"]
    (tmp_path / "empty").touch()
    assert history(target, tmp_path, "readline.read_history_file('empty')") == []
    (tmp_path / "newlines").write_text("\n\n")
    assert history(target, tmp_path, "readline.read_history_file('newlines')") == []


def test_functions_of_the_history(target: BuiltTarget, tmp_path: Path) -> None:
    add = "for line in 'abcde': readline.add_history(line)\n"
    change = add + "readline.replace_history_item(0, 'A'); readline.remove_history_item(1)"
    assert history(target, tmp_path, change) == ["A", "c", "d", "e"]
    places = "readline.remove_history_item(0)\nfor i in 0, 3: readline.replace_history_item(i, str(i))"
    assert history(target, tmp_path, add + places) == ["0", "c", "d", "3"]
    for call in ("replace_history_item(5, 'x')", "remove_history_item(9)", "remove_history_item(-1)"):
        fail = f"try: readline.{call}\nexcept ValueError: readline.add_history('error')"
        assert history(target, tmp_path, add + fail) == [*"abcde", "error"]
    assert history(target, tmp_path, add + "readline.clear_history()") == []
    missing = "try: readline.append_history_file(1, 'none')\nexcept FileNotFoundError: readline.clear_history()"
    assert history(target, tmp_path, add + missing) == []
    assert not (tmp_path / "none").exists()
    history(target, tmp_path, add + "readline.write_history_file()")
    assert (tmp_path / ".history").read_text() == "a\nb\nc\nd\ne\n"


def test_the_line_is_empty_before_there_is_one(target: BuiltTarget, tmp_path: Path) -> None:
    program = f"import readline\n{bind('set editing-mode emacs')}print([readline.get_line_buffer()])"
    assert target.run("-c", program, cwd=tmp_path, env=clean_environment(HOME=str(tmp_path))) == "['']"


def test_what_is_not_there_is_an_error(target: BuiltTarget, tmp_path: Path) -> None:
    program = "try: readline.read_history_file('none')\nexcept FileNotFoundError: readline.add_history('missing')"
    assert history(target, tmp_path, program) == ["missing"]


def test_history_is_written_in_lines(target: BuiltTarget, tmp_path: Path) -> None:
    add = f"for line in {LINES!r}: readline.add_history(line)\n"
    history(target, tmp_path, add + "readline.write_history_file('h'); readline.append_history_file(2, 'h')")
    lines = [*LINES, *LINES[-2:]]
    assert (tmp_path / "h").read_text() == "".join(f"{line}\n" for line in lines)
    (tmp_path / "new").touch()
    history(target, tmp_path, add + "readline.append_history_file(3, 'new')")
    assert (tmp_path / "new").read_text() == "".join(f"{line}\n" for line in LINES[-3:])


@pytest.mark.parametrize("length", [0, 1, 2, 8, 9, 100])
def test_history_is_truncated(target: BuiltTarget, tmp_path: Path, length: int) -> None:
    add = f"for line in {LINES!r}: readline.add_history(line)\n"
    history(target, tmp_path, add + f"readline.set_history_length({length}); readline.write_history_file('h')")
    kept = LINES[-length:] if length else []
    assert (tmp_path / "h").read_text() == "".join(f"{line}\n" for line in kept)


def test_a_file_of_libedit_stays_one(target: BuiltTarget, tmp_path: Path) -> None:
    if target.run("-c", "import readline; print(readline.backend)") != "editline":
        pytest.skip("GNU readline does not know libedit's files")
    (tmp_path / "h").write_text("_HiStOrY_V2_\na\\040b\nc\\134d\n")
    change = "readline.read_history_file('h'); readline.add_history('e f'); "
    assert history(target, tmp_path, change + "readline.write_history_file('h')") == ["a b", "c\\d", "e f"]
    assert (tmp_path / "h").read_text() == "_HiStOrY_V2_\na\\040b\nc\\134d\ne\\040f\n"
    history(target, tmp_path, "readline.add_history('g h'); readline.append_history_file(1, 'h')")
    assert (tmp_path / "h").read_text().endswith("\ne\\040f\ng\\040h\n")
    shorten = "readline.read_history_file('h'); readline.set_history_length(2); readline.write_history_file('h')"
    history(target, tmp_path, shorten)
    assert (tmp_path / "h").read_text() == "_HiStOrY_V2_\ne\\040f\ng\\040h\n"


@pytest.mark.parametrize("first", ["", "_HiStOrY_V2_", "_HiStOrY_V2_ x"])
def test_random_histories_come_back(target: BuiltTarget, tmp_path: Path, first: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    alphabet = "ab \\^\t#!%'\"~\x01\x7f0123é☃𝄞\u0300"
    lines = ["".join(rng.choices(alphabet, k=rng.randrange(1, 300))) for _ in range(200)]
    lines = [first, *lines] if first else lines
    write = "for line in json.load(open('lines')): readline.add_history(line)\nreadline.write_history_file('h')"
    (tmp_path / "lines").write_text(json.dumps(lines))
    assert history(target, tmp_path, write) == lines
    assert history(target, tmp_path, "readline.read_history_file('h')") == lines
    if not first:
        assert (tmp_path / "h").read_text() == "".join(f"{line}\n" for line in lines)


def test_the_repl_keeps_a_history_of_gnu_readline(target: BuiltTarget, tmp_path: Path) -> None:
    (tmp_path / ".python_history").write_text("first = 1\nsecond = 'a b'\n")
    terminal = start(target, tmp_path)
    try:
        terminal.wait(">>> ")
        terminal.send("third = 3\r")
        terminal.wait(">>> ")
        terminal.send("exit()\r")
        terminal.process.wait(60)
    finally:
        terminal.close()
    lines = (tmp_path / ".python_history").read_text().splitlines()
    assert lines == ["first = 1", "second = 'a b'", "third = 3", "exit()"]


def test_unknown_terminal(target: BuiltTarget) -> None:
    """It counts as a dumb terminal, without a message."""
    run = subprocess.run(
        [*target.emulator, str(target.binary), "-c", "import readline; print(input())"],
        input="line\n", capture_output=True, text=True, env=clean_environment(TERM="unknown-to-all"),
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (0, "line\n", "")
