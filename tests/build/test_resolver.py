"""Names from DNS and /etc/hosts (patches/musl/0026 to 0029), with the test's own name servers and network."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import LIBC_CHECKS, BuiltTarget, compile_program
from tests.build.resolver.network import Lookup, Scenario, lookup, of_glibc, of_target

pytestmark = pytest.mark.any_cpu("C code without a word of assembly, natively for 64 bits and on i386 for 32")

NONAME, AGAIN, NODATA = (["gaierror", number] for number in (-2, -3, -5))
A, AAAA = ["192.0.2.1"], ["2001:db8::1"]
ERRORS = ("servfail", "refused", "notimp", "formerr")
SERVER = "nameserver 127.0.0.1\n"
# The limit for "at once" on a busy machine; the scenarios' time limit and musl's five seconds are longer.
AT_ONCE = 2.5


@pytest.fixture(scope="module")
def resolve(target: BuiltTarget) -> Lookup:
    return of_target(target)


def by_name(name: str, family: int = 0) -> list[Any]:
    return ["getaddrinfo", name, 80, family, 1]


def scenario(zone: dict[str, Any], *calls: list[Any], resolv: str = SERVER, **more: Any) -> Scenario:
    return {"resolv": resolv, "zone": {"127.0.0.1": zone}, "calls": list(calls), **more}


def pair(a: Any, aaaa: Any, name: str = "name.test") -> dict[str, Any]:
    return {f"{name} A": a, f"{name} AAAA": aaaa}


def addresses(result: Any) -> Any:
    """Return the addresses in getaddrinfo's result, or its error."""
    if isinstance(result, list) and result and isinstance(result[0], list):
        return [entry[4][0] for entry in result]
    return result


def one(resolve: Lookup, *scenarios: Scenario) -> list[tuple[Any, float]]:
    """Return the result of each scenario's only call, and the seconds it took."""
    return [(addresses(calls[0][0]), calls[0][1]) for calls in resolve(scenarios)]


@pytest.mark.parametrize("family", ["A", "AAAA"])
def test_an_address_is_found_whatever_becomes_of_the_other_family(resolve: Lookup, family: str) -> None:
    others = ["nodata", "nxdomain", *ERRORS, "silent", ["tcp", "silent"], ["tcp", "refused"], ["slow", 4, A]]
    zones = [pair(A, other) if family == "A" else pair(other, AAAA) for other in others]
    cases = [scenario(zone, by_name("name.test")) for zone in zones]
    for other, (result, seconds) in zip(others, one(resolve, *cases), strict=True):
        assert result == (A if family == "A" else AAAA), other
        assert seconds < AT_ONCE, other


def test_an_answer_that_is_slow_is_waited_for(resolve: Lookup) -> None:
    slow = scenario(pair(A, ["slow", 0.3, AAAA]), by_name("name.test"))
    lost = scenario(pair(A, ["once", "silent", AAAA]), by_name("name.test"))
    slower = scenario(pair(["slow", 1, A], ["slow", 2, AAAA]), by_name("name.test"))
    for result, seconds in one(resolve, slow, lost, slower):
        assert sorted(result) == sorted(A + AAAA)
        assert seconds < 4


def test_records_that_do_not_tell_are_no_answer(resolve: Lookup) -> None:
    """An alias without an address is no answer for the other family, which must be waited for."""
    zone = pair(["alias", "other.test", []], ["slow", 2, AAAA])
    assert [result for result, _ in one(resolve, scenario(zone, by_name("name.test")))] == [AAAA]


@pytest.mark.parametrize("error", [*ERRORS, ["tcp", "servfail"]])
def test_errors_of_both_families_are_told_at_once(resolve: Lookup, error: Any) -> None:
    ((result, seconds),) = one(resolve, scenario(pair(error, error), by_name("name.test")))
    assert (result, seconds < AT_ONCE) == (AGAIN, True)


def test_without_a_server_or_a_network_there_is_an_error_at_once(resolve: Lookup) -> None:
    results = one(
        resolve,
        {"resolv": SERVER, "calls": [by_name("name.test")]},
        {"resolv": None, "calls": [by_name("name.test")]},
        {"resolv": "nameserver 198.51.100.1\nnameserver 2001:db8::53\n", "calls": [by_name("name.test")]},
        {"resolv": "nameserver 198.51.100.1\n", "network": False, "calls": [by_name("name.test")]},
        {"resolv": "nameserver ::1\n", "calls": [["gethostbyname_ex", "name.test"]]},
    )
    for result, seconds in results:
        assert (result, seconds < AT_ONCE) == (AGAIN, True)


def test_a_server_that_is_not_there_does_not_matter_when_another_is(resolve: Lookup) -> None:
    dead = "nameserver ::1\nnameserver 127.0.0.7\nnameserver 127.0.0.1\n"
    ((result, seconds),) = one(resolve, scenario(pair(A, AAAA), by_name("name.test"), resolv=dead))
    assert (result, seconds < AT_ONCE) == (AAAA + A, True)


def test_who_does_not_answer_is_asked_again_until_the_time_is_up(resolve: Lookup) -> None:
    retry = scenario(
        pair(["once", "silent", A], ["once", "silent", AAAA]),
        by_name("name.test"),
        resolv=SERVER + "options timeout:4 attempts:4\n",
    )
    silent = scenario(pair("silent", "silent"), by_name("name.test"), resolv=SERVER + "options timeout:3\n")
    (found, soon), (error, late) = one(resolve, retry, silent)
    assert (found, 0.9 < soon < 3) == (AAAA + A, True), soon
    assert (error, 2.9 < late < 5) == (AGAIN, True), late


def test_options_of_zero(resolve: Lookup) -> None:
    options = [f"{SERVER}options {o}\n" for o in ("attempts:0", "timeout:0", "timeout:0 attempts:0 rotate", "ndots:0")]
    results = one(resolve, *(scenario(pair(A, AAAA), by_name("name.test"), resolv=o) for o in options))
    assert [result for result, _ in results] == [AAAA + A] * len(options)


@pytest.mark.parametrize("failing", [*ERRORS, "silent", "nodata", "nxdomain", ["alias", "other.test", []]])
def test_a_failing_domain_does_not_end_the_search(resolve: Lookup, failing: Any) -> None:
    zone = pair(failing, failing, "name.bad.test") | pair(A, AAAA, "name.good.test")
    resolv = SERVER + "search bad.test good.test other.test\noptions timeout:2\n"
    ((result, seconds),) = one(resolve, scenario(zone, by_name("name"), resolv=resolv))
    assert result == AAAA + A
    assert seconds < (5 if failing == "silent" else 1.9)


def test_a_search_ends_with_what_went_wrong(resolve: Lookup) -> None:
    resolv = SERVER + "search bad.test good.test\n"
    bad = pair("servfail", "servfail", "name.bad.test")
    empty = pair("nodata", "nodata", "name.good.test")
    results = one(resolve, *(scenario(zone, by_name("name"), resolv=resolv) for zone in (bad, empty, bad | empty, {})))
    assert [result for result, _ in results] == [AGAIN, NODATA, AGAIN, NONAME]


def test_dots(resolve: Lookup) -> None:
    zone = pair(A, "nodata", "a.b") | pair(["192.0.2.2"], "nodata", "c.d.good.test") | pair("silent", "silent", "e.f")
    zone |= pair(["192.0.2.3"], "nodata", "a.b.good.test") | pair(["192.0.2.4"], "nodata", "e.f.good.test")
    calls = [by_name(name) for name in ("a.b", "c.d", "c.d.", "a.b.", "e.f")]
    one_dot, two_dots = resolve(
        [
            scenario(zone, *calls, resolv=SERVER + "search good.test\noptions timeout:1\n"),
            scenario(zone, *calls, resolv=SERVER + "options timeout:1 ndots:2\ndomain good.test\n"),
        ]
    )
    # If nobody answers for a name in time, it is not searched for, unless the search list comes first.
    expected = [A, ["192.0.2.2"], NONAME, A, AGAIN]
    assert [addresses(result) for result, _ in one_dot] == expected
    expected = [["192.0.2.3"], ["192.0.2.2"], NONAME, A, ["192.0.2.4"]]
    assert [addresses(result) for result, _ in two_dots] == expected


def test_long_search_list(resolve: Lookup) -> None:
    domains = [f"domain-{i}.with.a.long.name.test" for i in range(30)]
    zone = pair(A, AAAA, f"name.{domains[-1]}")
    assert (
        one(resolve, scenario(zone, by_name("name"), resolv=f"{SERVER}search {' '.join(domains)}\n"))[0][0] == AAAA + A
    )


@pytest.mark.parametrize("hosts", [None, "", "192.0.2.9 other\n"])
def test_localhost_needs_no_file(resolve: Lookup, hosts: str | None) -> None:
    names = ("localhost", "LOCALHOST", "localhost.", "app.localhost", "a.b.localhost.")
    calls = [by_name(name, family) for name in names for family in (0, 2, 10)]
    # A server with another answer is not asked.
    zone = {
        f"{name.rstrip('.').lower()} {kind}": answer for name in names for kind, answer in (("A", A), ("AAAA", AAAA))
    }
    (results,) = resolve([scenario(zone, *calls, hosts=hosts)])
    assert [addresses(result) for result, _ in results] == [["::1", "127.0.0.1"], ["127.0.0.1"], ["::1"]] * len(names)


def test_hosts_come_before_localhost(resolve: Lookup) -> None:
    names = [by_name(name) for name in ("localhost", "app.localhost", "xlocalhost", "localhost.test")]
    (results,) = resolve([scenario({}, *names, hosts="192.0.2.9 app.localhost\n127.0.0.5 localhost\n")])
    assert [addresses(result) for result, _ in results] == [["127.0.0.5"], ["192.0.2.9"], NONAME, NONAME]


@pytest.mark.parametrize("count", [47, 48, 49, 96, 97, 300, 1000, 2000])
def test_many_addresses(resolve: Lookup, count: int) -> None:
    v4 = [f"192.0.{i // 250}.{i % 250}" for i in range(count)]
    v6 = [f"2001:db8::1:{i:x}" for i in range(count)]
    calls = [by_name("name.test"), by_name("name.test", 2), by_name("name.test", 10)]
    hosts = "".join(f"{address} name.test\n" for address in v4)
    dns, file = resolve([scenario(pair(v4, v6), *calls), scenario({}, by_name("name.test", 2), hosts=hosts)])
    assert [addresses(result) for result, _ in dns] == [v6 + v4, v4, v6]
    assert [addresses(result) for result, _ in file] == [v4]


def test_all_addresses_of_hostent(resolve: Lookup) -> None:
    v4 = [f"192.0.{i // 250}.{i % 250}" for i in range(300)]
    (((result, _),),) = resolve([scenario(pair(v4, "nodata"), ["gethostbyname_ex", "name.test"])])
    assert result == ["name.test", [], v4]


def test_truncated_answers_come_by_tcp(resolve: Lookup) -> None:
    zones = [pair(["tcp", A], ["tcp", AAAA]), pair(["tcp", A], AAAA), pair(A, ["tcp", ["slow", 0.3, AAAA]])]
    for result, seconds in one(resolve, *(scenario(zone, by_name("name.test")) for zone in zones)):
        assert (sorted(result), seconds < AT_ONCE) == (sorted(A + AAAA), True)


def test_reverse(resolve: Lookup) -> None:
    zone = {"7.2.0.192.in-addr.arpa PTR": ["seven.test"], "9.2.0.192.in-addr.arpa PTR": "servfail"}
    calls: list[list[Any]] = [["gethostbyaddr", f"192.0.2.{n}"] for n in (5, 7, 8, 9)]
    calls += [["getnameinfo", ["192.0.2.8", 80], flags] for flags in (0, 8)]
    (results,) = resolve([scenario(zone, *calls, hosts="192.0.2.5 five.test\n")])
    assert [result for result, _ in results] == [
        ["five.test", [], ["192.0.2.5"]],
        ["seven.test", [], ["192.0.2.7"]],
        ["herror", 1],
        ["herror", 2],
        ["192.0.2.8", "http"],
        ["gaierror", -2],
    ]


def test_threads(resolve: Lookup) -> None:
    zone = pair(["slow", 0.2, A], ["slow", 0.1, AAAA])
    (((results, seconds),),) = resolve([scenario(zone, [16, *by_name("name.test")])])
    assert [sorted(addresses(result)) for result in results] == [sorted(A + AAAA)] * 16
    assert seconds < 5


def test_cancelling(target: BuiltTarget, tmp_path: Path) -> None:
    """A thread that is cancelled while it waits for a server leaves no file open."""
    program = compile_program(target, LIBC_CHECKS / "cancelled_lookup.c", tmp_path / "cancelled")
    v4 = [f"192.0.{i // 250}.{i % 250}" for i in range(400)]
    zone = pair("silent", "silent") | pair(["tcp", "silent"], "silent", "tcp.test")
    zone |= pair(["tcp", ["slow", 0.15, v4]], "nodata", "long.test")
    command = [*target.emulator, str(program), "name.test", "tcp.test", "long.test"]
    run = lookup(["true"], target.arch)
    assert run([scenario(zone) | {"program": command}]) == ["ok\n"]


def outcome(kinds: list[Any]) -> Any:
    """Return the expected result for a family from the servers' answers: the right one if any server has it."""
    for kind in kinds:
        if kind not in (*ERRORS, "silent", "dead"):
            return kind
    return "silent" if "silent" in kinds else "failed"


def test_random_answers(target: BuiltTarget, resolve: Lookup) -> None:
    """Up to three servers, each of which answers correctly for a family, or fails in its own way."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    random_ = random.Random(seed)
    scenarios, outcomes = [], []
    for _ in range(24 if target.emulator else 80):
        servers = [f"127.0.0.{i + 1}" for i in range(random_.randint(1, 3))]
        dead = [server for server in servers if random_.random() < 0.2]
        zones: dict[str, dict[str, Any]] = {server: {} for server in servers if server not in dead}
        learned = []
        for family, known in (("A", A), ("AAAA", AAAA)):
            truth = random_.choice([known, known, ["tcp", known], ["slow", 0.1, known], "nodata", "nxdomain"])
            kinds: list[Any] = ["dead"] * len(dead)
            for zone in zones.values():
                kind = truth if random_.random() < 0.5 else random_.choice([*ERRORS, "silent"])
                zone[f"name.test {family}"] = kind
                kinds.append(kind)
            learned.append(outcome(kinds))
        resolv = "".join(f"nameserver {server}\n" for server in servers) + "options timeout:4\n"
        scenarios.append({"resolv": resolv, "zone": zones, "calls": [by_name("name.test")]})
        outcomes.append(learned)
    for case, learned, (result, seconds) in zip(scenarios, outcomes, one(resolve, *scenarios), strict=True):
        found = [kind[-1] if isinstance(kind[-1], list) else kind for kind in learned if isinstance(kind, list)]
        told = sorted(address for kind in found for address in kind)
        if told:
            assert sorted(result) == told, (seed, case)
        elif "nxdomain" in learned:
            assert result == NONAME, (seed, case)
        else:
            assert result == (AGAIN if {"silent", "failed"} & set(learned) else NODATA), (seed, case)
        waits = "silent" in learned and not told and "nxdomain" not in learned
        assert 3.9 < seconds < 7 if waits else seconds < AT_ONCE, (seed, case, seconds)


def test_same_as_glibc(target: BuiltTarget, resolve: Lookup) -> None:
    """The results are glibc's. Without silent servers, for which it waits, and FORMERR, which it accepts."""
    if target.emulator:
        pytest.skip("the native target has been compared: the same C")
    glibc = of_glibc()
    kinds = ["nodata", "nxdomain", "servfail", "refused", "notimp"]
    zones = [pair(A, kind) for kind in [AAAA, *kinds]] + [pair(kind, AAAA) for kind in kinds]
    zones += [pair("nxdomain", "nodata"), pair("nodata", "nodata"), pair("servfail", "refused")]
    zones += [pair(["alias", "other.test", A], ["alias", "other.test", AAAA]), pair(["tcp", A], ["tcp", AAAA])]
    call = ["getaddrinfo", "name.test", "http", 0, 0, 0, 2]
    scenarios = [scenario(zone, call) for zone in zones]
    search = SERVER + "search bad.test good.test\n"
    name = pair("servfail", "servfail", "name.bad.test") | pair(A, AAAA, "name.good.test")
    scenarios += [
        scenario(name | pair(A, AAAA, "a.b.good.test"), by_name(n), resolv=search) for n in ("name", "a.b", "c")
    ]
    for case, ours, theirs in zip(scenarios, resolve(scenarios), glibc(scenarios), strict=True):
        assert ours[0][0] == theirs[0][0], case
