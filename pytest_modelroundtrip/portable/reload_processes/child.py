"""The life of a process for one reload, from its fork or start to its answer.

It dies with its parent, which watches it: see `watching`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from typing import Callable, List, NoReturn, Optional

from .. import FOLDERS, keras_libs, protocol, reload
from ..confinement import confining
from ..confinement.confining import Cage, Grant
from ..processes import process_tree
from ..protocol import Job, Reloaded, Setup, Step, StepReached
from . import imported_files, own_copy, warm_up

# the files in a child's folder
JOB, STEP, ANSWER, OUTPUT = "job", "step", "answer", "output"
# names of processes
WAITING, RELOADING = "rt-standby", "rt-reload"

_write = os.write  # what a model's code puts in its place must not be called


def fork(folder: str, link: int, grant: Grant, setup: Optional[Setup] = None) -> int:
    """Fork this process, to be confined as the system grants it; the child's pid.

    With a setup, the child is set up and warmed up before it gets its job.
    """
    with warnings.catch_warnings():
        # Python 3.12 warns of any fork beside a thread. The threads here (execnet's reader,
        # OpenBLAS) hold no lock that the child takes.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    try:
        _reseed_numpy()
        become_child(folder, link, confining.entered(grant), setup)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        process_tree.exit_now(70)


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
    parent = os.getpid()
    asked: List[bool] = []
    # what a handler raises while libraries do their part of a fork is lost
    handler = signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
    pid = os.fork()
    if pid:
        signal.signal(signal.SIGTERM, handler)
        if asked:
            signal.raise_signal(signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1
    process_tree.ask_kernel(process_tree.AT_END_OF_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent's is of no use here
    if asked or os.getppid() != parent:  # which may have ended before the kernel was asked
        process_tree.exit_now(1)
    status = 1
    try:
        status = work()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        process_tree.exit_now(status)


def start(folder: str, link: int, grant: Grant, archive: str) -> int:
    """Start an interpreter as this one was started; its pid."""
    code = (
        f"import sys; sys.path[0] = {archive!r}; "
        "from pytest_modelroundtrip.portable.confinement import confining; "
        f"grant = confining.entered(confining.Grant{tuple(grant)!r}); "
        # it imports NumPy, which starts threads
        "from pytest_modelroundtrip.portable.reload_processes import child; "
        f"child.become_child({folder!r}, {link}, grant)"
    )
    with open(os.path.join(folder, OUTPUT), "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-s", "-u", "-c", code],
            pass_fds=[link],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    process.returncode = 0  # it is waited for below, by its pid, as a fork is
    return process.pid


def become_child(folder: str, link: int, grant: Grant, setup: Optional[Setup] = None) -> NoReturn:
    """The child's whole life: get ready, wait for its job, do it, write the answer.

    Args:
        folder: its own.
        link: to its parent, which writes a byte when the job is there, and reads one when the
            answer is; before, with a setup, one when this process is ready.
        grant: of confinement.
        setup: what to get ready for; None: everything waits for the job.
    """
    os.setsid()
    has_job = _listen(link)
    _redirect_streams(os.path.join(folder, OUTPUT), link)
    faulthandler.enable(file=sys.stderr)
    move_into(os.path.join(folder, "home"))
    cage = None
    if setup is not None:
        process_tree.show_as(WAITING)
        cage = Cage(setup.confinement, grant, folder)
        known = [*sys.modules]
        reload.set_up(setup, cage, own_copy.path_in(folder))
        imported_files.write(folder, known)
        warm_up.warm_up(setup.keras_majors)
        with contextlib.suppress(ConnectionError):  # the parent is gone: this process ends now
            _write(link, b"\n")
    has_job.wait()
    process_tree.show_as(RELOADING)
    _do_job(folder, grant, cage)
    with contextlib.suppress(OSError):  # a model's code has closed it: the parent sees the end
        _write(link, b"\n")
    process_tree.exit_now(0)


def _do_job(folder: str, grant: Grant, cage: Optional[Cage]) -> None:
    def entering(step: Step) -> None:
        reached = StepReached(step, keras_libs.versions())
        with open(os.path.join(folder, STEP), "wb") as out:
            out.write(protocol.encode_record(reached))

    with open(os.path.join(folder, JOB), "rb") as written:
        job = protocol.decode_record(Job, written.read())
    cage = cage or Cage(job.setup.confinement, grant, folder)
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


def _write_answer(folder: str, answer: Reloaded) -> None:
    part = os.path.join(folder, ANSWER + ".part")
    with open(part, "wb") as out:
        out.write(protocol.encode_record(answer))
    os.replace(part, os.path.join(folder, ANSWER))


def _redirect_streams(path: str, link: int) -> None:
    """Print to that file, read nothing, and close what was inherited except the link."""
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) != link:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(int(name))
    # they stay open as long as the process lives
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115


def move_into(home: str) -> None:
    """Make an empty folder the current one, the home and every cache."""
    os.makedirs(home, exist_ok=True)
    os.chdir(home)
    os.environ.update(dict.fromkeys(FOLDERS, home))
    tempfile.tempdir = None


def _listen(link: int) -> threading.Event:
    """What is set when the parent says that the job is there.

    When the parent ends, which closes its side of the link, this process group is ended. On Linux
    the kernel ends this process too, even while it is in C code.
    """
    process_tree.ask_kernel(process_tree.AT_END_OF_PARENT, signal.SIGKILL)
    has_job = threading.Event()

    def listen() -> None:
        try:
            while os.read(link, 1):
                has_job.set()
        except ConnectionError:
            pass
        except OSError:  # a model's code has closed it
            return
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=listen, daemon=True).start()
    return has_job
