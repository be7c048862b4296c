"""A bundle's options (runtime/python/_staticpython/options.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from _staticpython.options import read_options
from _staticpython.payload import PayloadError

pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")


def project(folder: Path, text: str, name: str = "project") -> str:
    (folder / name).mkdir()
    (folder / name / "pyproject.toml").write_text(f"[project]\nname = 'x'\n{text}")
    return str(folder / name)


def test_a_projects_options_come_first(tmp_path: Path) -> None:
    table = """[tool.staticpython.bundle]
        module = "app"
        output = "dist/app"
        cache = ""
        arch = ["x86_64", "i386"]
        compress = "small"
        sbom = "{arch}.json"
        dry-run = true
        python = false
        args = ["--offline 'a b'", "c"]
        add = ["data:share/data"]
        exclude = ["*/tests"]
        [tool.staticpython.bundle.command]
        one = "app:one"
        [tool.staticpython.bundle.env]
        X = "1=2"
    """
    folder = project(tmp_path, table)
    options = read_options([folder, "--env=Y=2", "--args", "d", "--command", "two"])
    assert (options.module, options.output, options.cache) == ("app", f"{folder}/dist/app", "")
    assert options.args == ["--offline", "a b", "c", "d"]
    assert options.add == [f"{folder}/data:share/data"] and options.exclude == ["*/tests"]
    assert (options.python, options.dry_run, options.sbom) == (False, True, f"{folder}/{{arch}}.json")
    assert options.arch == ["x86_64", "i386"] and options.compress == "small"
    assert options.command == ["one=app:one", "two"] and options.env == ["X=1=2", "Y=2"]
    # The command line decides what runs.
    options = read_options([folder, "-e", "app:main", "-o", "here"])
    assert (options.module, options.entry, options.output) == (None, "app:main", "here")


def test_no_table(tmp_path: Path) -> None:
    for number, text in enumerate(("", "[tool.other]\n", "[tool]\nstaticpython = 1\n")):
        options = read_options([project(tmp_path, text, str(number)), "none", "-o", "app"])
        assert (options.module, options.command, options.args, options.cache) == (None, [], [], None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modul = 'x'", "bundle.: modul: there is no such option; there are: .*console-script, module, entry"),
        ("help = 'x'", "help: there is no such option"),
        ("exclude = [1]", "exclude: 1 is no string"),
        ("python = 1", "python: 1 is neither true nor false"),
        ("module = ", "pyproject.toml: Invalid value"),
    ],
)
def test_mistakes_in_a_table(tmp_path: Path, text: str, message: str) -> None:
    folder = project(tmp_path, f"[tool.staticpython.bundle]\n{text}\n")
    with pytest.raises(PayloadError, match=message):
        read_options([folder, "-o", "app"])


def test_one_table_at_a_time(tmp_path: Path) -> None:
    folders = [project(tmp_path, "[tool.staticpython.bundle]\nmodule = 'x'\n", name) for name in "ab"]
    with pytest.raises(PayloadError, match="two of the projects"):
        read_options([*folders, "-o", "app"])


@pytest.mark.parametrize(
    ("words", "message"),
    [(["-m", "app"], "-o says which file"), (["-o", "x", "--env", "A"], "'A' is not NAME=VALUE")],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    with pytest.raises(SystemExit):
        read_options(words)
    assert message in capsys.readouterr().err
