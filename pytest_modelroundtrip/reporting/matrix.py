"""Reports -> the matrix: for each format and model, savers down and loaders across."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from packaging.version import Version

from ..portable.keras_libs import BACKEND
from ..result import Verdict
from ..setting_values import THIS_INTERPRETER
from .json_report import Report
from .names import formats_in_order, short_names
from .record import Record, worst
from .versions import BACKENDS, is_relevant, labeled

MAX_ERROR_LENGTH = 110
ALL, SOME, NONE, NOT_APPLICABLE = (
    "✓",
    "◐",
    "✗",
    "-",
)  # of the models that were tried, how many passed
# two interpreters of one name are the same one where these versions do not differ
IDENTIFYING = ("tensorflow", "keras", "python", BACKEND, *BACKENDS)
# the ends of lines among the problems that only introduce those after them
HEADING_ENDS = (":", " differences", "as the original can")


@dataclass(frozen=True, order=True)
class Side:
    """A saver or a loader; sorted by the version of TensorFlow."""

    order: tuple[Version, ...]
    name: str
    versions: tuple[str, ...]


Pair = tuple[Side, Side]  # saver and loader


class CellKey(NamedTuple):
    """The cell of the matrix in which a round trip stands."""

    format: str
    test: str
    saver: Side
    loader: Side


@dataclass
class Failure:
    """What went wrong in the same way in one cell or in several."""

    number: int
    verdict: str
    line: str
    text: str  # the whole text of the first of them
    where: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MatrixCell:
    """The result for one model, format, saver and loader."""

    text: str
    passed: bool | None  # None: n/a
    failure: Failure | None = None


@dataclass
class Sheet:
    """One format: the overview, each model, and what went wrong."""

    name: str
    overview: dict[Pair, str] = field(default_factory=dict)
    models: dict[str, dict[Pair, MatrixCell]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)  # by what they have in common
    reasons: list[str] = field(default_factory=list)  # why it is n/a
    not_checked: dict[str, None] = field(default_factory=dict)  # model, check and why, in order
    round_trips: int = 0  # that were tried
    passed: int = 0

    def add(self, model: str, pair: Pair, records: Sequence[Record]) -> None:
        """Add a cell: its records from the oldest report to the newest, which counts."""
        newest = records[-1]
        # more than one text: a later run had another result
        text = " / ".join(dict.fromkeys(_verdict_text(record) for record in records))
        passed: bool | None = newest.verdict.passed
        failure = None
        if newest.verdict is Verdict.UNSUPPORTED:
            passed = None
            if newest.problems and newest.first_problem not in self.reasons:
                self.reasons.append(newest.first_problem)
        elif not passed:
            failure = self._failure(newest)
            failure.where.append(f"{model}, {pair[0].name} → {pair[1].name}")
        for check, reason in newest.not_checked.items():
            self.not_checked[f"{model}, {check}: {' '.join(reason.split())}"] = None
        self.models.setdefault(model, {})[pair] = MatrixCell(text, passed, failure)

    def _failure(self, record: Record) -> Failure:
        """The failure of this record; records whose errors differ only in numbers share one."""
        line = _telling_line(record)
        key = f"{record.verdict} {re.sub(r'0x[0-9a-f]+|[0-9]+|/[^ ]*', '#', line)}"
        failure = Failure(len(self.failures) + 1, record.verdict.value, line, record.text)
        return self.failures.setdefault(key, failure)

    def summarize(self) -> None:
        """Count the models that passed, for each saver and loader, and in all."""
        results: dict[Pair, list[bool | None]] = {}
        for row in self.models.values():
            for pair, cell in row.items():
                results.setdefault(pair, []).append(cell.passed)
        for pair, found in results.items():
            tried = [passed for passed in found if passed is not None]
            passed = sum(tried)
            self.round_trips += len(tried)
            self.passed += passed
            self.overview[pair] = _summary_text(passed, len(tried))


@dataclass(frozen=True)
class Matrix:
    """The rows, the columns, and a sheet for each format."""

    savers: list[Side]
    loaders: list[Side]
    sheets: list[Sheet]
    round_trips: int
    passed: int


def merged_reports(reports: Iterable[Report]) -> Matrix:
    """The matrix of several reports. Where a cell is in several, the newest report counts."""
    places = _by_cell(sorted(reports, key=lambda report: report.created))
    short = short_names(place.test for place in places)
    names = {
        test: test if name == test else name.removeprefix("test_") for test, name in short.items()
    }
    sheets: dict[str, Sheet] = {}
    for place, records in places.items():
        sheet = sheets.setdefault(place.format, Sheet(place.format))
        sheet.add(names[place.test], (place.saver, place.loader), records)
    for sheet in sheets.values():
        sheet.summarize()
    return Matrix(
        savers=sorted({place.saver for place in places}),
        loaders=sorted({place.loader for place in places}),
        sheets=[sheets[name] for name in formats_in_order(sorted(sheets))],
        round_trips=sum(sheet.round_trips for sheet in sheets.values()),
        passed=sum(sheet.passed for sheet in sheets.values()),
    )


def _by_cell(reports: Sequence[Report]) -> dict[CellKey, list[Record]]:
    """The records of each cell, one of each report: a test may make several round trips."""
    places: dict[CellKey, list[Record]] = {}
    for report, loaders in zip(reports, _loaders(reports), strict=True):
        for place, records in _cells_of(report.records, loaders).items():
            places.setdefault(place, []).append(worst(records))
    return places


def _cells_of(
    records: Iterable[Record], loaders: Mapping[str, Side]
) -> dict[CellKey, list[Record]]:
    """The records of one report."""
    places: dict[CellKey, list[Record]] = {}
    for record in records:
        saver = _saver(record.versions.saved)
        loader = loaders.get(record.environment, saver)
        place = CellKey(record.format, record.test, saver, loader)
        places.setdefault(place, []).append(record)
    return places


def _saver(versions: Mapping[str, str]) -> Side:
    tensorflow = versions.get("tensorflow")
    name = f"Keras {versions.get('keras', '')}" if tensorflow is None else f"TF {tensorflow}"
    return Side(_order(name, versions), name, _other_versions(versions))


def _loaders(reports: Iterable[Report]) -> list[dict[str, Side]]:
    """For each report its environments by name, with the versions that they had.

    `here` is not among them: there the saver is the loader. An environment that was updated between
    two reports is two loaders of one name.
    """
    known: dict[str, list[dict[str, str]]] = {}
    found = []
    for report in reports:
        seen: dict[str, dict[str, str]] = {}
        for record in report.records:
            if record.environment != THIS_INTERPRETER:
                seen.setdefault(record.environment, {}).update(record.versions.reloaded)
        found.append(
            {
                name: _same_interpreter(known.setdefault(name, []), versions)
                for name, versions in seen.items()
            }
        )
    return [
        {name: _loader(name, versions) for name, versions in environments.items()}
        for environments in found
    ]


def _same_interpreter(known: list[dict[str, str]], versions: dict[str, str]) -> dict[str, str]:
    """The known interpreter that these versions do not contradict, completed by them, or a new one.

    A reload that failed early has imported less than others.
    """
    identifying = [
        (name, version)
        for name, version in versions.items()
        if name in IDENTIFYING and is_relevant(name, versions)
    ]
    for interpreter in known:
        if all(interpreter.get(name, version) == version for name, version in identifying):
            interpreter.update(versions)
            return interpreter
    known.append(dict(versions))
    return known[-1]


def _loader(name: str, versions: Mapping[str, str]) -> Side:
    tensorflow = (labeled("tensorflow", versions),) if "tensorflow" in versions else ()
    return Side(_order(name, versions), name, tensorflow + _other_versions(versions))


def _other_versions(versions: Mapping[str, str]) -> tuple[str, ...]:
    """Those of Keras, its backend and Python."""
    # with TF_USE_LEGACY_KERAS TensorFlow imports tf-keras, and no other Keras
    keras = "keras" if "keras" in versions else "tf_keras"
    shown = (keras, *BACKENDS, "python")
    return tuple(labeled(name, versions) for name in shown if is_relevant(name, versions))


def _order(name: str, versions: Mapping[str, str]) -> tuple[Version, ...]:
    """By the version of TensorFlow, else by the first number in the name that is a version."""
    for text in (versions.get("tensorflow", ""), *re.findall(r"\d+(?:\.\d+)*", name)):
        try:
            return (Version(text),)
        except ValueError:  # not a version, or one with more digits than Python reads
            continue
    return ()


def _verdict_text(record: Record) -> str:
    if record.verdict is Verdict.CLOSE:
        return f"close ({record.max_ulp} ulp)"
    return "n/a" if record.verdict is Verdict.UNSUPPORTED else record.verdict.value


def _telling_line(record: Record) -> str:
    """The line that says most: the error, or the first difference."""
    lines = [
        " ".join(re.sub(r"/\S*/(?=artifact|saving)", "", line).split()) for line in record.problems
    ]
    found = next((line for line in lines if not line.endswith(HEADING_ENDS)), "")
    # Keras puts the cause last, after all the configs around it
    found = found.rpartition("Exception encountered: ")[2]
    return found if len(found) <= MAX_ERROR_LENGTH else f"{found[: MAX_ERROR_LENGTH - 4]} ..."


def _summary_text(passed: int, tried: int) -> str:
    if not tried:
        return f"{NOT_APPLICABLE} n/a"
    sign = ALL if passed == tried else SOME if passed else NONE
    return f"{sign} {passed}/{tried}"
