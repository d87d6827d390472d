"""The reload phase of a round trip, against what people do by hand.

A process that stands by needs time to get ready. It has that while a test builds its model and
saves it: each reload comes after a pause. Of a small model, `back to back` is the reload in round
trips of one model that follow one another without any. A large model is reloaded in a format of
each family. A new interpreter is as slow for one format as for another: it is measured with
`.keras` alone.
"""

from __future__ import annotations

import contextlib
import pickle
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import bare_fork, by_hand, models, ours
from benchmarks.measuring import Measure, Row, Scope, in_turn, rows_of, seconds
from benchmarks.models import Model
from pytest_modelroundtrip.environments import Environment
from pytest_modelroundtrip.reference.model import ModelGroup

FLOOR = "by hand: bare fork"
FRESH, SPAWN = "by hand: fresh interpreter", "spawn"
PAUSE = 0.5  # seconds
IN_A_ROW = 3  # round trips of a small model, of which the first is left out
MODELS = ("dense", "lstm_text", "mobilenet_v2", "resnet50", "dense_1gb")
SMALL = MODELS[:2]
FORMATS_OF_LARGE = ("keras", "saved_model")  # the others load much as one of these


class Places(NamedTuple):
    """Where models are reloaded."""

    ours: dict[str, Environment]  # by their isolation
    warm: bare_fork.WarmInterpreter


class Subject(NamedTuple):
    """A model in one format."""

    name: str
    format: str
    model: Model
    arguments: list[Any]
    group: ModelGroup


def rows(scope: Scope) -> Iterator[Row]:
    """The reload of each model in each format."""
    with contextlib.ExitStack() as stack:
        isolations = ("standby", "fork", "spawn")
        started = {name: stack.enter_context(ours.environment(name)) for name in isolations}
        places = Places(started, stack.enter_context(bare_fork.warm_interpreter()))
        for name in MODELS[: 2 if scope.quick else None]:
            model, arguments = models.build(name)
            group = ours.reference(model, arguments)
            for format_name in _formats(name, scope):
                subject = Subject(name, format_name, model, arguments, group)
                rounds = scope.rounds if name in SMALL else scope.long_rounds
                fewer = {FRESH: scope.long_rounds, SPAWN: scope.long_rounds}
                with tempfile.TemporaryDirectory() as folder:
                    measures = _measures(subject, places, Path(folder))
                    measured = in_turn(measures, rounds, fewer=fewer)
                yield from rows_of(f"reload of {name}, {format_name}", measured, FLOOR)


def _formats(name: str, scope: Scope) -> list[str]:
    found = models.formats_of(name)
    if name not in SMALL:
        found = [each for each in found if each in FORMATS_OF_LARGE]
    return found[:2] if scope.quick else found


def _measures(subject: Subject, places: Places, scratch: Path) -> dict[str, Measure]:
    """What measures the reload of one model in one format, each in its own way."""
    name, format_name = subject.name, subject.format
    folder = scratch / "by hand"
    folder.mkdir()
    by_hand.save(subject.model, format_name, folder)
    (folder / by_hand.ARGUMENTS).write_bytes(pickle.dumps(subject.arguments))
    reload = ours.reloads(subject.group, format_name, scratch / "ours", places.ours["standby"])

    def once(isolation: str) -> float:
        return seconds(lambda: reload(places.ours[isolation]))

    def after_a_pause(isolation: str) -> float:
        time.sleep(PAUSE)
        return once(isolation)

    def in_round_trips() -> float:
        trips = [
            ours.round_trip(subject.group, format_name, places.ours["standby"])
            for _ in range(IN_A_ROW)
        ]
        return statistics.median(trip.seconds["reload"] for trip in trips[1:])

    found: dict[str, Measure] = {
        "standby": partial(after_a_pause, "standby"),
        "fork": partial(after_a_pause, "fork"),
        FLOOR: lambda: places.warm.seconds(name, format_name, folder),
        "by hand: in process": lambda: seconds(
            lambda: by_hand.load(name, format_name, folder)(*subject.arguments)
        ),
    }
    if name in SMALL:
        found["standby, back to back"] = in_round_trips
    if format_name == "keras":
        found[SPAWN] = partial(once, "spawn")
        found[FRESH] = lambda: seconds(
            lambda: by_hand.load_freshly(name, format_name, folder, subject.arguments)
        )
    return found
