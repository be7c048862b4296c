"""The schema of tests/build/bundles.yml: applications of PyPI that are bundled and run."""

from __future__ import annotations

from dataclasses import dataclass

from staticpython.config import ROOT
from staticpython.schema import key

BUNDLES = ROOT / "tests/build/bundles.yml"


@dataclass(frozen=True)
class Step:
    """One run of a bundle."""

    words: list[str] = key("The arguments.", default=[])
    python: str = key(
        "A program for the Python that the bundle is (`STATICPYTHON=python`), in place of `words`. `app` in it is the"
        " command that starts the application, `port` one that is free.", default="",
    )  # fmt: skip
    env: dict[str, str] = key("All of the environment.", default={})
    text: str = key("What it reads from its standard input.", default="")
    code: int = key("The exit code.", default=0)
    output: str = key("A regular expression that is found in what it writes.", default="^well$")


@dataclass(frozen=True)
class Application:
    """An application: what is in the bundle, and what it does."""

    bundle: list[str] = key("The bundler's words: what is in it, and what it runs.")
    steps: list[Step] = key("Its runs, in this order.")
    difficulty: str = key("What is difficult about it.")
    prepare: str = key("A program that writes the files which `bundle` names, into its working folder.", default="")
    always: bool = key("Tested without `--applications`, too.", default=False)
    wheels: bool = key("It needs musllinux wheels, which PyPI has for x86_64 and aarch64 only.", default=False)
    writable: list[str] = key("Folders that it must be able to write to; all else is read-only.", default=[])
    system: str = key("Why it is run beside the system's programs, with /proc and /dev, not in an empty root.",
                      default="")  # fmt: skip


@dataclass(frozen=True)
class Bundles:
    """`tests/build/bundles.yml`."""

    applications: dict[str, Application] = key("Name -> application.")
