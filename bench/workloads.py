"""Functions for the statements of `bench/bench.yml`, in the measured interpreters: standard library only."""

from __future__ import annotations

import json
import math
import re
import sqlite3
import ssl
import threading
import zlib
from collections.abc import Callable


def calls() -> object:
    """Recursive calls."""

    def tak(x: int, y: int, z: int) -> int:
        return z if y >= x else tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y))

    return tak(18, 12, 6)


class Particle:
    """Something with attributes."""

    def __init__(self, x: float, v: float) -> None:
        """Start at `x` with the speed `v`."""
        self.x, self.v, self.steps = x, v, 0

    def step(self, dt: float) -> None:
        """Move."""
        self.x += self.v * dt
        if self.x > 1 or self.x < 0:
            self.v = -self.v
        self.steps += 1


def attributes() -> object:
    """Attribute access and method calls."""
    particles = [Particle(i / 100, 0.3) for i in range(100)]
    for _ in range(2500):
        for particle in particles:
            particle.step(0.01)
    return sum(p.x for p in particles)


def search() -> object:
    """Searching, splitting and replacing text."""
    text = "the quick brown fox jumps over the lazy dog; " * 4000
    found = 0
    for needle in ("lazy cat", "zebra", "x jumps over t", "q", "dog; the fast"):
        for _ in range(6):
            found += text.find(needle) + text.count(needle) + (needle in text)
    return found + len(text.split()) + len(text.replace("fox", "wolf")) + len(text.splitlines())


def parse_json() -> object:
    """JSON both ways."""
    data = [{"id": i, "name": f"name {i}", "values": [i, i / 3, None, True], "text": "a\nb\u20ac"} for i in range(1500)]
    text = ""
    for _ in range(3):
        text = json.dumps(json.loads(json.dumps(data)))
    return len(text)


def containers() -> object:
    """Lists, dicts and comprehensions."""
    total = 0
    for _ in range(12):
        squares = {i: i * i for i in range(5000)}
        pairs = [(k, v) for k, v in squares.items() if v % 3]
        groups: dict[int, list[int]] = {}
        for k, v in pairs:
            groups.setdefault(v % 100, []).append(k)
        total += sum(len(g) for g in groups.values()) + len({k % 77 for k in squares})
    return total


def floats() -> object:
    """Floating-point loops."""
    total = 0.0
    x, y = 0.5, 0.25
    for i in range(1, 100000):
        x, y = 0.99 * x + 0.1 * y, y - 0.1 * x
        total += math.sqrt(x * x + y * y) / i
    return total


def regex() -> object:
    """Regular expressions."""
    line = "user{0}@host{1}.example.org, call +49-{0:05d}-{2} or http://h/{0}\n"
    text = "".join(line.format(i, i % 37, i * 7 % 9999) for i in range(1500))
    count = 0
    for pattern in (r"[\w.]+@[\w.]+\.\w+", r"\+\d+-\d{5}-\d+", r"(?:http|ftp)://\S+/(\d+)", r"(?i)CALL|or|xyz"):
        count += len(re.findall(pattern, text))
    return count


def sorting() -> object:
    """Sorting numbers, text and by key."""
    numbers = [(i * 7919) % 100003 for i in range(25000)]
    words = [str(n) for n in numbers]
    pairs = sorted((n % 50, n) for n in numbers)
    return len(sorted(numbers)) + len(sorted(words)) + len(sorted(words, key=len)) + pairs[0][1]


def build_strings() -> object:
    """Formatting and joining text."""
    parts = []
    for i in range(35000):
        parts.append(f"{i:>6}:{i * 0.5:.2f}:{'even' if i % 2 == 0 else 'odd'}" + "-" + str(i))
    return len("\n".join(parts).upper().encode())


def in_threads(count: int, work: Callable[[], object]) -> None:
    """Do the same work in each of `count` threads at once."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def small_objects() -> object:
    """Allocate objects that CPython's own allocator serves, and free them."""
    return [(i, [i], {i: i}) for i in range(20000)]


def large_objects() -> object:
    """Allocate objects that CPython gets from malloc, keep some, and free them in another order."""
    kept: dict[int, bytes] = {}
    for i in range(20000):
        kept[i * 31 % 257] = bytes(600 + i * 7919 % 5000)
    return len(kept)


def deflate_states() -> object:
    """Let zlib allocate and free its state, without the GIL: five blocks of 8 to 64 KiB each time."""
    return [len(zlib.compress(b"x" * 200)) for _ in range(300)]


def sqlite_rows() -> object:
    """Let SQLite make and sort text in memory of its own, without the GIL."""
    query = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 10000) "
    with sqlite3.connect(":memory:") as connection:
        return connection.execute(query + "select printf('%d text', x * 7919 % 10007) t from c order by t").fetchone()


class TlsPair:
    """Two ends of a TLS 1.2 connection in memory, with pre-shared keys, so that no certificate is needed."""

    def __init__(self, cipher: str) -> None:
        """Shake hands."""
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        for context in (server, client):
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(cipher)
        server.set_psk_server_callback(lambda _: b"k" * 32)  # type: ignore[attr-defined]
        client.set_psk_client_callback(lambda _: ("client", b"k" * 32))  # type: ignore[attr-defined]
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(back, there)
        self.server = server.wrap_bio(there, back, server_side=True)
        while not (self._done(self.client) & self._done(self.server)):
            pass

    @staticmethod
    def _done(end: ssl.SSLObject) -> bool:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def transfer(self, data: bytes) -> None:
        """Send data from one end to the other, a TLS record at a time."""
        for start in range(0, len(data), 16384):
            self.client.write(data[start : start + 16384])
            self.server.read(16384)
