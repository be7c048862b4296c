"""How much CPU time threads take in a second, and how many times as fast they are as one that does the same.

`python3.14t free_threading_speed.py THREADS`
"""

import sys
import threading
import time


def work():
    total = 0
    for n in range(1_000_000):
        total += n * n % 7
    return total


def timed(count):
    threads = [threading.Thread(target=work) for _ in range(count)]
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - wall, time.process_time() - cpu


count = int(sys.argv[1])
one = sum(timed(1)[0] for _ in range(count))
wall, cpu = timed(count)
print(f"{cpu / wall:.2f} {one / wall:.2f}")
