"""The connection to one started interpreter: execnet's channel, and the messages in it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import execnet

from .. import system_errors
from ..portable import START_SECONDS, plain_files, protocol, transfer
from ..portable.processes import process_tree
from . import launch
from .archive import BOOTSTRAP, encoded_variables, first_message
from .kinds import Startable
from .pipes import Line
from .progress import progress
from .provisioning import Notify

CLOSE_SECONDS = 5  # to end by itself; then it is killed
PIECE_SECONDS = 60  # for the other side to take or send a piece
MANY_PIECES_SECONDS = 600  # to send all pieces of an answer
SLOWEST = 1e6  # bytes a second of a folder
LOG_BYTES = 4000  # of the end of what an interpreter printed

WAITED_FOR: dict[type, str] = {
    protocol.Interpreter: "the end of its imports",
    protocol.Readable: "the answer whether it can read a file of this machine",
    protocol.Done: "the end of sending a folder",
    protocol.Reloaded: "the end of the reload",
}

FirstMessage = tuple[dict[bytes, bytes], bytes]  # the variables, and the archive

A = TypeVar("A")


class ConnectionEndedError(Exception):
    """The interpreter cannot be started, or is gone. The text says why."""


class NoMorePiecesError(ValueError):
    """The other side cannot send the rest; its answer says why."""


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
            OSError: when this machine has no disk space, descriptors or processes left.
        """
        self.missing = ""
        self._description = kind.description
        self._there = ""  # the scratch folder on the other side
        self._copies: dict[str, object] = {}  # name in that folder -> the folder here, its state
        self._scratch = Path(tempfile.mkdtemp(prefix="roundtrip-"))  # on this side
        self._link = contextlib.ExitStack()  # ends the interpreter
        self._line: Line | None = None  # until it is started
        try:
            self._channel = self._connected(kind, connect_seconds)
            variables = {**kind.chosen_variables(), **kind.clean_variables()}
            self._send((encoded_variables(variables), archive), connect_seconds)
            self._there, self.missing = first_message(self._channel.receive(connect_seconds))
        except execnet.TimeoutError as error:
            raise self._late("no first message came", connect_seconds) from error
        except ConnectionEndedError:
            raise
        except (OSError, EOFError, ValueError, execnet.RemoteError) as error:
            if system_errors.is_one(error):  # of this side, for which no interpreter is to blame
                self.close()
                raise
            raise self._failed("cannot be started", error) from error
        except BaseException:
            self.close()
            raise

    def _connected(self, kind: Startable, seconds: float) -> execnet.Channel:
        line = kind.command_line(self._scratch)
        group, gateway, self._line = launch.connect(line, self._scratch, seconds)
        self._link.callback(group.terminate, timeout=CLOSE_SECONDS)
        self._link.callback(launch.go_on, self._scratch)
        channel = gateway.remote_exec(BOOTSTRAP)
        self._link.callback(_close, channel, self._line)  # the worker ends its child too
        return channel

    def ask(self, request: protocol.Request, answer: type[A], seconds: float) -> A:
        """Send a request and wait for its answer.

        Raises:
            ConnectionEndedError, BadAnswerError, FailedError: as `receive_answer`.
        """
        self.send_request(request)
        return self.receive_answer(answer, seconds)

    def send_request(self, request: protocol.Request) -> None:
        """Send a request; its one answer has to be received before the next request.

        Raises:
            ConnectionEndedError: when the interpreter is gone, or does not take it.
            OSError: when this machine has no descriptors or threads left.
        """
        data = protocol.encode_request(request)
        self._send(data, PIECE_SECONDS + len(data) / SLOWEST)

    def _send(self, item: bytes | FirstMessage, seconds: float) -> None:
        """Send what the other side has to take within that time: else it is ended.

        Raises:
            ConnectionEndedError: when it is gone, or did not take it.
            OSError: when this machine has no descriptors or threads left.
        """
        watchdog = launch.Watchdog(self._scratch, seconds)
        try:
            with watchdog:
                self._channel.send(item)
        except OSError as error:
            if watchdog.has_ended_it:
                raise self._late("it did not read the request", seconds) from error
            if system_errors.is_one(error):  # of this side
                self.close()
                raise
            raise self._failed("is gone", error) from error

    def receive_answer(self, answer: type[A], seconds: float) -> A:
        """Wait for the answer to the last request, a record of that class.

        Raises:
            ConnectionEndedError: when the interpreter is gone, or does not answer in time.
            BadAnswerError: when it is not such a record, no message at all, or too large for here.
            FailedError: when its system did not let it be done. It goes on.
        """
        try:
            return protocol.decode_record(answer, self._message(seconds))
        except protocol.RefusedError as error:
            raise self._bad("could not read the request", error) from error
        except protocol.FailedError:
            raise
        except ValueError as error:
            raise self._bad("sent an answer that cannot be read", error) from error
        except MemoryError as error:
            raise self._bad("sent an answer that does not fit into the memory", error) from error
        except execnet.TimeoutError as error:
            raise self._late(f"{WAITED_FOR[answer]} did not arrive", seconds) from error
        except (EOFError, OSError, execnet.RemoteError) as error:
            raise self._lost("gave no answer", error) from error

    def _message(self, seconds: float) -> bytes:
        """The bytes of an answer: the number of its chunks comes first, then the chunks."""
        count = _expected(int, self._channel.receive(seconds))
        if not 0 <= count <= protocol.MAX_CHUNKS:
            raise ValueError(f"{count} chunks are not possible")
        get = self._pieces(MANY_PIECES_SECONDS, protocol.CHUNK_BYTES)
        return b"".join(get() for _ in range(count))

    def _pieces(self, seconds: float, size: int) -> Callable[[], bytes]:
        """What receives one piece of at most that size after another, all within that time.

        It raises `NoMorePiecesError` where the other side cannot go on.
        """
        deadline = time.monotonic() + seconds

        def get() -> bytes:
            left = max(0.0, deadline - time.monotonic())
            piece = self._channel.receive(min(left, PIECE_SECONDS))
            if piece is None:
                raise NoMorePiecesError
            data = _expected(bytes, piece)
            if len(data) > size:
                raise ValueError(f"a piece of {len(data)} bytes is too large")
            return data

        return get

    def folder_there(self, name: str) -> str:
        """The path of the folder of that name on the other side."""
        return f"{self._there}/{name}"

    def send_folder(self, folder: str, name: str, notify: Notify) -> str:
        """Copy a folder to the other side.

        One folder of each name is kept there; the one that is there already is not sent again,
        unless a file in it was written meanwhile.

        Args:
            folder: on this side.
            name: of the copy.
            notify: called with the progress of what is large.

        Returns:
            The path of the copy.

        Raises:
            ConnectionEndedError: when the folder cannot be read, or the interpreter is gone.
            BadAnswerError, FailedError: as `receive_answer`.
            OSError: as `send_request`.
        """
        copy = self.folder_there(name)
        try:
            wanted = (folder, transfer.state_of(folder))
            if self._copies.get(name) == wanted:
                return copy
            self._copies.pop(name, None)
            self._send_pieces(folder, copy, progress(transfer.size_of(folder), notify))
        except OSError as error:  # a file of this side
            self.close()
            if system_errors.is_one(error):
                raise
            what = f"{error.filename or folder} cannot be sent: {error.strerror}"
            raise ConnectionEndedError(what) from error
        self.receive_answer(protocol.Done, START_SECONDS)
        self._copies[name] = wanted
        return copy

    def _send_pieces(self, folder: str, copy: str, show: Callable[[int], None]) -> None:
        """Send the request to make that copy, and what is in the folder."""

        def put(piece: bytes) -> None:
            self._send(piece, PIECE_SECONDS)
            show(len(piece))

        self.send_request(protocol.ReceiveFolder(copy))
        transfer.send(put, folder)

    def fetch_folder(self, name: str, folder: str, sent: str) -> None:
        """Move the folder of that name from the other side to this one.

        Args:
            name: of the folder there.
            folder: on this side, made anew.
            sent: the folder on this side that it was made from, which bounds its size.

        Raises:
            ConnectionEndedError: when the folder cannot be written, or the interpreter is gone.
            BadAnswerError: when what comes is not a folder, and as `receive_answer`.
            FailedError: when it cannot be sent there.
            OSError: when this machine has no disk space or descriptors left.
        """
        limit = transfer.limit_of(sent)
        seconds = MANY_PIECES_SECONDS + limit / SLOWEST
        get = self._pieces(seconds, transfer.PIECE_BYTES)
        self.send_request(protocol.SendFolder(self.folder_there(name)))
        try:
            transfer.receive(get, folder, limit)
        except NoMorePiecesError:
            pass
        except execnet.TimeoutError as error:
            raise self._late("a piece of a folder did not arrive", PIECE_SECONDS) from error
        except (EOFError, OSError, execnet.RemoteError) as error:
            if isinstance(error, OSError) and error.filename:  # a file of this side
                self.close()
                if system_errors.is_one(error):
                    raise
                what = f"{error.filename} cannot be fetched: {error.strerror}"
                raise ConnectionEndedError(what) from error
            raise self._lost("ended while a folder was fetched", error) from error
        except ValueError as error:
            raise self._bad("sent a folder that cannot be read", error) from error
        self.receive_answer(protocol.Done, START_SECONDS)

    def log_tail(self) -> list[str]:
        """The last lines that the interpreter itself, or ssh, printed."""
        return plain_files.tail(self._scratch / launch.LOG, LOG_BYTES).strip().splitlines()[-5:]

    def close(self) -> None:
        """End the interpreter and all that it started."""
        try:
            self._end()
        finally:  # an interrupt too: the interpreter then ends with this process
            process_tree.remove(str(self._scratch))

    def _end(self) -> None:
        """End the interpreter; its log is still there."""
        try:
            with launch.Watchdog(self._scratch, 2 * CLOSE_SECONDS):
                self._link.close()
        except (OSError, RuntimeError):  # no descriptor or no thread is left for that
            launch.end(self._scratch)

    @property
    def _refused(self) -> str:
        """What was wrong with what it sent last, if that was no message; else ""."""
        return self._line.refused if self._line else ""

    def _lost(self, what: str, error: Exception) -> ConnectionEndedError | BadAnswerError:
        """Close it; the error to raise where nothing more comes."""
        if self._refused:
            return self._bad(what, ValueError(self._refused))
        return self._failed(what, error)

    def _failed(self, what: str, error: Exception) -> ConnectionEndedError:
        """Close it; the error to raise, with how it ended and what was printed last."""
        explains = isinstance(error, (execnet.RemoteError, TimeoutError, ValueError))
        reason = str(error).strip().splitlines()[-1:] if explains else []
        self._end()
        return self._ended(what, *(reason or [self._how_it_ended()]))

    def _late(self, what: str, seconds: float) -> ConnectionEndedError:
        """End it; the error to raise, with what was printed last: where it stood."""
        launch.end(self._scratch)
        return self._ended("does not answer", f"{what} within {seconds:g} s")

    def _ended(self, what: str, reason: str) -> ConnectionEndedError:
        printed = self.log_tail()
        self.close()
        first = f"{self._description} {what}: {reason}"
        last = ["it printed last:", *printed] if printed else []
        return ConnectionEndedError("\n  ".join([first, *last]))

    def _how_it_ended(self) -> str:
        if self._refused:
            return self._refused
        status = plain_files.tail(self._scratch / launch.STATUS, LOG_BYTES)
        return f"it ended with {status}" if status else "it ended, and its supervisor as well"

    def _bad(self, what: str, error: Exception) -> BadAnswerError:
        """Close it; the error to raise."""
        self.close()
        reason = str(error) or type(error).__name__
        return BadAnswerError(f"{self._description} {what}: {reason}")


def _close(channel: execnet.Channel, line: Line) -> None:
    line.is_closed = True
    with contextlib.suppress(OSError, EOFError, execnet.RemoteError):
        channel.close()
        channel.waitclose(0)  # takes an error that nobody has received, which is printed else


def _expected(kind: type[A], item: object) -> A:
    """The item, which has to be of exactly that class: a bool is not an int."""
    if type(item) is not kind:
        raise ValueError(f"{kind.__name__} is expected, not {type(item).__name__}")
    return item
