"""Applications in one file (`python3 -m _staticpython bundle`), run in an empty root."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import textwrap
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from _staticpython.payload import Program

from tests.build.conftest import BuiltTarget, clean_environment, compile_program, network_environment
from tests.build.test_vfs import damage, private_mounts

HELLO = 'import sys; print("hello", *sys.argv[1:]); sys.exit(7)\n'

CORE = """\
import sys
def main():
    print('main', *sys.argv[1:])

def fail():
    1 / 0  # on purpose
"""

EXTENSION = """\
#include <Python.h>
static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "fast", 0, 0, 0 };
PyMODINIT_FUNC PyInit_fast(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m) PyModule_AddIntConstant(m, "answer", 42);
    return m;
}
"""


CACHE = {"XDG_CACHE_HOME": ""}


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One cache for all of these tests: the library's code is made only once."""
    CACHE["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


def bundle(target: BuiltTarget, output: Path, *arguments: str | Path, **variables: str) -> Path:
    """Make a bundle with the built Python."""
    env = clean_environment(**(CACHE | variables))
    target.run("-m", "_staticpython", "bundle", "-o", output, *arguments, env=env)
    return output


def run_bundler(target: BuiltTarget, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the bundler in a folder, without checking its result."""
    command = [*target.emulator, str(target.binary), "-m", "_staticpython", "bundle", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=clean_environment(**CACHE))


def start(
    target: BuiltTarget, program: Path | str, *arguments: str, name: str = "", **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a bundle, under another argv[0] if one is given."""
    first = [*target.emulator, *(["-0", name] if name and target.emulator else []), str(program), *arguments]
    if name and not target.emulator:
        options["executable"], first[0] = str(program), name
    options.setdefault("env", {})
    return subprocess.run(first, capture_output=True, text=True, errors="backslashreplace", timeout=120, **options)  # type: ignore[call-overload,no-any-return]


def output_of(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 0, f"{run.returncode}: {run.stdout}\n{run.stderr}"
    return run.stdout.strip()


@pytest.fixture(scope="module")
def packages(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install --target` makes it: code, data, metadata, an extension module and a script."""
    folder = tmp_path_factory.mktemp("packages")
    files = {
        "app/__init__.py": "",
        "app/__main__.py": "from app.core import main\nmain()\n",
        "app/core.py": CORE,
        "app/data/text.txt": "some text\n",
        "app/plugins/one.py": "",
        "app/plugins/two.py": "",
        # Modules that no import finds by this name: each gets a .pyc.
        "app/not.a.package/one.py": "1\n",
        "app/not.a.package/another.py": "1\n",
        "app-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: app\nVersion: 1.5\n",
        "app-1.5.dist-info/entry_points.txt": "[app.plugins]\none = app.plugins.one\n",
        "app-1.5.dist-info/RECORD": "app/__init__.py,,\n",
        "bad.txt": "def (\n",
        "no.trace": "site\n",
        "bin/tool": "#!/usr/bin/env python3\nimport app.core\nprint('tool', app.core.__name__)\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "bin/tool").chmod(0o755)
    source = folder.parent / "fast.c"
    source.write_text(EXTENSION)
    include = target.tree / f"include/python{target.plan.series}"
    compile_program(target, source, folder / "fast.so", "-shared", "-fPIC", f"-I{include}")
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that can be neither carried nor written."""
    folder = tmp_path_factory.mktemp("odd")
    os.mkfifo(folder / "pipe")
    (folder / "venv").mkdir()
    (folder / "venv/pyvenv.cfg").touch()
    return folder


@pytest.fixture(scope="module")
def app(target: BuiltTarget, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of those packages, which runs one of them. No test may change it."""
    return bundle(target, tmp_path_factory.mktemp("bundle") / "app", "-m", "app", "--site-packages", packages)


@pytest.fixture(scope="module")
def hello(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a script of one line. No test may change it."""
    folder = tmp_path_factory.mktemp("hello")
    (folder / "hello.py").write_text(HELLO)
    return bundle(target, folder / "hello", folder / "hello.py")


@pytest.fixture(scope="module")
def as_python(target: BuiltTarget, app: Path) -> Callable[..., str]:
    """Run code in a bundle that is called as python3."""

    def run(code: str, *arguments: str, **variables: str) -> str:
        done = start(target, app, "-c", textwrap.dedent(code), *arguments, name="python3", env=variables)
        return output_of(done)

    return run


def enter_empty_root(
    target: BuiltTarget, root: Path, writable: Iterable[str] = ()
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs programs with a folder as root: mostly read-only, without /proc, by `env -i`."""
    emulator = shutil.which(target.emulator[0]) if target.emulator else None
    if emulator:
        shutil.copy(emulator, root / "emulator")
    script = 'mount --bind "$1" "$1"; root=$1; shift; for at; do mount -t tmpfs none "$root/$at"; done;'
    script += ' mount -o remount,bind,ro "$root"; set -- env -i'
    chroot = shutil.which("chroot", path=f"/usr/sbin:/sbin:{os.defpath}") or "chroot"
    entered = [chroot, str(root), *(["/emulator"] if emulator else [])]

    def inside(*words: str, text: str = "", timeout: float = 120, **variables: str) -> tuple[int, str, str]:
        environment = shlex.join(f"{name}={value}" for name, value in variables.items())
        command = private_mounts(f"{script} {environment} {shlex.join([*entered, *words])}", root, *writable)
        run = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout)
        return run.returncode, run.stdout, run.stderr

    return inside


def test_hello_in_an_empty_root(target: BuiltTarget, hello: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(hello, root / "hello")
    inside = enter_empty_root(target, root)
    assert inside("/hello", "you") == (7, "hello you\n", "")
    # As a Python it has the same name again, without one more slash each time.
    assert inside("//hello", "-c", "import sys; print(sys.executable)") == (0, "//hello\n", "")


@pytest.mark.parametrize("way", ["module", "entry"])
def test_what_is_run(target: BuiltTarget, app: Path, packages: Path, tmp_path: Path, way: str) -> None:
    program = app
    if way == "entry":
        program = bundle(target, tmp_path / "program", "-e", "app.core:main", "--site-packages", packages)
    assert output_of(start(target, program, "a", "b")) == "main a b"
    # From anywhere, and through a link, too.
    (tmp_path / "link").symlink_to(program)
    assert output_of(start(target, tmp_path / "link", "a", "b", cwd="/")) == "main a b"
    # The environment has no effect.
    noise = {"PYTHONPATH": "/none", "PYTHONHOME": "/none", "PYTHONSTARTUP": "/none", "PYTHONWARNINGS": "nonsense"}
    run = start(target, program, "a", "b", env=noise)
    assert (run.stdout.strip(), run.stderr) == ("main a b", "")


@pytest.mark.any_cpu("getpath.py and site.py are Python code")
@pytest.mark.usefixtures("programs")
def test_files_beside_it_do_not_count(target: BuiltTarget, tmp_path: Path) -> None:
    """Others who can write to a folder of downloads must not decide what a program in it runs."""
    script = tmp_path / "hello.py"
    script.write_text("""if True:
        import subprocess, sys
        print(sys.path, sys.prefix, sys.modules.get("planted"))
        if sys.argv[1:]:
            subprocess.run([sys.executable, "-I", sys.prefix + "/bin/hello.py"], check=True)
    """)
    (tmp_path / "folder").mkdir()
    program = bundle(target, tmp_path / "folder/app", script)
    expected = output_of(start(target, program, "again"))
    library = f"lib/python{target.plan.series}"
    for place in (tmp_path, tmp_path / "folder"):
        site = place / library / "site-packages"
        site.mkdir(parents=True)
        (site / "planted.py").touch()
        (site / "planted.pth").write_text("import planted\n")
        (place / "pyvenv.cfg").write_text(f"home = {place}\n")
        (place / "app._pth").write_text(f"{site}\nimport site\n")
        (place / "pybuilddir.txt").write_text(str(site))
    assert output_of(start(target, program, "again")) == expected
    assert "None" in expected and str(tmp_path / "lib") not in expected


@pytest.mark.any_cpu("Python code; that files are found is tested by test_libraries_find_their_files")
def test_traceback_has_its_source(target: BuiltTarget, packages: Path, tmp_path: Path) -> None:
    program = bundle(target, tmp_path / "program", "-e", "app.core:fail", "--site-packages", packages)
    run = start(target, program)
    assert run.returncode == 1
    assert "1 / 0  # on purpose" in run.stderr
    assert f"{program}/python/lib" in run.stderr


def test_libraries_find_their_files(as_python: Callable[..., str]) -> None:
    code = """
        import importlib.metadata, importlib.resources, inspect, json, os, pkgutil, sys, zoneinfo, ssl
        import app.core, app.plugins, fast
        assert fast.answer == 42 and fast.__file__.startswith(sys.prefix)
        assert importlib.metadata.version("app") == "1.5"
        assert [e.name for e in importlib.metadata.entry_points(group="app.plugins")] == ["one"]
        assert [str(f) for f in importlib.metadata.files("app")] == ["app/__init__.py"]
        assert (importlib.resources.files("app") / "data/text.txt").read_text() == "some text\\n"
        assert sorted(m.name for m in pkgutil.iter_modules(app.plugins.__path__)) == ["one", "two"]
        assert inspect.getsource(app.core.fail).endswith("# on purpose\\n")
        folder = os.path.dirname(app.__file__)
        assert {"__init__.py", "core.py", "data", "plugins"} < set(os.listdir(folder))
        assert len(list(os.walk(sys.prefix))) > 50 and os.path.isdir(sys.prefix)
        assert os.path.realpath(app.__file__) == app.__file__
        assert zoneinfo.ZoneInfo("Europe/Berlin") and ssl.create_default_context().get_ca_certs()
        try:
            open(app.__file__, "w")
        except OSError as error:
            print("well", error.strerror)
    """
    assert as_python(code) == "well Read-only file system"


def takes_code(target: BuiltTarget) -> None:
    if target.run("-c", "from _staticpython import modules; print(modules.is_known())") != "True":
        pytest.skip("this interpreter takes the code of modules from files only (--no-speedups, or without a GIL)")


def test_code_is_carried(target: BuiltTarget, as_python: Callable[..., str]) -> None:
    """Imports open no file, and modules look the same as those from files."""
    takes_code(target)
    code = """
        import sys
        seen = []
        sys.addaudithook(lambda event, args: seen.append(args) if event == "open" else None)
        import app.core, app.plugins.one, email.charset
        assert not seen, seen
        import _imp, importlib.util
        for name in ("app.core", "app", "app.plugins.one", "email.charset", "json"):
            spec = importlib.util.find_spec(name)
            assert type(spec.loader).__name__ == "SourceFileLoader" and spec.has_location and spec.cached
            with open(spec.origin, "rb") as file:
                source = file.read()
            assert spec.loader.get_data(spec.origin) == source
            assert spec.loader.get_code(name) == compile(source, spec.origin, "exec", dont_inherit=True), name
            assert spec.loader.get_code(name).co_filename == spec.origin
            assert (spec.submodule_search_locations is not None) == spec.origin.endswith("__init__.py")
        assert [args for args in seen if args[0] == spec.origin and args[1] == "rb"]
        assert _imp.library_data(sys.prefix) is None and _imp.library_data("/etc/passwd") is None
        assert _imp.library_data(spec.origin + "\\0") is None and _imp.library_data(b"x") is None
        # What comes first in sys.path wins.
        import os
        os.mkdir(sys.argv[1] + "/app")
        with open(sys.argv[1] + "/app/__init__.py", "w") as file:
            file.write("name = 'mine'")
        for name in [n for n in sys.modules if n.startswith("app")]:
            del sys.modules[name]
        sys.path.insert(0, sys.argv[1])
        import app
        print(app.name)
    """
    with tempfile.TemporaryDirectory() as folder:
        assert as_python(code, folder) == "mine"


@pytest.mark.any_cpu("importlib is Python code")
@pytest.mark.parametrize("options", [["-O"], ["-X", "frozen_modules=off"], ["-X", "no_debug_ranges"]])
def test_other_code_is_made_of_the_source(target: BuiltTarget, app: Path, options: list[str]) -> None:
    code = "import app.core, email.charset; print(app.core.__spec__.cached, __debug__)"
    run = start(target, app, *options, "-c", code, name="python3")
    assert output_of(run).endswith(f"core.{target.tag}{'.opt-1' * (options == ['-O'])}.pyc {options != ['-O']}")


def test_damaged_code_is_an_error(target: BuiltTarget, app: Path, tmp_path: Path, seed: int) -> None:
    """Damaged code, tables and configuration: in each case the program ends by itself."""
    takes_code(target)
    random_ = random.Random(seed)
    program = Program(Path(shutil.copy(app, tmp_path / "app")))
    whole = bytes(program.data)
    start_of = program.segment.values["offset"]
    at_config, config_size = struct.unpack_from("<2Q", whole, start_of + 40)
    modules = whole.index(b"PYMODS\0\1", start_of)
    at_objects = modules + struct.unpack_from("<Q", whole, modules + 64)[0]
    objects = at_objects + struct.unpack_from("<Q", whole, modules + 72)[0]
    places = [(start_of + at_config, start_of + at_config + config_size), (modules, modules + 80)]
    places += [(modules + 80, at_objects), (at_objects, objects)]
    for number in range(4 if target.emulator else 40):
        data = bytearray(whole)
        for _ in range(200 if number % 4 > 1 else 1):
            damage(random_, data, *places[number % 4])
        program.path.write_bytes(data)
        run = start(target, program.path)
        # fatal_error() in Python/pylifecycle.c ends like this if there is no standard library.
        fatal = run.returncode == -signal.SIGABRT and run.stderr.startswith("Fatal Python error")
        assert fatal or run.returncode in {0, 1, 2}, f"{number}: {run.returncode} {run.stderr[-300:]}"


def test_code_of_the_script(target: BuiltTarget, tmp_path: Path) -> None:
    """It runs as a script from a file, and is no importable module."""
    takes_code(target)
    script = tmp_path / "script.py"
    text = """
        from __future__ import annotations
        import inspect, sys
        assert (__name__, __spec__, __cached__, __package__, __doc__) == ("__main__", None, None, None, None)
        assert __file__ == sys.prefix + "/bin/script.py" == sys._getframe().f_code.co_filename
        assert type(__loader__).__name__ == "SourceFileLoader" and __loader__.get_filename() == __file__
        with open(__file__) as file:
            assert inspect.getsource(sys.modules["__main__"]) == file.read()
        def f(x: missing): return 1 / 0
        assert f.__annotations__ == {"x": "missing"}
        try:
            __import__("python/bin/script.py")
        except ModuleNotFoundError:
            print(sys.argv[1:], flush=True)
        f(0)
    """
    script.write_text(textwrap.dedent(text))
    program = bundle(target, tmp_path / "app", script)
    run = start(target, program, "a")
    assert (run.returncode, run.stdout) == (1, "['a']\n")
    assert re.search(r"script.py\", line \d+, in f\n    def f\(x: missing\): return 1 / 0\n", run.stderr), run.stderr
    # For a Python it is the same file, or made from it.
    for option in ([], ["-O"]):
        again = start(target, program, *option, f"{program}/python/bin/script.py", "a", name="python3")
        assert (again.returncode, again.stdout) == (1, "['a']\n"), again.stderr


@pytest.mark.native_only("the emulator shows its own mappings")
def test_library_is_mapped_from_the_program(as_python: Callable[..., str]) -> None:
    code = "import fast; print(sorted({l.split()[-1] for l in open('/proc/self/maps') if '/' in l and ' r-xp ' in l}))"
    (mapped,) = eval(as_python(code))
    assert mapped.endswith("/app")


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes(as_python: Callable[..., str], method: str) -> None:
    code = f"""
        import multiprocessing, subprocess, sys
        def run(*command, **options):
            return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout.strip()
        if __name__ == "__main__":
            assert run(sys.executable, "-c", "import app; print(app.__name__)") == "app"
            assert run(sys.executable, "-m", "app", "x") == "main x"
            # The program again, with its arguments.
            assert run(sys.executable, sys.executable, "y") == "main y"
            assert run(sys.prefix + "/bin/tool") == "tool app.core"
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(pool.map(abs, [-1, -2, -3]))
    """
    assert as_python(code) == "[1, 2, 3]"


@pytest.mark.any_cpu("an option of the configuration")
def test_as_python_the_environment_counts(as_python: Callable[..., str]) -> None:
    assert as_python("import sys; print('/there' in sys.path)", PYTHONPATH="/there") == "True"


def test_set_user_id_is_no_python(target: BuiltTarget, tmp_path: Path) -> None:
    """The caller chooses its name and environment, and must not get a Python with another user's rights."""
    if target.emulator or os.geteuid():
        pytest.skip("needs root, who becomes nobody, and no emulator")
    script = tmp_path / "program.py"
    told = "[sys.executable], sys.flags.isolated, os.environ['MINE']"
    script.write_text(f"import os, sys; print(os.geteuid(), os.getuid(), {told})\n")
    program = bundle(target, tmp_path / "program", script, "--env", "MINE=1")
    program.chmod(0o4755)
    for folder in [tmp_path, *tmp_path.parents]:
        folder.chmod(folder.stat().st_mode | 0o11)
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    for name in (str(program), "python3", f"/{program}"):
        call = ["bash", "-c", 'exec -a "$1" "$0" -c "print(1)"', str(program), name]
        noise = {"PYTHONPATH": "/none", "STATICPYTHON": "python", "MINE": "theirs"}
        run = subprocess.run([*become, *call], capture_output=True, text=True, env=noise)
        if run.stdout.startswith("65534"):
            pytest.skip("the tests' folder is mounted nosuid")
        assert (run.stdout, run.stderr) == ("0 65534 [''] 1 1\n", "")


@pytest.mark.any_cpu("Python code; that files are found is tested by test_libraries_find_their_files")
def test_it_tells_of_itself(target: BuiltTarget, app: Path, tmp_path: Path) -> None:
    program = Path(shutil.copy(app, tmp_path / "app"))

    def ask(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return start(target, program, *arguments, env={"STATICPYTHON": command}, cwd=tmp_path)

    told = output_of(ask("info"))
    assert "module: app\n" in told and "packages: app 1.5\n" in told and target.triple in told
    listed = output_of(ask("list", "*/app/*"))
    assert " 10 python/lib/" in listed and any(line.endswith("/app/plugins/two.py") for line in listed.splitlines())
    assert "python/bin/tool" in output_of(ask("list"))
    output_of(ask("extract", "out", "*/app/*", "python/bin/*"))
    (core,) = (tmp_path / "out").rglob("core.py")
    assert core.read_text() == CORE and os.access(tmp_path / "out/python/bin/tool", os.X_OK)
    again = ask("extract", "out", "*/app/*")
    assert again.returncode == 1 and "already exists" in again.stderr and "Traceback" not in again.stderr
    for words in (("extract", "out", "none"), ("extract", ""), ("list", "none")):
        assert ask(*words).returncode == 1
    # A folder means everything in it.
    assert output_of(ask("list", "./python/bin/")).splitlines() == [
        line for line in output_of(ask("list")).splitlines() if " python/bin/" in line
    ]
    assert output_of(ask("python", "-c", "import app, os; print('STATICPYTHON' in os.environ)")) == "False"
    unknown = ask("nonsense")
    assert unknown.returncode == 2 and "usage: STATICPYTHON=" in unknown.stderr
    assert "usage: STATICPYTHON=" in output_of(ask("help"))

    assert ": well, " in output_of(ask("verify"))
    data = bytearray(program.read_bytes())
    data[data.rindex(b"some text")] ^= 1
    program.write_bytes(data)
    damaged = ask("verify")
    assert damaged.returncode == 1 and "it is damaged" in damaged.stderr
    damaged = ask("extract", "damaged")
    assert damaged.returncode == 1 and "it is damaged" in damaged.stderr and not (tmp_path / "damaged").exists()


DEMO = {
    "demo/__init__.py": "import sys\ndef main():\n    print('demo', *sys.argv[1:])\ndef other():\n    print('other')\n",
    "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:main\nother = demo:other\n",
}
BACKEND = """\
import shutil
def build_wheel(folder, config_settings=None, metadata_directory=None):
    return shutil.copy("../demo-1.0-py3-none-any.whl", folder).rpartition("/")[2]
"""


def write_demo(folder: Path) -> Path:
    """Write the wheel of DEMO into a folder; return it."""
    path = folder / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in DEMO.items():
            archive.writestr(name, text)
        record = "".join(f"{name},,\n" for name in [*DEMO, "demo-1.0.dist-info/RECORD"])
        archive.writestr("demo-1.0.dist-info/RECORD", record)
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a project, with the project's folder beside it."""
    path = write_demo(tmp_path_factory.mktemp("wheels"))
    project = path.parent / "project"
    project.mkdir()
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "demo"\nversion = "1.0"\n'
    )
    return path


OFFLINE = ["--", "--no-index", "--find-links"]


@pytest.mark.any_cpu("pip and the bundler are Python code")
@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("kind", ["wheel", "project", "requirement", "file", "script"])
def test_inputs(target: BuiltTarget, wheel: Path, tmp_path: Path, kind: str) -> None:
    """Every way to name an application gives the same bundle, without traces of this machine."""
    script, requirements = tmp_path / "run.py", tmp_path / "requirements.txt"
    script.write_text('# /// script\n# dependencies = ["demo>=1"]\n# requires-python = ">=3.10"\n# ///\n'
                      "import demo, sys\ndemo.main()\n")  # fmt: skip
    requirements.write_text("demo==1.0\n")
    kinds: dict[str, list[str | Path]] = {
        "wheel": [wheel],
        "project": [wheel.parent / "project"],
        "requirement": ["demo==1.0", "-c", "demo"],
        "file": ["-r", requirements, "-m", "demo.__init__"],
        "script": [script],
    }
    words = kinds[kind]
    report = tmp_path / "report.json"
    program = bundle(target, tmp_path / "app", *words, "--report", report, *OFFLINE, wheel.parent)
    expected = "" if kind == "file" else "demo a b"
    assert output_of(start(target, program, "a", "b")) == expected
    told = json.loads(report.read_text())
    assert told["packages"] == [{"name": "demo", "version": "1.0", "licence": "UNKNOWN"}]
    assert told["target"] == target.triple
    assert told["size"] == program.stat().st_size and told["sizes"]["standard library"] > 1000000
    assert hashlib.sha256(program.read_bytes()).hexdigest() == told["sha256"]
    code = "from importlib.metadata import *; print(version('demo'), {f.locate().exists() for f in files('demo')})"
    assert output_of(start(target, program, "-c", code, name="python3")) == "1.0 {True}"
    carried = program.read_bytes()
    assert str(wheel.parent).encode() not in carried
    assert str(target.binary.parent).encode() not in carried.replace(str(program).encode(), b"")
    again = bundle(target, tmp_path / "again", *words, *OFFLINE, wheel.parent, PYTHONHASHSEED="3")
    assert again.read_bytes() == carried


LOCK = """\
lock-version = "1.0"
created-by = "test"
[[packages]]
name = "demo"
{version}
[[packages.wheels]]
{where}
hashes = {{ {kind} = "{digest}" }}
[[packages]]
name = "none"
version = "1"
marker = "platform_machine == 'none'"
directory = {{ path = "none" }}
"""


def write_lock(lock: Path, wheel: Path, **changes: str) -> Path:
    facts = {
        "version": 'version = "1.0"',
        "where": f"path = '{os.path.relpath(wheel, lock.parent)}'",
        "kind": "sha256",
        "digest": hashlib.sha256(wheel.read_bytes()).hexdigest(),
    }
    lock.write_text(LOCK.format(**(facts | changes)))
    return lock


@pytest.mark.any_cpu("pip and the bundler are Python code")
@pytest.mark.usefixtures("programs")
def test_what_is_locked(target: BuiltTarget, wheel: Path, tmp_path: Path) -> None:
    """It is installed by its hash, once; after that it comes from the cache, and gives the same program."""
    here = Path(shutil.copy(wheel, tmp_path))
    lock = write_lock(tmp_path / "pylock.toml", here)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    words: list[str | Path] = [lock, "-c", "other", "--", "--no-index"]
    program = bundle(target, tmp_path / "app", *words, **cache)
    assert output_of(start(target, program)) == "other"
    code = (
        "from importlib.metadata import *; d = distribution('demo'); print(d.version, d.read_text('direct_url.json'))"
    )
    assert output_of(start(target, program, "-c", code, name="python3")) == "1.0 None"
    assert str(tmp_path).encode() not in program.read_bytes().replace(str(program).encode(), b"")
    here.unlink()
    again = bundle(target, tmp_path / "again", "-r", *words, **cache)
    assert again.read_bytes() == program.read_bytes()
    (kept,) = (tmp_path / "cache").rglob("demo/__init__.py")
    kept.write_text("damaged")
    run = run_bundler(target, tmp_path, "-o", "x", lock, "--cache", tmp_path / "cache/static-python/bundle", *words[1:])
    assert run.returncode == 1 and f"pip could not install what is in pylock.toml for {target.triple}" in run.stderr


@pytest.mark.any_cpu("Python code")
def test_projects_beside_a_lock(target: BuiltTarget, wheel: Path, tmp_path: Path) -> None:
    """Dependencies of projects, and of a script, come from the lock."""
    lock = write_lock(tmp_path / "pylock.test.toml", wheel, version="", where=f"url = '{wheel.as_uri()}'")
    other = tmp_path / "other-1-py3-none-any.whl"
    files = {"other.py": "import demo", "other-1.dist-info/WHEEL": DEMO["demo-1.0.dist-info/WHEEL"]}
    files["other-1.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: other\nVersion: 1\nRequires-Dist: missing\n"
    files["other-1.dist-info/RECORD"] = ""
    with zipfile.ZipFile(other, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    script = tmp_path / "run.py"
    script.write_text('# /// script\n# dependencies = ["missing"]\n# ///\nimport demo, other\ndemo.main()\n')
    program = bundle(target, tmp_path / "app", script, other, lock, "--", "--no-index")
    assert output_of(start(target, program)) == "demo"


@pytest.mark.any_cpu("Python code")
@pytest.mark.parametrize(
    ("changes", "words", "message"),
    [
        ({"digest": "0" * 64}, [], "pip could not install what is in"),
        ({"kind": "md5"}, [], "demo: it has none of the hashes"),
        ({"where": "name = 'demo'"}, [], "pylock.toml: "),
        ({"where": "path = 'x-1-py3-none-vax.whl'"}, [], "pylock.toml: "),
        ({"where": "="}, [], "pylock.toml: Invalid"),
        ({}, ["demo"], "demo: it is not in pylock.toml"),
        ({}, ["-r", "requirements.txt"], "requirements.txt: it is not in pylock.toml"),
        ({}, ["pylock.other.toml"], "pylock.other.toml: pylock.toml is the lock already"),
    ],
)
def test_mistakes_with_locks(
    target: BuiltTarget, wheel: Path, tmp_path: Path, changes: dict[str, str], words: list[str], message: str
) -> None:
    write_lock(tmp_path / "pylock.toml", wheel, **changes)
    (tmp_path / "requirements.txt").touch()
    run = run_bundler(target, tmp_path, "-o", "x", "pylock.toml", *words, "--", "--no-index")
    assert (run.returncode, message in run.stderr, "Traceback" in run.stderr) == (1, True, False), run.stderr


@pytest.mark.any_cpu("Python code")
def test_folders_cannot_be_locked(target: BuiltTarget, tmp_path: Path) -> None:
    text = "lock-version = '1.0'\ncreated-by = 'test'\n[[packages]]\nname = 'x'\n"
    (tmp_path / "pylock.toml").write_text(text + "directory = { path = '.' }\n")
    assert "x: a folder or a repository has no hash" in run_bundler(target, tmp_path, "-o", "x", "pylock.toml").stderr


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_options_of_a_project(target: BuiltTarget, wheel: Path, tmp_path: Path) -> None:
    """[tool.staticpython.bundle] in its pyproject.toml; paths are relative to its folder."""
    project = tmp_path / "project"
    shutil.copytree(wheel.parent / "project", project)
    shutil.copy(wheel, tmp_path)
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.staticpython.bundle]\nadd = ["data"]\noutput = "made"\nargs = ["x"]\n')
        file.write('command = { a = "demo:other", b = "demo:main" }\n')
    (project / "data").write_text("data")
    run = run_bundler(target, tmp_path, "project", "--args", "y", "--", "--no-index")
    assert run.stdout == f"project/made: {(project / 'made').stat().st_size / 1e6:.1f} MB, runs a, b\n", run.stderr
    assert output_of(start(target, project / "made", "b")) == "demo x y"
    assert "python/data" in output_of(start(target, project / "made", env={"STATICPYTHON": "list"}))


ONLY_RISCV64 = """
[[packages]]
name = "only"
version = "1.0"
marker = "platform_machine == 'riscv64'"
[[packages.wheels]]
url = "file:///none/only-1.0-cp39-abi3-musllinux_1_1_riscv64.whl"
hashes = {{ sha256 = "{digest}" }}
"""


def copy_of_tree(target: BuiltTarget, folder: Path, triple: str) -> Path:
    """The tree, as if it were for that CPU, with a module more."""
    tree = folder / f"cpython-{target.plan.series}-{triple}"
    shutil.copytree(target.tree, tree, symlinks=True, copy_function=os.link)
    library = tree / f"lib/python{target.plan.series}"
    facts = library / "_staticpython/facts.py"
    text = facts.read_text().replace(repr(target.triple), repr(triple)).replace(f'"{target.triple}"', f'"{triple}"')
    facts.unlink()
    facts.write_text(text)
    (library / "which_tree.py").write_text(f"print({triple!r})\n")
    return tree


@pytest.mark.any_cpu("Python code")
def test_other_trees(target: BuiltTarget, wheel: Path, tmp_path: Path) -> None:
    """A tree for another CPU beside this one, or a named one; pip gets options for its wheels."""
    own, other = (copy_of_tree(target, tmp_path, triple) for triple in (target.triple, "riscv64-linux-musl"))
    lock = write_lock(tmp_path / "pylock.toml", wheel)
    with lock.open("a") as file:
        file.write(ONLY_RISCV64.format(digest=hashlib.sha256(wheel.read_bytes()).hexdigest()))
    python = [*target.emulator, str(own / target.plan.program), "-m", "_staticpython", "bundle"]

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [*python, "-o", tmp_path / "app", "-m", "which_tree", *words]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=clean_environment(**CACHE))

    for words, tree in (([], own), (["--arch", "riscv64"], other), (["--interpreter", other], other)):
        done = run(*words, wheel, "--", "--no-index")
        assert done.returncode == 0, done.stderr
        assert output_of(start(target, tmp_path / "app")) == tree.name.partition("-")[2].partition("-")[2]
    # All trees at once, each with its own wheels.
    done = run(wheel, "--arch", "all", "-o", tmp_path / "app-{arch}", "--sbom", tmp_path / "{arch}", "--", "--no-index")
    assert done.returncode == 0, done.stderr
    for tree in (own, other):
        arch = tree.name.split("-")[2]
        assert output_of(start(target, tmp_path / f"app-{arch}")) == tree.name.partition("-")[2].partition("-")[2]
        assert f"app-{arch}: " in done.stdout and (tmp_path / arch).is_file()
    done = run(wheel, "--arch", "all", "--", "--no-index")
    assert done.returncode == 1 and "app: write {arch} where the CPU's name is to be" in done.stderr
    done = run(wheel, "--interpreter", own, "--interpreter", own, "-o", tmp_path / "{arch}", "--", "--no-index")
    assert done.returncode == 1 and "two of the trees are for one CPU" in done.stderr
    # Packages that are locked for one CPU are needed only for that CPU.
    assert run(lock, "--", "--no-index").returncode == 0
    done = run("--arch", "riscv64", lock, "--", "--no-index")
    assert done.returncode == 1 and "only==1.0" in done.stderr


@pytest.mark.any_cpu("Python code")
def test_which_console_script(target: BuiltTarget, wheel: Path, tmp_path: Path) -> None:
    """The named one; or else the one with the output file's name, as http of httpie."""
    for name, words, expected in (("other", [], "other"), ("app", ["-c", "other"], "other"), ("x", [], "demo")):
        run = run_bundler(target, tmp_path, wheel, *words, "-o", name, *OFFLINE, wheel.parent)
        assert run.stdout.endswith(f"MB, runs demo:{expected.replace('demo', 'main')}\n")
        assert output_of(start(target, tmp_path / name)) == expected
    run_bundler(target, tmp_path, wheel, "-o", "other-{arch}", *OFFLINE, wheel.parent)
    assert output_of(start(target, tmp_path / f"other-{target.arch}")) == "other", "the CPU is not in the script's name"


@pytest.mark.any_cpu("Python code; processes are tested by test_processes")
@pytest.mark.usefixtures("programs")
def test_entry_point_is_a_file(target: BuiltTarget, tmp_path: Path) -> None:
    """__main__ has its path, and a spawned process does not run it again."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/tool.py").write_text("""if True:
        import __main__, multiprocessing, os
        def main():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(os.path.isfile(__main__.__file__), pool.map(abs, [-1]))
    """)
    program = bundle(target, tmp_path / "app", "-e", "tool:main", "--site-packages", tmp_path / "packages")
    assert output_of(start(target, program)) == "True [1]"


@pytest.mark.any_cpu("Python code")
def test_neighbours_of_a_script_are_named(target: BuiltTarget, tmp_path: Path) -> None:
    (tmp_path / "beside.py").touch()
    (tmp_path / "script.py").write_text("import beside, json\n")
    assert "script.py imports beside, which is" in run_bundler(target, tmp_path, "-o", "app", "script.py").stderr
    (tmp_path / "packages").mkdir()
    (tmp_path / "beside.py").rename(tmp_path / "packages/beside.py")
    run = run_bundler(target, tmp_path, "-o", "app", "script.py", "--site-packages", "packages")
    assert run.stderr == "" and output_of(start(target, tmp_path / "app")) == ""


@pytest.mark.any_cpu("Python code")
def test_sigterm_cleans_up(target: BuiltTarget, tmp_path: Path) -> None:
    """SIGTERM comes while pip waits for an index that does not answer."""
    (tmp_path / "temporary").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [*target.emulator, str(target.binary), "-m", "_staticpython", "bundle", "none", "-o", "app"]
        environment = clean_environment(TMPDIR=str(tmp_path / "temporary"), PIP_CONFIG_FILE=os.devnull, **CACHE)
        run = subprocess.Popen(
            [*command, "--", "--index-url", index], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
        )
        silent.settimeout(60)
        connection, _ = silent.accept()
        run.terminate()
        with connection:
            # pip's end closes it, too.
            assert "nothing was written" in run.communicate(timeout=60)[1]
    assert run.returncode == 128 + signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"] and not [*(tmp_path / "temporary").iterdir()]


COMMANDS = """if True:
    import os, sys

    def one():
        say("one")

    def two():
        say("two")

    def say(name):
        print(name, sys.argv[1:], os.environ.get("MODE"), os.path.basename(sys.argv[0]), flush=True)
        again = os.environ.pop("AGAIN", "")
        if again:
            words = sys.argv if again == "argv" else sys.orig_argv[1:]
            os.execv(sys.executable, [sys.executable, *words])

    if __name__ == "__main__":
        say("module")
"""


@pytest.fixture(scope="module")
def commands(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with three commands and nothing else to run, and a link to it with the name of one of them."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "packages").mkdir()
    (folder / "packages/tool.py").write_text(COMMANDS)
    words = ["--command", "one=tool:one", "--command", "two=tool:two", "--command", "mod.x=tool"]
    program = bundle(target, folder / "all", *words, "--site-packages", folder / "packages")
    (folder / "two").symlink_to(program)
    return program


def test_commands(target: BuiltTarget, commands: Path) -> None:
    """Commands are chosen by the first argument, by the program's name or by STATICPYTHON."""
    assert output_of(start(target, commands, "one", "a", "two")) == "one ['a', 'two'] None one"
    assert output_of(start(target, commands, "mod.x", "a")) == "module ['a'] None tool.py"
    assert output_of(start(target, commands.with_name("two"), "one")) == "two ['one'] None two"
    assert output_of(start(target, commands, "one", name="two")) == "two ['one'] None two"
    assert output_of(start(target, commands, "one", env={"STATICPYTHON": "run:two"})) == "two ['one'] None all"
    for words in ([], ["three"], ["-h"]):
        run = start(target, commands, *words)
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr == f"usage: {commands} COMMAND [ARGUMENT]...\ncommands: one two mod.x\n"
    assert start(target, commands, env={"STATICPYTHON": "run:three"}).returncode == 2
    told = output_of(start(target, commands, env={"STATICPYTHON": "info"}))
    assert "command two: python/bin/two\n" in told
    assert output_of(start(target, commands, "-c", "print(1)", name="python3")) == "1"


@pytest.mark.any_cpu("which command is one more row of what test_commands reads")
@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("again", ["argv", "orig_argv"])
def test_commands_start_themselves_again(target: BuiltTarget, commands: Path, again: str) -> None:
    """The same command starts again, whatever chose it."""
    environment = {"AGAIN": again}
    for words, name in ((["one", "a"], ""), (["a"], "two"), (["a"], f"{commands.with_name('two')}")):
        run = start(target, commands, *words, name=name, env=environment)
        command = "two" if name else "one"
        assert output_of(run) == f"{command} ['a'] None {command}\n{command} ['a'] None {command}"


@pytest.mark.any_cpu("which command is one more row of what test_commands reads")
def test_commands_beside_what_is_run(target: BuiltTarget, commands: Path, tmp_path: Path) -> None:
    """If something else is configured to run, it gets all arguments."""
    words: list[str | Path] = [
        "-e",
        "tool:one",
        "--command",
        "two=tool:two",
        "--site-packages",
        commands.parent / "packages",
    ]
    program = bundle(target, tmp_path / "app", *words)
    assert output_of(start(target, program, "two")) == "one ['two'] None app"
    assert output_of(start(target, program, "a", name="two")) == "two ['a'] None two"


@pytest.mark.any_cpu("rows of what test_commands reads")
def test_arguments_and_variables(target: BuiltTarget, commands: Path, tmp_path: Path) -> None:
    words = ["--args=-x 'a b'", "--args=c", "--env", "MODE=1=2", "--command", "two=tool:two"]
    program = bundle(
        target, tmp_path / "app", "-e", "tool:one", *words, "--site-packages", commands.parent / "packages"
    )
    assert output_of(start(target, program, "d")) == "one ['-x', 'a b', 'c', 'd'] 1=2 app"
    assert output_of(start(target, program, env={"MODE": ""}, name="two")) == "two ['-x', 'a b', 'c']  two"
    # A Python gets neither; programs that the application starts have the variable.
    code = "import os, sys; print(sys.argv, os.environ.get('MODE'))"
    assert output_of(start(target, program, "-c", code, "d", name="python3")) == "['-c', 'd'] None"


@pytest.mark.any_cpu("a string")
def test_called_by_its_name_only(target: BuiltTarget, tmp_path: Path) -> None:
    """As by a shell that found it in the PATH: sys.argv[0] is a path, as for a script."""
    script = tmp_path / "app.py"
    script.write_text("import sys; print(sys.argv)\n")
    program = bundle(target, tmp_path / "app", script)
    assert output_of(start(target, program, "a", name="app")) == f"['{program}', 'a']"
    assert output_of(start(target, program, name="other")) == "['other']"


@pytest.mark.any_cpu("Python code")
def test_added_and_left_out(target: BuiltTarget, packages: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""if True:
        import importlib.util, os, sys
        place = sys.prefix + "/bin/data"
        print(sorted(os.listdir(place)), open(place + "/sub/file").read(), open(sys.prefix + "/script.py").read(2))
        import app.core
        print([importlib.util.find_spec(name) for name in ("app.plugins", "json", "this")])
    """)
    (tmp_path / "data/sub").mkdir(parents=True)
    (tmp_path / "data/empty").mkdir()
    (tmp_path / "data/sub/file").write_text("text")
    words: list[str | Path] = [
        "--add",
        f"{tmp_path}/data:bin/data",
        "--add",
        script,
        "--exclude",
        "*/app/plugins",
        "--exclude",
    ]
    report = tmp_path / "report.json"
    program = bundle(
        target, tmp_path / "x", script, *words, "*/this.py", "--site-packages", packages, "--report", report,
        "--compress", "none",
    )  # fmt: skip
    first, second = output_of(start(target, program)).splitlines()
    assert first == "['empty', 'sub'] text if"
    assert second.startswith("[None, ModuleSpec(name='json'") and second.endswith(", None]")
    sizes = json.loads(report.read_text())["sizes"]
    assert (sizes["added"], sizes["programs"]) == (script.stat().st_size, 4 + (packages / "bin/tool").stat().st_size)


@pytest.mark.any_cpu("which files are compressed; that they are found is tested by test_libraries_find_their_files")
def test_compression(target: BuiltTarget, packages: Path, tmp_path: Path) -> None:
    """Compression changes sizes, and nothing else."""
    words: list[str | Path] = ["-m", "app", "--site-packages", packages, "--compress"]
    sizes, found = [], set()
    for kind in ("none", "fast", "small"):
        program = bundle(target, tmp_path / kind, *words, kind)
        sizes.append(program.stat().st_size)
        assert ": well, " in output_of(start(target, program, env={"STATICPYTHON": "verify"}))
        output_of(start(target, program, str(tmp_path / f"{kind}.files"), env={"STATICPYTHON": "extract"}))
        digest = hashlib.sha256()
        for path in sorted((tmp_path / f"{kind}.files").rglob("*.*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(str(path.relative_to(tmp_path / f"{kind}.files")).encode() + path.read_bytes())
        found.add(digest.hexdigest())
    assert sizes[0] - sizes[1] > 5000000 and sizes[1] >= sizes[2] and len(found) == 1


@pytest.mark.any_cpu("Python code")
def test_compressed_code(target: BuiltTarget, app: Path, packages: Path, tmp_path: Path) -> None:
    """With --compress small, imports give the same."""
    takes_code(target)
    program = bundle(target, tmp_path / "app", "-m", "app", "--site-packages", packages, "--compress", "small")
    code = """if True:
        import _imp, importlib.util, sys
        for name in ("app.core", "tomllib._parser"):
            spec = importlib.util.find_spec(name)
            with open(spec.origin, "rb") as file:
                assert spec.loader.get_code(name) == compile(file.read(), spec.origin, "exec", dont_inherit=True)
            assert spec.loader.get_code(name).co_filename == spec.origin
            print(_imp.library_find(name), len(spec.loader.get_data(spec.cached)) > 100)
    """
    assert output_of(start(target, program, "-c", code, name="python3")) == "None True\nNone True"
    assert program.stat().st_size < app.stat().st_size - 3000000
    assert output_of(start(target, program, "a")) == "main a"


TRACED = {
    "traced/__init__.py": "",
    "traced/main.py": """
import subprocess, sys
def main():
    if sys.argv[1:]:
        __import__(sys.argv[1])
    else:
        import traced.used
        subprocess.run([sys.executable, "-c", "import traced.child"], check=True)
        with open(sys.prefix + "/" + traced.__file__.partition("/python/")[2].replace("__init__", "read")) as file:
            print(file.read())
""",
    "traced/used.py": "",
    "traced/child.py": "",
    "traced/read.py": "# its source",
    "traced/unused.py": "print('unused')",
    "traced/extra/__init__.py": "",
    "traced/extra/data.txt": "",
}


@pytest.fixture(scope="module")
def traced(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with packages and a trace of a run."""
    folder = tmp_path_factory.mktemp("traced")
    for name, text in TRACED.items():
        (folder / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "packages" / name).write_text(text)
    words: list[str | Path] = ["-e", "traced.main:main", "--site-packages", folder / "packages"]
    program = bundle(target, folder / "app", *words, "--record", folder / "trace")
    assert output_of(start(target, program)) == "# its source"
    # If the trace cannot be written, the application runs all the same.
    saved = (folder / "trace").rename(folder / "saved")
    (folder / "trace").mkdir()
    run = start(target, program)
    assert output_of(run) == "# its source" and "what is imported is not written down" in run.stderr
    (folder / "trace").rmdir()
    saved.rename(folder / "trace")
    return folder


@pytest.mark.any_cpu("Python code; code that is taken is tested by test_code_is_carried")
@pytest.mark.usefixtures("programs")
def test_what_was_traced(target: BuiltTarget, traced: Path, tmp_path: Path) -> None:
    """Code of traced modules is in ready form, that of others is compressed, and nothing is missing."""
    takes_code(target)
    words: list[str | Path] = ["-e", "traced.main:main", "--site-packages", traced / "packages"]
    program = bundle(target, tmp_path / "app", *words, "--trace", traced / "trace")
    code = "import _imp, sys; print([_imp.library_find('traced.' + n) is not None for n in sys.argv[1:]])"
    names = ("main", "used", "child", "unused")
    assert output_of(start(target, program, "-c", code, *names, name="python3")) == "[True, True, True, False]"
    assert output_of(start(target, program)) == "# its source"
    assert output_of(start(target, program, "traced.unused")) == "unused"
    whole = bundle(target, tmp_path / "whole", *words)
    assert program.stat().st_size < whole.stat().st_size - 3000000


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_only_what_was_traced(target: BuiltTarget, traced: Path, tmp_path: Path) -> None:
    words: list[str | Path] = ["-e", "traced.main:main", "--site-packages", traced / "packages"]
    words += ["--trace", traced / "trace"]
    program = bundle(target, tmp_path / "app", *words, "--only-traced")
    assert output_of(start(target, program)) == "# its source"
    for name in ("traced.unused", "traced.extra", "tomllib"):
        for run in (start(target, program, name), start(target, program, "-c", f"import {name}", name="python3")):
            assert f"ImportError: {name} was left out of this application: it was bundled with" in run.stderr
            assert run.returncode == 1
    # Unless another module of that name exists.
    (tmp_path / "own").mkdir()
    (tmp_path / "own/tomllib.py").write_text("mine = 1")
    code, variables = "import tomllib; print(tomllib.mine)", {"PYTHONPATH": str(tmp_path / "own")}
    assert output_of(start(target, program, "-c", code, name="python3", env=variables)) == "1"
    # A module that does not exist is still not found; data stays.
    assert "ModuleNotFoundError: No module named 'none'" in start(target, program, "none").stderr
    listed = output_of(start(target, program, env={"STATICPYTHON": "list"}))
    assert "traced/extra/data.txt" in listed and "traced/read.py" in listed and "unused.py" not in listed
    for command in ("info", "verify", "licences", "sbom"):
        output_of(start(target, program, env={"STATICPYTHON": command}))
    output_of(start(target, program, str(tmp_path / "files"), env={"STATICPYTHON": "extract"}))
    assert "LookupError" not in start(target, program, "-c", "print(b''.decode('koi8-r'))", name="python3").stderr
    whole = bundle(target, tmp_path / "whole", *words)
    assert program.stat().st_size < whole.stat().st_size - 3000000


@pytest.mark.any_cpu("Python code")
def test_without_sources(target: BuiltTarget, packages: Path, tmp_path: Path) -> None:
    words: list[str | Path] = ["-e", "app.core:fail", "--site-packages", packages]
    program = bundle(target, tmp_path / "app", *words, "--no-sources")
    run = start(target, program)
    assert run.returncode == 1 and 'app/core.py", line 6, in fail' in run.stderr
    assert "ZeroDivisionError" in run.stderr and "on purpose" not in run.stderr
    code = """if True:
        import app.plugins, csv, pkgutil, sys, json, inspect
        print(sorted(m.name for m in pkgutil.iter_modules(app.plugins.__path__)), "import" in inspect.getsource(json))
    """
    # A module whose code is in the executable, and not carried, keeps its source.
    assert output_of(start(target, program, "-c", code, name="python3")) == f"['one', 'two'] {target.plan.library}"
    run = start(target, program, "-O", "-c", "import app.core", name="python3")
    assert run.returncode == 1 and "ImportError: its source was left out (--no-sources)" in run.stderr
    listed = output_of(start(target, program, env={"STATICPYTHON": "list"}))
    assert re.search(r" \d\d python/lib/\S+/tomllib/_parser.py\n", listed)
    whole = bundle(target, tmp_path / "whole", *words)
    assert program.stat().st_size < whole.stat().st_size - 1000000


REAL = {
    "real/__init__.py": "",
    "real/main.py": """
import os, subprocess, sys
import real.sub.one
from importlib.resources import files
from _staticpython.extracted import NotExtractedError, real_path

def main():
    folder = os.path.dirname(__file__)
    assert main.__code__.co_filename == __file__ and real.__path__ == [folder]
    assert real.sub.one.__file__ == folder + "/sub/one.py" and real_path("/etc") == "/etc"
    if sys.argv[1:]:
        os.execv(sys.executable, [sys.executable, "-O", "-c", "import real.sub; print(real.sub.__file__)"])
    print(folder)
    texts = [folder + "/data.txt", str(files("real") / "data.txt")]
    try:
        texts.append(real_path(sys.prefix + "/share/model"))
        real_path(os.__file__)
    except NotExtractedError as error:
        print(error)
    print(subprocess.run(["/bin/cat", *texts], capture_output=True, text=True).stdout)
    print(subprocess.run([folder + "/tool"], capture_output=True, text=True).stdout)
""",
    "real/data.txt": "text",
    "real/tool": "#!/bin/sh\ncat ${0%/*}/data.txt\n",
    "real/sub/__init__.py": "",
    "real/sub/one.py": "",
}


@pytest.fixture(scope="module")
def extracting(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application that extracts a package and a file for other programs. No test may change it."""
    folder = tmp_path_factory.mktemp("extracting")
    for name, text in REAL.items():
        (folder / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "packages" / name).write_text(text)
    (folder / "packages/real/tool").chmod(0o755)
    (folder / "packages/real/link.txt").symlink_to("data.txt")
    (folder / "model").write_text("model")
    words: list[str | Path] = ["-e", "real.main:main", "--site-packages", folder / "packages", "--add"]
    words += [f"{folder}/model:share/model", "--extract", "*/site-packages/real", "--extract", "python/share"]
    return bundle(target, folder / "app", *words, "--compress", "small", "--no-sources")


def place_of(run: subprocess.CompletedProcess[str]) -> Path:
    """The folder of that application's files, if all of them are extracted."""
    place, error, *seen = output_of(run).splitlines()
    assert "os.py: it is not extracted: name it by --extract" in error
    assert seen == ["texttextmodel", "text"] and not run.stderr
    return Path(place)


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_extracted(target: BuiltTarget, extracting: Path, tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "new/cache")}
    place = place_of(start(target, extracting, env=cache, umask=0))
    files = tmp_path / "new/cache/static-python/files"
    assert place.is_relative_to(files)
    (top,) = files.iterdir()
    assert {path.stat().st_mode & 0o7777 for path in [tmp_path / "new", files, top, place]} == {0o700}
    kinds = {"data.txt": 0o400, "link.txt": 0o400, "tool": 0o500, "sub/one.py": 0o400}
    assert {name: (place / name).lstat().st_mode & 0o7777 for name in kinds} == kinds
    assert (place / "main.py").read_text() == REAL["real/main.py"]
    # As a Python, too, and if the code is made from the source, which the library has where its code is not carried.
    if target.plan.library:
        assert output_of(start(target, extracting, "again", env=cache)) == f"{place}/sub/__init__.py"
    info = output_of(start(target, extracting, env=cache | {"STATICPYTHON": "info"}))
    assert re.search(rf"extracts: 8 files, .* MB, to static-python/files/{top.name} in", info)
    # With HOME; and existing files are used as they are.
    home = {"HOME": str(tmp_path / "home")}
    assert place_of(start(target, extracting, env=home)).is_relative_to(tmp_path / "home/.cache/static-python/files")
    before = {path: path.stat().st_ctime_ns for path in top.rglob("*")}
    place_of(start(target, extracting, env=cache))
    assert {path: path.stat().st_ctime_ns for path in top.rglob("*")} == before


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_extracted_again(target: BuiltTarget, extracting: Path, tmp_path: Path) -> None:
    """Folders that are incomplete, or writable by others, are replaced; files of killed processes are removed."""
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    place = place_of(start(target, extracting, env=cache))
    top = place.parents[4]
    harm = [
        "rm data.txt",
        "chmod 600 data.txt; : > data.txt",
        "chmod 666 data.txt",
        "mv data.txt other; ln -s other data.txt",
        "chmod 777 .",
        f"rm -r {top}; echo > {top}",
        f"rm -r {top}; ln -s none {top}",
    ]
    (top.parent / ".young").mkdir()
    (top.parent / ".old").mkdir()
    os.utime(top.parent / ".old", (1e9, 1e9))
    for command in harm:
        subprocess.run(["sh", "-c", command], cwd=place if place.is_dir() else top.parent, check=True)
        assert place_of(start(target, extracting, env=cache)) == place
        assert {path.name for path in top.parent.iterdir()} <= {top.name, ".young", ".old"}
    assert not (top.parent / ".old").exists() and (top.parent / ".young").exists()


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_extracted_by_many_at_once(target: BuiltTarget, extracting: Path, tmp_path: Path) -> None:
    command, options = [*target.emulator, str(extracting)], {"env": {"XDG_CACHE_HOME": str(tmp_path)}, "text": True}
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) for _ in range(8)]  # type: ignore[call-overload]
    outputs = {run.communicate(timeout=120)[0] for run in runs}
    assert len(outputs) == 1 and outputs.pop().endswith("texttextmodel\ntext\n")
    assert len([*(tmp_path / "static-python/files").iterdir()]) == 1


@pytest.mark.any_cpu("Python code")
@pytest.mark.parametrize("kind", ["no home", "relative", "file", "others", "other user", "set-user-ID"])
def test_not_extracted(target: BuiltTarget, extracting: Path, tmp_path: Path, kind: str) -> None:
    """The application runs with the files that it carries, and reports what other programs lack."""
    program, home = extracting, tmp_path / "home"
    user: dict[str, object] = {}
    variables = {"HOME": str(home)}
    message = f"{home}/.cache/static-python/files: Not a directory: what other programs need is written there"
    if kind in {"no home", "relative"}:
        variables = {} if kind == "no home" else {"HOME": "x", "XDG_CACHE_HOME": "y"}
        message = "there is no folder for what other programs need: set HOME, or XDG_CACHE_HOME to a folder of yours"
    elif kind == "file":
        home.touch()
    elif kind == "others":
        home.mkdir()
        home.chmod(0o777)
        message = f"{home}: others can write to it: chmod go-w, or set"
    elif os.geteuid():
        pytest.skip("only root can have files of another user")
    elif kind == "other user":
        home.mkdir()
        os.chown(home, 65534, 65534)
        message = f"{home}: it is another user's, who could change what is in it: set XDG_CACHE_HOME"
    else:
        folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
        folder.chmod(0o755)
        program = Path(shutil.copy(extracting, folder / "app"))
        os.chown(program, 65534, 65534)
        program.chmod(0o4755)
        user = {"user": 65533, "group": 65533, "extra_groups": []}
        variables = {"HOME": str(folder)}
        message = "a set-user-ID program writes no files for other programs"
    run = start(target, program, **{"env": variables, **user})  # type: ignore[arg-type]
    if kind == "set-user-ID":
        shutil.rmtree(folder)
    place, error, *_ = output_of(run).splitlines()
    assert place.startswith(f"{program}/python/lib/") and message in error
    assert run.stderr.startswith(f"{program}: warning: {message}") and run.stderr.count("\n") == 1


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_what_it_is_made_of(target: BuiltTarget, wheel: Path, tmp_path: Path) -> None:
    """Packages with hashes, the interpreter's sources, their licences: in files beside it, and printed by it."""
    sbom, licences = tmp_path / "sbom.json", tmp_path / "licences.txt"
    words: list[str | Path] = [wheel, "--sbom", sbom, "--licences", licences, "--fail-on", "GPL-*", "--", "--no-index"]
    program = bundle(target, tmp_path / "app", *words)
    components = {c["name"]: c for c in json.loads(sbom.read_text())["components"]}
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert components["demo"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert components["demo"]["purl"] == "pkg:pypi/demo@1.0"
    assert {"cpython", "musl", "openssl", "zlib-ng", "demo"} < components.keys() and "linux-headers" not in components
    assert components["cpython"]["version"] == target.plan.version
    for command, file in (("sbom", sbom), ("licences", licences)):
        assert output_of(start(target, program, env={"STATICPYTHON": command})) == file.read_text().strip()
    assert "openssl 3" in licences.read_text() and "Apache License" in licences.read_text()
    # A locked package has the lock's hash.
    lock = write_lock(tmp_path / "pylock.toml", wheel)
    sbom.unlink()
    bundle(target, tmp_path / "app", lock, "--sbom", sbom, "--", "--no-index")
    assert digest in sbom.read_text()


@pytest.mark.any_cpu("Python code")
@pytest.mark.usefixtures("programs")
def test_dry_run(target: BuiltTarget, wheel: Path, tmp_path: Path) -> None:
    words: list[str | Path] = [
        "-o",
        "app",
        "--sbom",
        "sbom",
        "--report",
        "report",
        "--dry-run",
        wheel,
        "--",
        "--no-index",
    ]
    run = run_bundler(target, tmp_path, *words)
    assert run.returncode == 0 and not [*tmp_path.iterdir()]
    size = re.match(r"app: would be ([\d.]+) MB, runs demo:main\n", run.stdout)
    assert size and re.search(r"\d\.\d+ MB standard library\n", run.stdout)
    program = bundle(target, tmp_path / "app", wheel, "--", "--no-index")
    assert f"{program.stat().st_size / 1e6:.1f}" == size[1]


@pytest.mark.any_cpu("Python code")
def test_ctrl_c(target: BuiltTarget, tmp_path: Path) -> None:
    """While the application is imported, the signal ends the process silently; after that the application decides."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/slow.py").write_text("""if True:
        import signal, sys, time
        def wait(what):
            print(what, flush=True)
            time.sleep(60)
        if sys.argv[1] == "import":
            wait("imported")
        if sys.argv[1] == "own":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        def main():
            if sys.argv[1] == "own":
                sys.exit(signal.getsignal(signal.SIGINT) != signal.SIG_IGN)
            try:
                wait("runs")
            except KeyboardInterrupt:
                sys.exit(5)
    """)
    program = bundle(target, tmp_path / "app", "-e", "slow:main", "--site-packages", tmp_path / "packages")
    for word, code in (("import", -signal.SIGINT), ("run", 5)):
        # A shell makes its background jobs ignore the signal, and so do all programs that they start.
        command = ["/usr/bin/env", "--default-signal=INT", *target.emulator, str(program), word]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}) as run:
            assert run.stdout and run.stderr and run.stdout.readline()
            run.send_signal(signal.SIGINT)
            assert (run.wait(timeout=60), run.stderr.read()) == (code, b"")
    assert start(target, program, "own").returncode == 0


@pytest.mark.any_cpu("Python code")
def test_is_no_base_for_environments(target: BuiltTarget, app: Path, tmp_path: Path) -> None:
    run = start(target, app, "-m", "venv", str(tmp_path / "env"), name="python3")
    assert run.returncode == 1 and "no virtual environment can be made of it" in run.stderr
    assert "Traceback" not in run.stderr and not (tmp_path / "env").exists()


@pytest.mark.any_cpu("Python code")
def test_mask_of_permissions(target: BuiltTarget, tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        assert bundle(target, tmp_path / "app", "-m", "this").stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(mask)


@pytest.mark.any_cpu("Python code")
@pytest.mark.parametrize("kind", ["fast", "small"])
def test_same_input_same_bytes(target: BuiltTarget, packages: Path, tmp_path: Path, kind: str) -> None:
    """The same input gives the same bytes, whatever is in the cache, and without one."""
    words: list[str | Path] = ["-m", "app", "--site-packages", packages, "--compress", kind]
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = bundle(target, tmp_path / "1", *words, **cache, PYTHONHASHSEED="1").read_bytes()
    assert bundle(target, tmp_path / "2", *words, **cache, PYTHONHASHSEED="2").read_bytes() == first
    for number, file in enumerate(path for path in (tmp_path / "cache").rglob("*") if path.is_file()):
        data = bytearray(file.read_bytes())
        data[number % len(data)] ^= 1
        file.write_bytes(data)
    assert bundle(target, tmp_path / "3", *words, **cache).read_bytes() == first
    assert bundle(target, tmp_path / "4", *words, "--cache", "", HOME=str(tmp_path / "home")).read_bytes() == first
    assert not (tmp_path / "home").exists()


MARKS = """if True:
    import glob, marshal, os, sys, types
    from _staticpython.marks import one_form, settled

    def parts(what):
        yield what
        if isinstance(what, types.CodeType):
            for name in ("consts", "names", "varnames", "linetable", "name", "qualname", "exceptiontable"):
                yield from parts(getattr(what, f"co_{name}"))
        elif isinstance(what, (tuple, frozenset)):
            for each in what:
                yield from parts(each)

    written_otherwise = 0
    for path in sorted(glob.glob(os.path.dirname(os.__file__) + "/*.py")):
        with open(path, "rb") as file:
            code = compile(file.read(), "name", "exec", dont_inherit=True, optimize=0)
        written = marshal.dumps(code)
        one = settled(written)
        assert marshal.loads(one) == code and len(one) == len(written), path
        held = list(parts(code))
        written_otherwise += marshal.dumps(code) != written
        assert settled(marshal.dumps(code)) == settled(marshal.dumps(marshal.loads(written))) == one, path
        assert marshal.loads(one_form(code)) == code, path
    print(written_otherwise > 50)

    def apart(what):
        if isinstance(what, types.CodeType):
            return what.replace(co_consts=tuple(map(apart, what.co_consts)))
        return frozenset(list(what)) if isinstance(what, frozenset) else what

    one = "return x in {'one', 'two'}"
    code = compile(f"def f(x): {one}; {one}\\ndef g(x): {one}", "name", "exec")
    print(settled(marshal.dumps(apart(code))) == settled(marshal.dumps(code)), one_form(apart(code)) == one_form(code))
    try:
        settled(marshal.dumps({1: 2}))
    except ValueError as error:
        print(error)
"""


@pytest.mark.any_cpu("Python code")
def test_code_is_written_in_one_form(target: BuiltTarget) -> None:
    """Code is written in one form, whatever else refers to parts of it."""
    assert target.run("-c", MARKS) == "True\nFalse True\nmarshal wrote an object of an unknown type: '{'"


NUMBERS = """if True:
    import compileall, hashlib, os, random, sys, types
    from _staticpython import modules
    from _staticpython.cache import Cache, Kept
    from pathlib import Path

    def plain(groups):
        # Each string has the next number when it is first named; what names it is u and that number.
        places, made = {}, {}
        for group in groups:
            for name, code in group.items():
                objects = [code.parts[0]]
                for string, part in zip(code.strings, code.parts[1:], strict=True):
                    place = places.setdefault(string, len(places))
                    objects += [b"u", modules.numbers(place), part]
                made[name.encode()] = code.objects, b"".join(objects)
        return places, made

    folder = os.path.dirname(os.__file__)
    files = sorted(os.listdir(folder))
    random_ = random.Random(int(sys.argv[2]))
    sources = [Path(folder, name) for name in random_.sample([n for n in files if n.endswith(".py")], 40)]
    codes = {p.stem: modules.freeze(compile(p.read_bytes(), "", "exec", dont_inherit=True)) for p in sources}
    names = list(codes)
    groups = [{n: codes[n] for n in names[i : i + 8]} for i in range(0, 40, 8)]

    def numbered(cache, groups):
        made, asked = modules.Modules(), []
        for number, group in enumerate(groups):
            kept = Kept(cache, str(number))
            entries = [modules.Entry(n, 0, hashlib.sha256(repr(group[n]).encode()).digest()) for n in group]
            made.add(entries, kept, lambda entry: asked.append(entry.name) or group[entry.name])
            kept.keep()
        return made.file(), len(asked)

    def check(file, groups):
        places, made = plain(groups)
        head = modules._HEAD.unpack_from(file)
        at_modules, at_names, _, at_starts, at_text, text_size, at_objects, _ = head[3:]
        assert head[1:3] == (len(made), len(places))
        assert file[at_text : at_text + text_size] == b"".join(text for text, _ in places)
        for index, name in enumerate(sorted(made)):
            row = modules._MODULE.unpack_from(file, at_modules + index * modules._MODULE.size)
            assert file[at_names + row[0] :][: row[1]] == name
            assert (row[3], file[at_objects + row[5] :][: row[4]]) == made[name]

    cache = Cache(Path(sys.argv[1]))
    first, asked = numbered(cache, groups)
    check(first, groups)
    assert asked == 40 and numbered(cache, groups) == (first, 0) and numbered(Cache(None), groups)[0] == first
    # An edit in the middle: that group, and those behind it where strings came or went.
    other = modules.freeze(compile("some_name = 'not in any of them'", "", "exec"))
    groups[2] = groups[2] | {names[16]: other}
    edited, asked = numbered(cache, groups)
    check(edited, groups)
    assert 8 <= asked <= 24 and edited == numbered(Cache(None), groups)[0] != first
    # One that changes no string.
    groups[4] = dict(reversed(groups[4].items()))
    print(numbered(cache, groups)[1])
"""


@pytest.mark.any_cpu("Python code")
def test_numbers_of_strings(target: BuiltTarget, tmp_path: Path, seed: int) -> None:
    """Strings get the same numbers as by a simple method, whatever is in the cache."""
    takes_code(target)
    assert target.run("-c", NUMBERS, tmp_path, str(seed)) == "8"


@pytest.mark.any_cpu("Python code")
def test_two_at_once(target: BuiltTarget, packages: Path, tmp_path: Path) -> None:
    command = [*target.emulator, str(target.binary), "-m", "_staticpython", "bundle", "-m", "app", "-o"]
    words = ["--site-packages", str(packages), "--cache", str(tmp_path / "cache")]
    runs = [subprocess.Popen([*command, str(tmp_path / name), *words], stdout=subprocess.DEVNULL) for name in "123"]
    assert [run.wait(timeout=300) for run in runs] == [0, 0, 0]
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes() == (tmp_path / "3").read_bytes()
    assert not list((tmp_path / "cache").rglob(".*"))


@pytest.mark.any_cpu("Python code")
def test_an_edit_counts(target: BuiltTarget, tmp_path: Path) -> None:
    """Also an edit that keeps the size and the time."""
    (tmp_path / "packages").mkdir()
    module = tmp_path / "packages/edited.py"
    for text in ("one", "two", "one"):
        module.write_text(f"print({text!r})\n")
        os.utime(module, (1e9, 1e9))
        program = bundle(target, tmp_path / "app", "-m", "edited", "--site-packages", tmp_path / "packages")
        assert output_of(start(target, program)) == text


UNTRACED = ["--trace", "{packages}/no.trace", "--only-traced"]


@pytest.mark.any_cpu("Python code")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to run"),
        (["-m", "app", "-e", "app:x"], "say one thing to run"),
        (["-c", "none", "--site-packages", "{packages}", "{wheel}", "--", "--no-index"], "there are: demo, other"),
        (["{wheel}", "--", "--target", "x"], "--target: the bundle decides where packages go; leave this out"),
        (["./none"], "./none: no such file or folder"),
        (["-m", "this", "--report", "none/x"], "none/x: no such folder"),
        (["-m", "this", "--site-packages", "{odd}/venv"], "a virtual environment: name its folder lib/python"),
        (["."], "neither pyproject.toml nor setup.py"),
        (["none.whl"], "none.whl: no such file"),
        (["-r", "none.txt"], "none.txt: no such file"),
        (["-m", "app", "--arch", "vax"], "has no tree for vax"),
        (["-m", "app", "--interpreter", "."], "no tree of this project's"),
        (["demo==7", "--", "--no-index"], "pip could not install demo==7"),
        (["-e", "app"], "an entry point is MODULE:FUNCTION"),
        (["--command", "a b=app:x"], "'a b' is no name for a command"),
        (["--command", "python3=app:x"], "'python3' is no name for a command"),
        (["--command", "x=none:y"], "none: no module none in"),
        (["--command", "x", "--site-packages", "{packages}"], "x: no package has such a console script"),
        (["--command", "x=this", "--command", "x=this"], "--command x: there are two of it"),
        (["-m", "this", "--args", "'"], 'argument --args: "\'": No closing quotation'),
        (["-m", "this", "--env", "X"], "'X' is not NAME=VALUE"),
        (["-m", "this", "--add", "none:x"], "--add none:x: no such file or folder: none"),
        (["-m", "this", "--add", "{packages}:"], "say at which place below sys.prefix"),
        (["-m", "this", "--add", "{packages}:../x"], "no name for a file"),
        (["-m", "this", "--exclude", "none"], "--exclude none: no file's path is like that"),
        (["-m", "this", "--extract", "none"], "--extract none: no file's path is like that"),
        (["none.py"], "none.py: no such file"),
        (["-m", "app", "--site-packages", "none"], "none: no such folder"),
        (["-m", "app", "--site-packages", "{packages}/app/core.py"], "core.py: not a folder"),
        (["-m", "none", "--site-packages", "{packages}"], "none: no module none in"),
        (["-m", "app.none", "--site-packages", "{packages}"], "app.none: no module app.none in"),
        (["-m", ""], "no module"),
        (["-m", "email"], "email: a package without __main__.py"),
        (["-e", "app.core:mian", "--site-packages", "{packages}"], "app.core:mian: app.core does not define mian"),
        (["--python", "-m", "this"], "say one thing to run"),
        (["--python", "--args", "x"], "--args are an application's"),
        (["-m", "this", "--compress", "zip"], "invalid choice: 'zip'"),
        (["-m", "this", "--only-traced"], "--only-traced: say by --trace FILE"),
        (["-m", "this", "--trace", "none"], "none: no such file: run what was made with --record none"),
        (["-m", "this", "--trace", "{packages}/bad.txt"], "bad.txt: not what an executable writes that was made with"),
        (["-m", "this", *UNTRACED], "imported this, which is to be run"),
        (["-e", "app.core:main", "--site-packages", "{packages}", *UNTRACED], "imported app.core, which is to be run"),
        (["--command", "x=app", "--site-packages", "{packages}", *UNTRACED], "imported app, which is to be run"),
        (["-m", "this", "--sbom", "none/x"], "none/x: no such folder"),
        (["-m", "this", "--fail-on", "Python-*"], "--fail-on Python-*: cpython 3."),
        (["{wheel}", "--fail-on", "unknown", "--", "--no-index"], "--fail-on unknown: demo 1.0 (UNKNOWN)"),
        (["-e", "none:main"], "none: no module none in"),
        (["{packages}/bad.txt"], "bad.txt: invalid syntax"),
        (["-m", "this", "-o", "none/x"], "none/x: no such folder"),
        (["-m", "this", "-o", "{packages}"], "a folder; -o says which file to write"),
        (["-m", "this", "-o", "new/"], "new/: a folder; -o says which file to write"),
        (["-m", "this", "-o", ""], "a folder; -o says which file to write"),
        (["-m", "this", "-o", "{odd}/pipe"], "pipe: not a regular file"),
        (["{packages}/bin/tool", "-o", "{packages}/bin/tool"], "-o names the script itself"),
        (["-m", "this", "--site-packages", "{odd}"], "/pipe: neither a file nor a folder"),
        (["-m", "app", "--site-packages", "{packages}", "--site-packages", "{packages}"], "another folder has a file"),
    ],
)
def test_mistakes(
    target: BuiltTarget, packages: Path, wheel: Path, odd: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    words = [a.format(packages=packages, wheel=wheel, odd=odd) for a in arguments]
    run = run_bundler(target, tmp_path, "-o", "x", *words)
    assert run.returncode in {1, 2}
    assert message in run.stderr and "Traceback" not in run.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.any_cpu("Python code")
def test_output_through_a_link(target: BuiltTarget, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("program")
    bundle(target, tmp_path / "link", "-m", "this")
    assert (tmp_path / "link").is_symlink() and "Zen" in output_of(start(target, tmp_path / "program"))


def test_strip_keeps_the_application(target: BuiltTarget, hello: Path, tmp_path: Path) -> None:
    if not shutil.which("strip") or target.emulator:
        pytest.skip("no strip for this machine's programs")
    program = shutil.copy(hello, tmp_path / "hello")
    subprocess.run(["strip", str(program)], check=True, capture_output=True)
    run = start(target, program, "again")
    assert (run.returncode, run.stdout) == (7, "hello again\n")


WAITS = """if True:
    import sys
    opened = open(sys.prefix + "/bin/waits.py")
    print(len(opened.read()), flush=True)
    sys.stdin.readline()
    import app.core, json.tool
    with open(app.core.__file__) as file:
        print("fail" in file.read(), json.tool.__name__, app.core.__file__, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.native_only("about the kernel; the emulator's own memory and its signals are others")
def test_life_of_a_process(target: BuiltTarget, packages: Path, hello: Path, tmp_path: Path) -> None:
    """A process whose program is upgraded while it runs; signals end it, and nothing is left."""
    folder, script = tmp_path / "folder", tmp_path / "waits.py"
    folder.mkdir()
    script.write_text(WAITS)
    program = bundle(target, folder / "app", script, "--site-packages", packages)
    env = {"HOME": str(folder), "TMPDIR": str(folder)}

    def started(*before: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=folder
        )
        assert process.stdout and process.stdout.readline() == f"{len(WAITS)}\n"
        return process

    for end in (signal.SIGTERM, signal.SIGKILL):
        with started() as process:
            assert Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text() == ""
            process.send_signal(end)
            assert process.wait(timeout=60) == -end
        assert [path.name for path in folder.iterdir()] == ["app"]
    with started("prlimit", f"--as={512 << 20}") as process:
        assert process.stdin and process.stdout
        shutil.copy(hello, folder / "new")
        (folder / "new").rename(program)
        # Starting that name now gives the new program; this process keeps the old one.
        assert start(target, program, "you").stdout == "hello you\n"
        process.stdin.write("\n")
        process.stdin.flush()
        site = f"{program}/python/lib/python{target.plan.series}/site-packages"
        assert process.stdout.readline() == f"True json.tool {site}/app/core.py\n"


def test_removed_application_is_an_error(target: BuiltTarget, hello: Path, tmp_path: Path) -> None:
    program = Program(Path(shutil.copy(hello, tmp_path / "hello")))
    program.segment.values.update(filesz=0, memsz=128)
    program.segment.write(program.data)
    program.path.write_bytes(program.data)
    run = start(target, program.path)
    assert run.returncode == 127
    assert "what this program carried was removed" in run.stderr


def test_copy_that_did_not_end_is_an_error(target: BuiltTarget, hello: Path, tmp_path: Path) -> None:
    whole = Program(hello)
    begin, size = whole.segment.values["offset"], whole.payload_size
    program = tmp_path / "program"
    for length in (begin + 1, begin + 5000, begin + size // 2, begin + size - 1):
        program.write_bytes(whole.data[:length])
        program.chmod(0o755)
        run = start(target, program)
        assert run.returncode == 127, length
        assert f"{program}: this program was cut off" in run.stderr


@pytest.mark.usefixtures("programs")
def test_starts_itself_again(target: BuiltTarget, tmp_path: Path) -> None:
    """As reloaders do, with sys.executable and sys.orig_argv, under any name of the program."""
    script = tmp_path / "again.py"
    script.write_text("""if True:
        import os, sys
        if "DONE" in os.environ:
            sys.exit(print(sys.argv, sys.flags.isolated, sys.orig_argv == [sys.executable, *sys.orig_argv[1:]]))
        os.environ["DONE"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    """)
    program = bundle(target, tmp_path / "again", script)
    run = start(target, "./again" if not target.emulator else program, "--debug", "é x", cwd=tmp_path)
    assert output_of(run) == f"[{str(program)!r}, '--debug', 'é x'] 1 True"


def install(target: BuiltTarget, folder: Path, project: str) -> None:
    pip = ["-m", "pip", "-q", "--disable-pip-version-check", "install", "--only-binary", ":all:"]
    target.run(*pip, "--target", folder, project, env=network_environment())


@pytest.mark.any_cpu("a bundled wheel with libraries is run by test_application[cryptography] on each CPU")
@pytest.mark.usefixtures("programs")
def test_wheels_with_libraries_of_their_own(target: BuiltTarget, tmp_path: Path) -> None:
    """numpy from PyPI, whose extension modules need numpy.libs/*.so by $ORIGIN."""
    if target.plan.arch.name not in {"x86_64", "aarch64"}:
        pytest.skip("PyPI has no musllinux wheel of numpy for this CPU")
    folder = tmp_path / "packages"
    install(target, folder, "numpy")
    script = tmp_path / "program.py"
    script.write_text("import numpy as np\nprint(np.linalg.norm(np.array([3.0, 4.0])), np.__file__)\n")
    program = bundle(target, tmp_path / "program", script, "--site-packages", folder)
    shutil.rmtree(folder)
    assert output_of(start(target, program)).startswith(f"5.0 {program}/python/lib/")


@pytest.mark.any_cpu("Python code; libraries are tested by test_wheels_with_libraries_of_their_own")
@pytest.mark.usefixtures("programs")
def test_httpie(target: BuiltTarget, tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    install(target, folder, "httpie==3.2.4")
    program = bundle(target, tmp_path / "http", "-e", "httpie.__main__:main", "--site-packages", folder)
    shutil.rmtree(folder)
    home = {"HOME": str(tmp_path)}
    assert output_of(start(target, program, "--version", env=home)) == "3.2.4"
    request = ["--ignore-stdin", "--offline", "POST", "https://example.org/a", "b=1"]
    assert output_of(start(target, program, *request, env=home)).endswith('{"b": "1"}')
