"""Runs of pytest with faults: all of their processes can be found by a variable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from faults.inner.watching import LEFT_SECONDS, TOKEN, marked_processes
from faults.table import FAULTS, INTERPRETERS, Fault, Interpreter

# they are found in /proc
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are watched on Linux only")
TESTS = Path(__file__).parents[1]
INNER = Path(__file__).parent / "inner"
STANDIN = Path(__file__).parent / "standin"
EXECS = "os.execvp(sys.argv[1], sys.argv[1:])\n"
# what starts an interpreter, or is in its way
WRAPPERS = {
    "ignoring.py": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + EXECS,
    "printing.py": "print('welcome', flush=True)\n" + EXECS,
    "sleeping.py": "time.sleep(1000)\n",
    "deaf.py": "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsubprocess.call(sys.argv[1:])\n",
    "hanging/sitecustomize.py": "time.sleep(1000)\n",
}
HEADER = """
import os, time
import numpy as np
import pytest
from faults.inner.faulty import Faulty
from faults.inner.roundtrips import round_trip_of

"""
# limits of processes do not hold for root; the files of this one are read all the same
ANOTHER_USER = "setpriv --reuid 54321 --inh-caps +dac_override --ambient-caps +dac_override"
IMPORTS = "import ctypes, os, resource, signal, subprocess, sys, threading, time\n"


class Record(NamedTuple):
    """What one round trip of a run came to; see `inner/watching.py`."""

    name: str
    verdict: str
    text: str
    reload: float  # seconds
    start: float
    cpu: float  # seconds of all processes
    processes: list[str]  # that were left
    files: list[str]

    @property
    def left(self) -> list[str]:
        """All that was left."""
        return [*self.processes, *self.files]


class FaultyRun:
    """Runs of pytest in a folder of their own, where a stand-in for TensorFlow is found.

    Args:
        folder: is filled with what the run needs.
        library: "stand-in", or "tensorflow" for the real one.
        seconds: for the start and the imports of an interpreter, except the main one.
    """

    def __init__(self, folder: Path, library: str = "stand-in", seconds: float = 120) -> None:
        self.folder, self.token = folder, uuid.uuid4().hex
        self.scratch, self._records = folder / "scratch", folder / "records"
        for made in ("scratch", "lib", "hanging", "run"):
            (folder / made).mkdir()
        for name, source in WRAPPERS.items():
            (folder / name).write_text(IMPORTS + source)
        self._paths = [] if library == "tensorflow" else [STANDIN]
        self.chosen: list[str] = []
        self.variables = {
            **{name: held for name, held in os.environ.items() if not name.startswith("KERAS")},
            TOKEN: self.token,
            "TMPDIR": str(self.scratch),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ROUNDTRIP_FAULTS_RECORDS": str(self._records),
            "ROUNDTRIP_FAULTS_SECONDS": str(seconds),
            "PYTHONPATH": os.pathsep.join(
                map(str, [*self._paths, TESTS, *filter(None, [os.environ.get("PYTHONPATH")])])
            ),
        }

    def choose(self, names: Iterable[str]) -> None:
        """Define what these faults need; the run tries them in that order."""
        self.chosen = [*names]
        self.variables["ROUNDTRIP_FAULTS_CHOSEN"] = ",".join(self.chosen)
        for name in self.chosen:
            if name in FAULTS and FAULTS[name].step == "import":
                (self.folder / "lib" / f"{name}.py").write_text(FAULTS[name].body)

    def command(self, *args: str) -> list[str]:
        """The command of the run; `args` are pytest's, with the file."""
        (self.folder / "pytest.ini").write_text(self._settings())
        options = ["-q", "-p", "no:cacheprovider", "-p", "faults.inner.watching"]
        options += ["-c", str(self.folder / "pytest.ini"), "--rootdir", str(self.folder)]
        options += [
            "--basetemp",
            str(self.folder / "run" / "base"),
            "--import-mode=importlib",
            "--noconftest",
        ]
        return [sys.executable, "-m", "pytest", *options, *args]

    def _settings(self) -> str:
        named = [name for name in self.chosen if name in INTERPRETERS]
        interpreters = {"main": self.interpreter(sys.executable)}
        interpreters.update({name: self._faulty_interpreter(name) for name in named})
        defined = [f"    {name}={text}" for name, text in interpreters.items()]
        return "\n".join(
            [
                "[pytest]",
                f"roundtrip_pythonpath = {self.folder / 'lib'}",
                "roundtrip_keep = none",
                "roundtrip_environments = main",
                "roundtrip_define_environment =",
                *defined,
            ]
        )

    def _faulty_interpreter(self, name: str) -> str:
        fault, lib = INTERPRETERS[name], self.folder / f"tensorflow_{name}"
        lib.mkdir(exist_ok=True)
        source = (STANDIN / "tensorflow.py").read_text()
        future = "from __future__ import annotations\n"
        (lib / "tensorflow.py").write_text(source.replace(future, future + IMPORTS) + fault.body)
        if not fault.command:
            return self.interpreter(sys.executable, lib)
        user = ANOTHER_USER if os.geteuid() == 0 else ""
        command = fault.command.format(python=sys.executable, folder=self.folder, another_user=user)
        return f"popen//python=env {TOKEN}={self.token} PYTHONPATH={lib} {command}"

    def interpreter(self, python: str, *paths: Path) -> str:
        """The specification of a marked interpreter, by default with the library of the run."""
        folders = [f"//env:PYTHONPATH={path}" for path in paths or self._paths]
        return "".join([python, f"//env:{TOKEN}={self.token}", *folders])

    def start(self, *args: str, before: Iterable[str] = ()) -> subprocess.Popen[str]:
        """Start the run; `before` are the words in front of its command."""
        with (self.folder / "printed").open("a") as printed:
            return subprocess.Popen(
                [*before, *self.command(*args)],
                env=self.variables,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=_take_signals,
            )

    def try_each(self, names: Iterable[str], *args: str) -> Mapping[str, Record]:
        """Try these faults, each followed by a good round trip; the records by name of the test."""
        self.choose(names)
        self.start(str(INNER / "each_and_a_good_one.py"), *args).wait()
        return self.records()

    def write(self, source: str) -> str:
        """Write a test file; its path."""
        path = self.folder / "test_it.py"
        path.write_text(HEADER + source)
        return str(path)

    def records(self) -> Mapping[str, Record]:
        """What was written down so far, by name of the test."""
        lines = self._records.read_text().splitlines() if self._records.exists() else []
        return {held.name: held for held in (Record(**json.loads(line)) for line in lines)}

    @property
    def printed(self) -> str:
        """What the runs printed."""
        return (self.folder / "printed").read_text(errors="replace")

    def left(self) -> list[str]:
        """The processes and files that are left some seconds after the run."""
        limit = time.monotonic() + LEFT_SECONDS
        while True:
            marked = marked_processes(self.token)
            processes = [f"{pid} {command}" for pid, command in marked.items()]
            found = [*processes, *map(str, self.scratch.iterdir())]
            if not found or time.monotonic() > limit:
                return found
            time.sleep(0.05)


def _take_signals() -> None:
    """Undo what a shell does to what it runs in the background, and what nohup does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def what_is_wrong(name: str, records: Mapping[str, Record]) -> list[str]:
    """What is not as the table has it: the verdict, its words, what is left, what follows."""
    fault: Fault | Interpreter = FAULTS[name] if name in FAULTS else INTERPRETERS[name]
    found, after = records.get(name), records.get(f"after_{name}")
    if found is None or after is None:
        return [f"{name}: it was not tried"]
    wrong = []
    if found.verdict != fault.verdict or fault.says not in found.text:
        wrong.append(f"{name}: {found.verdict}, not {fault.verdict} {fault.says!r}: {found.text}")
    if found.left or after.left:
        wrong.append(f"{name}: left {found.left}, {after.left}")
    if after.verdict != "exact":
        wrong.append(f"after {name}: {after.verdict}: {after.text}")
    return [line[:2000] for line in wrong]
