"""Make the calls of the JSON list on each line, one after the other; write a list of [result, seconds] for each line.

A call is [function of socket, argument...]; a number before it makes that many calls at once, in threads. The result
of an error is its class and number. Files that a call left open are part of the result.
"""

import json
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def call(function: str, *args: Any) -> Any:
    try:
        return getattr(socket, function)(*(tuple(a) if isinstance(a, list) else a for a in args))
    except OSError as error:
        return [type(error).__name__, error.args[0]]


def measured(function: Any, *args: Any) -> tuple[Any, float]:
    files = open_files()
    start = time.monotonic()
    if isinstance(function, int):
        results: Any = []
        threads = [threading.Thread(target=lambda: results.append(call(*args))) for _ in range(function)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        results = call(function, *args)
    seconds = time.monotonic() - start
    left = open_files() - files
    return f"{left} open files are left" if left else results, seconds


for line in sys.stdin:
    print(json.dumps([measured(*arguments) for arguments in json.loads(line)]), flush=True)
