"""Users and groups beyond /etc/passwd: nscd's, and those of systemd's user database (runtime/musl/userdb.c).

``users/driver.py`` simulates both, in its own mount namespace.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import BuiltTarget, clean_environment
from tests.build.resolver.network import enter

pytestmark = pytest.mark.any_cpu("C code without a word of assembly, natively for 64 bits and on i386 for 32")

Ask = Callable[..., list[Any]]
MULTIPLEXER = ["io.systemd.Multiplexer"]
ANNA = {
    "userName": "anna",
    "uid": 70001,
    "gid": 70000,
    "realName": "Anna",
    "homeDirectory": "/h/anna",
    "shell": "/bin/zsh",
}


@pytest.fixture(scope="module")
def ask(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    unshare = enter()

    def run(*calls: list[Any], **scenario: Any) -> list[Any]:
        etc = tmp_path_factory.mktemp("etc")
        Path(etc, "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nlocal:x:500:500::/home/local:/bin/sh\n")
        Path(etc, "group").write_text("root:x:0:\nlocal:x:500:\nplayers:x:60:local,anna\n")
        done = subprocess.run(
            [*unshare, sys.executable, Path(__file__).parent / "users/driver.py", etc, *target.emulator, target.binary],
            input=json.dumps(scenario | {"calls": calls}),
            capture_output=True,
            text=True,
            timeout=300,
            env=clean_environment(),
        )
        assert done.returncode == 0 and not done.stderr, f"{scenario}\n{done.stdout}\n{done.stderr}"
        results, files = json.loads(done.stdout)
        assert files == 4, "files were left open"
        return list(results)

    return run


def test_files_alone(ask: Ask) -> None:
    users, groups, *rest = ask(
        *[
            ["getpwall"],
            ["getgrall"],
            ["getpwnam", "local"],
            ["getpwuid", 500],
            ["getpwnam", "anna"],
            ["getpwuid", 70001],
        ],
        *[["getgrnam", "anna"], ["getgrgid", 70001], ["getgrouplist", "local", 500], ["getgrouplist", "anna", 7]],
    )
    local = ["local", "x", 500, 500, "", "/home/local", "/bin/sh"]
    assert users == [["root", "x", 0, 0, "root", "/root", "/bin/sh"], local]
    assert groups == [["root", "x", 0, []], ["local", "x", 500, []], ["players", "x", 60, ["local", "anna"]]]
    assert rest == [local, local, "KeyError", "KeyError", "KeyError", "KeyError", [500, 60], [7, 60]]


def test_nscd(ask: Ask) -> None:
    many = [f"member{i}" for i in range(3000)]
    groups = {"staff": [70000, ["anna", "bob"]], "empty": [70010, []], "many": [70011, [*many, "anna"]]}
    data = {"users": {"anna": [70001, 70000, "Anna", "/h/anna", "/bin/zsh"]}, "groups": groups}
    anna = ["anna", "x", 70001, 70000, "Anna", "/h/anna", "/bin/zsh"]
    calls = [["getpwnam", "anna"], ["getpwuid", 70001], ["getpwnam", "nobody"], ["getpwuid", 70002], ["getpwuid", 500]]
    calls += [["getgrnam", "staff"], ["getgrgid", 70010], ["getgrnam", "many"], ["getgrnam", "none"], ["getgrgid", 1]]
    calls += [["getgrouplist", "anna", 70000], ["getgrouplist", "bob", 70000], ["getgrouplist", "local", 500]]
    assert ask(*calls, nscd=data) == [
        *[anna, anna, "KeyError", "KeyError", ["local", "x", 500, 500, "", "/home/local", "/bin/sh"]],
        *[["staff", "x", 70000, ["anna", "bob"]], ["empty", "x", 70010, []], ["many", "x", 70011, [*many, "anna"]]],
        *["KeyError", "KeyError", [70000, 60, 70011], [70000], [500, 60]],
    ]


def test_user_database(ask: Ask) -> None:
    homed = {"userName": "carl", "binding": {"0123": {"uid": 60001, "gid": 60001, "homeDirectory": "/home/carl"}}}
    odd = {"userName": 'DOM\\o"d', "uid": 70005, "realName": "Zoë 😀 \u4e2d/", "disposition": "dynamic"}
    users = [ANNA, homed, odd, {"userName": "bad\nname", "uid": 70006}, {"userName": "minus", "uid": -1}]
    users += [{"userName": "big", "uid": 2**32}, {"userName": "nouid"}, {"match": {"userName": "alias"}, **ANNA}]
    groups = [
        {"groupName": "staff", "gid": 70000, "members": ["anna", "bob", "anna"]},
        {"groupName": "empty", "gid": 70010},
        {"groupName": "many", "gid": 70011, "members": [f"member{i}" for i in range(3000)]},
    ]
    memberships = [["bob", "staff"], ["carl", "staff"], ["anna", "many"], ["anna", "none"], ["anna", "staff"]]
    data = {"services": MULTIPLEXER, "users": users, "groups": groups, "memberships": memberships}
    anna = ["anna", "x", 70001, 70000, "Anna", "/h/anna", "/bin/zsh"]
    calls = [["getpwnam", "anna"], ["getpwuid", 70001], ["getpwnam", "carl"], ["getpwuid", 60001], ["getpwuid", 70005]]
    calls += [["getpwnam", odd["userName"]], ["getpwuid", 70006], ["getpwnam", "bad\nname"], ["getpwnam", "minus"]]
    calls += [["getpwnam", name] for name in ("big", "nouid", "alias", "none", "", "x" * 255, "x" * 300)]
    calls += [["getgrnam", "staff"], ["getgrgid", 70010], ["getgrnam", "many"], ["getgrgid", 5], ["getgrgid", 60]]
    calls += [["getgrouplist", "anna", 70000], ["getgrouplist", "carl", 60001], ["getgrouplist", "none", 1]]
    carl, strange = ["carl", "x", 60001, 60001, "carl", "/home/carl", "/bin/sh"], odd["userName"]
    dynamic = [strange, "x", 70005, 70005, odd["realName"], "/", "/sbin/nologin"]
    expected = [
        *[anna, anna, carl, carl, dynamic, dynamic, *["KeyError"] * 10],
        *[["staff", "x", 70000, ["anna", "bob", "carl"]], ["empty", "x", 70010, []]],
        *[["many", "x", 70011, [*(f"member{i}" for i in range(3000)), "anna"]], "KeyError"],
        *[["players", "x", 60, ["local", "anna"]], [70000, 60, 70011], [60001, 70000], [1]],
    ]
    assert ask(*calls, userdb=data) == expected
    assert ask(*calls, userdb=data | {"ascii": False}) == expected


def test_services_without_the_multiplexer(ask: Ask) -> None:
    data = {"services": ["io.systemd.Home"], "users": [ANNA]}
    assert ask(["getpwuid", 70001], ["getpwuid", 1], userdb=data)[0][0] == "anna"


def test_nscd_comes_first(ask: Ask) -> None:
    nscd = {"users": {"anna": [1, 1, "", "/", ""]}, "groups": {}}
    calls = [["getpwnam", "anna"], ["getpwuid", 70001]]
    assert ask(*calls, nscd=nscd, userdb={"services": MULTIPLEXER, "users": [ANNA]}) == [
        ["anna", "x", 1, 1, "", "/", ""],
        "KeyError",
    ]


def test_a_service_that_does_not_answer_is_given_up(ask: Ask) -> None:
    assert ask(["getpwuid", 70001], userdb={"services": MULTIPLEXER, "silent": True}) == ["KeyError"]


def test_damaged_replies(target: BuiltTarget, ask: Ask) -> None:
    """No crash, no file left open, and no other user than the requested one, whatever the reply."""
    first = random.SystemRandom().randrange(1 << 32)
    print(f"seed {first}")
    bob = {"userName": 'bob\\"', "uid": 70002, "realName": 'Zoë 😀"', "binding": {"0": {"gid": 3, "shell": "/s"}}}
    groups = [{"groupName": "staff", "gid": 70000, "members": ["anna", "bob"]}, {"groupName": "o", "gid": 70010}]
    data = {"services": MULTIPLEXER, "users": [ANNA, bob], "groups": groups}
    data["memberships"] = [["anna", "staff"], ["anna", "o"], ["bob", "o"]]
    calls: list[list[Any]] = [["getpwnam", "anna"], ["getpwuid", 70001], ["getpwuid", 70002]]
    calls += [["getgrnam", "staff"], ["getgrgid", 70010]]
    calls = [*calls, ["getgrouplist", "anna", 1]] * 200

    def one(seed: int) -> None:
        results = ask(*calls, userdb=data | {"damage": seed})
        found = 0
        for (function, key, *_), result in zip(calls, results, strict=True):
            if isinstance(result, list) and function != "getgrouplist":
                assert key in result, seed
                found += 1
            else:
                assert function == "getgrouplist" or isinstance(result, str), seed
        assert found > 100, seed

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(first, first + (2 if target.emulator else 10))))
