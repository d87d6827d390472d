"""Bundles that are damaged, newer, or hostile: each is an error that says what is wrong."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from pytest_modelroundtrip.bundles import bundle_archives, bundle_reader
from pytest_modelroundtrip.bundles.bundle_reader import BundleError
from pytest_modelroundtrip.bundles.recording import bundle_name, keep
from pytest_modelroundtrip.portable import protocol
from pytest_modelroundtrip.portable.bundles import bundle_files, origins, recorded
from pytest_modelroundtrip.portable.bundles.origins import Origin
from pytest_modelroundtrip.portable.comparing import Tolerance
from pytest_modelroundtrip.portable.known_arrays import Digests
from pytest_modelroundtrip.portable.protocol import Job, Setup, WeightValue
from pytest_modelroundtrip.settings import Settings

LARGE = np.arange(4096, dtype=np.float32)
SETUP = Setup(["its.layers"], ["/of/the/saver"], {}, None, "auto", [3])
JOB = Job(SETUP, "weights:WeightsFormat", [], "artifact", None, True, ["weights"], False, [])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of one weight."""
    folder = tmp_path / "encoder.weights"
    (folder / "artifact").mkdir(parents=True)
    (folder / "artifact" / "model.h5").write_bytes(b"weights")
    seen = {"": {"weights": [WeightValue("kernel", "kernel", None, True, LARGE)]}}
    record = recorded.recorded(seen, Digests(), {"keras": "3.15.1"}, Tolerance())
    recorded.write(str(folder), record)
    (folder / "job").write_bytes(protocol.encode_record(JOB))
    hashes = bundle_files.hashes(str(folder))
    origins.write(str(folder), Origin(test="record()", format="weights", sha256=hashes))
    return folder


def test_a_bundle_has_what_is_needed_and_no_more(bundle: Path) -> None:
    found = bundle_reader.read(bundle)
    assert (found.origin.format, found.origin.test, found.size) == ("weights", "record()", 7)
    assert found.changed_files() == []
    (weight,) = found.expected(["weights"])[""]["weights"]
    assert (weight.value.dtype, weight.value.shape) == ("float32", (4096,))
    assert (bundle / "expected").stat().st_size < 1000
    settings = Settings(
        formats=("weights",), pythonpath=("/here",), confinement="off", imports=("of.others",)
    )
    job = found.job(settings, ["weights"])
    assert (job.setup.pythonpath, job.setup.confinement) == (["/here"], "off")
    assert job.setup.imports == ["its.layers", "of.others"]
    assert job.artifact == str(bundle / "artifact") and job.known == (weight.value.digest,)


def test_of_several_generations_the_first_is_kept(bundle: Path, tmp_path: Path) -> None:
    (bundle / "generation2").mkdir()
    last = protocol.encode_record(JOB._replace(artifact="generation2"))
    (bundle / "job").write_bytes(last)
    keep(bundle, tmp_path / "kept" / "bundle", "")
    kept = bundle_reader.read(tmp_path / "kept" / "bundle")
    assert not (kept.folder / "generation2").exists() and kept.changed_files() == []
    job = protocol.decode_record(Job, (kept.folder / "job").read_bytes())
    assert job.artifact == "artifact"


def test_a_copy_that_cannot_be_put_in_its_place_is_an_error(bundle: Path, tmp_path: Path) -> None:
    there = tmp_path / "kept"
    there.mkdir()
    refuse = OSError(errno.EACCES, os.strerror(errno.EACCES))
    with mock.patch.object(Path, "rename", side_effect=refuse):
        with pytest.raises(OSError, match="denied"):
            keep(bundle, there / "bundle", "")
        (there / "bundle").mkdir()  # another process was faster
        keep(bundle, there / "bundle", "")


def test_what_a_format_tolerates_is_tolerated_in_its_bundle(bundle: Path) -> None:
    record = recorded.read(str(bundle))
    tolerance = record.tolerance(record.versions, 1e-4)
    assert tolerance.of(np.dtype("float32"), 10.0) == (0.0, 1e-3)


def test_what_may_have_no_end_is_not_read(bundle: Path) -> None:
    (bundle / "artifact" / "endless").symlink_to("/dev/zero")
    os.mkfifo(bundle / "artifact" / "pipe")
    (bundle / "artifact" / "elsewhere").symlink_to("/")
    added = [f"the file artifact/{name} was added" for name in ("elsewhere", "endless", "pipe")]
    found = bundle_reader.read(bundle).changed_files()
    assert [line.partition(" after")[0] for line in found] == added


def test_what_takes_the_place_of_a_golden_is_a_folder_beside_it(tmp_path: Path) -> None:
    new = tmp_path / "encoder.keras.new"
    for golden in "encoder.keras", "encoder.keras.tar.gz":
        assert bundle_reader.renewal_of(tmp_path / golden) == (new, "encoder.keras", False)
    new.mkdir()
    assert bundle_reader.renewal_of(tmp_path / "encoder.keras").is_old


ORIGINS = {
    "{": "is damaged: Expecting",
    "[]": "is damaged: roundtrip.json is not a JSON object",
    "[" * 10**5: "is damaged: .* too deeply",
    '{"schema": 2}': "schema '2'; this release reads 1",
    '{"schema": 1}': "'format' must be a text",
    '{"schema": 1, "format": "h5", "test": "x", "sha256": {"a": 1}}': "the hash of each file",
}
DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda b: (b / "expected").unlink(), "is not a complete bundle: .*expected"),
    (lambda b: (b / "job").unlink(), "is not a complete bundle: .*job"),
    (lambda b: (b / "expected").write_bytes(b"x"), "is damaged: "),
    (lambda b: (b / "job").write_bytes((b / "job").read_bytes()[:-1]), "is damaged: "),
    (lambda b: (b / "job").write_bytes((b / "expected").read_bytes()), "Job is expected"),
]


@pytest.mark.parametrize(("origin", "message"), ORIGINS.items(), ids=ORIGINS.values())
def test_damaged_origins_are_reported(bundle: Path, origin: str, message: str) -> None:
    (bundle / "roundtrip.json").write_text(origin)
    with pytest.raises(BundleError, match=message):
        bundle_reader.read(bundle)


@pytest.mark.parametrize(("damage", "message"), DAMAGES, ids=[text for _, text in DAMAGES])
def test_other_damages(bundle: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(bundle)
    with pytest.raises(BundleError, match=message):
        bundle_reader.read(bundle)


def test_changed_files_are_named(bundle: Path) -> None:
    (bundle / "artifact" / "model.h5").write_bytes(b"Weights")
    (bundle / "artifact" / "more").write_bytes(b"")
    assert bundle_reader.read(bundle).changed_files() == [
        "the file artifact/model.h5 was changed after it was recorded",
        "the file artifact/more was added after it was recorded",
    ]
    (bundle / "artifact" / "model.h5").unlink()
    assert bundle_reader.read(bundle).changed_files()[0] == "the file artifact/model.h5 is missing"


def test_an_archive_has_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    archive = bundle_archives.pack(bundle)
    assert archive == tmp_path / "encoder.weights.tar.gz" and not bundle.exists()
    found = bundle_archives.unpack(archive, tmp_path / "there")
    assert found == tmp_path / "there" / "encoder.weights"
    assert bundle_reader.read(found).changed_files() == []


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """An entry of an archive."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


HOSTILE: dict[str, tuple[list[tarfile.TarInfo], str]] = {
    "up": ([member("../out")], "is not a path inside the archive"),
    "absolute": ([member("/out")], "is not a path inside the archive"),
    "link": (
        [member("b", tarfile.SYMTYPE, "/"), member("b/out")],
        "is neither a file nor a folder",
    ),
    "hard link": ([member("b", tarfile.LNKTYPE, "/etc/passwd")], "is neither a file nor a folder"),
    "fifo": ([member("b/a", tarfile.FIFOTYPE)], "is neither a file nor a folder"),
    "device": ([member("b/a", tarfile.CHRTYPE)], "is neither a file nor a folder"),
    "twice": ([member("b/a"), member("b/a")], "exists"),
    "two": ([member("a/x"), member("b/x")], "it must contain exactly one folder"),
    "nothing": ([], "it must contain exactly one folder"),
}


@pytest.mark.parametrize(("members", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_write_nothing_outside(
    tmp_path: Path, members: list[tarfile.TarInfo], message: str
) -> None:
    path, folder = tmp_path / "x.tar.gz", tmp_path / "inside" / "folder"
    with tarfile.open(path, "w:gz") as archive:
        for entry in members:
            archive.addfile(entry, io.BytesIO())
    folder.mkdir(parents=True)
    with pytest.raises(BundleError, match=message):
        bundle_archives.unpack(path, folder)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["inside", "x.tar.gz"]
    assert [found.name for found in folder.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b\x08", b"\x1f\x8b" + b"\0" * 50])
def test_a_file_that_is_not_an_archive_is_reported(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    with pytest.raises(BundleError):
        bundle_archives.unpack(path, tmp_path / "folder")


def test_names_are_those_of_folders_and_differ() -> None:
    names = {
        "tests/test_a.py::test_b": "tests.test_a.test_b.keras",
        "test_a.py::TestA::test_b[1-x]": "test_a.TestA.test_b-1-x.keras",
    }
    for test, name in names.items():
        assert bundle_name(test, 1, "keras") == name
    assert bundle_name("test_a.py::test_b", 2, "h5") == "test_a.test_b.2.h5"
    texts = ("a b", "a:b", "a" * 300, "a.b", "a/b", "a::b", "a[b]")
    odd = {bundle_name(f"test_a.py::test_b[{text}]", 1, "h5") for text in texts}
    assert len(odd) == len(texts) and all(len(name) < 200 and name.isprintable() for name in odd)
