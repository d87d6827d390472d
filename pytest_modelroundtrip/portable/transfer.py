"""A folder through a channel, for interpreters that do not share this file system.

Each folder and each file in it is an `Entry`, then come the bytes of the file; an empty piece marks
the end. There is nothing else: no links, owners or devices can travel, and what is received may
come from anywhere. `receive` makes files in a new folder and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Callable, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple

from . import protocol
from .processes import process_tree
from .protocol import Entry

PIECE_BYTES = 1 << 20
MAX_ENTRIES = 1_000_000
MAX_FOLDER_DEPTH = 100
MAX_ENTRY_BYTES = 1 << 16  # of an entry itself, which has a path in it
LEFT_OUT = ("__pycache__", ".git", ".venv", "node_modules")

# what comes back may be larger than what was sent, by no more than this
LEAST_LIMIT, LIMIT_RATIO = 1 << 30, 16

# what a path that came can cause in a new folder; all else is a fault of this file system
FAULTS_OF_PATHS = (errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EILSEQ)

Get = Callable[[], bytes]
Put = Callable[[bytes], None]


class _Found(NamedTuple):
    """What is to be sent, and where it is."""

    entry: Entry
    path: str
    modified: int  # a file: when it was written, in nanoseconds


def state_of(folder: str) -> List[Tuple[Entry, int]]:
    """Equal as long as the same would be sent: when each file was written counts, not its bytes.

    Raises:
        OSError: when something in it cannot be read.
    """
    return [(found.entry, found.modified) for found in _walk(folder)]


def size_of(folder: str) -> int:
    """The number of bytes in the files that would be sent."""
    return sum(found.entry.size or 0 for found in _walk(folder))


def limit_of(sent: str) -> int:
    """How many bytes may come back where that folder was sent."""
    return max(LEAST_LIMIT, LIMIT_RATIO * size_of(sent))


def small_file_in(folder: str) -> Optional[str]:
    """A file that would be sent, neither large nor empty; None where there is none, or no folder.

    One that can be read: it stands for the folder where another side is asked what it sees.
    """
    with contextlib.suppress(OSError):
        for entry, path, _ in _walk(folder):
            if entry.size and entry.size <= PIECE_BYTES and os.access(path, os.R_OK):
                return path
    return None


def send(put: Put, folder: str) -> None:
    """Pass the folder to `put` in pieces; an empty piece marks the end.

    Raises:
        OSError: when something in it cannot be read.
    """
    for entry, path, _ in _walk(folder):
        put(protocol.encode_record(entry))
        if entry.size is not None:
            _send_file(put, path, entry.size)
    put(b"")


def _send_file(put: Put, path: str, size: int) -> None:
    with open(path, "rb") as source:
        for length in _lengths(size):
            piece = source.read(length)
            if len(piece) != length:
                raise OSError(errno.EIO, "it became shorter while it was sent", path)
            put(piece)


def _lengths(size: int) -> Iterator[int]:
    """The lengths of the pieces of a file."""
    for start in range(0, size, PIECE_BYTES):
        yield min(PIECE_BYTES, size - start)


def _walk(folder: str) -> Iterator[_Found]:
    """The folders and plain files in a folder, each folder before what it holds.

    Links are followed: what they point to is sent. A link to nothing, and one to a folder that it
    stands in, are left out, as are pipes, sockets and devices.
    """
    waiting: List[Tuple[str, str, FrozenSet[Tuple[int, int]]]] = [(folder, "", frozenset())]
    count = 0
    while waiting:
        place, prefix, around = waiting.pop()
        around |= {_identity(os.stat(place))}  # the real folders that it stands in
        for name in sorted(os.listdir(place)):
            path, inner = os.path.join(place, name), prefix + name
            found = None if name in LEFT_OUT else _stat(path)
            if found is None:
                continue
            count += 1
            if count > MAX_ENTRIES:
                raise OSError(errno.EFBIG, f"it holds more than {MAX_ENTRIES} files", folder)
            if stat.S_ISREG(found.st_mode):
                entry = Entry(inner, found.st_size, bool(found.st_mode & 0o100))
                yield _Found(entry, path, found.st_mtime_ns)
            elif stat.S_ISDIR(found.st_mode) and _identity(found) not in around:
                yield _Found(Entry(inner, None), path, 0)
                waiting.append((path, f"{inner}/", around))


def _stat(path: str) -> Optional[os.stat_result]:
    """What stands there, or what a link there points to; None for a link to nothing."""
    try:
        return os.stat(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) or os.path.islink(path):
            return None
        raise


def _identity(found: os.stat_result) -> Tuple[int, int]:
    return found.st_dev, found.st_ino


def receive(get: Get, folder: str, limit: Optional[int] = None) -> None:
    """Make the folder anew from the pieces that `get` returns; nothing is left of a part of it.

    Args:
        get: returns the next piece.
        folder: is deleted first.
        limit: how many bytes its files may have; None: as many as come.

    Raises:
        ValueError: when the pieces are not a folder within these bounds.
        OSError: when the folder cannot be written.
    """
    process_tree.remove(folder)
    os.makedirs(folder)
    try:
        _Receiver(get, folder, limit).receive()
    except BaseException:
        process_tree.remove(folder)
        raise


def drain(get: Get) -> None:
    """Read up to the piece that marks the end: the sender goes on, and then hears what is wrong."""
    while get():
        pass


class _Receiver:
    """Makes what the pieces describe, on its way through them."""

    def __init__(self, get: Get, folder: str, limit: Optional[int]) -> None:
        self._get, self._folder, self._limit = get, folder, limit
        self._bytes = 0

    def receive(self) -> None:
        """Make each entry."""
        for _ in range(MAX_ENTRIES + 1):
            piece = self._get()
            if not piece:
                return
            if len(piece) > MAX_ENTRY_BYTES:
                raise ValueError(f"an entry has {len(piece)} bytes")
            self._make(protocol.decode_record(Entry, piece))
        raise ValueError(f"more than {MAX_ENTRIES} files were sent")

    def _make(self, entry: Entry) -> None:
        path = os.path.join(self._folder, *names_in(entry.path))
        try:
            if entry.size is None:
                os.mkdir(path)
            else:
                self._make_file(path, entry)
        except OSError as error:
            if error.errno in FAULTS_OF_PATHS:
                raise ValueError(f"{repr(entry.path)[:80]}: {error.strerror}") from error
            if error.errno and not error.filename:  # a full disk
                error.filename = path
            raise

    def _make_file(self, path: str, entry: Entry) -> None:
        size = entry.size or 0
        self._bytes += size
        if size < 0 or (self._limit is not None and self._bytes > self._limit):
            raise ValueError(
                f"{repr(entry.path)[:80]}: {size} bytes; all files may have {self._limit} together"
            )
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o755 if entry.is_program else 0o644), "wb") as out:
            for length in _lengths(size):
                piece = self._get()
                if len(piece) != length:
                    raise ValueError(f"a piece of {length} bytes is expected, not of {len(piece)}")
                out.write(piece)


def names_in(path: str) -> List[str]:
    """The names in a path that came, each of which stands for itself.

    Raises:
        ValueError: when one does not: "..", an empty one (the path is absolute), or one with NUL;
            or when there are too many.
    """
    names = path.split("/")
    if len(names) > MAX_FOLDER_DEPTH:
        raise ValueError(f"{repr(path)[:80]} is more than {MAX_FOLDER_DEPTH} folders deep")
    if "\0" in path or any(name in ("", ".", "..") for name in names):
        raise ValueError(f"{repr(path)[:80]} is not a path inside of the folder")
    for name in names:
        os.fsencode(name)
    return names
