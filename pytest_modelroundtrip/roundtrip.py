"""The flow: observe -> save -> move -> reload in a clean interpreter -> observe -> compare."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from . import diagnosis, inputs
from .comparison import Comparison, Tolerance, compare
from .environments import Environment, EnvironmentBroken, Reply
from .portable import calling, library, observation, tensors
from .portable.formats import Options
from .settings import Settings

PASSED = ("exact", "close")
GIVEN, RESIZED = "", "a batch of another size"


_Failed: type[BaseException] = pytest.fail.Exception


class RoundTripError(AssertionError, _Failed):  # type: ignore[misc, valid-type]
    """Something was lost, or the way there and back broke off. `trip` is the whole result.

    An AssertionError to who catches it; to pytest a failure like its own, so that it can be shown without our traceback.
    """

    def __init__(self, message: str, trip: RoundTrip | None = None, pytrace: bool = True) -> None:
        _Failed.__init__(self, message, pytrace)
        self.trip = trip


@dataclass
class RoundTrip:
    """One model, one format, one environment, and what came of it."""

    format: str
    environment: str
    artifact: Path
    verdict: str = "exact"
    outputs: Any = None  # of the reloaded model, in NumPy form, nested as the model nests them
    expected: Any = None  # of the original
    max_ulp: int = 0  # the largest distance between two outputs
    checks: dict[str, str] = field(default_factory=dict)  # check -> "exact", "close", "differs" or "n/a"
    problems: list[str] = field(default_factory=list)  # what was lost, or what went wrong, a line each
    detail: str = ""  # the traceback, or the tail of what the clean interpreter printed
    hint: str = ""  # what to do
    seconds: dict[str, float] = field(default_factory=dict)  # by phase
    versions: dict[str, dict[str, str]] = field(default_factory=dict)  # "saved" and "reloaded": module -> version
    size: int = 0  # of the artefact, in bytes
    spoilt: bool = False  # whether saving changed the model, so that it is no measure for the next format

    @property
    def passed(self) -> bool:
        return self.verdict in PASSED


@dataclass(frozen=True)
class Format:
    """A format's name and its module (see `portable.formats`)."""

    name: str
    module: ModuleType


class Original:
    """A model in the state that it was given in, what it is called with, and what it answered, twice.

    Raises:
        RoundTripError: when the model cannot be called.
    """

    def __init__(self, model: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = _arguments(model, args, kwargs)
        self.generation = library.generation(model)
        if self.generation is not None:
            model = model if library.is_model(model) else _in_a_model(model, self.args)
            self.kwargs = {"training": False, **self.kwargs}
        self.model = model
        self.batches = [observation.Batch(GIVEN, self.args, self.kwargs)]
        try:
            self.call = calling.caller(model)
            if self.generation is not None and not model.built:
                self.call(self.args, self.kwargs)  # weights that do not exist yet cannot be put back
            self.outputs = self._outputs()
            if not inputs.has_fixed_batch(model):
                self._add_resized_batch()
            self.unstable = compare(self.outputs, self._outputs(), Tolerance())
        except Exception as error:
            said = f"the model itself cannot be used with these inputs ({_outline(self.args, self.kwargs)})"
            raise RoundTripError(f"{said}\n  {error if isinstance(error, observation.CallError) else _said(error)}") from error

    def _add_resized_batch(self) -> None:
        """A second batch of another size, where the model takes one."""
        try:
            args, kwargs = observation.resized(self.args, self.kwargs)
            batch = observation.Batch(RESIZED, args, kwargs)
            self.outputs["outputs"][""].update(observation.observe(self._subject(), [batch], ["outputs"])["outputs"][""])
        except Exception:
            return  # its batch axis is not free, so nothing is promised for another size
        self.batches.append(batch)

    def _subject(self) -> observation.Subject:
        return observation.Subject(self.model, {"": self.call}, [])

    def _outputs(self) -> dict[str, Any]:
        return observation.observe(self._subject(), self.batches, ["outputs"])

    def options(self) -> Options:
        return Options(generation=self.generation, batches=self.batches)

    def observe(self, fmt: Format, checks: Sequence[str], anew: bool) -> dict[str, Any]:
        """What the checks see, the weights by the names that this format keeps; outputs are computed `anew` when asked for."""
        subject = fmt.module.subject(self.model, self.options())._replace(calls={"": self.call})
        seen = observation.observe(subject, self.batches, [check for check in checks if check != "outputs" or anew])
        return {**seen, **(self.outputs if "outputs" in checks and not anew else {})}


def round_trip(original: Original, fmt: Format, environment: Environment, settings: Settings, folder: Path) -> RoundTrip:
    """Do one round trip below `folder`; the verdict is in the result."""
    trip = RoundTrip(fmt.name, environment.name, folder / "artifact", expected=original.outputs["outputs"][""][GIVEN])
    clock = _Clock(trip.seconds)
    reason = _unsupported(fmt, original.model, settings)
    if reason:
        return _ended(trip, "unsupported", [reason])
    if original.unstable.differences:
        return _not_deterministic(trip, original.unstable)
    checks = [check for check in settings.checks or fmt.module.PROMISES if check in fmt.module.PROMISES]
    before = original.observe(fmt, checks, anew=False)
    clock.ended("observe")
    trip.versions["saved"] = library.versions()
    if not _save(original, fmt, trip, folder):
        return trip
    clock.ended("save")
    changed = compare(before, original.observe(fmt, checks, anew=True), Tolerance())
    if changed.differences:
        trip.spoilt = True
        return _ended(trip, "differs", ["saving changed the model:", *_lines(changed)])
    clock.ended("observe")
    reply = _reload(original, fmt, environment, settings, trip, checks, before)
    clock.ended("reload")
    if reply is not None and reply.observation is not None:
        _judge(trip, compare(before, reply.observation, settings.tolerance), checks, fmt)
        trip.outputs = reply.observation.get("outputs", {}).get("", {}).get(GIVEN)
        clock.ended("compare")
    return trip


def _unsupported(fmt: Format, model: Any, settings: Settings) -> str | None:
    """The reason why the format cannot hold this model, or cannot be loaded without a factory."""
    reason = fmt.module.supports(model)
    if reason is None and settings.factory is None and hasattr(fmt.module, "needs_factory"):
        reason = fmt.module.needs_factory(model)
    return str(reason) if reason else None


def _save(original: Original, fmt: Format, trip: RoundTrip, folder: Path) -> bool:
    """Save, then move: nothing in the artefact may point to where it was written."""
    saving = folder / "saving"
    saving.mkdir(parents=True)
    try:
        fmt.module.save(original.model, str(saving))
    except Exception as error:
        _ended(trip, "save error", [_said(error)])
        trip.detail, trip.spoilt = traceback.format_exc(), True
        return False
    saving.rename(trip.artifact)
    files = [path for path in trip.artifact.rglob("*") if path.is_file()]
    trip.size = sum(path.stat().st_size for path in files)
    if not files:
        _ended(trip, "save error", ["the format wrote nothing"])
    return bool(files)


def _reload(
    original: Original,
    fmt: Format,
    environment: Environment,
    settings: Settings,
    trip: RoundTrip,
    checks: Sequence[str],
    before: dict[str, Any],
) -> Reply | None:
    """Have the environment reload and look; what went wrong there is the trip's verdict."""
    job = {
        "format": fmt.module.__name__,
        "folder": str(trip.artifact),
        "generation": original.generation,
        "imports": list(settings.imports),
        "pythonpath": list(settings.pythonpath),
        "custom_objects": dict(settings.custom_objects),
        "factory": settings.factory,
        "safe_mode": settings.safe_mode,
        "template": calling.outline(trip.expected),
        "paths": [weight["path"] for weight in before.get("weights", [])],
        "batches": [list(batch) for batch in original.batches],
        "checks": list(checks),
    }
    warm = _warm(original, fmt)
    (trip.artifact.parent / "job").write_bytes(tensors.dump({**job, "folder": trip.artifact.name, "warm": warm}))
    try:
        reply = environment.reload(job, warm, settings.timeout)
    except EnvironmentBroken as error:
        _ended(trip, "environment broken", [str(error)])
        return None
    trip.versions["reloaded"] = reply.versions
    trip.seconds.update({f"reload: {step}": seconds for step, seconds in reply.seconds.items()})
    trip.detail = reply.output
    if reply.ended:
        step, how = reply.ended["step"], reply.ended["how"]
        if how == "timed out":
            _ended(trip, "timed out", [f"the reload took more than {settings.timeout:g} s, in the step {step!r}; it was killed"])
            trip.hint = "If it only needs longer, say so with timeout=... or the ini option roundtrip_timeout."
        else:
            _ended(trip, "crashed", [f"the clean interpreter died in the step {step!r}: {how}"])
    elif reply.error:
        raised = reply.error
        said = f"{raised['type']}: {raised['message']}"
        if raised["step"] == "observe":
            _ended(trip, "differs", ["it was reloaded, but cannot be used as the original can", raised["message"]])
        else:
            _ended(trip, "load error", [said])
        trip.detail = raised["traceback"]
        trip.hint = diagnosis.load_hint(raised["message"], original.model)
    return reply


def _warm(original: Original, fmt: Format) -> list[str]:
    """What the clean interpreter imports once, before it forks: the libraries that the model and the format need."""
    keras2_apart = original.generation == 2 and library.tensorflow_version() >= (2, 16)
    return ["tensorflow", *(["tf_keras"] if keras2_apart else []), *getattr(fmt.module, "NEEDS", ())]


def _judge(trip: RoundTrip, found: Comparison, checks: Sequence[str], fmt: Format) -> None:
    trip.checks = {check: found.row(check) for check in observation.CHECKS if check in checks}
    trip.max_ulp = found.max_ulp
    if found.differences:
        _ended(trip, "differs", [*_reading(found), *_lines(found)])
    elif not sum(found.compared.values()):
        _ended(trip, "differs", [f"nothing was compared: {fmt.name} promises {', '.join(fmt.module.PROMISES)}"])
    else:
        trip.verdict = found.closeness


def _reading(found: Comparison) -> list[str]:
    """What the differences mean when they are taken together."""
    if "outputs" in found.differences and found.compared["weights"] and "weights" not in found.differences:
        return ["the weights are equal, the outputs differ: look for an attribute, an argument, a global or a table that was lost"]
    return []


def _lines(found: Comparison) -> list[str]:
    """The differences of each check, not more than a screen can hold."""
    lines = []
    for check, messages in found.differences.items():
        if len(messages) > 1 and found.compared[check] > 1:
            lines.append(f"{check}: {len(messages)} differences in {found.compared[check]} compared")
        lines += messages[:8]
        lines += [f"... and {len(messages) - 8} more"] if len(messages) > 8 else []
    return lines


def _not_deterministic(trip: RoundTrip, unstable: Comparison) -> RoundTrip:
    trip.hint = "Give the model a fixed seed, or return the part of it that is deterministic in inference."
    problem = "called twice on the same inputs, from the same state, the model gives different answers:"
    return _ended(trip, "not deterministic", [problem, *_lines(unstable)])


def _ended(trip: RoundTrip, verdict: str, problems: list[str]) -> RoundTrip:
    trip.verdict, trip.problems = verdict, problems
    return trip


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class _Clock:
    """Adds what has gone by since the last call to a phase."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._since = seconds, time.perf_counter()

    def ended(self, phase: str) -> None:
        now = time.perf_counter()
        self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._since
        self._since = now


def discard(trip: RoundTrip) -> None:
    """Delete the artefact and what lies beside it."""
    shutil.rmtree(trip.artifact.parent, ignore_errors=True)


# what the model is called with


def _arguments(model: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    if not args and not set(kwargs) - {"training"}:
        try:
            made, named = inputs.infer(model)
        except inputs.CannotInfer:
            raise RoundTripError(
                f"what to call this {type(model).__name__} with cannot be told from the model itself: "
                "return the inputs after it (`return model, x`), or give them to the fixture (`roundtrip(model, x)`)"
            ) from None
        return made, {**named, **kwargs}
    try:
        return [tensors.to_numpy(value) for value in args], {name: tensors.to_numpy(value) for name, value in kwargs.items()}
    except TypeError as error:
        raise RoundTripError(f"the model is called with tensors, arrays, lists and dicts of them: {error}") from None


def _in_a_model(layer: Any, args: list[Any]) -> Any:
    """A functional model of one layer: files hold models."""
    keras = library.own_keras(layer)
    make = lambda leaf: keras.Input(leaf.shape[1:], dtype="string" if leaf.dtype == object else leaf.dtype.name)  # noqa: E731
    symbolic = [tensors.map_leaves(make, value) for value in args]
    return keras.Model(symbolic if len(symbolic) > 1 else symbolic[0], layer(*symbolic))


def _outline(args: list[Any], kwargs: dict[str, Any]) -> str:
    def shape(leaf: Any) -> str:
        return f"{leaf.dtype.name}{list(leaf.shape)}" if hasattr(leaf, "shape") else repr(leaf)

    named = [f"{name}={tensors.map_leaves(shape, value)}" for name, value in kwargs.items()]
    return ", ".join([*(str(tensors.map_leaves(shape, value)) for value in args), *named])
