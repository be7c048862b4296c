"""The generator of static-python: YAML facts in, one Makefile and CPython's Setup.local out."""

import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

NEEDED = (
    "cyclonedx",
    "elftools",
    "jinja2",
    "jsonschema",
    "license_expression",
    "packaging",
    "requests",
    "rich",
    "yaml",
)

if _missing := [name for name in NEEDED if not find_spec(name)]:
    sys.exit(
        f"error: {sys.executable} has no {', '.join(_missing)}: run ./bootstrap.sh, which makes .venv and uses it, or\n"
        f"  {sys.executable} -m pip install -r requirements.txt"
    )
