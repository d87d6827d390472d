"""The flow: observe -> save -> move -> reload in a clean interpreter -> observe -> compare."""

from __future__ import annotations

import shutil
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from . import diagnosis
from .comparison import Comparison, Tolerance, compare
from .environments import Environment, EnvironmentBroken, Reply
from .original import GIVEN, Original
from .portable import calling, library, observation, tensors
from .settings import Settings

PASSED = ("exact", "close")


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


def round_trip(original: Original, fmt: Format, environment: Environment, settings: Settings, folder: Path) -> RoundTrip:
    """Do one round trip below `folder`; the verdict is in the result."""
    trip = RoundTrip(fmt.name, environment.name, folder / "artifact", expected=original.expected)
    clock = _Clock(trip.seconds)
    try:
        reason = _unsupported(fmt, original.model, settings)
        checks = [check for check in settings.checks or fmt.module.PROMISES if check in fmt.module.PROMISES]
        before = original.observe(fmt.module, checks, anew=False) if reason is None else {}
    except Exception as error:
        trip.detail = traceback.format_exc()
        return _ended(trip, "save error", [f"the format {fmt.name} cannot look at the model: {_said(error)}"])
    if reason:
        return _ended(trip, "unsupported", [reason])
    if original.unstable.differences or (settings.exact and original.unstable.bits_differ):
        return _not_deterministic(trip, original.unstable)
    trip.versions["saved"] = library.versions()
    clock.ended("observe")
    if not _save(original, fmt, trip, folder):
        return trip
    clock.ended("save")
    if _changed_by_saving(original, fmt, checks, before, trip):
        return trip
    clock.ended("observe")
    reply = _reload(_job(original, fmt, settings, trip, checks, before), environment, settings, trip)
    clock.ended("reload")
    if reply is not None and reply.observation is not None:
        trip.outputs = reply.observation.get("outputs", {}).get("", {}).get(GIVEN)
        _judge(trip, compare(before, reply.observation, settings.tolerance), checks, fmt)
        clock.ended("compare")
    elif reply is not None:
        _blame(trip, reply, settings, original.model)
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
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # what libraries say of each other is no error of this test, whatever its filters
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


def _changed_by_saving(original: Original, fmt: Format, checks: Sequence[str], before: dict[str, Any], trip: RoundTrip) -> bool:
    try:
        changed = compare(before, original.observe(fmt.module, checks, anew=True), Tolerance())
    except observation.CallError as error:
        trip.spoilt = True
        _ended(trip, "differs", ["saving changed the model:", str(error)])
        return True
    if changed.differences:
        trip.spoilt = True
        _ended(trip, "differs", ["saving changed the model:", *_lines(changed)])
    return bool(changed.differences)


def _job(
    original: Original, fmt: Format, settings: Settings, trip: RoundTrip, checks: Sequence[str], before: dict[str, Any]
) -> dict[str, Any]:
    """What the clean interpreter is told (see `portable.reloading`), also written beside the artefact."""
    job = {
        "warm": _warm(original, fmt),
        "format": fmt.name,
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
    (trip.artifact.parent / "job").write_bytes(tensors.dump({**job, "folder": trip.artifact.name}))
    return job


def _reload(job: dict[str, Any], environment: Environment, settings: Settings, trip: RoundTrip) -> Reply | None:
    """What the environment answers, None when it is broken."""
    try:
        reply = environment.reload(job, settings.timeout)
    except EnvironmentBroken as error:
        _ended(trip, "environment broken", [str(error)])
        return None
    trip.versions["reloaded"] = reply.versions
    trip.seconds.update({f"reload: {step}": seconds for step, seconds in reply.seconds.items()})
    trip.detail = reply.output
    return reply


def _blame(trip: RoundTrip, reply: Reply, settings: Settings, model: Any) -> None:
    """What a reload without an observation means."""
    if reply.error:
        trip.detail = reply.error["traceback"]
        trip.hint = diagnosis.load_hint(reply.error["message"], model)
        if reply.error["step"] == "observe":
            _ended(trip, "differs", ["it was reloaded, but cannot be used as the original can", reply.error["message"]])
        else:
            _ended(trip, "load error", [f"{reply.error['type']}: {reply.error['message']}"])
        return
    assert reply.ended is not None
    step, how = reply.ended["step"], reply.ended["how"]
    if how != "timed out":
        _ended(trip, "crashed", [f"the clean interpreter died in the step {step!r}: {how}"])
    elif step == "start":
        _ended(trip, "timed out", ["the imports of TensorFlow and Keras did not come to an end; they were killed"])
    else:
        _ended(trip, "timed out", [f"the reload took more than {settings.timeout:g} s, in the step {step!r}; it was killed"])
        trip.hint = "If it only needs longer, say so with timeout=... or the ini option roundtrip_timeout."


def _warm(original: Original, fmt: Format) -> list[str]:
    """What the clean interpreter imports once, before it forks: the libraries that the model and the format need."""
    keras2_apart = original.generation == 2 and library.tensorflow_version() >= (2, 16)
    return ["tensorflow", *(["tf_keras"] if keras2_apart else []), *getattr(fmt.module, "NEEDS", ())]


def _judge(trip: RoundTrip, found: Comparison, checks: Sequence[str], fmt: Format) -> None:
    trip.checks = {check: found.row(check) for check in observation.CHECKS if check in checks}
    trip.max_ulp = found.max_ulp
    if found.differences:
        _ended(trip, "differs", [*_reading(found), *_lines(found)])
    elif not sum(found.compared.values()) or ("outputs" in checks and not found.compared["outputs"]):
        what = "the outputs hold nothing" if checks else f"{fmt.name} promises {', '.join(fmt.module.PROMISES)} only"
        _ended(trip, "differs", [f"nothing was compared: {what}"])
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
