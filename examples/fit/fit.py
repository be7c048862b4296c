# /// script
# dependencies = ["numpy"]
# ///
"""Fit a straight line to points, two numbers a line on standard input."""

import sys

import numpy as np

x, y = np.loadtxt(sys.stdin, ndmin=2).T
slope, offset = np.polyfit(x, y, 1)
print(f"y = {slope:.3g} x + {offset:.3g}")
