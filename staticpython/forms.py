"""What texts in the YAML files look like."""

from __future__ import annotations

import re
from dataclasses import dataclass

from staticpython.errors import FactsError


@dataclass(frozen=True)
class Form:
    """What a text looks like: a regular expression for all of it, and how a message says that."""

    pattern: str
    words: str

    def check(self, text: str, where: str) -> None:
        """Raise FactsError for a text that does not look like that."""
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise FactsError(f"{where}: '{text}' is not {self.words}")


# A path in a source or a tree, which cannot lead out of it.
INSIDE = Form(r"(?!/)(?!(.*/)?\.\.(/|$)).+", "a path inside the folder: without / at its beginning, without ..")
NAME = Form(r"[A-Za-z0-9_.+-]+", "a name of letters, digits and _ . + -")
# What staticpython.unpack takes.
ARCHIVE = Form(
    r"[\w+~-][\w.+~-]*\.(tar|tar\.(gz|bz2|xz)|tgz|zip|whl|deb)",
    "a plain file name, without blanks, of an archive that is unpacked here (.tar.gz, .tar.xz, .zip, .whl, .deb)",
)
VERSION = Form(r"[0-9][\w.+~-]*", "a version: a digit, then letters, digits and _ . + ~ -, without blanks")
URL = Form(r"https?://[^\s']+", "an address: it begins with https://")
POOL_PATH = Form(
    r"pool/[a-z-]+/((lib[a-z0-9])/\2|([a-z0-9])/(?!lib[a-z0-9])\3)[a-z0-9.+-]*/[^/]+",
    "pool/main/<letter>/<source package>/<file>, where <letter> is the first one, or libx of a name that begins so",
)
WHEEL_PLATFORM = Form(
    r"(manylinux|musllinux)_[0-9]+_[0-9]+|manylinux(1|2010|2014)",
    "a platform tag without the arch, such as manylinux_2_17 or musllinux_1_2",
)
SHA256 = Form("[0-9a-f]{64}", "a SHA-256: 64 lower-case hexadecimal digits")
CPE = Form("[a-z0-9_-]+:[a-z0-9_-]+", "of the form vendor:product")
OPENSSL_TARGET = Form("linux(32|64)?-[a-z0-9_-]+", "a target of OpenSSL for Linux, such as linux-aarch64")
