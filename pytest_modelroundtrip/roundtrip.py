"""The flow: observe -> save -> move -> reload in a clean interpreter -> observe -> compare."""

from __future__ import annotations

import shutil
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from . import diagnosis
from .comparison import Comparison, Tolerance, compare, together
from .environments import Environment, EnvironmentBroken, Reply
from .original import System
from .portable import calling, formats, library, observation, tensors
from .settings import COMMAND_LINE, MARKER, Settings

PASSED = ("exact", "close")
SHOWN = 5  # differences of a check in the text of a failure
SHOWN_STEP = 2  # of the next training step, where all that depends on a difference differs


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
    checks: dict[str, str] = field(default_factory=dict)  # check -> "exact", "close", "differs", "n/a": not promised, not asked for
    distances: dict[str, int] = field(default_factory=dict)  # check -> the largest distance in ULP, of those that measure one
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


def round_trip(system: System, fmt: Format, environment: Environment, settings: Settings, folder: Path) -> RoundTrip:
    """Do one round trip below `folder`; the verdict is in the result."""
    trip = RoundTrip(fmt.name, environment.name, folder / "artifact", expected=system.expected)
    clock = _Clock(trip.seconds)
    trip.versions["saved"] = library.versions()
    if environment.broken:
        return _ended(trip, "environment broken", [environment.broken])
    try:
        reason = _unsupported(fmt, system, settings) or _unreadable(fmt, system, environment, settings)
        checks = _checks(fmt, system, settings)
        before = system.observe(fmt.module, checks, anew=False) if reason is None else {}
    except EnvironmentBroken as error:
        return _ended(trip, "environment broken", [str(error)])
    except Exception as error:
        trip.detail = traceback.format_exc()
        return _ended(trip, "save error", [f"the format {fmt.name} cannot look at the model: {_said(error)}"])
    if reason:
        return _ended(trip, "unsupported", [reason])
    if system.unstable.differences or (settings.exact and system.unstable.near):
        return _not_deterministic(trip, system.unstable)
    clock.ended("observe")
    if not _save(system, fmt, trip, folder):
        return trip
    clock.ended("save")
    if _changed_by_saving(system, fmt, checks, before, trip):
        return trip
    clock.ended("observe")
    for generation in range(1, settings.generations + 1):
        job = _job(system, fmt, settings, trip, checks, before, generation)
        _reload_and_judge(job, before, environment, settings, trip, system, fmt, clock)
        if not trip.passed:
            if settings.generations > 1:
                trip.problems.insert(0, f"in generation {generation} of {settings.generations}:")
            break
    return trip


def _checks(fmt: Format, system: System, settings: Settings) -> list[str]:
    """The checks to make, all of them promised by the format: those asked for, else the quick ones that some version keeps."""
    promised = [check for check in observation.CHECKS if check in fmt.module.PROMISES]
    if settings.checks:
        return [check for check in promised if check in settings.checks]
    never_kept = getattr(fmt.module, "NEVER_KEPT", {})
    generations = {part.generation for part in system.parts.values()}
    return [c for c in promised if c not in observation.SLOW and not generations.intersection(never_kept.get(c, ()))]


def _unsupported(fmt: Format, system: System, settings: Settings) -> str | None:
    """The reason why the format cannot hold these models, or cannot be loaded without a factory."""
    for name, model in system.models.items():
        reason = fmt.module.supports(model)
        if reason is None and settings.factory is None and hasattr(fmt.module, "needs_factory"):
            reason = fmt.module.needs_factory(model)
        if reason:
            return f"{name}: {reason}" if name else str(reason)
    if len(system.parts) > 1 and hasattr(fmt.module, "why_not_together"):
        reason = fmt.module.why_not_together(system.models, settings.factory)
        return str(reason) if reason else None
    return None


def _unreadable(fmt: Format, system: System, environment: Environment, settings: Settings) -> str | None:
    """The reason why no interpreter like that one could load it; not looked for where the format was asked for by name.

    Raises:
        EnvironmentBroken: when there is no such interpreter.
    """
    if environment.name == "here" or settings.sources.get("formats") in (MARKER, COMMAND_LINE):
        return None
    there = environment.probe()
    reasons = [formats.why_not_needed(getattr(fmt.module, "NEEDS", ()), there)]
    if hasattr(fmt.module, "why_not_there"):
        reasons += [fmt.module.why_not_there(part.generation, there) for part in system.parts.values()]
    return next(filter(None, reasons), None)


def _save(system: System, fmt: Format, trip: RoundTrip, folder: Path) -> bool:
    """Save, then move: nothing in the artefact may point to where it was written."""
    saving = folder / "saving"
    saving.mkdir(parents=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # what libraries say of each other is no error of this test, whatever its filters
            formats.save_all(fmt.module, system.models, str(saving))
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


def _changed_by_saving(system: System, fmt: Format, checks: Sequence[str], before: dict[str, Any], trip: RoundTrip) -> bool:
    try:
        after = system.observe(fmt.module, checks, anew=True)
        changed = _compared(
            {name: {c: seen for c, seen in part.items() if c in after[name]} for name, part in before.items()}, after
        )
    except observation.CallError as error:
        trip.spoilt = True
        _ended(trip, "differs", ["saving changed the model:", str(error)])
        return True
    if changed.differences:
        trip.spoilt = True
        trip.hint = "What is used or saved after it is another model: save a copy, or in another process."
        _ended(trip, "differs", ["saving changed the model:", *_lines(changed)])
    return bool(changed.differences)


def _compared(
    before: dict[str, Any], after: dict[str, Any], tolerance: Tolerance | None = None, across: bool = False
) -> Comparison:
    """The observations of all parts; `across` versions, where no release promises the same bits."""
    tolerance = tolerance or Tolerance()
    tolerance = replace(tolerance, exact=tolerance.exact and not across, across=across)
    return together(compare(before[name], after[name], tolerance, name) for name in before)


def _job(
    system: System, fmt: Format, settings: Settings, trip: RoundTrip, checks: Sequence[str], before: dict[str, Any], generation: int
) -> dict[str, Any]:
    """What the clean interpreter is told (see `portable.reloading`), also written beside the artefact."""
    beside = trip.artifact.parent
    folders = [trip.artifact, *(beside / f"generation{number}" for number in range(2, settings.generations + 1)), None]
    folder, save_to = folders[generation - 1], folders[generation]
    assert folder is not None
    parts = [
        {
            "name": name,
            "generation": part.generation,
            "template": calling.outline(part.expected),
            "paths": [weight["path"] for weight in before[name].get("weights", [])],
            "batches": [list(batch) for batch in (part.wired, *part.batches[1:])],
        }
        for name, part in system.parts.items()
    ]
    job = {
        "needs": list(getattr(fmt.module, "NEEDS", ())),
        "format": fmt.name,
        "folder": str(folder),
        "save_to": str(save_to) if save_to else None,
        "imports": list(settings.imports),
        "pythonpath": list(settings.pythonpath),
        "custom_objects": dict(settings.custom_objects),
        "factory": settings.factory,
        "safe_mode": settings.safe_mode,
        "parts": parts,
        "checks": list(checks),
    }
    (beside / "job").write_bytes(tensors.dump({**job, "folder": folder.name, "save_to": None}))
    return job


def _reload_and_judge(
    job: dict[str, Any],
    before: dict[str, Any],
    environment: Environment,
    settings: Settings,
    trip: RoundTrip,
    system: System,
    fmt: Format,
    clock: _Clock,
) -> None:
    reply = _reload(job, environment, settings, trip)
    clock.ended("reload")
    if reply is None:
        return
    if reply.observation is None:
        _blame(trip, reply, settings, system)
        return
    answers = {name: seen.get("outputs", {}).get("", {}).get(observation.GIVEN) for name, seen in reply.observation.items()}
    trip.outputs = answers.get("", answers)
    tolerance = replace(settings.tolerance, backends=library.differ_in_backend(trip.versions))
    found = _compared(before, reply.observation, tolerance, across=library.differ(trip.versions))
    _judge(trip, found, job["checks"], fmt)
    clock.ended("compare")
    if found.differences:

        def again(checks: list[str], hash_seed: str | None = None) -> dict[str, Any] | None:
            try:
                return environment.reload({**job, "checks": checks, "save_to": None}, settings.timeout, hash_seed).observation
            except EnvironmentBroken:
                return None  # the differences are known; what they mean is not

        told = diagnosis.diagnose(found, before, reply.observation, system, again)
        trip.verdict, trip.problems = told.verdict or trip.verdict, [*told.lines, *trip.problems]
        trip.hint = told.hint
        clock.ended("diagnose")


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


def _blame(trip: RoundTrip, reply: Reply, settings: Settings, system: System) -> None:
    """What a reload without an observation means."""
    if reply.error:
        trip.detail = reply.error["traceback"]
        trip.hint = diagnosis.load_hint(reply.error["message"], system.models.values())
        if reply.error["step"] == "observe":
            trip.checks["outputs"] = "differs"
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


def _judge(trip: RoundTrip, found: Comparison, checks: Sequence[str], fmt: Format) -> None:
    trip.checks = {check: found.row(check) if check in checks else "n/a" for check in observation.CHECKS}
    for check, distance in found.distances.items():  # of all generations
        trip.distances[check] = max(trip.distances.get(check, 0), distance)
    trip.max_ulp = trip.distances.get("outputs", 0)
    if found.differences:
        _ended(trip, "differs", _lines(found))
    elif not sum(found.compared.values()) or ("outputs" in checks and not found.compared["outputs"]):
        what = "the outputs hold nothing" if checks else f"{fmt.name} promises {', '.join(fmt.module.PROMISES)} only"
        _ended(trip, "differs", [f"nothing was compared: {what}"])
    elif "outputs" in found.near:
        trip.verdict = "close"


def _lines(found: Comparison) -> list[str]:
    """The differences of each check, not more than a screen can hold."""
    lines = []
    for check, messages in found.differences.items():
        shown = SHOWN_STEP if check == "training" else SHOWN
        if len(messages) > 1:
            lines.append(f"{check}: {len(messages)} differences")
        lines += messages[:shown]
        lines += [f"... and {len(messages) - shown} more"] if len(messages) > shown else []
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
