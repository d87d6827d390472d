"""Errors of a machine, which are no model's: a full disk, too few file descriptors."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .presentable import readable_size

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
NO_PROCESSES = (errno.EAGAIN, errno.ENOMEM)  # what a failing fork raises

# how libraries tell them, in exceptions of their own classes
_WORDS = {os.strerror(code): code for code in (*NO_SPACE, *NO_DESCRIPTORS)}
# the longer ones first: one begins with another
_IN_WORDS = re.compile("|".join(map(re.escape, sorted(_WORDS, key=len, reverse=True))))

USUAL_ADVICE = (
    "pytest makes its folders in TMPDIR, or where --basetemp=PATH says: name a folder that "
    "exists and can be written to."
)
ADVICE = {
    **dict.fromkeys(
        NO_SPACE,
        "Free space there, or let pytest use a disk that has more: set TMPDIR, or pass "
        "--basetemp=PATH.",
    ),
    **dict.fromkeys(
        NO_DESCRIPTORS,
        "Raise the limit (ulimit -n 4096), or close the files that tests leave open.",
    ),
    **dict.fromkeys(
        NO_PROCESSES,
        "Run fewer tests at once (-n), free memory, or raise the limit of processes (ulimit -u).",
    ),
    errno.EFBIG: "Raise the limit of the size of a file: ulimit -f unlimited.",
}


def is_one(error: BaseException) -> bool:
    """Whether the system refused something that any program needs."""
    codes = (*NO_SPACE, *NO_DESCRIPTORS, *NO_PROCESSES)
    return isinstance(error, OSError) and error.errno in codes


def code_in(text: str) -> int | None:
    """The number of the system's error that this text tells, if it tells one."""
    match = _IN_WORDS.search(text)
    if match:
        return _WORDS[match[0]]
    folder = _temporary_folder()
    gone = folder and not os.access(folder, os.W_OK | os.X_OK) and folder in text
    return errno.ENOENT if gone else None


def facts(code: int | None, folders: Iterable[Path]) -> list[str]:
    """What there is to know about such an error, in one line: the free space, or the limit.

    Args:
        code: the number of the error.
        folders: what is written to.
    """
    if code in NO_SPACE:
        found: dict[int, str] = {}  # by device
        temporary = _temporary_folder()
        for folder in (*folders, *([Path(temporary)] if temporary else [])):
            found.setdefault(*_free(folder))
        return [f"free on this machine now: {', '.join(found.values())}"]
    if code in NO_DESCRIPTORS:
        import resource  # not on Windows, where the plugin is imported too

        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return [f"this process may have {limit} files open"]
    return []


def advice(code: int | None) -> str:
    """What to do about it."""
    return ADVICE.get(code or 0, USUAL_ADVICE)


def _temporary_folder() -> str | None:
    with contextlib.suppress(OSError):  # there is none that can be written to
        return tempfile.gettempdir()
    return None


def _free(folder: Path) -> tuple[int, str]:
    """The device of a folder, or of what is there of it, and its free space in words."""
    there = folder.absolute()
    while not os.path.exists(there):
        there = there.parent
    space = shutil.disk_usage(there)
    words = f"{readable_size(space.free)} of {readable_size(space.total)} in {there}"
    return there.stat().st_dev, words
