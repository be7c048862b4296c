"""Run a module of the toolkit from any folder: `python run.py staticpython.verify ARGUMENTS...`.

It is `python -P -m` for Python 3.10 too: the toolkit is found by this file's place, and no PYTHONPATH reaches what a
module starts.
"""

import runpy
import sys

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
