"""The files of the modules that a process imported before its job was known.

A test may write a module anew: then what was imported is not what it declares.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Collection, Dict, List

from .. import plain_files

FILE = "imported"
MAX_STATES_BYTES = 10_000_000  # of that file


def write(folder: str, known: Collection[str]) -> None:
    """Write down in a folder what was imported besides the modules that are known."""
    states: Dict[str, List[int]] = {}
    for name in {*sys.modules} - {*known}:
        path = getattr(sys.modules[name], "__file__", None)
        if isinstance(path, str):
            with contextlib.suppress(OSError):  # of an archive
                states[path] = _state(path)
    with open(os.path.join(folder, FILE), "w") as out:
        json.dump(states, out)


def unchanged(folder: str) -> bool:
    """Whether all was imported, and the files are the same still."""
    try:
        with plain_files.opened(os.path.join(folder, FILE)) as source:
            states = json.loads(source.read(MAX_STATES_BYTES))
        return all(_state(path) == state for path, state in states.items())
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return False


def _state(path: str) -> List[int]:
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns]
