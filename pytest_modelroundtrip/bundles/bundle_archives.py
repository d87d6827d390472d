"""A bundle as one file, `encoder.keras.tar.gz`."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from ..portable.bundles import bundle_files
from ..portable.bundles.bundle_files import ARCHIVE_SUFFIX, NO_FILE
from .bundle_reader import BundleError

MAX_MEMBERS = 100_000


def archive_of(bundle: Path) -> Path:
    """Where the archive of a bundle is: beside it."""
    return bundle.with_name(bundle.name + ARCHIVE_SUFFIX)


def pack(bundle: Path) -> Path:
    """Put the bundle into an archive, in place of the folder.

    Raises:
        BundleError: where its artifact holds a link, which `unpack` would refuse.
    """
    links = [name for name, sha256 in bundle_files.hashes(str(bundle)).items() if sha256 == NO_FILE]
    if links:
        raise BundleError(f"{bundle.name} cannot be archived: {links[0]} is a link")
    target = archive_of(bundle)
    with tarfile.open(target, "w:gz") as archive:
        archive.add(bundle, bundle.name)
    shutil.rmtree(bundle)
    return target


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack it into a new or empty folder; the bundle there.

    Only plain files and folders with plain names are made, by this function and not by `tarfile`:
    no link, no device, nothing outside of the folder.

    Raises:
        BundleError: where it is not the archive of a bundle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as opened:
            names = [_unpacked(opened, member, folder) for member in _members(opened, folder)]
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError, zlib.error) as error:
        raise BundleError(f"{archive} cannot be unpacked: {error}") from error
    tops = {name.parts[0] for name in names}
    if len(tops) != 1:
        raise BundleError(f"{archive} is not a bundle: it must contain exactly one folder")
    return folder / tops.pop()


def _members(opened: tarfile.TarFile, folder: Path) -> list[tarfile.TarInfo]:
    found: list[tarfile.TarInfo] = []
    free = shutil.disk_usage(folder).free
    while (member := opened.next()) is not None:
        found.append(member)
        free -= member.size
        if len(found) > MAX_MEMBERS or free < 0:
            raise ValueError("it has too many files, or more bytes than are free on the disk")
    return found


def _unpacked(opened: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> PurePosixPath:
    """Write one member; its name."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or not name.parts or ".." in name.parts or "\0" in member.name:
        raise ValueError(f"{member.name[:80]!r} is not a path inside the archive")
    source = opened.extractfile(member) if member.isreg() else None
    target = folder / name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif source is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            shutil.copyfileobj(source, out)
    else:
        raise ValueError(f"{member.name[:80]!r} is neither a file nor a folder")
    return name
