"""Which results of a run come into its report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_modelroundtrip.reporting import json_report, terminal
from pytest_modelroundtrip.reporting.record import Record
from pytest_modelroundtrip.reporting.reporter import PROPERTY, RoundTripReporter
from pytest_modelroundtrip.result import RoundTrip, Verdict

NAME = "test_a.py::test_it[keras]"
DIFFERS, EXACT = Verdict.DIFFERS, Verdict.EXACT


def report(*verdicts: Verdict, when: Any = "call", worker: str = "gw0") -> pytest.TestReport:
    """That of a test with such round trips; it was skipped where that was before the call."""
    trips = [RoundTrip("keras", "here", Path(), verdict, problems=["why"]) for verdict in verdicts]
    properties = [(PROPERTY, Record.of(NAME, "keras", trip, "").to_json()) for trip in trips]
    outcome: Any = "passed" if when == "call" else "skipped"
    return pytest.TestReport(
        NAME, ("", 0, ""), {}, outcome, None, when, user_properties=properties, worker_id=worker
    )


def written(path: Path, *reports: pytest.TestReport) -> list[str]:
    """The verdicts in the file after a run with these reports."""
    reporter, run = RoundTripReporter(path), SimpleNamespace(exitstatus=0)
    for each in reports:
        reporter.pytest_runtest_logreport(each)
    reporter.pytest_sessionfinish(run)  # type: ignore[arg-type]
    return [record.verdict for record in json_report.read(path).records]


def test_each_worker_of_xdist_has_its_results(tmp_path: Path) -> None:
    """With `--dist each` all of them run each test."""
    found = written(tmp_path / "x.json", report(EXACT), report(DIFFERS, worker="gw1"))
    assert found == ["exact", "differs"]


def test_of_a_test_that_ran_again_the_last_run_counts(tmp_path: Path) -> None:
    assert written(tmp_path / "x.json", report(DIFFERS), report(EXACT)) == ["exact"]


def test_an_earlier_report_stays_where_no_test_ran(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for verdicts, when, found in (
        ([EXACT], "call", ["exact"]),
        ([], "setup", ["exact"]),  # all are skipped by a mark
        ([DIFFERS], "setup", ["differs"]),  # a fixture did it
        ([], "call", []),
    ):
        assert written(path, report(*verdicts, when=when)) == found


def test_seconds_are_reported_with_the_environment() -> None:
    trip = RoundTrip("keras", "tf215", Path(), EXACT, seconds={"save": 1.0})
    record = Record.of("test_a.py::test_it[keras-tf215]", "keras-tf215", trip, "")
    assert terminal._seconds_lines([record])[1:] == ["  test_it[keras-tf215]: save 1.00"]
