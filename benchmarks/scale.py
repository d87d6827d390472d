"""A thousand round trips in one run: whether time and memory are linear, and what is left.

What `-n 2` brings is in `suite`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import processes, pytest_runs
from benchmarks.measuring import Row, Scope, in_turn, rows_of

USED = {"memory": "MB", "descriptors": "", "processes": ""}  # by the names of `inner.watching`


class Seen(NamedTuple):
    """What was seen of a run."""

    seconds: list[float]  # of each round trip; the first one's begin with the run
    used: list[dict[str, float]]  # by the number of the look


def rows(scope: Scope) -> Iterator[Row]:
    """One run, seen from inside; then one environment against three."""
    count = 100 if scope.quick else 1000
    looks = [count // 100, count // 10, count]
    processes.adopt_orphans()  # what the run leaves is then found below this process
    with pytest_runs.command("tiny.py", "-p", "benchmarks.inner.watching") as (words, folder):
        seen = _one_run(words, folder, looks)
        files = sum(len(names) for _, _, names in os.walk(folder))
    case = f"{count} round trips in one run"
    yield from _times(case, seen.seconds[1:], count // 10)
    for name, unit in USED.items():
        measured = {f"after {look}": [seen.used[n][name]] for n, look in enumerate(looks)}
        yield from rows_of(f"{case}: {name}", measured, f"after {looks[1]}", unit)
    yield Row(f"{case}: left", "files", "", [files])
    yield Row(f"{case}: left", "processes", "", [len(processes.tree(os.getpid())) - 1])
    yield from _environments(scope.long_rounds)


def _one_run(words: Sequence[str], folder: Path, looks: Sequence[int]) -> Seen:
    with tempfile.NamedTemporaryFile("r") as written:
        more = {
            "BENCHMARK_COUNT": str(looks[-1]),
            "BENCHMARK_LOOKS": ",".join(map(str, looks)),
            "BENCHMARK_LINES": written.name,
        }
        variables = pytest_runs.variables(folder, more)
        subprocess.run(words, env=variables, cwd=pytest_runs.ROOT, check=True, capture_output=True)
        lines = [json.loads(line) for line in written]
    return Seen([line["seconds"] for line in lines], [line for line in lines if "memory" in line])


def _times(case: str, seconds: Sequence[float], part: int) -> Iterator[Row]:
    measured = {f"the first {part}": seconds[:part], f"the last {part}": seconds[-part:]}
    yield from rows_of(f"{case}: seconds of each", measured, f"the first {part}")


def _environments(rounds: int) -> Iterator[Row]:
    """The same interpreter under three names."""
    names = ("a", "b", "c")
    options = [f"--roundtrip-define-environment={name}={sys.executable}" for name in names]

    def measure(count: int) -> float:
        chosen = f"--roundtrip-environments={','.join(names[:count])}"
        more = {"BENCHMARK_COUNT": "10"}
        return pytest_runs.run("tiny.py", *options, chosen, more=more).seconds

    subjects = {"one": partial(measure, 1), "three": partial(measure, 3)}
    measured = in_turn(subjects, rounds, warm_up=False)
    yield from rows_of("environments, 10 round trips in each", measured, "one")
