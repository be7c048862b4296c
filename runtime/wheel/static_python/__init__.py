"""A fully static CPython as a wheel: this package contains its tree (`python -m static_python help`)."""
