"""What `python -m staticpython.keys` writes: docs/yaml-keys.md, which explains all YAML keys, and docs/schemas.

Both are made from the dataclasses that read the files. Each file names its JSON Schema at its top, for editors with
yaml-language-server.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import Any

from staticpython.abi import Abi, Difference
from staticpython.benchmarks import (
    Baselines,
    Bench,
    Configured,
    Debian,
    DebianSeries,
    Group,
    Mode,
    Peer,
    Plain,
    Pyperformance,
)
from staticpython.bundles import Application, Bundles, Step
from staticpython.config import (
    ROOT,
    Answers,
    Arch,
    Cpu,
    Family,
    Flavour,
    Launcher,
    Licence,
    Module,
    Modules,
    Optimisation,
    OwnRelease,
    Package,
    Part,
    PyPI,
    Release,
    Series,
    Toolchain,
)
from staticpython.errors import run_main
from staticpython.inventory import Expected, Glibc, Inventory
from staticpython.matrix import Matrix, Variant
from staticpython.schema import is_derived, is_required, json_schema
from staticpython.stdlib_tests import Expectation, Expectations
from staticpython.wheel_table import Computation, Computations, Lacking, Wheels

SECTIONS: tuple[tuple[str, type[Any]], ...] = (
    ("`configs/<arch>.yml`", Arch),
    ("`configs/<arch>.yml`: an entry of `cpus`", Cpu),
    ("`configs/common/answers.yml`", Answers),
    ("`configs/common/release.yml`", OwnRelease),
    ("`configs/common/glibc.yml`", Glibc),
    ("`configs/packages/<name>.yml`", Package),
    ("`configs/packages/<name>.yml`, `configs/series/<series>.yml`: an entry of `releases`", Release),
    ("`configs/packages/<name>.yml`: `pypi` of a release", PyPI),
    ("`configs/packages/<name>.yml`: `licence`", Licence),
    ("`configs/packages/<name>.yml`: an entry of `parts`", Part),
    ("`configs/toolchains/<name>.yml`", Toolchain),
    ("`configs/families/<name>.yml`", Family),
    ("`configs/families/<name>.yml`: `optimisation`", Optimisation),
    ("`configs/launchers/<name>.yml`", Launcher),
    ("`configs/flavours/<name>.yml`", Flavour),
    ("`configs/series/<series>.yml`", Series),
    ("`setup_local/<series>.yml`", Modules),
    ("`setup_local/<series>.yml`: a module", Module),
    ("`tests/stdlib/expectations.yml`", Expectations),
    ("`tests/stdlib/expectations.yml`: an entry of `failures`", Expectation),
    ("`tests/matrix.yml`", Matrix),
    ("`tests/matrix.yml`: a variant", Variant),
    ("`tests/build/wheels.yml`", Wheels),
    ("`tests/build/wheels.yml`: an entry of `lacking`", Lacking),
    ("`tests/build/computations.yml`", Computations),
    ("`tests/build/computations.yml`: an entry of `projects`", Computation),
    ("`tests/build/bundles.yml`", Bundles),
    ("`tests/build/bundles.yml`: an application", Application),
    ("`tests/build/bundles.yml`: an entry of `steps`", Step),
    ("`tests/build/glibc.yml`", Expected),
    ("`tests/build/glibc.yml`: an entry of `wheels`", Inventory),
    ("`tests/build/glibc_abi.yml`", Abi),
    ("`tests/build/glibc_abi.yml`: an entry of `differences`", Difference),
    ("`bench/bench.yml`", Bench),
    ("`bench/bench.yml`: an entry of `modes`", Mode),
    ("`bench/bench.yml`: `baselines`", Baselines),
    ("`bench/bench.yml`: `baselines.debian`", Debian),
    ("`bench/bench.yml`: an entry of `baselines.debian.series`", DebianSeries),
    ("`bench/bench.yml`: `baselines.book`, `baselines.clang`", Configured),
    ("`bench/bench.yml`: `baselines.plain`", Plain),
    ("`bench/bench.yml`: `baselines.peer`", Peer),
    ("`bench/bench.yml`: an entry of `micro`", Group),
    ("`bench/bench.yml`: `pyperformance`", Pyperformance),
)

REFERENCE = "docs/yaml-keys.md"
# Which files have a JSON Schema: pattern -> its path, its title, the class.
FILES: dict[str, tuple[str, str, type[Any]]] = {
    title.replace("`", "").replace("<arch>", "*").replace("<name>", "*").replace("<series>", "*"): (
        f"docs/schemas/{schema.__name__.lower()}.json", title, schema,
    )
    for title, schema in SECTIONS
    if "`: " not in title and "`, " not in title
}  # fmt: skip


def render_keys() -> str:
    """Return the reference as Markdown."""
    lines = [
        "# YAML keys",
        "",
        "Made by `python -m staticpython.keys`; do not edit.",
        "",
    ]
    for title, schema in SECTIONS:
        lines += [f"## {title}", "", "| key | type | meaning |", "|---|---|---|"]
        lines += [_row(f) for f in dataclasses.fields(schema) if not is_derived(f)]
        lines.append("")
    return "\n".join(lines)


def _row(field: dataclasses.Field[Any]) -> str:
    kind = str(field.type).replace("|", "or")
    choices = f" One of: {', '.join(map(str, field.metadata['choices']))}." if field.metadata["choices"] else ""
    name = f"**{field.name}**" if is_required(field) else field.name
    return f"| {name} | {kind} | {field.metadata['doc']}{choices} |"


def render_schemas() -> dict[str, str]:
    """Return the text of each JSON Schema, by its path in the project."""
    schemas = {path: json_schema(schema, title) for path, title, schema in FILES.values()}
    return {path: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for path, schema in schemas.items()}


def main(arguments: list[str] | None = None) -> int:
    """Write the reference and the schemas."""
    argparse.ArgumentParser(prog="staticpython.keys", description=__doc__).parse_args(arguments)
    for path, text in {REFERENCE: render_keys(), **render_schemas()}.items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
