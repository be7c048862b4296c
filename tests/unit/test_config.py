"""The YAML facts: errors name the file and the key."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import get_type_hints

import jsonschema
import pytest
import yaml

from staticpython import cli, load, rules
from staticpython.config import FILLED_IN, ROOT, Arch, Facts, Licence, Package, Release, Series, patches
from staticpython.errors import FactsError
from staticpython.keys import FILES, REFERENCE, SECTIONS, render_keys, render_schemas
from staticpython.load import load_facts
from staticpython.matrix import Variant
from staticpython.patch_headers import read_header
from staticpython.plan import Options, make_plan
from staticpython.render import fill, render
from staticpython.schema import is_derived, json_schema
from staticpython.schema import load as load_file

FACTS = load_facts()
SERIES = sorted(FACTS.series)
# Series with facts of their own, and variants of them.
BASES = [name for name in SERIES if not FACTS.series[name].variant_of]
VARIANTS = [name for name in SERIES if name not in BASES]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("configs/x86_64.yml", "triple:", "tripel:", ["configs/x86_64.yml", "tripel", "did you mean 'triple'"]),
        ("configs/x86_64.yml", "elf_class: 64", "elf_class: sixty-four", ["elf_class", "a whole number", "sixty-four"]),
        ("configs/x86_64.yml", "elf_class: 64\n", "", ["elf_class", "missing", "ELF class"]),
        ("configs/x86_64.yml", "cflags: [", "cflags: [7, ", ["cflags[0]", "text"]),
        (
            "configs/packages/zlib.yml",
            "kind: configure",
            "kind: configre",
            ["kind", "did you mean 'configure'", "cpython"],
        ),
        ("configs/packages/sqlite.yml", "needs: [zlib]", "needs: [zlip]", ["needs", "zlip", "did you mean 'zlib'"]),
        ("configs/packages/zlib.yml", "sha256: ", "sha256: X", ["releases[0].sha256", "64"]),
        ("configs/packages/zlib.yml", "in_tree: true", "in_tree: 3", ["in_tree", "true or false"]),
        ("configs/packages/zlib.yml", "kind: ", "\tkind: ", ["zlib.yml", "not valid YAML"]),
        (
            "configs/packages/tzdata.yml",
            "kind: data",
            "kind: data\ntrained: true",
            ["tzdata.yml", "trained", "configure"],
        ),
        (
            "configs/toolchains/zig.yml",
            "needs: [compiler-rt",
            "needs: [compiler-tr",
            ["zig.yml", "needs", "compiler-rt"],
        ),
        (
            "configs/packages/musl.yml",
            "only_for_speed: [runtime/musl/malloc.c",
            "only_for_speed: [runtime/musl/maloc.c",
            ["musl.yml", "only_for_speed", "did you mean 'runtime/musl/malloc.c'"],
        ),
        ("configs/toolchains/zig.yml", "family: clang", "family: clan", ["zig.yml", "family", "did you mean 'clang'"]),
        (
            "supported.txt",
            "x86_64-linux-musl ",
            "x86_64-linux-mulls ",
            ["supported.txt:2", "did you mean 'x86_64-linux", "or `triple` in configs/<arch>.yml"],
        ),
        *(
            (f"setup_local/{name}.yml", "[mathmodule.c]", "[mathmodule.c, -llz9]", ["modules.math.sources", "liblz9.a"])
            for name in BASES
        ),
        ("configs/packages/cpython.yml", "archive,-lz,", "archive,-lz9,", ["link", "libz9.a", "did you mean 'libz.a'"]),
        ("configs/packages/cpython.yml", "BZIP2_LIBS: -lbz2", "BZIP2_LIBS: -lbz", ["configure_env", "libbz.a"]),
        *(
            (f"setup_local/{name}.yml", "  math: {sources: [mathmodule.c]}", "  math: {}", ["modules.math", "disabled"])
            for name in BASES
        ),
        ("configs/common/release.yml", 'date: "', 'date: "x', ["release.yml", "date", "is no day"]),
        ("configs/packages/cpython.yml", "default_series: ", "default_series: x", ["default_series", "no series 'x"]),
        ("configs/packages/cpython.yml", "default_series: ", "# ", ["default_series", "missing"]),
        ("configs/packages/zlib.yml", "kind: ", "kind: make\nkind: ", ["zlib.yml:", "'kind' is given twice"]),
        (f"setup_local/{BASES[0]}.yml", "  math: ", "  math: {}\n  math: ", ["'math' is given twice"]),
        (
            "configs/packages/xz.yml",
            'version: "5.8.4"',
            "version: 5.8",
            ["version", "a number (5.8); put it in quotes"],
        ),
        (f"configs/series/{BASES[0]}.yml", 'date: "', "date: 2026-08-05 # ", ["date", "a date (2026-08-05); put it"]),
        ("configs/packages/xz.yml", "summary: ", "summary: '' # ", ["summary", "empty; it says"]),
        ("configs/packages/xz.yml", "size: 1", "size: -1", ["releases[0].size", "must not be negative"]),
        ("configs/packages/xz.yml", 'version: "5.8.1"', 'version: "5.8.4"', ["releases[1].version", "given twice"]),
        (
            "configs/packages/xz.yml",
            "0b54f79df85912504de0b14aec7971e3f964491af1812d83447005807513cd9e",
            "4ce24038fd4221e0d13bc1a2de7a4db56e90b92b3bf75321f6c14be73f65de4b",
            ["releases[1].sha256", "is that of 5.8.4"],
        ),
        ("configs/x86_64.yml", "triple: x86_64-linux-musl", "triple: x86_64-linux-gnu", ["triple", "<cpu>-linux-musl"]),
        ("configs/x86_64.yml", "zig_target: x86_64-linux-musl", "zig_target: x86_64-linux-muslx32", ["another ABI"]),
        ("configs/x86_64.yml", 'glibc_version: "2.28"', "glibc_version: two", ["glibc_version", "'two' is no version"]),
        ("configs/x86_64.yml", "emulator: qemu-x86_64", "emulator: qemu-x86_46", ["did you mean 'qemu-x86_64-static'"]),
        ("configs/packages/xz.yml", "- https://github.com/", "- github.com/", ["releases[0].urls", "https://"]),
        (
            "configs/packages/xz.yml",
            "/xz-5.8.4.tar.xz\n",
            "/xz-5.8.3.tar.xz\n",
            ["releases[0].urls", "there is no 4 in it"],
        ),
        ("configs/packages/openssl.yml", "{openssl_target}", "{openssl_taget}", ["did you mean '{openssl_target}'"]),
        ("configs/packages/xz.yml", "--disable-shared", "'{'", ["xz.yml", "'{'", "{{ and }}"]),
        ("configs/toolchains/zig.yml", "{package}", "{pakage}", ["zig.yml", "tools", "did you mean '{package}'"]),
        ("configs/toolchains/zig.yml", "  cc: ", "  kc: ", ["zig.yml", "tools", "cc"]),
        ("configs/launchers/ccache.yml", "command: ", "command: '{fam}' # ", ["command", "fam"]),
        ("configs/families/clang.yml", "{profile}", "{profil}", ["clang.yml", "did you mean '{profile}'"]),
        ("configs/x86_64.yml", "thread_stack_mib: 8", "thread_stack_mib: 0", ["thread_stack_mib", "1 to 1024"]),
        ("configs/packages/xz.yml", "kind: configure", "kind: cpython", ["kind: cpython", "cpython, xz"]),
        (
            "configs/packages/sqlite.yml",
            "needs: [zlib]",
            "needs: [tzdata]",
            ["sqlite.yml", "tzdata", "into no sysroot"],
        ),
        ("configs/packages/compiler-rt.yml", "source_of: ziglang", "source_of: linux-headers", ["has no releases"]),
        (f"setup_local/{BASES[0]}.yml", "feature: compression", "feature: math", ["feature: math", "a module's name"]),
        *(
            mistake
            for name in BASES
            for mistake in (
                (f"configs/series/{name}.yml", 'version: "', 'version: "2', ["releases[0].version", "another series"]),
                (f"configs/series/{name}.yml", "sha256: ", "sha256: X", [f"{name}.yml", "releases[0].sha256", "64"]),
                (f"configs/series/{name}.yml", 'date: "', 'date: "x', [f"{name}.yml", "date", "is no day"]),
                (f"configs/series/{name}.yml", "  runtime/", "  rntime/", [f"{name}.yml", "overlay: no file"]),
            )
        ),
    ],
)
def test_mistakes_are_named(project: Path, file: str, old: str, new: str, words: list[str]) -> None:
    edit(project / file, old, new)
    with pytest.raises(FactsError) as error:
        load_facts(project)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("schema", "name", "right", "wrong"),
    [
        (Arch, "elf_class", 64, 46),
        (Arch, "cpus", {}, {"x86 64": {}}),
        (Arch, "wheel_platforms", ["manylinux_2_17", "manylinux2014", "musllinux_1_1"], ["musllinux-1-1"]),
        (Arch, "openssl_target", "linux64-riscv64", "riscv64-linux"),
        (Release, "version", "3.15.0rc2", "v1.0.9"),
        (Release, "version", "5.8+x~1", "5.8 4"),
        (Release, "file", "xz-5.8.4.tar.xz", "x.rar"),
        (Release, "file", "a.whl", ".a.whl"),
        (Release, "file", "a.deb", "folder/a.deb"),
        (Release, "sha256", "0" * 64, "0" * 63),
        (Release, "urls", ["https://host.invalid/x"], ["host.invalid/x"]),
        (Release, "debian", "pool/main/x/xz-utils/x.tar.xz", "pool/main/z/xz-utils/x.tar.xz"),
        (Release, "debian", "pool/main/libe/libedit/x.tar.xz", "pool/main/l/libedit/x.tar.xz"),
        (Release, "debian", "pool/main/l/lib/x.tar.xz", "pool/main/lib/lib/x.tar.xz"),
        (Release, "inner", "folder/x..tar.xz", "folder/../../x.tar.xz"),
        (Package, "cpe", "openssl:openssl", "cpe:2.3:a:openssl"),
        (Package, "installs", ["lib/libz.a"], ["/lib/libz.a"]),
        (Package, "subset", ["a"], [".."]),
        (Package, "configure_script", "Configure", "../configure"),
        (Arch, "linux_headers", "x86", "../x86"),
        (Arch, "also", ["amd64"], ["amd 64"]),
        (Variant, "folder", "a/b", "../b"),
        (Package, "trees", {"gmp": "gmp"}, {"../gmp": "gmp"}),
        (Package, "overlay", {"runtime/x.c": "x.c"}, {"runtime/x.c": "a/.."}),
        (Licence, "files", ["a/COPYING"], ["/etc/passwd"]),
    ],
)
def test_a_text_has_its_form(schema: type, name: str, right: object, wrong: object, tmp_path: Path) -> None:
    """What `load` refuses in a text, the schema refuses in an editor."""
    validator = jsonschema.Draft202012Validator(json_schema(schema, "")["properties"][name])
    assert validator.is_valid(right) and not validator.is_valid(wrong)
    (field,) = (f for f in dataclasses.fields(schema) if f.name == name)
    alone = dataclasses.field(metadata=field.metadata)
    only = dataclasses.make_dataclass("Only", [(name, get_type_hints(schema)[name], alone)])
    for value in (right, wrong):
        (tmp_path / "x.yml").write_text(yaml.safe_dump({name: value}))
        with nullcontext() if value is right else pytest.raises(FactsError, match=f"x.yml: {name}.*: .* is not "):
            load_file(tmp_path / "x.yml", only)


@pytest.mark.parametrize(
    ("kind", "name", "changes", "words"),
    [
        (
            "packages",
            "zlib",
            {"replaced_by": "redline"},
            "zlib.yml: replaced_by: no package 'redline', did you mean 'rea",
        ),
        (
            "packages",
            "zlib",
            {"source_of": "cpyton"},
            "zlib.yml: source_of: no package 'cpyton', did you mean 'cpython'",
        ),
        ("packages", "zlib", {"trees": {"x": "none"}}, "zlib.yml: trees: no package 'none'"),
        ("packages", "zlib", {"licence": Licence("Zlib", [], ["none"])}, "zlib.yml: licence.texts: no file none"),
        ("packages", "zlib", {"source_of": "cpython"}, "zlib.yml: releases: give either releases or source_of"),
        ("packages", "zlib", {"releases": []}, "zlib.yml: releases: give either releases or source_of"),
        (
            "packages",
            "bzip2",
            {"install_files": {}},
            "bzip2.yml: install_files: missing; kind make runs no `make insta",
        ),
        ("packages", "xz", {"build_only": True}, "modules._lzma.needs: xz is no library"),
        (
            "packages",
            "xz",
            {"licence": Licence("0BSD", [])},
            "modules._lzma.needs: xz is linked, so its file must name lic",
        ),
        ("arches", "i386", {"configure": {"zlb": []}}, "i386.yml: configure: no package 'zlb', did you mean 'zlib'"),
        ("arches", "i386", {"configure": {"bzip2": []}}, "i386.yml: configure.bzip2: kind make has no configure"),
        ("arches", "i386", {"configure": {"zlib": ["{x}"]}}, "i386.yml: configure.zlib: no value for '{x}'"),
        ("toolchains", "zig", {"builds": ["gc"]}, "zig.yml: builds: no package 'gc', did you mean 'gcc'"),
        ("toolchains", "zig", {"package": "zlang"}, "zig.yml: package: no package 'zlang', did you mean 'ziglang'"),
        (
            "flavours",
            "small",
            {"without": ["ssll"]},
            "small.yml: without: no module or feature 'ssll', did you mean 'ssl'",
        ),
        ("series", BASES[0], {"profile": "profiles/none"}, "profile: no file profiles/none"),
        ("series", BASES[0], {"order": "profiles/none"}, "order: no file profiles/none"),
    ],
)
def test_what_is_named_is_there(kind: str, name: str, changes: dict[str, object], words: str) -> None:
    known = getattr(FACTS, kind)
    facts = dataclasses.replace(FACTS, **{kind: known | {name: dataclasses.replace(known[name], **changes)}})
    with pytest.raises(FactsError) as error:
        rules.check_facts(facts, ROOT)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"urls": [], "debian": None, "pypi": None}, "releases[0]: give at least one of urls, debian and pypi"),
        ({"debian": "pool/main/f/file/file_2.orig.tar.gz"}, "releases[0].debian: file_2.orig.tar.gz is of another ver"),
    ],
)
def test_mistakes_of_releases_are_named(changes: dict[str, object], words: str) -> None:
    release = Release("1", "file-1.tar.gz", 1, "0" * 64, ["http://host.invalid/file-1.tar.gz"])
    rules._check_releases(Path("x.yml"), [release])
    with pytest.raises(FactsError) as error:
        rules._check_releases(Path("x.yml"), [dataclasses.replace(release, **changes)])  # type: ignore[arg-type]
    assert f"x.yml: {words}" in str(error.value)


def test_mistakes_of_series_are_named() -> None:
    with pytest.raises(FactsError, match=r"releases: give one at least"):
        load._load_series(Path(f"{BASES[0]}.yml"), Series(BASES[0], {}, date="2026-01-01"), ROOT)
    with pytest.raises(FactsError, match=r"cpython.yml: releases: each series has its own"):
        rules.check_series(FACTS, ROOT)
    fewer = {name: series for name, series in FACTS.series.items() if name != BASES[-1]}
    with pytest.raises(FactsError, match=rf"a series without configs/series/{BASES[-1]}.yml"):
        rules.check_series(dataclasses.replace(FACTS, series=fewer), ROOT)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x86_64-linux-musl zigg by hand", ":1: unknown toolchain 'zigg', did you mean 'zig'"),
        ("x86_64-linux-musl zig", ":1: say what the pair is tested by"),
        ("", ":1: unknown triple ''"),
    ],
)
def test_mistakes_of_supported_pairs_are_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "supported.txt").write_text(f"{line}\n")
    with pytest.raises(FactsError) as error:
        list(load._load_supported(tmp_path / "supported.txt", FACTS))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "new", "words"),
    [
        ("(?s).+", "- a list", "the file: must be a mapping, not a list"),
        ("(?s).+", "", "the file: must be a mapping, not nothing"),
        ("elf_class: 64", "elf_class: true", "elf_class: must be a whole number, not true or false (True)"),
        ("elf_class: 64", "elf_class:", "elf_class: must be a whole number, not nothing"),
        (r"cpus:\n(  .*\n)+", "cpus: {}\n", "cpus: name one at least"),
    ],
)
def test_mistakes_of_arches_are_named(tmp_path: Path, pattern: str, new: str, words: str) -> None:
    text, count = re.subn(pattern, new, (ROOT / "configs/x86_64.yml").read_text())
    assert count == 1
    (tmp_path / "x.yml").write_text(text)
    with pytest.raises(FactsError) as error:
        load._load_arch(tmp_path / "x.yml", {})
    assert words in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match=r"none.yml: No such file"):
        load_file(tmp_path / "none.yml", Release)


def test_cycle_is_shown(project: Path) -> None:
    edit(project / "configs/packages/zlib.yml", "kind:", "needs: [sqlite]\nkind:")
    with pytest.raises(FactsError, match="sqlite -> zlib -> sqlite|zlib -> sqlite -> zlib"):
        load_facts(project)


def test_patches_need_their_package_and_version(project: Path) -> None:
    (project / "patches/musl-1.0").mkdir()
    with pytest.raises(FactsError, match=r"musl-1.0: patches for a version that is not there .*1\.2\.6"):
        load_facts(project)
    (project / "patches/musl-1.0").rename(project / "patches/mussl")
    with pytest.raises(FactsError, match="no package of that name, did you mean 'musl'"):
        load_facts(project)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("configs/packages/foo.yaml", b"", "foo.yaml: is not read: names of files here end with .yml"),
        ("configs/packages/f o.yml", b"", "the name must be of letters"),
        ("configs/all.yml", b"", "--arch all means every arch"),
        ("configs/packages/xz.yml", "summary: \xe9".encode("latin-1"), "xz.yml: not in UTF-8"),
        ("supported.txt", b"\xff", "supported.txt: not in UTF-8"),
        ("patches/cpython/0070-x.diff", b"", "0070-x.diff: name a patch by four digits"),
        ("patches/cpython/this.patch", b"", "this.patch: name a patch by four digits"),
        ("patches/cpython/0002-x.patch", b"", "0002-x.patch: the number is that of 0002-sysconfig"),
        ("patches/0070-x.patch", b"", "0070-x.patch: belongs in the folder of its package"),
    ],
)
def test_files_that_nothing_would_read_are_named(project: Path, file: str, text: bytes, words: str) -> None:
    if file == "configs/all.yml":
        other = (project / "configs/riscv64.yml").read_text()
        text = other.replace("riscv64-linux", "all-linux").replace("wheel_arch: riscv64", "wheel_arch: all").encode()
    (project / file).write_bytes(text)
    with pytest.raises(FactsError, match=words):
        load_facts(project)


def test_a_path_stands_in_a_list_once(project: Path) -> None:
    file = project / "configs/packages/mimalloc.yml"
    file.write_text(file.read_text().replace("subset: [", "subset: [Objects/mimalloc, "))
    with pytest.raises(FactsError, match=r"mimalloc\.yml: subset: Objects/mimalloc stands there twice"):
        load_facts(project)


def test_archives_of_two_cpus_differ_in_name() -> None:
    (first, *_) = FACTS.arches["x86_64"].cpus.values()
    twice = dataclasses.replace(FACTS.arches["x86_64"], cpus={"a": first, "b": first})
    with pytest.raises(FactsError, match="cpus.b.download: is that of a"):
        rules.check_arch(Path("x.yml"), twice)


def test_what_an_editor_leaves_is_no_mistake(project: Path) -> None:
    for file in ("configs/packages/xz.yml~", "patches/cpython/.0070-x.patch.swp"):
        (project / file).touch()
    assert load_facts(project).packages


def test_what_is_filled_in_is_known() -> None:
    """`_check_texts` allows the names that `fill` has."""
    (target,) = make_plan(FACTS, Options(arches=("x86_64",))).targets
    assert all(fill(f"{{{name}}}", target) for name in FILLED_IN)


def test_patches_apply_by_leading_version(project: Path) -> None:
    package = load_facts(project).packages["musl"]
    for name in ("musl-1.2", "musl-1.2.6", "musl-1.2.5"):
        (project / "patches" / name).mkdir()
        (project / "patches" / name / "0001-x.patch").touch()
    (project / "patches/musl-1.2.6/0001-x.patch").rename(project / "patches/musl-1.2.6/9999-y.patch")
    found = patches(package, "1.2.6", project)
    names = [p.parent.name for p in found]
    assert {"musl", "musl-1.2", "musl-1.2.6"} == set(names)
    # One order for all folders: by number.
    assert [p.name for p in found] == sorted(p.name for p in found)
    assert names.index("musl-1.2") <= 1 and names[-1] == "musl-1.2.6"


@pytest.fixture
def newer(project: Path) -> Path:
    """The folder of patches of an additional series, which is the default one under another number."""
    facts = load_facts(project)
    name = facts.default_series
    series = (project / f"configs/series/{name}.yml").read_text()
    for release in facts.series[name].releases:
        series = series.replace(f'"{release.version}"', '"9.9.1"')
    (project / "configs/series/9.9.yml").write_text(series)
    shutil.copy(project / f"setup_local/{name}.yml", project / "setup_local/9.9.yml")
    return project / "configs/series/9.9.yml"


def does_without(newer: Path, *names: str) -> None:
    """Set the patches that the additional series lacks, instead of earlier ones."""
    text = newer.read_text().partition("lacking:\n")[0]
    newer.write_text(text + "".join(["lacking:\n", *(f"  {name}: why\n" for name in names)]))


def test_a_series_has_the_patches_of_every_series(project: Path, newer: Path) -> None:
    """A series replaces a patch by its own of the same name, or lacks it with a reason."""
    facts = load_facts(project)
    release = facts.series["9.9"].releases[0]
    first, second, *_ = (p for p in patches(facts.cpython, release.version, project))
    assert first.parent.name == "cpython"
    own = project / "patches/cpython-9.9" / first.name
    own.parent.mkdir()
    shutil.copy(first, own)
    does_without(newer, second.stem)
    facts = load_facts(project)
    found = patches(facts.in_series(facts.cpython, "9.9"), release.version, project)
    assert own in found and first not in found and second not in found
    assert not [p for p in found if p.name == second.name]


def test_a_series_that_lacks_what_another_needs_says_why(project: Path, newer: Path) -> None:
    """A series cannot forget another one's patch, unless it is for speed."""
    facts = load_facts(project)
    needed = next(p for p in patches(facts.cpython, "3.14.7", project) if read_header(p).kind != "speed")
    own = project / "patches/cpython-9.9/0999-more.patch"
    own.parent.mkdir()
    shutil.copy(needed, own)
    with pytest.raises(FactsError, match=r"3\.13\.yml: patches of 9\.9 that 3\.13 lacks: 0999-more;"):
        load_facts(project)
    own.write_text(own.read_text().replace(f"Kind: {read_header(needed).kind}", "Kind: speed"))
    load_facts(project)
    does_without(newer, "0000-nothing")
    with pytest.raises(FactsError, match="lacking: no patch '0000-nothing'"):
        load_facts(project)
    does_without(newer, "0999-more")
    with pytest.raises(FactsError, match="lacking: 0999-more is there"):
        load_facts(project)


@pytest.mark.parametrize("series", SERIES)
def test_a_release_is_its_series(series: str) -> None:
    """Code that knows only the series, as unpack does, gets the same package as the plan."""
    facts = load_facts()
    made = make_plan(facts, Options(arches=("x86_64",), python=series))
    (source,) = (s for s in made.sources if s.name == "cpython")
    found = facts.in_series(facts.packages["cpython"], series)
    base = facts.series[series].variant_of or series
    assert made.series.name == series and made.version.startswith(f"{base}.")
    assert (found.overlay, found.only_for_speed) == (source.package.overlay, source.package.only_for_speed)
    assert {p.parent.name for p in source.patches} <= {"cpython", f"cpython-{base}"}
    assert source.patches == tuple(patches(found, made.version.removesuffix(made.series.abi_flags)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_its_series_and_something_more(variant: str) -> None:
    facts = load_facts()
    own = facts.series[variant]
    assert own.variant_of
    base = facts.series[own.variant_of]
    assert (own.releases, own.modules, own.date) == (base.releases, base.modules, base.date)
    assert own.configure[: len(base.configure)] == base.configure and len(own.configure) > len(base.configure)
    for version in (variant, own.full_version(base.releases[0].version)):
        made = make_plan(facts, Options(arches=("x86_64",), python=version))
        assert (made.series.name, made.version) == (variant, base.releases[0].version)
    assert made.targets[0].flavour.library == (own.library and base.library)
    trees = {view.name for view in (made, make_plan(facts, Options(arches=("x86_64",), python=base.name)))}
    assert trees == {made.version, own.full_version(made.version)}, "two trees in dist/"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("variant_of: '9.9'", r"variant_of: no series '9\.9'"),
        ("variant_of: 'VARIANT'", "variant_of: no series"),
        ("variant_of: 'OTHER'", "variant_of: name the file .*<ABI flags>"),
        ("variant_of: 'BASE'\ndate: '2026-01-01'", "date: .* has that of"),
    ],
)
def test_mistakes_of_variants_are_named(project: Path, variant: str, new: str, words: str) -> None:
    base = load_facts(project).series[variant].variant_of
    assert base
    (other, *_) = (name for name in BASES if name != base)
    text = new.replace("VARIANT", variant).replace("OTHER", other).replace("BASE", base)
    edit(project / f"configs/series/{variant}.yml", f'variant_of: "{base}"', text)
    with pytest.raises(FactsError, match=words):
        load_facts(project)


def test_a_new_series_needs_its_modules(project: Path) -> None:
    shutil.copy(project / f"configs/series/{BASES[-1]}.yml", project / "configs/series/9.99.yml")
    with pytest.raises(FactsError, match=r"series/9\.99\.yml: no .*/setup_local/9\.99\.yml, .*: copy that of"):
        load_facts(project)
    (project / "configs/series/9.99.yml").rename(project / "configs/series/foo.yml")
    with pytest.raises(FactsError, match=r"series/foo\.yml: is named by no series, as 3\.16\.yml is"):
        load_facts(project)


def test_the_facts_are_well() -> None:
    facts = load_facts()
    assert {"x86_64", "i386", "aarch64", "riscv64"} <= set(facts.arches)
    assert facts.packages["openssl"].releases


def test_every_key_is_documented() -> None:
    written = {REFERENCE: render_keys(), **render_schemas()}
    for path, text in written.items():
        assert (ROOT / path).read_text() == text, "run: python -m staticpython.keys"
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs/schemas").iterdir()} < set(written)


@pytest.mark.parametrize("pattern", FILES)
def test_editors_know_every_file(pattern: str, tmp_path: Path) -> None:
    """Each YAML file names its schema in its first line, and is valid. The schema refuses what `load` refuses."""
    schema_path, _, schema = FILES[pattern]
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / schema_path).read_text()))
    paths = sorted(ROOT.glob(pattern))
    assert paths
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# yaml-language-server: $schema={os.path.relpath(ROOT / schema_path, path.parent)}\n")
        data = yaml.safe_load(text)
        assert list(validator.iter_errors(data)) == []
        for wrong in (data | {"unknown": "x"}, *(data | {name: 1.5} for name in data)):
            assert not validator.is_valid(wrong)
            (tmp_path / "wrong.yml").write_text(yaml.safe_dump(wrong))
            with pytest.raises(FactsError):
                load_file(tmp_path / "wrong.yml", schema)


# Helpers that make runs, and the tests of builds: they read facts and the plan's JSON.
HELPERS = [
    *("fetch", "fetched", "unpack", "assemble", "verify", "emulate", "profile", "toolchain", "size", "stdlib_tests"),
    *("matrix", "wheel_table", "setup_local", "published", "wheel", "image", "sbom", "provenance", "abi", "inventory"),
]


def names_in_helpers() -> set[str]:
    """Return the attributes and keys that these files read, from their syntax trees."""
    found = set()
    files = [ROOT / f"staticpython/{n}.py" for n in HELPERS]
    for path in [*files, *ROOT.glob("bench/*.py"), *ROOT.glob("tests/build/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                found.add(str(node.slice.value))
    return found


def unread(facts: Facts, plans: list[Options], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return keys, with their class, that nothing reads: not a plan, its rendering, a list of choices or a helper."""
    keys = {(schema, f.name) for _, schema in SECTIONS for f in dataclasses.fields(schema) if not is_derived(f)}
    read: set[tuple[type, str]] = set()
    for _, schema in SECTIONS:

        def recording(self: object, name: str) -> object:
            # plan.json and copies contain every field, so they do not count as readers.
            if sys._getframe(1).f_globals["__name__"] not in ("dataclasses", "copy"):
                read.add((type(self), name))
            return object.__getattribute__(self, name)

        monkeypatch.setattr(schema, "__getattribute__", recording)
    for options in plans:
        render(make_plan(facts, options), ROOT, [])
    cli.main(["--list", "--json"])
    monkeypatch.undo()
    helpers = names_in_helpers()
    return {f"{schema.__name__}.{name}" for schema, name in keys - read if name not in helpers}


def test_every_key_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = load_facts()
    plans = [Options(arches=tuple(facts.arches), with_gpl=gpl) for gpl in (False, True)]
    plans += [Options(arches=("x86_64",), toolchain=name) for name in facts.toolchains if name != "gcc"]
    plans += [Options(arches=("x86_64",), launcher=name) for name in facts.launchers]
    plans += [Options(arches=("x86_64",), flavour=name) for name in facts.flavours]
    plans += [Options(arches=("x86_64",), python=name) for name in facts.series]
    documentation = {"Expectation.reason", "Difference.handled"}
    assert unread(facts, plans, monkeypatch) <= documentation


def test_an_unused_key_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is planned here, so keys that only a plan reads are reported as unused."""
    assert "Arch.openssl_target" in unread(load_facts(), [], monkeypatch)
