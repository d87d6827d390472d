"""A whole round trip of a large model, against the same by hand in one process.

The time is measured in one process, in which both save and load the same model in turn; ours begins
with the calls of the original. The memory is that of a run of pytest with one test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import by_hand, models, ours, pytest_runs
from benchmarks.measuring import Measure, Row, Scope, in_turn, rows_of, seconds

FLOOR = "by hand: save, load, call, compare"
FORMATS = {
    "dense_268mb": ("keras", "h5", "saved_model", "checkpoint"),
    "dense_1gb": ("keras", "saved_model"),
}


def rows(scope: Scope) -> Iterator[Row]:
    """Time, memory and disk."""
    wanted = {"dense_268mb": ("keras", "saved_model")} if scope.quick else FORMATS
    for name, format_names in wanted.items():
        yield from _time(name, format_names, scope.rounds)
        for format_name in format_names:
            yield from _memory(name, format_name, scope.long_rounds)


def _time(name: str, format_names: tuple[str, ...], rounds: int) -> Iterator[Row]:
    model, arguments = models.build(name)
    with ours.environment("standby") as place:

        def round_trip(format_name: str) -> None:
            ours.round_trip(ours.reference(model, arguments), format_name, place)

        for format_name in format_names:
            subjects: dict[str, Callable[[], None]] = {
                "ours": partial(round_trip, format_name),
                FLOOR: partial(by_hand.round_trip, name, model, arguments, format_name),
            }
            measures: dict[str, Measure] = {
                subject: partial(seconds, work) for subject, work in subjects.items()
            }
            case = f"round trip of {name}, {format_name}"
            yield from rows_of(case, in_turn(measures, rounds), FLOOR)


def _memory(name: str, format_name: str, rounds: int) -> Iterator[Row]:
    size, left = models.LARGE[name].bytes, list[float]()
    variables = {"BENCHMARK_MODEL": name, "BENCHMARK_FORMAT": format_name}

    def peak(*options: str) -> float:
        done = pytest_runs.run("large.py", *options, more=variables, watched=True)
        assert done.passed == 1, done.output
        if "test_ours" in options:
            left.append(done.left)
        return float(done.peak / size)

    subjects = {
        "ours": partial(peak, "-k", "test_ours"),
        FLOOR: partial(peak, "-k", "test_by_hand", *pytest_runs.WITHOUT),
    }
    measured = in_turn(subjects, rounds, warm_up=False)
    case = f"{name}, {format_name}"
    yield from rows_of(f"peak memory, round trip of {case}", measured, FLOOR, "x model")
    yield Row(f"left on disk, round trip of {case}", "ours", "bytes", left)
