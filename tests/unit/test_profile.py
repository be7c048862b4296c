"""The trained profile: whether it is valid, how its fit is reported, and which packages get which flags."""

from __future__ import annotations

import lzma
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from staticpython import plan as plan_module
from staticpython import profile
from staticpython.config import ROOT
from staticpython.errors import StaticPythonError
from staticpython.load import load_facts
from staticpython.plan import Options, Target, make_plan

PROFILES = sorted((ROOT / "profiles").glob("*.profdata.xz"))


def indexed(functions: int) -> bytes:
    """A profile's header and the header of its table."""
    return profile.MAGIC + struct.pack("<5Q", 12, 0, 0, 48, 0) + struct.pack("<2Q", 64, functions)


def target(
    monkeypatch: pytest.MonkeyPatch, arch: str = "x86_64", toolchain: str = "zig", *, plain: bool = False
) -> Target:
    monkeypatch.setattr(plan_module, "host_machine", lambda: "x86_64")
    return make_plan(load_facts(), Options(arches=(arch,), toolchain=toolchain, plain=plain)).targets[0]


@pytest.mark.parametrize("packed", PROFILES, ids=lambda p: p.name)
def test_profiles_are_ones_and_small(packed: Path, tmp_path: Path) -> None:
    assert packed.stat().st_size < 1 << 20
    profile.unpack(packed, tmp_path / "new/file")
    assert profile.functions_in((tmp_path / "new/file").read_bytes()) > 10000
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file"]


def test_what_is_no_profile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.xz").write_bytes(lzma.compress(b"something else"))
    with pytest.raises(StaticPythonError, match="not an indexed profile"):
        profile.unpack(tmp_path / "x.xz", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_check_counts_what_clang_said_since_the_last_build_began(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(indexed(950))
    old = "warning: profile data may be out of date: of 99 functions, 99 have mismatched data that will be ignored\n"
    begins = "\n#: begin\n(cd . && sh -c 'rm -rf $0 && mkdir -p $0' build/x)\n"
    new = (
        f"{begins}\n#: configure\n(cd x && env CC=y ../configure --z)\n"
        "warning: profile data may be out of date: of 12 functions, 1 has mismatched data that will be ignored [-Wx]\n"
        "warning: profile data may be incomplete: of 40 functions, 9 have no data [-Wprofile-instr-missing]\n"
    )
    (tmp_path / "log").write_text(begins + old + new)
    (tmp_path / "library").write_text(begins + old + begins)
    report = profile.check(tmp_path / "p", [tmp_path / "log", tmp_path / "library"])
    assert "fits 99.0% of the functions, 10 of 960 not" in report and "warning" not in report
    (tmp_path / "log").write_text(new + old)
    assert "warning: the profile is stale" in profile.check(tmp_path / "p", [tmp_path / "log"])


@pytest.mark.parametrize("arch", sorted(load_facts().arches))
def test_every_arch_gets_profile_and_lto(monkeypatch: pytest.MonkeyPatch, arch: str) -> None:
    made = target(monkeypatch, arch)
    assert made.profile in [str(p.relative_to(ROOT)) for p in PROFILES]
    assert any(f.startswith("-fprofile-instr-use=../../profiles/") for f in made.cflags_core)
    assert any(f.startswith("-flto") for f in made.cflags_core) and any(
        f.startswith("-flto") for f in made.ldflags_core
    )
    assert str(ROOT) not in " ".join(made.cflags_core + made.ldflags_core)


def test_start_up_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    made = target(monkeypatch)
    facts = load_facts()
    assert made.order and made.order == facts.series[facts.default_series].order
    assert any(f"=../../{made.order}" in f for f in made.ldflags_core)
    text = (ROOT / made.order).read_text()
    assert text.endswith((ROOT / "profiles/uncounted.order").read_text())
    names = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(names) == len(set(names)) and {"PyDict_SetItem", "type_ready", "Py_RunMain"} <= set(names)


def test_order_is_that_of_the_calls() -> None:
    shown = (
        "Counters:\n  main:\n    Hash: 0x0\n    Counters: 2\n    Function count: 1\n"
        "  ../Objects/dictobject.c;insert:\n    Hash: 0x1\n    Counters: 1\n    Function count: 7\n"
        "  never:\n    Hash: 0x2\n    Counters: 1\n    Function count: 0\n"
        "  file.c:also:\n    Hash: 0x3\n    Counters: 1\n    Function count: 1\nInstrumentation level: Front-end\n"
    )
    assert profile.called_in(shown) == ["insert", "also", "main"]


def test_plain_gets_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    made = target(monkeypatch, plain=True)
    assert (made.profile, made.order, made.cflags_core, made.ldflags_core) == (None, None, (), ())


def test_an_arch_has_its_own_link_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    arches = load_facts().arches
    for arch in arches.values():
        flags = target(monkeypatch, arch.name).ldflags_core
        assert list(flags[len(flags) - len(arch.lto_ldflags) :]) == arch.lto_ldflags
    assert any(arch.lto_ldflags for arch in arches.values()), "else the key is not needed"


def test_workload_names_its_parts() -> None:
    script = "import train; print(*train.SECTIONS)"
    run = subprocess.run(
        [sys.executable, "-B", "-c", script], cwd=ROOT / "profiles", capture_output=True, text=True, check=True
    )
    assert {"calls", "objects", "strings", "sqlite", "concurrency", "start_up"} <= set(run.stdout.split())
