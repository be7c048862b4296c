"""The inputs that a bundle's command line names (runtime/python/_staticpython/inputs.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _staticpython.inputs import Inputs, Target, script_requirements
from _staticpython.payload import PayloadError


def test_words_are_told_from_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pyproject.toml").touch()
    (tmp_path / "run").write_text("print()\n")
    (tmp_path / "a-1-py3-none-any.whl").touch()
    inputs = Inputs.of(["project", "a-1-py3-none-any.whl", "b>=2", "c[x] @ https://example.org/c.whl", "run"], [])
    assert inputs.script == Path("run")
    assert inputs.paths == [str(tmp_path / "project"), str(tmp_path / "a-1-py3-none-any.whl")]
    assert inputs.requirements == ["b>=2", "c[x] @ https://example.org/c.whl"]
    with pytest.raises(PayloadError, match="name one script"):
        Inputs.of(["run", "run"], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("print()\n", []),
        ('# /// script\n# dependencies = [\n#   "a>1",\n#\n#   "b",\n# ]\n# ///\nprint()\n', ["a>1", "b"]),
        ('# /// script\r\n# dependencies = ["a"]\r\n# ///\r\n', ["a"]),
        ('# /// script\n# dependencies = ["a"]\n', []),
    ],
)
def test_what_a_script_asks_for(tmp_path: Path, text: str, expected: list[str]) -> None:
    pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    (tmp_path / "x.py").write_bytes(text.encode())
    assert script_requirements(tmp_path / "x.py") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# /// script\n# dependencies = [\n# ///\n", "in its block"),
        ('# /// script\n# dependencies = "a"\n# ///\n', "no list of strings"),
    ],
)
def test_mistakes_in_a_script(tmp_path: Path, text: str, message: str) -> None:
    pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    (tmp_path / "x.py").write_text(text)
    with pytest.raises(PayloadError, match=message):
        script_requirements(tmp_path / "x.py")


def make_tree(tree: Path, triple: str) -> Path:
    series = "{}.{}".format(*sys.version_info)
    (tree / f"lib/python{series}/_staticpython").mkdir(parents=True)
    facts = f'TRIPLE = "{triple}"\nMUSL_VERSION = "1.2.6"\nTIME = 1788220800\n'
    (tree / f"lib/python{series}/_staticpython/facts.py").write_text(facts)
    (tree / "bin").mkdir()
    (tree / f"bin/python{series}").touch()
    return tree


def test_trees_of_other_cpus_are_beside_this_one(tmp_path: Path) -> None:
    own = make_tree(tmp_path / "cpython-1-x86_64-linux-musl", "x86_64-linux-musl")
    other = make_tree(tmp_path / "cpython-1-i386-linux-musl", "i386-linux-musl")

    def trees(arches: list[str], named: list[Path]) -> list[Path]:
        return [target.tree for target in Target.find(own, arches, named)]

    assert trees([], []) == trees(["x86_64"], []) == trees(["x86_64", "x86_64"], []) == [own]
    assert trees(["i386"], []) == trees([], [other]) == [other]
    assert trees(["x86_64", "i386"], []) == [own, other] and trees(["all"], []) == [other, own]
    # One for each CPU.
    make_tree(tmp_path / "cpython-0-x86_64-linux-musl", "x86_64-linux-musl")
    make_tree(tmp_path / "cpython-0-riscv64-linux-musl", "riscv64-linux-musl")
    (tmp_path / "cpython-0-aarch64-linux-musl").mkdir()
    assert [target.arch for target in Target.find(own, ["all"], [])] == ["i386", "riscv64", "x86_64"]
    assert own in trees(["all"], [])
    (found,) = Target.find(own, ["i386"], [])
    options = found.pip_options()
    assert (
        "musllinux_1_2_i686" in options
        and "musllinux_1_1_i686" in options
        and "cp{}{}".format(*sys.version_info) in options
    )
    with pytest.raises(PayloadError, match="has no tree for aarch64, but for i386, riscv64, x86_64: name one"):
        Target.find(own, ["x86_64", "aarch64"], [])
