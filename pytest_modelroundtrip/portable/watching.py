"""A process for one reload, watched from its parent: its limits, its end, and what it wrote.

What it wrote is read as files that anybody may have written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from typing import BinaryIO, Callable, NamedTuple, Optional, Type, TypeVar

from . import START_SECONDS, processes, protocol
from .child import ANSWER, JOB, OUTPUT, STEP
from .protocol import (
    MEMORY_LIMIT,
    TIMED_OUT,
    UNREADABLE_ANSWER,
    ChildEnd,
    Job,
    Reloaded,
    StepReached,
)

TAIL = 4000  # characters of what a child printed that are sent back
MAX_ANSWER = 1 << 34  # bytes
TRACE_SECONDS = 1.0  # for a child that hangs to print where it stands

R = TypeVar("R", StepReached, Reloaded)

Start = Callable[[str, int], int]  # (folder, lifeline) -> the child's pid


class Limits(NamedTuple):
    """What a child may use."""

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
    os.makedirs(scratch, exist_ok=True)  # a reload may have removed it
    folder = tempfile.mkdtemp(dir=scratch)
    try:
        with open(os.path.join(folder, JOB), "wb") as out:
            out.write(protocol.encode_record(job))
        lifeline, held = os.pipe()
        try:
            try:
                pid = start(folder, lifeline)
            finally:
                os.close(lifeline)
            ended = _Watch(pid, os.path.join(folder, STEP), limits).ended()
        finally:
            os.close(held)
        return _result(folder, ended)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Watch:
    """Watches a child until it ends, or has to be ended."""

    def __init__(self, pid: int, step: str, limits: Limits) -> None:
        """Remember what to watch.

        Args:
            pid: of the child.
            step: the file that its first step writes: its imports come before.
            limits: beyond which it is killed.
        """
        self._pid, self._step, self._limits = pid, step, limits
        self._begun = False
        self._end = time.monotonic() + START_SECONDS

    def ended(self) -> str:
        """Wait for the child, then end all that it started.

        Returns:
            "" when it ended by itself with status 0, else how it ended.
        """
        pause = 0.002
        while True:
            done, status = os.waitpid(self._pid, os.WNOHANG)
            how = processes.described(status) if done else self._reason_to_end()
            if done or how:
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        if how == TIMED_OUT and not done:
            self._print_trace()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        processes.end_descendants()
        return how

    def _reason_to_end(self) -> str:
        """Which limit it is beyond; "" where it may go on."""
        if not self._begun and os.path.lexists(self._step):
            self._begun, self._end = True, time.monotonic() + self._limits.seconds
        if time.monotonic() > self._end or self._limits.has_hung_up():
            return TIMED_OUT
        if self._limits.memory is not None:
            used = sum(map(processes.resident, [self._pid, *processes.descendants(self._pid)]))
            if used > self._limits.memory:
                return f"{MEMORY_LIMIT}: {used / 1e9:.2f} GB"
        return ""

    def _print_trace(self) -> None:
        """Let `faulthandler` print where the child stands, which ends it."""
        processes.kill(self._pid, signal.SIGABRT)
        limit = time.monotonic() + TRACE_SECONDS
        while time.monotonic() < limit and not os.waitpid(self._pid, os.WNOHANG)[0]:
            time.sleep(0.01)


def _result(folder: str, ended: str) -> Reloaded:
    """What the child answered, or how it ended without an answer."""
    output = _tail(os.path.join(folder, OUTPUT))
    if ended == TIMED_OUT:
        output = output.replace("Fatal Python error: Aborted\n\n", "It was here:\n")
    how = ended or "exit status 0, before it answered"
    try:
        return _written(Reloaded, os.path.join(folder, ANSWER))._replace(output=output)
    except OSError:
        pass
    except ValueError as error:
        how = ended or f"{UNREADABLE_ANSWER}: {error}"
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
    with _opened(path) as source:
        size = os.fstat(source.fileno()).st_size
        if size > MAX_ANSWER:
            raise ValueError(f"{size} bytes are too many")
        return protocol.decode_record(kind, source.read(MAX_ANSWER))


def _opened(path: str) -> BinaryIO:
    """The file of a child, if it is a plain file: no link, pipe or device.

    Raises:
        OSError: where it is not there.
        ValueError: where it is something else.
    """
    try:
        source = open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")  # noqa: SIM115
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{os.path.basename(path)} is a link") from None
        raise
    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        source.close()
        raise ValueError(f"{os.path.basename(path)} is no plain file")
    return source


def _tail(path: str) -> str:
    """What was printed last, without the list of modules that ends Python's report of a crash."""
    try:
        with _opened(path) as source:
            source.seek(max(0, os.fstat(source.fileno()).st_size - 4 * TAIL))
            printed = source.read(4 * TAIL).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
    return re.sub(r"^Extension modules: .*\n?", "", printed, flags=re.MULTILINE)[-TAIL:]
