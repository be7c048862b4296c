"""What configure was told about a target, and what it found out: each answer is measured on the target itself.

A cross build cannot run what it compiles, and a native build would take the build machine's word: configure is told
(`configure_answers` in configs/<arch>.yml).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from staticpython.config import load_facts
from tests.build.conftest import BuiltTarget

SOURCE = Path(__file__).with_name("configure") / "answers.c"
ARCHES = load_facts().arches
KEYS = sorted({k for a in ARCHES.values() for k in a.configure_answers})

# Questions that configure of CPython answers without a program when it cannot run one.
NOT_ASKED = {
    "ac_cv_c_bigendian": "read from an object file",
    "ac_cv_have_chflags": "asked by linking: there is no such function",
    "ac_cv_have_lchflags": "asked by linking: there is no such function",
    "ac_cv_kpthread": "only where a thread needs a compiler flag",
    "ac_cv_kthread": "only where a thread needs a compiler flag",
    "ac_cv_pthread": "only where a thread needs a compiler flag",
}


@pytest.fixture(scope="module")
def answers(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("configure") / "answers"
    # As CPython is compiled, in what the answers depend on.
    command = [str(target.cc), "-std=c11", "-D_GNU_SOURCE", "-O1", "-fwrapv", str(SOURCE), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("key", KEYS)
def test_answer_is_what_the_target_does(target: BuiltTarget, answers: Path, key: str) -> None:
    done = subprocess.run([*target.emulator, str(answers), key], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == target.plan["arch"]["configure_answers"][key]


def test_every_question_has_an_answer(target: BuiltTarget) -> None:
    """Without one configure would guess, and say nothing: a hash that is not SipHash, a queue without its size."""
    configure = (target.build.parent / "sources/cpython/configure").read_text(encoding="utf-8")
    asked = set()
    for question in configure.split("if test ${ac_cv_")[1:]:
        key = re.match(r"(\w+)\+y\}", question)
        if key and '"$cross_compiling" = yes' in question:
            asked.add(f"ac_cv_{key.group(1)}")
    assert asked - set(NOT_ASKED) == set(KEYS)


def test_configure_took_the_answers(target: BuiltTarget) -> None:
    log = (target.build / "cpython/config.log").read_text(encoding="utf-8", errors="replace")
    found = dict(re.findall(r"^(ac_cv_\w+)='?([^'\n]*)'?$", log, re.MULTILINE))
    wanted = target.plan["arch"]["configure_answers"]
    assert {k: found.get(k) for k in wanted} == wanted
