"""How fast the built interpreter is, compared with others: `python -m bench --help`."""
