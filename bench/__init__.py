"""Compares the speed of the built interpreter with others: `python -m bench --help`."""
