"""Gathers the records of a run, writes the JSON report and the summary in the terminal.

It is imported in every run of pytest, so it must be light: the rest is imported when there are
records.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..bundles import bundle_settings

if TYPE_CHECKING:
    from .record import Record

PROPERTY = "roundtrip"  # the name of a record among the `user_properties` of a test's report


class RoundTripReporter:
    """A plugin of pytest that reads records from test reports: those of xdist's workers, too."""

    def __init__(self, path: Path | None) -> None:
        # by worker and id: with `--dist each` all of xdist's workers run each test
        self._by_item: dict[tuple[str, str], list[Record]] = {}
        self._path = path  # of the JSON report
        self._write_error = ""

    @property
    def records(self) -> list[Record]:
        """In the order in which tests ended; of a test that ran again, those of its last run."""
        return [record for records in self._by_item.values() for record in records]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the records of a test, or of a fixture that failed after a round trip."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            item = (getattr(report, "worker_id", ""), report.nodeid)
            self._by_item.pop(item, None)  # a test that ran again moves to the end
            records = _records_of(report)
            if report.when == "call" or records:  # else it was not run: a mark skips it
                self._by_item[item] = records

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the JSON report; where no test ran, that of an earlier run stays."""
        if not self._path or not self._by_item:
            return
        from . import json_report

        try:
            json_report.write(self._path, self.records)
        except OSError as error:
            hint = "--roundtrip-report=PATH can name another file"
            self._write_error = f"{self._path} cannot be written: {error.strerror}; {hint}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Write the summary."""
        records = self.records
        if records:
            from .terminal import write_summary

            verbosity, width = config.get_verbosity(), shutil.get_terminal_size().columns
            write_summary(terminalreporter, records, width, verbosity > 0, verbosity < 0)
            for line in _bundle_lines(bundle_settings.recording_folder(config)):
                terminalreporter.write_line(line)
        if self._write_error:
            terminalreporter.write_line(f"ERROR: {self._write_error}", red=True)


def _bundle_lines(folder: Path | None) -> Iterator[str]:
    """How large each bundle is that this run recorded."""
    if folder is None or not folder.is_dir():
        return
    from ..bundles import bundle_reader

    for path in sorted(folder.iterdir()):
        with contextlib.suppress(bundle_reader.BundleError, OSError):
            yield f"recorded {bundle_reader.size_line(path)}"


def _records_of(report: pytest.TestReport) -> list[Record]:
    """The records in a test's report, with pytest's outcome."""
    texts = [str(text) for name, text in report.user_properties if name == PROPERTY]
    if not texts:
        return []
    from .record import Record

    reason = getattr(report, "wasxfail", None) if report.skipped else None
    found = []
    for text in texts:
        with contextlib.suppress(ValueError):  # a property of that name may be another's
            found.append(Record.from_json(text))
    return [
        dataclasses.replace(record, outcome=report.outcome, expected_failure=reason)
        for record in found
    ]
