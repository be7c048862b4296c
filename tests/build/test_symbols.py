"""Debug information beside a stripped interpreter: debuggers and profilers find and use it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from staticpython.published import FOLDER
from staticpython.symbols import build_id, difference, write_symbols
from tests.build.conftest import BuiltTarget

PROGRAM = """\
import os, signal, sys

def outer(number):
    list(map(inner, [number + 1]))

def inner(number):
    if sys.argv[1:] == ["wait"]:
        print("waits", flush=True)
        sys.stdin.readline()
    else:
        os.kill(os.getpid(), signal.SIGABRT)

outer(41)
"""

# Commands of gdb, when it has loaded python-gdb.py: no frame of C has a variable `frame`, as LTO may have it.
LOSE_VARIABLES = """\
python
class Lost:
    def __init__(self, frame):
        self.frame = frame
    def __getattr__(self, name):
        return getattr(self.frame, name)
    def read_var(self, name):
        return gdb.Value(0).cast(self.frame.read_var(name).type) if name == "frame" else self.frame.read_var(name)
Frame.__init__ = lambda self, frame: setattr(self, "_gdbframe", Lost(frame))
end
"""

# For each run of the interpreter's loop, its functions and their variables.
LOCALS = """\
python
frame = Frame.get_selected_frame()
while frame:
    if frame.is_evalframe():
        frame.select()
        gdb.execute("py-locals")
    frame = frame.older()
end
"""


@pytest.fixture(scope="module")
def tree(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, and in it what `make symbols` packs."""
    if not target.plan.symbols:
        pytest.skip("built without debug information (generate.py --symbols)")
    folder = tmp_path_factory.mktemp("symbols")
    shutil.copytree(target.tree, folder / FOLDER, symlinks=True)
    archive = write_symbols(target.plan, target.tree, target.build, folder)
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", folder, "--no-same-owner"], check=True)
    return folder / FOLDER


@pytest.fixture(scope="module")
def debug(target: BuiltTarget, tree: Path) -> Path:
    """The interpreter with its symbols."""
    return tree / f"{target.plan.program}.debug"


def gdb(tree: Path, *words: str | Path) -> str:
    """Return gdb's output; gdb is allowed to load files from the tree."""
    program = shutil.which("gdb")
    if program is None:
        pytest.skip("needs gdb")
    trusted = ["-iex", f"add-auto-load-safe-path {tree}", "-iex", f"set debug-file-directory {tree}/lib/debug"]
    command = [program, "-nh", "-q", "-batch", "-iex", "set debuginfod enabled off", *trusted, *map(str, words)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if "ptrace" in done.stderr:
        pytest.skip("this machine does not allow ptrace")
    return done.stdout + done.stderr


def test_is_the_same_program(target: BuiltTarget, tree: Path, debug: Path) -> None:
    """It has the build id of the program in the tree, and can be run."""
    assert build_id(debug) == build_id(target.binary)
    assert difference(target.binary, debug) == ""
    said = target.run("-c", "import ssl, sys; print(sys.prefix, ssl.OPENSSL_VERSION)", python=debug)
    assert said.startswith(f"{tree} OpenSSL 3")


@pytest.mark.parametrize("program", ["bin/python3", "debug"])
@pytest.mark.native_only("a debugger needs the target's own kernel")
def test_backtraces(tree: Path, debug: Path, tmp_path: Path, program: str) -> None:
    """Of C with arguments and lines, and of Python; also of the stripped program, with symbols by build id."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    python = debug if program == "debug" else tree / program
    said = gdb(tree, "-ex", "run", "-ex", "bt", "-ex", "py-bt", "--args", python, script)
    assert re.search(r"os_kill_impl \(.*\) at .*Modules/posixmodule\.c:\d+", said), said
    assert re.search(r"pymain_run_python \(.*\) at .*Modules/main\.c:\d+", said), said
    assert re.search(rf'(?s)File "{script}", line \d+, in inner.*line \d+, in outer.*line 13, in <module>', said), said


@pytest.mark.native_only("a debugger needs the target's own kernel")
def test_lost_variables(target: BuiltTarget, tree: Path, tmp_path: Path) -> None:
    """What gdb cannot read in a frame of C is taken from the thread's state, also for an older frame."""
    configured = target.run("-c", "import sysconfig; print(sysconfig.get_config_var('CONFIG_ARGS'))")
    if "--with-tail-call-interp" not in configured:
        pytest.skip("this interpreter is not made of tail calls")
    script, lose, show = tmp_path / "program.py", tmp_path / "lose.gdb", tmp_path / "locals.gdb"
    for file, text in ((script, PROGRAM), (lose, LOSE_VARIABLES), (show, LOCALS)):
        file.write_text(text)
    said = gdb(tree, "-ex", "run", "-x", lose, "-ex", "py-bt", "-x", show, "--args", tree / "bin/python3", script)
    assert re.search(rf'(?s)File "{script}", line \d+, in inner.*line \d+, in outer.*line 13, in <module>', said), said
    assert re.search(r"Locals for inner\nnumber = 42\nLocals for outer\nnumber = 41\nLocals for <module>\n", said), said


@pytest.mark.native_only("a debugger needs the target's own kernel")
def test_attached_to_a_process(tree: Path, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    command = [str(tree / "bin/python3"), str(script), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == "waits\n"
        said = gdb(tree, "-p", str(process.pid), "-ex", "bt", "-ex", "py-bt")
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert re.search(r"_io_FileIO_readinto", said), said
    assert re.search(rf'(?s)File "{script}", line \d+, in inner.*line 13, in <module>', said), said


def test_addresses_have_names(target: BuiltTarget, debug: Path) -> None:
    """As profilers look them up: in the symbol table, which has the same addresses."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("needs nm")
    listed = subprocess.run([nm, debug], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in listed.splitlines()}
    assert {"_PyEval_EvalFrameDefault", "deflate", "ssl3_read", "qsort", "sqlite3_open"} <= names
    stripped = subprocess.run([nm, target.binary], capture_output=True, text=True, check=False)
    assert "no symbols" in stripped.stderr
