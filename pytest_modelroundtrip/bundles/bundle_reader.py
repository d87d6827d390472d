"""Bundles: an artifact with what was observed of its model, to be checked later and elsewhere.

A bundle is a folder. `docs/bundles.md` describes its files.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ..portable import protocol
from ..portable.bundles import bundle_files, origins, recorded, stores
from ..portable.bundles.origins import Origin
from ..portable.bundles.recorded import Recorded
from ..portable.checks import Observations
from ..portable.protocol import Job
from ..presentable import readable_size
from ..settings import Settings


class BundleError(Exception):
    """A folder that is not a bundle, or a damaged one. The text says which, and what is wrong."""


@dataclass(frozen=True)
class Bundle:
    """An artifact, what loads it, and what is expected of it.

    Attributes:
        folder: where it is.
        origin: where it comes from.
        recorded: what was observed of the original.
    """

    folder: Path
    origin: Origin
    recorded: Recorded
    _job: Job
    _observations: Observations

    @property
    def artifact(self) -> Path:
        """The folder that was saved to."""
        return self.folder / bundle_files.ARTIFACT

    @property
    def size(self) -> int:
        """Of the artifact, in bytes; with what is in a store."""
        inside = sum(path.stat().st_size for path in self.artifact.rglob("*") if path.is_file())
        missing = stores.missing(str(self.folder), self.origin.outside)
        return inside + sum(file.size for file in missing)

    def checks(self, wanted: Sequence[str]) -> list[str]:
        """The checks that were recorded; of these the wanted ones, if any are named."""
        return [name for name in self._job.checks if not wanted or name in wanted]

    def expected(self, names: Sequence[str]) -> Observations:
        """What these checks saw of the original."""
        return {
            part: {name: sighting for name, sighting in seen.items() if name in names}
            for part, seen in self._observations.items()
        }

    def job(self, settings: Settings, names: Sequence[str]) -> Job:
        """What is to be done, with the paths and limits of this machine."""
        setup = self._job.setup._replace(
            imports=[*dict.fromkeys([*self._job.setup.imports, *settings.imports])],
            pythonpath=list(settings.pythonpath),
            confinement=settings.confinement,
        )
        return self._job._replace(
            setup=setup,
            artifact=str(self.artifact),
            checks=list(names),
            known=(*self.recorded.hashes(),),
        )

    @contextlib.contextmanager
    def completed(self, store: str) -> Iterator[Bundle]:
        """The same with all files of the artifact: a temporary copy if some are in a store.

        Args:
            store: a folder or a URL; "" for the folder that it was recorded with.

        Raises:
            StoreError: where a file cannot be had.
            OSError: where the copy cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="roundtrip-") as scratch:
            whole = stores.completed(str(self.folder), self.origin.outside, store, scratch)
            yield replace(self, folder=Path(whole))

    def changed_files(self) -> list[str]:
        """The files of the artifact that are not those that were recorded, one line each."""
        return bundle_files.changed_files(str(self.folder), self.origin.sha256)


class Renewal(NamedTuple):
    """A bundle that may take the place of a golden which failed."""

    path: Path  # where it is written: beside the golden
    bundle: str  # the name under which a test records it
    is_old: bool  # whether it was there before this run


def renewal_of(golden: Path) -> Renewal:
    """What may take the place of that folder or archive."""
    name = golden.name.removesuffix(bundle_files.ARCHIVE_SUFFIX)
    path = golden.with_name(f"{name}.new")
    return Renewal(path, name, path.exists())


def is_bundle(folder: Path) -> bool:
    """Whether this folder looks like one."""
    names = (bundle_files.ORIGIN, bundle_files.EXPECTED)
    return all(os.path.isfile(folder / name) for name in names)  # False where it may not be read


def read_origin(folder: Path) -> Origin:
    """Where the bundle in that folder comes from.

    Raises:
        BundleError: as `read`.
    """
    with _errors_of(folder):
        return origins.read(str(folder))


def read(folder: Path) -> Bundle:
    """The bundle in that folder.

    Raises:
        BundleError: where it is not one that this release can read.
    """
    with _errors_of(folder):
        origin = origins.read(str(folder))
        record = recorded.read(str(folder))
        job = protocol.decode_record(Job, (folder / bundle_files.JOB).read_bytes())
        return Bundle(
            folder=folder,
            origin=origin,
            recorded=record,
            _job=job,
            _observations=record.observations(),
        )


def size_line(folder: Path) -> str:
    """How large the bundle in that folder is, and what of it is in a store.

    Raises:
        BundleError: as `read`.
    """
    outside = read_origin(folder).outside
    with _errors_of(folder):
        inside = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    line = f"{folder.name}: {readable_size(inside)}"
    if not outside.files:
        return line
    stored = readable_size(sum(file.size for file in outside.files))
    return f"{line}, and {stored} in {outside.store}"


@contextlib.contextmanager
def _errors_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"{folder} is not a complete bundle: {error}") from error
    except ValueError as error:
        raise BundleError(f"the bundle {folder} is damaged: {error}") from error
