"""A process for one reload: it is forked or started, watched, and ended with all that it started.

A child dies with its parent. What it wrote is read as files that anybody may have written.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from typing import BinaryIO, Callable, NamedTuple, NoReturn, Optional, Type, TypeVar

from . import FOLDERS, START_SECONDS, confinement, keras_libs, processes, protocol, reload
from .confinement import Cage, Grant
from .protocol import (
    MEMORY_LIMIT,
    TIMED_OUT,
    UNREADABLE_ANSWER,
    ChildEnd,
    Job,
    Reloaded,
    StepReached,
)

# the files in a child's folder
JOB, STEP, ANSWER, OUTPUT = "job", "step", "answer", "output"
TAIL = 4000  # characters of what a child printed that are sent back
MAX_ANSWER = 1 << 34  # bytes
MAX_OUTPUT = 100_000_000  # bytes: a child that prints for minutes must not fill the disk
TRACE_SECONDS = 1.0  # for a child that hangs to print where it stands

_exit = os._exit  # what a model's code puts in its place must not be called

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
            ended = _Watch(pid, folder, limits).ended()
        finally:
            os.close(held)
        return _result(folder, ended)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fork(folder: str, lifeline: int, grant: Grant) -> int:
    """Fork this process, to be confined as the system grants it; the child's pid."""
    with warnings.catch_warnings():
        # Python 3.12 warns of any fork beside a thread. The threads here (execnet's reader,
        # OpenBLAS) hold no lock that the child takes.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    try:
        _reseed_numpy()
        become_child(folder, lifeline, confinement.entered(grant))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        _exit(70)


def _reseed_numpy() -> None:
    """Let NumPy draw other numbers than the next fork, as Python does by itself.

    What is drawn is then seen to differ from reload to reload.
    """
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()


def in_fork(work: Callable[[], int]) -> int:
    """Do it in a fork that keeps the terminal; the exit status that it comes to."""
    if not hasattr(os, "fork"):
        return work()
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1
    status = 1
    try:
        status = work()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        _exit(status)


def start(folder: str, lifeline: int, grant: Grant, archive: str, hash_seed: Optional[str]) -> int:
    """Start an interpreter as this one was started, or with another hash seed; its pid."""
    code = (
        f"import sys; sys.path[0] = {archive!r}; "
        "from pytest_modelroundtrip.portable import confinement; "
        f"grant = confinement.entered(confinement.Grant{tuple(grant)!r}); "
        # it imports NumPy, which starts threads
        "from pytest_modelroundtrip.portable import child; "
        f"child.become_child({folder!r}, {lifeline}, grant)"
    )
    with open(os.path.join(folder, OUTPUT), "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-s", "-u", "-c", code],
            pass_fds=[lifeline],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, **({"PYTHONHASHSEED": hash_seed} if hash_seed else {})},
        )
    process.returncode = 0  # it is waited for below, by its pid, as a fork is
    return process.pid


def become_child(folder: str, lifeline: int, grant: Grant) -> NoReturn:
    """The child's whole life: read its job, do it, write the answer."""
    os.setsid()
    _die_with_parent(lifeline)
    _redirect_streams(os.path.join(folder, OUTPUT), lifeline)
    faulthandler.enable(file=sys.stderr)
    move_into(os.path.join(folder, "home"))

    def entering(step: str) -> None:
        reached = StepReached(step, keras_libs.versions())
        with open(os.path.join(folder, STEP), "wb") as out:
            out.write(protocol.encode_record(reached))

    with open(os.path.join(folder, JOB), "rb") as written:
        job = protocol.decode_record(Job, written.read())
    cage = Cage(job.confinement, grant, folder)
    answer = protocol.encode_record(reload.reload(job, cage, entering))
    part = os.path.join(folder, ANSWER + ".part")
    with open(part, "wb") as out:
        out.write(answer)
    os.replace(part, os.path.join(folder, ANSWER))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    _exit(0)


def _redirect_streams(path: str, lifeline: int) -> None:
    """Print to that file, read nothing, and close what was inherited except the lifeline."""
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.closerange(3, lifeline)
    os.closerange(lifeline + 1, 1024)
    # they stay open as long as the process lives
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115


def move_into(home: str) -> None:
    """Make an empty folder the current one, the home and every cache."""
    os.makedirs(home, exist_ok=True)
    os.chdir(home)
    os.environ.update(dict.fromkeys(FOLDERS, home))
    tempfile.tempdir = None


def _die_with_parent(lifeline: int) -> None:
    """End this process group when the parent ends, which closes its side of the pipe.

    On Linux the kernel ends this process too, even while it is in C code.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    def watch() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


class _Watch:
    """Watches a child until it ends, or has to be ended."""

    def __init__(self, pid: int, folder: str, limits: Limits) -> None:
        """Remember what to watch.

        Args:
            pid: of the child.
            folder: of its files. Its first step writes one: its imports come before.
            limits: beyond which it is killed.
        """
        self._pid, self._limits = pid, limits
        self._step, self._output = os.path.join(folder, STEP), os.path.join(folder, OUTPUT)
        self._begun, self._end = False, time.monotonic() + START_SECONDS

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
            self._bound_output()
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

    def _bound_output(self) -> None:
        """Forget what it printed where that is too much; its end is all that is ever shown."""
        with contextlib.suppress(OSError, ValueError):
            if os.lstat(self._output).st_size > MAX_OUTPUT:
                with _opened(self._output, os.O_RDWR) as output:
                    os.ftruncate(output.fileno(), 0)

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


def _opened(path: str, access: int = os.O_RDONLY) -> BinaryIO:
    """The file of a child, if it is a plain file: no link, pipe or device.

    Raises:
        OSError: where it is not there.
        ValueError: where it is something else.
    """
    try:
        opened = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{os.path.basename(path)} is a link") from None
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise ValueError(f"{os.path.basename(path)} is no plain file")
    return open(opened, "rb")


def _tail(path: str) -> str:
    """What was printed last, without the list of modules that ends Python's report of a crash."""
    try:
        with _opened(path) as source:
            source.seek(max(0, os.fstat(source.fileno()).st_size - 4 * TAIL))
            printed = source.read(4 * TAIL).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
    return re.sub(r"^Extension modules: .*\n?", "", printed, flags=re.MULTILINE)[-TAIL:]
