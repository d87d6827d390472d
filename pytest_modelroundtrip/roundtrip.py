"""The flow: observe -> save -> move -> reload in a clean interpreter -> observe -> compare.

Read `_run` from top to bottom. Each step returns a value, or raises `Stop` with the verdict; this
module alone puts what they return into the result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

from . import deciding, diagnosis, presentable, reloading, saving, warning_filters
from .bundles.bundle_reader import Bundle
from .plan import Plan, Stop, recognized, system_error
from .portable import keras_libs
from .portable.bundles.stores import ChangedError, StoreError
from .portable.checks import OUTPUTS, Observations
from .portable.comparing import differing
from .portable.protocol import Reloaded
from .reloading import Task
from .result import RoundTrip, Verdict, Versions
from .settings import Settings

MAX_HINT = 4000  # characters
CHANGED_HINT = (
    "Copy the bundle again from where it was recorded, or record it again if the change is "
    "intended."
)
STORE_HINT = (
    "If the files outside of bundles are elsewhere, pass --roundtrip-store=FOLDER_OR_URL, or set "
    "the ini option roundtrip_store; for `check` and reload.pyz it is --store."
)


def round_trip(plan: Plan) -> RoundTrip:
    """Do one round trip; the verdict is in the result."""
    trip = RoundTrip(plan.format.name, plan.environment.name, plan.folder / "artifact")
    trip.expected, trip.versions = plan.models.expected, Versions(keras_libs.versions())
    with _concluded(plan, trip), warning_filters.no_errors():
        _run(plan, trip)
    return trip


def check_recorded(plan: Plan, bundle: Bundle, store: str) -> RoundTrip:
    """The second half of a round trip, whose first was recorded in a bundle.

    Args:
        plan: what is to be done.
        bundle: what was recorded.
        store: has the files that are outside of the bundle; "" for where they were put then.
    """
    trip = RoundTrip(plan.format.name, plan.environment.name, bundle.artifact)
    trip.versions, trip.size = Versions(bundle.recorded.versions), bundle.size
    names = bundle.checks(plan.settings.checks)
    expected = bundle.expected(names)
    trip.expected = deciding.given_outputs(expected)
    with _concluded(plan, trip):
        if not names:
            its = ", ".join(bundle.checks([]))
            raise Stop(
                Verdict.DIFFERS, f"nothing was compared: the bundle has only the checks {its}"
            )
        with _completed(bundle, store) as whole:
            trip.verdict = _reload_bundle(plan, whole, names, expected, trip)
    return trip


def _reload_bundle(
    plan: Plan, bundle: Bundle, names: list[str], expected: Observations, trip: RoundTrip
) -> Verdict:
    """Reload a bundle that has all its files, and compare."""
    changed = bundle.changed_files()
    task = Task(bundle.job(plan.settings, names), bundle.recorded.hashes())
    try:
        verdict = _reload_and_decide(plan, task, expected, trip)
    except Stop as stop:
        unreadable = _why_unreadable(plan, task) if stop.verdict is Verdict.LOAD_ERROR else []
        raise stop.following(*changed, *unreadable) from stop
    if changed:
        raise Stop(Verdict.DIFFERS, *changed, hint=CHANGED_HINT)
    return verdict


@contextlib.contextmanager
def _completed(bundle: Bundle, store: str) -> Iterator[Bundle]:
    """The bundle with the files that are in a store.

    Raises:
        Stop: where one of them cannot be had.
    """
    try:
        with bundle.completed(store) as whole:
            yield whole
    except ChangedError as error:
        raise Stop(Verdict.DIFFERS, str(error), hint=CHANGED_HINT) from error
    except StoreError as error:
        raise Stop(Verdict.SYSTEM_ERROR, str(error), hint=STORE_HINT) from error


def _why_unreadable(plan: Plan, task: Task) -> list[str]:
    """Why no interpreter like that of the environment can load it."""
    interpreter = plan.environment.probe(plan.format.needs_keras)
    return plan.format.why_unreadable(task.job.setup.keras_majors, interpreter)


@contextlib.contextmanager
def _concluded(plan: Plan, trip: RoundTrip) -> Iterator[None]:
    """Put into the result how the round trip ended, if it did not come to a verdict."""
    try:
        yield
    except Stop as stop:
        _end(trip, recognized(stop, plan))
    except OSError as error:  # of our own files: what formats and models raise is caught
        _end(trip, system_error(error, plan.folder))
    _make_presentable(trip)


def not_begun(format_name: str, environment: str, error: OSError) -> RoundTrip:
    """The result where this machine has not even a folder for a round trip."""
    folder = Path(str(error.filename or ""))
    trip = RoundTrip(format_name, environment, folder / "artifact")
    trip.versions = Versions(keras_libs.versions())
    _end(trip, system_error(error, folder))
    _make_presentable(trip)
    return trip


def not_kept(trip: RoundTrip, error: OSError) -> RoundTrip:
    """The result where the artifact could not be kept; a round trip that passed fails then."""
    stop = system_error(error, trip.artifact)
    lines = [*trip.problems, "the artifact could not be kept:", *stop.problems]
    problems = presentable.bounded_lines(lines)
    if trip.passed:
        return dataclasses.replace(trip, verdict=stop.verdict, hint=stop.hint, problems=problems)
    return dataclasses.replace(trip, problems=problems)


def _end(trip: RoundTrip, stop: Stop) -> None:
    trip.verdict, trip.problems, trip.hint = stop.verdict, [*stop.problems], stop.hint
    trip.detail, trip.model_changed = stop.detail or trip.detail, stop.model_changed
    trip.checks.update(stop.checks)


def _make_presentable(trip: RoundTrip) -> None:
    """Nothing that a model or the other side says is passed on as it came."""
    trip.problems = presentable.bounded_lines(trip.problems)
    trip.hint = presentable.bounded(trip.hint, MAX_HINT)
    trip.detail = presentable.bounded(trip.detail)
    trip.confinement = presentable.bounded(trip.confinement, presentable.MAX_NAME_CHARACTERS)
    trip.not_checked = presentable.bounded_texts(trip.not_checked)
    trip.seconds = presentable.bounded_names(trip.seconds)
    saved, reloaded = trip.versions
    trip.versions = Versions(presentable.bounded_texts(saved), presentable.bounded_texts(reloaded))


def _run(plan: Plan, trip: RoundTrip) -> None:
    clock = Clock(trip.seconds)
    with clock.phase("observe"):
        plan = saving.prepared(plan)
        saving.assert_not_broken(plan)
        names = saving.checks_to_make(plan)
        saving.assert_readable(plan)
        expected = saving.observe_original(plan, names)
        if plan.format.trains:
            trip.expected = deciding.given_outputs(expected)
    with clock.phase("save"):
        trip.size = saving.save(plan, trip.artifact)
    with clock.phase("observe"):
        saving.assert_unchanged(plan, names, expected)
    trip._observed = expected
    verdicts = set()
    for generation in range(1, plan.settings.generations + 1):
        task = reloading.make_task(plan, names, expected, generation)
        with _name_generation(generation, plan.settings):
            verdicts.add(_reload_and_decide(plan, task, expected, trip))
    trip.verdict = Verdict.CLOSE if Verdict.CLOSE in verdicts else Verdict.EXACT
    if deciding.bits_were_expected(plan, trip):
        with clock.phase("diagnose"):
            trip.own_distances = plan.models.own_distances


def _reload_and_decide(plan: Plan, task: Task, expected: Observations, trip: RoundTrip) -> Verdict:
    """Reload, compare with what is expected, and decide the verdict."""
    clock, names = Clock(trip.seconds), task.job.checks
    with clock.phase("reload"):
        reloaded = reloading.reload(plan, task)
        _add_reload(trip, reloaded)
        actual = reloading.observations(plan, task, reloaded)
    with clock.phase("compare"):
        trip.outputs = deciding.given_outputs(actual)
        tolerance = deciding.tolerance_of(plan.settings, trip.versions, plan.format)
        again = reloading.reloader(plan, task)
        comparisons = deciding.compare(expected, actual, tolerance, again)
        _add_outcomes(trip, deciding.outcomes(comparisons, names))
    with clock.phase("diagnose" if differing(comparisons) else "compare"):
        evidence = diagnosis.Evidence(
            plan.format, comparisons, expected, actual, plan.models, tolerance, again
        )
        return deciding.decide(plan, names, evidence)


def _add_reload(trip: RoundTrip, reloaded: Reloaded) -> None:
    trip.versions = trip.versions._replace(reloaded=reloaded.versions)
    trip.seconds.update({f"reload: {step}": spent for step, spent in reloaded.seconds.items()})
    trip.detail, trip.confinement = reloaded.output, reloaded.confinement


def _add_outcomes(trip: RoundTrip, found: deciding.Outcomes) -> None:
    """The outcomes are those of the last generation; distances are of all."""
    trip.checks, trip.not_checked = found.checks, found.not_checked
    for name, distance in found.distances.items():
        trip.distances[name] = max(trip.distances.get(name, 0), distance)
    trip.max_ulp = trip.distances.get(OUTPUTS, 0)


@contextlib.contextmanager
def _name_generation(generation: int, settings: Settings) -> Iterator[None]:
    """Name the generation that a round trip stops in, where there are several."""
    try:
        yield
    except Stop as stop:
        if settings.generations == 1:
            raise
        where = f"in generation {generation} of {settings.generations}:"
        raise stop.following(where) from stop


class Clock:
    """Adds what a phase took to the seconds of that phase."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a phase, also one that raises."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self._seconds[name] = self._seconds.get(name, 0.0) + spent
