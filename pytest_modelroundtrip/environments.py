"""The conversation with a clean interpreter: it is made, started, asked and ended. execnet carries what is said."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import execnet

from . import bootstrap, launching, mending, provisioning
from .portable import tensors, transfer
from .specifications import Specification

START_SECONDS = 300  # until an interpreter has imported its Keras: a cold disk takes minutes
GRACE_SECONDS = 30  # the worker keeps the time limit; beyond this it is taken for dead
TOLD_BYTES = 10_000_000  # what is larger is sent with its progress told
ARTIFACT = "artifact"  # the names of what is sent where the file system is not shared


class EnvironmentBroken(Exception):
    """The interpreter cannot be started, cannot import its Keras, or is gone. The text says which and what to do."""


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


def _nothing(text: str) -> None:
    """Who tells nobody."""


class Environment:
    """A named interpreter, made and started when it is first needed and kept warm: each reload is a fork of it."""

    def __init__(self, name: str, specification: Specification, archive: bytes, isolation: str) -> None:
        self.name, self.specification = name, specification
        self.tell: provisioning.Tell = _nothing  # that it is being made
        self.progress: provisioning.Tell = _nothing  # how much of an artefact has been sent
        self.broken: str | None = None
        self._archive, self._fork = archive, isolation == "fork"
        self._group: execnet.Group | None = None
        self._channel: Any = None
        self._scratch = Path()  # on this side
        self._there = ""  # the scratch folder on the other side
        self._awaited = 0  # answers that were asked for and not read yet
        self._shared: bool | None = None  # whether it sees the files of this side
        self._sent: dict[str, tuple[str, str]] = {}  # name -> the folder here and its copy there
        self._start_seconds = 0.0  # of a first import that no reload has accounted for yet
        self._facts: dict[str, Any] | None = None

    def begin(self) -> None:
        """Start the interpreter and let it import its Keras while this process goes on. Its first use tells what went wrong."""
        if self._channel is not None or self.broken is not None:
            return
        try:
            self._start()
            if self._fork:
                self._ask({"needs": []})
        except EnvironmentBroken as error:
            self.broken = str(error)

    def _start(self) -> None:
        if self.specification.requirements and not self.specification.command:
            try:
                python = provisioning.interpreter(self.specification, lambda text: self.tell(f"{self.name}: {text}"))
            except provisioning.Unmade as error:
                raise EnvironmentBroken(str(error)) from error
            self.specification = dataclasses.replace(self.specification, command=(python,))
        if self.specification.local and not os.path.exists(self.python):
            raise EnvironmentBroken(
                f"there is no Python at {self.python}; give the path of an interpreter or of a virtual environment"
            )
        self._scratch = Path(tempfile.mkdtemp(prefix="roundtrip-"))
        try:
            self._group, gateway = launching.connect(self.specification, self._scratch)
            self._channel = gateway.remote_exec(bootstrap.BOOTSTRAP)
            scratch = str(self._scratch) if self.specification.local else ""
            self._channel.send((scratch, launching.clean_variables(self.specification), self._archive))
            self._there, missing = self._channel.receive(launching.CONNECT_SECONDS)
        except (OSError, EOFError, AssertionError, execnet.RemoteError, execnet.TimeoutError) as error:
            raise self._failed("cannot be started", error) from error
        if missing:
            broken = self._unimportable([missing])
            self._end()
            raise broken

    @property
    def python(self) -> str:
        """What is run, and where, for people."""
        host = f"{self.specification.host[-1]}: " if self.specification.host else ""
        return host + (" ".join(self.specification.command) or self.specification.text)

    def probe(self) -> dict[str, Any]:
        """The interpreter's `versions` of what it has imported, by name of the module, what is `installed`, and its `machine`.

        It is asked once.

        Raises:
            EnvironmentBroken: when it cannot be started or cannot import its Keras.
        """
        if self._facts is None:
            try:
                with self._whole():
                    self._ready()
                    self._ask({"needs": []})
                    self._facts = self._answer(START_SECONDS)
            except EnvironmentBroken as error:
                self.broken = str(error)
                raise
        return self._facts

    def reload(self, job: dict[str, Any], seconds: float, hash_seed: str | None = None) -> Reply:
        """Do one job (see `portable.reloading`) in a process of its own, for at most `seconds` after its imports.

        With a `hash_seed` in an interpreter of its own, which has that seed.

        Raises:
            EnvironmentBroken: when the interpreter is gone or cannot import what the job needs.
        """
        fork = self._fork and hash_seed is None
        with self._whole():
            self._ready()
            self._ask({"job": self._job_there(job), "seconds": seconds, "fork": fork, "hash_seed": hash_seed})
            answer = self._answer(START_SECONDS + seconds + GRACE_SECONDS)
            if job["save_to"] and "observation" in answer and not self._shared:
                self._fetch(job["save_to"])
        answer["seconds"]["start"] = answer["seconds"].get("start", 0.0) + self._start_seconds
        self._start_seconds = 0.0
        known = {field.name for field in dataclasses.fields(Reply)}
        return Reply(**{name: value for name, value in answer.items() if name in known})

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """What is cut off (by a time limit of the test, an interrupt) is not taken up in the middle by the next test."""
        try:
            yield
        except EnvironmentBroken:
            raise
        except BaseException:
            self._end()
            raise

    def _job_there(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job as it reads over there: where the file system is not shared, what it needs is sent."""
        if self._shared is None:
            token = Path(job["folder"]).parent / "job"
            self._ask({"sees": str(token), "sha256": hashlib.sha256(token.read_bytes()).hexdigest()})
            self._shared = self._answer(START_SECONDS)["sees"]
        if self._shared:
            return job
        paths = [self._send(f"path{number}", folder) for number, folder in enumerate(job["pythonpath"])]
        folder = self._send(ARTIFACT, job["folder"])
        return {**job, "folder": folder, "pythonpath": paths, "save_to": self._saved_again if job["save_to"] else None}

    @property
    def _saved_again(self) -> str:
        return f"{self._there}/saved-again"

    def _send(self, name: str, folder: str) -> str:
        """The copy of a folder over there; one of each name is kept there."""
        if name in self._sent and self._sent[name][0] == folder:
            return self._sent[name][1]
        size, sent, told = 0, 0, time.monotonic()

        def put(piece: bytes) -> None:
            nonlocal sent, told
            self._channel.send(piece)
            sent += len(piece)
            if size > TOLD_BYTES and (time.monotonic() - told > 1 or not piece):
                told = time.monotonic()
                self.progress(f"{self.name}: {min(sent, size) / 1e6:.0f} of {size / 1e6:.0f} MB sent")

        copy = f"{self._there}/{name}"
        try:
            size = transfer.size_of(folder)
            self._ask({"receive": copy})
            transfer.send(put, folder)
        except OSError as error:
            if error.filename:  # a file of this side
                self._end()
                raise EnvironmentBroken(f"{error.filename} cannot be sent: {error.strerror}") from error
            raise self._failed("went away while an artefact was sent", error) from error
        self._answer(START_SECONDS)
        self._sent[name] = (folder, copy)
        return copy

    def _fetch(self, folder: str) -> None:
        """Bring what the reload saved again to this side."""
        self._ask({"send": self._saved_again})
        try:
            transfer.receive(lambda: bytes(self._channel.receive(START_SECONDS)), folder)
        except (EOFError, OSError, tarfile.TarError, execnet.RemoteError, execnet.TimeoutError) as error:
            raise self._failed("went away while an artefact was fetched", error) from error
        self._answer(START_SECONDS)

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
            raise self._failed("is gone", error) from error
        self._awaited += 1

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            chunks = [self._channel.receive(seconds) for _ in range(self._channel.receive(seconds))]
            answer: dict[str, Any] = tensors.load(b"".join(chunks))
        except (EOFError, OSError, ValueError, execnet.RemoteError, execnet.TimeoutError) as error:
            raise self._failed("gave no answer", error) from error
        self._awaited -= 1
        if answer["broken"]:
            raise self._unimportable(answer["broken"])
        return answer

    def _unimportable(self, errors: list[str]) -> EnvironmentBroken:
        advice = mending.advice("\n".join([*errors, *self._said()]), self.name, self.specification)
        return EnvironmentBroken("\n".join([f"{self.python} cannot import what the reload needs:", *errors, advice]))

    def _said(self) -> list[str]:
        """The last lines that the interpreter itself, or ssh, printed."""
        try:
            log = (self._scratch / launching.LOG).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # it was not started, or has ended and removed its folder
            return []
        return log.strip().splitlines()[-5:]

    def _failed(self, what: str, error: BaseException) -> EnvironmentBroken:
        """End it; the error to raise, with what was said last."""
        told = isinstance(error, (execnet.RemoteError, execnet.TimeoutError, TimeoutError))
        said = (str(error).strip().splitlines()[-1:] if told else []) or self._said() or ["it ended without a word"]
        self._end()
        return EnvironmentBroken("\n  ".join([f"{self.python} {what}: {said[-1]}", *said[:-1]]))

    def again(self, folder: str) -> str:
        """The command that reloads, without pytest, what is kept in that folder."""
        return launching.again(self.specification, folder)

    def close(self) -> None:
        """End the interpreter and all that it started; it starts again when it is needed."""
        self._end()

    def _end(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.close()  # the worker ends the child that it waits for
        if self._group is not None:
            self._group.terminate(timeout=5)
        if self._scratch.name:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._group = self._channel = self._shared = None
        self._awaited, self._sent = 0, {}
