#!/usr/bin/env python3
"""Compare interpreters with nine small benchmarks: `python bench/small.py NAME=COMMAND NAME=COMMAND ...`.

The first interpreter is what the others are compared with. Each round runs every benchmark once with each interpreter,
one right after the other, so that what else the machine does hits all alike; the best of the rounds counts. A ratio
above 1 means faster than the first. Standard library only; the interpreters run this very file with `--one`.

    python bench/small.py --rounds 7 debian=/usr/bin/python3.13 ours=dist/cpython-3.13.15-x86_64-linux-musl/bin/python3
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shlex
import subprocess
import sys
import time


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


BENCHMARKS = {
    f.__name__: f for f in (calls, attributes, search, parse_json, containers, floats, regex, sorting, build_strings)
}


def measure(names: list[str], repeats: int) -> dict[str, float]:
    """Return the best seconds of each benchmark in this process."""
    times = {}
    for name in names:
        BENCHMARKS[name]()  # warm
        best = math.inf
        for _ in range(repeats):
            begin = time.perf_counter()
            BENCHMARKS[name]()
            best = min(best, time.perf_counter() - begin)
        times[name] = best
    return times


def geomean(values: list[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def main() -> int:
    """Compare, or measure one interpreter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("interpreters", nargs="*", metavar="NAME=COMMAND")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5, help="runs of a benchmark in one process")
    parser.add_argument("--only", nargs="*", default=list(BENCHMARKS), choices=list(BENCHMARKS))
    parser.add_argument("--one", action="store_true", help="measure this interpreter and print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.only, options.repeats)))
        return 0
    commands = {name: shlex.split(command) for name, _, command in (i.partition("=") for i in options.interpreters)}
    best = {name: dict.fromkeys(options.only, math.inf) for name in commands}
    for _ in range(options.rounds):
        for benchmark in options.only:
            for name, command in commands.items():
                own = [*command, "-I", __file__, "--one", "--repeats", str(options.repeats), "--only", benchmark]
                run = subprocess.run(own, check=True, capture_output=True, text=True)
                best[name][benchmark] = min(best[name][benchmark], json.loads(run.stdout)[benchmark])
    first, *others = commands
    print(f"{'':14} {first + ' ms':>12} " + " ".join(f"{name:>10}" for name in others))
    for benchmark in options.only:
        ratios = [best[first][benchmark] / best[name][benchmark] for name in others]
        print(f"{benchmark:14} {best[first][benchmark] * 1000:12.2f} " + " ".join(f"{r:10.2f}" for r in ratios))
    columns = [[best[first][b] / best[name][b] for b in options.only] for name in others]
    print(f"{'geomean':14} {'':12} " + " ".join(f"{geomean(c):10.2f}" for c in columns))
    print(f"{'worst':14} {'':12} " + " ".join(f"{min(c):10.2f}" for c in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
