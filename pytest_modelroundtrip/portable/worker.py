"""The loop in the clean interpreter: read a request, do it, answer.

TensorFlow, or the library that Keras computes with, is imported once, here; its runtime never
starts here, so a fork is safe. Models are loaded in a child of this process (see `child`).
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import functools
import hashlib
import importlib
import os
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, Optional, Protocol, Type, Union

from . import START_SECONDS, checks, formats, keras_libs, machine, protocol, reload, transfer
from .confinement import confining
from .processes import process_tree
from .protocol import (
    CHUNK_BYTES,
    Answer,
    CanRead,
    Done,
    Failed,
    Interpreter,
    Probe,
    Readable,
    ReceiveFolder,
    Refused,
    Reload,
    Reloaded,
    SendFolder,
    Setup,
)
from .reload_processes import child, own_copy, standby, watching

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)  # which says nothing of a file
BEFORE_THE_END = 5  # seconds before an import is broken off, where it stands is printed


class Channel(Protocol):
    """What the worker uses of execnet's channel."""

    TimeoutError: Type[Exception]

    def __iter__(self) -> Iterator[bytes]:
        """The messages, until the other side hangs up."""

    def receive(self) -> bytes:
        """The next message."""

    def send(self, item: Union[int, bytes, None]) -> None:
        """Send a message."""

    def waitclose(self, timeout: float) -> None:
        """Wait until the other side closes the channel."""


def serve(channel: Channel, archive: str, scratch: str) -> None:
    """Answer requests until the other side hangs up.

    Each message is a request (see `protocol`). The pieces of a folder that is received follow the
    request, those of a folder that is sent come before the answer. The answer is a number of
    chunks, then the chunks: together the bytes of a record.

    Args:
        channel: execnet's.
        archive: the zip that this package was imported from.
        scratch: an empty folder.
    """
    _import_for_all()
    child.move_into(scratch)
    process_tree.adopt_orphans()
    worker = _Worker(channel, archive, scratch)
    for message in channel:
        data = protocol.encode_record(worker.answer(message))
        starts = range(0, len(data), CHUNK_BYTES)
        chunks = [data[start : start + CHUNK_BYTES] for start in starts]
        channel.send(len(chunks))
        for chunk in chunks:
            channel.send(chunk)
        worker.after_answer()


def _import_for_all() -> None:
    """Import once what each child would import."""
    checks.table()
    formats.built_in()
    importlib.import_module("numpy.random")


class _Worker:
    """Answers requests: one method each."""

    def __init__(self, channel: Channel, archive: str, scratch: str) -> None:
        self._channel, self._archive, self._scratch = channel, archive, scratch
        with open(archive, "rb") as source:
            self._package = source.read()
        self._grant = confining.granted(tempfile.mkdtemp(dir=scratch))
        self._standby = standby.StandBy(scratch, self._grant)
        self._used: Optional[watching.Child] = None  # has answered, and may still be there
        self._next: Optional[Setup] = None  # what the next job probably has
        self._answers: Dict[type, Callable[[Any], Answer]] = {
            Probe: self._probe,
            CanRead: self._can_read,
            ReceiveFolder: self._receive_folder,
            SendFolder: self._send_folder,
            Reload: self._reload,
        }

    def answer(self, message: bytes) -> Answer:
        """Do what one message requests; `Refused` where it cannot be read, `Failed` where the
        system does not let it be done.
        """
        if not isinstance(message, bytes):
            return Refused(f"bytes are expected, not {type(message).__name__}")
        try:
            request = protocol.decode_request(message)
        except ValueError as error:
            return Refused(str(error))
        try:
            return self._answers[type(request)](request)
        except OSError as error:
            return Failed(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))

    def _probe(self, request: Probe) -> Interpreter:
        with contextlib.suppress(RuntimeError):  # where no thread can be started
            faulthandler.dump_traceback_later(START_SECONDS - BEFORE_THE_END)
        try:
            warmed = reload.warm(request.needs, request.keras_majors)
        finally:
            faulthandler.cancel_dump_traceback_later()
        if warmed.seconds:
            self._standby.discard()  # it has not imported that
        return Interpreter(
            versions=keras_libs.versions(),
            installed=keras_libs.installed(),
            machine=machine.machine(),
            broken=list(warmed.broken),
            seconds=warmed.seconds,
            confinement=str(self._grant),
            can_fork=hasattr(os, "fork") and not _runtime_started(),
        )

    def _can_read(self, request: CanRead) -> Readable:
        try:
            with open(request.path, "rb") as source:
                return Readable(hashlib.sha256(source.read()).hexdigest() == request.sha256)
        except (OSError, ValueError) as error:  # ValueError: not a path on this system
            if getattr(error, "errno", None) in NO_DESCRIPTORS:
                raise
            return Readable(False)

    def _receive_folder(self, request: ReceiveFolder) -> Done:
        try:
            transfer.receive(self._channel.receive, request.folder)
        except (OSError, ValueError) as error:
            transfer.drain(self._channel.receive)
            raise OSError(f"{request.folder}: {error}") from error
        return Done()

    def _send_folder(self, request: SendFolder) -> Done:
        try:
            transfer.send(self._channel.send, request.folder)
        except OSError:
            self._channel.send(None)  # no piece, but the end
            raise
        process_tree.remove(request.folder)
        return Done()

    def _reload(self, request: Reload) -> Reloaded:
        job = request.job
        limits = watching.Limits(
            request.start_seconds, request.seconds, request.memory, self._has_hung_up
        )
        self._restore_archive()
        waits, began = self._standby.take(job) if request.stand_by else None, time.monotonic()
        reloaded = self._done(request, waits, limits)
        left = limits.seconds - (time.monotonic() - began)
        if waits is not None and reloaded.failure is not None and left > limits.seconds / 2:
            # perhaps since it was warmed up: TensorFlow's runtime can be configured no more
            self._end_used()
            reloaded = self._done(request, None, limits._replace(seconds=left))
        if reloaded.ended is not None:
            self._standby.discard()  # the next one might end so while it is set up
        elif request.stand_by:
            self._next = job.setup
        return reloaded

    def _done(
        self, request: Reload, waits: Optional[watching.Child], limits: watching.Limits
    ) -> Reloaded:
        """What comes of the job, in the process that waits for it or in one that is made now."""
        job = request.job
        self._used = waits or watching.begun(self._start(request), self._scratch)
        artifact = own_copy.path_in(self._used.folder)
        if waits is None and not own_copy.made(job.artifact, artifact):
            artifact = job.artifact
        watching.give(self._used, job._replace(artifact=artifact))
        if request.stand_by and self._standby.is_urgent:
            self._standby.prepare(job.setup)  # meanwhile
        return own_copy.named_as_given(watching.result(self._used, limits), artifact, job.artifact)

    def _start(self, request: Reload) -> watching.StartChild:
        grant = self._grant
        if request.job.setup.confinement == confining.OFF:
            grant = confining.NOTHING
        if request.fork:
            return functools.partial(child.fork, grant=grant)
        return functools.partial(child.start, grant=grant, archive=self._archive)

    def _restore_archive(self) -> None:
        if not os.path.exists(self._archive):  # a reload may have removed it
            os.makedirs(self._scratch, exist_ok=True)
            with open(self._archive, "wb") as out:
                out.write(self._package)

    def after_answer(self) -> None:
        """End what is left of a reload, and get ready for the next: nobody waits for that."""
        self._end_used()
        setup, self._next = self._next, None
        if setup is not None:
            self._standby.prepare(setup)

    def _end_used(self) -> None:
        used, self._used = self._used, None
        if used is not None:
            watching.end(used, but=self._standby.pids)

    def _has_hung_up(self) -> bool:
        """Whether the other side is gone.

        When its process dies execnet ends what is received, and `isclosed` does not show it.
        """
        try:
            self._channel.waitclose(0)
        except self._channel.TimeoutError:
            return False
        except Exception:
            return True
        return True


def _runtime_started() -> bool:
    """Whether the runtime of TensorFlow, JAX or CUDA, with its threads, runs in this process."""
    tensorflow = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    jax = getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None)
    cuda = getattr(sys.modules.get("torch.cuda"), "is_initialized", bool)
    return bool(getattr(tensorflow, "_initialized", False) or jax or cuda())
