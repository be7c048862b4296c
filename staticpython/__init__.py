"""The generator of static-python: YAML facts in, one Makefile and CPython's Setup.local out."""
