"""The names of the parts of a group, which become folders in an artifact."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MAX_NAME_BYTES = 200  # of 255 that a file system takes
ADVICE = (
    "a part is saved in a folder of its name: use letters, digits and _, such as "
    "roundtrip.parts(encoder=..., decoder=...)"
)


def fault(names: Iterable[str]) -> str:
    """What is wrong with these names; "" where each can be a folder of its own on any machine."""
    folders: dict[str, str] = {}
    for name in names:
        wrong = _fault_of(name)
        if wrong:
            return f"the part {name!r:.80}: its name {wrong}; {ADVICE}"
        # of the same folder on a disk that ignores case, or normalizes
        folder = unicodedata.normalize("NFC", name.casefold())
        if folder in folders:
            both = f"the parts {folders[folder]!r} and {name!r}"
            return f"{both}: on some disks these are the same folder; {ADVICE}"
        folders[folder] = name
    return ""


def _fault_of(name: str) -> str:
    if not name or name in (".", ".."):
        return "is not a valid name of a folder"
    if not name.isprintable():
        return "has characters that cannot be printed"
    if "/" in name or "\\" in name:
        return "is a path"
    if len(name.encode()) > MAX_NAME_BYTES:
        return "is too long"
    return ""
