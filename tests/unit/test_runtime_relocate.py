"""relocate.py on a small tree with the layout of `make install`."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.test_runtime_support import INSTALL


def load_relocate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("relocate", INSTALL / "relocate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["relocate"] = module
    spec.loader.exec_module(module)
    return module


relocate = load_relocate()

TRIPLE = "x86_64-linux-musl"
BUILD = "/home/builder/build"

SYSCONFIGDATA = f"""\
# system configuration generated and used by the sysconfig module
build_time_vars = {{
 'CC': '{BUILD}/toolchain/bin/{TRIPLE}-cc',
 'CFLAGS': '-fno-strict-overflow -DNDEBUG -O3 -isystem {BUILD}/sysroot/include '
           '-ffile-prefix-map={BUILD}=. -flto=full -mllvm -inline-threshold=9 -Wall',
 'CONFIG_ARGS': "'--prefix=/python' '--host={TRIPLE}' 'CC={BUILD}/cc' 'CFLAGS=-O3 -I{BUILD}/include'",
 'INCLUDEPY': '/python/include/python3.13',
 'INSTALL': '/usr/bin/install -c',
 'LIBDIR': '/python/lib',
 'LDSHARED': '{BUILD}/toolchain/bin/{TRIPLE}-cc -shared -L{BUILD}/lib',
 'MODULE_ZLIB_LDFLAGS': '-L{BUILD}/sysroot/lib -lz',
 'MULTIARCH': '{TRIPLE}',
 'PY_CFLAGS_NODIST': '-flto=full -std=c11',
 'PYTHON_FOR_BUILD': './python -E',
 'Py_ENABLE_SHARED': 0,
 'abs_builddir': '{BUILD}/cpython',
 'prefix': '/python'}}
"""

MAKEFILE = f"""\
# a comment that doesn't pair its quotes
abs_builddir=\t{BUILD}/cpython
CC=\t\t{BUILD}/toolchain/bin/{TRIPLE}-cc
CFLAGS=\t-O3 -I{BUILD}/include -Wall
LDSHARED=\t$(CC) -shared $(PY_LDFLAGS)
prefix=\t\t/python
exec_prefix=\t${{prefix}}
LIBDIR=\t\t$(exec_prefix)/lib
all:
\t$(CC) -o x x.c -L{BUILD}/lib -lz
"""

PC = f"""\
prefix=/python
exec_prefix=${{prefix}}
libdir=${{exec_prefix}}/lib
Libs.private: -L{BUILD}/lib -ldl
Cflags: -I${{prefix}}/include/python3.13
"""

PYTHON_CONFIG = f"""\
#!/bin/sh
prefix_real=$(cd "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd -P)
prefix="/python"
includedir=$(echo "${{prefix}}/include" | sed "s#$prefix#$prefix_real#")
CFLAGS=$(echo "-O3 -I{BUILD}/include" | sed "s#$prefix#$prefix_real#")
LIBS="-L{BUILD}/lib -lm"
echo "$includedir $CFLAGS $LIBS"
"""

SCRIPT = """\
#!/python/bin/python3.13
import sys
print("ran", sys.argv[1:])
"""

# The lines that pip writes if the path is long or contains a space.
SCRIPT_LONG = f"""\
#!/bin/sh
'''exec' "{BUILD}/a b/bin/python3.13" "$0" "$@"
' '''
import sys
print("ran", sys.argv[1:])
"""


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An installed tree, in a folder with a space in its name."""
    root = tmp_path / "a tree"
    library = root / "lib/python3.13"
    config = library / f"config-3.13-{TRIPLE}"
    write(library / "os.py", "")
    write(library / f"_sysconfigdata__linux_{TRIPLE}.py", SYSCONFIGDATA)
    write(library / "__pycache__/os.cpython-313.pyc", BUILD)
    write(config / "Makefile", MAKEFILE)
    write(config / "Setup.local", f"*static*\nzlib zlibmodule.c -I{BUILD}/include -lz\n")
    write(config / "python-config.py", "#!/python/bin/python3.13\nprint('configured')\n")
    write(config / "python.o", BUILD)
    for name in ("idlelib/__init__.py", "tkinter/__init__.py", "turtle.py", "turtledemo/x.py", "test/x.py"):
        write(library / name, "")
    write(root / "lib/libpython3.13.a", BUILD)
    write(root / "lib/pkgconfig/python-3.13.pc", PC)
    (root / "lib/pkgconfig/python3.pc").symlink_to("python-3.13.pc")
    write(root / "lib/pkgconfig/python-3.13-embed.pc", PC)
    write(root / "bin/python3.13", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', 0o755)
    write(root / "bin/python3.13-config", PYTHON_CONFIG, 0o755)
    write(root / "bin/pydoc3.13", SCRIPT, 0o755)
    write(root / "bin/long3.13", SCRIPT_LONG, 0o755)
    write(root / "bin/idle3.13", "#!/python/bin/python3.13\n", 0o755)
    site_packages = library / "site-packages"
    record = "../../../bin/pip3,sha256=old,1\r\npip/__init__.py,sha256=x,2\r\npip-1.dist-info/RECORD,,\r\n"
    write(site_packages / "pip-1.dist-info/RECORD", record)
    write(site_packages / "pip-1.dist-info/INSTALLER", "pip\n")
    for package in ("pip", "pip/_internal", "pip/_internal/cli"):
        write(site_packages / package / "__init__.py", "")
    write(site_packages / "pip/_internal/cli/main.py", "def main(): print('pip ran')\n")
    write(root / "bin/pip3", SCRIPT, 0o755)
    return root


def run(root: Path, *options: str) -> int:
    arguments = [str(root), "--placeholder", "/python", "--scrub", "/home/builder", *options]
    result = relocate.main(arguments)
    assert isinstance(result, int)
    return result


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def sysconfig_of(root: Path) -> dict[str, object]:
    path = root / f"lib/python3.13/_sysconfigdata__linux_{TRIPLE}.py"
    namespace: dict[str, object] = {"__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    values = namespace["build_time_vars"]
    assert isinstance(values, dict)
    return values


def test_no_path_is_left(root: Path) -> None:
    assert run(root) == 0
    for name, data in contents(root).items():
        assert b"/home/builder" not in data, name
        if not name.startswith("lib/python3.13/_sysconfigdata"):
            assert b"/python/" not in data, name


def test_sysconfigdata_follows_the_tree(root: Path, tmp_path: Path) -> None:
    assert run(root) == 0
    moved = root.rename(tmp_path / "moved")
    values = sysconfig_of(moved)
    assert values["prefix"] == str(moved)
    assert values["INCLUDEPY"] == f"{moved}/include/python3.13"
    assert values["CC"] == f"{moved}/bin/{TRIPLE}-cc"
    assert values["LDSHARED"] == f"{moved}/bin/{TRIPLE}-cc -shared"
    assert values["CCSHARED"] == "-fPIC"
    assert values["CFLAGS"] == "-fno-strict-overflow -DNDEBUG -O3 -Wall"
    assert values["MODULE_ZLIB_LDFLAGS"] == "-lz"
    assert values["PY_CFLAGS_NODIST"] == "-std=c11"
    assert values["PYTHON_FOR_BUILD"] == "./python -E"
    assert values["CONFIG_ARGS"] == f"'--prefix={moved}' '--host={TRIPLE}'"
    assert values["abs_builddir"] == ""
    assert values["Py_ENABLE_SHARED"] == 0


def test_commands_are_quoted_when_the_path_has_a_space(root: Path) -> None:
    assert run(root) == 0
    values = sysconfig_of(root)
    assert values["CC"] == f"'{root}/bin/{TRIPLE}-cc'"
    assert values["LDSHARED"] == f"'{root}/bin/{TRIPLE}-cc' -shared"
    assert values["LIBDIR"] == f"{root}/lib"


def test_sysconfigdata_read_as_text_has_the_placeholder(root: Path) -> None:
    assert run(root) == 0
    path = root / f"lib/python3.13/_sysconfigdata__linux_{TRIPLE}.py"
    namespace: dict[str, dict[str, object]] = {}
    exec(path.read_text(encoding="utf-8"), namespace)  # as maturin does, through standard input
    assert namespace["build_time_vars"]["LIBDIR"] == "/python/lib"


def test_uv_reads_the_dictionary_and_fills_in_the_prefix(root: Path) -> None:
    """uv expects CPython's first line and the dictionary below it, replaces /install at the start of words by the
    prefix, and drops the code after the dictionary."""
    assert run(root) == 0
    text = (root / f"lib/python3.13/_sysconfigdata__linux_{TRIPLE}.py").read_text(encoding="utf-8")
    first, second, _ = text.split("\n", 2)
    assert first == "# system configuration generated and used by the sysconfig module"
    assert second == "build_time_vars = {"
    values = relocate.read_sysconfigdata(root / f"lib/python3.13/_sysconfigdata__linux_{TRIPLE}.py")
    assert values["LIBDIR"] == "/install/lib"
    assert values["LDSHARED"] == f"/install/bin/{TRIPLE}-cc -shared"
    assert values["INSTALL"] == "/usr/bin/install -c"
    assert sysconfig_of(root)["INSTALL"] == "/usr/bin/install -c", "a program's name is no prefix"


def test_json_files(root: Path) -> None:
    """3.14's files for tools that do not run it: paths are relative to the file, none is of the build or the user."""
    library = root / "lib/python3.13"
    values = {"prefix": "/python", "LIBDIR": "/python/lib", "CFLAGS": f"-O3 -I{BUILD}/x -I/python/include", "HAVE_X": 1}
    users = {"userbase": "/home/somebody/.local", "projectbase": f"{BUILD}/cpython", "srcdir": f"{BUILD}/sources"}
    write(library / f"_sysconfig_vars__linux_{TRIPLE}.json", json.dumps(values | users | {"CC": "zig cc"}))
    details = {
        "base_prefix": "/python",
        "base_interpreter": "/python/bin/python3.13",
        "libpython": {"static": "/python/lib/libpython3.13.a"},
        "c_api": {"headers": "/python/include/python3.13", "pkgconfig_path": "/python/lib/pkgconfig"},
    }
    write(library / "build-details.json", json.dumps(details))
    assert run(root) == 0
    assert json.loads((library / f"_sysconfig_vars__linux_{TRIPLE}.json").read_text()) == relocate.tool_values(
        TRIPLE, "../.."
    ) | {
        "prefix": "../..",
        "LIBDIR": "../../lib",
        "CFLAGS": "-O3 -I../../include",
        "HAVE_X": 1,
        "srcdir": "",
    }
    found = json.loads((library / "build-details.json").read_text())
    # PEP 739: base_prefix from the file, everything else from base_prefix.
    assert (library / found["base_prefix"] / found["base_interpreter"]).is_file()
    assert found == {
        "base_prefix": "../..",
        "base_interpreter": "./bin/python3.13",
        "libpython": {},
        "c_api": {"headers": "./include/python3.13", "pkgconfig_path": "./lib/pkgconfig"},
    }
    assert run(root) == 0, "again"
    assert json.loads((library / "build-details.json").read_text()) == found


def test_makefile(root: Path, tmp_path: Path) -> None:
    assert run(root) == 0
    root = root.rename(tmp_path / "tree")  # make does not support spaces
    config = root / f"lib/python3.13/config-3.13-{TRIPLE}"
    text = (config / "Makefile").read_text(encoding="utf-8")
    assert "CFLAGS=\t-O3 -Wall\n" in text
    assert "\t$(CC) -o x x.c -lz\n" in text
    write(tmp_path / "show.mk", f"include {config}/Makefile\nshow:\n\t@echo $(LIBDIR) $(LDSHARED)\n")
    output = subprocess.run(["make", "-sf", tmp_path / "show.mk", "show"], capture_output=True, text=True, check=True)
    assert output.stdout == f"{root}/lib {root}/bin/{TRIPLE}-cc -shared\n"


def test_pkgconfig(root: Path) -> None:
    assert run(root) == 0
    text = (root / "lib/pkgconfig/python-3.13.pc").read_text(encoding="utf-8")
    assert text.startswith("prefix=${pcfiledir}/../..\n")
    assert "Libs.private: -ldl\n" in text
    assert not (root / "lib/pkgconfig/python-3.13-embed.pc").exists()


def test_python_config_through_a_link(root: Path, tmp_path: Path) -> None:
    assert run(root) == 0
    link = tmp_path / "config-link"
    link.symlink_to(root / "bin/python3.13-config")
    output = subprocess.run([link], capture_output=True, text=True, check=True)
    assert output.stdout == f"{root}/include -O3 -lm\n"


@pytest.mark.parametrize("name", ["pydoc3.13", "long3.13"])
def test_scripts_run_the_interpreter_beside_them(root: Path, tmp_path: Path, name: str) -> None:
    assert run(root) == 0
    script = root / "bin" / name
    assert script.stat().st_mode & stat.S_IXUSR
    link = tmp_path / "link"
    link.symlink_to(os.path.relpath(script, tmp_path))
    for path in (script, link):
        output = subprocess.run([path, "a b"], capture_output=True, text=True, check=True)
        assert output.stdout == "ran ['a b']\n"


def test_script_of_the_config_folder(root: Path) -> None:
    assert run(root) == 0
    script = root / f"lib/python3.13/config-3.13-{TRIPLE}/python-config.py"
    output = subprocess.run(["sh", script], capture_output=True, text=True, check=True)
    assert output.stdout == "configured\n"


def test_compiler_scripts(root: Path) -> None:
    assert run(root) == 0
    for tool in ("cc", "c++", "ar"):
        script = root / "bin" / f"{TRIPLE}-{tool}"
        assert script.stat().st_mode & stat.S_IXUSR
        subprocess.run(["sh", "-n", script], check=True)


def test_what_is_removed(root: Path) -> None:
    assert run(root) == 0
    left = contents(root)
    assert not [name for name in left if "idle" in name or "turtle" in name or "tkinter" in name]
    assert not [name for name in left if "/test/" in name or name.endswith((".pyc", ".a", ".o"))]
    assert "lib/python3.13/lib-dynload/README.txt" in left


def test_what_can_be_kept(root: Path) -> None:
    assert run(root, "--with-tests") == 0
    assert "lib/python3.13/test/x.py" in contents(root)


@pytest.mark.parametrize("name", ["pip", "pip3", "pip3.13"])
def test_pip_commands(root: Path, name: str) -> None:
    assert run(root) == 0
    environment = os.environ | {"PYTHONPATH": str(root / "lib/python3.13/site-packages")}
    output = subprocess.run([root / "bin" / name], capture_output=True, text=True, check=True, env=environment)
    assert output.stdout == "pip ran\n"


def test_python_without_a_number(root: Path) -> None:
    assert run(root) == 0
    assert str((root / "bin/python").readlink()) == "python3.13"


def test_tree_without_pip(root: Path) -> None:
    (root / "lib/python3.13/site-packages/pip-1.dist-info/RECORD").unlink()
    (root / "bin/pip3").unlink()
    assert run(root) == 0
    assert not list((root / "bin").glob("pip*"))


def test_record_lists_the_commands(root: Path) -> None:
    assert run(root) == 0
    base = root / "lib/python3.13/site-packages"
    lines = (base / "pip-1.dist-info/RECORD").read_text(encoding="utf-8").splitlines()
    assert lines == [
        *(",".join(relocate.record_row(base, f"../../../bin/{name}")) for name in ("pip", "pip3", "pip3.13")),
        ",".join(relocate.record_row(base, "pip-1.dist-info/INSTALLER")),
        "pip-1.dist-info/RECORD,,",
        "pip/__init__.py,sha256=x,2",
    ]


def test_running_it_again_changes_nothing(root: Path) -> None:
    assert run(root) == 0
    before = contents(root)
    assert run(root) == 0
    assert contents(root) == before


def test_a_path_that_stays_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "bin/python3.13").write_bytes(b"\x7fELF\0/home/builder/x.c\0")
    assert run(root) == 1
    assert "bin/python3.13: /home/builder" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/", "/usr", "/tmp/"])
def test_a_path_too_general_to_scrub(root: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    assert run(root, "--scrub", path) == 1
    assert "too general" in capsys.readouterr().err


def test_not_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 1
    assert "lib/python3.*/os.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("a /b c", "a c"),
        ("-I /b -L/b -I x -isystem /b", "-I x"),
        ("'CC=/b/cc -x' '--y'", "'--y'"),
        ('"a /b" c', "c"),
        ("a /b \\", "a \\"),
        ("a  b", "a  b"),
        ("/b", ""),
    ],
)
def test_words(given: str, left: str) -> None:
    assert relocate.drop_words(given, lambda word: "/b" in word) == left


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/python", "@"),
        ("/python/lib -I/python/include -L/python/lib", "@/lib -I@/include -L@/lib"),
        ("'--prefix=/python'", "'--prefix=@'"),
        ("./python /python3 /x/python /pythonic $(srcdir)/python/x", None),
    ],
)
def test_placeholder(text: str, expected: str | None) -> None:
    assert relocate.placeholder_pattern("/python").sub("@", text) == (expected or text)
