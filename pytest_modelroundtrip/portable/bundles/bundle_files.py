"""The files of a bundle: their names, and whether the artifact is still the one that was recorded.

`docs/bundles.md` describes each of them.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Dict, List, Mapping

ARTIFACT = "artifact"  # the folder that was saved to
JOB = "job"  # what is loaded, and how
EXPECTED = "expected"  # what was observed of the original
ORIGIN = "roundtrip.json"  # where it comes from, for people and for tools
RELOAD = "reload.pyz"  # checks the bundle where the plugin is not installed
ARCHIVE_SUFFIX = ".tar.gz"  # of a bundle in one file

NO_FILE = "no plain file"  # in place of the hash of a link or a pipe, which may have no end
PIECE_BYTES = 1 << 20  # of a file that is hashed


def is_url(store: str) -> bool:
    """Whether what has files outside of bundles is a server: it can be read, and not written."""
    return "://" in store


def hashes(bundle: str) -> Dict[str, str]:
    """The SHA-256 of each file of the artifact, by its path in the bundle."""
    found = {}
    for place, folders, files in os.walk(os.path.join(bundle, ARTIFACT)):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in [*files, *links]:
            path = os.path.join(place, name)
            is_file = stat.S_ISREG(os.lstat(path).st_mode)
            sha256 = sha256_of(path) if is_file else NO_FILE
            found[os.path.relpath(path, bundle).replace(os.sep, "/")] = sha256
    return dict(sorted(found.items()))


def changed_files(bundle: str, recorded: Mapping[str, str]) -> List[str]:
    """What is another file of the artifact than was recorded, one line each."""
    now = hashes(bundle)
    lines = [f"the file {name} is missing" for name in recorded if name not in now]
    for name, sha256 in now.items():
        if name not in recorded:
            lines.append(f"the file {name} was added after it was recorded")
        elif sha256 != recorded[name]:
            lines.append(f"the file {name} was changed after it was recorded")
    return sorted(lines)


def sha256_of(path: str) -> str:
    """The hash of a file, however large it is."""
    found = hashlib.sha256()
    with open(path, "rb") as source:
        while True:
            piece = source.read(PIECE_BYTES)
            if not piece:
                return found.hexdigest()
            found.update(piece)
