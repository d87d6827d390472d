"""A process for one reload, as its parent sees it: its limits, and its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_modelroundtrip.portable.processes import process_tree
from pytest_modelroundtrip.portable.protocol import HowEnded
from pytest_modelroundtrip.portable.reload_processes import watching
from pytest_modelroundtrip.portable.reload_processes.child import STEP

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def waits(_folder: str, _link: int) -> int:
    """Start a process that does nothing until it is ended."""
    pid = os.fork()
    if not pid:
        try:
            signal.pause()
        finally:
            process_tree.exit_now(1)
    return pid


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_child_is_ended_and_collected_without_proc(
    is_stopped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "descendants", lambda *_: [])
    child = watching.begun(waits, str(tmp_path))
    if is_stopped:
        os.kill(child.pid, signal.SIGSTOP)
    watching.end(child)
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("start_seconds", "step_at", "ends_at"), [(0, 1.5, 2), (10, 1.5, 3.5), (10, 11.5, 12)]
)
def test_a_late_first_step_gives_no_more_time(
    start_seconds: float,
    step_at: float,
    ends_at: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: now))
    child = watching.Child(0, str(tmp_path), 0, frozenset())
    watch = watching._Watch(child, watching.Limits(start_seconds, 2, None, lambda: False))
    now = step_at
    assert watch._reason_to_end() is None
    (tmp_path / STEP).touch()
    for seconds, reason in ((step_at, None), (ends_at, None), (ends_at + 0.1, HowEnded.TIMED_OUT)):
        now = seconds
        found = watch._reason_to_end()
        assert (found and found.how) is reason
