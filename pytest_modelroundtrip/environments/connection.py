"""The connection to one started interpreter: execnet's channel, and the messages in it."""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

import execnet

from ..portable import START_SECONDS, protocol, transfer
from . import launch
from .archive import BOOTSTRAP
from .kinds import Startable
from .provisioning import Notify

END_SECONDS = 5  # to end by itself; then it is killed
PIECE_SECONDS = 60  # for the other side to take or send a piece
LARGE_BYTES = 10_000_000  # the progress of sending more than this is shown
MAX_CHUNKS = 100_000  # of one answer

WAITED_FOR: dict[type, str] = {
    protocol.Interpreter: "the end of its imports",
    protocol.Readable: "whether it can read a file of this machine",
    protocol.Done: "the end of sending a folder",
    protocol.Reloaded: "the end of the reload",
}

A = TypeVar("A")


class ConnectionEndedError(Exception):
    """The interpreter cannot be started, or is gone. The text says why."""


class BadAnswerError(Exception):
    """The other side sent what cannot be read. The text says what was wrong."""


class Connection:
    """One started interpreter. After an error it is closed, and another one has to be made.

    Attributes:
        missing: why the worker cannot run there, which is a Python without NumPy; "" when it runs.
    """

    def __init__(self, kind: Startable, archive: bytes, connect_seconds: float) -> None:
        """Start an interpreter, where the package of that archive then answers requests.

        Raises:
            ConnectionEndedError: when it cannot be started, or does not answer in time.
        """
        self.missing = ""
        self._description = kind.description
        self._there = ""  # the scratch folder on the other side
        self._copies: dict[str, str] = {}  # name in that folder -> the folder here
        self._scratch = Path(tempfile.mkdtemp(prefix="roundtrip-"))  # on this side
        self._link = contextlib.ExitStack()  # ends the interpreter
        try:
            self._channel = self._connected(kind, connect_seconds)
            self._channel.send((kind.clean_variables(), archive))
            self._there, self.missing = _first_message(self._channel.receive(connect_seconds))
        except execnet.TimeoutError as error:
            raise self._silent("its first message", connect_seconds) from error
        except (OSError, EOFError, AssertionError, ValueError, execnet.RemoteError) as error:
            raise self._failed("cannot be started", error) from error
        except BaseException:
            self.close()
            raise

    def _connected(self, kind: Startable, seconds: float) -> execnet.Channel:
        line = kind.command_line(self._scratch)
        group, gateway = launch.connect(line, self._scratch, seconds)
        self._link.callback(group.terminate, timeout=END_SECONDS)
        self._link.callback(launch.let_end, self._scratch)
        channel = gateway.remote_exec(BOOTSTRAP)
        self._link.callback(_close, channel)  # the worker ends the child that it waits for
        return channel

    def ask(self, request: protocol.Request, answer: type[A], seconds: float) -> A:
        """Send a request and wait for its answer.

        Raises:
            ConnectionEndedError, BadAnswerError: as `receive_answer`.
        """
        self.send_request(request)
        return self.receive_answer(answer, seconds)

    def send_request(self, request: protocol.Request) -> None:
        """Send a request; its one answer has to be received before the next request.

        Raises:
            ConnectionEndedError: when the interpreter is gone, or does not take it.
        """
        try:
            self._send(protocol.encode_request(request))
        except OSError as error:
            raise self._failed("is gone", error) from error

    def _send(self, item: bytes) -> None:
        """Send what the other side has to take in time: else it is ended.

        Raises:
            OSError: when it is gone.
        """
        timer = threading.Timer(PIECE_SECONDS, launch.end, [self._scratch])
        timer.daemon = True
        timer.start()
        try:
            self._channel.send(item)
        finally:
            timer.cancel()

    def receive_answer(self, answer: type[A], seconds: float) -> A:
        """Wait for the answer to the last request, a record of that class.

        Raises:
            ConnectionEndedError: when the interpreter is gone, or does not answer in time.
            BadAnswerError: when it is not such a record.
            FailedError: when its system did not let it be done. It goes on.
        """
        try:
            return protocol.decode_record(answer, self._message(seconds))
        except protocol.RefusedError as error:
            raise self._bad("could not read the request", error) from error
        except ValueError as error:
            raise self._bad("sent an answer that cannot be read", error) from error
        except execnet.TimeoutError as error:
            raise self._silent(WAITED_FOR[answer], seconds) from error
        except (EOFError, OSError, execnet.RemoteError) as error:
            raise self._failed("gave no answer", error) from error

    def _message(self, seconds: float) -> bytes:
        """The bytes of an answer: the number of its chunks comes first, then the chunks."""
        count = _expected(int, self._channel.receive(seconds))
        if not 0 <= count <= MAX_CHUNKS:
            raise ValueError(f"{count} chunks are not possible")
        return b"".join(_expected(bytes, self._channel.receive(seconds)) for _ in range(count))

    def folder_there(self, name: str) -> str:
        """The path of the folder of that name on the other side."""
        return f"{self._there}/{name}"

    def send_folder(self, folder: str, name: str, notify: Notify) -> str:
        """Copy a folder to the other side.

        One folder of each name is kept there; the one that is there already is not sent again.

        Args:
            folder: on this side.
            name: of the copy.
            notify: called with the progress of what is large.

        Returns:
            The path of the copy.

        Raises:
            ConnectionEndedError: when the folder cannot be read, or the interpreter is gone.
            BadAnswerError: as `receive_answer`.
        """
        copy = self.folder_there(name)
        if self._copies.get(name) == folder:
            return copy
        try:
            show = _progress(transfer.size_of(folder), notify)
            self.send_request(protocol.ReceiveFolder(copy))

            def put(piece: bytes) -> None:
                self._send(piece)
                show(len(piece))

            transfer.send(put, folder)
        except OSError as error:
            raise self._transfer_failed("sent", error) from error
        self.receive_answer(protocol.Done, START_SECONDS)
        self._copies[name] = folder
        return copy

    def fetch_folder(self, name: str, folder: str) -> None:
        """Move the folder of that name from the other side to this one.

        Raises:
            ConnectionEndedError: when the folder cannot be written, or the interpreter is gone.
            BadAnswerError: when what comes is not a folder, and as `receive_answer`.
        """
        wrong: list[ValueError] = []

        def get() -> bytes:
            piece: object = self._channel.receive(PIECE_SECONDS)
            try:
                return _expected(bytes, piece)
            except ValueError as error:
                wrong.append(error)
                return b""  # the end: nothing more is read

        self.send_request(protocol.SendFolder(self.folder_there(name)))
        try:
            transfer.receive(get, folder)
            if wrong:
                raise wrong[0]
        except (EOFError, OSError, execnet.RemoteError) as error:
            raise self._transfer_failed("fetched", error) from error
        # what tarfile raises for bytes that are not an archive
        except (tarfile.TarError, ValueError, LookupError, ArithmeticError) as error:
            reason = wrong[0] if wrong else error
            raise self._bad("sent a folder that cannot be read", reason) from error
        self.receive_answer(protocol.Done, START_SECONDS)

    def log_tail(self) -> list[str]:
        """The last lines that the interpreter itself, or ssh, printed."""
        try:
            log = (self._scratch / launch.LOG).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # it was not started, or has ended and removed its folder
            return []
        return log.strip().splitlines()[-5:]

    def close(self) -> None:
        """End the interpreter and all that it started."""
        self._link.close()
        rmtree(self._scratch, ignore_errors=True)

    def _transfer_failed(self, done: str, error: Exception) -> ConnectionEndedError:
        """What to raise when a folder could not be sent or fetched."""
        if isinstance(error, OSError) and error.filename:  # a file of this side
            self.close()
            return ConnectionEndedError(f"{error.filename} cannot be {done}: {error.strerror}")
        return self._failed(f"ended while an artifact was {done}", error)

    def _failed(self, what: str, error: Exception) -> ConnectionEndedError:
        """Close it; the error to raise, with how it ended and what was printed last."""
        told = isinstance(error, (execnet.RemoteError, TimeoutError, ValueError))
        reason = str(error).strip().splitlines()[-1:] if told else []
        self._link.close()
        return self._ended(what, *(reason or [self._how_it_ended()]))

    def _silent(self, waited_for: str, seconds: float) -> ConnectionEndedError:
        """End it; the error to raise, with where it stood."""
        launch.end(self._scratch)
        return self._ended("does not answer", f"{waited_for} was waited for {seconds:g} s")

    def _ended(self, what: str, reason: str) -> ConnectionEndedError:
        printed = self.log_tail()
        self.close()
        first = f"{self._description} {what}: {reason}"
        last = ["it printed last:", *printed] if printed else []
        return ConnectionEndedError("\n  ".join([first, *last]))

    def _how_it_ended(self) -> str:
        try:
            return f"it ended with {(self._scratch / launch.STATUS).read_text()}"
        except OSError:
            return "it ended, and what watched it as well"

    def _bad(self, what: str, error: Exception) -> BadAnswerError:
        """Close it; the error to raise."""
        self.close()
        reason = str(error) or type(error).__name__
        return BadAnswerError(f"{self._description} {what}: {reason}")


def _close(channel: execnet.Channel) -> None:
    with contextlib.suppress(OSError):
        channel.close()


def _first_message(message: object) -> tuple[str, str]:
    """The scratch folder on the other side, and what is missing there."""
    if isinstance(message, tuple) and len(message) == 2:
        there, missing = message
        if isinstance(there, str) and isinstance(missing, str):
            return there, missing
    raise ValueError(f"its first message is {type(message).__name__}, not two strings")


def _expected(kind: type[A], item: object) -> A:
    """The item, which has to be of exactly that class: a bool is not an int."""
    if type(item) is not kind:
        raise ValueError(f"{kind.__name__} is expected, not {type(item).__name__}")
    return item


def _progress(size: int, notify: Notify) -> Callable[[int], None]:
    """Show once a second how much of something large was sent, and at its end.

    Returns:
        what is called with the number of bytes in each piece; 0 at the end.
    """
    sent, shown = 0, time.monotonic()

    def show(count: int) -> None:
        nonlocal sent, shown
        sent += count
        if size > LARGE_BYTES and (time.monotonic() - shown > 1 or not count):
            shown = time.monotonic()
            notify(f"{min(sent, size) / 1e6:.0f} of {size / 1e6:.0f} MB sent")

    return show
