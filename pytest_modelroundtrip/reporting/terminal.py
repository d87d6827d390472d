"""The summary in the terminal: tests down, formats across."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import pytest

from ..result import OwnDistances, Verdict
from ..setting_values import THIS_INTERPRETER, case_id
from .names import formats_in_order, short_names
from .record import Record, worst
from .versions import version_line

Rows = dict[str, dict[str, list[Record]]]  # row -> format -> its records
Columns = dict[str, int]  # format -> width

MIN_LABEL_WIDTH = 16
MIN_REASON_WIDTH = 40
MAX_REASON_LENGTH = 320
MAX_PLAIN_ULP = 10**6  # larger distances are shown as 1e+06
MIN_SECONDS = 0.005  # shorter phases are not shown
IMPORT_PHASE = "reload: start"  # of the library that computes
WARM_PHASE = "reload: warm"  # imports of other libraries


def write_summary(
    terminal: pytest.TerminalReporter,
    records: Sequence[Record],
    width: int,
    verbose: bool,
    quiet: bool,
) -> None:
    """Write the table, the reasons unless `quiet`, and the seconds by phase if `verbose`."""
    terminal.write_sep("=", "model round trips")
    for line in _environment_lines(records):
        terminal.write_line(line)
    rows = _rows(records)
    formats = formats_in_order(record.format for record in records)
    label_width = min(max(len(row) for row in rows), max(MIN_LABEL_WIDTH, width // 3))
    for columns in _fitting(formats, rows, width - label_width):
        _write_columns(terminal, columns, rows, label_width)
    if not quiet:
        reason_width = max(width, MIN_REASON_WIDTH)
        for line in _reason_lines(records):
            terminal.write_line(textwrap.fill(line, reason_width, subsequent_indent="     "))
    if verbose:
        for line in _seconds_lines(records):
            terminal.write_line(line)


def _environment_lines(records: Iterable[Record]) -> list[str]:
    """What saved, and each environment that has other versions or is broken."""
    lines: dict[str, str] = {}
    for record in records:
        name, versions = record.environment, record.versions
        if versions.saved:
            lines.setdefault("", f"saved with {version_line(versions.saved)}")
        if versions.differ:
            lines.setdefault(name, f"{name}: reloaded with {version_line(versions.reloaded)}")
        if record.verdict is Verdict.ENVIRONMENT_BROKEN:
            lines.setdefault(name, f"{name}: {_shortened(record.first_problem)}")
    return list(lines.values())


def _rows(records: Iterable[Record]) -> Rows:
    """A row is a test in an environment; the test is named without its file where that is clear."""
    records = list(records)
    names = short_names(record.test for record in records)
    rows: Rows = {}
    for record in records:
        name, environment = names[record.test], record.environment
        row = name if environment == THIS_INTERPRETER else f"{name} -> {environment}"
        rows.setdefault(row, {}).setdefault(record.format, []).append(record)
    return rows


def _cell_text(records: Iterable[Record]) -> tuple[str, dict[str, bool]]:
    """The text of a cell and its color: those of the worst of its round trips."""
    record = worst(records)
    if record.verdict is Verdict.EXACT:
        return "exact", {"green": True}
    if record.verdict is Verdict.CLOSE:
        ulp = record.max_ulp
        return (f"{ulp} ulp" if ulp < MAX_PLAIN_ULP else f"{ulp:.0e} ulp"), {"green": True}
    if record.verdict is Verdict.UNSUPPORTED:
        return "n/a", {"light": True}
    text = "DIFFERS" if record.verdict is Verdict.DIFFERS else record.verdict.value
    if record.expected_failure is not None:
        return f"({text})", {"yellow": True}
    return text, {"red": True, "bold": True}


def _fitting(formats: Iterable[str], rows: Rows, width: int) -> list[Columns]:
    """The formats in groups that fit beside the labels."""
    groups: list[Columns] = [{}]
    for name in formats:
        texts = [_cell_text(row[name])[0] for row in rows.values() if name in row]
        column_width = 2 + max(len(text) for text in [name, *texts])
        if groups[-1] and sum(groups[-1].values()) + column_width > width:
            groups.append({})
        groups[-1][name] = column_width
    return groups


def _write_columns(
    terminal: pytest.TerminalReporter, columns: Columns, rows: Rows, label_width: int
) -> None:
    head = "".join(f"  {name:<{width - 2}}" for name, width in columns.items())
    terminal.write_line((" " * label_width + head).rstrip())
    for name, row in rows.items():
        if not row.keys() & columns.keys():
            continue
        label = name if len(name) <= label_width else f"...{name[3 - label_width :]}"
        terminal.write(f"{label:<{label_width}}")
        gap = 0  # written only before a cell, so that no line ends in blanks
        for column, width in columns.items():
            if column in row:
                text, color = _cell_text(row[column])
                terminal.write(" " * (gap + 2))
                terminal.write(text, **color)
                gap = width - 2 - len(text)
            else:
                gap += width
        terminal.write_line("")


def _reason_lines(records: Iterable[Record]) -> list[str]:
    """Why a format is n/a, a failure was expected, outputs are close, or a check was not made.

    Formats with the same reason share a line.
    """
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for record in records:
        if record.verdict is Verdict.UNSUPPORTED:
            text = _shortened(record.first_problem)
            reasons.setdefault(("n/a", text), {})[record.format] = None
        elif record.expected_failure is not None:
            reasons.setdefault(("( )", record.expected_failure), {})[record.format] = None
        elif record.own_distances is not None:
            text = f"the original itself differs {_own_distances(record.own_distances)}"
            reasons.setdefault(("ulp", text), {})[record.format] = None
        for check, reason in record.not_checked.items():
            text = _shortened(f"{check} not checked: {reason}")
            reasons.setdefault(("(!)", text), {})[record.format] = None
    return [
        f"{mark}  {', '.join(formats)}: {reason}" for (mark, reason), formats in reasons.items()
    ]


def _own_distances(own: OwnDistances) -> str:
    between_calls = f"by {own.between_calls} ulp between two calls"
    if own.graph_from_eager is None:
        return between_calls
    return f"{between_calls}, by {own.graph_from_eager} ulp between graph and eager"


def _shortened(problem: str) -> str:
    """A problem in one line; the failure, or the report, has the whole."""
    return textwrap.shorten(problem, MAX_REASON_LENGTH, placeholder=" ...")


def _seconds_lines(records: Sequence[Record]) -> list[str]:
    """How long the imports took, then the other phases of each round trip."""
    imports = [record.seconds.get(IMPORT_PHASE, 0.0) for record in records]
    imports = [seconds for seconds in imports if seconds]
    warm = sum(record.seconds.get(WARM_PHASE, 0.0) for record in records)
    total = f"TensorFlow imports in clean interpreters: {len(imports)}, {sum(imports):.2f} s in all"
    lines = [f"{total}; imports of other libraries: {warm:.2f} s" if warm else total]
    for record in records:
        spent = ", ".join(
            f"{phase} {seconds:.2f}"
            for phase, seconds in record.seconds.items()
            if seconds >= MIN_SECONDS and phase != IMPORT_PHASE
        )
        if spent:
            name = record.test.split("::", 1)[-1]
            lines.append(f"  {name}[{case_id(record.format, record.environment)}]: {spent}")
    return lines
