"""A folder through a channel, as a tar: for interpreters that do not share this file system."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import BinaryIO, Callable, Literal, Optional, cast

PIECE_BYTES = 1 << 20
LEFT_OUT = ("__pycache__", ".git", ".venv", "node_modules")

Rule = Literal["data", "tar"]  # a filter of tarfile, where it has filters


def size_of(folder: str) -> int:
    """The number of bytes in the files that would be sent."""
    total = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        total += sum(os.lstat(os.path.join(parent, name)).st_size for name in files)
    return total


def send(put: Callable[[bytes], None], folder: str) -> None:
    """Pass the folder to `put` in pieces; an empty piece marks the end."""
    pieces = cast(BinaryIO, _PieceWriter(put))  # as much of one as tarfile uses
    with tarfile.open(mode="w|", fileobj=pieces, bufsize=PIECE_BYTES) as archive:
        archive.add(folder, arcname=".", filter=_unless_left_out)
    put(b"")


def receive(get: Callable[[], bytes], folder: str, rule: Rule = "data") -> None:
    """Make the folder anew from the pieces that `get` returns.

    Args:
        get: returns the next piece.
        folder: is deleted first.
        rule: "tar" lets links point outside the folder.

    Raises:
        tarfile.TarError: when the pieces are not a tar.
        OSError: when the folder cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    pieces = _PieceReader(get)
    try:
        source = cast(BinaryIO, pieces)
        with tarfile.open(mode="r|", fileobj=source, bufsize=PIECE_BYTES) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter=rule)
            else:
                archive.extractall(folder)
    finally:
        pieces.drain()  # what follows in the channel is not a piece


def _unless_left_out(info: tarfile.TarInfo) -> Optional[tarfile.TarInfo]:
    return None if os.path.basename(info.name) in LEFT_OUT else info


class _PieceWriter:
    """The file that tarfile writes to."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put

    def write(self, data: bytes) -> int:
        """Pass the data on as one piece."""
        if data:
            self._put(bytes(data))
        return len(data)


class _PieceReader:
    """The file that tarfile reads from."""

    def __init__(self, get: Callable[[], bytes]) -> None:
        self._get = get
        self._rest = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end."""
        while len(self._rest) < size and not self._ended:
            self._rest += self._next()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def drain(self) -> None:
        """Read up to the piece that marks the end."""
        while not self._ended:
            self._next()

    def _next(self) -> bytes:
        piece = self._get()
        self._ended = not piece
        return piece
