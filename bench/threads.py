"""Speed of threads, divided by that of one thread that does all their work: `INTERPRETER bench/threads.py THREADS`.

Prints that, and the CPU seconds used per second. With the GIL both are 1 at most.
"""

from __future__ import annotations

import sys
import threading
import time


def work() -> int:
    """Compute in Python, without calls that release the GIL."""
    total = 0
    for n in range(3_000_000):
        total += n * n % 7
    return total


def timed(count: int) -> tuple[float, float]:
    """Return the seconds and the seconds of CPU time that so many threads take."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    count = int(sys.argv[1])
    one = sum(timed(1)[0] for _ in range(count))
    wall, cpu = timed(count)
    print(f"{one / wall:.2f} {cpu / wall:.2f}")
