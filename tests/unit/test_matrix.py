"""The builds of tests/matrix.yml: valid facts, existing options, commands that end at the first fault."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from staticpython import cli, matrix
from staticpython.assemble import tree_digest
from staticpython.errors import FactsError
from staticpython.matrix import Matrix, Variant, commands, load_matrix
from staticpython.stdlib_tests import named

FACTS = load_matrix()


@pytest.mark.parametrize("name", FACTS.variants)
def test_variant(name: str, tmp_path: Path) -> None:
    variant = FACTS.variants[name]
    assert cli.main(["--quiet", "--dry-run", f"--output={tmp_path}", *variant.generate]) == 0
    assert all(test.startswith("test_") for test in named(variant.stdlib))


def test_same_as_names_a_variant_that_is_built_before(tmp_path: Path) -> None:
    path = tmp_path / "matrix.yml"
    path.write_text("variants:\n  a: {generate: [], same_as: b}\n  b: {generate: []}\n")
    with pytest.raises(FactsError, match=r"variants\.a\.same_as: no variant 'b' before it"):
        load_matrix(path)


def test_commands(tmp_path: Path) -> None:
    made = commands(Variant(["--flavour", "small"], stdlib=["@selection"]), tmp_path, "i386", 3, plain=True)
    assert made[0][2:5] == ["--arch=i386", f"--output={tmp_path}", "--quiet"] and "--plain" in made[0]
    assert made[0][-2:] == ["--flavour", "small"]
    make = ["make", "-C", str(tmp_path)]
    assert made[1:] == [[*make, "-j3"], [*make, "test"], [*make, "test-stdlib", "TESTS=@selection"]]
    assert "--plain" not in commands(Variant([]), tmp_path, "i386", 3, plain=False)[0]
    some = commands(Variant([], only="test_a or test_b"), tmp_path, "i386", 3, plain=True)
    assert some[2:] == [[*make, "test", "TESTS=-k 'test_a or test_b'"]]


def test_sources_that_are_there_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    for mirror in ([], [f"--mirror={tmp_path}/downloads"]):
        words = commands(Variant([]), tmp_path, "i386", 3, plain=False)[0]
        assert [word for word in words if word.startswith("--mirror")] == mirror
        (tmp_path / "downloads").mkdir(exist_ok=True)


def test_make_is_not_told_what_another_make_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "OTHER"):
        monkeypatch.setenv(name, "x")
    assert {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "OTHER"} & matrix.environment().keys() == {"OTHER"}


@pytest.fixture
def options() -> argparse.Namespace:
    return argparse.Namespace(arch="x86_64", jobs=1, optimised=False)


def test_ends_at_the_first_fault(tmp_path: Path, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = tmp_path / "ran"
    steps = [["true"], ["sh", "-c", "exit 7"], ["touch", str(ran)]]
    monkeypatch.setattr(matrix, "commands", lambda *_, **__: steps)
    assert matrix.build(FACTS, "small", tmp_path, options) == "sh -c exit 7: exit code 7"
    assert not ran.exists() and [p.name for p in tmp_path.iterdir()] == ["small"]


@pytest.mark.parametrize("near", ["", "near"])
@pytest.mark.parametrize("same", [True, False])
def test_bytes_are_compared(
    tmp_path: Path, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, same: bool, near: str
) -> None:
    facts = Matrix({"a": Variant([], folder=near), "b": Variant([], folder="far/away", same_as="a")})
    for folder, text in ((near or "a", "x"), ("far/away", "x" if same else "y")):
        (tmp_path / folder / "dist/tree").mkdir(parents=True)
        (tmp_path / folder / "dist/tree/file").write_text(text)
    (tmp_path / "far/away/dist/packed.tar.gz").write_text("make dist was run there")
    monkeypatch.setattr(matrix, "commands", lambda *_, **__: [])
    assert bool(matrix.build(facts, "b", tmp_path, options)) != same


def test_a_digest_is_of_all_that_a_tree_has(tmp_path: Path) -> None:
    def change(name: str, mode: int = 0o644, link: str = "file") -> str:
        tree = tmp_path / str(len([*tmp_path.iterdir()]))
        (tree / "folder").mkdir(parents=True)
        (tree / name).write_text("text")
        (tree / name).chmod(mode)
        (tree / "link").symlink_to(link)
        return tree_digest(tree)

    same = change("file")
    assert change("file") == same
    assert len({same, change("other"), change("file", 0o755), change("file", link="folder")}) == 4
