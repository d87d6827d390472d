"""Requirements -> the Python of a virtual environment that has them.

uv creates it, once; later runs find it in the cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import importlib.util
import inspect
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from ..portable.processes import process_tree

LIMIT_SECONDS = 1800  # for uv to download and install TensorFlow
READY = "ready"  # the file that is written last
SHOWN_LINES = 12  # of what uv prints before it fails
NOT_FOR_UV = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
# started with the path of uv and its arguments; ends both soon after this process has ended, also
# where that was killed
SUPERVISED = f"""{inspect.getsource(process_tree)}
supervise()
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(sys.argv[1] + " cannot be run: " + error.strerror)
"""

Notify = Callable[[str], None]  # shows a line of text to the user


class Packages(NamedTuple):
    """What is to be installed."""

    arguments: tuple[str, ...]  # of `uv pip install`
    python: str = ""  # the interpreter that uv is asked for; "" for the version of this one


class ProvisioningError(Exception):
    """The virtual environment could not be created. The text says why, and what to do."""


def cache_folder() -> Path:
    """Where virtual environments are kept: in the user's cache, for all projects.

    `XDG_CACHE_HOME`, an absolute path, moves it.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base, "pytest-modelroundtrip", "environments")


def interpreter(packages: Packages, notify: Notify) -> str:
    """The Python of the virtual environment, which is created now where the cache has none.

    However many processes ask, one creates it and the others wait.

    Raises:
        ProvisioningError: when uv is missing, cannot resolve or install them, or takes longer than
            `LIMIT_SECONDS`; or the cache is not a folder that can be written to.
    """
    try:
        return _cached(packages, notify)
    except OSError as error:
        raise ProvisioningError(
            f"{error.filename or cache_folder()}: {error.strerror}; "
            "set XDG_CACHE_HOME to keep environments elsewhere"
        ) from error


def _cached(packages: Packages, notify: Notify) -> str:
    folder = cache_folder() / _key(packages)
    python = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock"), notify) as lock:
        # the Python that it links to may be gone
        if not (folder / READY).exists() or not os.path.exists(python):
            listed = " ".join(packages.arguments)
            notify(f"creating the environment {listed} (once; kept in {folder})")
            began = time.monotonic()
            _create(folder, packages, notify, lock)
            (folder / READY).write_bytes(os.fsencode(listed + "\n"))
            notify(f"created in {time.monotonic() - began:.0f} s")
    return str(python)


def _create(folder: Path, packages: Packages, notify: Notify, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    venv = ["--quiet", "--no-project", "--python", _wanted_python(packages), str(folder)]
    install = ["--python", str(folder / "bin" / "python"), *packages.arguments]
    try:
        _run_uv(["venv"], venv, notify, lock)
        _run_uv(["pip", "install"], install, notify, lock)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _wanted_python(packages: Packages) -> str:
    return packages.python or f"{sys.version_info[0]}.{sys.version_info[1]}"


def _key(packages: Packages) -> str:
    """Equal where the same would be created: files that are named count by their content.

    The cache may be shared by machines of another system or processor, for which it is another.
    """
    words = ["--python", _wanted_python(packages), *packages.arguments]
    files = [Path(after) for option, after in itertools.pairwise(words) if option == "-r"]
    names = {str(file) for file in files}
    contents = [content for file in files for content in _contents(file.resolve(), set())]
    kept = [word for word in words if word not in names]
    listed = [sysconfig.get_platform(), *kept, *_hashes("\n".join(kept)), *contents]
    return hashlib.sha256(os.fsencode("\n".join(listed))).hexdigest()[:16]


def _contents(file: Path, seen: set[Path]) -> Iterator[str]:
    """What is in a requirements file and in those that it names, each once."""
    if file in seen or not file.is_file():  # uv reports one that is missing
        return
    seen.add(file)
    content = file.read_text(encoding="utf-8", errors="replace")
    yield content
    yield from _hashes(content)
    named = r"^\s*(?:-r|-c|--requirement|--constraint)[=\s]*(\S+)"
    for name in re.findall(named, content, re.MULTILINE):
        yield from _contents((file.parent / name).resolve(), seen)


def _hashes(requirements: str) -> Iterator[str]:
    """Of the files that they name, as a wheel: `./a.whl`, `a @ file:///its/path/a.whl`.

    As for uv, a path starts from the current folder.
    """
    for word in re.split(r"[\s;]|@(?=file:|[./])", requirements):
        name = re.sub(r"[#\[].*", "", word)  # without its hash, or what extras are wanted
        is_address = name.startswith("file:")
        path = unquote(re.sub("^file:(//(localhost)?)?", "", name)) if is_address else name
        if os.path.isfile(path):
            yield hashlib.sha256(Path(path).read_bytes()).hexdigest()


@contextlib.contextmanager
def _locked(path: Path, notify: Notify) -> Iterator[int]:
    """One process at a time; the lock of one that died is free.

    Yields:
        the lock's descriptor: a process that inherits it holds the lock too.
    """
    notified = False
    limit = time.monotonic() + 2 * LIMIT_SECONDS  # uv is run twice
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise ProvisioningError(
                        f"another process has held {path} for more than {2 * LIMIT_SECONDS} s"
                    ) from None
                if not notified:
                    notify("another process is creating the environment; waiting for it")
                    notified = True
                time.sleep(0.2)
        yield lock.fileno()


def _run_uv(subcommand: list[str], arguments: list[str], notify: Notify, lock: int) -> None:
    """Run uv, show its messages at once, and leave no process of it behind.

    It holds the lock as long as it lives.
    """
    name, uv = " ".join(["uv", *subcommand]), _uv()
    try:
        process = subprocess.Popen(
            [sys.executable, "-ISc", SUPERVISED, uv, *subcommand, *arguments],
            stdin=subprocess.PIPE,  # shows when this process ends
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={key: value for key, value in os.environ.items() if key not in NOT_FOR_UV},
            pass_fds=[lock],
            start_new_session=True,
        )
    except OSError as error:
        raise ProvisioningError(f"{uv} cannot be run: {error.strerror}") from error
    late, lines = _followed(process, notify)
    if late:
        raise ProvisioningError(f"{name} took longer than {LIMIT_SECONDS} s")
    if process.returncode:
        failed = f"{name} failed (exit status {process.returncode}):"
        raise ProvisioningError("\n  ".join([failed, *lines]))


def _followed(process: subprocess.Popen[str], notify: Notify) -> tuple[bool, deque[str]]:
    """Wait for the end of a process group; whether it had to be ended, and what it printed last."""
    lines: deque[str] = deque(maxlen=SHOWN_LINES)
    timer = threading.Timer(LIMIT_SECONDS, _kill, [process.pid])
    with process:
        try:
            timer.start()
            assert process.stdout is not None
            for line in filter(str.strip, process.stdout):
                lines.append(line.rstrip())
                # without the packages that it lists
                if line[0].isalpha() and not line.lower().startswith("warning"):
                    notify(f"  uv: {line.rstrip()}")
            process.wait()
        except RuntimeError as error:  # no thread can be started
            raise ProvisioningError(f"uv cannot be watched: {error}") from error
        finally:
            late = not timer.is_alive()
            timer.cancel()
            _kill(process.pid)
    return late, lines


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _uv() -> str:
    """The uv that is installed beside this plugin, else the one in PATH."""
    if importlib.util.find_spec("uv"):
        with contextlib.suppress(FileNotFoundError):
            return str(importlib.import_module("uv").find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise ProvisioningError(
            "uv is required to create it and is not installed: "
            f'{sys.executable} -m pip install "pytest-modelroundtrip[environments]"'
        )
    return found
