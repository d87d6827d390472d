"""Files outside of a bundle: they are had whole, as they were recorded, or it is told why not."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from file_server import served

from pytest_modelroundtrip.bundles import bundle_archives, bundle_reader
from pytest_modelroundtrip.bundles.bundle_reader import BundleError
from pytest_modelroundtrip.portable.bundles import bundle_files, stores
from pytest_modelroundtrip.portable.bundles.stores import ChangedError, StoreError

LARGE = bytes(range(256)) * 10_000


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of two files, one of which is in the store beside it."""
    folder = tmp_path / "encoder.saved_model"
    (folder / "artifact" / "variables").mkdir(parents=True)
    (folder / "artifact" / "graph").write_bytes(b"graph")
    (folder / "artifact" / "variables" / "data").write_bytes(LARGE)
    write_origin(folder, sha256=bundle_files.hashes(str(folder)))
    stores.move_out(str(folder), str(tmp_path / "store"))
    return folder


def write_origin(folder: Path, **changes: object) -> None:
    """Write or change `roundtrip.json`."""
    path = folder / "roundtrip.json"
    origin = {"schema": 1, "format": "saved_model", "test": "record()"}
    origin = {**(json.loads(path.read_text()) if path.exists() else origin), **changes}
    path.write_text(json.dumps(origin))


def stored(bundle: Path) -> Path:
    """The one file in the store."""
    (found,) = (bundle.parent / "store").iterdir()
    return found


def completed(bundle: Path, store: str = "") -> Path:
    """The bundle with all its files."""
    folder = tempfile.mkdtemp(dir=bundle.parent)
    return Path(
        stores.completed(str(bundle), bundle_reader.read_origin(bundle).outside, store, str(folder))
    )


def assert_whole(folder: Path) -> None:
    assert (folder / "artifact" / "variables" / "data").read_bytes() == LARGE
    assert (folder / "artifact" / "graph").read_bytes() == b"graph"


def test_a_large_file_is_in_the_store_under_its_hash(bundle: Path) -> None:
    assert not (bundle / "artifact" / "variables" / "data").exists()
    assert stored(bundle).read_bytes() == LARGE
    assert stored(bundle).name == bundle_files.sha256_of(str(stored(bundle)))
    assert_whole(completed(bundle))
    size = (bundle / "roundtrip.json").stat().st_size + 5
    line = f"encoder.saved_model: {size / 1e3:.1f} kB, and 2.6 MB in {bundle.parent / 'store'}"
    assert bundle_reader.size_line(bundle) == line


def test_what_others_wrote_about_a_bundle_stays(bundle: Path, tmp_path: Path) -> None:
    whole = completed(bundle)
    theirs = {"inputs": [{"any": None}], "verdict": 5, "others": "ours", "approved by": ["Ada"]}
    write_origin(whole, outside=None, **theirs)
    stores.move_out(str(whole), str(tmp_path / "store"))
    fields = json.loads((whole / "roundtrip.json").read_text())
    assert {**fields, **theirs} == fields and bundle_reader.read_origin(whole).outside.files


def test_a_damaged_file_in_a_store_is_written_again(bundle: Path, tmp_path: Path) -> None:
    whole = completed(bundle)
    stored(bundle).write_bytes(b"half of i")
    shutil.copy(bundle / "roundtrip.json", whole)
    stores.move_out(str(whole), str(tmp_path / "store"))
    assert stored(bundle).read_bytes() == LARGE


def test_the_store_may_be_elsewhere(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "other")
    with served(tmp_path / "other") as url:
        assert_whole(completed(bundle, f"{url}/"))
    assert_whole(completed(bundle, str(tmp_path / "other")))


def test_what_is_in_the_bundle_is_taken_from_there(bundle: Path, tmp_path: Path) -> None:
    shutil.move(stored(bundle), bundle / "artifact" / "variables" / "data")
    assert completed(bundle, str(tmp_path / "nowhere")) == bundle


def with_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def with_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES: dict[str, tuple[Callable[[Path], object], type[StoreError], str]] = {
    "other": (lambda path: path.write_bytes(LARGE[::-1]), ChangedError, "was changed"),
    "longer": (lambda path: path.write_bytes(LARGE + b"x"), ChangedError, "has more than the 256"),
    "shorter": (lambda path: path.write_bytes(LARGE[:-1]), StoreError, "ends after 2559999 of"),
    "missing": (lambda path: path.unlink(), StoreError, "cannot be read: (No such|HTTP Error 404)"),
}


@pytest.mark.parametrize("how", ["folder", "server"])
@pytest.mark.parametrize(("change", "kind", "message"), CHANGES.values(), ids=CHANGES)
def test_what_is_not_as_recorded_is_reported(
    bundle: Path, change: Callable[[Path], object], kind: type[StoreError], message: str, how: str
) -> None:
    change(stored(bundle))
    with served(bundle.parent / "store") as url, pytest.raises(StoreError, match=message) as raised:
        completed(bundle, url if how == "server" else "")
    assert type(raised.value) is kind
    assert str(raised.value).startswith("the file artifact/variables/data is outside of the bundle")


@pytest.mark.parametrize("change", [with_a_link, with_a_pipe])
def test_only_plain_files_are_read(bundle: Path, change: Callable[[Path], object]) -> None:
    change(stored(bundle))
    with pytest.raises(StoreError, match=r"cannot be read: .* is not a plain file"):
        completed(bundle)


def test_a_server_that_never_answers_is_not_waited_for(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StoreError, match="cannot be read: timed out"):
            completed(bundle, url)
    with pytest.raises(StoreError, match=r"cannot be read: .*refused"):
        completed(bundle, url)


def test_a_server_whose_answer_does_not_begin_is_left(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as dripping:
        threading.Thread(target=send_headers_without_end, args=(dripping,), daemon=True).start()
        url = f"http://127.0.0.1:{dripping.getsockname()[1]}"
        with pytest.raises(StoreError, match=r"it did not begin to answer within 2 s"):
            completed(bundle, url)


def send_headers_without_end(server: socket.socket) -> None:
    client, _ = server.accept()
    with contextlib.suppress(OSError), client:
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        client.settimeout(0.1)
        while True:
            with contextlib.suppress(TimeoutError):
                client.recv(1000)
            client.sendall(b"x")


def test_another_kind_of_url_is_not_a_folder(bundle: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be read: .*unknown url type: s3"):
        completed(bundle, "s3://bucket")
    assert not Path("s3:").exists()


def test_a_server_that_is_too_slow_is_left(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Iterator[int] = itertools.count(0, 1000)
    monkeypatch.setattr(stores, "time", SimpleNamespace(monotonic=clock.__next__))
    with pytest.raises(StoreError, match="cannot be read: it takes more than 81 s"):
        completed(bundle)


SHA256 = "0" * 64
HOSTILE: dict[str, tuple[object, str]] = {
    "up": ({"artifact/../../out": 1}, "is not a path inside of the folder"),
    "absolute": ({"/out": 1}, "is not a path inside of the folder"),
    "NUL": ({"artifact/\0": 1}, "is not a path inside of the folder"),
    "deep": ({"artifact" + "/a" * 10_000: 1}, "more than 100 folders deep"),
    "job": ({"job": 1}, "'job' is not a file of the artifact"),
    "the artifact": ({"artifact": 1}, "'artifact' is not a file of the artifact"),
    "negative": ({"artifact/x": -1}, "the size of 'artifact/x' is not a number of bytes"),
    "huge": ({"artifact/x": 1 << 63}, "the size of 'artifact/x' is not a number of bytes"),
    "text": ({"artifact/x": "1"}, "the size of 'artifact/x' is not a number of bytes"),
    "a list": (["artifact/x"], "a folder and the sizes of files"),
}


@pytest.mark.parametrize(("files", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_bundle_names_only_files_of_its_artifact(
    bundle: Path, files: object, message: str
) -> None:
    hashes = dict.fromkeys(files, SHA256) if isinstance(files, dict) else {}
    write_origin(bundle, sha256=hashes, outside={"store": "/store", "files": files})
    with pytest.raises(BundleError, match=message):
        bundle_reader.read_origin(bundle)


@pytest.mark.parametrize("sha256", ["../secret", "", None, SHA256.replace("0", "A")])
def test_a_file_in_a_store_is_named_by_a_hash(bundle: Path, sha256: object) -> None:
    files = {"artifact/x": 1}
    hashes = {} if sha256 is None else {"artifact/x": sha256}
    write_origin(bundle, sha256=hashes, outside={"store": "/store", "files": files})
    with pytest.raises(BundleError, match="the hash of 'artifact/x' is not a SHA-256"):
        bundle_reader.read_origin(bundle)


def test_a_bundle_names_no_server(bundle: Path) -> None:
    write_origin(bundle, outside={"store": "http://127.0.0.1/", "files": {}})
    with pytest.raises(BundleError, match="must have a folder and the sizes of files"):
        bundle_reader.read_origin(bundle)


def test_a_link_in_a_bundle_leads_nothing_out(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (bundle / "artifact" / "variables").rmdir()
    (bundle / "artifact" / "variables").symlink_to(tmp_path / "out")
    with pytest.raises(OSError, match="File exists"):
        completed(bundle)
    assert not [*(tmp_path / "out").iterdir()]


def test_a_link_of_an_artifact_stays_in_the_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "training.checkpoint_manager"
    (folder / "artifact").mkdir(parents=True)
    (folder / "artifact" / "data").write_bytes(LARGE)
    (folder / "artifact" / "latest").symlink_to("data")
    write_origin(folder, sha256=bundle_files.hashes(str(folder)))
    stores.move_out(str(folder), str(tmp_path / "store"))
    assert stored(folder).name == bundle_reader.read_origin(folder).sha256["artifact/data"]
    whole = completed(folder)
    assert (whole / "artifact" / "latest").read_bytes() == LARGE
    assert not bundle_files.changed_files(str(whole), bundle_reader.read_origin(folder).sha256)
    with pytest.raises(BundleError, match=r"cannot be archived: artifact/latest is a link"):
        bundle_archives.pack(folder)


def test_there_must_be_room(bundle: Path, tmp_path: Path) -> None:
    noted = bundle_reader.read_origin(bundle).outside
    (file,) = noted.files
    noted = noted._replace(files=[file._replace(size=10**18)])
    with pytest.raises(StoreError, match=r"have 1000000000000000000 bytes, and .* has room for"):
        stores.completed(str(bundle), noted, "", str(tmp_path))
