"""The `roundtrip` fixture: what a test calls with its models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import model as reference_model
from .model import ModelError, ModelGroup
from .plan import Plan
from .portable.aliases import Model
from .portable.tensors import PartOutput
from .reporting import failure, provenance
from .reporting.record import PROPERTY, Record
from .result import RoundTrip, RoundTripError, Verdict
from .roundtrip import discard, round_trip
from .session import RoundTripCase, Session


class RoundTripFixture:
    """Does the round trip of one pytest item: call it with a model and its inputs."""

    def __init__(
        self, session: Session, case: RoundTripCase, folder: Path, item: pytest.Item
    ) -> None:
        self.trips: list[RoundTrip] = []  # those that were done, in order
        self._session, self._case, self._folder, self._item = session, case, folder, item

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
        return self.run(prepared(lambda: reference_model.single(model, args, kwargs), True), True)

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
        return self.run(prepared(lambda: reference_model.group(parts), True), True)

    @staticmethod
    def output(part: str) -> PartOutput:
        """The output of an earlier part, as an input of a later one."""
        return PartOutput(part)

    def run(self, models: ModelGroup, pytrace: bool) -> RoundTrip:
        """Do a round trip; skip the test or raise RoundTripError where it did not pass."""
        __tracebackhide__ = True
        session, case = self._session, self._case
        fmt, environment = session.formats[case.format], session.environments[case.environment]
        folder = self._folder / str(len(self.trips) + 1)
        trip = round_trip(Plan(models, fmt, environment, case.settings, folder))
        self.trips.append(trip)
        if trip.model_changed:
            session.release()
        is_kept, command = self._is_kept(trip) and trip.artifact.exists(), ""
        if is_kept and (folder / "job").exists():
            command = environment.reproduce_command(str(folder))
            (folder / "reload.pyz").write_bytes(session.archive)
        if is_kept:
            origin = provenance.Origin(self._item.nodeid, command, case.settings.imports)
            provenance.write(folder, origin, trip, models)
        unsupported = trip.verdict is Verdict.UNSUPPORTED
        failed = not trip.passed and not (unsupported and not case.settings.marker_names_formats)
        text = failure.failure_text(trip, is_kept, command) if failed else ""
        record = Record.of(self._item.nodeid, case.id, trip, text)
        self._item.user_properties.append((PROPERTY, record.to_json()))
        if failed:
            raise RoundTripError(text, trip, pytrace)
        if unsupported:
            pytest.skip(f"{trip.format}: {trip.problems[0]}")
        return trip

    def finish(self) -> None:
        """Call the hook, and delete what need not be kept."""
        config = self._session.config
        for trip in self.trips:
            config.hook.pytest_modelroundtrip_finished(trip=trip, config=config)
            if not self._is_kept(trip):
                discard(trip)

    def _is_kept(self, trip: RoundTrip) -> bool:
        keep = self._case.settings.keep
        unfailed = (Verdict.UNSUPPORTED, Verdict.ENVIRONMENT_BROKEN)
        return keep == "all" or (
            keep == "failed" and not trip.passed and trip.verdict not in unfailed
        )


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
