"""`environments.connection`: folders go to the other side and come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stub_workers import stub_archive

from pytest_modelroundtrip.environments import (
    HERE,
    BadAnswerError,
)
from pytest_modelroundtrip.environments.connection import Connection, ConnectionEndedError
from pytest_modelroundtrip.portable.protocol import (
    CanRead,
    Done,
    Entry,
    FailedError,
    Readable,
    ReceiveFolder,
    encode_record,
)

pytestmark = pytest.mark.slow


def test_a_folder_that_cannot_go_or_come_ends_nothing(connection: Connection) -> None:
    with pytest.raises(FailedError, match="No such file or directory"):
        connection.fetch_folder("missing", "/nowhere", os.getcwd())
    there = connection.folder_there("there")
    connection.send_request(ReceiveFolder(there))
    for piece in (encode_record(Entry("/".join("a" * 200), None)), b""):
        connection._send(piece, 60)
    with pytest.raises(FailedError, match="more than 100 folders deep"):
        connection.receive_answer(Done, 60)
    assert not connection.ask(CanRead("/nowhere", ""), Readable, 60).readable


def test_a_folder_goes_and_comes(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    (tmp_path / "here" / "sub" / "a").write_bytes(bytes(range(256)))
    folder = str(tmp_path / "here")
    shown: list[str] = []
    copy = connection.send_folder(folder, "there", shown.append)
    assert copy == connection.folder_there("there")
    assert (Path(copy) / "sub" / "a").read_bytes() == bytes(range(256))
    (Path(copy) / "mark").touch()
    assert connection.send_folder(folder, "there", shown.append) == copy
    assert (Path(copy) / "mark").exists()  # the same one is not sent again
    connection.fetch_folder("there", str(tmp_path / "back"), folder)
    assert (tmp_path / "back" / "sub" / "a").read_bytes() == bytes(range(256))
    assert not Path(copy).exists()
    assert shown == []  # it is small
    assert connection.ask(CanRead(folder, ""), Readable, 60) == Readable(False)


def test_a_module_that_was_written_anew_goes_again(connection: Connection, tmp_path: Path) -> None:
    module = tmp_path / "sub" / "module.py"
    module.parent.mkdir()
    for seconds, text in [(9, "x = 1\n"), (9, "x = 10\n"), (7, "x = 20\n")]:
        module.write_text(text)
        os.utime(module, (seconds, seconds))  # another size is enough, and so is another time
        copy = connection.send_folder(str(tmp_path), "there", print)
        assert (Path(copy) / "sub" / "module.py").read_text() == text


def test_the_progress_of_a_large_folder_is_shown(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(12_000_000))
    shown: list[str] = []
    connection.send_folder(str(tmp_path), "there", shown.append)
    assert shown[-1] == "12 of 12 MB sent"


def test_a_folder_that_cannot_be_read_is_named(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(ConnectionEndedError, match="gone cannot be sent: No such file"):
        connection.send_folder(str(tmp_path / "gone"), "there", print)


def test_a_folder_that_cannot_be_written_is_named(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    copy = connection.send_folder(str(tmp_path), "there", print)
    assert Path(copy, "file").exists()
    with pytest.raises(ConnectionEndedError, match="back cannot be fetched: Not a directory"):
        connection.fetch_folder("there", str(tmp_path / "file" / "back"), str(tmp_path))


OUTSIDE = encode_record(Entry("../outside", 0))
LARGE = encode_record(Entry("large", 1 << 40))


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([b"junk" * 512], "incomplete"),
        ([OUTSIDE, b""], "'../outside' is not a path inside of the folder"),
        ([LARGE, b""], f"'large': {1 << 40} bytes; all files may have {1 << 30} together"),
        ([encode_record(Entry("a", 1)), 3], "bytes is expected, not int"),
        ([1, b"x"], "bytes is expected, not int"),
    ],
)
def test_pieces_that_are_not_a_folder_are_a_bad_answer(
    pieces: list[object], reason: str, tmp_path: Path
) -> None:
    connection = Connection(HERE, stub_archive(pieces), 60)
    with pytest.raises(BadAnswerError, match="sent a folder that cannot be read") as raised:
        connection.fetch_folder("there", str(tmp_path / "back"), str(tmp_path))
    assert reason in str(raised.value)
    assert not list(tmp_path.iterdir())
