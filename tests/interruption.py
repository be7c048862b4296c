"""Kill a build with SIGKILL at random moments, continue it, and compare the result with an uninterrupted build.

    python tests/interruption.py REFERENCE_TREE OUTPUT [--kills 5] [--seed N]

Builds the native target in OUTPUT with this project's downloads/. Only make itself is killed: its children live on for
a while, as after an out-of-memory kill. Exits 1 unless the trees are equal, file by file.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from staticpython.assemble import tree_digest
from staticpython.config import ROOT


def last_line(log: Path) -> str:
    """Return the last line of a file, or nothing."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return lines[-1] if lines else ""


def main() -> int:
    """Do it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    moments = random.Random(seed)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "downloads").symlink_to(ROOT / "downloads")
    subprocess.run([sys.executable, ROOT / "generate.py", f"--output={options.output}", "-q"], check=True)
    print(f"seed {seed}")
    for number in range(options.kills):
        wait = moments.uniform(5, 90)
        with (options.output / "make.log").open("a") as log:
            make = subprocess.Popen(["make", "-j2", "-C", options.output], stdout=log, stderr=log)
            try:
                make.wait(wait)
                print(f"run {number + 1}: ended by itself with {make.returncode}")
            except subprocess.TimeoutExpired:
                make.send_signal(signal.SIGKILL)
                make.wait()
                print(f"run {number + 1}: killed after {wait:.0f} s, at: {last_line(options.output / 'make.log')}")
        time.sleep(moments.uniform(0, 2))
    with (options.output / "make.log").open("a") as log:
        subprocess.run(["make", "-j2", "-C", options.output], stdout=log, stderr=log, check=True)
    (tree,) = (p for p in (options.output / "dist").iterdir() if p.is_dir())
    digests = [tree_digest(options.reference), tree_digest(tree)]
    print(f"reference {digests[0]}\nresumed   {digests[1]}\n{'equal' if digests[0] == digests[1] else 'DIFFERENT'}")
    return int(digests[0] != digests[1])


if __name__ == "__main__":
    sys.exit(main())
