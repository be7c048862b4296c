#!/usr/bin/env python3
"""Render the Makefile: `python generate.py --arch aarch64 && make`."""

import sys

from staticpython.cli import main

if __name__ == "__main__":
    sys.exit(main())
