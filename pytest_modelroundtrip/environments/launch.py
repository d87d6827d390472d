"""How a clean interpreter is started: its hash seed, and the execnet gateway that speaks with it.

What a clean interpreter is: no path of the tests on `sys.path`, no user site, an environment built
from nothing, a fixed hash seed other than this process's, and empty temporary folders for a home
and caches. The command line is that of its kind, see `kinds`.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..portable import plain_files
from ..portable.processes import process_tree

if TYPE_CHECKING:
    import execnet

    from .pipes import Line

HASH_SEED = "2"
CONNECT_SECONDS = 120.0  # until an interpreter answers: a container may have to be fetched

SCRATCH = "ROUNDTRIP_SCRATCH"  # the variable with the scratch folder of the interpreter
# in the scratch folder on this side: what the interpreter itself prints, the number of the process
# that supervises it here, and how it ended
LOG, SUPERVISOR, STATUS = "log", "supervisor", "status"
# the beginning of a shell script whose "$1" is the scratch folder
IN_SCRATCH = 'cd "$1"; '
CHECK_VERSION = (
    "import sys; sys.version_info >= (3, 8) or "
    'sys.exit("it is Python %d.%d; 3.8 or newer is needed" % sys.version_info[:2])'
)
# what an interpreter runs first. Nothing of the current folder is imported. Its scratch folder is
# made, and two processes stay behind as supervisors: each ends all when the other one is killed.
SUPERVISED = f"""{CHECK_VERSION}
sys.path[:] = [entry for entry in sys.path if entry]
import os, tempfile
os.environ[{SCRATCH!r}] = tempfile.mkdtemp(prefix="roundtrip-")
names = {{}}
exec({inspect.getsource(process_tree)!r}, names)
names["supervise"](os.environ[{SCRATCH!r}], patience=names["ASK_SECONDS"] / 2)
names["supervise"]()
"""
# started with a scratch folder of this side and the words of a command
LAUNCH = f"""{inspect.getsource(process_tree)}
launch(sys.argv[1], {(SUPERVISOR, STATUS, LOG)!r}, {SUPERVISED!r}, sys.argv[2:])
"""


def hash_seed() -> str:
    """The hash seed of a clean interpreter, which differs from this process's."""
    return "3" if os.environ.get("PYTHONHASHSEED") == HASH_SEED else HASH_SEED


def connect(
    command_line: Sequence[str], scratch: Path, seconds: float
) -> tuple[execnet.Group, execnet.Gateway, Line]:
    """Start an interpreter; the execnet group, the gateway to it and its line.

    Args:
        command_line: what to start.
        scratch: the folder where its log goes.
        seconds: how long to wait for its first answer.

    Raises:
        OSError, EOFError, ValueError: when it does not start.
        TimeoutError: when it does not answer in time. It is ended, with all that it started.
    """
    import execnet

    group = execnet.Group()
    spec = execnet.XSpec("popen")
    spec.python = shlex.join([sys.executable, "-ISc", LAUNCH, str(scratch), *command_line])
    made: list[tuple[execnet.Gateway, Line]] = []
    errors: list[BaseException] = []

    def make() -> None:
        try:
            made.append(_gateway(group, spec))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=make, daemon=True)
    _await(thread, scratch, seconds)
    if errors:
        raise errors[0]
    return group, *made[0]


def _gateway(group: execnet.Group, spec: execnet.XSpec) -> tuple[execnet.Gateway, Line]:
    """What `group.makegateway` makes, with a line that verifies what comes.

    What was started is ended where nothing is made of it.
    """
    from execnet import gateway_bootstrap, gateway_io

    from .pipes import Line

    group.allocate_id(spec)
    spec.execmodel = group.remote_execmodel.backend
    line = Line(gateway_io.popen_args(spec), group.execmodel)
    try:
        gateway = gateway_bootstrap.bootstrap(line, spec)
    except BaseException:
        with line.popen:  # it is waited for, and the pipes are closed
            line.popen.terminate()
        raise
    group._register(gateway)
    return gateway, line


def _await(thread: threading.Thread, scratch: Path, seconds: float) -> None:
    """Start a thread that starts an interpreter, and wait for its end."""
    _start(thread)
    try:
        thread.join(seconds)
        if thread.is_alive():
            raise TimeoutError(f"it did not answer for {seconds:g} s")
    finally:  # an interrupt too
        if thread.is_alive():
            end(scratch)


def _start(thread: threading.Thread) -> None:
    """Start a thread.

    Raises:
        OSError: where this machine cannot start another one.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from error


class Watchdog:
    """Ends an interpreter where a block of code takes longer than that.

    Attributes:
        has_ended_it: whether it did.
    """

    def __init__(self, scratch: Path, seconds: float) -> None:
        """Nothing is started yet."""
        self.has_ended_it = False
        self._scratch = scratch
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        """Start to count.

        Raises:
            OSError: where this machine cannot start another thread.
        """
        _start(self._timer)

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._timer.cancel()

    def _end(self) -> None:
        self.has_ended_it = True
        end(self._scratch)


def end(scratch: Path) -> None:
    """End the interpreter of that scratch folder, with all that it and its wrapper started."""
    _signal(scratch, signal.SIGCONT, signal.SIGTERM)


def go_on(scratch: Path) -> None:
    """Let the supervisor of that interpreter go on, if it was stopped: it ends all by itself."""
    _signal(scratch, signal.SIGCONT)


def _signal(scratch: Path, *numbers: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        supervisor = int(plain_files.tail(scratch / SUPERVISOR, 20))
        if supervisor > 1:  # what is there may have been written by the other side
            for number in numbers:
                os.kill(supervisor, number)
