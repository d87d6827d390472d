"""A process for one reload: it is forked or started, watched, and ended with all that it started.

A child gets its own process group and dies with its parent.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from typing import Callable, NoReturn, Optional, Type, TypeVar

from . import FOLDERS, START_SECONDS, confinement, keras_libs, protocol, reload
from .confinement import Cage, Grant
from .protocol import TIMED_OUT, UNREADABLE_ANSWER, ChildEnd, Job, Reloaded, StepReached

# the files in a child's folder
JOB, STEP, ANSWER, OUTPUT = "job", "step", "answer", "output"
TAIL = 4000  # characters of what a child printed that are sent back

R = TypeVar("R", StepReached, Reloaded)

Start = Callable[[str, int], int]  # (folder, lifeline) -> the child's pid


def run(
    job: Job, seconds: float, start: Start, scratch: str, has_hung_up: Callable[[], bool]
) -> Reloaded:
    """Do a job in a process of its own.

    Args:
        job: what is reloaded.
        seconds: that the reload may take, after its imports.
        start: makes the process: `fork`, or `start` of an interpreter of its own.
        scratch: a folder for the child's folder.
        has_hung_up: whether the other side is gone; then the child is ended.
    """
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
            ended = _wait(pid, seconds, os.path.join(folder, STEP), has_hung_up)
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
        os._exit(70)


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
        os._exit(status)


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
    reloaded = reload.reload(job, cage, entering)
    try:
        _write_answer(folder, reloaded)
    except OSError as error:
        with open(os.path.join(folder, JOB), "wb"):
            pass  # on a full disk the job, which was read, leaves room to say so
        error.filename = error.filename or folder
        _write_answer(folder, reload.unwritten(reloaded, error))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _write_answer(folder: str, answer: Reloaded) -> None:
    part = os.path.join(folder, ANSWER + ".part")
    with open(part, "wb") as out:
        out.write(protocol.encode_record(answer))
    os.replace(part, os.path.join(folder, ANSWER))


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


def _wait(pid: int, seconds: float, step: str, has_hung_up: Callable[[], bool]) -> str:
    """Wait for the child, then end its whole group.

    The time counts from the child's first step, which writes the file `step`: its imports come
    before.

    Returns:
        "" when it ended by itself with status 0, else how it ended.
    """
    limit, begun, pause = time.monotonic() + START_SECONDS, False, 0.002
    status: Optional[int] = None
    while status is None and time.monotonic() < limit and not has_hung_up():
        if not begun and os.path.exists(step):
            begun, limit = True, time.monotonic() + seconds
        done, found = os.waitpid(pid, os.WNOHANG)
        if done:
            status = found
        else:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # what the child started ends with it
    if status is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return TIMED_OUT
    return _described(status)


def _described(status: int) -> str:
    """How a process ended, by its status; "" for status 0."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        names = {known.value: known.name for known in signal.Signals}
        return f"signal {number} ({names.get(number, 'real-time')})"
    return f"exit status {os.WEXITSTATUS(status)}" if status else ""


def _result(folder: str, ended: str) -> Reloaded:
    """What the child answered, or how it ended without an answer."""
    output = _tail(os.path.join(folder, OUTPUT))
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
    with open(path, "rb") as source:
        return protocol.decode_record(kind, source.read())


def _tail(path: str) -> str:
    """What was printed last, without the list of modules that ends Python's report of a crash."""
    try:
        with open(path, "rb") as source:
            source.seek(max(0, os.path.getsize(path) - 4 * TAIL))
            printed = source.read(4 * TAIL).decode("utf-8", "replace")
    except OSError:
        return ""
    return re.sub(r"^Extension modules: .*\n?", "", printed, flags=re.MULTILINE)[-TAIL:]
