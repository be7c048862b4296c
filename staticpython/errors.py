"""What a user can do wrong: each class has an exit code of its own and a message that says what to change."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterable


class StaticPythonError(Exception):
    """A mistake the user can mend; printed without a traceback."""

    exit_code = 1


class UsageError(StaticPythonError):
    """A command line that asks for something that is not there."""

    exit_code = 2


class FactsError(StaticPythonError):
    """A YAML file or a patch that does not hold what it must."""

    exit_code = 3


class FetchError(StaticPythonError):
    """A source that could not be downloaded from anywhere."""

    exit_code = 4


class ChecksumError(StaticPythonError):
    """A source whose bytes are not the pinned ones."""

    exit_code = 5


class UnpackError(StaticPythonError):
    """An archive that is broken or unsafe, or a patch that does not apply."""

    exit_code = 6


class VerifyError(StaticPythonError):
    """A built interpreter that is not what it must be."""

    exit_code = 7


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the known name most like `name`, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean '{close[0]}'?" if close else ""


def run_main(body: Callable[[], int]) -> int:
    """Run a command's body; turn a `StaticPythonError` into one message on stderr and its exit code."""
    try:
        return body()
    except StaticPythonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader closed the pipe. Python would print another error when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
