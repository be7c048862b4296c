"""What scripts and users who know GNU readline expect of the readline module, typed into a terminal.

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

pytestmark = pytest.mark.any_cpu("C code of libedit")

UP, DOWN = "\x1b[A", "\x1b[B"


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
    """Return the line that input() gives for some keys, after a program has set readline up."""
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
        pytest.param(WORDS + bind("  Tab : complete  "), "be\t\r", "beta", id="tab-spaces"),
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
        pytest.param(bind('"\\M-x": beginning-of-line'), "bc\x1bxa\r", "abc", id="meta"),
        pytest.param(bind("Meta-z: beginning-of-line"), "bc\x1bza\r", "abc", id="meta-named"),
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
    """Run a program; return the history that it leaves behind."""
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
