"""What this machine refuses is a verdict of that round trip, with the path and what to do."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_modelroundtrip import roundtrip, system_errors
from pytest_modelroundtrip.environments import BrokenEnvironmentError
from pytest_modelroundtrip.plan import Plan, Stop, recognized, system_error
from pytest_modelroundtrip.portable.comparing import CheckOutcome
from pytest_modelroundtrip.portable.formats import Format
from pytest_modelroundtrip.portable.protocol import (
    ChildEnd,
    HowEnded,
    LoadFailure,
    Reloaded,
    Step,
)
from pytest_modelroundtrip.reference.model import ModelGroup
from pytest_modelroundtrip.reporting import failure
from pytest_modelroundtrip.result import RoundTrip, Verdict
from pytest_modelroundtrip.settings import Settings

Act = Callable[[], object]
DIED = ChildEnd(Step.LOAD, HowEnded.DIED, "signal 6 (SIGABRT)")


def nothing() -> None:
    """Let it go on."""


def raising(error: BaseException) -> Act:
    def act() -> None:
        raise error

    return act


def refused(code: int, path: str | None = None) -> OSError:
    return OSError(code, os.strerror(code), path)


class StubFormat(Format):
    """Saves a file, or does what it is told."""

    name, keeps = "stub", ()

    def __init__(self, act: Act) -> None:
        self._act = act

    def save_all(self, models: Any, folder: str) -> None:
        """Write half of it first."""
        del models
        Path(folder, "half").write_text("half")
        self._act()

    def save(self, model: object, folder: str) -> None:
        """Not called."""

    def load(self, folder: str, options: object) -> None:
        """Not called."""


def tried(
    folder: Path, save: Act = nothing, reload: Act = nothing, is_local: bool = True
) -> RoundTrip:
    """A round trip of no model, whose save and reload do this."""

    def answer(*_: object) -> object:
        return reload() or Reloaded({}, {}, observation={})

    environment = SimpleNamespace(
        name="here",
        broken=None,
        without_keras=None,
        reload=answer,
        is_local=is_local,
        is_this_interpreter=True,
        description="host: python",
    )
    there: Any = environment
    plan = Plan(ModelGroup({}), StubFormat(save), Settings(formats=()), folder, there)
    return roundtrip.round_trip(plan)


def test_a_round_trip_without_errors_of_the_system_is_judged(tmp_path: Path) -> None:
    trip = tried(tmp_path / "trip")
    assert trip.problems == ["nothing was compared: stub keeps  only"]


@pytest.mark.parametrize(
    "error",
    [
        refused(errno.ENOSPC, "/there/model.keras"),
        refused(errno.ENOSPC),
        refused(errno.EDQUOT),
        RuntimeError("file write failed: errno = 28, error message = 'No space left on device'"),
    ],
)
def test_a_full_disk_is_reported_with_the_folder_and_what_is_free(
    tmp_path: Path, error: Exception
) -> None:
    folder = tmp_path / "trip"
    trip = tried(folder, save=raising(error))
    assert trip.verdict is Verdict.SYSTEM_ERROR and trip.model_changed
    assert trip.problems[0] in ("No space left on device:", "Disk quota exceeded:")
    assert trip.problems[2] == f"{type(error).__name__}: {error}"
    assert re.fullmatch(
        rf"free on this machine now: [\d.]+ .B of [\d.]+ .B in {re.escape(str(folder))}\b.*",
        trip.problems[1],
    )
    assert "Free space" in trip.hint and "TMPDIR" in trip.hint
    text = failure.failure_text(trip, False, "")
    assert text.startswith(
        "SYSTEM ERROR: a machine refused something; format stub was not tested\n"
    )


def test_too_few_descriptors_are_reported_with_the_limit(tmp_path: Path) -> None:
    trip = tried(tmp_path / "trip", save=raising(refused(errno.EMFILE, "/there")))
    assert trip.verdict is Verdict.SYSTEM_ERROR
    assert re.fullmatch(r"this process may have \d+ files open", trip.problems[1])
    assert "ulimit -n" in trip.hint


def test_a_copy_that_fails_is_reported_with_what_failed(tmp_path: Path) -> None:
    full = str(refused(errno.ENOSPC, "/there/x"))
    stop = system_error(shutil.Error([("/here/x", "/there/x", full)]), tmp_path)
    assert stop.problems[0] == f"Error: [('/here/x', '/there/x', {full!r})]"
    assert "free on this machine" in stop.problems[1] and "Free space" in stop.hint


def test_other_errors_of_a_save_are_the_formats(tmp_path: Path) -> None:
    """One that names a folder that is not there, too: a model may look for a file of its own."""
    for error in (ValueError("no"), refused(errno.ENOENT, str(tmp_path / "asset"))):
        trip = tried(tmp_path / type(error).__name__, save=raising(error))
        assert trip.verdict is Verdict.SAVE_ERROR


def test_a_temporary_folder_that_is_gone_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr(tempfile, "tempdir", str(gone))
    trip = tried(tmp_path / "trip", save=tempfile.mkdtemp)
    assert trip.verdict is Verdict.SYSTEM_ERROR
    assert str(gone) in trip.problems[1] and "TMPDIR" in trip.hint


def test_a_folder_that_cannot_be_made_or_disappears_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "trip"
    gone = tmp_path / "trip"
    for folder, save in ((below, nothing), (gone, lambda: shutil.rmtree(gone))):
        trip = tried(folder, save=save)
        assert trip.verdict is Verdict.SYSTEM_ERROR
        assert str(folder) in trip.problems[0] and "can be written to" in trip.hint


@pytest.mark.parametrize(
    ("answered", "verdict"),
    [
        (raising(refused(errno.EMFILE)), Verdict.SYSTEM_ERROR),
        (raising(BrokenEnvironmentError("gone: [Errno 28] No space left on device")), None),
        (raising(BrokenEnvironmentError("gone")), Verdict.ENVIRONMENT_BROKEN),
        (lambda: failed(Step.LOAD, "OSError", "[Errno 28] No space left on device: '/x'"), None),
        (lambda: failed(Step.ANSWER, "OSError", "[Errno 28] No space left on device: '/x'"), None),
        (
            lambda: failed(Step.ANSWER, "OSError", "[Errno 27] File too large: '/x'"),
            Verdict.CRASHED,
        ),
        (lambda: failed(Step.LOAD, "ValueError", "no such layer"), Verdict.LOAD_ERROR),
        (lambda: Reloaded({}, {}, ended=DIED), Verdict.CRASHED),
    ],
)
def test_the_same_on_the_other_side(tmp_path: Path, answered: Act, verdict: Verdict | None) -> None:
    trip = tried(tmp_path / "trip", reload=answered)
    assert trip.verdict is (verdict or Verdict.SYSTEM_ERROR)


@pytest.mark.parametrize(
    ("printed", "hint"),
    [("F0000 x.cc:234] Unknown flag in XLA_FLAGS: --xla_a=1\nmore", "know: --xla_a=1. "), ("", "")],
)
def test_a_crash_at_a_flag_that_xla_does_not_know(tmp_path: Path, printed: str, hint: str) -> None:
    crashed = Reloaded({}, {}, output=printed, ended=DIED)
    trip = tried(tmp_path / "trip", reload=lambda: crashed)
    assert trip.verdict is Verdict.CRASHED
    assert hint in trip.hint if hint else not trip.hint


def failed(step: Step, kind: str, message: str) -> Reloaded:
    return Reloaded({}, {}, failure=LoadFailure(step, kind, message, "", []))


def test_a_full_disk_on_a_host_is_not_one_here(tmp_path: Path) -> None:
    full = raising(BrokenEnvironmentError("host: python: No space left on device: /tmp/x"))
    trip = tried(tmp_path / "trip", reload=full, is_local=False)
    assert trip.verdict is Verdict.SYSTEM_ERROR
    assert trip.hint == "The error is on the other machine, not on this one: host: python."
    assert "free on this machine" not in " ".join(trip.problems)


def test_values_that_speak_of_a_full_disk_are_values() -> None:
    plan: Any = None
    found = recognized(Stop(Verdict.DIFFERS, "'ok', expected 'No space left on device'"), plan)
    assert found.verdict is Verdict.DIFFERS


def test_what_stopped_is_not_changed_where_the_machine_is_to_blame(tmp_path: Path) -> None:
    plan: Any = SimpleNamespace(folder=tmp_path, environment=SimpleNamespace(is_local=True))
    outcomes = {"outputs": CheckOutcome.DIFFERS}
    full = "No space left on device"
    stop = Stop(Verdict.LOAD_ERROR, full, detail="where", model_changed=True, checks=outcomes)
    found = recognized(stop, plan)
    assert (stop.verdict, stop.problems, stop.hint) == (Verdict.LOAD_ERROR, (full,), "")
    assert found.verdict is Verdict.SYSTEM_ERROR and found.problems[-1] == full
    assert (found.detail, found.model_changed, found.checks) == ("where", True, outcomes)


def test_what_was_written_to_is_found_where_it_is_gone(tmp_path: Path) -> None:
    (line,) = system_errors.facts(errno.ENOSPC, [tmp_path / "no" / "such"])
    assert f" in {tmp_path}" in line


def test_what_a_model_says_is_printable_and_bounded(tmp_path: Path) -> None:
    error = ValueError("\x1b[31mred \ud800\n" + "line\n" * 100_000)
    for save, reload in (
        (raising(error), nothing),
        (nothing, lambda: failed(Step.LOAD, "\x1bError", str(error))),
        (nothing, lambda: failed(Step.OBSERVE, "\x1bError", str(error))),
        (nothing, lambda: Reloaded({"\ud800": "\x1b" * 10**6}, {"\x1b": 1.0}, str(error))),
    ):
        trip = tried(tmp_path / "trip", save, reload)
        shutil.rmtree(tmp_path / "trip")
        told = repr([trip.problems, trip.detail, trip.hint, trip.versions, trip.seconds])
        assert len(told) < 10 * 20_000
        text = failure.failure_text(trip, False, "")
        assert len(text.splitlines()) < 120
        assert not re.search("[\x1b\ud800]", "".join([*trip.problems, trip.detail, text]))
