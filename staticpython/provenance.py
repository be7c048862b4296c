"""Where files come from: `python -m staticpython.provenance --into DIST --builder URI --command WORDS PLAN...`.

For each target an in-toto statement (in-toto.io/Statement/v1) with SLSA provenance (slsa.dev/provenance/v1): what was
made, by which command, of which sources. It is not signed here: who publishes the files signs it.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from staticpython.config import ROOT
from staticpython.errors import UsageError, run_main
from staticpython.fetched import sha256_of
from staticpython.published import CONTENTS, Archive, target_parser
from staticpython.sbom import read_manifest, sbom_name
from staticpython.target_plan import TargetPlan, read_plan
from staticpython.wheel import wheel_name

BUILD_TYPE = "urn:x-static-python:make:v1"  # docs/trust.md says what it means
# Options that say where files are on one machine, not what is in them.
ELSEWHERE = ("--output=", "--mirror=", "--prefix=")


def files_of(plan: TargetPlan, dist: Path) -> list[Path]:
    """Return what make dist has written of this target alone; raises UsageError for what is missing.

    An image has more than one; its layers are the archives.
    """
    archives = [Archive.of(plan, contents).name for contents in CONTENTS if contents != "symbols" or plan.symbols]
    files = [dist / name for name in [*archives, wheel_name(plan), sbom_name(plan)]]
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: no such file: run make dist")
    return files


def own_source() -> list[dict[str, Any]]:
    """Return this project's own commit, and whether files were changed since; nothing outside a git clone."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    if Path(git("rev-parse", "--show-toplevel") or "/").resolve() != ROOT:
        return []
    source: dict[str, Any] = {"name": "static-python", "digest": {"gitCommit": git("rev-parse", "HEAD")}}
    if git("status", "--porcelain", "--untracked-files=no"):
        source["annotations"] = {"changedSince": True}
    return [source]


def make_statement(plan: TargetPlan, dist: Path, builder: str, command: str) -> dict[str, Any]:
    """Return the statement about a target's files; it says nothing of when, so the same files give the same text."""
    words = [word for word in shlex.split(command) if not word.startswith(ELSEWHERE)]
    inputs = {}
    for entry in read_manifest(plan, dist / plan.tree)["inputs"]:
        inputs[entry["sha256"]] = {
            "name": entry["file"],
            "digest": {"sha256": entry["sha256"]},
            **({"uri": entry["urls"][0]} if entry.get("urls") else {}),
        }
    sources = sorted(inputs.values(), key=lambda source: str(source["name"]))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": f.name, "digest": {"sha256": sha256_of(f)}} for f in files_of(plan, dist)],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"command": shlex.join(words), "target": plan.arch.triple},
                "internalParameters": {"toolchain": plan.toolchain, "release": plan.release},
                "resolvedDependencies": [*own_source(), *sources],
            },
            "runDetails": {"builder": {"id": builder}},
        },
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the statement about each target; returns the exit code."""
    parser = target_parser("provenance", __doc__)
    parser.add_argument("--builder", required=True, metavar="URI", help="who built it")
    parser.add_argument("--command", required=True, metavar="WORDS", help="what was run before make")
    options = parser.parse_args(arguments)

    def body() -> int:
        if ":" not in options.builder:
            raise UsageError(f"--builder {options.builder}: is no URI: who built it, as https://example.org/builder")
        for path in options.plans:
            plan = read_plan(path)
            statement = make_statement(plan, options.into, options.builder, options.command)
            file = options.into / f"{Archive.of(plan, 'provenance').stem}.intoto.json"
            file.write_text(json.dumps(statement, indent=1) + "\n", encoding="utf-8")
            print(f"written   {file}")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
