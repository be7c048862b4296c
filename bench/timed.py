"""Times statements inside this interpreter: standard library only, because it runs in the measured interpreters.

Reads a group of `bench/bench.yml` as JSON from stdin and prints JSON: name -> seconds of one execution, the best of
some repeats. With `loops` (name -> count) each statement is executed that often, for a tool that counts instructions.
"""

from __future__ import annotations

import json
import sys
import time
import timeit
from pathlib import Path
from typing import Any


def named(group: dict[str, Any]) -> dict[str, timeit.Timer]:
    """Return the group's statements, ready to run: name -> timer; a size is part of the name."""
    timers = {}
    clock = time.process_time if group.get("clock") == "cpu" else time.perf_counter
    for size in group["sizes"] or [None]:
        names: dict[str, Any] = {"n": size}
        exec("from workloads import *\n" + group["setup"], names)
        for name, statement in group["statements"].items():
            timers[name if size is None else f"{name} @ {size}"] = timeit.Timer(statement, timer=clock, globals=names)
    return timers


def seconds(timer: timeit.Timer, least: float, repeats: int) -> float:
    """Return the seconds of one execution: the best of some repeats that last `least` seconds or longer."""
    loops, took = 1, timer.timeit(1)  # the first execution warms caches
    while took < least:
        loops = max(loops + 1, min(loops * 20, int(loops * least / max(took, 1e-9) * 1.1)))
        took = timer.timeit(loops)
    return min(took, *timer.repeat(repeats - 1, loops)) / loops


def main() -> None:
    """Measure a group, or only execute some of it."""
    sys.path.insert(0, str(Path(__file__).parent))
    group = json.load(sys.stdin)
    timers = named(group)
    for name, loops in group.get("loops", {}).items():
        timers[name].timeit(loops)
    if "loops" not in group:
        times = {name: seconds(timer, group["least"], group["repeats"]) for name, timer in timers.items()}
        print(json.dumps(times))


if __name__ == "__main__":
    main()
