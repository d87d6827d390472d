"""A process that is set up and warmed up before its job is known.

It is set up as the last reload was: the next one mostly needs the same. It does one job, and ends,
as every other process for a reload does.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import shutil
from typing import FrozenSet, Optional

from . import child, processes, watching
from .confinement import OFF, Grant
from .protocol import Job, Reloaded, Setup

MAX_COPIED = 50_000_000  # bytes of an artifact; a larger one takes longer to load than to warm up
NEEDED_MEMORY = 2_000_000_000  # bytes that have to be free for one more process
ACCELERATORS = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dxg", "/dev/accel*")


class StandBy:
    """The process that waits for a job, if there is one."""

    def __init__(self, scratch: str, grant: Grant) -> None:
        """Nothing is started yet.

        Args:
            scratch: a folder for its folder.
            grant: of confinement; a job without any does not come here.
        """
        self._scratch, self._grant = scratch, grant
        self._child: Optional[watching.Child] = None
        self._setup: Optional[Setup] = None
        self._is_late = False  # whether it was not ready for a job

    @property
    def pids(self) -> FrozenSet[int]:
        """Of the process that waits, and those below it."""
        if self._child is None:
            return frozenset()
        return frozenset([self._child.pid, *processes.descendants(self._child.pid)])

    def prepare(self, setup: Setup) -> None:
        """Set a process up for the next job, where there is room for one."""
        if self._child is not None and self._setup == setup:
            return  # it was late for the last job
        self.discard()
        if setup.confinement != OFF and _has_room():
            start = functools.partial(child.fork, grant=self._grant, setup=setup)
            with contextlib.suppress(OSError):  # then the next job gets a fork as it comes
                self._child, self._setup = watching.begun(start, self._scratch), setup
                self._is_late = False

    def take(self, job: Job) -> Optional[watching.Child]:
        """The process, if it can do that job. Its artifact is copied to where it may read."""
        waits = self._child
        if waits is None:
            return None
        fits = job.setup == self._setup and job.save_to is None and _can_be_copied(job.artifact)
        if fits and watching.is_ready(waits):
            self._child = None
            with contextlib.suppress(OSError):
                shutil.copytree(job.artifact, _copy(waits))
                return waits
            watching.end(waits)
        elif not fits or self._is_late:
            self.discard()
        else:
            self._is_late = True  # on a busy machine; it may have the next job
        return None

    def discard(self) -> None:
        """End the process."""
        waits, self._child = self._child, None
        if waits is not None:
            watching.end(waits)


def _has_room() -> bool:
    """Whether two processes can compute at once; a graphics processor is reserved by the first."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    devices = () if hidden else [path for kind in ACCELERATORS for path in glob.glob(kind)]
    return not devices and processes.free_memory() >= NEEDED_MEMORY


def for_copy(job: Job, waits: watching.Child) -> Job:
    """The job with the copy of the artifact."""
    return job._replace(artifact=_copy(waits))


def named_as_given(reloaded: Reloaded, job: Job, waits: watching.Child) -> Reloaded:
    """The result with the path of the artifact wherever it has that of the copy."""
    copy, artifact = _copy(waits), job.artifact
    failure = reloaded.failure
    if failure is not None:
        failure = failure._replace(
            message=failure.message.replace(copy, artifact),
            traceback=failure.traceback.replace(copy, artifact),
        )
    return reloaded._replace(failure=failure, output=reloaded.output.replace(copy, artifact))


def _copy(waits: watching.Child) -> str:
    return os.path.join(waits.folder, child.ARTIFACT)


def _can_be_copied(folder: str) -> bool:
    """Whether it holds plain files and folders alone, and is small."""
    size = 0
    if not os.path.isdir(folder):
        return False
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(place, name)
            if os.path.islink(path):
                return False
            size += os.path.getsize(path)
    return size <= MAX_COPIED
