"""An arch's facts are in one place; a copy of an arch is complete, or the error says what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from staticpython import plan as plan_module
from staticpython.emulate import rule_of
from staticpython.errors import FactsError
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.render import render


def copy(project: Path, **changes: str) -> None:
    """Make configs/foo.yml of aarch64's, with some keys changed."""
    text = (project / "configs/aarch64.yml").read_text()
    for name, value in changes.items():
        text, count = re.subn(f"^{name}: .*$", f"{name}: {value}", text, flags=re.MULTILINE)
        if not count:
            text += f"{name}: {value}\n"
    (project / "configs/foo.yml").write_text(text)


WHOLE = {
    "also": "[]",
    "triple": "s390x-linux-musl",
    "zig_target": "s390x-linux-musl",
    "wheel_arch": "s390x",
    "elf_machine": "EM_S390",
}


@pytest.mark.parametrize("missing", ["triple", "zig_target", "wheel_arch"])
def test_a_copy_says_what_it_shares(project: Path, missing: str) -> None:
    copy(project, **{k: v for k, v in WHOLE.items() if k != missing})
    with pytest.raises(FactsError, match=rf"foo.yml: {missing}: .* is that of configs/aarch64.yml"):
        load_facts(project)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"elf_machine": "EM_S309"}, "elf_machine: no machine of elf.h 'EM_S309', did you mean 'EM_S390'"),
        ({"elf_class": "46"}, "elf_class: '46' is not allowed"),
        ({"byte_order": "middle"}, "byte_order: 'middle' is not allowed"),
    ],
)
def test_an_unknown_machine_is_an_error(project: Path, changes: dict[str, str], message: str) -> None:
    copy(project, **WHOLE | changes)
    with pytest.raises(FactsError, match=message):
        load_facts(project)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aarch64", "foo.yml: also: aarch64 names aarch64"),
        ("all", "foo.yml: also: all names all"),
        ("amd64", "x86_64.yml: also: amd64 names foo"),
    ],
)
def test_a_name_is_of_one_arch(project: Path, name: str, words: str) -> None:
    copy(project, **WHOLE | {"also": f"[{name}]"})
    with pytest.raises(FactsError, match=words):
        load_facts(project)


def test_a_whole_copy_has_all_that_follows_from_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "host_machine", lambda: "x86_64")
    copy(project, **WHOLE, byte_order="big")
    facts = load_facts(project)
    assert facts.arches["foo"].configure_answers == facts.arches["aarch64"].configure_answers
    made = make_plan(facts, Options(arches=("foo", "aarch64")))
    assert [t.flavour.library for t in made.targets] == [False, True], "freeze.py writes little-endian code"
    files = render(made, tmp_path, [])
    assert "ELF_MACHINE = 22\n" in files[Path("build/foo/facts.py")], "find_library compares with it"
    magic = rule_of(facts.arches["foo"], "/emulator").split(":")[4]
    assert bytes.fromhex(magic.replace("\\x", "")) == b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16"


def test_answers_are_given_once(project: Path) -> None:
    """An arch or a CPU must not repeat a common answer."""
    common = dict(re.findall(r'^  (ac_cv_\w+): "(\w+)"$', (project / "configs/common/answers.yml").read_text(), re.M))
    assert len(common) == 17
    for path in (project / "configs").glob("*.yml"):
        own = dict(re.findall(r'(ac_cv_\w+): "(\w+)"', path.read_text()))
        assert set(own) <= set(common)
        assert [k for k, v in own.items() if path.stem != "i386" and common[k] == v] == [], path.name
