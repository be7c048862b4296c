"""Threads share containers: nothing is lost, and nothing counted twice."""

import sys
import threading

THREADS, ROUNDS = 4, 20_000
start = threading.Barrier(THREADS + 1)
lock = threading.Lock()
names: "dict[tuple[int, int], int]" = {}
order: "list[int]" = []
counted = [0]


def work(number: int) -> None:
    start.wait()
    for n in range(ROUNDS):
        names[number, n] = n
        order.append(number)
        with lock:
            counted[0] += 1
        if n % 64 == 0:
            sys.intern(f"name {n}")


threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
for thread in threads:
    thread.start()
start.wait()
for thread in threads:
    thread.join()
assert len(names) == len(order) == counted[0] == THREADS * ROUNDS
assert all(order.count(n) == ROUNDS for n in range(THREADS))
assert all(names[number, n] == n for number in range(THREADS) for n in range(ROUNDS))
print("well")
