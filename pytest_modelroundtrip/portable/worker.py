"""The loop in the clean interpreter: fork (or start) a process for each reload, watch it, answer.

TensorFlow, or the library that Keras computes with, is imported once, here; its runtime never starts here, so a fork is safe.
The child, not this process, loads models.
A child gets its own process group and dies with this process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import hashlib
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
from typing import Any, Callable, Dict, List, NoReturn, Optional

from . import FOLDERS, library, machine, reloading, tensors, transfer

CHUNK = 1 << 26  # bytes of an answer that go into one message
START_SECONDS = 300  # for a child's imports


def serve(channel: Any, archive: str, scratch: str) -> None:
    """Answer requests until the other side hangs up.

    A request is the bytes of a dict: `needs`, modules to import here after Keras; or `job`, with `seconds`, `fork` and `hash_seed`
    (of an interpreter of its own; None for this one's); or `sees`, a file, with its `sha256`; or `receive`, a folder of which the
    pieces follow; or `send`, a folder of which the pieces are sent, and which is deleted. The answer is a count of chunks, then
    the chunks: the bytes of a dict with `versions`, `broken` (what could not be imported) and `seconds`; for `needs` also
    `machine` and what is `installed`; for `sees`, whether it is seen; for a job also `output`, the tail of what the child printed,
    and all that `reloading.reload` gives, or `ended`: how the child ended without an answer.
    """
    _move_into(scratch)
    for message in channel:
        request = tensors.load(message)
        if "receive" in request:
            transfer.receive(channel.receive, request["receive"], "tar")  # a user's folder may link to what is not sent
        if "send" in request:
            transfer.send(channel.send, request["send"])
            shutil.rmtree(request["send"])
        data = tensors.dump(_answer_to(request, functools.partial(_hung_up, channel), archive, scratch))
        chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
        channel.send(len(chunks))
        for chunk in chunks:
            channel.send(chunk)


def _hung_up(channel: Any) -> bool:
    """Whether the other side is gone. When its process dies execnet ends what is received, and `isclosed` does not tell."""
    try:
        channel.waitclose(0)
    except channel.TimeoutError:
        return False
    except Exception:
        return True
    return True


def _answer_to(request: Dict[str, Any], hung_up: Callable[[], bool], archive: str, scratch: str) -> Dict[str, Any]:
    if "sees" in request:
        return {**_IDLE, "versions": library.versions(), "sees": _sees(request["sees"], request["sha256"])}
    if "needs" in request:
        return {**_warmed(request["needs"], []), "machine": machine.machine(), "installed": library.installed()}
    if "job" not in request:
        return {**_IDLE, "versions": library.versions()}
    job = request["job"]
    if request["fork"] and hasattr(os, "fork"):
        answer = _warmed(job["needs"], reloading.generations(job))
        if answer["broken"]:
            return answer
        if not _runtime_started():  # which an import may have done
            reloaded = _reload_in_child(job, request["seconds"], hung_up, _fork, scratch)
            return {**answer, **reloaded, "seconds": {**answer["seconds"], **reloaded["seconds"]}}
    start = functools.partial(_start, archive=archive, hash_seed=request["hash_seed"])
    return {"broken": [], **_reload_in_child(job, request["seconds"], hung_up, start, scratch)}


def _sees(path: str, sha256: str) -> bool:
    try:
        with open(path, "rb") as source:
            return hashlib.sha256(source.read()).hexdigest() == sha256
    except OSError:
        return False


_IDLE: Dict[str, Any] = {"broken": [], "seconds": {"warm": 0.0}}  # what is answered where nothing is imported


def _warmed(needs: List[str], models: List[Optional[int]]) -> Dict[str, Any]:
    """Import here what a reload of such models needs (see `reloading.warm`)."""
    broken, seconds = reloading.warm(needs, models)
    return {"versions": library.versions(), "broken": broken, "seconds": {"warm": seconds}}


def _runtime_started() -> bool:
    """Whether the runtime of TensorFlow, JAX or CUDA, and its threads with it, already runs in this process."""
    tensorflow = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    jax = getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None)
    cuda = getattr(sys.modules.get("torch.cuda"), "is_initialized", bool)
    return bool(getattr(tensorflow, "_initialized", False) or jax or cuda())


def _reload_in_child(
    job: Dict[str, Any], seconds: float, hung_up: Callable[[], bool], start: Callable[[str, int], int], scratch: str
) -> Dict[str, Any]:
    """In a process that `start` makes: a fork, or an interpreter of its own."""
    folder = tempfile.mkdtemp(dir=scratch)
    try:
        with open(os.path.join(folder, "job"), "wb") as out:
            out.write(tensors.dump(job))
        lifeline, held = os.pipe()
        try:
            try:
                pid = start(folder, lifeline)
            finally:
                os.close(lifeline)
            ended = _wait(pid, seconds, os.path.join(folder, "step"), hung_up)
        finally:
            os.close(held)
        return _answer(folder, ended)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fork(folder: str, lifeline: int) -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of any fork beside a thread. The threads here (execnet's reader, OpenBLAS) hold no lock the child takes.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    try:
        _become_child(folder, lifeline)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(70)


def _start(folder: str, lifeline: int, archive: str, hash_seed: Optional[str]) -> int:
    """An interpreter of its own, started as this one was, or with another hash seed."""
    code = "import sys; sys.path[0] = %r; from pytest_modelroundtrip.portable import worker; worker._become_child(%r, %d)"
    with open(os.path.join(folder, "output"), "ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-s", "-u", "-c", code % (archive, folder, lifeline)],
            pass_fds=[lifeline],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, **({"PYTHONHASHSEED": hash_seed} if hash_seed else {})},
        )
    child.returncode = 0  # it is waited for below, by its pid, as a fork is
    return child.pid


def _become_child(folder: str, lifeline: int) -> NoReturn:
    """The child's whole life."""
    os.setsid()
    _die_with_parent(lifeline)
    output = os.open(os.path.join(folder, "output"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.closerange(3, lifeline)
    os.closerange(lifeline + 1, 1024)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
    faulthandler.enable(file=sys.stderr)
    _move_into(os.path.join(folder, "home"))

    def entering(step: str) -> None:
        with open(os.path.join(folder, "step"), "wb") as out:
            out.write(tensors.dump({"step": step, "versions": library.versions()}))

    with open(os.path.join(folder, "job"), "rb") as written:
        job = tensors.load(written.read())
    answer = tensors.dump(reloading.reload(job, entering))
    with open(os.path.join(folder, "answer.part"), "wb") as out:
        out.write(answer)
    os.replace(os.path.join(folder, "answer.part"), os.path.join(folder, "answer"))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _move_into(home: str) -> None:
    """An empty folder as the current one, the home and every cache."""
    os.makedirs(home, exist_ok=True)
    os.chdir(home)
    os.environ.update(dict.fromkeys(FOLDERS, home))
    tempfile.tempdir = None


def _die_with_parent(lifeline: int) -> None:
    """At the parent's end its side of the pipe closes; on Linux the kernel tells as well, even when this process is in C code."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    def watch() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _wait(pid: int, seconds: float, step: str, hung_up: Callable[[], bool]) -> str:
    """Wait for the child, at most so long, and no longer than who asked is there; then end its whole group.

    The time counts from the child's first step: its imports come before.

    Returns:
        "" when it ended by itself with status 0, else how it ended.
    """
    limit, begun, pause = time.monotonic() + START_SECONDS, False, 0.002
    status: Optional[int] = None
    while status is None and time.monotonic() < limit and not hung_up():
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
        return "timed out"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        names = {known.value: known.name for known in signal.Signals}
        return "signal %d (%s)" % (number, names.get(number, "real-time"))
    return "exit status %d" % os.WEXITSTATUS(status) if status else ""


def _answer(folder: str, ended: str) -> Dict[str, Any]:
    found: Dict[str, Any] = {"output": _tail(os.path.join(folder, "output")), "seconds": {}}
    answer = _written(os.path.join(folder, "answer"))
    if answer is not None:
        return {**found, **answer}
    last = _written(os.path.join(folder, "step")) or {"step": "start", "versions": {}}
    how = ended or "exit status 0, before it answered"
    return {**found, "versions": last["versions"], "ended": {"how": how, "step": last["step"]}}


def _written(path: str) -> Any:
    """What a child wrote, or None where it did not come to that."""
    try:
        with open(path, "rb") as source:
            return tensors.load(source.read())
    except (OSError, ValueError):
        return None


def _tail(path: str, size: int = 4000) -> str:
    """What was printed last, without the long list of modules with which Python ends what it says of a crash."""
    try:
        with open(path, "rb") as source:
            source.seek(max(0, os.path.getsize(path) - 4 * size))
            said = source.read(4 * size).decode("utf-8", "replace")
    except OSError:
        return ""
    return re.sub(r"^Extension modules: .*\n?", "", said, flags=re.MULTILINE)[-size:]


def main(arguments: List[str]) -> int:
    """Reload once, here, and say what came: what `reload.pyz` beside a kept artefact does."""
    with open(arguments[0], "rb") as source:
        job = tensors.load(source.read())
    job["folder"] = os.path.join(os.path.dirname(os.path.abspath(arguments[0])), job["folder"])
    answer = reloading.reload(job, lambda step: print("--", step, flush=True))
    print(" ".join("%s %s" % item for item in answer["versions"].items()))
    if answer.get("broken"):
        print("\n".join(answer["broken"]))
        return 1
    if "error" in answer:
        print(answer["error"]["traceback"])
        return 1
    for name, seen in answer["observation"].items():
        for path, leaf in tensors.leaves(seen.get("outputs")):
            print(name + path, leaf)
    return 0
