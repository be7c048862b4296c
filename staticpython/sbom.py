"""A bill of materials of the interpreter: `python -m staticpython.sbom --into DIST PLAN...`.

For each target a CycloneDX 1.6 document (ECMA-424), from its tree's manifest.json: each source with its hash,
licence and package URL, and the full text of our patches as its pedigree.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import AttachedText, ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType, Diff, Patch, PatchClassification, Pedigree
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from staticpython.config import ROOT, Facts, Package
from staticpython.errors import StaticPythonError, UsageError, run_main
from staticpython.fetched import sha256_of
from staticpython.load import load_facts
from staticpython.published import Archive, target_parser
from staticpython.target_plan import TargetPlan, built, read_plan

# A component has the same identifier in every document (RFC 9562, UUID of a name).
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/static-python")


def read_manifest(plan: TargetPlan, tree: Path) -> dict[str, Any]:
    """Return what a target's tree was made from; raises UsageError where there is no tree."""
    file = tree / "manifest.json"
    if not file.is_file():
        raise UsageError(f"{file}: no such file: run make first")
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if manifest["python"] != plan.version:
        raise UsageError(f"{file}: is of Python {manifest['python']}, not {plan.version}: run make first")
    return manifest


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("upstream_name") or entry["name"])


def package_url(entry: dict[str, Any], facts: Facts) -> PackageURL:
    """Return the package URL (ECMA-427) of an input: PyPI's if its file is a wheel from there, else its file's."""
    package = facts.packages[entry.get("source_of") or entry["name"]]
    releases = [*package.releases, *(r for s in facts.series.values() for r in s.releases)]
    pypi = next((r.pypi for r in releases if r.sha256 == entry["sha256"]), None)
    if pypi and entry["file"].endswith(".whl"):
        return PackageURL("pypi", name=pypi.project, version=entry["version"], qualifiers={"file_name": entry["file"]})
    qualifiers = {"checksum": f"sha256:{entry['sha256']}"}
    if entry.get("urls"):
        qualifiers["download_url"] = entry["urls"][0]
    elif pypi:
        qualifiers["file_name"] = entry["file"]
    return PackageURL("generic", name=_name(entry), version=entry["version"], qualifiers=qualifiers)


def _sha256(digest: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]


def _patches(entry: dict[str, Any]) -> Iterator[Patch]:
    """Yield the patches of an input; raises StaticPythonError if one has changed since the build."""
    for name, digest in sorted(entry["patches"].items()):
        file = ROOT / name
        if not file.is_file() or sha256_of(file) != digest:
            raise StaticPythonError(f"{name}: is not the patch that was built with: run make first")
        text = AttachedText(content=file.read_text(encoding="utf-8"), content_type="text/x-diff")
        yield Patch(type=PatchClassification.UNOFFICIAL, diff=Diff(text=text, url=XsUri(name)))


def _component(entry: dict[str, Any], facts: Facts, inside: list[Component]) -> Component:
    """Return an input of the build as a component."""
    package = facts.packages[entry["name"]]
    return Component(
        type=ComponentType.LIBRARY if package.kind != "data" or package.libraries else ComponentType.DATA,
        bom_ref=entry["name"],
        name=_name(entry),
        version=entry["version"],
        cpe=entry.get("cpe"),
        description=package.summary,
        hashes=_sha256(entry["sha256"]),
        licenses=[LicenseFactory().make_from_string(entry["licence"])],
        purl=package_url(entry, facts),
        external_references=[
            ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(package.homepage)),
            *(ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(u)) for u in entry.get("urls", [])),
        ],
        pedigree=Pedigree(patches=found) if (found := list(_patches(entry))) else None,
        components=inside,
    )


def bundled(sources: Path, tree: Path, package: Package) -> list[Component]:
    """Return the components inside CPython's source: those of its own SPDX document, what this lacks, and pip.

    CPython's document does not tell their licences, so the facts do; raises StaticPythonError for one they lack.
    """
    known = [*_documented(sources, package), *_pip(tree, package)]
    names = {component.name for component in known}
    for name, part in package.parts.items():
        if name not in names and any((sources / place).exists() for place in part.places):
            known.append(
                Component(
                    bom_ref=f"cpython/{name}",
                    name=name,
                    description=f"in {', '.join(part.places)}",
                    licenses=_licence(package, name),
                )
            )
    return known


def _licence(package: Package, part: str) -> list[License]:
    if part not in package.parts:
        raise StaticPythonError(f"configs/packages/{package.name}.yml: parts: lacks {part}, which the source has")
    return [LicenseFactory().make_from_string(package.parts[part].spdx)]


def _documented(sources: Path, package: Package) -> list[Component]:
    document = sources / "Misc/sbom.spdx.json"
    if not document.is_file():
        return []
    found = []
    for part in json.loads(document.read_text(encoding="utf-8"))["packages"]:
        locators = [reference["referenceLocator"] for reference in part.get("externalRefs", [])]
        found.append(
            Component(
                bom_ref=f"cpython/{part['name']}",
                name=part["name"],
                version=part["versionInfo"],
                licenses=_licence(package, part["name"]),
                cpe=next((each for each in locators if each.startswith("cpe:")), None),
                purl=next((PackageURL.from_string(each) for each in locators if each.startswith("pkg:")), None),
            )
        )
    return found


def _pip(tree: Path, package: Package) -> list[Component]:
    """Return the bundled pip, with what it contains as far as its own CycloneDX document tells: no licences."""
    found = []
    for info in tree.glob("lib/python3*/site-packages/pip-*.dist-info"):
        version = info.name.removeprefix("pip-").removesuffix(".dist-info")
        document = info.parent / "pip/_vendor/bom.cdx.json"
        listed = json.loads(document.read_text(encoding="utf-8"))["components"] if document.is_file() else []
        inside = [
            Component(
                bom_ref=f"cpython/pip/{part['name']}",
                name=part["name"],
                version=part["version"],
                purl=PackageURL.from_string(part["purl"]),
            )
            for part in listed
            if "purl" in part  # pip itself has none there
        ]
        purl = PackageURL("pypi", name="pip", version=version)
        found.append(
            Component(
                bom_ref="cpython/pip",
                name="pip",
                version=version,
                licenses=_licence(package, "pip"),
                purl=purl,
                components=inside,
            )
        )
    return found


def make_document(plan: TargetPlan, tree: Path, build: Path) -> str:
    """Return the document of a target as JSON; the same tree gives the same text.

    Raises UsageError if there is no tree, StaticPythonError if patches have changed since the build.
    """
    manifest, facts = read_manifest(plan, tree), load_facts()
    archive = Archive.of(plan, "install_only")
    program = sha256_of(built(tree, plan))
    whole = Component(
        type=ComponentType.APPLICATION,
        bom_ref="static-python",
        name="static-python",
        version=f"{archive.version}+{archive.date}",
        description=f"CPython for {plan.arch.triple}, one static executable",
        hashes=_sha256(program),
        purl=PackageURL("generic", name="static-python", version=f"{archive.version}+{archive.date}"),
    )
    inside = {"cpython": bundled(build / "sources/cpython", tree, facts.cpython)}
    parts = [_component(entry, facts, inside.get(entry["name"], [])) for entry in manifest["inputs"]]
    bom = Bom(components=parts, serial_number=uuid.uuid5(NAMESPACE, f"{archive.name} {program}"))
    bom.metadata.component = whole
    bom.metadata.timestamp = plan.created
    bom.register_dependency(whole, parts)
    for part in parts:
        needs = facts.packages[part.bom_ref.value or ""].needs
        bom.register_dependency(part, [other for other in parts if other.bom_ref.value in needs])
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error:
        raise StaticPythonError(f"{archive.name}: its SBOM is no CycloneDX document: {error}")
    return text + "\n"


def sbom_name(plan: TargetPlan) -> str:
    """Return the file name of a target's document: as its archive's, with the ending that tools know."""
    return f"{Archive.of(plan, 'sbom').stem}.cdx.json"


def main(arguments: list[str] | None = None) -> int:
    """Write the document of each target; returns the exit code."""
    options = target_parser("sbom", __doc__).parse_args(arguments)

    def body() -> int:
        for path in options.plans:
            plan = read_plan(path)
            file = options.into / sbom_name(plan)
            file.write_text(make_document(plan, options.into / plan.tree, path.parent.parent), encoding="utf-8")
            print(f"written   {file}  CycloneDX 1.6, valid")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
