"""A clean interpreter that reloads: how it is started, asked and ended. execnet carries what is said.

What a clean interpreter is: no path of the tests on `sys.path`, no user site, an environment built from nothing, a fixed hash seed
other than this process's, and empty temporary folders for a home and caches.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import execnet

from .portable import tensors

PACKAGE = Path(__file__).parent
START_SECONDS = 300  # until an interpreter has imported TensorFlow: a cold disk takes minutes
GRACE_SECONDS = 30  # the worker keeps the time limit; beyond this it is taken for dead
PASSED = ("PATH", "LANG", "LD_LIBRARY_PATH", "KERAS_BACKEND")
PASSED_PREFIXES = ("TF_", "OMP_", "CUDA_", "LC_")
HASH_SEED = "2"
LOG = "log"  # in the scratch folder: what the interpreter itself prints

BOOTSTRAP = """
import os, shutil, sys
scratch, archive = channel.receive()
path = os.path.join(scratch, "portable.pyz")
with open(path, "wb") as out:
    out.write(archive)
sys.path[:] = [path] + [entry for entry in sys.path if entry not in ("", scratch)]
from pytest_modelroundtrip.portable import worker
try:
    worker.serve(channel, path, scratch)
finally:  # the test process may have been killed
    shutil.rmtree(scratch, ignore_errors=True)
"""

MAIN = """
import os, sys
from pytest_modelroundtrip.portable import worker
sys.exit(worker.main(sys.argv[1:] or [os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "job")]))
"""


class EnvironmentBroken(Exception):
    """The interpreter cannot be started, cannot import TensorFlow, or is gone. The text says which and what to do."""


def clean_variables() -> dict[str, str]:
    """The environment variables that a clean interpreter is started with."""
    passed = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}
    seed = "3" if os.environ.get("PYTHONHASHSEED") == HASH_SEED else HASH_SEED
    return {"TF_CPP_MIN_LOG_LEVEL": "1", **passed, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def portable_archive(formats: Mapping[str, ModuleType]) -> bytes:
    """The package `portable` as a runnable zip; the formats that plugins and conftests added stand beside the built-in ones."""
    sources = {"pytest_modelroundtrip/__init__.py": "", "__main__.py": MAIN}
    for path in sorted((PACKAGE / "portable").rglob("*.py")):
        sources[f"pytest_modelroundtrip/{path.relative_to(PACKAGE).as_posix()}"] = path.read_text(encoding="utf-8")
    for name, module in formats.items():
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        sources.setdefault(f"pytest_modelroundtrip/portable/formats/{name}.py", source)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in sources.items():
            archive.writestr(zipfile.ZipInfo(name), source)
    return buffer.getvalue()


@dataclass(frozen=True)
class Reply:
    """What came back: `observation`, or `error`, or `ended`; always `versions`, `seconds` and the tail of the `output`.

    `seconds` has the steps of the reload; `start`, what an interpreter's first imports took, told by the first reload that it
    serves; and `warm`, what was imported for this one before the fork, mostly nothing.
    """

    versions: dict[str, str]
    seconds: dict[str, float]
    output: str = ""
    observation: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    ended: dict[str, str] | None = None


class Environment:
    """A named interpreter, started when it is first needed and kept warm: each reload is a fork of it."""

    def __init__(self, name: str, python: str, archive: bytes, isolation: str) -> None:
        self.name, self.python = name, python
        self._archive, self._fork = archive, isolation == "fork"
        self._group: execnet.Group | None = None
        self._channel: Any = None
        self._scratch = ""
        self._awaited = 0  # answers that were asked for and not read yet
        self.broken: str | None = None
        self._start_seconds = 0.0  # of a first import that no reload has accounted for yet

    def begin(self) -> None:
        """Start the interpreter and let it import TensorFlow while this process goes on. Its first use tells what went wrong."""
        if self._channel is not None or self.broken is not None:
            return
        try:
            self._start()
            if self._fork:
                self._ask({"warm": ["tensorflow"]})
        except EnvironmentBroken as error:
            self.broken = str(error)

    def _start(self) -> None:
        self._scratch = tempfile.mkdtemp(prefix="roundtrip-")
        self._group = execnet.Group()
        try:
            self._channel = self._group.makegateway(self._specification()).remote_exec(BOOTSTRAP)
            self._channel.send((self._scratch, self._archive))
        except (OSError, EOFError, AssertionError, execnet.RemoteError, execnet.HostNotFound) as error:
            raise self._failed("cannot be started", error) from error

    def _specification(self) -> execnet.XSpec:
        """`cd` and `env -i` come before the interpreter starts: after that, a hash seed or a module in the way cannot be undone."""
        home = [f"{name}={self._scratch}" for name in ("HOME", "KERAS_HOME", "TFHUB_CACHE_DIR", "TMPDIR")]
        variables = [f"{name}={value}" for name, value in clean_variables().items()]
        script = f'cd "$1" && shift && exec env -i "$@" 2>{LOG}'
        command = ["sh", "-c", script, "sh", self._scratch, *variables, *home, self.python, "-s"]
        specification = execnet.XSpec("popen")
        specification.python = shlex.join(command)
        return specification

    def probe(self) -> dict[str, str]:
        """The interpreter's versions, by name of the module.

        Raises:
            EnvironmentBroken: when it cannot be started or cannot import TensorFlow.
        """
        try:
            self._ready()
            self._ask({"warm": ["tensorflow"]})
            versions: dict[str, str] = self._answer(START_SECONDS)["versions"]
            return versions
        except EnvironmentBroken as error:
            self.broken = str(error)
            raise

    def reload(self, job: dict[str, Any], seconds: float, hash_seed: str | None = None) -> Reply:
        """Do one job (see `portable.reloading`) in a process of its own, for at most `seconds` after its imports.

        With a `hash_seed` in an interpreter of its own, which has that seed.

        Raises:
            EnvironmentBroken: when the interpreter is gone or cannot import what the job needs.
        """
        self._ready()
        fork = self._fork and hash_seed is None
        self._ask({"job": job, "seconds": seconds, "fork": fork, "hash_seed": hash_seed})
        answer = self._answer(START_SECONDS + seconds + GRACE_SECONDS)
        answer["seconds"]["start"] = answer["seconds"].get("start", 0.0) + self._start_seconds
        self._start_seconds = 0.0
        return Reply(**{name: value for name, value in answer.items() if name != "broken"})

    def _ready(self) -> None:
        """Have it started, and read the answer to its first import."""
        self.begin()
        if self.broken is not None:
            raise EnvironmentBroken(self.broken)
        if self._awaited:
            try:
                self._start_seconds = self._answer(START_SECONDS)["seconds"]["warm"]
            except EnvironmentBroken as error:
                self.broken = str(error)
                raise

    def _ask(self, request: dict[str, Any]) -> None:
        try:
            self._channel.send(tensors.dump(request))
        except OSError as error:
            self._end()
            raise EnvironmentBroken(f"the interpreter of environment {self.name!r} is gone: {error}") from error
        self._awaited += 1

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            chunks = [self._channel.receive(seconds) for _ in range(self._channel.receive(seconds))]
            answer: dict[str, Any] = tensors.load(b"".join(chunks))
        except (EOFError, OSError, ValueError, execnet.RemoteError, self._channel.TimeoutError) as error:
            raise self._failed("gave no answer", error) from error
        self._awaited -= 1
        if answer["broken"]:
            raise EnvironmentBroken(
                f"{self.python} cannot import what the reload needs:\n  "
                + "\n  ".join(answer["broken"])
                + f"\n{install_hint(self.python)}"
            )
        return answer

    def _failed(self, what: str, error: BaseException) -> EnvironmentBroken:
        """End it; the error to raise, with what the interpreter said last."""
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        log = Path(self._scratch, LOG)
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:] if log.exists() else []
        self._end()
        return EnvironmentBroken("\n  ".join([f"{self.python} {what}: {reason[0]}", *said]))

    @property
    def again(self) -> str:
        """The command that reloads a kept artefact as this environment does, to be run in the folder where `reload.pyz` lies."""
        variables = [shlex.quote(f"{name}={value}") for name, value in clean_variables().items() if name != "PATH"]
        return " ".join(["env", "-i", 'PATH="$PATH"', *variables, shlex.quote(self.python), "-s", "reload.pyz"])

    def close(self) -> None:
        """End the interpreter and all that it started; it starts again when it is needed."""
        self._end()

    def _end(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.close()  # the worker ends the child that it waits for
        if self._group is not None:
            self._group.terminate(timeout=5)
        self._group = self._channel = None
        self._awaited = 0
        shutil.rmtree(self._scratch, ignore_errors=True)


def install_hint(python: str = sys.executable) -> str:
    """The line that installs TensorFlow for that interpreter."""
    return f'Install TensorFlow there: {python} -m pip install "pytest-modelroundtrip[cpu]"'
