"""Objects of every size are made in one thread, changed in another, and freed in a third."""

import queue
import random
import threading
from typing import Any

THREADS, ROUNDS = 4, 400
rings: "list[queue.SimpleQueue[tuple[str, Any]]]" = [queue.SimpleQueue() for _ in range(THREADS)]
failures: "list[str]" = []


def checked(data: "tuple[str, Any]") -> bool:
    kind, value = data
    if kind == "bytes":
        right = value == bytes([len(value) % 256]) * len(value)
    elif kind == "list":
        right = value == list(range(len(value)))
    elif kind == "dict":
        right = all(value[str(k)] == k for k in range(len(value)))
    else:
        right = len(value) == value.count("é") + value.count("x")
    return bool(right)


def make(chance: random.Random) -> "tuple[str, Any]":
    size = chance.choice((1, 30, 500, 9_000, 140_000))
    kind = chance.choice(("bytes", "list", "dict", "str"))
    if kind == "bytes":
        return kind, bytearray([size % 256]) * size
    if kind == "list":
        return kind, list(range(min(size, 9_000)))
    if kind == "dict":
        return kind, {str(k): k for k in range(min(size, 2_000))}
    return kind, "é" * (size // 2) + "x" * (size - size // 2)


def work(number: int) -> None:
    chance = random.Random(number)
    for _ in range(ROUNDS):
        rings[(number + 1) % THREADS].put(make(chance))
        data = rings[number].get()
        if not checked(data):
            failures.append(data[0])
        if data[0] == "bytes":  # grows or shrinks in a thread that did not make it
            size = chance.randrange(1, 200_000)
            data[1][:] = bytes([size % 256]) * size
            if not checked(data):
                failures.append("resized")


threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures[:5]
print("well")
