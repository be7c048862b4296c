"""The rendered files: as reviewed (tests/golden), stable, and understood by make.

After an intended change: UPDATE_GOLDEN=1 pytest tests/unit/test_render.py, and read the diff.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from staticpython import cli
from staticpython import plan as plan_module
from staticpython import render as render_module
from staticpython.config import ROOT
from staticpython.errors import FactsError, UsageError
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.render import quote, render, write

ARCHES = sorted(load_facts().arches)
OTHERS = sorted(set(load_facts().series) - {load_facts().default_series})
GOLDEN = {arch: (arch, "") for arch in ARCHES} | {f"python-{series}": ("x86_64", series) for series in OTHERS}
# A new arch or series has no reviewed files until its folder is made.
REVIEWED = sorted(path.name for path in (ROOT / "tests/golden").iterdir())


@pytest.fixture(autouse=True)
def x86_64_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "host_machine", lambda: "x86_64")


def rendered(arch: str, python: str = "") -> dict[Path, str]:
    options = Options(arches=(arch,), python=python)
    return render(make_plan(load_facts(), options), ROOT, [f"--arch={arch}"], python="python3")


def test_a_native_and_a_cross_build_are_reviewed() -> None:
    assert {"x86_64", "aarch64"} <= set(REVIEWED) <= set(GOLDEN)


# The default series on each arch, each other series on one: differences between series do not depend on the arch.
@pytest.mark.parametrize("folder", REVIEWED)
@pytest.mark.parametrize("name", ["Makefile", "Setup.local"])
def test_golden(folder: str, name: str) -> None:
    (text,) = (t for p, t in rendered(*GOLDEN[folder]).items() if p.name == name)
    golden = ROOT / "tests/golden" / folder / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text(), "reviewed text and rendered text differ"


def test_each_target_of_make_has_its_line_of_help() -> None:
    makefile = rendered("x86_64")[Path("Makefile")]
    phony = {name for line in re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE) for name in line.split()}
    packages = {name for name in phony if f"{name}-rebuild" in phony}
    explained = set(re.findall(r"^#: make ([a-z-]+) ", makefile, re.MULTILINE))
    assert explained == phony - packages - {f"{name}-rebuild" for name in packages} - {"all", "help", "report"}


def test_rendering_is_stable_and_writes_only_what_changed(tmp_path: Path) -> None:
    first, second = rendered("x86_64"), rendered("x86_64")
    assert first == second
    assert set(write(first, tmp_path)) == set(first)
    before = {p: (tmp_path / p).stat().st_mtime_ns for p in first}
    assert write(second, tmp_path) == []
    assert {p: (tmp_path / p).stat().st_mtime_ns for p in first} == before


@pytest.mark.parametrize(
    "option", [*(f"--arch={arch}" for arch in [*ARCHES, "all"]), *(f"--python={series}" for series in OTHERS)]
)
def test_make_understands_it(option: str, tmp_path: Path) -> None:
    assert cli.main([option, f"--output={tmp_path}", "--quiet"]) == 0
    # -q: exit code 1 says that there is work to do, 2 that the file is wrong.
    run = subprocess.run(["make", "-pq", "-C", tmp_path, "help"], capture_output=True, text=True, check=False)
    assert run.returncode < 2, run.stderr
    assert "warning: overriding recipe" not in run.stderr


def test_make_before_there_is_a_makefile(tmp_path: Path) -> None:
    shutil.copy(ROOT / "GNUmakefile", tmp_path)

    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", "-C", tmp_path, *arguments], capture_output=True, text=True, check=False)

    for arguments in ([], ["-j2", "test"]):
        assert make(*arguments).returncode == 2 and "run ./bootstrap.sh" in make(*arguments).stderr
    assert cli.main([f"--output={tmp_path}", "--quiet"]) == 0
    assert "make dist " in make("help").stdout
    assert "nothing makes 'bzip3': `make help` lists what" in make("bzip3").stderr
    assert make("help").stdout == make("-f", "Makefile", "help").stdout
    assert ".DEFAULT_GOAL := all" in make("-pq", "help").stdout


def compared(template: str) -> set[str]:
    """Return the constants in a template's comparisons and `in` tests, found by jinja's own parser."""
    tree = jinja2.Environment().parse(template)
    found: set[str] = set()
    for comparison in tree.find_all((jinja2.nodes.Compare, jinja2.nodes.Test)):
        found |= {str(node.value) for node in comparison.find_all(jinja2.nodes.Const)}
    return found


TEMPLATES = [ROOT / "Makefile.in", *sorted((ROOT / "make").rglob("*.in"))]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_tests_no_name(template: Path) -> None:
    facts = load_facts()
    names = {*facts.packages, *facts.arches, *facts.toolchains, *facts.series, *facts.launchers}
    names -= {"cpython"}  # a build kind as well
    assert not names & compared(template.read_text().replace("<#", "{#").replace("#>", "#}"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_has_short_lines(template: Path) -> None:
    assert [line for line in template.read_text().splitlines() if len(line.expandtabs(4)) > 140] == []


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_makefile_is_put_together_from_the_recipes(arch: str) -> None:
    files = rendered(arch)
    recipes = {path: text for path, text in files.items() if "recipes" in path.parts}
    assert len(recipes) > 30
    for path, text in recipes.items():
        assert files[Path("Makefile")].count(text) == 1
        assert re.search(rf"^[^#\t\n]*: .*{re.escape(str(path))}\b", text, re.MULTILINE), "it depends on its own text"


@pytest.mark.parametrize(
    "text",
    ["{% if p.name == 'zlib' %}{% endif %}", '{% if t.name in ("x86_64", "i386") %}{% endif %}', "{{ 'zig' == t }}"],
)
def test_a_tested_name_is_found(text: str) -> None:
    assert compared(text) & {"zlib", "x86_64", "zig"}


def test_recipes_follow_their_own_facts_only() -> None:
    def recipes(without: tuple[str, ...]) -> dict[Path, str]:
        files = render(make_plan(load_facts(), Options(arches=("x86_64",), without=without)), ROOT, [])
        return {p: t for p, t in files.items() if "recipes" in p.parts and p.name != "cpython"}

    every, fewer = recipes(()), recipes(("sqlite",))
    assert {p.name for p in every} - {p.name for p in fewer} == {"sqlite"}
    assert all(every[p] == text for p, text in fewer.items())


def test_generator_is_quick(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, ROOT / "generate.py", f"--output={tmp_path}", "-q"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Wall-clock time means nothing while other tests run.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2, "half a second on an idle machine"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{{ t.emulate }}", "{{ t.emulat }}", r"dist\.mk\.in:\d+: .*no attribute 'emulat'"),
        ("{{ t.emulate }}", "{{ t.emulate }", r"dist\.mk\.in:\d+: unexpected '}'"),
        ("\t@mkdir", "        @mkdir", "begins with a tab, not with blanks: +@mkdir"),
    ],
)
def test_mistakes_in_templates_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    template = (ROOT / "make/dist.mk.in").read_text()
    assert old in template
    (tmp_path / "dist.mk.in").write_text(template.replace(old, new))
    environment = render_module._environment()
    assert environment.loader
    environment.loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader(tmp_path), environment.loader])
    monkeypatch.setattr(render_module, "_environment", lambda: environment)
    with pytest.raises(FactsError, match=says):
        rendered("x86_64")


def test_flavour_has_the_last_word(tmp_path: Path) -> None:
    facts = load_facts()
    for flavour, last in (("small", ' "$@" "-Os"\n'), ("", ' "$@"\n')):
        plan = make_plan(facts, Options(arches=("x86_64",), flavour=flavour))
        files = render(plan, tmp_path, [])
        wrapper = next(text for path, text in files.items() if path.name == "x86_64-linux-musl-cc")
        assert f'-ffile-prefix-map="$root"={last}' in wrapper
        assert ("LIBRARY_MODULES=/dev/null" in files[Path("Makefile")]) == bool(flavour)


def test_quote() -> None:
    assert quote("a b") == "'a b'"
    assert quote("--x=$(x86_64_SYSROOT)/usr") == '"--x=$(x86_64_SYSROOT)/usr"'
    assert quote("plain") == "plain"


def test_paths_make_cannot_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main([f"--output={tmp_path}/with space"]) == 2
    assert "make does not support paths with spaces" in capsys.readouterr().err
    assert cli.main([f"--output={tmp_path}", "--prefix=/opt/$x"]) == 2
    assert "--prefix /opt/$x: make does not support # $ '" in capsys.readouterr().err
    for relative in ("", "usr", "./usr"):
        assert cli.main([f"--output={tmp_path}", f"--prefix={relative}"]) == 2
        assert f"--prefix '{relative}': name a folder by its absolute path" in capsys.readouterr().err


def test_a_place_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cli.main([f"--output={tmp_path}/file"]) == 2
    assert f"error: {tmp_path}/file" in (said := capsys.readouterr().err) and "cannot be written" in said


def test_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--flavor", "small"]) == 2
    assert "unknown option --flavor, did you mean '--flavour'?" in capsys.readouterr().err
    assert cli.main(["--quie"]) == 2
    assert "unknown option --quie, did you mean '--quiet'?" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--list", "--check"], ["--quiet", "--verbose"], ["--dry-run", "--missing"]])
def test_options_that_exclude_each_other(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(options) == 2
    assert "not allowed with argument" in capsys.readouterr().err
    assert cli.main(["--json"]) == 2


def test_list_and_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list"]) == 0
    assert "x86_64-linux-musl" in capsys.readouterr().out
    assert cli.main(["--check"]) == 0
    assert "all well" in capsys.readouterr().out


def test_check_of_licences(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt GPL would pass as a free licence; so would that of a part of a source."""
    facts = load_facts()
    xz, cpython = facts.packages["xz"], facts.cpython
    licence = dataclasses.replace(xz.licence, spdx="MIT OR GLP-2.0-only")
    expat = dataclasses.replace(cpython.parts["expat"], spdx="MIT OR GLP-2.0-only")
    for misspelt, where in (
        (dataclasses.replace(xz, licence=licence), "licence"),
        (dataclasses.replace(cpython, parts={"expat": expat}), "parts.expat"),
    ):
        changed = dataclasses.replace(facts, packages={**facts.packages, misspelt.name: misspelt})
        monkeypatch.setattr(cli, "load_facts", lambda changed=changed: changed)
        assert cli.main(["--check"]) == 3
        said = capsys.readouterr().err
        assert f"packages/{misspelt.name}.yml: {where}.spdx:" in said and "GLP-2.0-only" in said


def test_what_would_be_written_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = load_facts()
    monkeypatch.setattr(cli, "load_facts", lambda: facts)

    def said(*options: str) -> list[str]:
        assert cli.main([f"--output={tmp_path}", "--arch=x86_64", *options]) == 0
        return capsys.readouterr().out.splitlines()

    named = said("--dry-run")
    assert "Makefile" in named and list(tmp_path.iterdir()) == []
    *written, summary, end = said("--verbose")
    assert written == named and all((tmp_path / name).is_file() for name in named)
    version = facts.cpython.releases[0].version
    assert f"dist/cpython-{version}-x86_64-linux-musl" in summary and "modules linked, toolchain zig" in summary
    assert end == "Makefile written; now run: make"
    assert said("--dry-run") == [] and said()[-1] == "Makefile unchanged; now run: make"


def test_a_package_that_nothing_needs_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = load_facts()
    lonely = dataclasses.replace(facts.packages["xz"], name="lonely")
    monkeypatch.setattr(
        cli, "load_facts", lambda: dataclasses.replace(facts, packages={**facts.packages, "lonely": lonely})
    )
    assert cli.main(["--check", "--quiet"]) == 0
    assert capsys.readouterr().err == "warning: configs/packages/lonely.yml: nothing needs it, so it is not built\n"


def test_a_misspelt_feature_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    facts = load_facts()
    series = facts.series["3.13"]
    misspelt = dataclasses.replace(series.modules["_bz2"], feature="compresion")
    changed = dataclasses.replace(series, modules=series.modules | {"_bz2": misspelt})
    monkeypatch.setattr(cli, "load_facts", lambda: dataclasses.replace(facts, series=facts.series | {"3.13": changed}))
    assert cli.main(["--check", "--quiet"]) == 0
    said = "setup_local/3.13.yml: modules._bz2.feature: no other module is of 'compresion', did you mean 'compression'?"
    assert capsys.readouterr().err == f"warning: {said}\n"


def test_a_pair_that_nothing_tests_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    facts = load_facts()
    some = [pair for pair in facts.supported if pair.arch != "riscv64"]
    monkeypatch.setattr(cli, "load_facts", lambda: dataclasses.replace(facts, supported=some))
    assert cli.main(["--check", "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.err == "warning: configs/riscv64.yml: no line in supported.txt names its tests\n"
    assert said.out == ""


def test_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {"arch": "x86_64", "toolchain": "zig", "debian": ""} in data["matrix"]
    assert "gcc" not in {pair["toolchain"] for pair in data["matrix"]}, "who has its prefix must say where"
    assert "_sqlite3" in data["features"]["sqlite"].split() and "xz" in data["packages"]


@pytest.mark.parametrize(
    ("function", "given", "words"),
    [
        (cli._toolchain_prefix, "/nowhere", "no folder bin/ in it"),
        (cli._toolchain_prefix, "https://host.invalid/x.tgz", "ends with #sha256= and 64 hexadecimal digits"),
        (cli._toolchain_prefix, f"https://host.invalid/x'.tgz#sha256={'0' * 64}", "ends with #sha256="),
        (cli._toolchain_prefix, "TMP/a b", "make does not support paths with spaces"),
        (cli._mirror, "/nowhere", "no such folder"),
        (cli._mirror, "TMP/a#b", "make does not support # "),
        (cli._mirror, "ftp://host.invalid/x", "begins with http"),
        (cli._mirror, "https://host.invalid/x y", "no blank"),
    ],
)
def test_places_that_are_not_there(tmp_path: Path, function: Callable[[str], str], given: str, words: str) -> None:
    (tmp_path / "a b/bin").mkdir(parents=True)
    (tmp_path / "a#b").mkdir()
    with pytest.raises(UsageError, match=words):
        function(given.replace("TMP", str(tmp_path)))


def test_places_by_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"https://host.invalid/x.tgz#sha256={'0' * 64}"
    assert (cli._toolchain_prefix(address), cli._toolchain_prefix("")) == (address, "")
    monkeypatch.chdir(tmp_path)
    assert (cli._mirror("https://host.invalid/x"), cli._mirror(""), cli._mirror(".")) == (
        "https://host.invalid/x",
        "",
        str(tmp_path),
    )


def test_unknown_python_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--python=3.1"]) == 2
    said = capsys.readouterr().err
    assert "unknown Python '3.1'" in said and all(name in said for name in load_facts().series)


def test_the_makefile_keeps_its_series(tmp_path: Path) -> None:
    """A later change of the default is only for new folders: make never turns one interpreter into another."""
    assert cli.main([f"--output={tmp_path}", "--quiet"]) == 0
    assert f"--python={load_facts().default_series} " in (tmp_path / "Makefile").read_text()


def test_unknown_arch_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--arch=x86_46"]) == 2
    assert "did you mean 'x86_64'" in capsys.readouterr().err
    assert cli.main(["--arch=amd46"]) == 2
    assert "did you mean 'amd64'" in capsys.readouterr().err


def test_other_names_of_arches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that is written has an arch's own name."""
    given = ["amd64", "x86", "arm64", "x86_64", "i686"]
    assert cli.main([f"--output={tmp_path}", "--quiet", *(f"--arch={name}" for name in given)]) == 0
    makefile = (tmp_path / "Makefile").read_text()
    assert "--arch=x86_64 --arch=i386 --arch=aarch64 --python" in makefile
    assert not [name for name in ("amd64", "x86", "arm64", "i686") if (tmp_path / "build" / name).exists()]
    assert cli.main(["--list"]) == 0
    assert re.search(r"(?m)^  x86_64 .* \(also amd64, ", capsys.readouterr().out)


def test_make_stops_at_a_broken_fact(project: Path) -> None:
    """What it builds must not be from the facts of an earlier run, with exit code 0."""
    for name in ("staticpython", "make"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("generate.py", "Makefile.in", "requirements.txt"):
        shutil.copy(ROOT / name, project)
    subprocess.run([sys.executable, "generate.py", "--quiet"], cwd=project, check=True)
    help_of_make = ["make", f"PYTHON={sys.executable}", "help"]
    subprocess.run(help_of_make, cwd=project, check=True, capture_output=True)
    fact = project / "configs/packages/bzip2.yml"
    fact.write_text(fact.read_text().replace("kind:", "knd:"))
    run = subprocess.run(help_of_make, cwd=project, check=False, capture_output=True, text=True)
    assert run.returncode == 2 and "bzip2.yml: knd: unknown key, did you mean 'kind'?" in run.stderr


def test_makefile_regenerates_itself_with_every_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """generate.py's options stay in force when a fact changes, so every option must be replayed."""
    given = {
        "arch": ["i386"],
        "cpu": "i686",
        "python": load_facts().packages["cpython"].releases[0].version,
        "toolchain": "gcc",
        "toolchain_prefix": f"{tmp_path}",
        "launcher": "ccache",
        "with_gpl": True,
        "gcc_libraries": True,
        "plain": True,
        "symbols": True,
        "speedups": False,
        "without": ["ssl"],
        "only": ["compression"],
        "prefix": "/opt",
        "pie": True,
        "allocator": "musl",
        "flavour": "small",
        "release": ["xz=5.8.1"],
        "output": tmp_path,
        "mirror": "mirror",
    }
    only_for_this_run = {"list", "json", "check", "missing", "dry_run", "quiet", "verbose", "help"}
    (tmp_path / "bin").mkdir()
    (tmp_path / "mirror").mkdir()
    monkeypatch.chdir(tmp_path)
    assert {action.dest for action in cli.parser()._actions} == given.keys() | only_for_this_run
    options = cli.parser().parse_args([])
    vars(options).update(given)
    again = vars(cli.parser().parse_args(cli._replay(options)))
    assert {name: again[name] for name in given} == given | {"mirror": f"{tmp_path}/mirror"}
    assert vars(cli.parser().parse_args(["--profile", "small"])) == vars(
        cli.parser().parse_args(["--flavour", "small"])
    )
    vars(options)["pie"] = False
    assert cli.parser().parse_args(cli._replay(options)).pie is False
