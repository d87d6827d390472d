"""Where this machine refuses a folder or space, the test says so and has its cell in the report."""

from __future__ import annotations

import builtins
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from inner_runs import Run, reported

from pytest_modelroundtrip.result import RoundTrip, Verdict
from pytest_modelroundtrip.roundtrip import not_kept

TEST = '@pytest.mark.roundtrip(formats=["h5"], checks=["outputs"])\ndef test_it(): return dense()\n'


def test_a_folder_that_cannot_be_made(run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("file").touch()
    (record,) = reported(run, TEST, "--basetemp=file/base")
    assert (record["verdict"], record["outcome"]) == ("system error", "failed")
    assert f"{pytester.path}/file/base" in " ".join(record["problems"])
    assert "--basetemp=PATH" in record["text"] and record["versions"]["saved"]
    assert pytester.path.joinpath("file").exists()  # nothing beside it was deleted


def test_an_artifact_that_was_to_be_kept_and_cannot_be(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = builtins.open

    def full_disk(path: Any, *args: Any, **kwargs: Any) -> Any:
        if str(path).endswith("roundtrip.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", full_disk)
    (record,) = reported(run, TEST, "--roundtrip-keep=all", "--basetemp=base")
    assert record["verdict"] == "system error"
    assert record["problems"][0] == "the artifact could not be kept:"
    assert "roundtrip.json" in record["problems"][1] and "free on" in record["problems"][2]
    assert not [*pytester.path.glob("base/**/*.h5")]
    assert [record["verdict"] for record in reported(run, TEST)] == ["exact"]


def test_a_loss_stays_one_where_its_artifact_cannot_be_kept(tmp_path: Path) -> None:
    lost = RoundTrip("h5", "here", tmp_path / "artifact", Verdict.DIFFERS, problems=["lost"])
    trip = not_kept(lost, OSError(errno.EROFS, os.strerror(errno.EROFS)))
    assert trip.verdict is Verdict.DIFFERS
    assert trip.problems[:2] == ["lost", "the artifact could not be kept:"]
    assert str(tmp_path) in trip.problems[2]
    assert lost.problems == ["lost"]  # the flow had ended: its result is not changed
