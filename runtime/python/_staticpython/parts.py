"""What a bundle is made of: packages and the interpreter's sources, with their versions, licences and hashes.

As a bill of materials it is CycloneDX 1.6 in JSON (ECMA-424), without what differs between two builds of the same.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _staticpython.payload import PayloadError

SBOM, LICENCES = "python/sbom.cdx.json", "python/licences.txt"
UNKNOWN = "UNKNOWN"

# Trove classifiers that say which licence it is, and not only of which family; SPDX's identifiers for them.
_CLASSIFIERS = {
    "Academic Free License (AFL)": "AFL-3.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License (GPL)": "GPL-1.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-2.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "zlib/libpng License": "Zlib",
}
_LICENCE_FILES = re.compile(r"(?i)(^|/)(licen[cs]es?/.+|((un)?licen[cs]e|copying|notice|copyright|authors)[^/]*)$")
_WORD = re.compile(r"\s*([()]|[A-Za-z0-9.+:-]+)")


@dataclass(frozen=True)
class Part:
    """A package, or a source that the interpreter was made of."""

    name: str
    version: str
    # Package URL (ECMA-427).
    purl: str
    # SPDX's expression, what else the package says, or UNKNOWN.
    licence: str
    # Of the archive that it was taken from, if that is known.
    sha256: str
    # Our patches of it: names and SHA-256.
    patches: tuple[tuple[str, str], ...] = ()
    # What it says of its licence: names and texts.
    texts: tuple[tuple[str, str], ...] = ()


def normalized(name: str) -> str:
    """A project's name as indexes have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


# ---- What there is


def interpreter_parts(tree: Path) -> list[Part]:
    """The sources of a tree that are in its interpreter and library; raises PayloadError without its manifest."""
    try:
        manifest = json.loads((tree / "manifest.json").read_text(encoding="utf-8"))
        # What has no licence there is the build's: headers of the kernel.
        linked = [i for i in manifest["inputs"] if (tree / "licences" / i["name"]).is_dir()]
        return sorted((_source(tree, i) for i in linked), key=lambda part: part.name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PayloadError(f"{tree}: what its Python was made of is not told there: {error}") from None


def _source(tree: Path, source: dict[str, str | dict[str, str]]) -> Part:
    name, version, sha256 = str(source["name"]), str(source["version"]), str(source["sha256"])
    patches = source.get("patches", {})
    files = sorted((tree / "licences" / name).iterdir())
    return Part(
        name,
        version,
        f"pkg:generic/{name}@{version.replace('+', '%2B')}?checksum=sha256:{sha256}",
        str(source["licence"]),
        sha256,
        tuple(sorted(patches.items())) if isinstance(patches, dict) else (),
        tuple((file.name, file.read_text(encoding="utf-8", errors="replace")) for file in files),
    )


def package_parts(
    distributions: Sequence[importlib.metadata.Distribution], hashes: Mapping[str, str]
) -> Iterator[Part]:
    """Packages; `hashes` has the SHA-256 of the archives that they came from, by their names as indexes have them."""
    for d in distributions:
        metadata = d.metadata  # which is read anew each time
        name, version = normalized(metadata["Name"]), metadata["Version"]
        texts = []
        # Distribution.files would make an object of each line, of which few are meant.
        for line in (d.read_text("RECORD") or "").splitlines():
            file = line.partition(",")[0]
            if ".dist-info/" in file and _LICENCE_FILES.search(file.partition(".dist-info/")[2]):
                path = Path(str(d.locate_file(file)))
                if path.is_file():
                    texts.append((path.name, path.read_text(encoding="utf-8", errors="replace")))
        purl = f"pkg:pypi/{name}@{version.replace('+', '%2B')}"
        licence = licence_of(metadata)
        yield Part(metadata["Name"], version, purl, licence, hashes.get(name, ""), texts=tuple(sorted(texts)))


def licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    """What a package says: an expression (PEP 639), classifiers that mean one licence, a short text; or UNKNOWN."""

    def field(name: str) -> str:
        return " ".join(str(metadata[name]).split()) if name in metadata else ""

    if expression := field("License-Expression"):
        return expression
    named = [c.rpartition(" :: ")[2] for c in metadata.get_all("Classifier") or [] if c.startswith("License :: ")]
    known = sorted({_CLASSIFIERS[name] for name in named if name in _CLASSIFIERS})
    text = field("License")
    if len(known) == 1 and not (known == ["BSD-3-Clause"] and re.fullmatch(r"(0BSD|BSD-\d-Clause)", text)):
        return known[0]
    if 0 < len(text) <= 80 and text.upper() != UNKNOWN:
        return text
    return " AND ".join(known) or " AND ".join(sorted(set(named) - {"OSI Approved"})) or UNKNOWN


# ---- Which licences are refused


def is_refused(licence: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns, 'GPL-*', is of a licence that cannot be chosen otherwise (SPDX 2.3, annex D).

    A licence with an exception is another one: 'GPL-* WITH *' is of it. What is no expression is one name.
    """
    words: list[str] = []
    at = 0
    while match := _WORD.match(licence, at):
        words.append(match[1])
        at = match.end()
    tree = _either(words) if not licence[at:].strip() and len(words) < 200 else None
    if tree is None or words:
        return _is_like(licence, patterns)
    return _refuses(tree, patterns)


_Tree = str | tuple[str, list["_Tree"]]


def _either(words: list[str]) -> _Tree | None:
    return _list_of("OR", words)


def _list_of(operator: str, words: list[str]) -> _Tree | None:
    """Take terms with an operator between them from the front of words; None if they are no expression."""
    terms = []
    while True:
        term = _list_of("AND", words) if operator == "OR" else _term(words)
        if term is None:
            return None
        terms.append(term)
        if not words or words[0].upper() != operator:
            return terms[0] if len(terms) == 1 else (operator, terms)
        del words[0]


def _term(words: list[str]) -> _Tree | None:
    if not words or words[0] == ")" or words[0].upper() in {"AND", "OR", "WITH"}:
        return None
    word = words.pop(0)
    if word == "(":
        inner = _either(words)
        return inner if inner is not None and words and words.pop(0) == ")" else None
    if len(words) > 1 and words[0].upper() == "WITH" and words[1] not in {"(", ")"}:
        word = f"{word} WITH {words[1]}"
        del words[:2]
    return word


def _refuses(tree: _Tree, patterns: Sequence[str]) -> bool:
    if isinstance(tree, str):
        return _is_like(tree, patterns)
    operator, terms = tree
    return (all if operator == "OR" else any)(_refuses(term, patterns) for term in terms)


def _is_like(licence: str, patterns: Sequence[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(licence.lower(), pattern.lower()) and (" WITH " in licence) <= (" with " in pattern.lower())
        for pattern in patterns
    )


# ---- How it is told


def _component(part: Part) -> dict[str, object]:
    component: dict[str, object] = {
        "type": "library", "bom-ref": part.purl, "name": part.name, "version": part.version, "purl": part.purl,
    }  # fmt: skip
    if part.sha256:
        component["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    if part.licence != UNKNOWN:
        words = re.sub(r"[()]", " ", part.licence).split()
        is_expression = re.fullmatch(r"\w[\w.+-]*( (AND|OR|WITH) \w[\w.+-]*)*", " ".join(words)) is not None
        # "BSD" and "Apache" are no identifiers; those have a number, or are known.
        is_expression = is_expression and (len(words) > 1 or words[0] in _CLASSIFIERS.values() or "-" in words[0])
        component["licenses"] = [{"expression": part.licence} if is_expression else {"license": {"name": part.licence}}]
    if part.patches:
        diffs = [{"type": "unofficial", "diff": {"url": f"{name}#sha256:{digest}"}} for name, digest in part.patches]
        component["pedigree"] = {"patches": diffs}
    return component


def cyclonedx(name: str, parts: Sequence[Part]) -> str:
    """The bill of materials of an application with that name; the same bytes for the same parts."""
    application = {"type": "application", "bom-ref": "application", "name": name}
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": application},
        "components": [_component(part) for part in parts],
        "dependencies": [{"ref": "application", "dependsOn": [part.purl for part in parts]}],
    }
    return json.dumps(bom, indent=1, ensure_ascii=False) + "\n"


def licence_texts(parts: Sequence[Part]) -> str:
    """The licence of each part, and what it says of that."""
    texts = []
    for part in parts:
        head = f"{part.name} {part.version}: {part.licence}"
        texts.append(f"{'=' * 100}\n{head}\n{'=' * 100}\n")
        texts += [f"--- {name}\n{text.rstrip()}\n" for name, text in part.texts]
    return "\n".join(texts)


def check_licences(parts: Sequence[Part], patterns: Sequence[str]) -> None:
    """Raise PayloadError where a part has a licence that is not wanted."""
    refused = [f"{part.name} {part.version} ({part.licence})" for part in parts if is_refused(part.licence, patterns)]
    if refused:
        raise PayloadError(f"--fail-on {' '.join(patterns)}: {', '.join(refused)}")
