"""Files that anybody may have written: read as plain files, within bounds."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import Union


def opened(path: Union[str, os.PathLike[str]], flags: int = os.O_RDONLY) -> io.BufferedReader:
    """The file there, if it is a plain file: no link, pipe, device or folder.

    Raises:
        OSError: where it is not there.
        ValueError: where it is something else.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{os.path.basename(path)} is a link") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{os.path.basename(path)} is not a plain file")
    return open(descriptor, "rb")


def tail(path: Union[str, os.PathLike[str]], count: int) -> str:
    """The last `count` bytes of the file there, as text; "" where there is no plain file."""
    try:
        with opened(path) as source:
            source.seek(max(0, os.fstat(source.fileno()).st_size - count))
            return source.read(count).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
