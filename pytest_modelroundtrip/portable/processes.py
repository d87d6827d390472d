"""The processes below this one: watched, and ended with all that they started.

On Linux a process can ask to become the parent of each orphan below it, also of one in a session
of its own, so that none escapes. Elsewhere an orphan in a session of its own does.

This module stands alone: its text is also run by interpreters before they import anything else.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from typing import Dict, List, NoReturn, Tuple

END_SECONDS = 3.0  # for killed processes to be gone: one in an uninterruptible wait is left
GRACE_SECONDS = 3.0  # for an interpreter to end by itself when nobody listens any more
PARENT_SECONDS = 0.5  # between two looks whether the parent is still there

_exit = os._exit  # what a model's code puts in its place must not be called


def adopt_orphans() -> None:
    """Become the parent of all orphans below this process, where the system can do that."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def descendants(of: int) -> List[int]:
    """The processes below one; none where there is no `/proc`."""
    children: Dict[int, List[int]] = {}
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    for name in names:
        try:
            with open("/proc/" + name + "/stat", "rb") as source:
                parent = int(source.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):  # it has ended
            continue
        children.setdefault(parent, []).append(int(name))
    found: List[int] = []
    below = children.get(of, [])
    while below:
        found += below
        below = [pid for parent in below for pid in children.get(parent, [])]
    return found


def end_descendants() -> None:
    """Kill all processes below this one and collect what is left of them."""
    limit = time.monotonic() + END_SECONDS
    while time.monotonic() < limit:
        try:
            collected, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:  # there are none, which is the rule
            return
        if not collected:
            for pid in descendants(os.getpid()):
                kill(pid)
            time.sleep(0.01)


def resident(pid: int) -> int:
    """The bytes of memory that a process has; 0 where it has ended, or there is no `/proc`."""
    try:
        with open(f"/proc/{pid}/statm") as source:
            return int(source.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, where it is still there and may be sent one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def described(status: int) -> str:
    """How a process ended, by its status from `waitpid`; "" for exit status 0."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        names = {known.value: known.name for known in signal.Signals}
        return f"signal {number} ({names.get(number, 'real-time')})"
    return f"exit status {os.WEXITSTATUS(status)}" if status else ""


def supervise(folder: str = "", status_file: str = "") -> None:
    """Go on in a new process, while this one stays behind, watches it and ends as it does.

    All that it started is ended with it. It is ended soon after the parent of this process has
    ended, or the other side of standard input was closed; at once where this process is sent
    SIGTERM.

    Args:
        folder: deleted at the end, unless the parent is there to read the status.
        status_file: where it is written how the new process ended.
    """
    adopt_orphans()
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who started this one may have ignored it
    woken, wakes = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(woken)
        os.close(wakes)
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)  # who reads it sees the end of the new process
    status = _watched(pid, parent, woken, wakes)
    end_descendants()
    if status_file and os.getppid() == parent:
        # on a full disk it is not told; nor where nobody waits for it any more
        with contextlib.suppress(OSError), open(status_file, "w") as out:
            out.write(described(status) or "exit status 0")
    elif folder:
        shutil.rmtree(folder, ignore_errors=True)
    _end_as(status)


def _watched(pid: int, parent: int, woken: int, wakes: int) -> int:
    """Wait for the end of a process, or end it; its status."""
    limits: List[float] = []
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: limits.append(0))
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(0, 0)  # nothing is read: only its end shows
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if os.getppid() != parent:
            limits.append(time.monotonic() + GRACE_SECONDS)
        if limits and time.monotonic() >= min(limits):
            kill(pid)
        for source, _ in poll.poll(PARENT_SECONDS * 1000):
            if source == woken:
                os.read(woken, 512)
            else:
                poll.unregister(source)
                limits.append(time.monotonic() + GRACE_SECONDS)


def _end_as(status: int) -> NoReturn:
    """End this process as another one ended."""
    if os.WIFSIGNALED(status):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    _exit(os.WEXITSTATUS(status))


def launch(scratch: str, names: Tuple[str, str], first_code: str, words: List[str]) -> NoReturn:
    """Start a command under supervision, in a session of its own.

    Args:
        scratch: a folder, deleted where nobody is left to do that.
        names: of the files there for the number of this process, and for how the command ended.
        first_code: what the command's Python, whose code is the last word, runs before that.
        words: the command.
    """
    os.setsid()
    number, status = (os.path.join(scratch, name) for name in names)
    with open(number, "w") as out:
        out.write(str(os.getpid()))
    supervise(scratch, status)
    words[-1] = first_code + words[-1]
    os.execvp(words[0], words)
