"""`environments.jobs_there`: of a job goes what the other side cannot read, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pytest_modelroundtrip.environments import HERE, Environment
from pytest_modelroundtrip.environments.connection import Connection
from pytest_modelroundtrip.environments.jobs_there import job_there
from pytest_modelroundtrip.portable.protocol import CanRead, Job, Readable, Reload, Reloaded, Setup


class PartlyShared:
    """A connection to where only folders that are called shared can be read."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.seen: dict[str, bool] = {}
        self.fetched: list[str] = []

    def ask(self, request: CanRead | Reload, *_: object) -> Readable | Reloaded:
        """Whether it can be read there; or that a reload was done."""
        if isinstance(request, Reload):
            return Reloaded({}, {}, observation={})
        self.asked.append(request.path)
        return Readable("shared" in request.path)

    def send_folder(self, folder: str, name: str, notify: object) -> str:  # noqa: ARG002
        """The path of its copy."""
        return f"/there/{name}"

    def fetch_folder(self, name: str, folder: str, sent: str) -> None:  # noqa: ARG002
        """Remember what is fetched."""
        self.fetched.append(folder)

    def folder_there(self, name: str) -> str:
        """The path of that name."""
        return f"/there/{name}"

    def of(self, job: Job) -> Job:
        """The job as it goes there."""
        return job_there(cast("Connection", self), job, self.seen, print)


@pytest.fixture
def there() -> PartlyShared:
    return PartlyShared()


def job_in(folder: Path, *pythonpath: Path) -> Job:
    """A job whose artifact is in that folder."""
    folder.mkdir(exist_ok=True)
    (folder / "job").write_bytes(b"a job")
    setup = Setup([], [str(path) for path in pythonpath], {}, None, "auto", [])
    artifact, save_to = str(folder / "artifact"), str(folder / "generation2")
    return Job(setup, "a:A", [], artifact, save_to, True, [], False, [])


def modules_in(folder: Path) -> Path:
    """A folder with a package, as one named `src` has it: no file of it is at its top."""
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "__init__.py").touch()  # empty: it is the same everywhere
    (folder / "package" / "module.py").write_text("x = 1\n")
    return folder


def test_each_artifact_goes_that_cannot_be_read_there(there: PartlyShared, tmp_path: Path) -> None:
    golden, other = job_in(tmp_path / "shared"), job_in(tmp_path / "temporary")
    assert there.of(golden) == golden
    sent = there.of(other)
    assert (sent.artifact, sent.save_to) == ("/there/artifact", "/there/saved-again")
    assert there.of(golden) == golden


def test_what_was_saved_again_comes_where_the_artifact_went(
    there: PartlyShared, tmp_path: Path
) -> None:
    environment = Environment("a", HERE, b"", "spawn")
    environment._connection = cast("Connection", there)
    for name in ("shared", "temporary", "shared"):
        environment.reload(job_in(tmp_path / name), 60)
    assert there.fetched == [str(tmp_path / "temporary" / "generation2")]


def test_each_folder_of_modules_goes_that_cannot_be_read_there(
    there: PartlyShared, tmp_path: Path
) -> None:
    shared, other = modules_in(tmp_path / "shared"), modules_in(tmp_path / "other")
    paths = [str(shared), "/there/path1"]
    for name in ("shared job", "job"):
        assert there.of(job_in(tmp_path / name, shared, other)).setup.pythonpath == paths
    modules = [path for path in there.asked if path.endswith("package/module.py")]
    assert len(modules) == 2  # asked once for each folder
    assert len(there.asked) == 4


def test_a_folder_without_files_is_treated_as_the_artifact(
    there: PartlyShared, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    seen = there.of(job_in(tmp_path / "shared", gone))
    assert seen.setup.pythonpath == [str(gone)]
    assert there.of(job_in(tmp_path / "job", gone)).setup.pythonpath == ["/there/path0"]
    modules_in(gone)
    assert there.of(job_in(tmp_path / "shared", gone)).setup.pythonpath == ["/there/path0"]
