"""What the plugin costs before its first round trip, and where there is none."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks import pytest_runs
from benchmarks.measuring import Row, Scope, in_turn, rows_of, seconds


def rows(scope: Scope) -> Iterator[Row]:
    """Merely installed; a large collection; the first verdict."""
    installed = {
        "with the plugin": lambda: pytest_runs.run("unmarked.py").seconds,
        "without": lambda: pytest_runs.run("unmarked.py", *pytest_runs.WITHOUT).seconds,
    }
    measured = in_turn(installed, 3 * scope.rounds)  # a run is short, and they hardly differ
    yield from rows_of("a suite of 100 tests, none of them marked", measured, "without")
    collected = {
        "marked": lambda: _collection("marked.py"),
        "parametrized by hand": lambda: _collection("parametrized.py", *pytest_runs.WITHOUT),
    }
    measured = in_turn(collected, scope.rounds)
    yield from rows_of("collection of 1,000 tests in 9 formats", measured, "parametrized by hand")
    first = {
        "first verdict of a run": _first_verdict,
        "import tensorflow": lambda: _python("import tensorflow"),
        "import keras": lambda: _python("import keras"),
    }
    measured = in_turn(first, scope.rounds)
    yield from rows_of("from the start to the first verdict", measured, "import tensorflow")


def _collection(suite: str, *options: str) -> float:
    done = pytest_runs.run(suite, "--collect-only", "-q", *options)
    assert f"{suite}: 9000" in done.output, done.output
    return done.seconds


def _python(code: str) -> float:
    command = [sys.executable, "-c", code]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def _first_verdict() -> float:
    """From the start of the process to the line that says that the round trip passed."""
    with pytest_runs.command("tiny.py", "-vv") as (words, folder):
        variables = pytest_runs.variables(folder, {"BENCHMARK_COUNT": "1"})
        began = time.perf_counter()
        with subprocess.Popen(
            words, env=variables, cwd=pytest_runs.ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for line in process.stdout:
                if "PASSED" in line:
                    spent = time.perf_counter() - began
                    process.communicate()
                    return spent
    raise RuntimeError("there was no verdict")
