"""A plugin of the run of `scale`: writes down what each round trip took, and what the run uses."""

from __future__ import annotations

import json
import os
import time

import pytest

from benchmarks import processes


class Watcher:
    """Writes a line of JSON for each test."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._number = 0
        self._looks = {int(count) for count in os.environ["BENCHMARK_LOOKS"].split(",")}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """At the end of a test; the time for looking does not count."""
        if report.when != "teardown":
            return
        now, pid = time.perf_counter(), os.getpid()
        self._number += 1
        line: dict[str, float] = {"seconds": now - self._since}
        if self._number in self._looks:
            line["memory"] = processes.memory(pid) / 1e6
            line["descriptors"] = processes.descriptors(pid)
            line["processes"] = len(processes.tree(pid))
        with open(os.environ["BENCHMARK_LINES"], "a") as out:
            out.write(json.dumps(line) + "\n")
        self._since = time.perf_counter()


def pytest_configure(config: pytest.Config) -> None:
    """Watch this run."""
    config.pluginmanager.register(Watcher())
