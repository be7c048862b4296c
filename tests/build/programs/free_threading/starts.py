"""Threads start and end by the hundred, and fork() while they do."""

import os
import threading

failures: "list[object]" = []


def short(n: int) -> None:
    local = [bytes(n % 5_000) for _ in range(20)]
    if any(map(any, local)):
        failures.append(n)


def starter(number: int) -> None:
    for n in range(60):
        thread = threading.Thread(target=short, args=(n * number,))
        thread.start()
        thread.join()


starters = [threading.Thread(target=starter, args=(n,)) for n in range(1, 5)]
for thread in starters:
    thread.start()
for n in range(10):
    child = os.fork()
    if not child:
        thread = threading.Thread(target=short, args=(n,))
        thread.start()
        thread.join()
        os._exit(len(failures))
    if os.waitpid(child, 0)[1]:
        failures.append("child")
for thread in starters:
    thread.join()
assert not failures, failures[:5]
print("well")
