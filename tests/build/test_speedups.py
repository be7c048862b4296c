"""Code that the patches for speed change in CPython and OpenSSL, compared with slower ways to the same result.

Input is random: a program begins with a line `SEED = N`, which a failure shows (`--seed N` runs it again).
"""

from __future__ import annotations

import ast
import re
import socket
import ssl
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from staticpython.config import ROOT
from tests.build.conftest import PROGRAMS, BuiltTarget, clean_environment, run_program

# Text with a special character at each place, of sizes around the 8 and 16 characters that are handled together.
TEXTS = """
SPECIAL = '"\\\\\\n\\x00\\x1f ~\\x7f\\x80\\xa2\\xdc\\xff\\u20ac\\U0001f600'
TEXTS = ["x" * n for n in range(70)]
TEXTS += ["x" * i + c + "y" * (n - i) for n in range(40) for i in range(n + 1) for c in SPECIAL]
TEXTS += [chr(c) + other for c in range(256) for other in ("", "\\u20ac", "\\U0001f600")]
"""

# Wider text, which is handled character by character, gives the expected result.
REGEX = r"""
import random, re
random.seed(SEED)
patterns = ["b", "ba", "aab", "[^b]+", "[^b]{3}", ".*b", ".{2,30}b", "a.*?b", "(.*)b(.*)a", ".*\xe9", "b[^a]*a",
            "(?:.b)+.*b", ".+\u20ac"]
patterns = [re.compile(p) for p in patterns]
for letters in ("ab", "a" * 30 + "b", "a" * 90 + "b\n", "ab\xe9\n", "x"):
    for size in (*range(40), 100, 300):
        for _ in range(5):
            text = "".join(random.choices(letters, k=size))
            for pattern in patterns:
                expected = [m.span() for m in pattern.finditer(text + "\u20ac", 0, size)]
                assert [m.span() for m in pattern.finditer(text)] == expected, (pattern, text)

WITHOUT_WIDTH = "(?=b)", "(?!a)", "^", "$", r"\b"

def atom():
    return random.choice(("a", "b", ".", "[^b]", "[ab]", "\xe9", "\n", "(a)", "(?:ab|b)", *WITHOUT_WIDTH))

def piece():
    repeat = random.choice(("", "", "", "*", "+", "?", "{2}", "{1,3}", "{,4}", "{3,}"))
    what = atom()
    if repeat and what in WITHOUT_WIDTH:
        what = "b"
    return what + repeat + (random.choice(("", "?", "+")) if repeat else "")

for _ in range(1500):
    flags = random.choice((0, re.S, re.M, re.I, re.S | re.M))
    pattern = re.compile("".join(piece() for _ in range(random.randrange(1, 6))), flags)
    letters = random.choice(("ab", "a" * 20 + "b", "ab\xe9\n", "aB\n" + "a" * 40))
    size = random.choice((random.randrange(12), random.randrange(70)))
    text = "".join(random.choices(letters, k=size))
    start = random.randrange(size + 1)
    expected = [m.regs for m in pattern.finditer(text + "\u20ac", start, size)]
    assert [m.regs for m in pattern.finditer(text, start)] == expected, (pattern, text, start)
    whole = pattern.fullmatch(text + "\u20ac", start, size)
    assert (pattern.fullmatch(text, start) or pattern).__class__ == (whole or pattern).__class__, (pattern, text, start)
    if text.isascii() and pattern.pattern.isascii():
        data = re.compile(pattern.pattern.encode(), flags)
        assert [m.regs for m in data.finditer(text.encode(), start)] == expected, (pattern, text, start)
"""

LINES = r"""
import random
random.seed(SEED)

def lines(text, breaks, keepends):
    result, line, i = [], text[:0], 0
    while i < len(text):
        size = 2 if text[i:i + 2] in ("\r\n", b"\r\n") else 1
        if text[i:i + 1] in breaks:
            result.append(line + text[i:i + size] if keepends else line)
            line, i = text[:0], i + size
        else:
            line, i = line + text[i:i + 1], i + 1
    return result + [line] if line else result

breaks = list("\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
for letters in ("ab\n", "a" * 30 + "\r\n", "abc\t \x1c\x0c\x1f\x84", "a" * 20 + "\xe9\x85\x84\x86", "\r\n",
                "\u20ac\u2028a"):
    for size in (*range(40), 100, 500):
        text = "".join(random.choices(letters, k=size))
        data = text.encode("latin-1", "replace")
        for keepends in (False, True):
            assert text.splitlines(keepends) == lines(text, breaks, keepends), text
            assert data.splitlines(keepends) == lines(data, (b"\n", b"\r"), keepends), data
for size in (*range(40), 239, 240, 241, 1000, 10000):
    for letter in "a", "\xe9", "\u20ac":
        text = "".join(random.choices("b" + letter, k=size))
        count = sum(c == letter for c in text)
        assert (text.count(letter), text.replace(letter, "", 7).count(letter)) == (count, max(0, count - 7))
        if letter != "\u20ac":
            assert text.encode("latin-1").count(letter.encode("latin-1")) == count
"""

JSON = """
import random
from json import decoder, encoder, JSONDecodeError
random.seed(SEED)
for _ in range(3000):
    letters = random.choice(("abc", "a" * 50 + SPECIAL, SPECIAL, "ab\\xe9", "ab\\u20ac\\ud800", "\\U0001f600x"))
    TEXTS.append("".join(random.choices(letters, k=random.choice((5, 20, 100)))))

def result(function, *arguments):
    try:
        return function(*arguments)
    except JSONDecodeError as error:
        return error.msg.split()[0]  # the rest of the message differs

for text in TEXTS:
    assert encoder.c_encode_basestring_ascii(text) == encoder.py_encode_basestring_ascii(text), ascii(text)
    escaped = encoder.py_encode_basestring_ascii(text), encoder.py_encode_basestring(text)
    for quoted in (*escaped, '"' + text + '"', '"' + text, escaped[0] + ", 12345678"):
        for strict in (True, False):
            arguments = quoted, 1, strict
            c, python = result(decoder.c_scanstring, *arguments), result(decoder.py_scanstring, *arguments)
            assert c == python, (arguments, c, python)
"""

SEARCH = """
import random
random.seed(SEED)

def find(text, word):
    return next((i for i in range(len(text) - len(word) + 1) if text[i:i + len(word)] == word), -1)

def rfind(text, word):
    return next((i for i in range(len(text) - len(word), -1, -1) if text[i:i + len(word)] == word), -1)

for letters in ("ab", "abcdefgh", "ab\\xe9\\xff", "ab\\u20ac\\u20ad", "ab\\U0001f600\\U0001f601"):
    for _ in range(1500):
        text = "".join(random.choices(letters, k=random.choice((5, 50, 300))))
        word = "".join(random.choices(letters, k=random.randrange(1, 9)))
        assert text.find(word) == find(text, word), (text, word)
        assert text.rfind(word) == rfind(text, word), (text, word)
        assert text.count(word) == len(text.split(word)) - 1 == text.replace(word, word + "!").count(word + "!")
        assert word.join(text.split(word)) == text == word.join(text.rsplit(word))
        for sought, inside in ((word.encode(), text.encode()), (word.encode("utf-32-le"), text.encode("utf-32-le"))):
            assert inside.find(sought) == find(inside, sought) and inside.rfind(sought) == rfind(inside, sought)
"""

CODECS = """
import binascii, random, string
random.seed(SEED)
DIGITS = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
HEX = b"0123456789abcdef"

def bits(values, size):
    return "".join(format(value, f"0{size}b") for value in values)

def encode(data):
    text = bits(data, 8)
    text += "0" * (-len(text) % 6)
    coded = bytes(DIGITS[int(text[i:i + 6], 2)] for i in range(0, len(text), 6))
    return coded + b"=" * (-len(coded) % 4)

def decode(coded):
    text = bits([DIGITS.index(c) for c in coded if c in DIGITS], 6)
    return bytes(int(text[i:i + 8], 2) for i in range(0, len(text) - 7, 8))

for size in (*range(70), 255, 256, 257, 1000):
    data = random.randbytes(size)
    coded = encode(data)
    assert binascii.b2a_base64(data, newline=False) == coded, data
    assert binascii.a2b_base64(coded) == binascii.a2b_base64(coded, strict_mode=True) == data, coded
    for place in range(0, len(coded) + 1, 1 if size < 20 else 37):
        for foreign in (b"\\n", b"\\0\\xff- ", b"="):
            broken = coded[:place] + foreign + coded[place:]
            if foreign != b"=":
                assert binascii.a2b_base64(broken) == decode(coded), broken
            elif place < len(coded.rstrip(b"=")):
                try:
                    binascii.a2b_base64(broken, strict_mode=True)
                except binascii.Error:
                    continue
                raise AssertionError(f"accepted {broken}")
    hexadecimal = bytes(HEX[d] for c in data for d in divmod(c, 16))
    assert binascii.hexlify(data) == data.hex().encode() == hexadecimal
    assert binascii.unhexlify(hexadecimal) == binascii.unhexlify(hexadecimal.upper()) == data
    for place in range(0, len(hexadecimal), 1 if size < 20 else 37):
        for foreign in b"/:@G`g\\0\\xff":
            try:
                binascii.unhexlify(hexadecimal[:place] + bytes([foreign]) + hexadecimal[place + 1:])
            except binascii.Error:
                continue
            raise AssertionError(f"accepted {foreign} at {place}")
    assert data.upper() == bytes(c - 32 if 97 <= c <= 122 else c for c in data)
    assert data.lower() == bytes(c + 32 if 65 <= c <= 90 else c for c in data)
"""

LONG = """
import itertools, random
random.seed(SEED)

def carried(columns):
    digits, carry = bytearray(), 0
    for column in (*columns, 0, 0, 0, 0):
        carry += column
        digits.append(carry & 255)
        carry >>= 8
    return int.from_bytes(digits, "little")

def product(x, y):
    columns = [0] * (len(x) + len(y))
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            columns[i + j] += a * b
    return carried(columns)

numbers = [random.getrandbits(bits) for bits in (1, 29, 30, 31, 59, 60, 61, 64, 90, 200, 500, 1000, 2300)]
numbers += [2 ** bits - 1 for bits in (30, 60, 90, 300, 2400)] + [2 ** 60, 2 ** 900]
numbers += [random.getrandbits(random.randrange(1, 1200)) for _ in range(25)]
for a, b in itertools.combinations_with_replacement(numbers, 2):
    x, y = (n.to_bytes(n.bit_length() // 8 + 1, "little") for n in (a, b))
    assert a + b == b + a == carried(map(sum, itertools.zip_longest(x, y, fillvalue=0))), (a, b)
    assert (a + b) - b == a and a - b == -(b - a), (a, b)
    assert a * b == b * a == product(x, y), (a, b)
    assert a == 0 or (a * b + a - 1) // a == b and (a * b) % a == 0, (a, b)
"""

# Every way in which an instruction can end: the next one, a jump, a call, a return, an error with a near, far or no
# handler, the general instruction instead of the specialised one, and each of these while it is monitored.
INTERPRETER = """
import sys

class Number:
    def __init__(self, value): self.value = value
    def __add__(self, other): return Number(self.value + getattr(other, "value", other))
    def __index__(self): return self.value
    def __bool__(self): return self.value != 0
    def __iter__(self): yield from range(self.value)

def add(a, b): return a + b

def work():
    seen = []
    for a, b in [(1, 2)] * 50 + [(1.5, 2), ("a", "b"), ([1], [2]), (Number(3), 4)] * 3 + [(2**70, 1)]:
        seen.append(str(getattr(add(a, b), "value", add(a, b))))
    for value in [1] * 40 + ["", [], None, 0.0, Number(0), Number(2)] * 3:
        seen.append("yes" if value else "no")
    for items in [[1, 2]] * 40 + [(3, 4), range(2), Number(2), "ab"] * 3:
        first, second = items
        seen.append(f"{first}{second}")
        seen.extend(x for x in items)
    def fails(depth):
        if depth == 0:
            raise KeyError(depth)
        try:
            return fails(depth - 1)
        finally:
            seen.append(depth)
    for error in (KeyError, LookupError, ValueError):
        try:
            try:
                fails(5)
            except error as caught:
                seen.append(repr(caught))
        except KeyError:
            seen.append("outside")
    def coroutine():
        got = 0
        while True:
            try:
                got = yield got + 1
            except ValueError:
                got = 100
    running = coroutine()
    seen += [next(running), running.send(5), running.throw(ValueError), sum(i for i in range(2000))]
    long = eval("[" + ",".join(map(str, range(1000))) + "]")
    exec("\\n".join(f"name{i} = {i}" for i in range(600)), names := {})
    return seen, sum(long), sum(v for k, v in names.items() if k.startswith("name"))

plain = work()
events = set()

def trace(frame, event, value):
    frame.f_trace_opcodes = True
    events.add(event)
    return trace

sys.settrace(trace)
assert work() == plain
sys.settrace(None)
assert events >= {"call", "line", "return", "exception", "opcode"}, events
sys.monitoring.use_tool_id(3, "test")
names = [n for n in dir(sys.monitoring.events) if n.isupper() and n not in ("NO_EVENTS", "C_RETURN", "C_RAISE")]
for event in names:
    sys.monitoring.register_callback(3, getattr(sys.monitoring.events, event), lambda *a, e=event: events.add(e))
sys.monitoring.set_events(3, sum(getattr(sys.monitoring.events, event) for event in names))
assert work() == plain
sys.monitoring.set_events(3, 0)
assert events >= {"CALL", "PY_START", "PY_RETURN", "PY_UNWIND", "RAISE", "JUMP", "INSTRUCTION"}, events
assert events & {"BRANCH", "BRANCH_LEFT"}, events
assert work() == plain

def deep(): return deep()
try:
    deep()
except RecursionError:
    print(str(sum(plain[1:]) == 999 * 500 + 599 * 300))
"""

# An extension for the stable ABI of 3.11 does not know immortal objects, and counts in all eight bytes.
REFERENCES = """
import ctypes
immortal = None, (), 5, int, "a"
counts = [ctypes.c_ssize_t.from_address(id(value)) for value in immortal]
held = [value for value in immortal for _ in range(5)]
for count in counts:
    assert count.value == 2 ** 32 - 1
    count.value += 3
held.clear()
for count in counts:
    assert count.value > 2 ** 32 # not destroyed, which would make it immortal anew
    count.value -= 3
assert immortal == (None, (), 5, int, "a") and int("5") is immortal[2]

class Counted:
    def __del__(self): destroyed.append(self.number)
destroyed = []
for number in range(3):
    value = Counted()
    value.number = number
    many = [value] * 100_000
    assert ctypes.c_ssize_t.from_address(id(value)).value == 100_001
    del many, value
assert destroyed == [0, 1, 2]
print("done")
"""

# Everything that a program leaves is finalized at exit, although no collection looks at objects from start-up.
LEFT_AT_THE_END = """
import gc, os, sys

class Left:
    def __init__(self, where): self.where = where
    def __del__(self, write=os.write): write(1, (self.where + " ").encode())

def cycle(where):
    left = Left(where)
    left.itself = left
    return left

module = type(sys)("module")
exec("def function(): pass", vars(module))
sys.modules["module"] = module
os.left, sys.left, module.left = Left("os"), Left("sys"), Left("module")
left, main_cycle = Left("main"), cycle("main-cycle")
Left.left = Left("class")
cycle("garbage")
"""
SEEN = """
assert gc.is_tracked(os.environ) and any(object is os.environ for object in gc.get_objects())
assert vars(os) in gc.get_referrers(os.environ)
assert gc.get_freeze_count() == 0
gc.freeze()
assert gc.get_freeze_count() > 1000 and len(gc.get_objects()) < 50
gc.unfreeze()
assert gc.get_freeze_count() == 0 and len(gc.get_objects(2)) > 1000
gc.collect()
"""

SERVER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
    with context.wrap_socket(connection, server_side=True) as tls:
        while size := int.from_bytes(tls.recv(4)):
            data = b""
            while len(data) < size:
                data += tls.recv(size - len(data))
            tls.sendall(data[::-1])
"""

PIECES = (
    "word = lambda: random.randbytes(random.randrange(1, 300)); words = [word() for _ in range(40)]; "
    "pieces = [b''.join(random.choices(words, k=n % 400)) + b'x' * (n % 270) for n in range(300)]"
)

# Numbers in dates, compared with Python's own formatting.
DATES = """
import time
for year in (-12345, -1000, -5, 0, 7, 99, 1999, 9999):
    for day in range(1, 32):
        t = (year, 3, day, day % 24, day, day + 28, 0, day + 59, 0)
        got = time.strftime("%Y %m %-m %_m %d %e %H %-H %I %M %S %j %-j %_j %y", t).split(" ")
        hour = day % 24
        expected = [f"{year:04}", "03", "3", "", "3", f"{day:02}", *f"{day:2}".split(" "), f"{hour:02}"]
        expected += [f"{hour}", f"{(hour - 1) % 12 + 1:02}", f"{day:02}", f"{day + 28:02}"]
        expected += [f"{day + 59:03}", f"{day + 59}", *f"{day + 59:3}".split(" "), f"{abs(year) % 100:02}"]
        assert got == expected, (got, expected)
"""

# No one else gets the same bytes: no other thread, no child, and no signal handler during the call.
RANDOM = """
import os, signal, threading
def take(): return {os.urandom(n) for n in range(16, 600)}
taken = []
signal.signal(signal.SIGALRM, lambda *_: taken.append({os.urandom(16)}))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
threads = [threading.Thread(target=lambda: taken.append(take())) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
for _ in range(20): taken.append(take())
signal.setitimer(signal.ITIMER_REAL, 0)
reading, writing = os.pipe()
for _ in range(20):
    if not os.fork():
        os.write(writing, os.urandom(16))
        os._exit(0)
    taken.append({os.urandom(16)})
    os.wait()
    taken.append({os.read(reading, 16)})
everything = [b[:16] for t in taken for b in t]
assert len(set(everything)) == len(everything) > 584 * 24 + 40
assert os.urandom(0) == b"" and len(os.urandom(70000)) == 70000
"""

CLOSED = """
import os, sysconfig
for fd in (50, 60, 70, 999): os.dup2(1, fd)
os.closerange(60, 70000)
def is_open(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
assert [is_open(fd) for fd in (1, 50, 60, 70, 999)] == [True, True, False, False, False]
assert sysconfig.get_config_var("HAVE_CLOSE_RANGE")
"""

# Text at all alignments, with a character that is not ASCII at each place.
SHORT = r"""
for size in range(40):
    text = "".join(chr(33 + i) for i in range(size))
    for shift in range(9):
        data = bytearray(b"\xff" * shift + text.encode() + b"\xff")
        piece = memoryview(data)[shift:shift + size]
        for codec in ("utf-8", "ascii"):
            assert str(piece, codec) == text
            for i in range(size):
                piece[i] = 0x80
                assert str(piece, codec, "surrogateescape") == text[:i] + "\udc80" + text[i + 1:], (codec, text, i)
                piece[i] = 33 + i
"""

# The names of built-in types' descriptors are the interned strings.
NAMES = r"""
import sys, types
kinds = (types.WrapperDescriptorType, types.MethodDescriptorType, types.GetSetDescriptorType,
         types.MemberDescriptorType)
found = [object]
for t in found: found += [u for u in type.__subclasses__(t) if u not in found]
named = [(name, value.__name__) for t in found for name, value in vars(t).items() if isinstance(value, kinds)]
assert len(named) > 2000, len(named)
for name, known_as in named:
    assert known_as == name and known_as is sys.intern("".join(list(name))), (name, known_as)
"""

SLOW_WAYS = {
    "closed": CLOSED,
    "codecs": CODECS,
    "dates": DATES,
    "json": TEXTS + JSON,
    "lines": LINES,
    "long": LONG,
    "names": NAMES,
    "random": RANDOM,
    "regex": REGEX,
    "search": SEARCH,
    "short": SHORT,
}


@pytest.mark.parametrize("program", SLOW_WAYS)
def test_same_results_as_the_slow_way(target: BuiltTarget, seed: int, program: str) -> None:
    assert target.run("-c", f"SEED = {seed}\n{SLOW_WAYS[program]}") == ""


@pytest.mark.any_cpu("C code without a word of assembly, natively for 64 bits and on i386 for 32")
def test_slots_of_new_types(target: BuiltTarget, seed: int) -> None:
    assert target.run(PROGRAMS / "slots.py", str(seed)) == ""


def test_every_way_through_the_interpreter(target: BuiltTarget) -> None:
    assert target.run("-c", INTERPRETER) == "True"


def test_immortal_objects_counted_by_others(target: BuiltTarget) -> None:
    target.needs_patch("0020-reference-counts")
    if target.plan.arch.elf_class == 32:
        pytest.skip("a count has four bytes")
    assert target.run("-c", REFERENCES) == "done"


@pytest.mark.parametrize("seen", [False, True])
def test_objects_left_at_the_end(target: BuiltTarget, seen: bool) -> None:
    ended = target.run("-c", LEFT_AT_THE_END + (SEEN if seen else "")).split()
    assert sorted(ended) == ["class", "garbage", "main", "main-cycle", "module", "os", "sys"]


def test_what_is_left_is_flushed(target: BuiltTarget, tmp_path: Path) -> None:
    """A file that only a context variable holds is cleared last."""
    file = tmp_path / "left"
    program = "import contextvars as c, sys; v = c.ContextVar('v'); v.set(open(sys.argv[1], 'w')); v.get().write('all')"
    target.run("-c", program, str(file))
    assert file.read_text() == "all"


@pytest.mark.parametrize("allocator", ["pymalloc", "mimalloc", "mimalloc_debug"])
def test_mimalloc_for_those_who_choose_it(target: BuiltTarget, allocator: str) -> None:
    """mimalloc reports when it is prepared, if its settings ask for that."""
    target.needs_patch("0031-mimalloc-when-needed")
    env = {"PYTHONMALLOC": allocator, "MIMALLOC_VERBOSE": "1"}
    program = "import threading; t = threading.Thread(target=lambda: list(map(str, range(99999)))); t.start(); t.join()"
    done = run_program(target, target.binary, "-c", program, env=clean_environment() | env)
    assert done.returncode == 0, done.stderr
    assert ("mimalloc: process init" in done.stderr) == allocator.startswith("mimalloc")


def test_what_start_up_calls_stands_together(target: BuiltTarget) -> None:
    if not target.plan.order:
        pytest.skip("built without the training (--plain), or with a linker that puts nothing into an order")
    names = [n for n in (ROOT / target.plan.order).read_text().splitlines() if not n.startswith("#")]
    text = (target.build / "cpython/python.map").read_text()
    # LLD's map: two addresses, size, alignment, and a symbol's name far to the right.
    symbols = re.findall(r"^ *([0-9a-f]+) +[0-9a-f]+ +[0-9a-f]+ +\d+ {17}(\S+)$", text, re.MULTILINE)
    places: dict[str, int] = {}
    for address, name in symbols:
        places.setdefault(name, int(address, 16))
    # The others were inlined.
    found = [places[name] for name in names if name in places]
    assert len(found) > len(names) / 3
    assert found == sorted(found)


def test_deflate_with_another_zlib(target: BuiltTarget) -> None:
    """Matches of all lengths, and those that end where the data does; checksums of all sizes."""
    make = "import random; random.seed(3); " + PIECES
    pack = "[(zlib.compress(p, n % 10).hex(), zlib.crc32(p), zlib.adler32(p)) for n, p in enumerate(pieces)]"
    unpack = "[zlib.decompress(bytes.fromhex(packed)) for packed, _, _ in eval(input())] == pieces"
    namespace: dict[str, Any] = {"zlib": zlib}
    exec(make, namespace)
    theirs = ast.literal_eval(target.run("-c", f"{make}; import zlib; print({pack})"))
    for piece, (packed, *checksums) in zip(namespace["pieces"], theirs, strict=True):
        assert zlib.decompress(bytes.fromhex(packed)) == piece
        assert checksums == [zlib.crc32(piece), zlib.adler32(piece)]
    ours = repr(eval(pack, namespace))
    assert target.run("-c", f"{make}; import zlib; print({unpack})", input=ours) == "True"


def test_deflate_does_not_depend_on_what_was_in_its_memory(target: BuiltTarget) -> None:
    """zlib's tables are in memory with old data; also with a sliding window, with a dictionary, in a copy."""
    script = """if True:
        import random, zlib
        random.seed(5)
        words = [random.randbytes(random.randrange(1, 12)) for _ in range(3000)]
        text = b" ".join(random.choice(words) for _ in range(40_000))
        pieces = [text[:n] for n in (1, 30, 200, 4000, 32_768, 65_000, 66_000, len(text))] + [b"a" * 100_000]

        def pack(piece, level, byte):
            blocks = [bytes([byte]) * size for size in range(4096, 420_000, 4096)]
            del blocks
            known = zlib.compressobj(level, zdict=text[5000:9000])
            begun = known.compress(piece[:500])
            copied = known.copy()
            rest = copied.compress(piece[500:]) + copied.flush()
            return zlib.compress(piece, level), begun + rest, known.compress(piece) + known.flush()

        for level in range(10):
            for piece in pieces:
                first = pack(piece, level, 0)
                assert first == pack(piece, level, 0xff) == pack(piece, level, 0x11), (level, len(piece))
                assert zlib.decompress(first[0]) == piece
                assert zlib.decompressobj(zdict=text[5000:9000]).decompress(first[1]) == piece
    """
    target.run("-c", script)


def test_chacha20_poly1305_with_another_openssl(target: BuiltTarget) -> None:
    """Another library must decrypt what ours encrypts: two of ours could make the same mistake."""
    certificate = target.build.parent / "sources/cpython/Lib/test/certdata/keycert3.pem"
    command = [*target.emulator, str(target.binary), "-c", SERVER, str(certificate)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-CHACHA20-POLY1305")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()) as server:
        assert server.stdout
        address = ("127.0.0.1", int(server.stdout.readline()))
        with socket.create_connection(address, timeout=60) as plain, context.wrap_socket(plain) as tls:
            assert tls.cipher() == ("ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2", 256)
            # The code has a path for each range of sizes: 1, 4, 8, 16 blocks of 64 bytes at a time.
            for size in (*range(1, 300, 7), *range(300, 2500, 61), 4096, 16384, 100_001):
                data = bytes(i * 7 % 251 for i in range(size))
                tls.sendall(size.to_bytes(4, "big") + data)
                answer = b""
                while len(answer) < size:
                    answer += tls.recv(size)
                assert answer == data[::-1], size
            tls.sendall(bytes(4))
        assert server.wait(60) == 0


@pytest.fixture(autouse=True)
def speedups(target: BuiltTarget) -> None:
    if not target.plan.speedups:
        pytest.skip("built with --no-speedups: what is tested here is not in it")
