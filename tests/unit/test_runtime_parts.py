"""runtime/python/_staticpython/parts.py: licences and the bill of materials of a bundle."""

from __future__ import annotations

import hashlib
import json
import random
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from _staticpython.parts import (
    UNKNOWN,
    Part,
    check_licences,
    cyclonedx,
    interpreter_parts,
    is_refused,
    licence_of,
    licence_texts,
    package_parts,
)
from _staticpython.payload import PayloadError


def make_package(folder: Path, name: str, *lines: str) -> Distribution:
    info = folder / f"{name}-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "licenses/LICENSE").write_text(f"text of {name}\n")
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""]))
    (info / "RECORD").write_text(f"{info.name}/licenses/LICENSE,,\n{info.name}/METADATA,,\n{name}/LICENSE,,\n")
    (found,) = (d for d in distributions(path=[str(folder)]) if d.metadata["Name"] == name)
    return found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: other"], "MIT OR Apache-2.0"),
        (["Classifier: License :: OSI Approved :: MIT License", "License: text"], "MIT"),
        (["Classifier: License :: OSI Approved", "License: BSD"], "BSD"),
        (["Classifier: License :: OSI Approved :: BSD License", "License: BSD-2-Clause"], "BSD-2-Clause"),
        (["Classifier: License :: OSI Approved :: BSD License", "License: 3 clauses"], "BSD-3-Clause"),
        (
            ["Classifier: License :: OSI Approved :: MIT License",
             "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
            "GPL-3.0-only AND MIT",
        ),
        (["Classifier: License :: Other/Proprietary License", f"License: {'long ' * 99}"], "Other/Proprietary License"),
        (["License: UNKNOWN"], UNKNOWN),
        ([], UNKNOWN),
    ],
)  # fmt: skip
def test_what_packages_say(tmp_path: Path, lines: list[str], expected: str) -> None:
    assert licence_of(make_package(tmp_path, "one", *lines).metadata) == expected


@pytest.mark.parametrize(
    ("licence", "pattern", "expected"),
    [
        ("GPL-3.0-only", "GPL-*", True),
        ("LGPL-3.0-only", "GPL-*", False),
        ("gpl-3.0-ONLY", "GPL-*", True),
        # With OR one acceptable licence is enough; with AND each one counts.
        ("BSD-3-Clause OR GPL-2.0-only", "GPL-*", False),
        ("MIT AND GPL-2.0-only", "GPL-*", True),
        ("MIT AND (GPL-2.0-only OR Apache-2.0)", "GPL-*", False),
        ("(MIT AND GPL-2.0-only) OR GPL-3.0-only", "GPL-*", True),
        # With an exception it is another licence.
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-*", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-* WITH *", True),
        ("GPL-2.0-only", "GPL-* WITH *", False),
        (UNKNOWN, "UNKNOWN", True),
        # Text that is no expression counts as one name.
        ("GPL-3 (or later)", "GPL-*", True),
        ("My own licence", "my own*", True),
        ("MIT AND", "MIT", False),
        ("(" * 5000, "MIT", False),
        ("", "*", True),
    ],
)
def test_which_are_refused(licence: str, pattern: str, expected: bool) -> None:
    assert is_refused(licence, [pattern]) == is_refused(licence, ["none", pattern]) == expected


def test_any_text_can_be_asked_about() -> None:
    random_ = random.Random(7)
    for _ in range(3000):
        words = random_.choices(
            ["(", ")", "AND", "OR", "WITH", "MIT", "GPL-2.0-only", "\0", "ü", "  "], k=random_.randrange(9)
        )
        licence = random_.choice([" ", ""]).join(words)
        assert is_refused(licence, ["*", "* with *"]) and not is_refused(licence, [])


def make_tree(tree: Path) -> Path:
    (tree / "licences/openssl").mkdir(parents=True)
    (tree / "licences/openssl/LICENSE.txt").write_text("terms\n")
    (tree / "licences/linux-headers").mkdir()
    cpe = "cpe:2.3:a:openssl:openssl:3:*:*:*:*:*:*:*"
    openssl = {"name": "openssl", "version": "3+1", "licence": "Apache-2.0", "sha256": "ab", "cpe": cpe}
    inputs = [
        openssl | {"patches": {"patches/1": "cd"}},
        {"name": "linux-headers", "version": "6", "licence": "GPL-2.0-only", "sha256": "00", "build_only": True},
    ]
    (tree / "manifest.json").write_text(json.dumps({"inputs": inputs}))
    return tree


def test_bill_of_materials(tmp_path: Path) -> None:
    packages = [make_package(tmp_path, "My.App", "License-Expression: MIT"), make_package(tmp_path, "other")]
    digest = hashlib.sha256(b"wheel").hexdigest()
    made_of = [*package_parts(packages, {"my-app": digest}), *interpreter_parts(make_tree(tmp_path / "tree"))]
    text = cyclonedx("app", made_of)
    assert text == cyclonedx("app", made_of) and str(tmp_path) not in text
    bom = json.loads(text)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    one, other, openssl = bom["components"]
    assert (one["purl"], one["licenses"]) == ("pkg:pypi/my-app@1.0", [{"expression": "MIT"}])
    assert one["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert "licenses" not in other and "hashes" not in other
    assert openssl["purl"] == "pkg:generic/openssl@3%2B1?checksum=sha256:ab"
    assert openssl["cpe"] == "cpe:2.3:a:openssl:openssl:3:*:*:*:*:*:*:*" and "cpe" not in one
    assert openssl["pedigree"]["patches"] == [{"type": "unofficial", "diff": {"url": "patches/1#sha256:cd"}}]
    assert {c["bom-ref"] for c in bom["components"]} == set(bom["dependencies"][0]["dependsOn"])
    texts = licence_texts(made_of)
    assert "My.App 1.0: MIT" in texts and "text of My.App" in texts and "openssl 3+1: Apache-2.0" in texts
    assert "other 1.0: UNKNOWN" in texts and "terms" in texts


@pytest.mark.parametrize(
    ("licence", "kind"),
    [("MIT", "expression"), ("BSD-2-Clause", "expression"), ("MIT OR (ISC AND Zlib)", "expression"),
     ("BSD", "license"), ("Apache 2.0", "license"), ("see (file", "license")],
)  # fmt: skip
def test_what_is_an_expression(licence: str, kind: str) -> None:
    (component,) = json.loads(cyclonedx("app", [Part("a", "1", "pkg:pypi/a@1", licence, "")]))["components"]
    assert [*component["licenses"][0]] == [kind]


def test_licences_that_are_not_wanted() -> None:
    made_of = [Part("a", "1", "pkg:pypi/a@1", "GPL-3.0-only", ""), Part("b", "2", "pkg:pypi/b@2", UNKNOWN, "")]
    check_licences(made_of, ["LGPL-*"])
    with pytest.raises(PayloadError, match=r"--fail-on GPL-\*: a 1 \(GPL-3.0-only\)$"):
        check_licences(made_of, ["GPL-*"])
    with pytest.raises(PayloadError, match=r"a 1 .*, b 2 \(UNKNOWN\)"):
        check_licences(made_of, ["GPL-*", "UNKNOWN"])


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"inputs": [1]}', '{"inputs": [{"name": "openssl"}]}'])
def test_a_tree_that_tells_nothing(tmp_path: Path, text: str | None) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / "manifest.json").unlink()
    if text is not None:
        (tree / "manifest.json").write_text(text)
    with pytest.raises(PayloadError, match="tree: what its Python was made of is not told there"):
        interpreter_parts(tree)
