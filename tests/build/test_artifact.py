"""The interpreter's features, wherever its tree is."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from staticpython.verify import binary_faults, module_faults, path_faults
from tests.build.conftest import BuiltTarget, clean_environment, network_environment, visible_symbols

Chroot = Callable[..., str]
LINKED = (
    "ssl, sqlite3, ctypes, lzma, bz2, zlib, uuid, decimal, hashlib, json, asyncio, multiprocessing, "
    "xml.etree.ElementTree, zoneinfo, unicodedata, socket, select, mmap, dbm.sqlite3, termios, pwd"
)
# Modules that a flavour may leave out, by the extension module that they need.
OPTIONAL = {"_curses": "curses", "_curses_panel": "curses.panel", "readline": "readline"}


def import_all(target: BuiltTarget) -> str:
    """The statement that imports all of these, as far as the target has them."""
    return f"import {', '.join([LINKED, *(m for needs, m in OPTIONAL.items() if needs in target.plan.modules)])}"


def test_binary_is_static_and_hardened(target: BuiltTarget) -> None:
    assert list(binary_faults(target.binary, target.plan.arch, pie=target.plan.pie)) == []


def test_every_module_is_linked_and_imports(target: BuiltTarget) -> None:
    assert list(module_faults([*target.emulator, str(target.binary)], target.plan.modules)) == []


def test_folder_of_the_build_is_as_it_was_linked(target: BuiltTarget) -> None:
    """Also when the modules of CPython's tests have been built: a later `make` installs from there."""
    folder = target.build / "cpython"
    assert (folder / "python").read_bytes() == target.binary.read_bytes()
    assert (folder / "Modules/Setup.local").read_bytes() == (target.build / "Setup.local").read_bytes()


def test_binary_is_stripped(target: BuiltTarget) -> None:
    assert b".symtab" not in target.binary.read_bytes()


def test_what_a_wheel_finds_in_it(target: BuiltTarget) -> None:
    """All of zlib, which wheels may expect outside; nothing of other libraries, because wheels contain their own."""
    symbols = visible_symbols(target.binary)
    assert {"PyObject_Call", "dlopen", "printf", "deflate", "inflate", "crc32", "zlibVersion"} <= symbols
    others = ("sqlite3_", "BZ2_", "lzma_", "SSL_", "EVP_", "ffi_", "XML_", "mpd_", "uuid_", "rl_", "wadd", "history_")
    assert [s for s in symbols if s.startswith(others)] == []


def test_no_build_path_is_left(target: BuiltTarget) -> None:
    assert list(path_faults(target.tree, [str(target.build), str(target.build.parent.parent) + "/"])) == []
    shown = target.run("-m", "sysconfig")
    assert str(target.build) not in shown
    # The placeholder of configs/packages/cpython.yml is only ever the start of a path.
    assert not re.search(r"(?<![\w./-])/python/", shown)


def test_empty_environment_and_any_argv0(target: BuiltTarget) -> None:
    assert target.run("-c", "import sys; print(sys.prefix)", env={}) == str(target.tree)
    if not target.emulator:
        run = subprocess.run(["", "-c", "import os"], executable=target.binary, env={}, capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, "")


def test_moved_tree_finds_itself(target: BuiltTarget, moved: Path) -> None:
    python = moved / "bin/python3"
    program = "import os, sys, sysconfig; print(sys.prefix, os.__file__, sysconfig.get_path('include'), sep='\\n')"
    prefix, os_file, include = target.run("-c", program, python=python).splitlines()
    assert prefix == str(moved)
    assert os_file == str(moved / f"lib/python{target.plan.series}/os.py")
    assert Path(include, "Python.h").is_file()


def test_through_symbolic_links(target: BuiltTarget, tmp_path: Path) -> None:
    link, folder = tmp_path / "py", tmp_path / "folder"
    link.symlink_to(target.binary)
    folder.symlink_to(target.tree)
    for python in (link, folder / "bin/python3"):
        assert target.run("-c", "import os; print(os.path.realpath(os.__file__))", python=python) == str(
            target.stdlib / "os.py"
        )


def test_read_only_tree_is_not_written_to(target: BuiltTarget, moved: Path) -> None:
    before = {p: p.lstat().st_mtime_ns for p in moved.rglob("*")}
    for path in moved.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    try:
        target.run("-c", import_all(target), python=moved / "bin/python3")
    finally:
        for path in moved.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
    # For root the modes have no effect: what matters is that everything was compiled before.
    assert {p: p.lstat().st_mtime_ns for p in moved.rglob("*")} == before


def test_empty_chroot(target: BuiltTarget, chroot: Chroot) -> None:
    assert chroot("-c", f"{import_all(target)}; print('well')") == "well"
    assert chroot("-c", "import sys; print(sys.prefix)") == "/python"


def test_tree_as_root_folder(chroot: Chroot, tmp_path: Path) -> None:
    """As in a container with the tree copied to /. Of a program elsewhere, /lib is not the library."""
    for path in (tmp_path / "root/python").iterdir():
        path.rename(tmp_path / "root" / path.name)
    show = "import sys, email.mime.text; print(sys.prefix, sys.exec_prefix, sys.executable)"
    assert chroot("-c", show, program="/bin/python3") == "/ / /bin/python3"
    chroot("-m", "venv", "--without-pip", "/env", program="/bin/python3")
    assert chroot("-c", "import sys; print(sys.prefix, sys.base_prefix)", program="/env/bin/python3") == "/env /"
    (tmp_path / "root/elsewhere/bin").mkdir(parents=True)
    shutil.copy(tmp_path / "root/bin/python3", tmp_path / "root/elsewhere/bin")
    with pytest.raises(AssertionError, match="No module named 'encodings'"):
        chroot("-c", "", program="/elsewhere/bin/python3")


HANDSHAKE = """if True:
    import ssl
    client_side, server_side = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain("/certificates/keycert3.pem")
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(received, sent, server_hostname="localhost")
    server = server_side.wrap_bio(sent, received, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            raise SystemExit(error.verify_message)
    print(client.getpeercert()["subject"][-1], len(client_side.get_ca_certs()) > 100)
"""


def test_empty_chroot_has_certificates(target: BuiltTarget, chroot: Chroot, tmp_path: Path) -> None:
    """A server is verified with the tree's list, unless the environment, even an inherited one, names another."""
    shutil.copytree(target.build.parent / "sources/cpython/Lib/test/certdata", tmp_path / "root/certificates")
    count = "import ssl; context = ssl.create_default_context(); print(len(context.get_ca_certs()) > 100)"
    assert chroot("-c", count) == "True"
    assert chroot("-c", count, SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt") == "False"
    trusted = tmp_path / "root/python" / target.stdlib.relative_to(target.tree) / "_staticpython/cacert.pem"
    with trusted.open("a") as file:
        file.write((tmp_path / "root/certificates/pycacert.pem").read_text())
    assert chroot("-c", HANDSHAKE) == "(('commonName', 'localhost'),) True"


def test_empty_chroot_has_zones(chroot: Chroot) -> None:
    program = "import datetime as d, zoneinfo as z; print(d.datetime(2026, 7, 1, tzinfo=z.ZoneInfo('Europe/Berlin')))"
    assert chroot("-c", program) == "2026-07-01 00:00:00+02:00"
    assert int(chroot("-c", "import zoneinfo; print(len(zoneinfo.available_timezones()))")) > 400


@pytest.mark.needs_modules("_curses")
def test_empty_chroot_has_terminals(chroot: Chroot) -> None:
    show = "print(curses.tigetnum('cols'), curses.tigetnum('colors'), curses.tigetflag('am'), curses.tigetstr('home'))"
    for terminal, shown in (
        ("xterm-256color", "80 256 1 b'\\x1b[H'"),
        # More colors than fit in 16 bits.
        ("xterm-direct", "80 16777216 1 b'\\x1b[H'"),
        ("linux", "80 8 1 b'\\x1b[H'"),
        # Under its other name.
        ("vt100-am", "80 -1 1 b'\\x1b[H'"),
        ("dumb", "80 -1 1 None"),
    ):
        assert chroot("-c", f"import curses; curses.setupterm({terminal!r}, 1); {show}") == shown


def test_certificates_of_the_environment_win(target: BuiltTarget, tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    bundle = (target.stdlib / "_staticpython/cacert.pem").read_text()
    first = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", bundle, re.DOTALL)
    assert first
    own.write_text(first.group())
    program = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert target.run("-c", program, env=clean_environment(SSL_CERT_FILE=str(own), SSL_CERT_DIR="/nonexistent")) == "1"


@pytest.mark.any_cpu("Python code; test_wheels.py installs with pip on each CPU")
@pytest.mark.usefixtures("programs")
def test_venv_with_pip(target: BuiltTarget, moved: Path, tmp_path: Path) -> None:
    for option, name in (("--symlinks", "linked"), ("--copies", "copied")):
        venv = tmp_path / name
        target.run("-m", "venv", option, venv, python=moved / "bin/python3")
        program = "import sys, pip, ssl; print(sys.prefix, sys.base_prefix, pip.__file__, sep='\\n')"
        prefix, base, pip = target.run("-c", program, python=venv / "bin/python3").splitlines()
        assert (prefix, base) == (str(venv), str(moved))
        assert pip.startswith(str(venv))


@pytest.mark.usefixtures("programs")
def test_scripts_work_after_a_move(moved: Path, tmp_path: Path) -> None:
    link = tmp_path / "pip-link"
    link.symlink_to(moved / "bin/pip3")
    for script in (moved / "bin/pip3", link):
        assert str(moved) in output_of(script, "--version")
    assert "built-in" in output_of(moved / "bin/pydoc3", "math")
    assert f"{moved}/include" in output_of(moved / "bin/python3-config", "--includes")


def output_of(*command: str | Path) -> str:
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=clean_environment())
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.any_cpu("Python code; test_venv_with_pip runs pip")
@pytest.mark.usefixtures("programs")
def test_pip_installs_pure_python(target: BuiltTarget, moved: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    target.run("-m", "venv", venv, python=moved / "bin/python3")
    install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "six", "django"]
    target.run(*install, python=venv / "bin/python3", env=network_environment())
    site = tmp_path / "mysite"
    env = clean_environment(HOME=str(tmp_path))
    site.mkdir()
    target.run("-m", "django", "startproject", "mysite", site, python=venv / "bin/python3", env=env)
    target.run("manage.py", "migrate", "-v0", python=venv / "bin/python3", cwd=site, env=env)
    program = (
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'\n"
        "django.setup()\n"
        "from django.contrib.auth.models import User; User.objects.create_user('ada', password='x' * 12)\n"
        "from django.test import Client; from django.conf import settings; settings.ALLOWED_HOSTS = ['*']\n"
        "print(Client().get('/').status_code, Client().get('/admin/login/').status_code, User.objects.count())\n"
    )
    assert target.run("-c", program, python=venv / "bin/python3", cwd=site, env=env) == "200 200 1"


def test_sqlite_features(target: BuiltTarget) -> None:
    program = """
import json, sqlite3
db = sqlite3.connect(":memory:")
for kind in ("fts3", "fts4", "fts5"):
    db.execute(f"create virtual table {kind}_t using {kind}(body)")
db.execute("create virtual table r using rtree(id, a, b)")
db.execute("create virtual table g using geopoly(label)")
db.execute("insert into fts5_t values ('hello static world')")
print(db.execute("select count(*) from fts5_t where body match 'static'").fetchone()[0])
print(db.execute("select json_extract('{\\"a\\": [1, 2]}', '$.a[1]'), round(sin(1), 3), sqrt(9)").fetchone())
options = {o for o, in db.execute("pragma compile_options")}
print(sorted({"ENABLE_COLUMN_METADATA", "THREADSAFE=1"} - options))
db.enable_load_extension(True)
"""
    assert target.run("-c", program).splitlines() == ["1", "(2, 0.841, 3.0)", "[]"]


def test_thread_stacks(target: BuiltTarget) -> None:
    program = """
import sys, threading
def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
def deep():
    sys.setrecursionlimit(60000)
    print(len(str([[]] * 10)), depth(5000))
    import re; re.compile("(" * 90 + ")" * 90)
thread = threading.Thread(target=deep); thread.start(); thread.join()
"""
    assert target.run("-c", program) == "40 5000"


def test_ctypes(target: BuiltTarget) -> None:
    program = """
import ctypes
libc = ctypes.CDLL(None)
libc.strlen.restype = ctypes.c_size_t
print(libc.strlen(b"static"), ctypes.pythonapi.Py_GetVersion is not None)
class Point(ctypes.Structure): _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int)]
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
values = (ctypes.c_int * 5)(3, 1, 5, 2, 4)
libc.qsort(values, 5, ctypes.sizeof(ctypes.c_int), Compare(lambda a, b: a[0] - b[0]))
print(list(values))
libc.div.restype = Point
print(libc.div(17, 5).x, libc.div(17, 5).y)
Power = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float, ctypes.c_float)
power = Power(("powf", libc))
print(power(1.5, 2), Power(lambda a, b: power(a, b) + 1)(2, 3))
"""
    assert target.run("-c", program).splitlines() == ["6 True", "[1, 2, 3, 4, 5]", "3 2", "2.25 9.0"]


def test_libc_is_visible_to_loaded_libraries(target: BuiltTarget) -> None:
    names = [
        "cos",
        "memcpy",
        "__stack_chk_fail",
        "pthread_create",
        "dlopen",
        "malloc",
        "deflate",
        "Py_Initialize",
        "iconv",
    ]
    program = f"import ctypes; p = ctypes.CDLL(None); print([n for n in {names!r} if not hasattr(p, n)])"
    assert target.run("-c", program) == "[]"


@pytest.mark.needs_modules("readline")
def test_line_editing_in_a_terminal(target: BuiltTarget) -> None:
    master, slave = pty.openpty()
    env = clean_environment(TERM="xterm-256color", PYTHON_BASIC_REPL="1", HOME="/nonexistent")
    command = [*target.emulator, str(target.binary), "-q", "-i", "-c", "import readline; print(readline.backend)"]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, close_fds=True) as process:
        os.close(slave)
        # ^A goes to the start of the line: the result is 6*7 only with a line editor.
        os.write(master, b"*7)\x01print(6\n")
        output, end = b"", time.monotonic() + 60
        while b"42" not in output and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                output += os.read(master, 4096)
        process.kill()
    os.close(master)
    assert b"42" in output, output


def test_new_repl_in_a_terminal(target: BuiltTarget) -> None:
    master, slave = pty.openpty()
    env = clean_environment(TERM="xterm-256color", HOME="/nonexistent")
    command = [*target.emulator, str(target.binary), "-q"]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, close_fds=True) as process:
        os.close(slave)
        output, end, sent = b"", time.monotonic() + 60, False
        while b"42" not in output and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                output += os.read(master, 4096)
            if b">>>" in output and not sent:
                os.write(master, b"print(6*7)\r")
                sent = True
        process.kill()
    os.close(master)
    assert b"42" in output, output


def test_manifest_names_every_input(target: BuiltTarget) -> None:
    manifest = json.loads((target.tree / "manifest.json").read_text())
    assert manifest["python"] == target.plan.version
    names = {entry["name"] for entry in manifest["inputs"]}
    assert {"musl", "cpython"} <= names
    assert all(re.fullmatch("[0-9a-f]{64}", entry["sha256"]) for entry in manifest["inputs"])
    # What made the compiler is not in the interpreter.
    tools = {package.name for package in target.plan.packages if package.kind == "cross-tool"}
    for name in names - tools:
        assert any((target.tree / "licences" / name).iterdir()), f"no licence of {name}"
    # CPython's own sources contain others' (expat, HACL*, libmpdec, ...).
    texts = "".join(file.read_text() for file in (target.tree / "licences/cpython").iterdir())
    assert all(words in texts for words in ("Expat maintainers", "HACL* Contributors", "Stefan Krah"))


def test_tree_is_complete(target: BuiltTarget) -> None:
    for name in ("python", "python3", "pip3", "pydoc3", "python3-config"):
        assert os.access(target.tree / "bin" / name, os.X_OK), name
    assert (target.tree / f"include/python{target.plan.series}/Python.h").is_file()
    assert not shutil.which("idle3", path=str(target.tree / "bin"))


def test_compiled_files_hold_the_hash_of_their_source(target: BuiltTarget) -> None:
    caches = list(target.stdlib.glob("__pycache__/*.pyc"))
    assert len(caches) > 100
    # PEP 552: flags 3 = hash-based, checked against the source; the source's time may make this unnecessary (0014).
    assert {int.from_bytes(p.read_bytes()[4:8], "little") for p in caches} == {3}


def check_tags_of_pip(target: BuiltTarget, python: Path, *options: str) -> None:
    """pip takes musllinux wheels of the target's CPU, and no manylinux wheels."""
    shown = target.run(*options, "-m", "pip", "debug", "--verbose", python=python)
    abi, arch = target.tag.replace("cpython-", "cp"), target.plan.arch.wheel_arch
    tags = re.findall(rf"^  {abi}-{abi}-(\S+)$", shown, re.MULTILINE)
    assert tags == [f"musllinux_1_2_{arch}", f"musllinux_1_1_{arch}", f"musllinux_1_0_{arch}", f"linux_{arch}"]


def test_pip_takes_musllinux_wheels_and_no_others(target: BuiltTarget, moved: Path) -> None:
    check_tags_of_pip(target, moved / "bin/python3")


@pytest.mark.any_cpu("Python code; the tree's pip says what it takes on each CPU")
@pytest.mark.usefixtures("programs")
def test_pip_of_others_takes_the_same_wheels(target: BuiltTarget, moved: Path, tmp_path: Path) -> None:
    """Isolated, and in a virtual environment."""
    check_tags_of_pip(target, moved / "bin/python3", "-I")
    target.run("-m", "venv", tmp_path / "venv", python=moved / "bin/python3")
    for options in ((), ("-I",)):
        check_tags_of_pip(target, tmp_path / "venv/bin/python3", *options)


def test_platform_names_the_libc(target: BuiltTarget) -> None:
    musl = next(e for e in json.loads((target.tree / "manifest.json").read_text())["inputs"] if e["name"] == "musl")
    assert target.run("-c", "import platform; print(*platform.libc_ver())") == f"musl {musl['version']}"


def test_nothing_of_ours_is_loaded_at_start(target: BuiltTarget) -> None:
    program = "import sys; print([n for n in sys.modules if n.startswith('_staticpython')])"
    assert target.run("-c", program) == "[]"
