"""Make the calls of the JSON list on standard input, in this order; write the list of their results."""

import grp
import json
import os
import pwd
import sys
from pathlib import Path
from typing import Any


def call(function: str, *args: Any) -> Any:
    module: Any = os if function == "getgrouplist" else grp if "gr" in function else pwd
    try:
        return getattr(module, function)(*args)
    except KeyError:
        return "KeyError"
    except (OSError, ValueError) as error:
        return repr(error)


results = [call(*arguments) for arguments in json.load(sys.stdin)]
files = len(list(Path("/proc/self/fd").iterdir()))
print(json.dumps([results, files]))
