"""Asks an interpreter questions; prints {question: answer} as JSON. Our interpreter and one on glibc run it.

It asks only what the same release must answer alike everywhere: no paths, no process numbers, no addresses.
"""

# Each function is called at once, in the iteration that made it. And the questions are for os, not pathlib.
# ruff: noqa: B023, PLW0108, PTH115, PTH116, PTH123, RUF001, SIM115

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

ANSWERS: dict[str, str] = {}
# Importing them prints or opens something, or their values depend on the build.
NOT_ASKED = {"antigravity", "this", "idlelib", "turtle", "turtledemo", "tkinter", "_tkinter", "ensurepip", "lib2to3"}
BUILD = {"__file__", "__cached__", "__doc__", "__path__", "__spec__", "__loader__", "__builtins__", "__package__"}


def ask(question: str, answer: Callable[[], Any]) -> None:
    """Record the answer, or the exception."""
    try:
        ANSWERS[question] = repr(answer())
    except Exception as error:
        ANSWERS[question] = f"{type(error).__name__}: {error}"


def digest(values: Iterable[object]) -> str:
    """Return a short text for many answers."""
    return hashlib.sha256(repr(list(values)).encode()).hexdigest()[:16]


def names() -> None:
    """Ask every module for its public names: their types, and numbers' values."""
    for module_name in sorted(sys.stdlib_module_names - NOT_ASKED):
        if module_name.startswith("_"):
            continue
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            ANSWERS[f"module {module_name}"] = f"{type(error).__name__}: {error}"
            continue
        ANSWERS[f"module {module_name}"] = "there"
        for name in dir(module):
            value = getattr(module, name, None)
            if name in BUILD or name.startswith("_") or type(value) is type(sys):
                continue
            if isinstance(value, (int, float)) and module_name not in ("sys", "ssl", "sqlite3"):
                ANSWERS[f"name {module_name}.{name}"] = f"{type(value).__name__} {value!r}"
            else:
                ANSWERS[f"name {module_name}.{name}"] = type(value).__name__


def errors() -> None:
    """Ask for the texts of errors and signals, and for the errors of calls that fail."""
    import signal
    import socket

    for number in range(-1, 136):
        ask(f"strerror {number}", lambda: os.strerror(number))
    for number in range(1, 65):
        ask(f"strsignal {number}", lambda: signal.strsignal(number))
    ask("signals", lambda: sorted(map(int, signal.valid_signals())))
    calls: dict[str, Callable[[], Any]] = {
        "open nothing": lambda: open("/nowhere/at/all"),
        "open a folder": lambda: open("/"),
        "read a closed file": lambda: os.read(999, 1),
        "chdir to a file": lambda: os.chdir("/etc/passwd"),
        "seek in nothing": lambda: os.lseek(999, 0, 0),
        "kill nobody": lambda: os.kill(2**22 + 1, 0),
        "a wrong signal": lambda: os.kill(os.getpid(), 4711),
        "wait for nobody": lambda: os.wait(),
        "exec nothing": lambda: os.execv("/nowhere", ["x"]),
        "spawn nothing": lambda: os.posix_spawn("/nowhere", ["x"], {}),
        "scheduling": lambda: os.sched_getscheduler(0),
        "scheduling parameters": lambda: os.sched_getparam(0),
        "numeric host": lambda: socket.getaddrinfo("x", 1, flags=socket.AI_NUMERICHOST),
        "numeric service": lambda: socket.getaddrinfo("1.2.3.4", "x", flags=socket.AI_NUMERICSERV),
        "wrong family": lambda: socket.getaddrinfo("1.2.3.4", 1, family=99),
        "wrong flags": lambda: socket.getaddrinfo("1.2.3.4", 1, flags=1 << 20),
        "v6 as v4": lambda: socket.getaddrinfo("::1", 1, family=socket.AF_INET),
        "no such service": lambda: socket.getservbyname("nosuchservice"),
        "no such protocol": lambda: socket.getprotobyname("nosuchprotocol"),
        "readlink of a folder": lambda: os.readlink("/"),
        "long name": lambda: os.stat("x" * 300),
        "zero in a name": lambda: os.stat("x\0y"),
        "no such interface": lambda: socket.if_nametoindex("nosuch0"),
        "wrong size of terminal": lambda: os.get_terminal_size(999),
        "no such sysconf": lambda: os.sysconf(4711),
        "a wrong limit": lambda: __import__("resource").getrlimit(4711),
    }
    for name, call in calls.items():
        ask(f"call {name}", call)


def interpreter() -> None:
    """Ask for what programs read about the interpreter, and for the sizes of C types."""
    import ctypes
    import locale
    import platform
    import struct
    import sysconfig

    for name in ("byteorder", "maxsize", "maxunicode", "float_info", "int_info", "hash_info", "thread_info"):
        ask(f"sys.{name}", lambda: getattr(sys, name))
    for name in ("abiflags", "float_repr_style", "platform", "platlibdir", "flags", "api_version"):
        ask(f"sys.{name}", lambda: getattr(sys, name))
    ask("sys.getfilesystemencoding", sys.getfilesystemencoding)
    ask("sys.getrecursionlimit", sys.getrecursionlimit)
    ask("sys.getswitchinterval", sys.getswitchinterval)
    ask("cache tag", lambda: sys.implementation.cache_tag)
    ask("multiarch", lambda: sys.implementation._multiarch)
    ask("sys.builtin", lambda: digest(sorted(sys.stdlib_module_names)))
    ask("SOABI", lambda: sysconfig.get_config_var("SOABI"))
    ask("EXT_SUFFIX", lambda: sysconfig.get_config_var("EXT_SUFFIX"))
    ask("platform tag", sysconfig.get_platform)
    ask("libc", lambda: platform.libc_ver()[0])
    ask("machine", platform.machine)
    ask("architecture", lambda: platform.architecture()[0])
    for form in "cbB?hHiIlLqQnNefdP":
        ask(f"struct {form}", lambda: (struct.calcsize(form), struct.calcsize("c" + form)))
    for name in ("bool", "wchar", "short", "int", "long", "longlong", "size_t", "longdouble", "time_t", "void_p"):
        ask(f"sizeof {name}", lambda: ctypes.sizeof(getattr(ctypes, f"c_{name}")))
    for name in sorted(os.sysconf_names):
        if not name.startswith(("SC_AVPHYS", "SC_PHYS", "SC_NPROC", "SC_LEVEL")):
            ask(f"sysconf {name}", lambda: os.sysconf(name))
    for name in sorted(os.confstr_names):
        ask(f"confstr {name}", lambda: os.confstr(name))
    for name in sorted(os.pathconf_names):
        ask(f"pathconf {name}", lambda: os.pathconf("/", name))
    ask("locale encoding", locale.getpreferredencoding)
    ask("localeconv", lambda: sorted(locale.localeconv().items()))
    for name in sorted(n for n in dir(locale) if n.isupper() and not n.startswith(("LC_", "_"))):
        if isinstance(getattr(locale, name), int) and name != "CHAR_MAX":
            ask(f"langinfo {name}", lambda: locale.nl_langinfo(getattr(locale, name)))
    for name in ("C", "POSIX", "C.UTF-8", "xx_XX.UTF-8", "no such", ""):
        ask(f"setlocale {name!r}", lambda: locale.setlocale(locale.LC_ALL, name))
    locale.setlocale(locale.LC_ALL, "C")
    ask("strcoll", lambda: [locale.strcoll("a", "B"), locale.strcoll("ä", "z"), locale.strxfrm("aä")])


def clock() -> None:
    """Ask for times as text, and for local time without the time zone files."""
    import string
    import time
    from datetime import datetime

    moments = [time.gmtime(n) for n in (0, 1700000000, 1704067199, 951782400, 4102444800)]
    for letter in string.ascii_letters + string.digits + "%":
        ask(f"strftime %{letter}", lambda: [time.strftime(f"%{letter}", t) for t in moments if letter not in "sZz"])
        for flag in ("-", "_", "^", "#", "0", "E", "O", "10"):
            ask(f"strftime %{flag}{letter}", lambda: [time.strftime(f"%{flag}{letter}", moments[1])])
    for text in ("%", "a%", "%Q", "%!", "100%"):
        ask(f"strftime {text!r}", lambda: time.strftime(text, moments[1]))
    for year in (1, 99, 999, 9999):
        ask(f"strftime of year {year}", lambda: datetime(year, 2, 3).strftime("%Y %C %G %y %F %D"))
    for zone in ("UTC", "UTC0", "EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3", "JST-9", "no such"):
        os.environ["TZ"] = zone
        time.tzset()
        ask(f"zone {zone}", lambda: (time.tzname, time.timezone, time.altzone, time.daylight))
        times = (0, 1700000000, 1720000000, -(10**9), 2**33)
        ask(f"local {zone}", lambda: [time.strftime("%c %Z %z", time.localtime(n)) for n in times])
        ask(
            f"mktime {zone}",
            lambda: [time.mktime((2024, m, 15, 12, 0, 0, 0, 0, d)) for m in (1, 7) for d in (-1, 0, 1)],
        )
    os.environ["TZ"] = "UTC0"
    time.tzset()


def addresses() -> None:
    """Ask how addresses are read and written."""
    import socket

    texts = (
        "1.2.3.4 1.2.3 1.2 1 0x7f.1 010.1.1.1 1.2.3.4.5 1.2.3.256 a 127.0.0.1x :: ::1 1::2 ::ffff:1.2.3.4 fe80::1%lo"
    )
    for text in [*texts.split(), "", " 1.2.3.4", "1.2.3.4 "]:
        ask(f"inet_aton {text!r}", lambda: socket.inet_aton(text))
        for family in (socket.AF_INET, socket.AF_INET6):
            ask(f"inet_pton {family.name} {text!r}", lambda: socket.inet_pton(family, text))
        ask(f"getaddrinfo {text!r}", lambda: sorted(socket.getaddrinfo(text, 80, flags=socket.AI_NUMERICHOST)))
    for packed in (bytes(16), bytes(10) + b"\xff\xff\1\2\3\4", bytes(15) + b"\1", bytes(range(16)), b"\1" + bytes(15)):
        ask(f"inet_ntop {packed.hex()}", lambda: socket.inet_ntop(socket.AF_INET6, packed))
    for flags in (socket.NI_NUMERICHOST, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV):
        ask(f"getnameinfo {flags}", lambda: socket.getnameinfo(("127.0.0.1", 4711), flags))


def numbers() -> None:
    """Ask for arithmetic, and for numbers as text."""
    import cmath
    import decimal
    import math

    source = random.Random(1)
    values = [source.uniform(-1, 1) * 10.0 ** source.randrange(-8, 8) for _ in range(300)] + [0.0, -0.0, 1.0, -1.0]
    values += [float("inf"), float("-inf"), float("nan"), 5e-324, sys.float_info.max]

    def results(call: Callable[..., Any], *more: Any) -> list[str]:
        found = []
        for value in values:
            try:
                found.append(repr(call(value, *more)))
            except (ValueError, OverflowError) as error:
                found.append(str(error))
        return found

    for name in sorted(set(dir(math)) - {"factorial", "comb", "perm", "gcd", "lcm", "isqrt", "prod", "fsum", "dist"}):
        call = getattr(math, name)
        if callable(call) and not name.startswith("_"):
            for more in ((), (2.5,), (-0.5,), (3,)):
                ask(f"math {name} {more}", lambda: digest(results(call, *more)))
    for name in sorted(dir(cmath)):
        call = getattr(cmath, name)
        if callable(call) and not name.startswith("_"):
            ask(f"cmath {name}", lambda: digest(results(call)))
    for power in (0.5, 1.5, -2.0, 7.0):
        ask(f"float power {power}", lambda: digest(results(lambda v: abs(v) ** power)))
    for form in ("r", ".3f", "e", "g", ".17g", "%", "n", "030.4e", "+,.2f", "#x"):
        ask(f"float as {form}", lambda: digest(repr(v) if form == "r" else format(v, form) for v in values))
    ask(
        "float of text", lambda: digest(float(repr(v) + "1") for v in values if math.isfinite(v) and "e" not in repr(v))
    )
    ask("float hex", lambda: digest(v.hex() for v in values))
    ask("hashes of numbers", lambda: digest(hash(v) for v in values if v == v))
    ask("random", lambda: [source.random(), source.gauss(0, 1), source.randrange(10**20), source.sample(range(99), 5)])
    ask("decimal", lambda: [decimal.Decimal(2).sqrt(), decimal.getcontext(), decimal.HAVE_CONTEXTVAR])
    ask(
        "long integers",
        lambda: digest([3**5000, str(7**3000), int("9" * 4000), (1 << 9999) // 3**999, pow(3, 10**9, 10**40)]),
    )


def texts() -> None:
    """Ask codecs, regular expressions, sorting and the formats of data."""
    import bz2
    import codecs
    import encodings.aliases
    import lzma
    import pickle
    import re
    import sqlite3
    import ssl
    import unicodedata
    import zlib

    sample = "".join(map(chr, range(0x180))) + "абвЖ日本語カナ한국어€‰🙂𝔘"
    binary = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "uu_codec", "zlib_codec"}
    for name in sorted(set(encodings.aliases.aliases.values()) - binary):
        ask(f"codec {name}", lambda: codecs.lookup(name).name)
        for way in ("ignore", "replace", "backslashreplace"):
            ask(f"encode {name} {way}", lambda: digest([sample.encode(name, way)]))
        ask(f"decode {name}", lambda: digest([bytes(range(256)).decode(name, "replace")]))
    ask("unicode", lambda: (unicodedata.unidata_version, digest(map(unicodedata.name, sample, [""] * len(sample)))))
    ask(
        "case",
        lambda: digest([sample.upper(), sample.lower(), sample.casefold(), sample.title(), sample.isprintable()]),
    )
    for pattern in (r"\w+", r"\d+|\s", r"(?i)[a-zé]+", r"(a|b)*?c", r"\b.", r"(?<=a)b|(?!x)."):
        ask(f"regex {pattern}", lambda: digest(m.span() for m in re.finditer(pattern, sample * 2)))
    pairs = [(random.Random(n).randrange(9), n) for n in range(500)]
    by_number = sorted(pairs, key=itemgetter(0))
    ask("sort is stable", lambda: digest(by_number))
    ask("json", lambda: json.dumps([sample[:99], 1e300, 0.1, None, {"b": 1, "a": [True]}], sort_keys=True))
    ask("pickle", lambda: digest(pickle.dumps([sample, pairs, 2**99, 0.1], n) for n in range(6)))
    data = sample.encode() * 50
    for level in (1, 6, 9):
        ask(f"zlib bytes {level}", lambda: digest([zlib.compress(data, level)]))
        ask(f"bz2 bytes {level}", lambda: digest([bz2.compress(data, level)]))
        ask(f"xz bytes {level}", lambda: digest([lzma.compress(data, preset=level)]))
    ask("checksums", lambda: (zlib.crc32(data), zlib.adler32(data)))
    for name in sorted(hashlib.algorithms_available):
        ask(f"hash {name}", lambda: hashlib.new(name, data).digest_size)
    ask("hashes of text", lambda: [hash(sample), hash(b"abc"), hash("")])
    options = {row[0] for row in sqlite3.connect(":memory:").execute("pragma compile_options")}
    for option in sorted(o for o in options if not o.startswith("COMPILER")):
        ANSWERS[f"sqlite {option}"] = "there"
    ask("TLS versions", lambda: [ssl.HAS_TLSv1, ssl.HAS_TLSv1_1, ssl.HAS_TLSv1_2, ssl.HAS_TLSv1_3])
    ask("TLS context", lambda: (lambda c: (c.verify_mode, c.options, c.minimum_version))(ssl.create_default_context()))
    ask("ciphers", lambda: sorted(c["name"] for c in ssl.create_default_context().get_ciphers()))


def main() -> None:
    """Ask everything."""
    warnings.simplefilter("ignore")
    for part in (names, errors, interpreter, clock, addresses, numbers, texts):
        part()
    ANSWERS["release"] = sys.version.split()[0]
    json.dump(ANSWERS, sys.stdout, indent=0, sort_keys=True)


if __name__ == "__main__":
    main()
