"""What each check costs: whole round trips with it and without it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks import models, ours
from benchmarks.measuring import Measure, Row, Scope, in_turn, rows_of, seconds
from pytest_modelroundtrip.environments import Environment
from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.reference.model import ModelGroup

MODEL = "convolution_trained"
FORMAT = "keras"  # which keeps everything
IN_A_ROW = 3
FLOOR = "the default checks"


def rows(scope: Scope) -> Iterator[Row]:
    """All default checks, all but one of them, and the slow ones besides."""
    table = checks.table()
    default = [name for name in checks.NAMES if not table[name].slow]
    selections = {FLOOR: default}
    for name in checks.NAMES:
        if name in default:
            selections[f"without {name}"] = [other for other in default if other != name]
        else:
            selections[f"with {name}"] = [*default, name]
    with ours.environment("standby") as place:
        measure = _measuring(ours.reference(*models.build(MODEL)), place)
        subjects: dict[str, Measure] = {
            which: partial(measure, selected) for which, selected in selections.items()
        }
        measured = in_turn(subjects, scope.rounds)
    yield from rows_of(f"round trip of {MODEL}, {FORMAT}", measured, FLOOR)


def _measuring(group: ModelGroup, place: Environment) -> Callable[[Sequence[str]], float]:
    """What measures round trips with some checks."""

    def measure(selected: Sequence[str]) -> float:
        trip = partial(ours.round_trip, group, FORMAT, place, selected)
        return statistics.median(seconds(trip) for _ in range(IN_A_ROW))

    return measure
