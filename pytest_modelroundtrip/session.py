"""What lives as long as the test run: formats, clean interpreters, and the model that is being carried."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from . import provenance, report, settings
from .bootstrap import portable_archive
from .environments import Environment
from .original import Original, System, Unusable
from .portable import library
from .portable.formats import BUILT_IN
from .portable.tensors import Output, leaves
from .roundtrip import Format, RoundTrip, RoundTripError, discard, round_trip
from .specifications import HERE, Specification


@dataclass(frozen=True)
class Cell:
    """What one pytest item is about: a format, an environment and the settings of its test."""

    format: str
    environment: str
    settings: settings.Settings

    @property
    def id(self) -> str:
        return settings.cell_id(self.format, self.environment)


@dataclass
class Session:
    """One test run of one process."""

    config: pytest.Config
    mistakes: dict[str, str] = field(default_factory=dict)  # in settings, by the id of the test
    _held: tuple[Any, System | None] | None = None

    @cached_property
    def formats(self) -> dict[str, Format]:
        """Built-in formats, then those of the hook, by name.

        Raises:
            pytest.UsageError: for a format that is no module, has not all a format needs, or has a name that is taken.
        """
        found = {name: Format(name, importlib.import_module(f"{__package__}.portable.formats.{name}")) for name in BUILT_IN}
        answers = self.config.hook.pytest_modelroundtrip_formats(config=self.config)
        for answer in answers:
            if not isinstance(answer, (list, tuple)):
                raise pytest.UsageError(f"pytest_modelroundtrip_formats: a list of modules is expected, not {answer!r}")
        for module in chain(*answers):
            fmt = _added_format(module)
            if fmt.name in found:
                raise pytest.UsageError(f"pytest_modelroundtrip_formats: there is a format {fmt.name!r} already")
            found[fmt.name] = fmt
        return found

    @cached_property
    def archive(self) -> bytes:
        """What travels into every clean interpreter."""
        return portable_archive({name: fmt.module for name, fmt in self.formats.items()})

    @cached_property
    def environments(self) -> dict[str, Environment]:
        """`here`, then those of the hook, of the ini file and of the command line, by name.

        Raises:
            pytest.UsageError: for a specification that cannot be read, or a name that is taken.
        """
        given = settings.given_environments(self.config)
        added: dict[str, Specification] = {}
        for answer in self.config.hook.pytest_modelroundtrip_environments(config=self.config):
            if not isinstance(answer, dict) or not all(isinstance(text, str) for item in answer.items() for text in item):
                raise pytest.UsageError(f"pytest_modelroundtrip_environments: a dict of names and specifications, not {answer!r}")
            read = settings.environments_of(answer.items(), self.config.rootpath, "pytest_modelroundtrip_environments")
            for name in read.keys() & {*given, *added}:
                raise pytest.UsageError(f"pytest_modelroundtrip_environments: there is an environment {name!r} already")
            added.update(read)
        isolation = self.config.getoption("roundtrip_isolation")
        found = {
            name: Environment(name, specification, self.archive, isolation)
            for name, specification in {"here": HERE, **added, **given}.items()
        }
        for environment in found.values():
            environment.tell = self._tell
            if self.config.get_verbosity() > 0:
                environment.progress = self._tell
        return found

    def _tell(self, text: str) -> None:
        """Past pytest's capture, and from xdist's workers too, which have no terminal of their own."""
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            print(text, file=sys.stderr, flush=True)

    @cached_property
    def known(self) -> settings.Known:
        return settings.Known(tuple(self.formats), tuple(self.environments))

    def cells(self, markers: Iterable[pytest.Mark]) -> list[Cell]:
        """The round trips of one test, in a fixed order.

        Raises:
            settings.Mistake: when the marker, the ini file or the command line says what cannot be.
        """
        resolved = settings.resolve(self.config, markers, self.known)
        return [Cell(fmt, environment, resolved) for environment in resolved.environments for fmt in resolved.formats]

    def start(self, names: Iterable[str]) -> None:
        """Start these environments, so that they import TensorFlow while this process does."""
        for name in dict.fromkeys(names):
            self.environments[name].begin()

    def original(self, key: Any, build: Callable[[], System | None]) -> System | None:
        """The model of that key; one model is held at a time, and let go when another is asked for."""
        if self._held is None or self._held[0] != key:
            self.release()
            self._held = (key, build())
        return self._held[1]

    def release(self) -> None:
        self._held = None

    def close(self) -> None:
        self.release()
        for environment in vars(self).get("environments", {}).values():
            environment.close()


def _added_format(module: Any) -> Format:
    if not isinstance(module, ModuleType) or not getattr(module, "__file__", None):
        raise pytest.UsageError(f"pytest_modelroundtrip_formats: a format is a module in a file, not {module!r}")
    missing = [name for name in ("PROMISES", "supports", "save", "load", "subject") if not hasattr(module, name)]
    if missing:
        raise pytest.UsageError(f"pytest_modelroundtrip_formats: {module.__name__} has no {', '.join(missing)}")
    return Format(module.__name__.split(".")[-1], module)


class Carrier:
    """The `roundtrip` fixture: call it with a model and what the model is called with."""

    def __init__(self, session: Session, cell: Cell, folder: Path, item: pytest.Item) -> None:
        self.trips: list[RoundTrip] = []
        self._session, self._cell, self._folder, self._item = session, cell, folder, item

    def __call__(self, model: Any, /, *args: Any, **kwargs: Any) -> RoundTrip:
        """Save `model`, reload it in a clean interpreter, compare.

        Args:
            model: a Keras model or layer, a `tf.Module`, what `hub.load` gives, a `hub.KerasLayer`.
            *args: what it is called with: tensors, arrays, lists and dicts of them. Without any, inputs are made from the
                model's input spec.
            **kwargs: what it is called with by name, `training` among them (default: False for Keras models).

        Returns:
            The result; its `outputs` are those of the reloaded model in NumPy form.

        Raises:
            RoundTripError: when something was lost, or the format that was asked for cannot hold the model.
        """
        __tracebackhide__ = True
        return self.carry(prepared(model, args, kwargs, pytrace=True), pytrace=True)

    def parts(self, /, **parts: Any) -> RoundTrip:
        """Carry the parts of one system together: an encoder, its decoder, the embedding that they share.

        Each part is saved on its own (a `checkpoint` holds them all), all are reloaded in one clean interpreter, and each stage is
        compared, the reloaded decoder fed with what the reloaded encoder answers::

            roundtrip.parts(encoder=(encoder, x), decoder=(decoder, roundtrip.output("encoder")))

        Args:
            **parts: by name a model, or a tuple of it and what it is called with.

        Returns:
            The result; its `outputs` and `expected` are dicts by the names of the parts.

        Raises:
            RoundTripError: as for a single model.
        """
        __tracebackhide__ = True
        return self.carry(prepared_parts(parts), pytrace=True)

    @staticmethod
    def output(part: str) -> Output:
        """What stands for the output of an earlier part among the arguments of a later one."""
        return Output(part)

    def carry(self, system: System, pytrace: bool) -> RoundTrip:
        """Do the round trip of this item; skip, or raise RoundTripError, when it does not end well."""
        __tracebackhide__ = True
        folder = self._folder / str(len(self.trips) + 1)
        fmt, environment = self._session.formats[self._cell.format], self._session.environments[self._cell.environment]
        trip = round_trip(system, fmt, environment, self._cell.settings, folder)
        self.trips.append(trip)
        if trip.spoilt:
            self._session.release()
        again = environment.again(str(folder)) if self._is_kept(trip) and (folder / "job").exists() else ""
        if self._is_kept(trip) and trip.artifact.exists():
            (folder / "reload.pyz").write_bytes(self._session.archive)
            provenance.write(folder, self._item.nodeid, trip, system, self._cell.settings.imports, again)
        failed = not trip.passed and (trip.verdict != "unsupported" or self._cell.settings.named)
        text = report.failure_text(trip, again) if failed else ""
        record = report.record(self._item.nodeid, self._cell.id, trip, text)
        self._item.user_properties.append((report.PROPERTY, json.dumps(record)))
        if failed:
            raise RoundTripError(text, trip, pytrace)
        if trip.verdict == "unsupported":
            pytest.skip(f"{trip.format}: {trip.problems[0]}")
        return trip

    def finish(self) -> None:
        """Tell who wants to know, and delete what need not be kept."""
        for trip in self.trips:
            self._session.config.hook.pytest_modelroundtrip_finished(trip=trip, config=self._session.config)
            if not self._is_kept(trip):
                discard(trip)

    def _is_kept(self, trip: RoundTrip) -> bool:
        keep = settings.keep(self._session.config)
        nothing_failed = trip.passed or trip.verdict in ("unsupported", "environment broken")
        return keep == "all" or (keep == "failed" and not nothing_failed)


def prepared(model: Any, args: Sequence[Any], kwargs: dict[str, Any], pytrace: bool) -> System:
    """The model as it will be carried.

    Raises:
        RoundTripError: when this is no model, or it cannot be called.
    """
    __tracebackhide__ = True
    try:
        return System({"": Original(model, args, kwargs)})
    except Unusable as error:
        raise RoundTripError(str(error), pytrace=pytrace) from None


def prepared_parts(parts: dict[str, Any]) -> System:
    """The parts of a system as they will be carried.

    Raises:
        RoundTripError: when one of them is no model, or cannot be called.
    """
    __tracebackhide__ = True
    originals: dict[str, Original] = {}
    if not parts:
        raise RoundTripError("a system needs parts: roundtrip.parts(encoder=(encoder, x), decoder=(decoder, ...))")
    for name, value in parts.items():
        model, *args = value if isinstance(value, tuple) else (value,)
        try:
            for leaf in (leaf for _, leaf in leaves(args) if isinstance(leaf, Output)):
                if leaf.part not in originals:
                    raise Unusable(f"it takes the output of {leaf.part!r}, which is no part before it")
            originals[name] = Original(model, args, {}, {earlier: part.expected for earlier, part in originals.items()})
        except Unusable as error:
            raise RoundTripError(f"the part {name!r}: {error}") from None
    return System(originals)


def missing_tensorflow() -> str | None:
    """What to install, where there is neither TensorFlow nor a Keras that computes with another library."""
    elsewhere = library.chosen_backend() != "tensorflow" and library.is_installed("keras")
    if not elsewhere and not library.is_installed("tensorflow"):
        install = f'{sys.executable} -m pip install "pytest-modelroundtrip[cpu]"'
        return f"TensorFlow is not installed. Install it: {install}"
    return None
