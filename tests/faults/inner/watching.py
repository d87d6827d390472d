"""A plugin of the runs with faults: writes down what each round trip came to and what it left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from faults.inner.faulty import FaultyFormat

from pytest_modelroundtrip import RoundTrip, current_session
from pytest_modelroundtrip.environments import environment, launch
from pytest_modelroundtrip.environments.kinds import Kind
from pytest_modelroundtrip.portable.formats import Format
from pytest_modelroundtrip.portable.reload_processes import child
from pytest_modelroundtrip.session import Session

TOKEN = "ROUNDTRIP_FAULTS"  # the variable that marks all processes of a run
RANDOM = re.compile(r"\b(roundtrip-|tmp)[a-z0-9_]{8}\b")  # what tempfile makes of a name
LEFT_SECONDS = 15.0  # in which everything has to be gone, on a busy machine


def marked_processes(token: str) -> dict[int, str]:
    """The processes that have the variable with that value, except this one: number, command."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            if f"{TOKEN}={token}".encode() in variables:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command[-60:].decode(errors="replace")
        except OSError:  # it has ended
            continue
    return found


def waiting_processes(token: str) -> dict[int, str]:
    """The marked processes that stand by for the next reload, with their folders."""
    found = {}
    for pid in marked_processes(token):
        with contextlib.suppress(OSError):  # it has ended
            if Path(f"/proc/{pid}/comm").read_text().strip() == child.WAITING:
                found[pid] = os.path.dirname(os.readlink(f"/proc/{pid}/cwd"))
    return found


def cpu_seconds(token: str) -> float:
    """What this process and the marked ones have used of CPUs, with the children that ended."""
    ticks = 0
    for pid in (os.getpid(), *marked_processes(token)):
        with contextlib.suppress(OSError):  # it has ended
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def scratch_files(folder: Path, but: Iterable[str]) -> Counter[str]:
    """The files in the scratch folders below a folder, without their random names.

    Not those in the folders `but`.
    """
    left_out = (*(f"{path}/" for path in but),)
    walked = os.walk(folder)  # which passes over what is removed meanwhile
    files = [os.path.join(where, name) for where, _, names in walked for name in names]
    return Counter(
        RANDOM.sub("*", os.path.relpath(file, folder))
        for file in files
        if not file.startswith(left_out)
    )


class Timed(environment.Environment):
    """Knows how long its start took."""

    spent = 0.0

    def begin(self) -> None:
        """Start it, and add the seconds."""
        began = time.monotonic()
        super().begin()
        self.spent += time.monotonic() - began


class Watcher:
    """Writes a line of JSON for each test."""

    def __init__(self, config: pytest.Config) -> None:
        self._out = Path(os.environ["ROUNDTRIP_FAULTS_RECORDS"])
        self._seconds = float(os.environ.get("ROUNDTRIP_FAULTS_SECONDS", "120"))
        self._session = Session(config, self._environment)
        self._usual: tuple[int, Counter[str]] | None = None  # between two good round trips
        self._record: dict[str, Any] = {}
        self._cpu = 0.0  # at the end of the test before
        config.stash[current_session.SESSION] = self._session

    def _environment(self, name: str, kind: Kind, archive: bytes, isolation: str) -> Timed:
        seconds = self._seconds if name != "main" else launch.CONNECT_SECONDS
        return Timed(name, kind, archive, isolation, seconds)

    @pytest.hookimpl
    def pytest_modelroundtrip_finished(self, trip: RoundTrip) -> None:
        """Remember the result."""
        environments: dict[str, Any] = self._session.environments
        start = trip.seconds.get("reload: start", 0.0)
        self._record.update(
            verdict=str(trip.verdict.value),
            text=" ".join("\n".join([*trip.problems, trip.hint, trip.detail]).split()),
            reload=trip.seconds.get("reload", 0.0) - start,
            start=environments[trip.environment].spent,
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the record at the end of the test."""
        if report.when == "setup":
            self._record = {"verdict": "none", "text": "", "reload": 0.0, "start": 0.0}
        if report.failed and self._record["verdict"] == "none":
            self._record["text"] = str(report.longrepr)
        if report.when == "teardown":
            name = report.nodeid.partition("::test_")[2].partition("[")[0]
            cpu = cpu_seconds(os.environ[TOKEN]) - self._cpu
            line = {"name": name, **self._record, "cpu": cpu, **self._left()}
            with self._out.open("a") as out:
                out.write(json.dumps(line) + "\n")
            self._cpu = cpu_seconds(os.environ[TOKEN])

    def _left(self) -> dict[str, Any]:
        """What is there besides what is there after the first round trip."""
        limit = time.monotonic() + LEFT_SECONDS
        folder = Path(os.environ["TMPDIR"])
        while True:
            waiting = waiting_processes(os.environ[TOKEN])
            marked = marked_processes(os.environ[TOKEN])
            processes = [f"{pid} {marked[pid]}" for pid in marked.keys() - waiting.keys()]
            files = scratch_files(folder, but=waiting.values())
            if self._usual is None:
                self._usual = (len(processes), files)
            count, usual = self._usual
            extra = files - usual
            more = processes if len(processes) > count else []
            if (not more and not extra) or time.monotonic() > limit:
                return {"processes": more, "files": sorted(extra)}
            time.sleep(0.05)


def pytest_configure(config: pytest.Config) -> None:
    """Watch each process that runs tests."""
    seconds = os.environ.get("ROUNDTRIP_FAULTS_SECONDS")
    if seconds:  # instead of the minutes that the imports of TensorFlow may take
        environment.START_SECONDS = float(seconds)  # type: ignore[attr-defined, assignment]
    config.pluginmanager.register(Watcher(config))


def pytest_modelroundtrip_formats() -> list[type[Format]]:
    """The format of models with faults."""
    return [FaultyFormat]
