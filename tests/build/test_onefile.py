"""The interpreter with its library and pip as one file (`make onefile`), without a tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from staticpython.stdlib_tests import expected_of, judge, load_expectations, pack_tree, run_suite
from tests.build.conftest import BuiltTarget, clean_environment
from tests.build.test_bundle import output_of, start, write_demo
from tests.build.test_vfs import private_mounts


@pytest.fixture(scope="module")
def python(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, as the Makefile makes it, in a folder with nothing else."""
    output = tmp_path_factory.mktemp("onefile") / f"python{target.plan.series}"
    packages = target.stdlib / "site-packages"
    words = ["bundle", "--python", "--site-packages", packages, "--cache", "", "-o", output]
    target.run("-m", "_staticpython", *map(str, words))
    return output


@pytest.mark.native_only("the emulator would be one more file; test_hello_in_an_empty_root runs on each CPU")
def test_in_an_empty_root(python: Path) -> None:
    """Read-only, without /proc and environment: certificates, zones and each module of the library work."""
    enter = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; root=$1; shift; set -- chroot "$root" "$@"'
    code = """if True:
        import email.mime.text, json, os, pip, sqlite3, ssl, sys, zoneinfo
        assert ssl.create_default_context().get_ca_certs() and zoneinfo.ZoneInfo("Asia/Tokyo")
        assert os.listdir("/") == [os.path.basename(sys.executable)] and sys.path[0] == ""
        assert sqlite3.connect(":memory:").execute("select 1").fetchall() == [(1,)]
        print(sys.executable, sys.prefix, pip.__file__)
    """
    command = [*private_mounts(enter, python.parent), f"/{python.name}", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin"}, timeout=120)
    executable, prefix, pip = output_of(run).split()
    assert executable == f"/{python.name}" and prefix == f"{executable}/python" and pip.startswith(prefix)


@pytest.mark.any_cpu("Python code")
def test_is_a_python(target: BuiltTarget, python: Path, tmp_path: Path) -> None:
    """Under each name it is a Python with a prompt and all options; sys.executable is its own path."""
    assert output_of(start(target, python, "-c", "import sys; print(sys.executable)")) == str(python)
    (tmp_path / "other").symlink_to(python)
    assert (
        output_of(start(target, tmp_path / "other", "-c", "import sys; print(sys.executable)")) == f"{tmp_path}/other"
    )
    assert output_of(start(target, python, "-i", input="print(6 * 7)\n")) == "42"
    (tmp_path / "script.py").write_text("import sys; print(sys.argv, sys.path[0])")
    run = start(target, python, str(tmp_path / "script.py"), "x")
    assert output_of(run) == f"['{tmp_path}/script.py', 'x'] {tmp_path}"
    env = {"PYTHONPATH": str(tmp_path)}
    assert output_of(start(target, python, "-m", "script", env=env)).endswith(f"script.py'] {Path.cwd()}")


@pytest.mark.any_cpu("C that knows no CPU")
@pytest.mark.parametrize(
    ("options", "env"),
    [
        ([], {}),
        (["-X", "utf8=0", "-bb", "-O", "-W", "error"], {"LANG": "C.UTF-8"}),
        (["-X", "utf8", "-X", "dev", "-P", "-B"], {"LC_ALL": "C"}),
        (["-I", "-X", "int_max_str_digits=700"], {"PYTHONOPTIMIZE": "2"}),
        (["-E", "-s"], {"PYTHONUTF8": "0", "PYTHONDEVMODE": "1"}),
        (["-u"], {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONHASHSEED": "5", "PYTHONOPTIMIZE": "2"}),
        (
            [],
            {"PYTHONUTF8": "1", "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYTHONIOENCODING": "latin-1:replace"},
        ),
    ],
)
def test_is_configured_as_the_tree(target: BuiltTarget, python: Path, options: list[str], env: dict[str, str]) -> None:
    code = """if True:
        import io, locale, re, sys
        # It writes no .pyc: its own folder is read-only.
        print(re.sub("dont_write_bytecode=.", "", str(sys.flags)))
        print(sys.warnoptions, sys._xoptions, io.text_encoding(None))
        print(sys.stdout.encoding, sys.stdout.errors, sys.stdout.write_through, locale.setlocale(locale.LC_CTYPE))
        print(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), len(sys.path))
    """
    ours, trees = (start(target, path, *options, "-c", code, env=env) for path in (python, target.binary))
    assert output_of(ours) == output_of(trees)


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_pip(target: BuiltTarget, python: Path, tmp_path: Path) -> None:
    """pip installs into a named folder and, because its own is read-only, into the user's."""
    wheel = write_demo(tmp_path)
    env = clean_environment(HOME=str(tmp_path / "home"))
    for words in (["--target", str(tmp_path / "packages")], ["--user"], []):
        run = start(target, python, "-m", "pip", "install", "-q", "--no-index", *words, str(wheel), env=env)
        assert run.returncode == 0, run.stderr
    assert (tmp_path / "packages/demo/__init__.py").is_file()
    assert output_of(start(target, python, "-c", "import demo; demo.main()", env=env)) == "demo"
    assert output_of(start(target, tmp_path / "home/.local/bin/demo", "a", env=env)) == "demo a"


@pytest.mark.any_cpu("getpath.py, site.py and venv are Python code")
@pytest.mark.usefixtures("programs")
def test_is_a_base_for_environments(target: BuiltTarget, python: Path, tmp_path: Path) -> None:
    env = tmp_path / "env"
    assert start(target, python, "-m", "venv", str(env)).returncode == 0
    code = "import sys; print(sys.prefix, sys.base_prefix, sys.executable)"
    expected = f"{env} {python}/python {env}/bin/python3"
    assert output_of(start(target, env / "bin/python3", "-c", code)) == expected
    # Found in the PATH, as in an active environment.
    words = ["sh", "-c", 'python3 -c "$0"', code]
    assert subprocess.check_output(words, text=True, env={"PATH": f"{env}/bin:/usr/bin:/bin"}).strip() == expected
    wheel = write_demo(tmp_path)
    run = start(target, env / "bin/python3", "-m", "pip", "install", "-q", "--no-index", str(wheel))
    assert run.returncode == 0, run.stderr
    assert output_of(start(target, env / "bin/demo", "x")) == "demo x"
    assert start(target, python, "-c", "import demo").returncode == 1


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_cpythons_own_tests(target: BuiltTarget, tmp_path: Path) -> None:
    """Those that use files and sources, without test extensions: `make test-stdlib TESTS=--one-file` runs all."""
    (package,) = (p for p in target.plan.packages if p.kind == "cpython")
    source = target.build.parent / "sources" / package.source_tree / "Lib/test"
    if not source.is_dir():
        pytest.skip("CPython's sources are not there any more")
    names = ["test_glob", "test_linecache", "test_zipimport", "test_inspect", "test_runpy", "test_importlib"]
    tests = tmp_path / "test"
    tests.mkdir()
    for file in ("__init__", "__main__", "support", "libregrtest", "typinganndata", *names):
        if (source / file).is_dir():
            shutil.copytree(source / file, tests / file)
        else:
            shutil.copy(source / f"{file}.py", tests)
    python = pack_tree(target.tree, target.plan, tests, tmp_path / "python")
    outcome = run_suite(python, target.plan, tmp_path, names, jobs=2)
    expected = expected_of(target.plan, load_expectations(), one_file=True)
    assert judge(outcome, expected, complete=False) == []
    assert outcome.counts["passed"] > 700


@pytest.mark.native_only("gVisor runs programs of its own CPU")
def test_in_gvisor(python: Path) -> None:
    """gVisor is another kernel, with another memfd and another /proc."""
    runsc = shutil.which("runsc")
    if not runsc:
        pytest.skip("gVisor's runsc (Debian: runsc) is not there")
    code = """if True:
        import inspect, json, os, subprocess, sys
        file = open(json.__file__, "rb")
        assert os.fstat(file.fileno()).st_size == len(file.read()) == os.stat(json.__file__).st_size
        assert "decoder.py" in os.listdir(os.path.dirname(json.__file__)) and inspect.getsource(json.loads)
        print(subprocess.check_output([sys.executable, "-c", "print(6 * 7)"], text=True))
    """
    command = [runsc, "--rootless", "--network", "none", "--ignore-cgroups", "do", str(python), "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "cannot" in run.stderr and not run.stdout:
        pytest.skip(f"runsc does not start here: {run.stderr[-200:]}")
    assert run.stdout.strip() == "42", run.stderr[-2000:]
