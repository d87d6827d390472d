"""What is written beside a kept artefact: where it comes from, and what rebuilds the machine that saved it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .portable import library, tensors
from .portable.machine import machine

if TYPE_CHECKING:
    from .original import System
    from .roundtrip import RoundTrip

SCHEMA = 1
SHOWN = 1000  # elements of a tensor that are written out


def write(folder: Path, test: str, trip: RoundTrip, system: System, imports: Iterable[str], again: str) -> None:
    """Write `roundtrip.json` and `requirements.txt` beside the artefact in `folder`."""
    told = {
        "schema": SCHEMA,
        "test": test,
        "format": trip.format,
        "environment": trip.environment,
        "verdict": trip.verdict,
        "problems": trip.problems,
        "versions": trip.versions,
        "machine": machine(),
        "again": again,
        "sha256": {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(trip.artifact.rglob("*"))
            if path.is_file()
        },
        "inputs": {name: {"args": described(part.args), "kwargs": described(part.kwargs)} for name, part in system.parts.items()},
        "outputs": {name: described(part.expected) for name, part in system.parts.items()},
    }
    (folder / "roundtrip.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    head = [f"# python=={sys.version_info[0]}.{sys.version_info[1]}", f"# what saved {test} ({trip.format})"]
    modules = sorted({name.split(".")[0] for name in imports})
    (folder / "requirements.txt").write_text("\n".join([*head, *requirements(tuple(modules))]) + "\n", encoding="utf-8")


def described(value: Any) -> Any:
    """A value in NumPy form as JSON: of each tensor its dtype, shape and hash, and its elements where they are not too many."""
    return tensors.map_leaves(_described, value)


def _described(leaf: Any) -> Any:
    if isinstance(leaf, tensors.Output):
        return {"output_of": leaf.part}
    if isinstance(leaf, (tensors.Ragged, tensors.Sparse)):
        return {type(leaf).__name__.lower(): {name: described(part) for name, part in leaf._asdict().items()}}
    if not isinstance(leaf, np.ndarray):
        return str(leaf) if isinstance(leaf, float) and not np.isfinite(leaf) else leaf
    told = {"dtype": leaf.dtype.name, "shape": list(leaf.shape), "sha256": hashlib.sha256(tensors.dump(leaf)).hexdigest()}
    if leaf.dtype == object:
        told["dtype"] = "string"
    return {**told, "values": [_element(item) for item in leaf.ravel()]} if leaf.size <= SHOWN else told


def _element(item: Any) -> Any:
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
    """`name==version` of what Keras and TensorFlow are made of in this interpreter, and of what provides `modules`.

    What was installed from a folder is a comment: no index has it. What conda built has the name of a folder, but is in an index.
    """
    providers = importlib.metadata.packages_distributions()
    wanted = [*library.VERSIONED, "pkg_resources", *modules]
    waiting = [name for module in wanted if module in sys.modules for name in providers.get(module, ())]
    found: dict[str, str] = {}
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of a marker that is true elsewhere
        found[name] = _pinned(name, distribution)
        for text in distribution.requires or ():
            with contextlib.suppress(InvalidRequirement):  # of a package from before PEP 508 was kept to
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    waiting.append(needed.name)
    return [found[name] for name in sorted(found)]


def _pinned(name: str, distribution: importlib.metadata.Distribution) -> str:
    """By its address where it has one (PEP 610), else by its version."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    url, vcs = origin.get("url", ""), origin.get("vcs_info")
    if not url or (distribution.read_text("INSTALLER") or "").strip() == "conda":
        return f"{name}=={distribution.version}"
    if url.startswith("file:"):
        return f"# {name} {distribution.version} was installed from a folder"
    inside = f"#subdirectory={origin['subdirectory']}" if "subdirectory" in origin else ""
    return f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}{inside}" if vcs else f"{name} @ {url}{inside}"
