"""Where a bundle comes from: its file `roundtrip.json`, which anybody may have written."""

from __future__ import annotations

import json
import os
from typing import Dict, NamedTuple

from . import stores
from .bundle_files import ORIGIN

SCHEMA = 1  # of the file, and with it of a bundle


class Origin(NamedTuple):
    """Where a bundle comes from."""

    format: str  # its name
    test: str  # the id of the test that made it, or what else did
    sha256: Dict[str, str]  # of each file of the artifact, by its path in the folder
    outside: stores.Outside  # the files that are in a store


def read(folder: str) -> Origin:
    """Where the bundle in that folder comes from.

    Raises:
        OSError: where it has no such file.
        ValueError: where this release cannot read it.
    """
    with open(os.path.join(folder, ORIGIN), encoding="utf-8") as source:
        try:
            origin = json.load(source)
        except RecursionError:
            raise ValueError(f"{ORIGIN} is nested too deeply") from None
    if not isinstance(origin, dict):
        raise ValueError(f"{ORIGIN} holds no object")
    schema = origin.get("schema")
    if schema != SCHEMA:
        raise ValueError(
            f"{ORIGIN} has the schema {str(schema)[:20]!r}; this release reads {SCHEMA}. A newer "
            "one is read by a newer release of pytest-modelroundtrip"
        )
    return Origin(
        _text(origin, "format"), _text(origin, "test"), _hashes(origin), stores.outside(origin)
    )


def _text(origin: Dict[str, object], name: str) -> str:
    value = origin.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{ORIGIN}: a text is expected as {name!r}")
    return value


def _hashes(origin: Dict[str, object]) -> Dict[str, str]:
    found = origin.get("sha256")
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(f"{ORIGIN}: the hash of each file is expected as 'sha256'")
    return found
