"""Locales of libc.a, and what CPython makes of the environment (patches/musl/0024): as with glibc.

CPython on glibc printed the expected values, except where musl differs on purpose.
"""

from __future__ import annotations

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

pytestmark = pytest.mark.any_cpu("C code without a word of assembly")

# The locale, whether it is UTF-8 mode, and what CPython put into the environment.
SHOW = """
import locale, os, sys
print(locale.setlocale(locale.LC_CTYPE), sys.flags.utf8_mode, os.environ.get("LC_CTYPE"))
"""
COERCED = "C.UTF-8 1 C.UTF-8"


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, COERCED),
        ({"LANG": "C"}, COERCED),
        ({"LC_CTYPE": "POSIX"}, COERCED),
        ({"LC_ALL": "C"}, "C 1 None"),
        ({"LC_ALL": "POSIX"}, "C 1 None"),
        ({"PYTHONCOERCECLOCALE": "0"}, "C 1 None"),
        ({"LANG": "C.UTF-8"}, "C.UTF-8 0 None"),
        ({"LC_ALL": "C.UTF-8"}, "C.UTF-8 0 None"),
        ({"LANG": "en_US.UTF-8"}, "en_US.UTF-8 0 None"),
        ({"LANG": "sr_RS.utf8@latin"}, "sr_RS.utf8@latin 0 None"),
        ({"LC_CTYPE": "UTF-8"}, COERCED),
        ({"LANG": "no such locale"}, COERCED),
        ({"LC_ALL": "de_DE"}, "C 1 None"),
        ({"LC_ALL": "en_US.ISO-8859-1"}, "C 1 None"),
        ({"LC_ALL": "../x.UTF-8"}, "C 1 None"),
        ({"PYTHONUTF8": "1"}, COERCED),
    ],
)
def test_environment(target: BuiltTarget, environment: dict[str, str], shown: str) -> None:
    # From 3.15 on UTF-8 mode is on by itself (PEP 686).
    on = target.run("-c", "import sys; print(int(sys.version_info >= (3, 15)))") == "1"
    shown = shown.replace(" 0 ", " 1 ") if on else shown
    assert target.run("-c", SHOW, env=clean_environment(**environment)) == shown


NAMES = """
import locale as l
for name in "C", "POSIX", "C.UTF-8", "C.utf8", "xx_YY.UTF-8", "en_US.UTF-8", "de_DE@euro", "", "../x", "x" * 300, "C;C":
    for category in l.LC_ALL, l.LC_CTYPE, l.LC_TIME:
        try:
            print(l.setlocale(category, name), end=" ")
        except l.Error:
            print("-", end=" ")
print()
"""


def test_a_name_that_there_is_not(target: BuiltTarget) -> None:
    shown = target.run("-c", NAMES, env=clean_environment()).split()
    known = ["C"] * 6 + ["C.UTF-8"] * 3 + ["C.utf8"] * 3
    # Without variables, and with the one that CPython's coercion sets: LC_CTYPE.
    environment = "LC_CTYPE=C.UTF-8;LC_NUMERIC=C;LC_TIME=C;LC_COLLATE=C;LC_MONETARY=C;LC_MESSAGES=C"
    assert shown == [*known, *"-" * 9, environment, "C.UTF-8", "C", *"-" * 9]


def test_the_users_own_is_taken(target: BuiltTarget) -> None:
    program = """if 1:
        import locale as l
        every = l.setlocale(l.LC_ALL, "")
        print(every, l.setlocale(l.LC_ALL, every) == every, l.setlocale(l.LC_CTYPE, "de_DE.UTF-8"))
        others = "LC_NUMERIC=C;LC_COLLATE=C;LC_MONETARY=C;LC_MESSAGES=C"
        mixed = l.setlocale(l.LC_ALL, f"LC_TIME=C;LC_CTYPE=de_DE.UTF-8;{others}")
        print(mixed == l.setlocale(l.LC_ALL) == l.setlocale(l.LC_ALL, mixed), l.setlocale(l.LC_CTYPE), l.getlocale())
        l.setlocale(l.LC_ALL, "C;C;C;C;C;C.UTF-8")
        print(l.setlocale(l.LC_CTYPE), l.setlocale(l.LC_MESSAGES), l.localeconv()["decimal_point"], ascii("é".upper()))
    """
    shown = target.run("-c", program, env=clean_environment(LANG="de_DE.UTF-8")).splitlines()
    assert shown == [
        "de_DE.UTF-8 True de_DE.UTF-8",
        "True de_DE.UTF-8 ('de_DE', 'UTF-8')",
        "C C.UTF-8 . '\\xc9'",
    ]


def test_langinfo_without_eras(target: BuiltTarget) -> None:
    program = (
        "import locale; names = 'ERA', 'ERA_D_FMT', 'ERA_D_T_FMT', 'ERA_T_FMT', 'ALT_DIGITS', 'CRNCYSTR', 'T_FMT';"
        " print([locale.nl_langinfo(getattr(locale, name)) for name in names])"
    )
    assert target.run("-c", program) == "['', '', '', '', '', '-', '%H:%M:%S']"


def test_what_the_environment_may_name(target: BuiltTarget) -> None:
    program = """if 1:
        import locale
        try:
            print(locale.setlocale(locale.LC_ALL, ""), end=" ")
        except locale.Error:
            print("-", end=" ")
        print(locale.getlocale())
    """
    for name, shown in {
        "en_US.UTF-8": "en_US.UTF-8 ('en_US', 'UTF-8')",
        "garbage": "- (None, None)",
        "en_US.ISO-8859-1": "- (None, None)",
    }.items():
        assert target.run("-c", program, env=clean_environment(LC_ALL=name)) == shown, name
