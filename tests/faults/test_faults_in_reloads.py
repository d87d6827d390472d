"""Each fault is one verdict that names its cause, nothing is left, and what follows is good.

The quick half is tried here; `tox -e faults` tries all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from faults.rig import FaultyRun, Record, linux, what_is_wrong
from faults.rows import ROWS, Row, add_row
from faults.table import FAULTS, INTERPRETERS

pytestmark = [pytest.mark.slow, linux]

START_SECONDS = 10.0  # for an interpreter, instead of minutes
BEYOND_SECONDS = 5.0  # a limit may be exceeded by that
LIBRARIES = ["stand-in", "tensorflow"] if ROWS else ["stand-in"]


def beyond_its_limit(name: str, record: Record) -> float | None:
    """The seconds by which it exceeded its limit; None where it did not reach it."""
    limit = FAULTS[name].options.get("timeout") if name in FAULTS else START_SECONDS
    spent = max(record.reload, record.start if name in INTERPRETERS else 0)
    return spent - limit if limit is not None and spent > limit else None


def add_rows(names: list[str], records: Mapping[str, Record]) -> None:
    """Add the rows of these faults."""
    for name in names:
        found, after = records[name], records[f"after_{name}"]
        injected = (FAULTS[name] if name in FAULTS else INTERPRETERS[name]).injected
        beyond, left = beyond_its_limit(name, found), len(found.left) + len(after.left)
        add_row(Row(injected, found.verdict, beyond, left, after.verdict))


def assert_all_are_handled(run: FaultyRun, names: list[str], *args: str) -> None:
    """Try these faults; assert of each what the table has, and that nothing is left."""
    records = run.try_each(names, *args)
    assert "first" in records and records["first"].verdict == "exact", run.printed[-3000:]
    wrong = [line for name in names for line in what_is_wrong(name, records)]
    assert not wrong, "\n".join(wrong)
    assert not run.left()
    assert "in supervise" not in run.printed, run.printed  # no traceback of ours in a terminal
    if ROWS:
        excess = {name: beyond_its_limit(name, records[name]) or 0 for name in names}
        assert not {name for name, beyond in excess.items() if beyond > BEYOND_SECONDS}, excess
        add_rows(names, records)


@pytest.mark.parametrize("library", LIBRARIES)
def test_faults_of_a_model(tmp_path: Path, library: str) -> None:
    names = [name for name, fault in FAULTS.items() if ROWS or fault.is_quick]
    assert_all_are_handled(FaultyRun(tmp_path, library), names)


def test_faults_of_a_model_in_an_interpreter_of_its_own(tmp_path: Path) -> None:
    names = ["exits", "aborts_with_a_trace", "leaves_a_daemon", "sleeps", "prints_much"]
    assert_all_are_handled(FaultyRun(tmp_path), names, "--roundtrip-isolation=spawn")


def test_faults_of_an_interpreter(tmp_path: Path) -> None:
    names = [name for name, fault in INTERPRETERS.items() if ROWS or fault.is_quick]
    assert_all_are_handled(FaultyRun(tmp_path, seconds=START_SECONDS if ROWS else 120), names)
