"""Services, protocols and literal addresses (patches/musl/0030), compared with glibc if the machine has it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import BuiltTarget
from tests.build.resolver.network import SERVICES, Lookup, of_glibc, of_target

pytestmark = pytest.mark.any_cpu("C code without a word of assembly, natively for 64 bits and on i386 for 32")

HOSTS = (None, "", "*", "127.0.0.1", "127.1", "0x7f.1", "::1", "::ffff:192.0.2.1", "2001:db8::1", "::1%1", "fe80::1%lo")
NAMES = ("localhost", "name.test")
SERVED = (None, "", "*", 0, 80, 65535, "80", " 80", "80 ", "http", "www", "domain", "sip", "both", "twice", "none", "#")
FAMILIES = (0, 2, 10, 1, 99)
TYPES = (0, 1, 2, 3, 4, 5, 6, 99, 0x80001)
PROTOCOLS = (0, 1, 6, 17, 33, 58, 132, 136, 255, 262, 7)
# PASSIVE, CANONNAME, NUMERICHOST, V4MAPPED, ALL, NUMERICSERV; and one that does not exist. Not ADDRCONFIG: in glibc it
# means an address besides the loopback's.
FLAGS = (0x1, 0x2, 0x4, 0x8, 0x10, 0x400, 0x10000)


@pytest.fixture(scope="module")
def resolve(target: BuiltTarget) -> Lookup:
    return of_target(target)


def results(resolve: Lookup, *calls: list[Any]) -> list[Any]:
    ((*done,),) = resolve([{"resolv": None, "hosts": "127.0.0.1 localhost\n", "calls": calls}])
    return [result for result, _ in done]


def test_types_and_protocols(resolve: Lookup) -> None:
    def entries(*arguments: Any) -> list[Any]:
        result: list[Any] = results(resolve, ["getaddrinfo", "127.0.0.1", *arguments])[0]
        return [[*entry[1:3], entry[4][1]] if isinstance(entry, list) else entry for entry in result]

    assert entries(None) == [[1, 6, 0], [2, 17, 0], [3, 0, 0]]
    assert entries("", 0, 1) == [[1, 6, 0]]
    assert entries("domain") == [[1, 6, 53], [2, 17, 53]]
    assert entries("both") == [[6, 33, 600], [2, 136, 601]]
    assert entries("sip", 0, 5) == [[5, 132, 5060]]
    assert entries(None, 0, 0, 1) == [[3, 1, 0]]
    assert entries(None, 0, 3, 255) == [[3, 255, 0]]
    assert entries(None, 0, 5) == [[5, 132, 0]]
    assert entries(None, 0, 6) == [[6, 33, 0]]
    assert entries(None, 0, 0, 262) == [[3, 262, 0]]
    assert entries("none") == ["gaierror", -8]
    assert entries(None, 0, 4) == ["gaierror", -7]


def test_canonical_name_is_for_who_asks(resolve: Lookup) -> None:
    without, asked = results(resolve, ["getaddrinfo", "127.0.0.1", 80], ["getaddrinfo", "127.0.0.1", 80, 0, 0, 0, 2])
    assert [entry[3] for entry in without] == ["", "", ""]
    assert [entry[3] for entry in asked] == ["127.0.0.1", "", ""]


def test_protocols(resolve: Lookup) -> None:
    known = {"tcp": 6, "TCP": 6, "udp": 17, "icmp": 1, "IPv6-ICMP": 58, "sctp": 132, "SCTP": 132, "dccp": 33}
    known |= {
        "udplite": 136,
        "UDPLite": 136,
        "mptcp": 262,
        "ip": 0,
        "IP": 0,
        "ospf": 89,
        "CPHB": 73,
        "raw": 255,
        "RAW": 255,
    }
    calls = [["getprotobyname", name] for name in (*known, "Tcp", "", "none", "6")]
    assert results(resolve, *calls) == [*known.values(), *[["OSError", "protocol not found"]] * 4]


def test_protocols_of_the_host(resolve: Lookup) -> None:
    """Everything in Debian's file is known; compared if this machine has that file."""
    try:
        with Path("/etc/protocols").open() as file:
            lines = [line.partition("#")[0].split() for line in file]
    except FileNotFoundError:
        pytest.skip("no /etc/protocols here to compare with")
    names = {name: int(line[1]) for line in lines if line for name in (line[0], *line[2:])}
    assert len(names) > 50
    assert results(resolve, *(["getprotobyname", name] for name in names)) == list(names.values())


def test_services(resolve: Lookup) -> None:
    names = [["http"], ["www", "tcp"], ["domain", "udp"], ["sip", "sctp"], ["both", "dccp"], ["twice", "dccp"]]
    missing = [["http", "udp"], ["none"], ["80"], [""], ["http", "none"]]
    ports: list[list[Any]] = [[80], [53, "udp"], [80, "tcp"]]
    calls = [["getservbyname", *a] for a in names + missing] + [
        ["getservbyport", *a] for a in [*ports, [81], [80, "udp"]]
    ]
    no_service, no_port = ["OSError", "service/proto not found"], ["OSError", "port/proto not found"]
    expected = [80, 80, 53, 5060, 600, 600, *[no_service] * 5, "http", "domain", "http", no_port, no_port]
    assert results(resolve, *calls) == expected


def test_an_address_without_a_name_is_an_error(resolve: Lookup) -> None:
    calls = [["gethostbyaddr", a] for a in ("192.0.2.7", "2001:db8::1", "127.0.0.1")] + [["getfqdn", "192.0.2.7"]]
    unnamed, unnamed6, named, fqdn = results(resolve, *calls)
    assert (unnamed[0], unnamed6[0]) == ("herror", "herror")
    assert unnamed[1] in (1, 2)
    assert unnamed6[1] in (1, 2)
    assert named == ["localhost", [], ["127.0.0.1"]]
    assert fqdn == "192.0.2.7"


def test_same_as_glibc(target: BuiltTarget, resolve: Lookup) -> None:
    """Random questions get glibc's answer or error."""
    glibc = of_glibc()
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    random_ = random.Random(seed)
    flags = [sum(chosen) for n in range(4) for chosen in itertools.combinations(FLAGS, n)]
    calls = []
    for _ in range(2_000 if target.emulator else 20_000):
        host = random_.choice((*HOSTS, *NAMES))
        call: list[Any] = [host, *(random_.choice(kind) for kind in (SERVED, FAMILIES, TYPES, PROTOCOLS, flags))]
        # Most questions are ordinary, otherwise every answer would be an error.
        for at, ordinary in ((2, 0), (3, 0), (4, 0), (5, 0)):
            if random_.random() < 0.5:
                call[at] = ordinary
        if host in NAMES:
            call[5] |= 4
        calls.append(["getaddrinfo", *call])
    services = {word for line in SERVICES.splitlines() for word in line.partition("#")[0].split()}
    calls += [["getservbyname", n, p] for n in services for p in ("tcp", "udp", "sctp", "dccp", "udplite", "none")]
    calls += [["getservbyport", n, p] for n in (53, 80, 600, 5060, 1) for p in ("tcp", "udp")]
    ours, theirs = results(resolve, *calls), results(glibc, *calls)
    different = [(c, o, t) for c, o, t in zip(calls, ours, theirs, strict=True) if o != t]
    assert different == [], (seed, len(different))


def test_error_of_the_other_family(target: BuiltTarget) -> None:
    program = """
import socket
try:
    socket.getaddrinfo("::1", 80, socket.AF_INET)
except socket.gaierror as error:
    print(error.errno == socket.EAI_ADDRFAMILY, error.strerror)
"""
    assert target.run("-c", program) == "True Name has no address of this family"


def test_lines_of_hosts(resolve: Lookup) -> None:
    """Any case, blanks before the address, comments, aliases: read as by glibc."""
    hosts = (
        "# a comment\n\n\t10.0.0.1 Printer.lan PRINTER  alias2 # alias3\n  10.0.0.4\tindented \n"
        "2001:db8::9 six.lan Six\n10.0.0.5 five five.lan"
    )
    names = ("printer.lan", "PRINTER", "Alias2", "indented", "five", "FIVE.LAN", "alias3", "print", "10.0.0.1")
    addresses = ("10.0.0.1", "10.0.0.4", "2001:db8::9", "10.0.0.5")
    calls: list[list[Any]] = [[function, name] for name in names for function in ("gethostbyname", "gethostbyname_ex")]
    calls += [["gethostbyaddr", address] for address in addresses]
    calls += [["getfqdn", address] for address in addresses] + [["getfqdn", "five"], ["gethostbyaddr", "six"]]
    calls += [["getnameinfo", [address, 80], 8] for address in addresses]

    def answers(of: Lookup) -> list[Any]:
        ((*done,),) = of([{"resolv": None, "hosts": hosts, "calls": calls}])
        # Without a network, the error for an unknown name does not depend on the file.
        return [r[0] if isinstance(r, list) and r[0] in ("gaierror", "herror") else r for r, _ in done]

    assert dict(zip(map(str, calls), answers(resolve), strict=True)) == dict(
        zip(map(str, calls), answers(of_glibc()), strict=True)
    )
