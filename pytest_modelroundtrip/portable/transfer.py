"""A folder through a channel, as a tar: for interpreters that do not share this file system."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import Any, Callable, Dict

CHUNK = 1 << 20
LEFT_OUT = ("__pycache__", ".git", ".venv", "node_modules")


def size_of(folder: str) -> int:
    """Bytes of the files that would be sent."""
    total = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        total += sum(os.lstat(os.path.join(parent, name)).st_size for name in files)
    return total


def send(put: Callable[[bytes], None], folder: str) -> None:
    """Give the folder to `put` in pieces; an empty piece is the end."""
    out: Any = _Out(put)
    with tarfile.open(mode="w|", fileobj=out, bufsize=CHUNK) as archive:
        archive.add(folder, arcname=".", filter=lambda info: None if os.path.basename(info.name) in LEFT_OUT else info)
    put(b"")


def receive(get: Callable[[], bytes], folder: str, rule: str = "data") -> None:
    """Make the folder anew from the pieces that `get` gives, by that rule of tarfile: "tar" lets links point outside.

    Raises:
        tarfile.TarError: when they are no tar.
        OSError: when the folder cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    pieces: Any = _In(get)
    safe: Dict[str, Any] = {"filter": rule} if hasattr(tarfile, "data_filter") else {}
    try:
        with tarfile.open(mode="r|", fileobj=pieces, bufsize=CHUNK) as archive:
            archive.extractall(folder, **safe)
    finally:
        pieces.drain()  # what follows in the channel is no piece


class _Out:
    """The file that tarfile writes to."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put

    def write(self, data: bytes) -> int:
        if data:
            self._put(bytes(data))
        return len(data)


class _In:
    """The file that tarfile reads from."""

    def __init__(self, get: Callable[[], bytes]) -> None:
        self._get, self._rest, self._ended = get, b"", False

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and not self._ended:
            self._rest += self._next()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def drain(self) -> None:
        while not self._ended:
            self._next()

    def _next(self) -> bytes:
        piece = self._get()
        self._ended = not piece
        return piece
