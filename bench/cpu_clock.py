"""A clock that stands still while other programs run: CPU time of this process and of its children that have ended.

`python -m bench` puts it into each virtual environment as `time.perf_counter`, which pyperf measures with. The clock on
the wall also measures what else the machine does.
"""

import time


def cpu_seconds() -> float:
    """Return user and system time."""
    import resource  # start-up does without it

    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def install() -> None:
    """Make it what pyperf measures with."""
    time.perf_counter = cpu_seconds
