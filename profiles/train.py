"""The workload that the profile is trained on, besides CPython's own `python -m test --pgo` (docs/profile.md).

    python train.py [SECTION ...]

What those tests leave out or touch only in passing: start-up and imports, plain object-oriented code and loops, JSON,
text formatting, regular expressions, pickling, SQLite, asyncio, hashing and TLS, compression. Each section does the
kind of work that a program spends its time with, on data made here, and for about as long as the others. It needs no
network and writes only to a temporary folder.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import base64
import bisect
import bz2
import collections
import collections.abc
import concurrent.futures
import contextlib
import copy
import csv
import dataclasses
import datetime
import decimal
import difflib
import enum
import fractions
import functools
import hashlib
import heapq
import hmac
import inspect
import io
import itertools
import json
import logging
import lzma
import math
import operator
import os
import pathlib
import pickle
import random
import re
import shlex
import sqlite3
import ssl
import statistics
import string
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import tokenize
import typing
import urllib.parse
import uuid
import xml.etree.ElementTree as ElementTree
import zlib
from html.parser import HTMLParser

RANDOM = random.Random(2013)
WORDS = ["".join(RANDOM.choice(string.ascii_lowercase) for _ in range(RANDOM.randint(2, 11))) for _ in range(3000)]
SECTIONS: dict[str, typing.Callable[[], object]] = {}


def section(function: typing.Callable[[], object]) -> typing.Callable[[], object]:
    """Register a part of the workload."""
    SECTIONS[function.__name__] = function
    return function


# ---------------------------------------------------------------- the language


def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def ackermann(m: int, n: int) -> int:
    if m == 0:
        return n + 1
    return ackermann(m - 1, 1 if n == 0 else ackermann(m, n - 1))


def keywords(a: int, b: int = 2, *rest: int, scale: int = 1, **more: int) -> int:
    return (a + b + sum(rest)) * scale + len(more)


@section
def calls() -> None:
    """Calls of every shape: recursive, with defaults, keywords and star arguments, closures, C functions."""
    fibonacci(21)
    ackermann(2, 40)

    def counter() -> typing.Callable[[], int]:
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return count

        return step

    step = counter()
    partial = functools.partial(keywords, 1, scale=3)
    square = lambda x: x * x  # noqa: E731
    for i in range(12000):
        keywords(i)
        keywords(i, 3, scale=2)
        keywords(i, b=i)
        keywords(*(1, 2, 3), **{"scale": 2, "x": 1})
        partial(i)
        step()
        square(i)
        len((i, i))
        max(i, 3)
        isinstance(i, (int, str))
        abs(-i)


class Shape:
    sides = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self._scale = 1.0

    @property
    def scale(self) -> float:
        return self._scale

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale = value

    @classmethod
    def unit(cls) -> Shape:
        return cls("unit")

    @staticmethod
    def double(value: float) -> float:
        return value * 2

    def area(self) -> float:
        return 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __lt__(self, other: Shape) -> bool:
        return self.area() < other.area()


class Square(Shape):
    sides = 4

    def __init__(self, size: float) -> None:
        super().__init__("square")
        self.size = size

    def area(self) -> float:
        return self.size * self.size * self.scale


class Circle(Shape):
    __slots__ = ("radius",)

    def __init__(self, radius: float) -> None:
        Shape.__init__(self, "circle")
        self.radius = radius

    def area(self) -> float:
        return math.pi * self.radius**2 * self.scale


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x: float, y: float, z: float) -> None:
        self.x, self.y, self.z = x, y, z

    def __add__(self, other: Vector) -> Vector:
        return Vector(self.x + other.x, self.y + other.y, self.z + other.z)

    def __mul__(self, factor: float) -> Vector:
        return Vector(self.x * factor, self.y * factor, self.z * factor)

    def dot(self, other: Vector) -> float:
        return self.x * other.x + self.y * other.y + self.z * other.z


class Lazy:
    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return name.upper()


@section
def objects() -> None:
    """Attributes, methods, properties, inheritance, slots, operators, special methods."""
    shapes: list[Shape] = []
    for i in range(4000):
        shapes.append(Square(i % 17) if i % 3 else Circle(i % 13))
    total = 0.0
    for _ in range(4):
        for shape in shapes:
            shape.scale = shape.scale * 1.01
            total += shape.area() + shape.sides + Shape.double(shape.scale)
            shape.name = shape.name + ""
            if shape == shapes[0]:
                total -= 1
    sorted(shapes)
    len(set(shapes))
    position, speed = Vector(0, 0, 0), Vector(1, 0.5, 0.25)
    for _ in range(8000):
        position = position + speed * 0.01
        position.dot(speed)
    lazy = Lazy()
    for i in range(2000):
        getattr(lazy, "name")
        getattr(lazy, "_hidden", None)
        hasattr(lazy, "size")
        setattr(shapes[i], "tag", i)
        Shape.unit()
        type(shapes[i]).__name__


@dataclasses.dataclass(order=True)
class Employee:
    name: str
    age: int
    salary: float = 0.0
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    group: int
    item: str


class Colour(enum.Enum):
    RED = 1
    GREEN = 2
    BLUE = 3


class Flags(enum.IntFlag):
    A = 1
    B = 2
    C = 4


class Pair(typing.NamedTuple):
    left: int
    right: str


@section
def records() -> None:
    """Dataclasses, enumerations, named tuples, structural pattern matching, copying."""
    staff = [Employee(WORDS[i], 20 + i % 40, i * 1.5, ["x"]) for i in range(1500)]
    sorted(staff)
    by_age = collections.defaultdict(list)
    for person in staff:
        by_age[person.age].append(person.name)
        dataclasses.replace(person, age=person.age + 1)
    for person in staff[:150]:
        dataclasses.asdict(person)
        copy.copy(person)
        copy.deepcopy(person)
        repr(person)
    table = {Key(i % 7, WORDS[i]): i for i in range(1500)}
    for key in list(table):
        table[key] += 1
    for i in range(1500):
        Colour(i % 3 + 1).name.lower()
        Flags.A | Flags(i % 8)
        left, right = Pair(i, "x")
        pair = Pair(left, right)._replace(left=2)
        match pair:
            case Pair(1, _):
                pass
            case (2, "y"):
                pass
            case Pair(left=n, right=str(text)) if n > 1:
                text.upper()
        match {"kind": "point", "at": [i, 2]}:
            case {"kind": "line"}:
                pass
            case {"kind": "point", "at": [x, y, *_]}:
                x + y
    for i in range(60):
        dataclasses.make_dataclass(f"Made{i}", [("a", int), ("b", str, "x")])


@section
def containers() -> None:
    """Lists, tuples, dicts, sets, comprehensions, slices, unpacking, sorting, the containers of collections."""
    for _ in range(4):
        numbers = [(i * 7919) % 10007 for i in range(6000)]
        squares = {n: n * n for n in numbers}
        odd = {n for n in numbers if n & 1}
        pairs = [(n, str(n)) for n in numbers if n in odd]
        nested = [[i * j for j in range(30)] for i in range(60)]
        transposed = [list(row) for row in zip(*nested)]
        total = sum(n for row in transposed for n in row)
        numbers.sort()
        numbers.sort(key=lambda n: -n)
        sorted(pairs, key=operator.itemgetter(1))
        sorted(WORDS, key=str.lower, reverse=True)
        for n in numbers:
            if n in squares:
                total += squares[n]
            squares[n] = total & 0xFFFF
            squares.get(n + 1, 0)
        for key, value in squares.items():
            total ^= key ^ value
        counts = collections.Counter(word[0] for word in WORDS)
        counts.most_common(5)
        groups: dict[int, list[str]] = {}
        for word in WORDS:
            groups.setdefault(len(word), []).append(word)
        queue = collections.deque(maxlen=100)
        for i, (n, text) in enumerate(pairs):
            queue.append((i, n))
            first, *rest = text
            if i % 3 == 0:
                queue.popleft()
        heap: list[int] = []
        for n in numbers[:2000]:
            heapq.heappush(heap, n)
        while heap:
            heapq.heappop(heap)
        ordered = list(range(0, 4000, 2))
        for n in range(1000):
            bisect.bisect(ordered, n * 3)
        numbers[10:2000:3] = numbers[10:2000:3][::-1]
        numbers.reverse()
        merged = {**squares, **dict(pairs)} | {1: 2}
        while len(merged) > 3000:
            merged.popitem()
        stack = []
        for n in numbers:
            stack.append(n)
            if n % 2 and stack:
                stack.pop()
        odd & set(numbers[:100]), odd | {1}, odd - {3}
        tuple(numbers) < tuple(numbers[1:])
        numbers == list(numbers)
        any(n < 0 for n in numbers), all(n >= 0 for n in numbers), min(numbers), max(pairs)
        list(itertools.chain.from_iterable(itertools.islice(itertools.groupby(WORDS, len), 100)))
        list(map(operator.add, numbers, numbers)), list(filter(None, numbers))
        functools.reduce(operator.xor, numbers)


@section
def arithmetic() -> None:
    """Integers small and large, floats, complex numbers, decimals, fractions, bit tricks."""
    sieve = bytearray([1]) * 20000
    for i in range(2, 142):
        if sieve[i]:
            sieve[i * i :: i] = bytes(len(range(i * i, 20000, i)))
    x, y, z = 0.1, 0.2, 0.3
    for i in range(12000):
        x, y, z = y * 0.99 + z, x - z * 0.5, (x + y) / (abs(z) + 1.0)
        math.sqrt(x * x + y * y)
        math.sin(x)
        int(x) // 3
        round(y, 3)
        i % 7 + (i << 2) ^ (i >> 1) & 0xFF
        i // 3, divmod(i, 10), i**2, -i, ~i
        float(i) < x
    value = 1
    for i in range(1, 400):
        value *= i
    str(value), value % 1000007, pow(3, value, 10**30 + 57), math.gcd(value, 3**200), math.isqrt(value)
    a, b = 0, 1
    for _ in range(2500):
        a, b = b, a + b
    grid = [[(x * 3.0 - 2.0, y * 2.0 - 1.0) for x in (i / 24 for i in range(24))] for y in (i / 16 for i in range(16))]
    for row in grid:
        for cx, cy in row:
            point = 0j
            for _ in range(25):
                point = point * point + complex(cx, cy)
                if abs(point) > 2:
                    break
    size = 22
    left = [[float(i + j) for j in range(size)] for i in range(size)]
    [[sum(a * b for a, b in zip(row, column)) for column in zip(*left)] for row in left]
    amount = decimal.Decimal("1.10")
    for i in range(1200):
        amount = (amount * decimal.Decimal("1.0001")).quantize(decimal.Decimal("0.0001")) + i
    sum((fractions.Fraction(1, n) for n in range(1, 80)), fractions.Fraction())
    statistics.mean([1.0, 2.5, 3.5] * 100), statistics.stdev(range(200))
    generator = random.Random(1)
    for _ in range(2500):
        generator.random(), generator.randint(1, 6), generator.choice(WORDS)
    generator.shuffle(list(range(1500)))


def permutations(items: list[int]) -> typing.Iterator[list[int]]:
    if len(items) < 2:
        yield items
    else:
        for rest in permutations(items[1:]):
            for i in range(len(items)):
                yield [*rest[:i], items[0], *rest[i:]]


def queens(size: int) -> int:
    columns = range(size)
    return sum(
        size == len({p[i] + i for i in columns}) == len({p[i] - i for i in columns})
        for p in itertools.permutations(columns)
    )


@contextlib.contextmanager
def managed(value: int) -> typing.Iterator[int]:
    try:
        yield value
    finally:
        value += 1


@section
def control_flow() -> None:
    """Generators, exceptions, context managers, iterators, while loops, global variables."""
    for _ in permutations(list(range(7))):
        pass
    queens(6)

    def numbers(limit: int) -> typing.Iterator[int]:
        for n in range(limit):
            if n % 3:
                yield n

    sum(numbers(20000))
    sum(n * 2 for n in numbers(8000) if n % 2)

    def fail(i: int) -> int:
        if i % 2:
            raise ValueError(f"odd {i}")
        return {}[i]

    caught = 0
    for i in range(4000):
        try:
            fail(i)
        except ValueError as error:
            caught += len(error.args)
        except KeyError:
            caught += 1
        finally:
            caught += 1
        with contextlib.suppress(KeyError):
            fail(0)
        with managed(i) as value:
            caught += value
    low, high, steps = 0, 10**9, 0
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle < 123456789 else (low, middle)
        steps += 1
    board = [[(i * j) % 3 == 0 for j in range(40)] for i in range(40)]
    for _ in range(4):
        new = []
        for i in range(40):
            row = []
            for j in range(40):
                alive = 0
                for di in (-1, 0, 1):
                    for dj in (-1, 0, 1):
                        if (di or dj) and board[(i + di) % 40][(j + dj) % 40]:
                            alive += 1
                row.append(alive == 3 or (alive == 2 and board[i][j]))
            new.append(row)
        board = new


# ---------------------------------------------------------------- text and bytes

PROSE = "\n".join(textwrap.wrap(" ".join(WORDS), 79))


@section
def strings() -> None:
    """Formatting, splitting, joining, searching, replacing, encoding, translating."""
    for i in range(6000):
        word = WORDS[i % 3000]
        f"{word!r:>14}|{i:06d}|{i / 7:.3f}|{i:#x}|{word}"
        "%s-%d %5.2f" % (word, i, i / 3)
        "{0} {1:>8} {name}".format(word, i, name="n")
        str(i), repr(word), int("12345"), float("3.25"), str(i * 0.37)
        word.upper().lower().title().strip().startswith("ab")
        word + "-" + word
        word[1:-1], word[::-1], word.find("e"), word.count("a"), "ing" in word
        word.replace("a", "oo").partition("o"), word.isalpha(), word.encode(), word.zfill(12)
        word == WORDS[(i + 1) % 3000], word < "m", hash(word), ord(word[0]), chr(97 + i % 26)
    for _ in range(12):
        lines = PROSE.splitlines()
        words = PROSE.split()
        " ".join(words), "\n".join(line.rstrip() for line in lines), ",".join(map(str, range(3000))).split(",")
        PROSE.find("qqqq"), PROSE.rfind(words[-3]), PROSE.count("th"), PROSE.replace("e", "ee"), "\n" in PROSE
        PROSE.index(words[1500]), PROSE.translate({97: "4", 101: None}), PROSE.casefold()
        wide = PROSE + "äöü€" + chr(0x1F600)
        wide.encode("utf-8").decode("utf-8"), wide.encode("utf-16-le"), PROSE.encode("latin-1").decode("ascii")
        wide.find("€"), wide.upper(), wide[100:-100], wide.encode("ascii", "replace")
        data = PROSE.encode()
        data.find(b"zzzz"), data.split(b" "), data.replace(b"a", b"bb"), data.hex(), bytes(reversed(data))
        bytearray(data).extend(data), memoryview(data)[10:200].tobytes()
    text = ""
    for word in WORDS:
        text += word
    buffer = io.StringIO()
    for word in WORDS:
        buffer.write(word)
        print(word, len(word), file=buffer, sep="\t")
    string.Template("$who likes ${what}").substitute(who="a", what="b")
    for i in range(200):
        textwrap.dedent("   a\n   b\n"), shlex.split("a 'b c' d"), urllib.parse.urlsplit(f"http://h:{i}/p?q=1#f")
        urllib.parse.quote(WORDS[i] + " /"), urllib.parse.parse_qs("a=1&b=2&c=%20x")
        uuid.UUID(int=i).hex, pathlib.PurePosixPath("/a/b") / WORDS[i]
    difflib.SequenceMatcher(None, PROSE[:300], PROSE[100:400]).ratio()


@section
def regular_expressions() -> None:
    """Compiling patterns, and searching, splitting and replacing with them."""
    log = "\n".join(
        f'10.0.{i % 256}.{i % 17} - - [10/Oct/2025:13:55:{i % 60:02d} +0000] "GET /{w}/{i}.html HTTP/1.1" 200 {i * 37}'
        for i, w in enumerate(WORDS[:1200])
    )
    line = re.compile(r'^(\S+) \S+ \S+ \[([^\]]+)\] "(\w+) ([^" ]+) [^"]*" (\d{3}) (\d+)$', re.MULTILINE)
    total = 0
    for match in line.finditer(log):
        total += int(match.group(6)) + len(match.groups())
    patterns = (r"\b\w+ing\b", r"(?P<a>[a-f]+)(?P=a)", r"(?i)the|and|of", r"[^\W\d_]{6,}", r"(\w+)\s+(\w+)", r"a.*?b")
    for pattern in patterns:
        compiled = re.compile(pattern)
        compiled.findall(PROSE), compiled.search(PROSE), compiled.sub("-", PROSE)
    re.sub(r"(\w)(\w*)", lambda m: m[1].upper() + m[2], PROSE)
    re.split(r"[\s,]+", PROSE)
    number, name = re.compile(r"\s*(\d+(?:\.\d*)?(?:e[+-]?\d+)?)"), re.compile(r"[A-Za-z_]\w*")
    for word in WORDS:
        number.match(word), name.fullmatch(word)
        re.match("a+b", word)
    for i in range(25):
        re.purge()
        re.compile(rf"^(?:({WORDS[i]}|[a-z]{{2,5}}\d*)|(?P<q>'(?:[^'\\]|\\.)*'))(?=x|$)", re.VERBOSE if i % 2 else 0)


# ---------------------------------------------------------------- data formats


def documents() -> list[dict[str, object]]:
    return [
        {
            "id": i,
            "name": WORDS[i],
            "tags": WORDS[i : i + 4],
            "score": i / 7,
            "ok": i % 2 == 0,
            "none": None,
            "inner": {"text": f'line "{i}"\n', "list": [1, 2.5, [True, {}]], "unicode": "grüße €"},
        }
        for i in range(300)
    ]


@section
def data_formats() -> None:
    """JSON, pickle, struct, csv, base64, XML, HTML, ast."""
    data = documents()
    for _ in range(6):
        text = json.dumps(data)
        json.loads(text)
        json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False)
        for item in data[:80]:
            json.loads(json.dumps(item))
        for protocol in (2, 4, 5):
            pickle.loads(pickle.dumps(data, protocol))
        pickle.loads(pickle.dumps([Employee("a", i) for i in range(150)]))
        pickle.loads(pickle.dumps({i: str(i) for i in range(1500)}))
    layout = struct.Struct("<IHb5sdq")
    for i in range(2500):
        layout.unpack(layout.pack(i, i % 999, -1, b"abc", i * 0.5, -i))
        struct.pack(">HI", 1, i)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows((i, w, f'"{w}", x') for i, w in enumerate(WORDS))
    list(csv.reader(io.StringIO(out.getvalue())))
    list(csv.DictReader(io.StringIO("a,b\n1,2\n" * 200)))
    data = PROSE.encode() * 4
    for small in (data, *(word.encode() for word in WORDS[:300])):
        base64.b64decode(base64.b64encode(small)), base64.b16decode(base64.b16encode(small))
        bytes.fromhex(small.hex()), small.upper().lower()
    root = ElementTree.Element("root")
    for i in range(400):
        child = ElementTree.SubElement(root, "item", id=str(i))
        ElementTree.SubElement(child, "name").text = WORDS[i] + " & <x>"
    for _ in range(3):
        parsed = ElementTree.fromstring(ElementTree.tostring(root))
        [e.text for e in parsed.iter("name")], parsed.findall("./item/name")
    page = "<html><body>" + "".join(f"<p class=a id={i}>{w}<br/></p>" for i, w in enumerate(WORDS[:300])) + "</body>"
    HTMLParser().feed(page)
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    for i in range(1500):
        moment = start + datetime.timedelta(hours=i, seconds=7)
        moment.isoformat(), moment.strftime("%Y-%m-%d %H:%M"), moment.timestamp(), moment.weekday()
        datetime.datetime.fromisoformat("2024-02-03T04:05:06+00:00") < moment
    for i in range(60):
        datetime.datetime.strptime(f"2024-03-{i % 28 + 1}", "%Y-%m-%d")


@section
def compiling() -> None:
    """The compiler itself: tokens, trees, code, and introspection."""
    source = inspect.getsource(sys.modules[objects.__module__])
    for _ in range(2):
        compile(source, "train", "exec")
    tree = ast.parse(source)
    ast.unparse(tree), sum(1 for _ in ast.walk(tree))
    list(tokenize.generate_tokens(io.StringIO(source).readline))
    for i in range(300):
        eval(f"[{i} + x * 2 for x in range(5)]")
    namespace: dict[str, object] = {}
    template = "def f{0}(a, b={0}):\n    return a + b\nclass C{0}:\n    x = 1\n    def m(self): return f{0}(1)\n"
    for i in range(60):
        exec(template.format(i), namespace)
    for function in list(SECTIONS.values()):
        inspect.signature(function)
    inspect.signature(keywords).bind(1, 2, scale=3)
    typing.get_type_hints(Employee)


# ---------------------------------------------------------------- the system


@section
def sqlite() -> None:
    """A database in memory: tables, an index, joins, aggregates, text, blobs, JSON, functions in Python."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute("create table person (id integer primary key, name text, age integer, data blob)")
        db.execute("create table visit (person integer references person, place text, cost real)")
        db.executemany(
            "insert into person (name, age, data) values (?, ?, ?)", ((w, len(w) * 7, w.encode()) for w in WORDS)
        )
        db.executemany("insert into visit values (?, ?, ?)", ((i % 900, WORDS[i], i / 3) for i in range(3000)))
        db.execute("create index by_place on visit (place)")
        db.commit()
        db.create_function("half", 1, lambda x: x / 2)
        db.row_factory = sqlite3.Row
        for _ in range(3):
            db.execute("select age, count(*), avg(half(age)) from person group by age order by 2 desc").fetchall()
            db.execute(
                "select p.name, sum(v.cost) from person p join visit v on v.person = p.id where p.name like 'a%' "
                "group by p.id having sum(v.cost) > 10 order by p.name limit 50"
            ).fetchall()
            for i in range(300):
                row = db.execute("select * from person where id = ?", (i,)).fetchone()
                row and (row["name"], row["age"])
                db.execute("update person set age = age + 1 where id = ?", (i,))
            db.execute("select name from person order by age * -1, name limit 10").fetchall()
            db.execute("select count(*), max(name), total(cost) from person, visit where id = person").fetchone()
            db.execute("select count(*) from person where name like '%ab%' or name glob 'q*'").fetchone()
            db.execute("select upper(name) || '-' || substr(name, 2, 3), length(data) from person").fetchall()
            db.execute("select json_extract(json_object('a', id, 'b', name), '$.a') from person limit 500").fetchall()
            db.execute("select place, row_number() over (partition by place order by cost) from visit").fetchall()
            numbers = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) "
            db.execute(numbers + "select sum(x), group_concat(printf('%d', x)) from c").fetchone()
            for name in WORDS[:300]:
                db.execute("select id from person where name = ? limit 1", (name,)).fetchone()
                db.execute("select cost from visit where place = ?", (name,)).fetchall()
            db.execute("delete from visit where person % 5 = 0")
            db.executemany("insert into visit values (?, ?, ?)", ((i * 5, WORDS[i], i / 7) for i in range(600)))
            db.commit()
            with contextlib.suppress(sqlite3.IntegrityError), db:
                db.execute("insert into person (id) values (1)")
        "".join(db.iterdump())


@section
def concurrency() -> None:
    """asyncio with tasks, queues, locks and streams; threads and executors."""

    async def worker(queue: asyncio.Queue[int], lock: asyncio.Lock) -> int:
        total = 0
        while (item := await queue.get()) >= 0:
            async with lock:
                total += item
            if item % 10 == 0:
                await asyncio.sleep(0)
        return total

    async def numbers(limit: int) -> typing.AsyncIterator[int]:
        for i in range(limit):
            yield i

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def recurse(depth: int) -> int:
        return 1 if depth == 0 else await recurse(depth - 1) + await recurse(depth - 1)

    async def everything() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(50)
        lock = asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(worker(queue, lock))
            for i in range(1500):
                await queue.put(i)
            for _ in range(8):
                await queue.put(-1)
        [n async for n in numbers(1500)]
        await recurse(9)
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for i in range(200):
            writer.write(b"line %d\n" % i)
            await reader.readline()
        writer.close()
        server.close()
        await asyncio.wait_for(asyncio.gather(*(asyncio.sleep(0.001, i) for i in range(200))), 10)

    asyncio.run(everything())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(fibonacci, [8] * 200))
    lock, counts = threading.Lock(), []

    def count() -> None:
        for _ in range(500):
            with lock:
                counts.append(1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@section
def cryptography() -> None:
    """Hashes of OpenSSL and of CPython, HMAC, key derivation, TLS contexts."""
    data = PROSE.encode() * 4
    for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
        getattr(hashlib, name)(data).hexdigest()
        for i in range(150):
            getattr(hashlib, name)(WORDS[i].encode()).digest()
    for i in range(150):
        hmac.new(b"key", WORDS[i].encode(), "sha256").digest()
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1000)
    for _ in range(2):
        context = ssl.create_default_context()
        context.get_ciphers()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()


@section
def compression() -> None:
    """Text, numbers and what does not get smaller, at once and in pieces, at the levels that are used."""
    text = PROSE.encode()
    lines = "".join(f"{i};{i * 7919 % 10007};{i / 7:.3f}\n" for i in range(3000)).encode()
    numbers = struct.pack("<8000i", *(i * i % 70001 for i in range(8000)))
    noise = RANDOM.randbytes(20000)
    for data in (text, lines, numbers, noise):
        for level in (1, 6, 9):
            packed = zlib.compress(data, level)
            zlib.decompress(packed)
        zlib.crc32(data), zlib.adler32(data)
        unpacker = zlib.decompressobj()
        for start in range(0, len(packed), 1000):
            unpacker.decompress(packed[start : start + 1000])
        for packed in (bz2.compress(data), lzma.compress(data, preset=1), lzma.compress(data)):
            bz2.decompress(packed) if packed.startswith(b"BZh") else lzma.decompress(packed)
    for i in range(200):
        zlib.decompress(zlib.compress(text[i : 2 * i + 50]))


@section
def files() -> None:
    """Files, folders, logging, argument parsing."""
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        for i in range(100):
            (base / f"{i}.txt").write_text(PROSE[: i * 100], encoding="utf-8")
        for path in sorted(base.iterdir()):
            with path.open(encoding="utf-8") as file:
                for line in file:
                    line.split()
            path.stat().st_size, path.suffix, path.read_bytes(), os.path.join(folder, "a", path.name)
        with open(base / "big", "wb") as file:
            for word in WORDS:
                file.write(word.encode())
        for top, _, names in os.walk(folder):
            [os.path.splitext(os.path.join(top, name)) for name in names]
        list(base.glob("*1*.txt"))
    stream = io.StringIO()
    logger = logging.getLogger("train")
    logger.propagate = False
    logger.addHandler(logging.StreamHandler(stream))
    logger.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for i in range(600):
        logger.warning("message %d of %s", i, "train")
        logger.debug("not written")
    for _ in range(20):
        parser = argparse.ArgumentParser()
        for i in range(12):
            parser.add_argument(f"--option-{i}", type=int, default=i, help="help")
        parser.parse_args(["--option-3", "5"])
        parser.format_help()


PROGRAMS = (
    ("-c", "pass"),
    ("-I", "-S", "-c", "pass"),
    ("-c", "import asyncio, json, re, ssl, sqlite3, logging, argparse, subprocess, dataclasses, typing, pathlib"),
    ("-c", "import unittest, email.message, http.client, urllib.request, xml.etree.ElementTree, decimal, ctypes"),
    ("-m", "json.tool", "--help"),
)


@section
def start_up() -> None:
    """The interpreter started anew: with nothing to do, with imports, with no compiled files."""
    for arguments in PROGRAMS * 3:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        cold = [sys.executable, "-X", f"pycache_prefix={folder}", "-c", "import argparse, json, inspect"]
        subprocess.run(cold, check=True)


def main() -> None:
    """Run the sections named, or all of them."""
    for name in sys.argv[1:] or list(SECTIONS):
        begin = time.perf_counter()
        repeats = 0
        # A fast section is run again: each has its share of the profile.
        while repeats < 3 or (time.perf_counter() - begin < 0.5 and repeats < 20):
            SECTIONS[name]()
            repeats += 1
        print(f"{name:20} {repeats:3} times  {time.perf_counter() - begin:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
