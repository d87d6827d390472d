"""A suite of thirty small models in every format, against the same by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from benchmarks import by_hand, models, pytest_runs
from benchmarks.measuring import Row, Scope, in_turn, rows_of, seconds

FLOOR = "by hand in one process"


def rows(scope: Scope) -> Iterator[Row]:
    """Whole runs of pytest.

    By hand with a fresh interpreter for each reload a run takes many minutes. Each round measures
    one of its round trips, another one each time, and multiplies by their number; what pytest, its
    imports and building the models take comes on top.
    """
    pairs = models.pairs()
    sample = cycle(pairs[:: max(1, len(pairs) // scope.long_rounds)])
    subjects = {
        "ours, one process": lambda: _seconds(len(pairs), "suite_ours.py"),
        "ours, -n 2": lambda: _seconds(len(pairs), "suite_ours.py", "-n", "2"),
        FLOOR: lambda: _seconds(len(pairs), "suite_by_hand.py", *pytest_runs.WITHOUT),
        "by hand in fresh interpreters (scaled up)": lambda: len(pairs) * _fresh(*next(sample)),
    }
    measured = in_turn(subjects, scope.long_rounds, warm_up=False)
    case = f"suite of {len(models.SMALL)} models, {len(pairs)} round trips"
    yield from rows_of(case, measured, FLOOR)


def _seconds(count: int, suite: str, *options: str) -> float:
    done = pytest_runs.run(suite, *options)
    assert done.passed == count, done.output
    return done.seconds


def _fresh(name: str, format_name: str) -> float:
    """A round trip with a fresh interpreter, of a model that is built already."""
    model, arguments = models.build(name)

    def round_trip() -> None:
        with tempfile.TemporaryDirectory() as folder:
            by_hand.save(model, format_name, Path(folder))
            actual = by_hand.load_freshly(name, format_name, Path(folder), arguments)
            by_hand.assert_equal(by_hand.call_of(model)(*arguments), actual)

    return seconds(round_trip)
