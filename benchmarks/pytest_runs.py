"""Whole runs of pytest on the suites in `inner`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import processes

ROOT = Path(__file__).parents[1]
INNER = Path(__file__).parent / "inner"
WITHOUT = ("-p", "no:modelroundtrip")


class Run(NamedTuple):
    """What came of a run."""

    seconds: float  # from the start of its process to its end
    output: str
    peak: int  # bytes of memory of all its processes, if they were watched
    left: int  # bytes that it left on the disk

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return int(self.output.partition(" passed")[0].split()[-1])


@contextlib.contextmanager
def command(suite: str, *options: str) -> Iterator[tuple[list[str], Path]]:
    """The command of a run, and the folder for all that it writes, which is removed."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        words = [sys.executable, "-u", "-m", "pytest", str(INNER / suite)]
        words += ["-c", os.devnull, "--rootdir", str(INNER), "--basetemp", f"{folder}/base"]
        words += ["-p", "no:cacheprovider", "-q", "--tb=short", "-W", "ignore", *options]
        yield words, Path(folder)


def variables(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment variables of a run."""
    (folder / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT), **(more or {})}


def run(
    suite: str, *options: str, more: Mapping[str, str] | None = None, watched: bool = False
) -> Run:
    """Run a suite, in which no test may fail.

    Args:
        suite: a file in `inner`.
        *options: of pytest.
        more: environment variables.
        watched: whether the memory is looked at, which takes a little time.

    Raises:
        RuntimeError: where a test fails.
    """
    with command(suite, *options) as (words, folder):
        began = time.perf_counter()
        process = subprocess.Popen(
            words,
            env=variables(folder, more),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with processes.sampled(process.pid) if watched else contextlib.nullcontext() as peak:
            output, _ = process.communicate()
        spent = time.perf_counter() - began
        left = processes.bytes_below(str(folder))
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}\n{output[-3000:]}")
    return Run(spent, output, peak.bytes if peak else 0, left)
