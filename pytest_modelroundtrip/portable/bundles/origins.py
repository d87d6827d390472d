"""Where a bundle comes from: its file `roundtrip.json`, which anybody may have written."""

from __future__ import annotations

import json
import os
import re
from typing import Dict, Mapping, NamedTuple, Sequence

from .. import transfer
from ..aliases import Json
from .bundle_files import ARTIFACT, ORIGIN, is_url

ORIGIN_SCHEMA = 1  # of the file, and with it of a bundle
MAX_FILE_BYTES = 1 << 63  # no file system has larger files
SHA256 = re.compile("[0-9a-f]{64}")


class OutsideFile(NamedTuple):
    """A file of an artifact that is in a store."""

    path: str  # in the bundle, with slashes
    size: int  # bytes
    sha256: str


class Outside(NamedTuple):
    """The files of an artifact that are in a store."""

    store: str = ""  # where they were put; "" where there are none
    files: Sequence[OutsideFile] = ()


class Origin(NamedTuple):
    """Where a bundle comes from: the fields of its file, in their order.

    What is `Json` is for people and for other tools: nothing here uses it, so it is not verified
    when it is read. None stands for a field that is not there.
    """

    test: str  # the id of the test that made it, or what else did
    format: str  # its name
    environment: Json = None
    verdict: Json = None
    problems: Json = None
    detail: Json = None
    versions: Json = None
    machine: Json = None
    reproduce: Json = None
    sha256: Mapping[str, str] = {}  # of each file of the artifact, by its path in the folder
    inputs: Json = None
    outputs: Json = None
    outside: Outside = Outside()
    others: Mapping[str, Json] = {}  # fields of a later release or another tool


def write(folder: str, origin: Origin) -> None:
    """Write the file into the folder of the bundle.

    Raises:
        OSError: where it cannot be written.
    """
    fields = origin._asdict()
    outside, others = fields.pop("outside"), fields.pop("others")
    known = {name: value for name, value in fields.items() if value is not None}
    if outside.files:
        sizes = {file.path: file.size for file in outside.files}
        known["outside"] = {"store": outside.store, "files": sizes}
    text = json.dumps({"schema": ORIGIN_SCHEMA, **known, **others}, indent=1)
    with open(os.path.join(folder, ORIGIN), "w", encoding="utf-8") as out:
        out.write(f"{text}\n")


def read(folder: str) -> Origin:
    """Where the bundle in that folder comes from.

    Raises:
        OSError: where it has no such file.
        ValueError: where this release cannot read it.
    """
    with open(os.path.join(folder, ORIGIN), encoding="utf-8") as source:
        try:
            fields = json.load(source)
        except RecursionError:
            raise ValueError(f"{ORIGIN} is nested too deeply") from None
    if not isinstance(fields, dict):
        raise ValueError(f"{ORIGIN} is not a JSON object")
    schema = fields.pop("schema", None)
    if schema != ORIGIN_SCHEMA:
        raise ValueError(
            f"{ORIGIN} has the schema {str(schema)[:20]!r}; this release reads {ORIGIN_SCHEMA}. A "
            "newer schema needs a newer release of pytest-modelroundtrip"
        )
    verified = {
        "format": _read_text(fields, "format"),
        "test": _read_text(fields, "test"),
        "sha256": _hashes(fields),
        "outside": _outside(fields),
    }
    names = {*Origin._fields} - {"others"}
    others = {name: value for name, value in fields.items() if name not in names}
    known = {name: value for name, value in fields.items() if name in names}
    return Origin(**{**known, **verified, "others": others})


def _read_text(fields: Dict[str, Json], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{ORIGIN}: {name!r} must be a text")
    return value


def _hashes(fields: Dict[str, Json]) -> Dict[str, str]:
    found = fields.get("sha256")
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(f"{ORIGIN}: 'sha256' must have the hash of each file")
    return found


def _outside(fields: Dict[str, Json]) -> Outside:
    """The files in a store.

    Raises:
        ValueError: where that cannot be so, as for a path that leads out of the artifact.
    """
    noted, hashes = fields.get("outside"), fields["sha256"]
    if noted is None:
        return Outside()
    if not isinstance(noted, dict):
        raise ValueError(f"{ORIGIN}: 'outside' must be a JSON object")
    store, files = noted.get("store"), noted.get("files")
    if not isinstance(store, str) or is_url(store) or not isinstance(files, dict):
        raise ValueError(f"{ORIGIN}: 'outside' must have a folder and the sizes of files")
    return Outside(store, [_file(path, size, hashes.get(path)) for path, size in files.items()])


def _file(path: str, size: object, sha256: object) -> OutsideFile:
    first, *others = transfer.names_in(path)
    if first != ARTIFACT or not others:
        raise ValueError(f"{ORIGIN}: {repr(path)[:80]} is not a file of the artifact")
    if type(size) is not int or not 0 <= size < MAX_FILE_BYTES:
        raise ValueError(f"{ORIGIN}: the size of {repr(path)[:80]} is not a number of bytes")
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise ValueError(f"{ORIGIN}: the hash of {repr(path)[:80]} is not a SHA-256")
    return OutsideFile(path, size, sha256)
