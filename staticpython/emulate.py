"""Run a command where the kernel starts another CPU's programs: `python -m staticpython.emulate --plan PLAN COMMAND`.

A test that starts `sys.executable`, a script or a worker needs more than an emulator before its own command. In a user
namespace of its own the emulator is entered into binfmt_misc (Linux 6.7 and later; Documentation/admin-guide/
binfmt-misc.rst): no root is needed, and nothing of the machine is changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from staticpython.config import Arch
from staticpython.errors import VerifyError, run_main
from staticpython.target_plan import TargetPlan, read_plan
from staticpython.verify import emulator_of

BINFMT = "/proc/sys/fs/binfmt_misc"
# P keeps argv[0], F opens the emulator now, so that it is found in a chroot too.
RULE = ":{name}:M::{magic}:{mask}:{emulator}:PF"
ENTER = f'mount -t binfmt_misc none {BINFMT} && printf %s "$0" >{BINFMT}/register && exec "$@"'


def rule_of(arch: Arch, emulator: str) -> str:
    """Return the line for binfmt_misc's `register`: ELF programs and libraries of the arch."""
    order: Literal["little", "big"] = "little" if arch.byte_order == "little" else "big"
    ident = bytes([*b"\x7fELF", arch.elf_class // 32, 1 if order == "little" else 2, 1, *[0] * 9])
    # The OS ABI may be any; ET_EXEC is 2 and ET_DYN 3.
    head = ident + (2).to_bytes(2, order) + arch.machine_number.to_bytes(2, order)
    mask = bytes([*[255] * 7, 0, *[255] * 8]) + (0xFFFE).to_bytes(2, order) + b"\xff\xff"
    escaped = ["".join(f"\\x{byte:02x}" for byte in text) for text in (head, mask)]
    return RULE.format(name=arch.triple, magic=escaped[0], mask=escaped[1], emulator=emulator)


def prefix_of(plan: TargetPlan) -> list[str]:
    """Return what goes before a command; nothing when the kernel runs the target's programs already.

    Raises VerifyError when the emulator is not installed.
    """
    emulator = emulator_of(plan)
    if not emulator:
        return []
    path = shutil.which(emulator[0])
    assert path
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", ENTER, rule_of(plan.arch, path)]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        print(f"no binfmt_misc in a user namespace: {plan.arch.name} programs start no others", file=sys.stderr)
        return []
    return prefix


def main(arguments: list[str] | None = None) -> int:
    """Become the command; returns the exit code only when that fails."""
    parser = argparse.ArgumentParser(prog="staticpython.emulate", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)

    def body() -> int:
        command = [*prefix_of(read_plan(options.plan)), *options.command]
        if not options.command or not shutil.which(command[0]):
            raise VerifyError(f"cannot run {command[0] if command else 'nothing'}: give a command that is in the PATH")
        os.execvp(command[0], command)

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
