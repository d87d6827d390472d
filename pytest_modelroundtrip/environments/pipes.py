"""The pipes to an interpreter: what comes through them is a message of execnet, or is refused.

execnet believes the sizes that a message claims: of itself, and of the lists in it. What it cannot
load ends its thread without a word, and an error that nobody waits for it prints as it is.
"""

from __future__ import annotations

import os
import struct
from typing import Any

from execnet.gateway_base import DataFormatError, Message, loads_internal, opcode
from execnet.gateway_io import Popen2IOMaster

from ..portable import protocol

MAX_MESSAGE_BYTES = protocol.CHUNK_BYTES + 1000  # of a message: a chunk, and what execnet adds
SHOWN_BYTES = 40  # of what is refused
CHANNEL = 1  # the number of the only one
HEADER = struct.Struct("!bii")  # the kind of a message, its channel, its bytes
KINDS = (
    Message.CHANNEL_DATA,
    Message.CHANNEL_CLOSE,
    Message.CHANNEL_CLOSE_ERROR,
    Message.CHANNEL_LAST_MESSAGE,
)
# how many bytes follow the code of a value; of these, the four that come first count the others
FIXED = {opcode.NONE: 0, opcode.INT: 4, opcode.BUILDTUPLE: 4}
COUNTED = (opcode.BYTES, opcode.PY3STRING)


class Line(Popen2IOMaster):
    """The pipes to the process that starts an interpreter.

    Attributes:
        refused: what was wrong with a message, after which nothing is read; "" as long as all is
            well.
        is_closed: whether one side has closed the channel: no error may come after that.
    """

    def __init__(self, args: list[str], execmodel: Any) -> None:
        super().__init__(args, execmodel)
        self.refused = ""
        self.is_closed = False
        self._kind = Message.CHANNEL_DATA
        self._verify = self._verify_greeting

    def read(self, numbytes: int) -> bytes:
        """The next bytes: what a new interpreter says first, then in turn a header and a body.

        Raises:
            EOFError: when it has ended.
            ValueError: when they are no message.
        """
        data = super().read(numbytes)
        self._verify(data)
        return data

    def _verify_greeting(self, data: bytes) -> None:
        if data != b"1":
            os.set_blocking(self.infile.fileno(), False)  # the rest of it, as far as it is there
            data += self.infile.read(SHOWN_BYTES) or b""
            self._refuse(data, "something prints before its Python starts")
        self._verify = self._verify_header

    def _verify_header(self, data: bytes) -> None:
        kind, channel, size = HEADER.unpack(data)
        is_late = kind == Message.CHANNEL_CLOSE_ERROR and self.is_closed
        if kind not in KINDS or channel != CHANNEL or is_late or not 0 <= size <= MAX_MESSAGE_BYTES:
            self._refuse(data)
        self._kind = kind
        self.is_closed |= kind != Message.CHANNEL_DATA
        self._verify = self._verify_body

    def _verify_body(self, data: bytes) -> None:
        if self._kind in (Message.CHANNEL_CLOSE, Message.CHANNEL_LAST_MESSAGE):
            is_body = not data
        else:
            is_error = self._kind == Message.CHANNEL_CLOSE_ERROR
            is_body = is_value(data) and not (is_error and type(loads_internal(data)) is not str)
        if not is_body:
            self._refuse(data)
        self._verify = self._verify_header

    def _refuse(self, data: bytes, why: str = "it sent bytes that are not a message") -> None:
        self.refused = f"{why}: {data[:SHOWN_BYTES]!r}"
        raise ValueError(self.refused)


def is_value(data: bytes) -> bool:
    """Whether it is what the other side says: a number, bytes, text, None, or a tuple of those."""
    at = 0
    while at < len(data):
        code, at = data[at : at + 1], at + 1
        if code == opcode.STOP:
            return at == len(data) and _can_be_loaded(data)
        if code in COUNTED:
            at += 4 + int.from_bytes(data[at : at + 4], "big")
        elif code in FIXED:
            at += FIXED[code]
        else:
            return False
    return False


def _can_be_loaded(data: bytes) -> bool:
    try:
        loads_internal(data)
    except (DataFormatError, EOFError, ValueError, struct.error):
        return False
    return True
