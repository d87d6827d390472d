"""`environments.pipes`: what comes is a message, or is refused before execnet unpacks it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import execnet
import pytest
from execnet.gateway_base import Message, get_execmodel

from pytest_modelroundtrip.environments.pipes import MAX_MESSAGE_BYTES, Line, is_value

VALUES = [None, 0, -(2**31), b"", b"a" * 300, "é\n", (b"a", b"b"), ()]
OTHERS: list[object] = [[], {}, {1}, True, 1.5, 10**30, (b"a", [])]
LIST = b"K" + struct.pack("!i", 2**31 - 1)  # execnet makes a list of that length, 16 GB
HUGE = 2**31 - 1


def header(kind: int, size: int, channel: int = 1) -> bytes:
    return struct.pack("!bii", kind, channel, size)


def message(kind: int, data: bytes, channel: int = 1) -> bytes:
    return header(kind, len(data), channel) + data


ERROR = message(Message.CHANNEL_CLOSE_ERROR, execnet.dumps("\x1b[2J")[1:])


def messages(folder: Path, sent: bytes) -> Iterator[bytes]:
    """The bytes of each message that a far side sends."""
    (folder / "sent").write_bytes(b"1" + sent)
    line = Line(["cat", str(folder / "sent")], get_execmodel("thread"))
    try:
        assert line.read(1) == b"1"
        while True:
            try:
                yield Message.from_io(line).data
            except EOFError:
                return
    finally:
        line.close_read()
        line.close_write()
        line.wait()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_one(value: object, tmp_path: Path) -> None:
    data = execnet.dumps(value)[1:]  # without the version of the dump
    assert is_value(data)
    sent = message(Message.CHANNEL_DATA, data) + message(Message.CHANNEL_CLOSE, b"")
    assert [*messages(tmp_path, sent)] == [data, b""]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        LIST + b"Q",
        b"A\0\0\0\1x" + LIST + b"Q",
        b"A" + struct.pack("!i", -5) + LIST + b"Q",
        b"A" + struct.pack("!i", HUGE) + LIST + b"Q",
        *(execnet.dumps(value)[1:] for value in OTHERS),
        b"B\0\0\0\1Q",  # another channel
        b"L",
        b"LQL",
        b"Q",  # no value at all
        b"LLQ",  # two
        b"N\0\0\0\1\xffQ",  # a text that is not UTF-8
        b"\xff",
    ],
)
def test_bytes_that_are_not_a_value_are_refused(data: bytes, tmp_path: Path) -> None:
    assert not is_value(data)
    with pytest.raises(ValueError, match="it sent bytes that are not a message"):
        next(messages(tmp_path, message(Message.CHANNEL_DATA, data)))


@pytest.mark.parametrize(
    "sent",
    [
        b"much of it, which is no message",
        header(Message.CHANNEL_DATA, HUGE),
        header(Message.CHANNEL_DATA, MAX_MESSAGE_BYTES + 1),
        header(Message.CHANNEL_DATA, -1),
        *(message(kind, b"LQ") for kind in (Message.STATUS, Message.RECONFIGURE)),
        message(Message.CHANNEL_EXEC, b"import os; os._exit(9)"),
        message(Message.GATEWAY_TERMINATE, b""),
        *(message(kind, b"LQ") for kind in (-1, 8, 127)),
        message(Message.CHANNEL_CLOSE_ERROR, LIST + b"Q"),
        message(Message.CHANNEL_CLOSE_ERROR, b"LQ"),  # an error is a text
        message(Message.CHANNEL_CLOSE_ERROR, b""),
        message(Message.CHANNEL_CLOSE, b"LQ"),
        message(Message.CHANNEL_DATA, b"LQ", channel=77),
        ERROR + ERROR,  # execnet prints the second one, with its control characters
        message(Message.CHANNEL_CLOSE, b"") + ERROR,
        message(Message.CHANNEL_LAST_MESSAGE, b"") + ERROR,
    ],
)
def test_bytes_that_are_not_a_message_are_refused(sent: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it sent bytes that are not a message") as raised:
        list(messages(tmp_path, sent))
    assert len(str(raised.value)) < 250


def test_its_end_is_not_a_fault(tmp_path: Path) -> None:
    for sent in (b"", header(4, 100)[:5], header(4, 100), message(4, b"LQ")[:-1]):
        assert [*messages(tmp_path, sent)] == []
