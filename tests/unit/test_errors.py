"""What a command prints and returns if it ends early."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from staticpython import errors
from staticpython.config import ROOT
from staticpython.errors import StaticPythonError, nearest, run_main

CODES = {"UsageError": 2, "FactsError": 3, "FetchError": 4, "ChecksumError": 5, "UnpackError": 6, "VerifyError": 7}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_each_mistake_has_its_exit_code(capsys: pytest.CaptureFixture[str], name: str, code: int) -> None:
    def fails() -> int:
        raise getattr(errors, name)("what is wrong")

    assert run_main(fails) == code
    assert capsys.readouterr() == ("", "error: what is wrong\n")
    own = {kind.__name__ for kind in StaticPythonError.__subclasses__() if kind.__module__ == errors.__name__}
    assert own == CODES.keys()


def test_who_interrupts_it_sees_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert run_main(interrupted) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_who_reads_no_further_is_told_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = (
        "import sys; from staticpython.errors import run_main; sys.exit(run_main(lambda: print('x' * 100_000) or 0))"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writing)
    assert (run.returncode, run.stderr) == (1, "")


def test_the_nearest_name() -> None:
    assert nearest("zigg", ["gcc", "zig"]) == ", did you mean 'zig'?"
    assert nearest("something", ["gcc", "zig"]) == ""
