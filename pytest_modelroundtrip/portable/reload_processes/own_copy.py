"""The artifact in the folder of the process that loads it.

There a loader may make files beside it, as Keras does to unpack a large `.keras`, and no reload
finds what an earlier one made.
"""

from __future__ import annotations

import os
import shutil
from typing import Optional

from ..protocol import Reloaded

MAX_COPIED = 50_000_000  # bytes; the files of a larger artifact are linked


def path_in(folder: str) -> str:
    """Where it is in the folder of a process."""
    return os.path.join(folder, "artifact")


def made(artifact: str, copy: str) -> bool:
    """Copy the artifact; whether it could be: not with links in it, or to another file system."""
    try:
        size = _size_of_plain_files(artifact)
        if size is None:
            return False
        shutil.copytree(
            artifact, copy, copy_function=shutil.copy2 if size <= MAX_COPIED else os.link
        )
    except OSError:
        shutil.rmtree(copy, ignore_errors=True)
        return False
    return True


def _size_of_plain_files(folder: str) -> Optional[int]:
    """Their bytes; None where it holds links, or is no folder."""
    size = 0
    if not os.path.isdir(folder):
        return None
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(place, name)
            if os.path.islink(path):
                return None
            size += os.path.getsize(path)
    return size


def named_as_given(reloaded: Reloaded, copy: str, artifact: str) -> Reloaded:
    """The result with the path of the artifact wherever it has that of the copy."""
    failure = reloaded.failure
    if failure is not None:
        failure = failure._replace(
            message=failure.message.replace(copy, artifact),
            traceback=failure.traceback.replace(copy, artifact),
        )
    return reloaded._replace(failure=failure, output=reloaded.output.replace(copy, artifact))
