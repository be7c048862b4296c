"""Every library is hidden from libraries that the interpreter loads, unless its facts say `exported`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from staticpython.errors import FactsError
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.render import render


def test_the_list_is_what_is_there(tmp_path: Path) -> None:
    made = make_plan(load_facts(), Options(arches=("x86_64",)))
    makefile = render(made, tmp_path, [])[Path("Makefile")]
    library, source = tmp_path / "build/x86_64/sysroot/usr/lib", tmp_path / "build/sources/cpython"
    library.mkdir(parents=True)
    source.mkdir(parents=True)
    for name in ("libc.a", "libz.a", "libnew.a", "libzz.a", "libssl.a", "rcrt1.o"):
        (library / name).touch()
    (source / "Makefile.pre.in").write_text(
        "LIBX_A= Modules/x/libx.a\nLIBY_LIB_STATIC=Modules/y/liby.a\nLIBX_A2= x\nLDLIBRARY=@L@\n"
    )
    (line,) = re.findall(r"^x86_64_HIDDEN = (?:.*\\\n)*.*$", makefile, re.MULTILINE)
    (tmp_path / "mk").write_text(f"TOP := $(CURDIR)\n{line}\nall:\n\t@echo '$(x86_64_HIDDEN)'\n")
    run = subprocess.run(["make", "-s", "-f", "mk"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "libnew.a:libssl.a:libzz.a:libx.a:liby.a"
    assert "-Wl,--exclude-libs=$(x86_64_HIDDEN)" in makefile


def test_what_is_exported_names_its_archives(project: Path) -> None:
    path = project / "configs/packages/zlib.yml"
    text = path.read_text()
    assert "lib/libz.a" in text
    path.write_text(text.replace("lib/libz.a, ", ""))
    with pytest.raises(FactsError, match="installs: name the archives"):
        load_facts(project)
