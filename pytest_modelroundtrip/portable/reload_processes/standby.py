"""A process that is set up and warmed up before its job is known.

It is set up as the last reload was: the next one mostly needs the same. It does one job, and ends,
as every other process for a reload does.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import time
from typing import FrozenSet, Optional

from ..confinement.confining import OFF, Grant
from ..processes import memory
from ..protocol import Job, Setup
from . import child, imported_files, own_copy, watching

NEEDED_MEMORY = 2_000_000_000  # bytes that have to be free for one more process
READY_SECONDS = 0.1  # for it to be set up when a job comes: another one would lose as much
STUCK_SECONDS = 30  # after which it will not be set up any more
ACCELERATORS = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dxg", "/dev/accel*")


class StandBy:
    """The process that waits for a job, if there is one.

    Attributes:
        is_urgent: whether jobs come faster than processes get ready. Where they do not, the next
            one is made after a job, which it would slow down.
    """

    def __init__(self, scratch: str, grant: Grant) -> None:
        """Nothing is started yet.

        Args:
            scratch: a folder for its folder.
            grant: of confinement; a job without any does not come here.
        """
        self._scratch, self._grant = scratch, grant
        self._child: Optional[watching.Child] = None
        self._setup: Optional[Setup] = None
        self._begun = 0.0  # when, by the monotonic clock
        self.is_urgent = True

    @property
    def pids(self) -> FrozenSet[int]:
        """Of the process that waits."""
        return frozenset() if self._child is None else frozenset([self._child.pid])

    def prepare(self, setup: Setup) -> None:
        """Set a process up for the next job, where there is room for one."""
        if self._child is not None and self._setup == setup:
            return  # it was late for the last job
        self.discard()
        if setup.confinement != OFF and _has_room():
            start = functools.partial(child.fork, grant=self._grant, setup=setup)
            with contextlib.suppress(OSError):  # then the next job gets a fork as it comes
                self._child, self._setup = watching.begun(start, self._scratch), setup
                self._begun = time.monotonic()

    def take(self, job: Job) -> Optional[watching.Child]:
        """The process, if it can do that job; it has the artifact then."""
        waits = self._child
        if waits is None:
            return None
        fits = job.setup == self._setup and job.save_to is None
        is_ready = self._is_ready(waits) if fits else False
        # while it imports, it may hold what another process would wait for
        if is_ready is not False and not imported_files.unchanged(waits.folder):
            is_ready = False
        if is_ready:
            self._child = None
            if own_copy.made(job.artifact, own_copy.path_in(waits.folder)):
                return waits
            watching.end(waits)
        elif is_ready is False or time.monotonic() - self._begun > STUCK_SECONDS:
            self.discard()
        return None  # one that is late may have the next job

    def _is_ready(self, waits: watching.Child) -> Optional[bool]:
        at_once = watching.is_ready(waits, 0)
        self.is_urgent = at_once is None
        return watching.is_ready(waits, READY_SECONDS) if at_once is None else at_once

    def discard(self) -> None:
        """End the process."""
        waits, self._child = self._child, None
        if waits is not None:
            watching.end(waits)


def _has_room() -> bool:
    """Whether there is a core and memory for one more; a GPU is the first one's."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    devices = () if hidden else [path for kind in ACCELERATORS for path in glob.glob(kind)]
    has_memory = not devices and memory.free_memory() >= NEEDED_MEMORY
    return has_memory and len(os.sched_getaffinity(0)) > 1
