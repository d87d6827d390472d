"""Large files of an artifact outside of its bundle, in a store.

A store is a folder of files, each of which has its SHA-256 as its name; or a URL, below which a
server has the files of such a folder. A bundle names the folder that it was recorded with. A URL
comes only from who checks: a bundle of somebody else makes no connection.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Generator, List

from .. import plain_files
from . import origins
from .bundle_files import NO_FILE, PIECE_BYTES, is_url, sha256_of
from .origins import Outside, OutsideFile

MIN_BYTES = 1_000_000  # of a file that goes into a store

SECONDS = 30  # that a server may be silent; its answer must begin within twice that
BYTES_PER_SECOND = 50_000  # of the slowest server


class StoreError(Exception):
    """A file cannot be had from its store. The text says which, and why."""


class ChangedError(StoreError):
    """The store has another file under that name."""


def move_out(bundle: str, store: str) -> None:
    """Move the large files of a bundle's artifact into a store, and note that in the bundle.

    Args:
        bundle: its folder.
        store: a folder, which is made if it is not there.

    Raises:
        OSError: where it cannot be written.
        ValueError: where the bundle's `roundtrip.json` is not valid.
    """
    origin = origins.read(bundle)
    moved: List[OutsideFile] = []
    for name, sha256 in origin.sha256.items():
        path = os.path.join(bundle, name)
        size = 0 if sha256 == NO_FILE else os.path.getsize(path)
        if size >= MIN_BYTES:
            _put(path, store, sha256)
            os.remove(path)
            moved.append(OutsideFile(name, size, sha256))
    if moved:
        origins.write(bundle, origin._replace(outside=Outside(os.path.abspath(store), moved)))


def _put(path: str, store: str, sha256: str) -> None:
    """Copy a file into the store; it is there as a whole, or not at all."""
    os.makedirs(store, exist_ok=True)
    target = os.path.join(store, sha256)
    if os.path.isfile(target) and sha256_of(target) == sha256:
        return
    with tempfile.TemporaryDirectory(prefix=".", dir=store) as scratch:
        copy = os.path.join(scratch, sha256)
        shutil.copyfile(path, copy)
        os.replace(copy, target)


def missing(bundle: str, noted: Outside) -> List[OutsideFile]:
    """The files in a store that are not in the bundle too."""
    return [file for file in noted.files if not os.path.lexists(os.path.join(bundle, file.path))]


def completed(bundle: str, noted: Outside, store: str, folder: str) -> str:
    """The bundle's folder if it has all files of its artifact; else `folder`, a copy that has.

    Args:
        bundle: its folder.
        noted: what it says of files in a store.
        store: a folder or a URL with these files; "" for that of the bundle.
        folder: an empty one, for a copy of the bundle.

    Raises:
        StoreError: where a file cannot be had.
        OSError: where the copy cannot be written.
    """
    wanted = missing(bundle, noted)
    if not wanted:
        return bundle
    needed, free = sum(file.size for file in wanted), shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the files outside of the bundle have {needed} bytes, and {folder} has room for {free}"
        )
    for file in wanted:
        _fetch(file, store or noted.store, os.path.join(folder, file.path))
    shutil.copytree(bundle, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def _fetch(file: OutsideFile, store: str, target: str) -> None:
    """Copy a file from a store, and see meanwhile that it is the one that was recorded."""
    place = f"{store.rstrip('/')}/{file.sha256}"
    size, found = 0, hashlib.sha256()
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        seconds = SECONDS + file.size / BYTES_PER_SECOND
        with open(target, "xb") as out, contextlib.closing(_pieces(place, seconds)) as pieces:
            for piece in pieces:
                size += len(piece)
                if size > file.size:
                    raise ChangedError(f"{place} has more than the {file.size} bytes recorded")
                found.update(piece)
                out.write(piece)
        if size < file.size:
            raise StoreError(f"{place} ends after {size} of {file.size} bytes")
        if found.hexdigest() != file.sha256:
            raise ChangedError(f"{place} was changed: its SHA-256 is not the one in its name")
    except StoreError as error:
        raise type(error)(f"the file {file.path} is outside of the bundle, and {error}") from None


def _pieces(place: str, seconds: float) -> Generator[bytes, None, None]:
    """The bytes of the file at that path or URL.

    Raises:
        StoreError: where they cannot be read, or not within this time.
    """
    end = time.monotonic() + seconds
    try:
        with _opened(place) as source:
            while True:
                piece = source.read1(PIECE_BYTES)  # what is there: it waits for no more
                if not piece:
                    return
                yield piece
                if time.monotonic() > end:
                    raise TimeoutError(f"it takes more than {seconds:.0f} s")
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{place} cannot be read: {reason}") from error


def _opened(place: str) -> io.BufferedIOBase:
    if not is_url(place):
        return plain_files.opened(os.path.realpath(place))
    answers: List[io.BufferedIOBase] = []
    errors: List[BaseException] = []

    def ask() -> None:
        try:
            answers.append(urllib.request.urlopen(place, timeout=SECONDS))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)  # headers may come without an end
    try:
        thread.start()
    except RuntimeError as refused:  # this machine cannot start another one
        raise OSError(str(refused)) from refused
    thread.join(2 * SECONDS)
    for error in errors:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is an answer, too
        raise error
    if not answers:
        raise TimeoutError(f"it did not begin to answer within {2 * SECONDS} s")
    return answers[0]
