#!/usr/bin/env python3
"""Render the Makefile: `python generate.py --arch aarch64 && make`."""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 (said here, not by a traceback of an older one)
    sys.exit(f"error: {sys.executable} is too old: Python 3.10 or newer is needed")

if __name__ == "__main__":
    try:
        from staticpython.cli import main

        sys.exit(main())
    except KeyboardInterrupt:  # main has a message of its own; the imports take longer than most of it
        print("interrupted", file=sys.stderr)
        sys.exit(130)
