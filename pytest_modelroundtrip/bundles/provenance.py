"""What is written beside a kept artifact: where it comes from, and how to rebuild the saver."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..portable import codec, keras_libs, records, tensors
from ..portable.aliases import Array, Json, Plain
from ..portable.bundles import origins
from ..portable.bundles.bundle_files import hashes
from ..portable.bundles.origins import Origin
from ..portable.machine import machine
from ..reporting.record import versions_to_dict
from ..result import RoundTrip

if TYPE_CHECKING:
    from ..reference.model import ModelGroup

MAX_ELEMENTS = 1000  # of a tensor whose elements are written out


def write(
    trip: RoundTrip, group: ModelGroup, test: str, reproduce_command: str, imports: Iterable[str]
) -> None:
    """Write `roundtrip.json` and `requirements.txt` beside the artifact of a round trip.

    Args:
        trip: the round trip.
        group: its models.
        test: which test made the artifact, or what else did.
        reproduce_command: what reloads it; "" where nothing does.
        imports: the modules that the reload imports.
    """
    folder = str(trip.artifact.parent)
    parts = group.parts.items()
    origin = Origin(
        test=test,
        format=trip.format,
        environment=trip.environment,
        verdict=trip.verdict,
        problems=trip.problems,
        detail=trip.detail,
        versions=versions_to_dict(trip.versions),
        machine=records.to_plain(machine()),
        reproduce=reproduce_command,
        sha256=hashes(folder),
        inputs={
            name: {"args": json_summary(part.args), "kwargs": json_summary(part.kwargs)}
            for name, part in parts
        },
        outputs={name: json_summary(part.expected) for name, part in parts},
    )
    origins.write(folder, origin)
    lines = [
        f"# python=={sys.version_info[0]}.{sys.version_info[1]}",
        f"# what saved {test} ({trip.format})",
        *requirements(tuple(sorted({name.split(".")[0] for name in imports}))),
    ]
    path = trip.artifact.with_name("requirements.txt")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def json_summary(value: Plain) -> Json:
    """A nest in NumPy form as JSON.

    Of each tensor its dtype, shape and hash, and its elements where there are not too many.
    """
    return tensors.map_leaves(_described_leaf, value)


def _described_leaf(leaf: Plain) -> Json:
    if isinstance(leaf, tensors.PartOutput):
        return {"output_of": leaf.part}
    if isinstance(leaf, (tensors.Ragged, tensors.Sparse)):
        parts = {name: json_summary(part) for name, part in leaf._asdict().items()}
        return {type(leaf).__name__.lower(): parts}
    if isinstance(leaf, np.ndarray):
        return _described_array(leaf)
    return str(leaf) if isinstance(leaf, float) and not np.isfinite(leaf) else leaf


def _described_array(array: Array) -> Json:
    described_array = {
        "dtype": "string" if array.dtype == object else array.dtype.name,
        "shape": list(array.shape),
        "sha256": hashlib.sha256(codec.dump(array)).hexdigest(),
    }
    if array.size > MAX_ELEMENTS:
        return described_array
    return {**described_array, "values": [_element(item) for item in array.ravel()]}


def _element(item: object) -> Json:
    """JSON has neither bytes nor NaN, nor the dtypes of ml_dtypes."""
    if isinstance(item, bytes):
        return item.decode("utf-8", "backslashreplace")
    if isinstance(item, (np.bool_, np.integer)):
        return item.item()
    if isinstance(item, np.floating) and np.isfinite(item):
        return float(item)
    return str(item)


@functools.cache
def requirements(modules: tuple[str, ...]) -> list[str]:
    """`name==version` of each package of this interpreter that rebuilds the saver.

    These are what Keras and TensorFlow are made of, and what provides `modules`. A package that was
    installed from a folder is a comment, since no index has it. conda builds in a folder, too, but
    what it builds is in an index.
    """
    providers = importlib.metadata.packages_distributions()
    wanted = [*keras_libs.VERSIONED, "pkg_resources", *modules]
    waiting = [
        name for module in wanted if module in sys.modules for name in providers.get(module, ())
    ]
    found: dict[str, str] = {}
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # needed only where its marker is true
        found[name] = _pinned(name, distribution)
        waiting += _needed_by(distribution)
    return [found[name] for name in sorted(found)]


def _needed_by(distribution: importlib.metadata.Distribution) -> Iterable[str]:
    for text in distribution.requires or ():
        with contextlib.suppress(InvalidRequirement):  # of a package that is older than PEP 508
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                yield needed.name


def _pinned(name: str, distribution: importlib.metadata.Distribution) -> str:
    """By its address where it has one (PEP 610), else by its version."""
    address = json.loads(distribution.read_text("direct_url.json") or "{}")
    url, cloned, subdirectory = (address.get(key) for key in ("url", "vcs_info", "subdirectory"))
    if not url or (distribution.read_text("INSTALLER") or "").strip() == "conda":
        return f"{name}=={distribution.version}"
    if url.startswith("file:"):
        return f"# {name} {distribution.version} was installed from a folder"
    inside = "" if subdirectory is None else f"#subdirectory={subdirectory}"
    if not cloned:
        return f"{name} @ {url}{inside}"
    return f"{name} @ {cloned.get('vcs')}+{url}@{cloned.get('commit_id')}{inside}"
