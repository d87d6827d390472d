"""A process that is set up before its job is known: who gets it, and that it ends otherwise."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_modelroundtrip.portable.confinement.confining import NOTHING
from pytest_modelroundtrip.portable.processes import process_tree
from pytest_modelroundtrip.portable.protocol import Job, Setup
from pytest_modelroundtrip.portable.reload_processes import (
    imported_files,
    own_copy,
    standby,
    warm_up,
    watching,
)
from pytest_modelroundtrip.portable.reload_processes.standby import StandBy

SETUP = Setup([], [], {}, None, "auto", [])

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def stand_by(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandBy]:
    monkeypatch.setattr(standby, "READY_SECONDS", 60)  # on busy cores too
    monkeypatch.setattr(standby, "NEEDED_MEMORY", 0)  # with less free memory too
    # a fork cannot use the runtime that other tests have started here
    monkeypatch.setattr(warm_up, "warm_up", lambda _majors: None)
    made = StandBy(str(scratch), NOTHING)
    yield made
    made.discard()


@pytest.fixture
def stopped(stand_by: StandBy, monkeypatch: pytest.MonkeyPatch) -> int:
    """The process that stands by, which has stopped itself before it is ready."""
    monkeypatch.setattr(warm_up, "warm_up", lambda _majors: os.kill(os.getpid(), signal.SIGSTOP))
    stand_by.prepare(SETUP)
    (pid,) = stand_by.pids
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    return pid


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job with an artifact of one file."""
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "model.keras").write_text("weights")
    return Job(SETUP, "keras:Keras", [], str(artifact), None, True, [], False, [])


def test_a_job_of_its_setup_gets_it(stand_by: StandBy, job: Job) -> None:
    stand_by.prepare(SETUP)
    (pid,) = stand_by.pids
    waits = stand_by.take(job)
    assert waits is not None and waits.pid == pid
    copy = Path(own_copy.path_in(waits.folder))
    assert (copy / "model.keras").read_text() == "weights"
    assert stand_by.take(job) is None  # there was one
    watching.end(waits)
    assert pid not in process_tree.descendants(os.getpid())


def _linked(job: Job) -> Job:
    Path(job.artifact, "link").symlink_to("model.keras")
    return job


OTHER_JOBS: dict[str, Callable[[Job], Job]] = {
    "setup": lambda job: job._replace(setup=SETUP._replace(imports=["layers"])),
    "confinement": lambda job: job._replace(setup=SETUP._replace(confinement="off")),
    "saves again": lambda job: job._replace(save_to="/generation2"),
    "link": _linked,
    "gone": lambda job: job._replace(artifact="/there/is/none"),
}


@pytest.mark.parametrize("name", OTHER_JOBS)
def test_another_job_does_not(name: str, stand_by: StandBy, job: Job, scratch: Path) -> None:
    stand_by.prepare(SETUP)
    assert stand_by.take(OTHER_JOBS[name](job)) is None
    assert not stand_by.pids and not [*scratch.iterdir()]


def test_one_that_is_late_may_have_the_next_job(
    stand_by: StandBy, stopped: int, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(standby, "READY_SECONDS", 0)
        assert stand_by.take(job) is None
    stand_by.prepare(SETUP)  # for the job after that
    assert stand_by.pids == {stopped}
    os.kill(stopped, signal.SIGCONT)
    waits = stand_by.take(job)
    assert waits is not None and waits.pid == stopped
    watching.end(waits)


def test_the_next_one_is_urgent_where_nothing_is_known(stand_by: StandBy, job: Job) -> None:
    assert stand_by.is_urgent
    stand_by.prepare(SETUP)
    assert stand_by._child is not None
    select.select([stand_by._child.link], [], [])
    waits = stand_by.take(job)
    assert waits is not None and not stand_by.is_urgent
    watching.end(waits)


def test_the_next_one_is_urgent_where_this_one_was_waited_for(
    stand_by: StandBy, stopped: int, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_ready = watching.is_ready

    def go_on_when_waited_for(waits: watching.Child, seconds: float) -> bool | None:
        if seconds:
            os.kill(stopped, signal.SIGCONT)
        return is_ready(waits, seconds)

    monkeypatch.setattr(watching, "is_ready", go_on_when_waited_for)
    stand_by.is_urgent = False
    waits = stand_by.take(job)
    assert waits is not None and stand_by.is_urgent
    watching.end(waits)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_does_not_get_ready_is_ended(
    stand_by: StandBy, stopped: int, job: Job, end: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "READY_SECONDS", 0)
    monkeypatch.setattr(standby, "STUCK_SECONDS", 0)
    assert stand_by._child is not None
    folder = stand_by._child.folder
    os.kill(stopped, end)
    assert stand_by.take(job) is None
    assert not stand_by.pids and not os.path.exists(folder)


def test_one_that_ended_after_it_was_ready_is_not_taken(stand_by: StandBy, job: Job) -> None:
    stand_by.prepare(SETUP)
    assert stand_by._child is not None
    select.select([stand_by._child.link], [], [])
    os.kill(stand_by._child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, stand_by._child.pid, os.WEXITED | os.WNOWAIT)
    assert stand_by.take(job) is None
    assert not stand_by.pids


def test_one_whose_imports_close_its_link_is_not_waited_for(
    stand_by: StandBy, tmp_path: Path
) -> None:
    (tmp_path / "closing.py").write_text("import os\nos.closerange(3, 256)\n")
    stand_by.prepare(SETUP._replace(imports=["closing"], pythonpath=[str(tmp_path)]))
    assert stand_by._child is not None
    assert watching.is_ready(stand_by._child, 20) is False


def test_one_that_cannot_be_set_up_is_not_taken(stand_by: StandBy, job: Job) -> None:
    setup = SETUP._replace(imports=["there_is_no_such_module"])
    stand_by.prepare(setup)
    assert stand_by.take(job._replace(setup=setup)) is None


def test_one_that_imports_still_is_ended(
    stand_by: StandBy, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold what the import of another process waits for."""
    monkeypatch.setattr(standby, "READY_SECONDS", 0)
    (tmp_path / "importing.py").write_text("import os\nos.kill(os.getpid(), 19)\n")
    setup = SETUP._replace(imports=["importing"], pythonpath=[str(tmp_path)])
    stand_by.prepare(setup)
    (pid,) = stand_by.pids
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    assert stand_by.take(job._replace(setup=setup)) is None
    assert not stand_by.pids


def test_a_module_that_was_written_anew_is_imported_anew(
    stand_by: StandBy, job: Job, tmp_path: Path
) -> None:
    module = tmp_path / "generated.py"
    setup = SETUP._replace(imports=["generated"], pythonpath=[str(tmp_path)])
    for number in range(2):
        module.write_text(f"number = {number}\n")
        stand_by.prepare(setup)
        assert stand_by._child is not None
        select.select([stand_by._child.link], [], [])
        if number:
            os.utime(module, ns=(0, number))
        waits = stand_by.take(job._replace(setup=setup))
        assert (waits is None) is bool(number)
        if waits is not None:
            watching.end(waits)


def test_what_it_imported_is_read_from_a_plain_file_only(tmp_path: Path) -> None:
    """Nobody ever writes into a pipe."""
    imported_files.write(str(tmp_path), [])
    assert imported_files.unchanged(str(tmp_path))
    (tmp_path / imported_files.FILE).unlink()
    os.mkfifo(tmp_path / imported_files.FILE)
    assert not imported_files.unchanged(str(tmp_path))


def test_there_is_none_without_confinement(stand_by: StandBy) -> None:
    stand_by.prepare(SETUP._replace(confinement="off"))
    assert not stand_by.pids


def test_it_ends_with_its_parent(stand_by: StandBy) -> None:
    """Its parent closes the link, or dies."""
    stand_by.prepare(SETUP)
    (pid,) = stand_by.pids
    assert stand_by._child is not None
    os.close(stand_by._child.link)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    stand_by._child = None


@pytest.mark.parametrize(
    ("constant", "value"), [("NEEDED_MEMORY", 1 << 60), ("ACCELERATORS", ["/dev/nul[l]"])]
)
def test_no_process_is_prepared_without_memory_or_beside_a_gpu(
    stand_by: StandBy, monkeypatch: pytest.MonkeyPatch, constant: str, value: object
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(standby, constant, value)
    stand_by.prepare(SETUP)
    assert not stand_by.pids
