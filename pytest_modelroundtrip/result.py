"""What comes of a round trip: `RoundTrip`, `Verdict`, `Versions`, and the errors that tests see."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from .portable.checks import Observations
    from .portable.comparing import CheckOutcome


class Verdict(str, enum.Enum):
    """What a round trip came to; a string too, so that `trip.verdict == "exact"` holds."""

    UNDECIDED = "undecided"  # nothing was decided, which fails
    EXACT = "exact"
    CLOSE = "close"  # outputs within the tolerance, not equal bit for bit
    DIFFERS = "differs"
    SAVE_ERROR = "save error"
    LOAD_ERROR = "load error"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    BAD_ANSWER = "bad answer"  # the other side sent what cannot be read
    NOT_DETERMINISTIC = "not deterministic"
    ENVIRONMENT_BROKEN = "environment broken"
    SYSTEM_ERROR = "system error"  # this machine: a full disk, a missing folder, too few files
    UNSUPPORTED = "unsupported"  # the format cannot hold this model

    __str__ = str.__str__

    @property
    def passed(self) -> bool:
        """Whether the reloaded model is the one that was saved."""
        return self in (Verdict.EXACT, Verdict.CLOSE)

    @property
    def is_about_the_format(self) -> bool:
        """Whether the format was tested: neither the model nor a machine is the cause."""
        return self not in (
            Verdict.UNDECIDED,
            Verdict.NOT_DETERMINISTIC,
            Verdict.ENVIRONMENT_BROKEN,
            Verdict.SYSTEM_ERROR,
        )


class Versions(NamedTuple):
    """The versions of both sides, by name of the module: `{"python": "3.11.7", "keras": ...}`."""

    saved: Mapping[str, str] = {}
    reloaded: Mapping[str, str] = {}  # empty where it did not come to a reload

    @property
    def differ(self) -> bool:
        """Whether a module has another version after the reload, or Keras another backend."""
        from .portable.keras_libs import versions_differ  # here, since it imports NumPy

        return versions_differ(self.saved, self.reloaded)


class OwnDistances(NamedTuple):
    """How far the original's own outputs for your batch are apart, in ULP."""

    between_calls: int
    graph_from_eager: int | None = None  # of a Keras model that runs in both ways


@dataclass
class RoundTrip:
    """One model, one format, one environment, and the result.

    Attributes:
        format: the name of the format.
        environment: the name of the environment.
        artifact: the folder that was saved to; deleted after a pass, see `--roundtrip-keep`.
        verdict: what it came to.
        outputs: of the reloaded model: arrays, nested as the model nests them. Strings are object
            arrays of `bytes`. By name of the part for a group. None without a reload.
        expected: the same of the original model.
        max_ulp: the largest distance between two outputs, in units in the last place.
        checks: by name of the check its outcome: "exact", "close", "differs", "not checked" or
            "n/a".
        not_checked: by name of the check why it could not be made of the original.
        distances: by name of the check the largest distance, where one was measured, in ULP.
        own_distances: where outputs are close though bits were expected (in the environment `here`,
            with the same versions): how far the original's own outputs for your batch are apart,
            from call to call and, of a Keras model, from graph to eager; None otherwise.
        problems: what was lost or went wrong, one line each. Like all text here it is printable,
            and within bounds.
        hint: what to do about it.
        detail: the traceback, or the last lines that the clean interpreter printed.
        seconds: by phase.
        versions: of both sides.
        size: of the artifact, in bytes.
        model_changed: whether saving changed the live model.
        confinement: of the process that reloaded, in words; "" where it did not come to that.
    """

    format: str
    environment: str
    artifact: Path
    verdict: Verdict = Verdict.UNDECIDED
    outputs: Any = None
    expected: Any = None
    max_ulp: int = 0
    checks: dict[str, CheckOutcome] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    distances: dict[str, int] = field(default_factory=dict)
    own_distances: OwnDistances | None = None
    problems: list[str] = field(default_factory=list)
    hint: str = ""
    detail: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    versions: Versions = field(default_factory=Versions)
    size: int = 0
    model_changed: bool = False
    confinement: str = ""
    # what the checks saw of the original, which a bundle holds; None where it could not be saved
    _observed: Observations | None = field(default=None, init=False, repr=False)

    @property
    def passed(self) -> bool:
        """Whether the reloaded model is the one that was saved."""
        return self.verdict.passed


_Failed: type[BaseException] = pytest.fail.Exception


class RoundTripError(AssertionError, _Failed):  # type: ignore[misc, valid-type]
    """Something was lost, or the round trip broke off. `trip` is the whole result.

    An AssertionError for whoever catches it; for pytest a failure like its own, so that it can be
    shown without a traceback of ours.
    """

    def __init__(self, message: str, trip: RoundTrip | None = None, pytrace: bool = True) -> None:
        _Failed.__init__(self, message, pytrace)
        self.trip = trip


class FormatFailedError(RoundTripError):
    """The same where the format was judged: what an expected failure excuses."""
