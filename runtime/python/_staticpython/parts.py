"""The parts of a bundle: packages and the interpreter's sources, with their versions, licences and hashes.

The bill of materials is CycloneDX 1.6 in JSON (ECMA-424), without fields that differ between two equal builds.
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

# Trove classifiers that name one licence, not only a family, with their SPDX identifiers.
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
    """A package, or a source that the interpreter was made from."""

    name: str
    version: str
    # Package URL (ECMA-427).
    purl: str
    # An SPDX expression, other text from the package, or UNKNOWN.
    licence: str
    # Of the archive that it came from, if known.
    sha256: str
    # Our patches for it: names and SHA-256.
    patches: tuple[tuple[str, str], ...] = ()
    # Its licence files: names and texts.
    texts: tuple[tuple[str, str], ...] = ()
    # Its name in lists of vulnerabilities (CPE 2.3), if known.
    cpe: str = ""


def normalized(name: str) -> str:
    """A project's name as in indexes (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


# ---- Which parts there are


def interpreter_parts(tree: Path) -> list[Part]:
    """The sources that a tree's interpreter and library contain; raises PayloadError if its manifest is missing."""
    try:
        manifest = json.loads((tree / "manifest.json").read_text(encoding="utf-8"))
        parts = [i for i in manifest["inputs"] if (tree / "licences" / i["name"]).is_dir() and not i.get("build_only")]
        return sorted((_source(tree, i) for i in parts), key=lambda part: part.name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PayloadError(f"{tree}: what its Python was made of is not told there: {error}") from None


def _source(tree: Path, source: dict[str, str | dict[str, str]]) -> Part:
    folder, version, sha256 = str(source["name"]), str(source["version"]), str(source["sha256"])
    name = str(source.get("upstream_name", folder))
    patches = source.get("patches", {})
    files = sorted((tree / "licences" / folder).iterdir())
    return Part(
        name,
        version,
        f"pkg:generic/{name}@{version.replace('+', '%2B')}?checksum=sha256:{sha256}",
        str(source["licence"]),
        sha256,
        tuple(sorted(patches.items())) if isinstance(patches, dict) else (),
        tuple((file.name, file.read_text(encoding="utf-8", errors="replace")) for file in files),
        str(source.get("cpe", "")),
    )


def package_parts(
    distributions: Sequence[importlib.metadata.Distribution], hashes: Mapping[str, str]
) -> Iterator[Part]:
    """Packages; `hashes` has the SHA-256 of their archives, by their normalized names."""
    for d in distributions:
        metadata = d.metadata  # which is read anew each time
        name, version = normalized(metadata["Name"]), metadata["Version"]
        texts = []
        # Distribution.files would make an object for each line, and only few are needed.
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
    """A package's own words: an expression (PEP 639), classifiers that name one licence, a short text; or UNKNOWN."""

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
    """Whether a pattern, such as 'GPL-*', matches a licence to which there is no alternative (SPDX 2.3, annex D).

    A licence with an exception is another licence, which 'GPL-* WITH *' matches. Other text counts as one name.
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
    """Take terms with an operator between them from the start of words; None if they are no expression."""
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


# ---- Output


def _component(part: Part) -> dict[str, object]:
    component: dict[str, object] = {
        "type": "library", "bom-ref": part.purl, "name": part.name, "version": part.version, "purl": part.purl,
    }  # fmt: skip
    if part.cpe:
        component["cpe"] = part.cpe
    if part.sha256:
        component["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    if part.licence != UNKNOWN:
        words = re.sub(r"[()]", " ", part.licence).split()
        is_expression = re.fullmatch(r"\w[\w.+-]*( (AND|OR|WITH) \w[\w.+-]*)*", " ".join(words)) is not None
        # "BSD" and "Apache" are no identifiers: an identifier has a number, or is a known one.
        is_expression = is_expression and (len(words) > 1 or words[0] in _CLASSIFIERS.values() or "-" in words[0])
        component["licenses"] = [{"expression": part.licence} if is_expression else {"license": {"name": part.licence}}]
    if part.patches:
        diffs = [{"type": "unofficial", "diff": {"url": f"{name}#sha256:{digest}"}} for name, digest in part.patches]
        component["pedigree"] = {"patches": diffs}
    return component


def cyclonedx(name: str, parts: Sequence[Part]) -> str:
    """The bill of materials for an application with that name; the same parts give the same bytes."""
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
    """The licence of each part, and its licence texts."""
    texts = []
    for part in parts:
        head = f"{part.name} {part.version}: {part.licence}"
        texts.append(f"{'=' * 100}\n{head}\n{'=' * 100}\n")
        texts += [f"--- {name}\n{text.rstrip()}\n" for name, text in part.texts]
    return "\n".join(texts)


def check_licences(parts: Sequence[Part], patterns: Sequence[str]) -> None:
    """Raise PayloadError if a part has an unwanted licence."""
    refused = [f"{part.name} {part.version} ({part.licence})" for part in parts if is_refused(part.licence, patterns)]
    if refused:
        raise PayloadError(f"--fail-on {' '.join(patterns)}: {', '.join(refused)}")
