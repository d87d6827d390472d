"""Reports -> the matrix: per format and model kind, who saved down, who loaded across."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from . import report
from .portable.formats import BUILT_IN
from .roundtrip import PASSED

Record = dict[str, Any]

LINE = 110  # of an error in a cell's failure
SIGNS = {"all": "✓", "some": "◐", "none": "✗", "n/a": "-"}
SHOWN = ("tensorflow", "keras", "python", "backend", *report.BACKENDS)  # by these two interpreters of one name are told apart
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, order=True)
class Side:
    """Who saved, or who loaded: sorted by the version of TensorFlow."""

    order: tuple[Version, ...]
    name: str
    versions: tuple[str, ...]


Place = tuple[str, str, Side, Side]  # a cell: format, test, saver, loader


@dataclass
class Failure:
    """What went wrong in the same way in one cell or in several."""

    number: int
    verdict: str
    line: str
    text: str  # of the first of them, as a user sees it
    where: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cell:
    """One model, format, saver and loader."""

    text: str
    passed: bool | None  # None: n/a
    failure: Failure | None = None


@dataclass
class Sheet:
    """One format: the overview, the models, and what went wrong; of the round trips that were tried, how many passed."""

    name: str
    overview: dict[tuple[Side, Side], str] = field(default_factory=dict)
    models: dict[str, dict[tuple[Side, Side], Cell]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)  # why it is n/a
    round_trips: int = 0
    passed: int = 0


@dataclass
class Matrix:
    """All of it: the rows, the columns and a sheet for each format."""

    savers: list[Side]
    loaders: list[Side]
    sheets: list[Sheet]
    round_trips: int
    passed: int


def merged(reports: Iterable[dict[str, Any]]) -> Matrix:
    """The matrix of several reports, as `report_file.read` gives them. Of a cell that is met again the newest counts."""
    reports = sorted(reports, key=lambda one: str(one.get("created", "")))
    cells: dict[Place, list[Record]] = {}
    for one, loaders in zip(reports, _loaders(reports), strict=True):
        for place, items in _placed(one["roundtrips"], loaders).items():
            cells.setdefault(place, []).append(report.worst(items))
    short = report.short_names(test for _, test, _, _ in cells)
    names = {test: test if name == test else name.removeprefix("test_") for test, name in short.items()}
    sheets: dict[str, Sheet] = {}
    for (fmt, test, saver, loader), items in cells.items():
        sheet = sheets.setdefault(fmt, Sheet(fmt))
        where = f"{names[test]}, {saver.name} → {loader.name}"
        sheet.models.setdefault(names[test], {})[saver, loader] = _cell(items, sheet, where)
    for sheet in sheets.values():
        _summarise(sheet)
    order = {name: number for number, name in enumerate(BUILT_IN)}
    return Matrix(
        savers=sorted({saver for _, _, saver, _ in cells}),
        loaders=sorted({loader for _, _, _, loader in cells}),
        sheets=sorted(sheets.values(), key=lambda sheet: (order.get(sheet.name, len(order)), sheet.name)),
        round_trips=sum(sheet.round_trips for sheet in sheets.values()),
        passed=sum(sheet.passed for sheet in sheets.values()),
    )


def _placed(items: list[Record], loaders: dict[str, Side]) -> dict[Place, list[Record]]:
    """One report's round trips by their cell: a test may make several."""
    cells: dict[Place, list[Record]] = {}
    for item in items:
        saver = _saver(item["versions"].get("saved", {}))
        loader = loaders.get(item["environment"], saver)
        cells.setdefault((item["format"], item["test"], saver, loader), []).append(item)
    return cells


def _saver(versions: dict[str, str]) -> Side:
    name = f"TF {versions['tensorflow']}" if "tensorflow" in versions else f"Keras {versions.get('keras', '')}"
    return Side(_order(name, versions), name, _beside_tensorflow(versions))


def _loaders(reports: list[dict[str, Any]]) -> list[dict[str, Side]]:
    """For each report its environments by name, with the versions that were seen there; `here` is whoever saved.

    An environment that was updated between two reports is two loaders of one name.
    """
    known: dict[str, list[dict[str, str]]] = {}
    found = []
    for one in reports:
        seen: dict[str, dict[str, str]] = {}
        for item in one["roundtrips"]:
            seen.setdefault(item["environment"], {}).update(item["versions"].get("reloaded", {}))
        found.append({name: _same(known.setdefault(name, []), versions) for name, versions in seen.items() if name != "here"})
    return [{name: _loader(name, versions) for name, versions in environments.items()} for environments in found]


def _same(known: list[dict[str, str]], versions: dict[str, str]) -> dict[str, str]:
    """That of the known interpreters which these versions do not contradict, completed by them.

    A reload that failed early imported less than others.
    """
    shown = {name: version for name, version in versions.items() if name in SHOWN and report.is_told(name, versions)}
    for one in known:
        if all(one.get(name, version) == version for name, version in shown.items()):
            one.update(versions)
            return one
    known.append(dict(versions))
    return known[-1]


def _loader(name: str, versions: dict[str, str]) -> Side:
    tensorflow = (f"TF {versions['tensorflow']}",) if "tensorflow" in versions else ()
    return Side(_order(name, versions), name, tensorflow + _beside_tensorflow(versions))


def _beside_tensorflow(versions: dict[str, str]) -> tuple[str, ...]:
    keras = "keras" if "keras" in versions else "tf_keras"  # with TF_USE_LEGACY_KERAS TensorFlow imports no other
    shown = [name for name in (keras, *report.BACKENDS, "python") if name in versions and report.is_told(name, versions)]
    return tuple(f"{report.MODULES[name]} {versions[name]}" for name in shown)


def _order(name: str, versions: dict[str, str]) -> tuple[Version, ...]:
    """By the version of TensorFlow, else by the numbers in the name."""
    told = [versions.get("tensorflow", ""), *re.findall(r"\d+(?:\.\d+)*", name)]
    found = []
    for text in told:
        try:
            found.append(Version(text))
        except InvalidVersion:
            continue
    return tuple(found[:1])


def _cell(items: list[Record], sheet: Sheet, where: str) -> Cell:
    newest = items[-1]
    verdicts = list(dict.fromkeys(_verdict(item) for item in items))
    text = " / ".join(verdicts)  # more than one: a second run said otherwise
    if newest["verdict"] == "unsupported":
        if newest["problems"] and newest["problems"][0] not in sheet.reasons:
            sheet.reasons.append(newest["problems"][0])
        return Cell(text, None)
    if newest["verdict"] in PASSED:
        return Cell(text, True)
    line = _first_line(newest)
    key = f"{newest['verdict']} {re.sub(r'0x[0-9a-f]+|[0-9]+|/[^ ]*', '#', line)}"
    failure = sheet.failures.setdefault(key, Failure(len(sheet.failures) + 1, newest["verdict"], line, newest["text"]))
    failure.where.append(where)
    return Cell(text, False, failure)


def _verdict(item: Record) -> str:
    if item["verdict"] == "close":
        return f"close ({item['max_ulp']} ulp)"
    return {"unsupported": "n/a"}.get(item["verdict"], str(item["verdict"]))


def _first_line(item: Record) -> str:
    """What says most: the error, or the first difference."""
    lines = [" ".join(re.sub(r"/\S*/(?=artifact|saving)", "", str(line)).split()) for line in item["problems"]]
    told = next((line for line in lines if not line.endswith((":", " differences", "as the original can"))), "")
    told = told.rpartition("Exception encountered: ")[2]  # Keras tells the cause last, after all the configs around it
    return told if len(told) <= LINE else told[: LINE - 4] + " ..."


def _summarise(sheet: Sheet) -> None:
    """How many of the models came back, for each saver and loader, and in all."""
    pairs: dict[tuple[Side, Side], list[Cell]] = {}
    for row in sheet.models.values():
        for pair, cell in row.items():
            pairs.setdefault(pair, []).append(cell)
    for pair, cells in pairs.items():
        tried = [cell for cell in cells if cell.passed is not None]
        good = sum(bool(cell.passed) for cell in tried)
        sign = SIGNS["n/a"] if not tried else SIGNS["all" if good == len(tried) else "some" if good else "none"]
        sheet.round_trips += len(tried)
        sheet.passed += good
        sheet.overview[pair] = f"{sign} {good}/{len(tried)}" if tried else f"{sign} n/a"


def rendered(matrix: Matrix, template: str) -> str:
    """The matrix as a page: `template` is `matrix.html.jinja` or `matrix.md.jinja`.

    Raises:
        ImportError: without Jinja2.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["plain"] = _plain
    page = environment.get_template(template).render(matrix=matrix)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")  # an error's text may quote bytes that are no text


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing else, in a table's cell too."""
    return re.sub(r"([|`*_<>&\[\]\\])", r"\\\1", " ".join(text.split()))
