"""The artifact in the folder of the process that loads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_modelroundtrip.portable.protocol import LoadFailure, Reloaded, Step
from pytest_modelroundtrip.portable.reload_processes import own_copy


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "index").write_text("weights")
    return folder


@pytest.mark.parametrize("is_large", [False, True])
def test_it_has_all_files(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    monkeypatch.setattr(own_copy, "MAX_COPIED", 0 if is_large else 100_000)
    copy = tmp_path / "copy"
    assert own_copy.made(str(artifact), str(copy))
    assert (copy / "variables" / "index").read_text() == "weights"
    is_same_file = os.path.samefile(copy / "variables" / "index", artifact / "variables" / "index")
    assert is_same_file is is_large
    (copy / "unpacked").write_text("beside it")
    assert [path.name for path in artifact.iterdir()] == ["variables"]


@pytest.mark.parametrize("fault", ["a link", "no folder", "it is there already"])
def test_where_it_cannot_be_made(artifact: Path, tmp_path: Path, fault: str) -> None:
    copy = tmp_path / "copy"
    if fault == "a link":
        (artifact / "link").symlink_to("variables")
    if fault == "it is there already":
        copy.mkdir()
    given = artifact / "none" if fault == "no folder" else artifact
    assert not own_copy.made(str(given), str(copy))
    assert not copy.exists()


def test_its_paths_are_shown_as_those_of_the_artifact() -> None:
    failure = LoadFailure(Step.LOAD, "OSError", "no /own/artifact/a", "in /own/artifact/b", [])
    reloaded = Reloaded({}, {}, output="reads /own/artifact/c", failure=failure)
    named = own_copy.named_as_given(reloaded, "/own/artifact", "/given")
    assert named.failure is not None
    assert named.failure.message == "no /given/a" and named.failure.traceback == "in /given/b"
    assert named.output == "reads /given/c"
