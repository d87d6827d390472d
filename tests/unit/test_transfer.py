"""`transfer`: a folder comes as it was sent; what else comes is refused and leaves nothing."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_modelroundtrip.portable import transfer
from pytest_modelroundtrip.portable.protocol import Done, Entry, encode_record

LIMIT = 1000


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder to send."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def sent(folder: Path) -> list[bytes]:
    """The pieces of a folder."""
    pieces: list[bytes] = []
    transfer.send(pieces.append, str(folder))
    return pieces


def received(folder: Path, pieces: list[bytes], limit: int | None = LIMIT) -> list[str]:
    """What is made of the pieces: the paths in it, without the folders."""
    transfer.receive(iter(pieces).__next__, str(folder), limit)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refused(tmp_path: Path, pieces: list[bytes]) -> str:
    """Why the pieces are refused; nothing is left of them, in the folder or beside it."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError) as raised:
        received(tmp_path / "there", pieces)
    assert sorted(tmp_path.rglob("*")) == before
    return str(raised.value)


def test_a_folder_comes_as_it_was_sent(here: Path, tmp_path: Path) -> None:
    (here / "sub" / "empty").mkdir(parents=True)
    (here / "sub" / "large").write_bytes(bytes(range(256)) * 10_000)  # several pieces
    (here / "nothing").touch()
    (here / "run").write_text("#!/bin/sh\n")
    (here / "run").chmod(0o4755)
    (here / os.fsdecode(b"\xff \n")).write_text("its name is not UTF-8")
    for left_out in transfer.LEFT_OUT:
        (here / "sub" / left_out).mkdir()
        (here / "sub" / left_out / "file").touch()
    there = tmp_path / "there"
    there.mkdir()
    (there / "old").touch()
    names = ["nothing", "run", os.fsdecode(b"sub/large"), os.fsdecode(b"\xff \n")]
    assert received(there, sent(here), None) == sorted(names)
    assert (there / "sub" / "large").read_bytes() == (here / "sub" / "large").read_bytes()
    assert (there / "sub" / "empty").is_dir()
    modes = [(there / name).stat().st_mode for name in ("run", "nothing")]
    assert [bool(mode & 0o100) for mode in modes] == [True, False]
    assert not modes[0] & (stat.S_ISUID | stat.S_ISGID)
    assert transfer.size_of(str(here)) == sum(len(path.read_bytes()) for path in _files(there))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_links_are_followed_and_special_files_are_left_out(here: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("outside")
    (here / "real").mkdir()
    (here / "real" / "file").write_text("inside")
    (here / "a link").symlink_to(here / "real")  # both come, whichever is walked first
    (here / "z link").symlink_to(tmp_path / "outside")
    (here / "real" / "up").symlink_to(here)
    (here / "itself").symlink_to("itself")
    (here / "gone").symlink_to("nowhere")
    os.mkfifo(here / "pipe")
    there = tmp_path / "there"
    assert received(there, sent(here)) == ["a link/file", "real/file", "z link/file"]
    assert (there / "z link" / "file").read_text() == "outside"
    assert not [path for path in there.rglob("*") if path.is_symlink()]


def test_links_that_multiply_are_bounded(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcdef":
        (tmp_path / name).mkdir()
        for other in "abcdef":
            (tmp_path / name / other).symlink_to(tmp_path / other)
    (here / "a").symlink_to(tmp_path / "a")
    monkeypatch.setattr(transfer, "MAX_ENTRIES", 100)
    with pytest.raises(OSError, match="it holds more than 100 files") as raised:
        sent(here)
    assert raised.value.filename == str(here)


def test_a_file_that_becomes_shorter_is_named(here: Path) -> None:
    (here / "file").write_bytes(b"four")

    def cut_the_file(_: bytes) -> None:  # its size was sent before its bytes
        (here / "file").write_bytes(b"3")

    with pytest.raises(OSError, match="it became shorter while it was sent") as raised:
        transfer.send(cut_the_file, str(here))
    assert raised.value.filename == str(here / "file")


def test_as_much_may_come_as_was_sent_sixteen_times(here: Path) -> None:
    assert transfer.limit_of(str(here)) == 1 << 30
    with open(here / "large", "wb") as out:
        out.truncate(1 << 30)
    assert transfer.limit_of(str(here)) == 1 << 34


# what the other side makes up


def file(path: str, data: bytes = b"x", size: int | None = None) -> list[bytes]:
    """The pieces of a file, with another size than it has where that is given."""
    return [encode_record(Entry(path, len(data) if size is None else size)), data]


def folder(path: str) -> list[bytes]:
    return [encode_record(Entry(path, None))]


NAMES = [
    *("..", "../outside", "a/../../outside", "a/..", ".", "./a", "a//b", "a/", ""),
    *("/", "/tmp/outside", "//tmp/outside", "nul\0name", "a/nul\0", "\ud800"),
]


@pytest.mark.parametrize("path", NAMES)
def test_a_path_that_leaves_the_folder(path: str, tmp_path: Path) -> None:
    for pieces in (file(path), folder(path)):
        reason = refused(tmp_path, [*folder("a"), *pieces, b""])
        assert "is not a path inside of the folder" in reason or "surrogates" in reason


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([*file("a"), *file("a")], "'a': File exists"),
        ([*folder("a"), *folder("a")], "'a': File exists"),
        ([*folder("a"), *file("a")], "'a': File exists"),
        ([*file("a"), *folder("a")], "'a': File exists"),
        ([*file("a"), *file("a/b")], "'a/b': Not a directory"),
        ([*file("a/b")], "'a/b': No such file or directory"),
        ([*file("x" * 300)], "File name too long"),
        ([*folder("x" * 200), *file("/".join(["x" * 200] * 30))], "File name too long"),
        ([*file("a", size=-1)], "'a': -1 bytes; all files may have 1000 together"),
        ([*file("a", bytes(1001))], "'a': 1001 bytes; all files may have 1000 together"),
        (
            [*file("a", bytes(600)), *file("b", bytes(600))],
            "'b': 600 bytes; all files may have 1000 together",
        ),
        ([*file("a", size=10**400)], "0 bytes; all files may have 1000 together"),
        ([*file("a", b"xx", size=1)], "a piece of 1 bytes is expected, not of 2"),
        ([*file("a", b"x", size=2)], "a piece of 2 bytes is expected, not of 1"),
        ([*file("a", b"", size=1)], "a piece of 1 bytes is expected, not of 0"),
        ([bytes(transfer.MAX_ENTRY_BYTES + 1)], "an entry has 65537 bytes"),
        ([encode_record(Done())], "Entry is expected, not 'Done'"),
    ],
)
def test_entries_that_cannot_be(pieces: list[bytes], reason: str, tmp_path: Path) -> None:
    assert reason in refused(tmp_path, [*pieces, b""])


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MAX_ENTRIES", 10)
    names = [str(number) for number in range(11)]
    pieces = [piece for name in names for piece in file(name)]
    assert received(tmp_path / "back", [*pieces[:20], b""]) == names[:10]
    assert refused(tmp_path, [*pieces, b""]) == "more than 10 files were sent"


def test_a_fault_of_this_side_is_not_one_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the path is named."""

    class Full(io.BytesIO):
        def write(self, data: object, /) -> int:  # noqa: ARG002
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("builtins.open", lambda *_: Full())
    with pytest.raises(OSError, match="No space left") as raised:
        received(tmp_path / "there", [*file("a"), b""])
    assert raised.value.filename == str(tmp_path / "there" / "a")


# archives in which a far side attacked an earlier version: a tar is not read at all


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o755
    return info


def chain() -> Iterator[tarfile.TarInfo]:
    """Links that realpath gives up on (CVE-2025-4517), and a file written through them."""
    path, long = "", "d" * 247
    for step in "abcdefghijklmnop":
        yield member(f"{path}{long}", tarfile.DIRTYPE)
        yield member(f"{path}{step}", tarfile.SYMTYPE, long)
        path += f"{long}/"
    steps = "/".join("abcdefghijklmnop")
    yield member(f"{steps}/{'l' * 254}", tarfile.SYMTYPE, "../" * 16)
    yield member("escape", tarfile.SYMTYPE, f"{steps}/{'l' * 254}/../outside")
    yield member("escape")


def setuid() -> tarfile.TarInfo:
    info = member("a")
    info.mode = 0o6777
    return info


def bomb() -> tarfile.TarInfo:
    info = member("a")
    info.size = 1 << 40
    return info


ATTACKS: dict[str, Callable[[], list[tarfile.TarInfo]]] = {
    "parent": lambda: [member("../outside")],
    "absolute": lambda: [member("/tmp/outside")],
    "link": lambda: [member("a", tarfile.SYMTYPE, ".."), member("a/outside")],
    "hard link": lambda: [member("a", tarfile.LNKTYPE, "../here"), member("a")],
    "chain of links": lambda: [*chain()],
    "pipe": lambda: [member("a", tarfile.FIFOTYPE)],
    "device": lambda: [member("a", tarfile.CHRTYPE)],
    "setuid": lambda: [setuid()],
    "NUL": lambda: [member("a\0b")],
    "long name": lambda: [member("x/" * 5000)],
    "bomb": lambda: [bomb()],
    "twice": lambda: [member("a"), member("a", tarfile.DIRTYPE)],
}


@pytest.mark.parametrize("has_filter", [True, False])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_tar_is_refused(
    attack: str, has_filter: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").write_text("it stays")
    if not has_filter:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    data = b"".join(info.tobuf(tarfile.PAX_FORMAT) for info in ATTACKS[attack]()) + bytes(1024)
    whole, small = [data, b""], [data[start : start + 512] for start in range(0, len(data), 512)]
    for pieces in (whole, [*small, b""]):
        refused(tmp_path, pieces)
    assert (tmp_path / "here").read_text() == "it stays"
