"""Sign what is handed out: `python -m staticpython.sign FOLDER --key KEY` writes SHA256SUMS.minisig.

minisign (jedisct1.github.io/minisign, Debian: minisign) signs, by a key that `minisign -G` made; it asks for the key's
password, if it has one. docs/trust.md says how users verify.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from staticpython.errors import ChecksumError, StaticPythonError, UsageError, run_main
from staticpython.index import SIGNATURE, SUMS, hashes, sums_text
from staticpython.published import Archive, program, written_whole


def sign(folder: Path, key: str) -> Path:
    """Sign SHA256SUMS of a folder by the secret key in a file; return the signature.

    Raises ChecksumError unless it lists what is in the folder, UsageError where it, the key or minisign is missing.
    """
    secret = Path(key).expanduser()
    if not key or not secret.is_file():
        raise UsageError(f"no key to sign by: {key!r} is no file: make sign SIGN_KEY=FILE, which minisign -G made")
    minisign = program("minisign")
    sums = folder / SUMS
    if not sums.is_file():
        raise UsageError(f"{sums}: no such file: run make dist first")
    files = hashes(folder)
    if wrong := set(sums.read_text(encoding="utf-8").splitlines()) ^ set(sums_text(files).splitlines()):
        names = sorted({line.partition("  ")[2] for line in wrong})
        raise ChecksumError(f"{sums} is not of what is there: {', '.join(names)}: run make dist again")
    dates = sorted({archive.date for name in files if (archive := Archive.parse(name))})
    # minisign shows this to users who verify; its default comment, the time, would differ each time.
    comment = f"static-python {' '.join(dates)}"
    with written_whole(folder / SIGNATURE) as part:
        words: list[str | Path] = [minisign, "-S", "-s", secret, "-m", sums, "-x", part, "-t", comment]
        code = subprocess.run(words, check=False).returncode
        if code or not part.is_file():
            raise StaticPythonError(f"{sums} is not signed: minisign ended with exit code {code}")
    return folder / SIGNATURE


def main(arguments: list[str] | None = None) -> int:
    """Write SHA256SUMS.minisig; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.sign", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", required=True, metavar="FILE", help="the secret key")
    options = parser.parse_args(arguments)

    def body() -> int:
        print(f"signed    {sign(options.folder, options.key)}")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
