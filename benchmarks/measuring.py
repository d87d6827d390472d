"""Subjects that are measured in turn, and the rows of the table that come of it.

Each figure has a floor that was measured in turn with it: a busy or a slow machine changes both.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

Measure = Callable[[], float]  # one measurement, in the unit of its row


class Scope(NamedTuple):
    """How much is measured."""

    rounds: int = 7
    long_rounds: int = 3  # of what takes many seconds
    quick: bool = False  # only whether the scripts run: the smallest part of each


class Row(NamedTuple):
    """What was measured of one subject."""

    case: str  # what is measured; figures of one case are comparable
    subject: str
    unit: str
    values: Sequence[float]
    floor: str = ""  # the subject of the same case that it is compared with
    ratio: float = math.nan  # of the median to that of the floor

    @property
    def median(self) -> float:
        """The middle of the values."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        spread = f"({number(min(self.values))} to {number(max(self.values))})"
        text = f"{self.case}: {self.subject}: {number(self.median)} {self.unit} {spread}"
        return text if math.isnan(self.ratio) else f"{text} {self.ratio:.2f} x {self.floor}"


def number(value: float) -> str:
    """Three digits, and no exponent for what occurs here."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turn(
    subjects: Mapping[str, Measure],
    rounds: int,
    *,
    warm_up: bool = True,
    fewer: Mapping[str, int] | None = None,
) -> dict[str, list[float]]:
    """The values of each subject, measured one after another in every round: A, B, C, A, B, C.

    Args:
        subjects: by name what measures them once.
        rounds: how often each is measured.
        warm_up: whether a round that does not count comes first.
        fewer: by name how often those are measured that take long; not in that first round.
    """
    counts = {name: (fewer or {}).get(name, rounds) for name in subjects}
    if warm_up:
        for name in subjects.keys() - (fewer or {}).keys():
            subjects[name]()
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for number_of_round in range(rounds):
        for name, measure in subjects.items():
            if number_of_round < counts[name]:
                found[name].append(measure())
    return found


def rows_of(
    case: str, measured: Mapping[str, Sequence[float]], floor: str, unit: str = "s"
) -> Iterator[Row]:
    """A row for each subject, with its ratio to the floor, which is one of them."""
    lowest = statistics.median(measured[floor])
    for name, values in measured.items():
        ratio = statistics.median(values) / lowest if lowest else math.nan
        yield Row(case, name, unit, values, floor, ratio)
