"""A process for one reload, watched from its parent: its limits, its end, and what it wrote.

What it wrote is read as files that anybody may have written.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
import time
from typing import Callable, NamedTuple, Optional, Type, TypeVar

from . import plain_files, processes, protocol
from .child import ANSWER, JOB, OUTPUT, STEP
from .protocol import (
    MAX_ANSWER,
    MEMORY_LIMIT,
    TIMED_OUT,
    UNREADABLE_ANSWER,
    ChildEnd,
    Job,
    Reloaded,
    StepReached,
)

TAIL = 4000  # characters of what a child printed that are sent back
TRACE_SECONDS = 1.0  # for a child that hangs to print where it stands

R = TypeVar("R", StepReached, Reloaded)

Start = Callable[[str, int], int]  # (folder, lifeline) -> the child's pid


class Limits(NamedTuple):
    """What a child may use."""

    start_seconds: float  # for the imports of an interpreter of its own; 0 for a fork
    seconds: float  # for the reload, after its imports
    memory: Optional[int]  # bytes that are resident, of all its processes; None for any
    has_hung_up: Callable[[], bool]  # whether the other side is gone; then the child is ended


def run(job: Job, start: Start, scratch: str, limits: Limits) -> Reloaded:
    """Do a job in a process of its own.

    Args:
        job: what is reloaded.
        start: makes the process: `fork`, or `start` of an interpreter of its own.
        scratch: a folder for the child's folder.
        limits: beyond which it is killed.

    Raises:
        OSError: where its folder or its process cannot be made.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # an import may have ignored it
    folder = tempfile.mkdtemp(dir=scratch)
    others = processes.started_already()
    try:
        with open(os.path.join(folder, JOB), "wb") as out:
            out.write(protocol.encode_record(job))
        lifeline, held = os.pipe()
        try:
            try:
                pid = start(folder, lifeline)
            finally:
                os.close(lifeline)
            ended = _Watch(pid, folder, limits).ended()
        finally:
            os.close(held)
        return _result(folder, ended)
    finally:
        processes.end_descendants(but=others)
        processes.remove(folder)


class _Watch:
    """Watches a child until it ends, or has to be ended."""

    def __init__(self, pid: int, folder: str, limits: Limits) -> None:
        """Remember what to watch.

        Args:
            pid: of the child.
            folder: the child's. Its first step writes the file `STEP`: its imports come before.
            limits: beyond which it is killed.
        """
        self._pid, self._folder, self._limits = pid, folder, limits
        self._status: Optional[int] = None  # once it has ended
        self._begun = False
        self._deadline = time.monotonic() + limits.start_seconds + limits.seconds

    def ended(self) -> str:
        """Wait for the child, then end it.

        Returns:
            "" when it ended by itself with status 0, else how it ended.
        """
        pause, reason = 0.002, ""
        while not self._has_ended():
            reason = self._reason_to_end()
            if reason:
                break
            self._bound_output()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        if reason == TIMED_OUT:
            self._print_trace()
        if not self._has_ended():
            processes.kill(self._pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        return reason or processes.described(self._status or 0)

    def _has_ended(self) -> bool:
        if self._status is None:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if ended else None
        return self._status is not None

    def _reason_to_end(self) -> str:
        """Which limit it is beyond; "" where it may go on."""
        if not self._begun and os.path.lexists(os.path.join(self._folder, STEP)):
            self._begun, self._deadline = True, time.monotonic() + self._limits.seconds
        if time.monotonic() > self._deadline or self._limits.has_hung_up():
            return TIMED_OUT
        if self._limits.memory is not None:
            pids = [self._pid, *processes.descendants(self._pid)]
            used = sum(map(processes.memory_of, pids))
            if used > self._limits.memory:
                return f"{MEMORY_LIMIT}: {used / 1e9:.2f} GB"
        return ""

    def _bound_output(self) -> None:
        """Forget what it printed where that is too much; its end is all that is ever shown."""
        path = os.path.join(self._folder, OUTPUT)
        with contextlib.suppress(OSError, ValueError):
            if os.lstat(path).st_size > processes.MAX_OUTPUT:
                with plain_files.opened(path, os.O_RDWR) as output:
                    os.ftruncate(output.fileno(), 0)

    def _print_trace(self) -> None:
        """Let `faulthandler` print where the child stands, which ends it."""
        processes.kill(self._pid, signal.SIGABRT)
        deadline = time.monotonic() + TRACE_SECONDS
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.01)


def _result(folder: str, ended: str) -> Reloaded:
    """What the child answered, or how it ended without an answer."""
    output = _printed(os.path.join(folder, OUTPUT))
    if ended == TIMED_OUT:
        output = output.replace("Fatal Python error: Aborted\n\n", "It was here:\n")
    how = ended or "exit status 0, before it answered"
    if not ended:
        try:
            return _written(Reloaded, os.path.join(folder, ANSWER))._replace(output=output)
        except OSError:
            pass
        except ValueError as error:
            how = f"{UNREADABLE_ANSWER}: {error}"
    try:
        last = _written(StepReached, os.path.join(folder, STEP))
    except (OSError, ValueError):
        last = StepReached("start", {})
    return Reloaded(last.versions, {}, output, ended=ChildEnd(last.step, how))


def _written(kind: Type[R], path: str) -> R:
    """The record that a child wrote.

    Raises:
        OSError: where the child did not get that far.
        ValueError: where it cannot be read.
    """
    with plain_files.opened(path) as source:
        size = os.fstat(source.fileno()).st_size
        if size > MAX_ANSWER:
            raise ValueError(f"{size} bytes are too many")
        try:
            return protocol.decode_record(kind, source.read(MAX_ANSWER))
        except MemoryError:
            raise ValueError(f"{size} bytes do not fit into the memory") from None


def _printed(path: str) -> str:
    """What was printed last, without the list of modules that ends Python's report of a crash."""
    printed = plain_files.tail(path, 4 * TAIL)
    return re.sub(r"^Extension modules: .*\n?", "", printed, flags=re.MULTILINE)[-TAIL:]
