"""Requirements -> the Python of a virtual environment that has them. uv makes it, once; later runs find it in the cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import importlib.util
import itertools
import os
import shutil
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
    """Where virtual environments are kept: in the user's cache, for all projects. `XDG_CACHE_HOME` moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
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
    with _locked(folder.with_suffix(".lock"), tell):
        if not (folder / READY).exists():
            tell(f"making the environment {' '.join(specification.requirements)} (once; kept in {folder})")
            began = time.monotonic()
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _uv("venv", "--quiet", "--no-project", *_wanted_python(specification), str(folder), tell=tell)
                _uv("pip", "install", "--python", python, *specification.requirements, tell=tell)
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
    return hashlib.sha256("\n".join([*said, *(file.read_text(encoding="utf-8") for file in files)]).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _locked(path: Path, tell: Tell) -> Iterator[None]:
    """One process at a time; the lock of one that died is free."""
    told, limit = False, time.monotonic() + LIMIT_SECONDS
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise Unmade(f"another process holds {path} for more than {LIMIT_SECONDS} s") from None
                if not told:
                    tell("another process is making the environment; waiting for it")
                    told = True
                time.sleep(0.2)
        yield


def _uv(*arguments: str, tell: Tell) -> None:
    """Run uv and show what it says as it says it."""
    said: list[str] = []
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([_uv_command(), *arguments], text=True, errors="replace", env=environment, **pipes) as process:
        limit = threading.Timer(LIMIT_SECONDS, process.kill)
        limit.start()
        try:
            assert process.stdout is not None
            for line in filter(str.strip, process.stdout):
                said.append(line.rstrip())
                if line[0].isalpha() and not line.lower().startswith("warning"):  # not what it lists
                    tell(f"  uv: {line.rstrip()}")
            process.wait()
        finally:
            limit.cancel()
            process.kill()
    if process.returncode:
        what = "uv pip install" if arguments[0] == "pip" else "uv venv"
        raise Unmade("\n  ".join([f"{what} failed (exit status {process.returncode}):", *said[-SHOWN:]]))


def _uv_command() -> str:
    """The uv that is installed beside this plugin, else the one in PATH."""
    if importlib.util.find_spec("uv"):
        with contextlib.suppress(FileNotFoundError):
            return str(importlib.import_module("uv").find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise Unmade(f'uv makes it and is not installed: {sys.executable} -m pip install "pytest-modelroundtrip[environments]"')
    return found
