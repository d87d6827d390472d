"""The run itself is killed, cut off, started twice, or loses a worker of pytest-xdist."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.inner.watching import TOKEN
from faults.rig import FaultyRun, linux
from faults.rows import ROWS, Row, add_row

pytestmark = [pytest.mark.slow, linux]

whole = pytest.mark.skipif(not ROWS, reason="tried by `tox -e faults`")
GOOD = "\ntest_after = round_trip_of({})\n"
# in the phase of the variable it says so by a file, and waits
WAITS = """
from pytest_modelroundtrip import deciding
from pytest_modelroundtrip.environments import jobs_there
from pytest_modelroundtrip.environments.connection import Connection
from pytest_modelroundtrip.portable import protocol, transfer

PHASE, HERE = os.environ["PHASE"], os.environ["HERE"]
wait = f"open({HERE!r}, 'w').close(); time.sleep(1000)"
waits = lambda *_: exec(wait)
if PHASE == "collect":
    exec(wait)
if PHASE in ("send", "fetch"):  # as on a host
    jobs_there.CanRead = lambda *_: protocol.CanRead("/nowhere", "")
places = {
    "call": (Faulty, "__call__"),
    "send": (transfer, "send"),
    "fetch": (transfer, "receive"),
    "compare": (deciding, "compare"),
    "close": (Connection, "_end"),
}
if PHASE in places:
    setattr(*places[PHASE], waits)
faults = {"load" if PHASE == "reload" else PHASE: wait}
test_it = round_trip_of(faults, confinement="off", generations=2)
"""
# what an interpreter does as it starts, or as it imports TensorFlow, where Python's lock is held
STARTS = "open({here!r}, 'w').close()\nimport re\nre.match('(a+)+$', 'a' * 64 + 'b')\n"
PHASES = (
    *("collect", "start", "import", "call", "save", "send", "reload", "save again", "fetch"),
    *("compare", "close"),
)
QUICK = [("reload", "SIGKILL"), ("reload", "SIGINT"), ("import", "SIGKILL")]
ALL = [
    *((phase, name) for phase in PHASES for name in ("SIGKILL", "SIGINT")),
    *(("reload", name) for name in ("SIGTERM", "SIGHUP")),
]


def add_row_of(fault: str, verdict: str, left: list[str], following: str) -> None:
    """Add the row of a fault that has no limit."""
    add_row(Row(fault, verdict, None, len(left), following))


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until there is that file, as long as that process runs."""
    limit = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.02)


def options_of(phase: str, run: FaultyRun, here: Path) -> list[str]:
    """Those of a run whose interpreter waits in that phase."""
    (run.folder / "starts").mkdir()
    module = run.folder / "starts" / "tensorflow.py"
    module.write_text(STARTS.format(here=str(here)))
    interpreters = {
        "start": f"popen//python=env {TOKEN}={run.token} {sys.executable} {module}",
        "import": run.interpreter(sys.executable, module.parent),
    }
    if phase not in interpreters:
        return []
    defined = f"--roundtrip-define-environment=there={interpreters[phase]}"
    return [defined, "--roundtrip-environments=there"]


@pytest.mark.parametrize(
    ("phase", "name"),
    [*QUICK, *(pytest.param(*case, marks=whole) for case in ALL if case not in QUICK)],
)
def test_a_run_that_is_ended_leaves_nothing(tmp_path: Path, phase: str, name: str) -> None:
    run, here = FaultyRun(tmp_path), tmp_path / "here"
    run.variables.update(PHASE=phase, HERE=str(here))
    process = run.start(run.write(WAITS), *options_of(phase, run, here))
    try:
        wait_for(here, process)
        process.send_signal(signal.Signals[name])
        process.wait(60)
    finally:
        process.kill()
    left = run.left()
    add_row_of(f"pytest is sent {name} as it does: {phase}", "no verdict", left, "")
    assert not left
    assert "INTERNALERROR" not in run.printed and "in supervise" not in run.printed


def test_two_runs_at_once(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        runs.append(FaultyRun(tmp_path / name))
        runs[-1].variables["TMPDIR"] = str(runs[0].scratch)
    started = [run.start(run.write("test_it = round_trip_of({})\n" + GOOD)) for run in runs]
    assert [process.wait() for process in started] == [0, 0], runs[0].printed + runs[1].printed
    left = [*runs[0].left(), *runs[1].left()]
    add_row_of("two runs at once, in one temporary folder", "exact", left, "exact")
    assert not left


@whole
def test_a_worker_of_xdist_that_crashes(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    run = FaultyRun(tmp_path)
    source = "test_crashing = round_trip_of({'save': 'os._exit(3)'})\n"
    source += "".join(f"test_{number} = round_trip_of({{}})\n" for number in range(5))
    run.start(run.write(source), "-n2").wait()
    assert re.search(r"1 failed, 5 passed", run.printed), run.printed
    assert "crashed while running" in run.printed
    left = run.left()
    add_row_of("a worker of pytest-xdist crashes", "crashed (of pytest-xdist)", left, "exact")
    assert not left


HANGS = """
test_hangs_here = round_trip_of({"save": "time.sleep(1000)"})
test_after_the_first = round_trip_of({})
test_hangs_there = round_trip_of({"load": "time.sleep(1000)"})
"""


@whole
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_pytest_timeout(tmp_path: Path, method: str) -> None:
    pytest.importorskip("pytest_timeout")
    run = FaultyRun(tmp_path)
    run.start(run.write(HANGS + GOOD), "--timeout=5", f"--timeout-method={method}").wait()
    assert "Timeout" in run.printed
    if method == "signal":  # the other ends pytest
        assert "2 failed, 2 passed" in run.printed, run.printed
    left = run.left()
    verdict = "failed" if method == "signal" else "no verdict"
    following = "exact" if method == "signal" else ""
    add_row_of(f"pytest-timeout cuts off a test, by its method {method}", verdict, left, following)
    assert not left


@whole
def test_reruns(tmp_path: Path) -> None:
    pytest.importorskip("pytest_rerunfailures")
    run, seen = FaultyRun(tmp_path), tmp_path / "seen"
    once = f"os.path.exists({str(seen)!r}) or (open({str(seen)!r}, 'w').close(), os._exit(3))"
    source = f"test_once = round_trip_of({{'load': {once!r}}}, confinement='off')\n"
    run.start(run.write(source + GOOD), "--reruns=1").wait()
    assert "2 passed, 1 rerun" in run.printed, run.printed
    left = run.left()
    add_row_of("a reload crashes once, and is rerun (pytest-rerunfailures)", "exact", left, "exact")
    assert not left


SSH = """#!/bin/sh
# the last argument is the command; the connection is this process
echo $$ > "{folder}/connection"
for command; do :; done
sh -c "$command"
"""


@whole
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_connection_that_breaks(tmp_path: Path, name: str) -> None:
    run, here = FaultyRun(tmp_path), tmp_path / "here"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(SSH.format(folder=tmp_path))
    (tmp_path / "bin" / "ssh").chmod(0o755)
    run.variables["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    wait = f"open({str(here)!r}, 'w').close(); time.sleep(1000)"
    source = f"test_it = round_trip_of({{'load': {wait!r}}}, confinement='off')\n"
    host = run.interpreter(f"ssh=host//python={sys.executable}")
    process = run.start(
        run.write(source + GOOD),
        f"--roundtrip-define-environment=host={host}",
        "--roundtrip-environments=host",
    )
    wait_for(here, process)
    os.kill(int((tmp_path / "connection").read_text()), signal.Signals[name])
    process.wait()
    records, left = run.records(), run.left()
    how = f"it ended with signal {signal.Signals[name].value} ({name})"
    assert records["it"].verdict == "environment broken" and how in records["it"].text
    add_row_of(f"ssh is sent {name}", records["it"].verdict, left, records["after"].verdict)
    assert records["after"].verdict == "exact" and not left
