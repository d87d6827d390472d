"""A process for one reload, as its parent sees it: its limits, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_modelroundtrip.portable import processes, watching

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def waits(_folder: str, _link: int) -> int:
    """Start a process that does nothing until it is ended."""
    pid = os.fork()
    if not pid:
        try:
            signal.pause()
        finally:
            processes.exit_now(1)
    return pid


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_child_is_ended_and_collected_where_there_is_no_proc(
    is_stopped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "descendants", lambda *_: [])
    child = watching.begun(waits, str(tmp_path))
    if is_stopped:
        os.kill(child.pid, signal.SIGSTOP)
    watching.end(child)
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)
    assert not [*tmp_path.iterdir()]
