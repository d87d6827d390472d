"""A process for one reload, watched from its parent: its limits, its end, and what it wrote.

What it wrote is read as files that anybody may have written.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import tempfile
import time
from typing import Callable, FrozenSet, NamedTuple, Optional, Type, TypeVar

from .. import plain_files, protocol
from ..processes import memory, process_tree
from ..protocol import (
    MAX_ANSWER,
    ChildEnd,
    HowEnded,
    Job,
    Reloaded,
    Step,
    StepReached,
)
from .child import ANSWER, JOB, OUTPUT, STEP

TAIL = 4000  # characters of what a child printed that are sent back
TRACE_SECONDS = 1.0  # for a child that hangs to print where it stands

R = TypeVar("R", StepReached, Reloaded)

StartChild = Callable[[str, int], int]  # (folder, link) -> the child's pid


class Limits(NamedTuple):
    """What a child may use."""

    start_seconds: float  # for the imports of an interpreter of its own; 0 for a fork
    seconds: float  # for the reload, after its imports
    memory: Optional[int]  # bytes that are resident, of all its processes; None for any
    has_hung_up: Callable[[], bool]  # whether the other side is gone; then the child is ended


class Child(NamedTuple):
    """A process for one reload, which waits for its job or does it."""

    pid: int
    folder: str
    link: int  # it reads a byte when its job is there, and writes one when its answer is
    others: FrozenSet[int]  # processes that were there before it


class _Ended(NamedTuple):
    """How a child ended that gave no answer: what a `ChildEnd` has besides its step."""

    how: HowEnded
    detail: str = ""


def begun(start: StartChild, scratch: str) -> Child:
    """Make a process that waits for its job.

    Args:
        start: makes it: `fork`, or `start` of an interpreter of its own.
        scratch: a folder for the child's folder.

    Raises:
        OSError: where its folder or its process cannot be made.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # an import may have ignored it
    folder = tempfile.mkdtemp(dir=scratch)
    others = process_tree.started_already()
    try:
        its_end, our_end = (end.detach() for end in socket.socketpair())
        try:
            return Child(start(folder, its_end), folder, our_end, others)
        except BaseException:
            os.close(our_end)
            raise
        finally:
            os.close(its_end)
    except BaseException:
        process_tree.remove(folder)
        raise


def give(child: Child, job: Job) -> None:
    """Let a child do its job.

    Raises:
        OSError: where the job cannot be written.
    """
    with open(os.path.join(child.folder, JOB), "wb") as out:
        out.write(protocol.encode_record(job))
    with contextlib.suppress(ConnectionError):  # it has ended, which is seen when it is watched
        os.write(child.link, b"\n")


def result(child: Child, limits: Limits) -> Reloaded:
    """What comes of the job that a child was given.

    Args:
        child: is watched until its answer is there, or it has to be ended.
        limits: beyond which it is killed.
    """
    return _result(child.folder, _Watch(child, limits).ended())


def is_ready(child: Child, seconds: float) -> Optional[bool]:
    """Whether a child is set up, which gets its job afterwards.

    Args:
        child: says so once.
        seconds: to wait for it.

    Returns:
        None where it is not yet; False where it has ended.
    """
    if not select.select([child.link], [], [], seconds)[0]:
        return None
    try:
        said = os.read(child.link, 1)
    except ConnectionError:
        return False
    return bool(said) and not select.select([child.link], [], [], 0)[0]  # its end can be read


def end(child: Child, but: FrozenSet[int] = frozenset()) -> None:
    """End a child with all that it started, and remove its folder.

    Args:
        child: whether it has ended already or not.
        but: processes of another child, which go on.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    process_tree.kill(child.pid)
    os.close(child.link)
    process_tree.end_descendants(but=child.others | but, child=child.pid)
    process_tree.remove(child.folder)


class _Watch:
    """Watches a child until its answer is there, it ends, or it has to be ended."""

    def __init__(self, child: Child, limits: Limits) -> None:
        """Remember what to watch.

        Args:
            child: its first step writes the file `STEP`: its imports come before.
            limits: beyond which it is killed.
        """
        self._pid, self._folder, self._limits = child.pid, child.folder, limits
        self._link: Optional[int] = child.link  # None once the other side has closed it
        self._status: Optional[int] = None  # once it has ended
        self._begun = False
        self._deadline = time.monotonic() + limits.start_seconds + limits.seconds

    def ended(self) -> Optional[_Ended]:
        """Wait for the answer of the child, or its end, or end it.

        Returns:
            None when the answer is there, or it ended by itself with status 0; else how it ended.
        """
        pause, reason = 0.002, None
        while not self._has_ended():
            reason = self._reason_to_end()
            if reason is not None:
                break
            self._bound_output()
            if self._has_answered(pause):
                return None
            pause = min(pause * 1.5, 0.05)
        if reason is not None and reason.how is HowEnded.TIMED_OUT:
            self._print_trace()
        if not self._has_ended():
            process_tree.kill(self._pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        if reason is None and self._status:
            return _Ended(HowEnded.DIED, process_tree.described_exit(self._status))
        return reason

    def _has_answered(self, seconds: float) -> bool:
        """Wait for that time at most; whether the child says that its answer is there."""
        if self._link is None:
            time.sleep(seconds)
        elif select.select([self._link], [], [], seconds)[0]:
            with contextlib.suppress(ConnectionError):
                if os.read(self._link, 1):
                    return True
            self._link = None
        return False

    def _has_ended(self) -> bool:
        if self._status is None:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if ended else None
        return self._status is not None

    def _reason_to_end(self) -> Optional[_Ended]:
        """Which limit it is beyond; None where it may go on."""
        if not self._begun and os.path.lexists(os.path.join(self._folder, STEP)):
            self._begun = True
            # never later: a fork, whose start has no time of its own, may come to its step late
            self._deadline = min(self._deadline, time.monotonic() + self._limits.seconds)
        if time.monotonic() > self._deadline or self._limits.has_hung_up():
            return _Ended(HowEnded.TIMED_OUT)
        if self._limits.memory is not None:
            pids = [self._pid, *process_tree.descendants(self._pid)]
            used = sum(map(memory.memory_of, pids))
            if used > self._limits.memory:
                return _Ended(HowEnded.MEMORY_LIMIT, f"{used / 1e9:.2f} GB")
        return None

    def _bound_output(self) -> None:
        """Forget what it printed where that is too much; its end is all that is ever shown."""
        path = os.path.join(self._folder, OUTPUT)
        with contextlib.suppress(OSError, ValueError):
            if os.lstat(path).st_size > process_tree.MAX_OUTPUT:
                with plain_files.opened(path, os.O_RDWR) as output:
                    os.ftruncate(output.fileno(), 0)

    def _print_trace(self) -> None:
        """Let `faulthandler` print where the child stands, which ends it."""
        process_tree.kill(self._pid, signal.SIGABRT)
        deadline = time.monotonic() + TRACE_SECONDS
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.01)


def _result(folder: str, ended: Optional[_Ended]) -> Reloaded:
    """What the child answered, or how it ended without an answer."""
    output = _printed(os.path.join(folder, OUTPUT))
    if ended is not None and ended.how is HowEnded.TIMED_OUT:
        output = output.replace("Fatal Python error: Aborted\n\n", "It was here:\n")
    if ended is None:
        try:
            return _read_record(Reloaded, os.path.join(folder, ANSWER))._replace(output=output)
        except OSError:
            ended = _Ended(HowEnded.DIED, "exit status 0, before it answered")
        except ValueError as error:
            ended = _Ended(HowEnded.UNREADABLE, str(error))
    try:
        last = _read_record(StepReached, os.path.join(folder, STEP))
    except (OSError, ValueError):
        last = StepReached(Step.START, {})
    return Reloaded(last.versions, {}, output, ended=ChildEnd(last.step, *ended))


def _read_record(kind: Type[R], path: str) -> R:
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
