"""A clock that stands still while other programs run: CPU time of this process and of its ended children.

`python -m bench` puts it into each virtual environment as `time.perf_counter`, which pyperf uses. Wall-clock time
would also measure other work of the machine.
"""

import time


def cpu_seconds() -> float:
    """Return user and system time."""
    import resource  # start-up does without it

    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def install() -> None:
    """Make it pyperf's clock."""
    time.perf_counter = cpu_seconds
