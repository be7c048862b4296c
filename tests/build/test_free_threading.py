"""The interpreter without the GIL: `generate.py --python 3.14t`. Skipped for builds with it.

Threads that really run at once use everything that this project changed: malloc, stacks, locks, strings.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import PROGRAMS, BuiltTarget, network_environment

# Projects whose wheels for musl declare that they need no GIL, and what each computes in threads.
WHEELS = {
    "numpy": "import numpy as np\n"
    "def work(n):\n"
    "    a = np.random.default_rng(n).random((120, 120))\n"
    "    u, s, vt = np.linalg.svd(a)\n"
    "    return bool(np.allclose(u * s @ vt, a))\n",
    "markupsafe": "import markupsafe\n"
    "def work(n):\n"
    "    return all(markupsafe.escape('<%d>' % i) == '&lt;%d&gt;' % i for i in range(3000))\n",
}
IN_THREADS = """
import concurrent.futures, sys
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    assert list(pool.map(work, range(8))) == [True] * 8
assert not sys._is_gil_enabled(), 'an extension brought the lock back'
print('well')
"""


@pytest.fixture(autouse=True, scope="module")
def free_threaded(target: BuiltTarget) -> None:
    if "freethreaded" not in target.plan.variant:
        pytest.skip("built with the lock that lets one thread at a time run Python")


def test_it_is_what_its_name_says(target: BuiltTarget) -> None:
    program = (
        "import sys, sysconfig; print(sys._is_gil_enabled(), sys.abiflags, sysconfig.get_config_var('Py_GIL_DISABLED'))"
    )
    assert target.run("-c", program) == "False t 1"
    assert target.run("-X", "gil=1", "-c", program) == "True t 1"
    suffix = target.run("-c", "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))")
    assert suffix == f".{target.tag}-{target.triple}.so"
    first = target.run("-c", "from pip._vendor.packaging.tags import sys_tags; print(next(sys_tags()))").split("-")
    abi = f"cp{target.plan.series.replace('.', '')}"
    assert first[:2] == [abi.removesuffix("t"), abi] and first[2].startswith("musllinux_")


@pytest.mark.parametrize("program", sorted((PROGRAMS / "free_threading").glob("*.py")), ids=lambda p: p.stem)
def test_threads_at_once(target: BuiltTarget, program: Path) -> None:
    assert target.run(program) == "well"


@pytest.fixture(scope="module")
def venv(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not target.starts_programs:
        pytest.skip("venv and pip start programs: needs `make test` and binfmt_misc in a user namespace")
    folder = tmp_path_factory.mktemp("free-threading") / "venv"
    target.run("-m", "venv", folder)
    install = ("-m", "pip", "-q", "--disable-pip-version-check", "install", "--only-binary", ":all:", *WHEELS)
    target.run(*install, python=folder / "bin/python3", env=network_environment())
    return folder


@pytest.mark.parametrize("project", WHEELS)
def test_wheels_compute_in_threads(target: BuiltTarget, venv: Path, project: str) -> None:
    done = subprocess.run(
        [*target.emulator, str(venv / "bin/python3"), "-W", "error", "-c", WHEELS[project] + IN_THREADS],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr
