"""The compilers for extension modules: _staticpython.toolchain, .cc and __main__."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from tests.unit.test_runtime_support import load

toolchain = load("toolchain")
cc = load("cc")
main_module = load("__main__")


def write_program(path: Path, text: str = "#!/bin/sh\n") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any compiler: PATH is tmp_path/bin, the tree tmp_path/tree."""
    for name in (
        "STATIC_PYTHON_CC",
        "STATIC_PYTHON_CXX",
        "STATIC_PYTHON_AR",
        "VIRTUAL_ENV",
        "PYTHONUSERBASE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "tree"))
    return tmp_path


def site_packages(base: Path) -> Path:
    return base / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"


# ---------------------------------------------------------------- which compiler


def test_nothing_found_says_what_to_install(machine: Path) -> None:
    assert cc.build_command("cc", ["-c", "x.c"]) is None
    assert f"{machine}/tree/bin/python3 -m pip install ziglang" in cc.explain("cc")


def test_order(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(tool: str = "cc") -> str:
        return str(cc.build_command(tool, ["-c", "x.c"])[0])

    monkeypatch.setattr(cc.os, "uname", lambda: type("U", (), {"machine": "x86_64"}))
    expected = write_program(machine / "bin" / "musl-gcc")
    assert chosen() == expected
    assert cc.build_command("c++", []) is None  # musl-gcc has no C++
    expected = write_program(machine / "bin" / "x86_64-linux-musl-gcc")
    assert chosen() == expected
    expected = write_program(machine / "bin" / "python-zig")
    assert chosen() == expected
    expected = write_program(machine / "bin" / "zig")
    assert chosen() == expected
    expected = write_program(site_packages(machine / "home" / ".local") / "ziglang" / "zig")
    assert chosen() == expected
    expected = write_program(site_packages(machine / "user") / "ziglang" / "zig")
    monkeypatch.setenv("PYTHONUSERBASE", str(machine / "user"))
    assert chosen() == expected
    expected = write_program(site_packages(machine / "tree") / "ziglang" / "zig")
    assert chosen() == expected
    expected = write_program(site_packages(machine / "venv") / "ziglang" / "zig")
    monkeypatch.setenv("VIRTUAL_ENV", str(machine / "venv"))
    assert chosen() == expected
    assert cc.build_command("cc", ["--zig=/a/zig", "x.c"])[0] == "/a/zig"
    monkeypatch.setenv("STATIC_PYTHON_CC", "ccache my-cc")
    assert cc.build_command("cc", ["--zig=/a/zig", "x.c"]) == ["ccache", "my-cc", "x.c"]
    assert chosen("c++") == expected  # each tool has its own variable


def test_musl_gcc_of_another_machine(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(machine / "bin" / "musl-gcc")
    monkeypatch.setattr(cc.os, "uname", lambda: type("U", (), {"machine": "aarch64"}))
    assert cc.build_command("cc", []) is None


@pytest.mark.parametrize(
    ("machine_name", "accepted"),
    [("x86_64-alpine-linux-musl", True), ("x86_64-linux-gnu", False), ("i586-alpine-linux-musl", False)],
)
def test_system_compiler_must_be_for_musl(machine: Path, machine_name: str, accepted: bool) -> None:
    program = write_program(machine / "bin" / "cc", f"#!/bin/sh\necho {machine_name}\n")
    assert cc._says_musl(program) is accepted


def test_the_systems_own_compiler_where_the_system_is_musl(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write_program(machine / "bin" / "cc", "#!/bin/sh\necho x86_64-alpine-linux-musl\n")
    monkeypatch.setattr(cc.path, "exists", lambda _: False)
    assert cc.build_command("cc", []) is None
    monkeypatch.setattr(cc.path, "exists", lambda name: name == "/lib/ld-musl-x86_64.so.1")
    assert cc.build_command("cc", ["x.c"]) == [program, "x.c"]
    assert cc.build_command("ar", []) is None
    for text in ("#!/bin/sh\necho x86_64-linux-gnu\n", "#!/bin/sh\necho x86_64-linux-musl; exit 1\n", "#!/nowhere\n"):
        write_program(machine / "bin" / "cc", text)
        assert cc.build_command("cc", []) is None, text
    (machine / "bin" / "cc").unlink()
    assert cc.build_command("cc", []) is None


def test_what_is_no_program(machine: Path) -> None:
    (machine / "bin" / "zig").mkdir(parents=True)
    (machine / "bin" / "python-zig").touch(0o644)
    assert cc.build_command("cc", []) is None


def test_a_program_that_cannot_be_run_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["-c", "cc", "x.c"])
    monkeypatch.setenv("STATIC_PYTHON_CC", str(machine / "gone"))
    with pytest.raises(SystemExit, match=f"x86_64-linux-musl-cc: error: cannot run {machine}/gone: No such file"):
        cc.main()
    monkeypatch.delenv("STATIC_PYTHON_CC")
    with pytest.raises(SystemExit, match="pip install ziglang"):
        cc.main()


def test_any_ar_will_do(machine: Path) -> None:
    expected = write_program(machine / "bin" / "ar")
    assert cc.build_command("ar", ["rcs", "x.a"]) == [expected, "rcs", "x.a"]
    assert cc.build_command("ar", ["--zig=/a/zig", "rcs", "x.a"]) == ["/a/zig", "ar", "rcs", "x.a"]


# ---------------------------------------------------------------- what Zig takes


def test_zig_gets_target_and_no_sanitizer() -> None:
    assert cc.zig_command("zig", "cc", ["-c", "x.c"]) == [
        "zig", "cc", "-target", "x86_64-linux-musl", "-Wno-error=date-time", "-fno-sanitize=all", "-c", "x.c",
    ]  # fmt: skip
    assert "-fno-sanitize=all" not in cc.zig_arguments(["-fsanitize=undefined"])


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("-Wl,--exclude-libs,ALL", None),
        ("-Wl,--exclude-libs=ALL", None),
        ("-Wl,--exclude-libs=ALL,-z,now", "-Wl,-z,now"),
        ("-Wl,-exclude-libs,ALL,-z,now", "-Wl,-z,now"),
        ("-Wl,-O1,--as-needed,-z,separate-code", "-Wl,--as-needed"),
        ("-Wl,-R,/x", "-Wl,-rpath,/x"),
        ("-Wl,-R/x", "-Wl,-rpath,/x"),
        ("-Wl,--symbolic", "-Wl,-Bsymbolic"),
        ("-Wl,--version-script=x.map", "-Wl,--version-script=x.map"),
        ("-march=x86-64-v3", "-march=x86_64_v3"),
        ("-march=haswell", "-march=haswell"),
        ("-mtune=generic", None),
        ("-fuse-ld=gold", None),
        ("-static-libgcc", None),
        ("-O3", "-O3"),
    ],
)
def test_arguments_for_zig(given: str, taken: str | None) -> None:
    expected = [taken] if taken else []
    assert cc.zig_arguments([given])[4:] == expected


def test_print_multiarch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["-c", "cc", "--print-multiarch"])
    cc.main()
    assert capsys.readouterr().out == "x86_64-linux-musl\n"


# ---------------------------------------------------------------- what sysconfig says


def config_vars(prefix: str) -> dict[str, object]:
    script = f"{prefix}/bin/x86_64-linux-musl-cc"
    quote = "'" if " " in prefix else ""
    return {
        "CC": f"{quote}{script}{quote}",
        "LDSHARED": f"{quote}{script}{quote} -shared",
        "AR": "ar",
        "RANLIB": 0,
        "X": 1,
    }


@pytest.mark.parametrize("name", ["tree", "my tree"])
def test_zig_of_the_environment_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    prefix = str(machine / name)
    monkeypatch.setattr(sys, "base_prefix", prefix)
    monkeypatch.setattr(sys, "prefix", str(machine / "venv"))
    monkeypatch.setattr(sys, "path", [])
    values = config_vars(prefix)
    toolchain.customize_config_vars(values)
    assert values == config_vars(prefix)

    zig = write_program(site_packages(machine / "venv") / "ziglang" / "zig")
    toolchain.customize_config_vars(values)
    before = config_vars(prefix)
    assert values["CC"] == f"{before['CC']} --zig={zig}"
    assert values["LDSHARED"] == f"{before['CC']} --zig={zig} -shared"
    assert (values["AR"], values["X"]) == ("ar", 1)


def test_zig_of_the_tree_needs_no_naming(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(site_packages(machine / "tree") / "ziglang" / "zig")
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(sys, "path", [str(site_packages(machine / "tree"))])
    values = config_vars(sys.base_prefix)
    toolchain.customize_config_vars(values)
    assert values == config_vars(sys.base_prefix)


def test_main(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for values, words in (
        ({"CC": "my cc", "CXX": "my c++", "AR": "my ar"}, "my {}"),
        ({}, "/tree/bin/x86_64-linux-musl-{}"),
    ):
        monkeypatch.setattr(sysconfig, "get_config_var", values.get)
        monkeypatch.setattr(sys, "base_prefix", "/tree")
        for tool in ("cc", "c++", "ar"):
            assert main_module.main([tool]) == 0
            assert capsys.readouterr().out == words.format(tool) + "\n"
    for wrong in (["ld"], ["cc", "ar"]):
        assert main_module.main(wrong) == 2
        assert "usage" in capsys.readouterr().err
    assert main_module.main(["--help"]) == 0
    assert "usage" in capsys.readouterr().out
    assert main_module.main([]) == 2
    assert "usage" in capsys.readouterr().err
