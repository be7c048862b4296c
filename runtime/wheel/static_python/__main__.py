"""The command static-python: start the interpreter in this package, print its path, or copy its tree."""

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
TREE = PACKAGE / "tree"
USAGE = """\
usage: static-python [ARGUMENTS OF PYTHON...]
       static-python run [ARGUMENTS OF PYTHON...]    the same, whatever the first argument is
       static-python path                            print the path of the interpreter
       static-python unpack DIR                      copy the whole tree to a new folder
       static-python bundle [ARGUMENTS...]           make one executable of an application (bundle --help)
       static-python help
"""


class CommandError(Exception):
    """A mistake that the user can correct; printed without a traceback."""


class UsageError(CommandError):
    """A command line that is no command of ours."""


class Signals:
    """Remembers the first signal that would end the process, so that what was begun can be removed first."""

    def __init__(self) -> None:
        """Take the signals that are not ignored, as SIGHUP is below nohup."""
        self.number = 0
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._remember)

    def _remember(self, number: int, _: object) -> None:
        self.number = self.number or number

    def obey(self) -> None:
        """End the process as the signal would have, if there was one."""
        if self.number:
            signal.signal(self.number, signal.SIG_DFL)
            os.kill(os.getpid(), self.number)


def facts() -> dict:  # type: ignore[type-arg]  # Python 3.8 has no dict[str, ...]
    """Return what a wheel cannot store: the tree's links, its files' time, and the interpreter's path."""
    try:
        return dict(json.loads((PACKAGE / "tree.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CommandError(f"{PACKAGE}/tree.json: {error}: install static-python again") from None


def installed() -> Path:
    """Return the path of the interpreter; raises CommandError unless it was installed as an executable.

    A pip that fails in the middle, as for a damaged wheel, leaves the first files behind: so look for the last one.
    """
    known = facts()
    program = TREE / str(known["interpreter"])
    if not program.is_file():
        raise CommandError(f"{program}: is missing: install static-python again")
    if not _is_executable(program):
        raise CommandError(f"{program}: is not executable: install static-python again")
    if not (TREE / str(known["files"][-1])).is_file():
        raise CommandError(f"{TREE}: files are missing: install static-python again")
    return program


def interpreter() -> Path:
    """Return the path of the interpreter; raises CommandError unless it can be started where it is."""
    program = installed()
    if os.statvfs(str(program)).f_flag & os.ST_NOEXEC:
        raise CommandError(f"{program}: is on a file system mounted noexec: install static-python elsewhere")
    return program


def _is_executable(file: Path) -> bool:
    """Tell whether a file's mode is an executable's; a file system mounted noexec may still forbid to run it."""
    return bool(file.stat().st_mode & 0o100)


def umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0o77)
    os.umask(mask)
    return mask


def unpack(folder: Path) -> None:
    """Copy the tree, as it was built, to a new or empty folder. It appears there when it is complete."""
    known = facts()
    if PACKAGE in [folder.resolve(), *folder.resolve().parents]:
        raise CommandError(f"{folder}: is inside the package: name a folder elsewhere")
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise CommandError(f"{folder}: exists and is not an empty folder: name a new one")
    if folder.exists() and (os.path.ismount(str(folder)) or folder.samefile(os.curdir)):
        raise CommandError(f"{folder}: cannot be replaced: name a new folder in it")
    parent = folder.resolve().parent
    if not parent.is_dir():
        raise CommandError(f"{folder}: no such folder: {parent}")
    prefix = f".{folder.name}.unpack-"
    mode = 0o777 & ~umask()  # of programs and of the folder itself; mkdtemp's is private
    signals = Signals()
    try:
        for path in sorted(path for path in parent.iterdir() if path.name.startswith(prefix)):
            print(
                f"static-python: {path}: left by an unpack that was killed: remove it, unless another one is running",
                file=sys.stderr,
            )
        part = Path(tempfile.mkdtemp(prefix=prefix, dir=str(parent)))
    except OSError as error:
        raise CommandError(f"{parent}: no folder can be made in it: {error.strerror}") from None
    try:
        # Files that pip compiled for another Python are not the tree's.
        files = [line for line in known["files"] if (TREE / line).is_file()]
        if len(files) < len(known["files"]):
            raise CommandError(f"{TREE}: files are missing: install static-python again")
        installed()
        for name in files:
            if signals.number:
                return  # by way of `finally`
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(TREE / name), str(part / name))
            os.chmod(str(part / name), mode if _is_executable(TREE / name) else mode & 0o666)
        for name, target in known["links"].items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).symlink_to(target)
        # Files with this time count as unchanged since the build: their content is not checked.
        for path in part.rglob("*"):
            os.utime(str(path), (known["time"], known["time"]), follow_symlinks=False)
        part.chmod(mode)
        part.replace(folder)
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}") from None
    finally:
        shutil.rmtree(str(part), ignore_errors=True)
        signals.obey()


def start(arguments: "list[str]") -> None:
    """Become the interpreter; raises CommandError if it does not start here."""
    program = str(interpreter())
    try:
        os.execv(program, [program, *arguments])
    except OSError as error:
        raise CommandError(f"{program}: {error.strerror}") from None


def main() -> int:
    """Do what the command line says; return the exit code. Only the first word can be a command of ours."""
    command, arguments = (sys.argv[1], sys.argv[2:]) if sys.argv[1:] else ("run", [])
    try:
        if command in ("help", "--help", "-h"):
            print(USAGE, end="")
        elif command == "path" and not arguments:
            print(interpreter())
        elif command == "unpack" and len(arguments) == 1 and not arguments[0].startswith("-"):
            unpack(Path(arguments[0]))
        elif command in ("path", "unpack") and arguments in (["-h"], ["--help"]):
            print(USAGE, end="")
        elif command in ("path", "unpack"):
            takes = "no argument" if command == "path" else "one argument, the new folder"
            raise UsageError(f"{command} takes {takes}: see static-python help")
        elif command == "bundle":
            start(["-m", "_staticpython", "bundle", *arguments])
        else:
            start(arguments if command == "run" else [command, *arguments])
    except CommandError as error:
        print(f"static-python: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
