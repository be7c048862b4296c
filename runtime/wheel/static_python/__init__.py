"""A fully static CPython, as a wheel: this package holds its tree (`python -m static_python help`)."""
