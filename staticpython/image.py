"""An image for containers: `python -m staticpython.image --into DIST PLAN...` writes one for all the targets.

It is an OCI image layout (github.com/opencontainers/image-spec) in a tar archive: one index, an image for each target.
An image has one layer, which is the target's install_only archive: the tree in /python, and nothing else. skopeo,
podman and buildah take the file as oci-archive:FILE.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from staticpython.errors import UsageError, run_main
from staticpython.fetched import sha256_of
from staticpython.published import FOLDER, Archive, target_parser, write_tar, written_whole
from staticpython.target_plan import TargetPlan, read_plan

TYPE = "application/vnd.oci.image"


def image_name(plans: list[TargetPlan]) -> str:
    """Return the file name of the image of targets of one build.

    It is not named as the wheel is: pip takes a .tar file of that name for a source archive.
    """
    first = plans[0]
    options = "".join(f"-{word}" for word in first.variant)
    return f"cpython-{first.version}+{first.release}{options}.oci.tar"


def labels(plan: TargetPlan, source: str = "") -> dict[str, str]:
    """Return what an image says of itself (annotations.md of the specification); `source` is a URL, if there is one."""
    inside = [package for package in plan.packages if not package.build_only]
    # A plan has the parts of every series: one of another series may be named too.
    parts = [part.spdx for package in inside for part in package.parts.values() if part.places]
    licences = sorted({*(package.licence.spdx for package in inside), *parts})
    told = {
        "title": "static-python",
        "description": f"CPython {plan.version} as one fully static executable, with its library",
        "version": plan.version,
        "created": _created(plan),
        "licenses": " AND ".join(f"({spdx})" if " OR " in spdx else spdx for spdx in licences),
    }
    if source:
        told["source"] = source
    return {f"org.opencontainers.image.{name}": text for name, text in told.items()}


def _created(plan: TargetPlan) -> str:
    return plan.created.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_image(plans: list[TargetPlan], dist: Path, source: str = "") -> Path:
    """Write the image of targets whose archives are in `dist`; return it. The same archives give the same bytes.

    `source` is the address of the source code, which the image names.
    Raises UsageError for no archive, and for two targets that a container's host cannot tell apart.
    """
    names = [plan.arch.oci_arch for plan in plans]
    if len(set(names)) < len(names):
        raise UsageError(f"an image has one interpreter for each of: {', '.join(sorted(set(names)))}")
    with tempfile.TemporaryDirectory(dir=dist, prefix=".image.") as temporary:
        layout = Path(temporary)
        (layout / "blobs/sha256").mkdir(parents=True)
        images = [_image(plan, dist, layout, source) for plan in plans]
        index = _blob(
            layout, "index.v1+json", {"schemaVersion": 2, "mediaType": f"{TYPE}.index.v1+json", "manifests": images}
        )
        name = f"static-python:{plans[0].version}-{plans[0].release}"  # podman load gives it this name
        top = {"schemaVersion": 2, "manifests": [index | {"annotations": {"org.opencontainers.image.ref.name": name}}]}
        (layout / "index.json").write_bytes(_json(top))
        (layout / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
        result = dist / image_name(plans)
        with written_whole(result) as part, part.open("wb") as file:
            write_tar(file, [("", layout)], plans[0].source_date_epoch)
    return result


def _image(plan: TargetPlan, dist: Path, layout: Path, source: str) -> dict[str, Any]:
    """Write the layer, the configuration and the manifest of a target; return the manifest's descriptor."""
    archive = dist / Archive.of(plan, "install_only").name
    if not archive.is_file():
        raise UsageError(f"{archive}: no such archive: run make archives first")
    layer = _described(archive, "layer.v1.tar+gzip")
    os.link(archive, layout / "blobs/sha256" / layer["digest"].removeprefix("sha256:"))
    platform = {"architecture": plan.arch.oci_arch, "os": "linux"}
    created, told = _created(plan), labels(plan, source)
    config = platform | {
        "created": created,
        "config": {"Env": [f"PATH=/{FOLDER}/bin"], "Cmd": [f"python{plan.series}"], "Labels": told},
        "rootfs": {"type": "layers", "diff_ids": [_unpacked_digest(archive)]},
        "history": [{"created": created, "created_by": "static-python"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{TYPE}.manifest.v1+json",
        "config": _blob(layout, "config.v1+json", config),
        "layers": [layer],
        "annotations": told,
    }
    return _blob(layout, "manifest.v1+json", manifest) | {"platform": platform}


def _unpacked_digest(archive: Path) -> str:
    digest = hashlib.sha256()
    with gzip.open(archive) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _described(file: Path, kind: str) -> dict[str, Any]:
    return {"mediaType": f"{TYPE}.{kind}", "digest": f"sha256:{sha256_of(file)}", "size": file.stat().st_size}


def _blob(layout: Path, kind: str, value: object) -> dict[str, Any]:
    """Write a value as a blob; return its descriptor."""
    data = _json(value)
    file = layout / "blobs/sha256" / hashlib.sha256(data).hexdigest()
    file.write_bytes(data)
    return _described(file, kind)


def main(arguments: list[str] | None = None) -> int:
    """Write the image of the targets; returns the exit code."""
    parser = target_parser("image", __doc__)
    parser.add_argument("--source", default="", metavar="URL", help="where the source code is, for the image's label")
    options = parser.parse_args(arguments)

    def body() -> int:
        plans = [read_plan(path) for path in options.plans]
        image = write_image(plans, options.into, options.source)
        print(f"packed    {image}  {image.stat().st_size / 1e6:.1f} MB, {len(plans)} architecture(s)")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
