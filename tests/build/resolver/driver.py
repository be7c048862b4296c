"""Look names up with an interpreter, in a network of its own: `driver.py FOLDER COMMAND...`, scenarios from stdin.

It must be started in new network and mount namespaces. FOLDER becomes /etc. COMMAND starts the interpreter, which runs
``client.py`` beside this file. A scenario is a JSON object, one a line:

    resolv    the text of /etc/resolv.conf; none: no file
    hosts     the text of /etc/hosts; none: no file
    network   false: not even a loopback interface that is up
    zone      {server: {"name TYPE": answer}}; server is an address in 127.0.0.0/8. Nobody listens at others. A name
              that is not in a zone does not exist (NXDOMAIN).
    calls     a list for client.py
    program   instead of calls: a command, whose output is the result

An answer is a list of addresses or names, "nodata", the name of an error (RCODES), "silent", ["slow", seconds, answer],
["tcp", answer] (truncated over UDP; the answer comes over TCP), ["once", answer, answer] (the first question gets the
first one) or ["alias", name, answer]. Answers of more than 512 bytes are truncated over UDP, but not over TCP.
The result is one line of JSON for each scenario: what client.py wrote, or the program's output.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RCODES = {"formerr": 1, "servfail": 2, "nxdomain": 3, "notimp": 4, "refused": 5}
TYPES = {1: "A", 12: "PTR", 28: "AAAA"}


def labels(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in name.encode().split(b".") if part) + b"\0"


def record(kind: int, data: bytes, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def question(query: bytes) -> tuple[str, int, bytes]:
    parts, at = [], 12
    while query[at]:
        parts.append(query[at + 1 : at + 1 + query[at]])
        at += 1 + query[at]
    return b".".join(parts).decode(), struct.unpack_from(">H", query, at + 1)[0], query[12 : at + 5]


class Servers:
    """Name servers at some addresses of the loopback interface."""

    def __init__(self, zones: dict[str, dict[str, Any]]) -> None:
        self.zones = zones
        self.asked: dict[tuple[str, str], int] = {}
        self.sockets: list[socket.socket] = []
        for address in zones:
            for kind, serve in ((socket.SOCK_DGRAM, self.serve_udp), (socket.SOCK_STREAM, self.serve_tcp)):
                s = socket.socket(socket.AF_INET, kind)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, 53))
                if kind == socket.SOCK_STREAM:
                    s.listen()
                self.sockets.append(s)
                threading.Thread(target=serve, args=(s, address), daemon=True).start()

    def close(self) -> None:
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def answers(self, address: str, query: bytes, tcp: bool) -> Iterator[tuple[float, bytes]]:
        """Return what a server sends, and after how many seconds."""
        name, kind, asked = question(query)
        key = f"{name.lower()} {TYPES.get(kind, kind)}"
        answer = self.zones[address].get(key, "nxdomain")
        count = self.asked[address, key] = self.asked.get((address, key), 0) + 1
        delay, truncated, owner, records = 0.0, False, b"\xc0\x0c", []
        while isinstance(answer, list) and answer and answer[0] in ("slow", "tcp", "once", "alias"):
            if answer[0] == "slow":
                delay, answer = answer[1], answer[2]
            elif answer[0] == "tcp":
                truncated, answer = not tcp, answer[1]
            elif answer[0] == "once":
                answer = answer[1 if count == 1 else 2]
            else:
                owner = labels(answer[1])
                records, answer = [record(5, owner)], answer[2]
        if answer == "silent":
            return
        rcode = RCODES.get(answer, 0) if isinstance(answer, str) else 0
        if isinstance(answer, list):
            pack = labels if kind == 12 else lambda text: ipaddress.ip_address(text).packed
            records += [record(kind, pack(text), owner) for text in answer]
        body = asked + b"".join(records)
        if truncated or (not tcp and len(body) > 500):
            truncated, body, records = True, asked, []
        flags = 0x8180 | (0x200 if truncated else 0) | rcode
        yield delay, query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + body

    def serve_udp(self, s: socket.socket, address: str) -> None:
        while True:
            try:
                query, peer = s.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            for delay, answer in self.answers(address, query, tcp=False):
                threading.Timer(delay, self.send, (s, answer, peer)).start()

    def send(self, s: socket.socket, answer: bytes, peer: Any) -> None:
        with contextlib.suppress(OSError):  # when the scenario is over
            s.sendto(answer, peer)

    def serve_tcp(self, s: socket.socket, address: str) -> None:
        while True:
            try:
                connection, _ = s.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(connection, address), daemon=True).start()

    def converse(self, connection: socket.socket, address: str) -> None:
        # The other side may hang up.
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as file:
            while len(head := file.read(2)) == 2:
                query = file.read(struct.unpack(">H", head)[0])
                for delay, answer in self.answers(address, query, tcp=True):
                    time.sleep(delay)
                    connection.sendall(struct.pack(">H", len(answer)) + answer)


def set_loopback(up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 1 if up else 0))  # SIOCSIFFLAGS, IFF_UP


def write(path: Path, text: str | None) -> None:
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)


def main() -> None:
    etc, command = Path(sys.argv[1]), sys.argv[2:]
    subprocess.run(["mount", "--bind", str(etc), "/etc"], check=True)
    start = [*command, str(Path(__file__).with_name("client.py"))]
    client = subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdin and client.stdout
    for line in sys.stdin:
        scenario = json.loads(line)
        write(etc / "resolv.conf", scenario.get("resolv"))
        write(etc / "hosts", scenario.get("hosts"))
        set_loopback(scenario.get("network", True))
        servers = Servers(scenario.get("zone", {}))
        if "program" in scenario:
            result: Any = subprocess.run(scenario["program"], capture_output=True, text=True, timeout=120).stdout
        else:
            client.stdin.write(json.dumps(scenario["calls"]) + "\n")
            client.stdin.flush()
            result = json.loads(client.stdout.readline())
        servers.close()
        print(json.dumps(result), flush=True)
    client.stdin.close()
    client.wait()


if __name__ == "__main__":
    main()
