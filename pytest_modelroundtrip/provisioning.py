"""Requirements -> the Python of a virtual environment that has them. uv makes it, once; later runs find it in the cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import importlib.util
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .specifications import Specification

Tell = Callable[[str], None]

LIMIT_SECONDS = 1800  # for uv to download and install TensorFlow
READY = "ready"  # the file that is written last
SHOWN = 12  # lines of what uv says


class Unmade(Exception):
    """The virtual environment could not be made; the text says why, and what to do."""


def cache_folder() -> Path:
    """Where virtual environments are kept: in the user's cache, for all projects. `XDG_CACHE_HOME`, an absolute path, moves it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    base = base if os.path.isabs(base) else os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base, "pytest-modelroundtrip", "environments")


def interpreter(specification: Specification, tell: Tell) -> str:
    """The Python of the virtual environment with these requirements, made now where the cache has none.

    However many processes ask, one makes it and the others wait.

    Raises:
        Unmade: when uv is missing, cannot resolve or install them, or takes longer than `LIMIT_SECONDS`; or the cache is no folder
            that can be written to.
    """
    try:
        return _kept(specification, tell)
    except OSError as error:
        raise Unmade(
            f"{error.filename or cache_folder()}: {error.strerror}; XDG_CACHE_HOME says where environments are kept"
        ) from error


def _kept(specification: Specification, tell: Tell) -> str:
    folder = cache_folder() / _key(specification)
    python = str(folder / "bin" / "python")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock"), tell) as lock:
        if not (folder / READY).exists() or not os.path.exists(python):  # the Python that it links to may be gone
            tell(f"making the environment {' '.join(specification.requirements)} (once; kept in {folder})")
            began = time.monotonic()
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _uv("venv", "--quiet", "--no-project", *_wanted_python(specification), str(folder), tell=tell, lock=lock)
                _uv("pip", "install", "--python", python, *specification.requirements, tell=tell, lock=lock)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            (folder / READY).write_text(specification.text + "\n", encoding="utf-8")
            tell(f"made in {time.monotonic() - began:.0f} s")
    return python


def _wanted_python(specification: Specification) -> list[str]:
    return ["--python", specification.python or f"{sys.version_info[0]}.{sys.version_info[1]}"]


def _key(specification: Specification) -> str:
    """Equal where the same would be made: the files that are named count by what is in them."""
    said = [*_wanted_python(specification), *specification.requirements]
    files = [Path(after) for option, after in itertools.pairwise(said) if option == "-r"]
    said = [word for word in said if word not in {str(file) for file in files}]
    texts = [text for file in files for text in _texts(file.resolve(), set())]
    return hashlib.sha256("\n".join([*said, *texts]).encode()).hexdigest()[:16]


def _texts(file: Path, seen: set[Path]) -> Iterator[str]:
    """What is in a requirements file and in those that it names, each once."""
    if file in seen or not file.is_file():  # uv tells of one that is missing
        return
    seen.add(file)
    text = file.read_text(encoding="utf-8", errors="replace")
    yield text
    for named in re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[=\s]*(\S+)", text, re.MULTILINE):
        yield from _texts((file.parent / named).resolve(), seen)


@contextlib.contextmanager
def _locked(path: Path, tell: Tell) -> Iterator[int]:
    """One process at a time; the lock of one that died is free. Gives the lock's descriptor: who inherits it holds the lock too."""
    told, limit = False, time.monotonic() + 2 * LIMIT_SECONDS  # uv is run twice
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise Unmade(f"another process holds {path} for more than {2 * LIMIT_SECONDS} s") from None
                if not told:
                    tell("another process is making the environment; waiting for it")
                    told = True
                time.sleep(0.2)
        yield lock.fileno()


def _uv(*arguments: str, tell: Tell, lock: int) -> None:
    """Run uv, show what it says as it says it, and leave nothing of it behind. It holds the lock as long as it lives."""
    said: list[str] = []
    what, command = " ".join(["uv", *arguments[: 1 + (arguments[0] == "pip")]]), _uv_command()
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
    options: dict[str, Any] = {"text": True, "errors": "replace", "env": environment, "pass_fds": [lock], "start_new_session": True}
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        process = subprocess.Popen([command, *arguments], **options, **pipes)
    except OSError as error:
        raise Unmade(f"{command} cannot be run: {error.strerror}") from error
    ended = threading.Timer(LIMIT_SECONDS, _end, [process.pid])
    with process:
        ended.start()
        try:
            assert process.stdout is not None
            for line in filter(str.strip, process.stdout):
                said.append(line.rstrip())
                if line[0].isalpha() and not line.lower().startswith("warning"):  # not what it lists
                    tell(f"  uv: {line.rstrip()}")
            process.wait()
        finally:
            late = not ended.is_alive()
            ended.cancel()
            _end(process.pid)
    if late:
        raise Unmade(f"{what} took longer than {LIMIT_SECONDS} s")
    if process.returncode:
        raise Unmade("\n  ".join([f"{what} failed (exit status {process.returncode}):", *said[-SHOWN:]]))


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _uv_command() -> str:
    """The uv that is installed beside this plugin, else the one in PATH."""
    if importlib.util.find_spec("uv"):
        with contextlib.suppress(FileNotFoundError):
            return str(importlib.import_module("uv").find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise Unmade(f'uv makes it and is not installed: {sys.executable} -m pip install "pytest-modelroundtrip[environments]"')
    return found
