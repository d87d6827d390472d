"""The `roundtrip` fixture: what a test calls with its models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .bundles import bundle_settings, provenance, recording
from .plan import Plan
from .portable.aliases import Model
from .portable.bundles import bundle_files
from .portable.tensors import PartOutput
from .presentable import printable
from .reference import model as reference_model
from .reference.model import ModelError, ModelGroup
from .reporting import failure
from .reporting.record import Record, without_case
from .reporting.reporter import PROPERTY
from .result import FormatFailedError, RoundTrip, RoundTripError, Verdict
from .round_trip_case import RoundTripCase
from .roundtrip import not_begun, not_kept, round_trip
from .session import Session


class Kept(NamedTuple):
    """What was kept of a round trip."""

    artifact: bool = False  # whether that was
    command: str = ""  # that reloads it without pytest
    error: OSError | None = None  # why nothing could be kept


class RoundTripFixture:
    """Does the round trip of one pytest item: call it with a model and its inputs."""

    def __init__(self, of_item: RoundTripsOfItem) -> None:
        self._of_item = of_item

    def __call__(self, model: Model, /, *args: Any, **kwargs: Any) -> RoundTrip:
        """Save `model`, reload it in a clean interpreter, compare.

        Args:
            model: a Keras model or layer, a `tf.Module`, what `hub.load` returns, a
                `hub.KerasLayer`.
            *args: its inputs: tensors, arrays, lists and dicts of them. Without any, inputs are
                made from the model's input spec.
            **kwargs: its inputs by name, and `training` (default: False for Keras models).

        Returns:
            The result; its `outputs` are those of the reloaded model, as NumPy arrays.

        Raises:
            RoundTripError: when something was lost, or the format that was asked for cannot hold
                the model.
        """
        __tracebackhide__ = True
        models = prepared(lambda: reference_model.single(model, args, kwargs), True)
        return self._of_item.run(models, True)

    def parts(self, /, **parts: Any) -> RoundTrip:
        """Save and reload several models that belong together, such as an encoder and its decoder.

        Each part is saved on its own (a `checkpoint` holds them all), all are reloaded in one clean
        interpreter, and the reloaded decoder receives the reloaded encoder's output::

            roundtrip.parts(encoder=(encoder, x), decoder=(decoder, roundtrip.output("encoder")))

        Args:
            **parts: by name a model, or a tuple of it and its inputs.

        Returns:
            The result; its `outputs` and `expected` are dicts by the names of the parts.

        Raises:
            RoundTripError: as for a single model.
        """
        __tracebackhide__ = True
        models = prepared(lambda: reference_model.group(parts), True)
        return self._of_item.run(models, True)

    @staticmethod
    def output(part: str) -> PartOutput:
        """The output of an earlier part, as an input of a later one."""
        return PartOutput(part)


class RoundTripsOfItem:
    """The round trips of one pytest item, and what is kept of them."""

    def __init__(
        self,
        session: Session,
        case: RoundTripCase,
        make_folder: Callable[[], Path],
        item: pytest.Item,
    ) -> None:
        self.trips: list[RoundTrip] = []  # those that were done, in order
        self._session, self._case, self._item = session, case, item
        self._make_folder = make_folder
        self._folder: Path | None = None  # for all that the item saves, once it saves something

    def run(self, models: ModelGroup, pytrace: bool) -> RoundTrip:
        """Do a round trip; skip the test or raise RoundTripError where it did not pass."""
        __tracebackhide__ = True
        session, case = self._session, self._case
        trip = self._tried(models)
        self.trips.append(trip)
        if trip.model_changed:
            session.release()
        kept = self._keep(trip, models)
        if kept.error is not None:
            trip = self.trips[-1] = not_kept(trip, kept.error)
        unsupported = trip.verdict is Verdict.UNSUPPORTED
        failed = not trip.passed and not (unsupported and not case.settings.marker_names_formats)
        text = failure.failure_text(trip, kept.artifact, kept.command) if failed else ""
        conclude(self._item, case.id, trip, text, pytrace)
        return trip

    def _keep(self, trip: RoundTrip, models: ModelGroup) -> Kept:
        """Write what is kept of a round trip; where that fails, `finish` deletes it."""
        test, command = printable(self._item.nodeid), ""
        is_kept = self._is_kept(trip) and trip.artifact.exists()
        try:
            if is_kept:
                command = self._write_beside(test, trip, models)
            if trip.passed:
                self._record(test, trip, models)
        except OSError as error:
            return Kept(error=error)
        return Kept(is_kept, command)

    def _record(self, test: str, trip: RoundTrip, models: ModelGroup) -> None:
        """Copy the bundle to where it was asked for; from another environment it may be there."""
        of_test = without_case(test, self._case.id)
        name = recording.bundle_name(of_test, len(self.trips), trip.format)
        wanted, config = self._session.bundles_wanted(name), self._session.config
        for target in [path for path in wanted if not path.exists()]:
            if not self._is_kept(trip):
                self._write_beside(test, trip, models)
            recording.keep(trip.artifact.parent, target, bundle_settings.store(config))

    def _tried(self, models: ModelGroup) -> RoundTrip:
        """The result of the next round trip, also where it cannot begin."""
        session, case = self._session, self._case
        try:
            fmt, environment = session.formats[case.format], session.environments[case.environment]
            self._folder = self._folder or self._make_folder()
        except OSError as error:
            return not_begun(case.format, case.environment, error)
        folder = self._folder / str(len(self.trips) + 1)
        return round_trip(Plan(models, fmt, case.settings, folder, environment))

    def _write_beside(self, test: str, trip: RoundTrip, models: ModelGroup) -> str:
        """Write what belongs beside a kept artifact; the command that reloads it, if one does."""
        folder, command = trip.artifact.parent, ""
        if (folder / bundle_files.JOB).exists():
            command = self._session.environments[trip.environment].reproduce_command(str(folder))
            (folder / bundle_files.RELOAD).write_bytes(self._session.archive)
        if trip._observed is not None:
            recording.write_expected(folder, models, trip, self._case.settings)
        provenance.write(trip, models, test, command, self._case.settings.imports)
        return command

    def finish(self) -> None:
        """Call the hook, and delete what need not be kept."""
        config = self._session.config
        try:
            for trip in self.trips:
                config.hook.pytest_modelroundtrip_finished(trip=trip, config=config)
        finally:
            for number, trip in enumerate(self.trips, 1):
                if self._folder is not None and not self._is_kept(trip):
                    _discard(self._folder / str(number))

    def _is_kept(self, trip: RoundTrip) -> bool:
        if trip.verdict is Verdict.SYSTEM_ERROR:
            return False  # it may be half of one
        keep = self._case.settings.keep
        unfailed = (Verdict.UNSUPPORTED, Verdict.ENVIRONMENT_BROKEN)
        return keep == "all" or (
            keep == "failed" and not trip.passed and trip.verdict not in unfailed
        )


def conclude(item: pytest.Item, case_id: str, trip: RoundTrip, text: str, pytrace: bool) -> None:
    """Add the record of a round trip to the report of its item, and end that as it ended.

    Args:
        item: that did it.
        case_id: what stands in brackets at the end of its id.
        trip: the result.
        text: of the failure; empty where it is none.
        pytrace: whether pytest may show where in the test it was raised.

    Raises:
        RoundTripError: where it failed.
    """
    __tracebackhide__ = True
    record = Record.of(printable(item.nodeid), case_id, trip, text)
    item.user_properties.append((PROPERTY, record.to_json()))
    if text:
        error = FormatFailedError if trip.verdict.is_about_the_format else RoundTripError
        raise error(text, trip, pytrace)
    if trip.verdict is Verdict.UNSUPPORTED:
        pytest.skip(f"{trip.format}: {failure.shortened(trip.problems[0])}")


def _discard(folder: Path) -> None:
    """Delete an artifact and everything beside it."""
    shutil.rmtree(folder, ignore_errors=True)


def prepared(prepare: Callable[[], ModelGroup], pytrace: bool) -> ModelGroup:
    """The models as they will be saved.

    Raises:
        RoundTripError: when one is not a model, or cannot be called.
    """
    __tracebackhide__ = True
    try:
        return prepare()
    except ModelError as error:
        raise RoundTripError(failure.shortened(str(error)), pytrace=pytrace) from None
