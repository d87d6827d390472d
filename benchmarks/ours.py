"""The plugin's round trips without pytest around them: what its fixture does."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.models import Model
from pytest_modelroundtrip import reloading, roundtrip, saving
from pytest_modelroundtrip.environments import HERE, Environment
from pytest_modelroundtrip.environments.archive import portable_archive
from pytest_modelroundtrip.plan import Plan
from pytest_modelroundtrip.portable import formats
from pytest_modelroundtrip.reference import model
from pytest_modelroundtrip.reference.model import ModelGroup
from pytest_modelroundtrip.result import RoundTrip
from pytest_modelroundtrip.settings import Settings

ALL_FORMATS = formats.built_in()


@contextlib.contextmanager
def environment(isolation: str) -> Iterator[Environment]:
    """The environment `here` of a run with that isolation; it ends with the block."""
    archive = portable_archive(type(fmt) for fmt in ALL_FORMATS.values())
    started = Environment("here", HERE, archive, isolation)
    try:
        started.begin()
        yield started
    finally:
        started.close()


def reference(made: Model, arguments: Sequence[Any]) -> ModelGroup:
    """The model as the plugin takes it: it is called."""
    return model.single(made, arguments, {})


def round_trip(
    models: ModelGroup, format_name: str, place: Environment, checks: Sequence[str] = ()
) -> RoundTrip:
    """One round trip, which must pass; its artifact is deleted."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings((format_name,), checks=tuple(checks))
        trip = roundtrip.round_trip(
            Plan(models, ALL_FORMATS[format_name], settings, Path(folder, "1"), place)
        )
    _assert_passed(trip)
    return trip


def _assert_passed(trip: RoundTrip) -> None:
    if not trip.passed:
        raise RuntimeError(f"{trip.format}: {trip.verdict}: {' '.join(trip.problems)[:1000]}")


def reloads(
    models: ModelGroup, format_name: str, folder: Path, place: Environment
) -> Callable[[Environment], None]:
    """What reloads, in any environment, a model that is saved once: the reload phase alone.

    Args:
        models: the model.
        format_name: its format.
        folder: for the artifact; not there yet.
        place: an environment that it can be reloaded in.
    """
    plan = Plan(models, ALL_FORMATS[format_name], Settings((format_name,)), folder, place)
    trip = RoundTrip(format_name, place.name, folder / "artifact")
    names = saving.checks_to_make(plan)
    expected = saving.observe_original(plan, names)
    saving.save(plan, trip.artifact)
    task = reloading.make_task(plan, names, expected, 1)

    def reload(other: Environment) -> None:
        there = replace(plan, environment=other)
        reloading.observations(there, task, reloading.reload(there, task))  # raises where it fails

    return reload
