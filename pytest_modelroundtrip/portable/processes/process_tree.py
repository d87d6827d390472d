"""The processes below this one: watched, and ended with all that they started.

On Linux a process can ask to become the parent of each orphan below it, also of one in a session
of its own, so that none escapes. Elsewhere an orphan in a session of its own does.

This module stands alone: its text is also run by interpreters before they import anything else.
"""

import contextlib
import math
import os
import select
import signal
import stat
import sys
import time
from typing import Dict, FrozenSet, List, NoReturn, Optional, Tuple, Union

END_SECONDS = 1.5  # for killed processes to be gone: one in an uninterruptible wait is left
ASK_SECONDS = 1.5  # for an interpreter to end when it is asked to, and to clean up
ORPHAN_SECONDS = 3.0  # for an interpreter to end by itself when nobody listens any more
LEAVE_SECONDS = 1.0  # for the parent to end, where it was asked to as well
PARENT_SECONDS = 0.5  # between two looks whether the parent is still there
MAX_OUTPUT = 100_000_000  # bytes: what prints for minutes must not fill the disk
SIGKILL = 9  # by its number: Windows, where the plugin is imported too, has none
ADOPT_ORPHANS, AT_END_OF_PARENT, SET_NAME = 36, 1, 15  # for prctl

exit_now = os._exit  # what a model's code puts in its place must not be called


def adopt_orphans() -> None:
    """Become the parent of all orphans below this process, where the system can do that."""
    ask_kernel(ADOPT_ORPHANS, 1)


def show_as(name: str) -> None:
    """Let tools such as `ps` and `top` show this process by that name, on Linux."""
    ask_kernel(SET_NAME, name.encode())


def ask_kernel(what: int, argument: Union[int, bytes]) -> None:
    """Let Linux do something for this process; nothing elsewhere."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(what, argument)


def descendants(of: int, but: FrozenSet[int] = frozenset()) -> List[int]:
    """The processes below one, each after its parent; none where there is no `/proc`.

    Args:
        of: the one.
        but: those that are left out, with what is below them.
    """
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
    parents = [of]
    while parents:
        below = [pid for parent in parents for pid in children.get(parent, [])]
        parents = [pid for pid in below if pid not in but]
        found += parents
    return found


def started_already() -> FrozenSet[int]:
    """The processes below this one, as helpers that an import started."""
    return frozenset(descendants(os.getpid()) if _has_children() else ())


def end_descendants(
    but: FrozenSet[int] = frozenset(), patience: float = 0.0, child: Optional[int] = None
) -> None:
    """Kill the processes below this one and collect what is left of them.

    Args:
        but: those that are left alone, with what is below them.
        patience: seconds in which they are only asked to end: other supervisors clean up.
        child: is ended and collected where there is no `/proc` that shows it, too.
    """
    known = [child] if child is not None and _is_running(child) else []
    asked_until = time.monotonic() + patience
    deadline = asked_until + END_SECONDS
    while _has_children() and time.monotonic() < deadline:
        by_force = time.monotonic() >= asked_until
        # parents first: one that sees its child end would report that
        left = descendants(os.getpid(), but)
        left += [pid for pid in known if pid not in left]
        if not left:
            return
        for pid in left:
            _end(pid, by_force)
            if not _is_running(pid) and pid in known:
                known.remove(pid)
        time.sleep(0.01)


def _is_running(child: int) -> bool:
    """Whether a child has not ended yet; one that has is collected."""
    try:
        return not os.waitpid(child, os.WNOHANG)[0]
    except ChildProcessError:  # it was collected already, or is the child of another one below
        return False


def _has_children() -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there are none, which is the rule
        return False
    return True


def kill(pid: int, number: int = SIGKILL) -> None:
    """Send a signal to a process, where it is still there and may be sent one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _end(pid: int, by_force: bool) -> None:
    kill(pid, SIGKILL if by_force else signal.SIGTERM)
    kill(pid, signal.SIGCONT)  # one that was stopped takes the other signal then


def described_exit(status: int) -> str:
    """How a process ended, by its status from `waitpid`; "" for exit status 0."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        names = {known.value: known.name for known in signal.Signals}
        return f"signal {number} ({names.get(number, 'real-time')})"
    return f"exit status {os.WEXITSTATUS(status)}" if status else ""


def supervise(
    folder: str = "", status_file: str = "", patience: float = 0.0, log: Optional[int] = None
) -> None:
    """Go on in a new process, while this one stays behind, watches it and ends as it does.

    All that it started is ended with it. It is ended soon after the parent of this process has
    ended, or the other side of standard input was closed; at SIGTERM it is ended now.

    Args:
        folder: deleted at the end, unless the parent stays to read the status.
        status_file: where it is written how the new process ended.
        patience: seconds in which those below are only asked to end: another supervisor needs them
            to clean up.
        log: a file that it prints to, which is emptied where that is too much.

    Raises:
        OSError: where no process can be started.
    """
    adopt_orphans()
    ask_kernel(AT_END_OF_PARENT, signal.SIGCONT)  # it may have been stopped
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who started this one may have ignored it
    woken, wakes = os.pipe()
    # until there is a handler, SIGTERM would end this process and leave all below it
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    pid = os.fork()
    if not pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(woken)
        os.close(wakes)
        return
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # who reads it sees the end of the new process
    status, late = _await_end(pid, (parent, woken, wakes), patience, log)
    end_descendants(patience=patience - min(patience, max(0.0, late)))
    is_read = bool(status_file) and os.getppid() == parent
    if is_read:
        _write_anew(status_file, described_exit(status) or "exit status 0")
    if folder and not (is_read and (late < 0 or _stays(parent))):
        remove(folder)
    _end_as(status)


def _write_anew(path: str, text: str) -> None:
    """Write a file, and not into the one that a link names which somebody has put there."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    with contextlib.suppress(OSError), open(path, "x") as out:  # a full disk, or nobody waits
        out.write(text)


def _stays(parent: int) -> bool:
    """Whether the parent is still there a moment after this process was asked to end.

    Who asks may ask all processes, and a large one takes longer to end than this one. It closes
    the line first; so does a parent that stays and waits for the end of this process.
    """
    line = select.poll()
    line.register(0, 0)
    line.poll(LEAVE_SECONDS * 1000)
    deadline = time.monotonic() + LEAVE_SECONDS / 10
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getppid() == parent


def _await_end(
    pid: int, seen: Tuple[int, int, int], patience: float, log: Optional[int]
) -> Tuple[int, float]:
    """Wait for the end of a process, or end it; its status, and for how long it was asked to end.

    Below 0: it was not.
    """
    parent, woken, wakes = seen
    deadlines: List[float] = []
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: deadlines.append(time.monotonic()))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(0, 0)  # nothing is read: only its end shows
    while True:
        late = time.monotonic() - min(deadlines, default=math.inf)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status, late
        if os.getppid() != parent:
            deadlines.append(time.monotonic() + ORPHAN_SECONDS)
        if late >= 0:
            asked = descendants(os.getpid()) if late < patience else []
            # all that are below: a command that starts an interpreter may pass nothing on
            for below in asked or [pid]:
                _end(below, by_force=late >= patience)
        if log is not None and os.fstat(log).st_size > MAX_OUTPUT:
            os.ftruncate(log, 0)
        for source, _ in poll.poll(PARENT_SECONDS * 1000):
            if source == woken:
                os.read(woken, 512)
            else:
                poll.unregister(source)
                deadlines.append(time.monotonic() + ORPHAN_SECONDS)


def _end_as(status: int) -> NoReturn:
    """End this process as another one ended."""
    if os.WIFSIGNALED(status):
        import resource

        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError, ValueError):  # SIGKILL
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        exit_now(128 + number)  # the first process of a container cannot be killed
    exit_now(os.WEXITSTATUS(status))


def launch(
    scratch: str, names: Tuple[str, str, str], first_code: str, words: List[str]
) -> NoReturn:
    """Start a command under supervision, in a session of its own.

    Args:
        scratch: a folder, deleted where nobody is left to do that.
        names: of the files there for the pid of this process, for how the command ended, and for
            what it prints as errors.
        first_code: what the command's Python, whose code is the last word, runs before that.
        words: the command.
    """
    os.setsid()
    supervisor, status, log = (os.path.join(scratch, name) for name in names)
    with open(supervisor, "w") as out:
        out.write(str(os.getpid()))
    printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    supervise(scratch, status, ASK_SECONDS, printed)
    os.dup2(printed, 2)
    words[-1] = first_code + words[-1]
    os.execvp(words[0], words)


def remove(folder: str) -> None:
    """Delete a folder with all that is in it, as far as that is allowed.

    However deep: `shutil.rmtree` recurses. Folders in folders are moved up before they are deleted.
    """
    waiting, count = [folder], 0
    while waiting:
        place = waiting.pop()
        for name in _names_in(place):
            path = os.path.join(place, name)
            with contextlib.suppress(OSError):
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    os.unlink(path)
                    continue
                if place != folder:
                    count += 1
                    moved = os.path.join(folder, f"{count} {time.monotonic_ns()}")
                    os.rename(path, moved)
                    path = moved
                waiting.append(path)
        if place != folder:
            with contextlib.suppress(OSError):
                os.rmdir(place)
    with contextlib.suppress(OSError):
        (os.unlink if os.path.islink(folder) else os.rmdir)(folder)


def _names_in(folder: str) -> List[str]:
    with contextlib.suppress(OSError):
        if not os.path.islink(folder):
            os.chmod(folder, 0o700)
            return os.listdir(folder)
    return []
