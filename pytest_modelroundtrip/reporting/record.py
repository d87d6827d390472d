"""The record of one round trip: what test reports carry, the JSON report holds, and tables show.

`docs/report.md` describes the fields.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..presentable import printable
from ..result import OwnDistances, RoundTrip, Verdict, Versions

T = TypeVar("T")

OWN_DISTANCES = ("between two calls", "between graph and eager")  # their names in JSON


@dataclass(frozen=True, kw_only=True)
class Record:
    """One result. A JSON report may lack the fields that have a default."""

    test: str  # the id, without format and environment
    format: str
    environment: str
    verdict: Verdict
    max_ulp: int
    checks: dict[str, str]
    not_checked: dict[str, str] = field(default_factory=dict)
    distances: dict[str, int] = field(default_factory=dict)
    own_distances: OwnDistances | None = None
    problems: list[str]
    text: str  # of the failure, as the terminal shows it; empty without one
    detail: str = ""  # the traceback or what was printed, of which the text has the end
    seconds: dict[str, float] = field(default_factory=dict)
    versions: Versions
    size: int = 0
    confinement: str = ""  # of the process that reloaded
    outcome: str = ""  # pytest's, once the test has ended
    expected_failure: str | None = None  # the reason, where the failure was expected

    @classmethod
    def of(cls, nodeid: str, case_id: str, trip: RoundTrip, text: str) -> Record:
        """The record of a round trip that a test made; `text` is that of its failure."""
        return cls(
            test=without_case(nodeid, case_id),
            format=trip.format,
            environment=trip.environment,
            verdict=trip.verdict,
            max_ulp=trip.max_ulp,
            checks={name: str(outcome) for name, outcome in trip.checks.items()},
            not_checked=trip.not_checked,
            distances=trip.distances,
            own_distances=trip.own_distances,
            problems=trip.problems,
            text=text,
            detail=trip.detail if text else "",
            seconds={phase: round(seconds, 4) for phase, seconds in trip.seconds.items()},
            versions=trip.versions,
            size=trip.size,
            confinement=trip.confinement,
        )

    @classmethod
    def from_dict(cls, plain: object) -> Record:
        """The record that this JSON value describes; fields that it does not know are ignored.

        Raises:
            ValueError: where a field is missing or of the wrong type, or the verdict is unknown.
        """
        given = plain if isinstance(plain, dict) else {}
        parsed: dict[str, Any] = {}
        wrong = []
        for name, parse in _PARSERS.items():
            if name in given or name in _REQUIRED:
                try:
                    parsed[name] = parse(given.get(name))
                except (TypeError, OverflowError):  # OverflowError: a number of 400 digits
                    wrong.append(name)
        if wrong:
            raise ValueError(f"missing or of the wrong type: {', '.join(wrong)}")
        return cls(**parsed)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The record that this text describes.

        Raises:
            ValueError: when it is not JSON, or not a record.
        """
        try:
            return cls.from_dict(json.loads(text))
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def to_dict(self) -> dict[str, object]:
        """What JSON holds of it; without pytest's outcome as long as that is not known."""
        plain = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        plain |= {"verdict": self.verdict.value, "versions": versions_to_dict(self.versions)}
        plain["own_distances"] = _own_distances_to_dict(self.own_distances)
        unknown = () if self.outcome else ("outcome", "expected_failure")
        return {name: value for name, value in plain.items() if name not in unknown}

    def to_json(self) -> str:
        """What `from_json` reads."""
        return json.dumps(self.to_dict())

    @property
    def is_failure(self) -> bool:
        """Whether it was tried, and did not pass."""
        return not self.verdict.passed and self.verdict is not Verdict.UNSUPPORTED

    @property
    def first_problem(self) -> str:
        """The first line of what went wrong, or the reason why it is not supported."""
        return next(iter(self.problems), "")


def versions_to_dict(versions: Versions) -> dict[str, dict[str, str]]:
    """Both sides as JSON holds them; without "reloaded" where it did not come to a reload."""
    sides = {"saved": dict(versions.saved), "reloaded": dict(versions.reloaded)}
    return {side: modules for side, modules in sides.items() if modules or side == "saved"}


def _own_distances_to_dict(own: OwnDistances | None) -> dict[str, int]:
    """Those that were measured, as JSON holds them."""
    named = zip(OWN_DISTANCES, own or (), strict=False)
    return {name: distance for name, distance in named if distance is not None}


def worst(records: Iterable[Record]) -> Record:
    """Of several round trips of one test a failure, else the one with the largest distance."""
    return max(records, key=lambda record: (record.is_failure, record.max_ulp))


def without_case(nodeid: str, case_id: str) -> str:
    """The id of the test: `test_a[keras]` -> `test_a`, `test_a[1-keras]` -> `test_a[1]`."""
    for suffix, rest in ((f"[{case_id}]", ""), (f"-{case_id}]", "]")):
        if nodeid.endswith(suffix):
            return nodeid[: -len(suffix)] + rest
    return nodeid


# one field of parsed JSON; each raises TypeError where it has the wrong type


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return printable(value)


def _text_or_none(value: object) -> str | None:
    return None if value is None else _parse_text(value)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _seconds(value: object) -> float:
    """JSON has neither NaN nor infinity: the report has "nan" and "inf" for them."""
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    if not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError
    return [_parse_text(item) for item in value]


def _by_name(value: object, parse: Callable[[object], T]) -> dict[str, T]:
    if not isinstance(value, dict):
        raise TypeError
    return {_parse_text(name): parse(item) for name, item in value.items()}


def _texts_by_name(value: object) -> dict[str, str]:
    return _by_name(value, _parse_text)


def _versions(value: object) -> Versions:
    sides = _by_name(value, _texts_by_name)
    return Versions(sides.get("saved", {}), sides.get("reloaded", {}))


def _own_distances(value: object) -> OwnDistances | None:
    distances = _by_name(value, _number)
    between_calls, graph_from_eager = (distances.get(name) for name in OWN_DISTANCES)
    return None if between_calls is None else OwnDistances(between_calls, graph_from_eager)


def _verdict(value: object) -> Verdict:
    text = _parse_text(value)
    if text not in [verdict.value for verdict in Verdict]:
        raise ValueError(f"unknown verdict {text[:80]!r}; known are {', '.join(Verdict)}")
    return Verdict(text)


_PARSERS: dict[str, Callable[[object], object]] = {
    "test": _parse_text,
    "format": _parse_text,
    "environment": _parse_text,
    "verdict": _verdict,
    "max_ulp": _number,
    "checks": _texts_by_name,
    "not_checked": _texts_by_name,
    "distances": lambda value: _by_name(value, _number),
    "own_distances": _own_distances,
    "problems": _texts,
    "text": _parse_text,
    "detail": _parse_text,
    "seconds": lambda value: _by_name(value, _seconds),
    "versions": _versions,
    "size": _number,
    "confinement": _parse_text,
    "outcome": _parse_text,
    "expected_failure": _text_or_none,
}
_REQUIRED = frozenset(
    item.name
    for item in dataclasses.fields(Record)
    if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
)
