"""Code of the interpreter that this project changed, called from several threads at once, gives the right answers."""

import importlib
import json
import re
import threading
import time

THREADS = 4
TEXT = "".join(chr(32 + n % 90) for n in range(2_000)) + "é" * 300 + "needle"
TABLE = {f"key{n}": [n, n / 7, f"é{n}", None] for n in range(200)}
start = threading.Barrier(THREADS)
failures: "list[str]" = []


MODULES = ("asyncio", "decimal", "email.message", "http.client", "sqlite3", "ssl", "xml.dom.minidom", "zoneinfo")


def imports() -> bool:
    return all(importlib.import_module(name).__name__ == name for name in MODULES)


def texts() -> bool:
    raw = TEXT.encode()
    return (
        raw.decode() == TEXT
        and TEXT.find("needle") == 2_300
        and raw.rfind(b"needle") == len(raw) - 6
        and TEXT.count("é") == 300
        and (TEXT + "\n" + TEXT).splitlines() == [TEXT, TEXT]
        and re.findall("e{2}dle", TEXT) == ["eedle"]
    )


def numbers() -> bool:
    big = 7**2000
    return sum(range(10_000)) == 49_995_000 and big * big // big == big and int(str(big)) == big


def interned() -> bool:
    """Names that are new to the process, made by all threads together."""
    made = type("made", (), {f"name_{n}": n for n in range(300)})()
    return all(getattr(made, "name_" + str(n)) == n for n in range(300))


def documents() -> bool:
    return bool(json.loads(json.dumps(TABLE)) == TABLE and json.loads(json.dumps(TEXT)) == TEXT)


def times() -> bool:
    return (
        time.strftime("%Y-%m-%d", time.gmtime(86_400 * 365)) == "1971-01-01" and time.mktime(time.localtime(1e9)) == 1e9
    )


def classes() -> bool:
    """A class changes while other threads use its instances."""
    thing = type("thing", (), {"value": 0, "__slots__": ("a", "b")})
    for n in range(300):
        setattr(thing, "value", n)  # noqa: B010
        one = thing()
        one.a = n
        if one.a != n or one.value != n:
            return False
    return True


def work() -> None:
    start.wait()
    for check in (imports, texts, numbers, interned, documents, times, classes) * 12:
        if not check():
            failures.append(check.__name__)


threads = [threading.Thread(target=work) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures[:5]
print("well")
