"""The benchmark suite's arithmetic, tables and facts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.baselines import BenchError
from bench.report import duration, table, write_report
from bench.results import Ratio, Results, geomean, geomean_of, load_results, measure
from bench.suites import Interpreter, Job, pyperf_times, timed_command, timed_input
from staticpython.benchmarks import load_bench
from staticpython.config import patches
from staticpython.load import load_facts

OURS, OTHER = (Interpreter(name, Path(sys.executable), Path()) for name in ("ours", "other"))


def results() -> Results:
    return Results(
        machine="a machine",
        interpreters={"ours": "1", "other": "2"},
        rounds={"copy/all": 2},
        seconds={
            "start": {"-c pass": {"ours": [0.02, 0.01], "other": [0.01, 0.005]}},
            "copy": {f"a|b @ {n}": {"ours": [1.0, 1.0], "other": [2.0, 8.0]} for n in (16, 1024)},
        },
        instructions={"start": {"-c pass": {"ours": 100, "other": 90}}},
    )


def test_a_ratio_is_above_one_where_ours_is_faster() -> None:
    """Each round compares neighbours; a slow round does not affect the least times."""
    ratio = Ratio.of([1.0, 2.0, 4.0, 0.5], [3.0, 2.0, 2.0])
    assert (ratio.rounds, ratio.least, ratio.seconds) == ((3.0, 1.0, 0.5), 2.0, 1.0)


def test_geometric_mean() -> None:
    assert geomean([0.5, 2.0]) == pytest.approx(1)
    mean = geomean_of([Ratio((2.0, 1.0, 1.0), 1.0, 1), Ratio((8.0, 1.0, 4.0), 4.0, 1)])
    assert (*mean.rounds, mean.least) == pytest.approx((1.0, 4.0, 2.0))


def test_table_escapes() -> None:
    assert table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"


@pytest.mark.parametrize(("seconds", "text"), [(2, "2 s"), (0.0123, "12.3 ms"), (4.5e-6, "4.5 µs"), (2e-8, "20 ns")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_report_has_a_table_of_each_suite_and_a_plot(tmp_path: Path) -> None:
    page, picture = write_report(results(), tmp_path)
    text = page.read_text()
    assert text.startswith("# Speed: the tables\n") and text.endswith(" |\n")
    assert "| start | 1 | **0.50 (0.50-0.50)** |" in text
    assert "| start: -c pass | 0.50 (0.50-0.50) | 0.90 |" in text
    assert "| other | 16 | 1024 | mean |" in text and "| a\\|b | 2.00 | 2.00 | **2.00** |" in text
    assert picture.read_text().count("<circle") == 2


def test_results_survive_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results().save(path)
    assert load_results(path) == results()
    assert '"ours": [0.02, 0.01]' in path.read_text()


def test_an_interrupted_measurement_goes_on(tmp_path: Path) -> None:
    calls: list[str] = []

    def run(one: Interpreter) -> dict[str, float]:
        calls.append(one.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return {"x": 1.0}

    path = tmp_path / "results.json"
    with pytest.raises(KeyboardInterrupt):
        measure([Job("s", "j", run)], [OURS, OTHER], 2, Results(), path)
    measure([Job("s", "j", run)], [OURS, OTHER], 2, load_results(path), path)
    assert calls == ["ours", "other", "ours", "ours", "other"]
    assert load_results(path).seconds == {"s": {"x": {"ours": [1, 1], "other": [1, 1]}}}


def test_what_fails_is_told_and_not_tried_again(tmp_path: Path) -> None:
    def run(one: Interpreter) -> dict[str, float]:
        if one is OTHER:
            raise BenchError("no compiler")
        return {"x": 1.0}

    found = Results(interpreters={"ours": "", "other": ""})
    measure([Job("s", "j", run)], [OURS, OTHER], 3, found, tmp_path / "results.json")
    assert found.failures == {"s/j": {"other": "no compiler"}}
    assert found.ratios("s", "other") == {}


def test_what_ours_failed_is_tried_again_when_it_is_asked_for(tmp_path: Path) -> None:
    def run(one: Interpreter) -> dict[str, float]:
        return {one.name: 1.0}

    found = Results(failures={"s/j": {"ours": "no compiler"}, "s/other": {"ours": "no module"}})
    measure([Job("s", "j", run)], [OURS, OTHER], 1, found, tmp_path / "results.json")
    assert found.failures == {"s/other": {"ours": "no module"}} and found.rounds == {"s/j": 1}


def test_pyperf_result(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    runs = [{"warmups": [[1, 0.1]]}, {"values": [0.3, 0.2]}]
    path.write_text(json.dumps({"metadata": {"name": "one"}, "benchmarks": [{"runs": runs}]}))
    assert pyperf_times(path) == {"one": 0.2}


@pytest.mark.parametrize("name", load_bench().micro)
def test_each_statement_of_the_facts_runs(name: str) -> None:
    if sys.version_info < (3, 13):
        pytest.skip("the statements are for the interpreters measured, 3.13 and later")
    group = load_bench().micro[name]
    loops = {f"{s} @ {group.sizes[0]}" if group.sizes else s: 1 for s in group.statements}
    text = timed_input(group, loops=loops)
    run = subprocess.run(timed_command(Path(sys.executable)), input=text, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", load_bench().baselines.peer.unpatched)
def test_the_unpatched_baseline_leaves_patches_out(name: str) -> None:
    package = load_facts().packages[name]
    assert any(patches(package, release.version) for release in package.releases), f"{name} has no patch"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "ours=/nowhere", "debian"], "/nowhere is no program"),
        (["run", f"ours={sys.executable}"], "and another interpreter"),
        (["baseline", "debain"], "did you mean 'debian'?"),
        (["run", "--mode", "quick", f"ours={sys.executable}"], "no mode 'quick'"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--work", str(tmp_path), "--docs", str(tmp_path), "--arch", "x86_64"]) == 2
    assert said in capsys.readouterr().err
