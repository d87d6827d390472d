"""The JSON report: what `--roundtrip-report` writes, and what the matrix is made from.

`docs/report.md` describes it.
"""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from .record import Record

REPORT_SCHEMA = 1


class ReportError(ValueError):
    """A file that is not a report; the text names it and says why."""


class Report(NamedTuple):
    """What a reader needs of a report."""

    created: str  # the time, in ISO 8601
    records: list[Record]


def write(path: Path, records: Iterable[Record]) -> None:
    """Write the report, all of it or nothing."""
    now = datetime.datetime.now(datetime.timezone.utc)
    report = {
        "schema": REPORT_SCHEMA,
        "generator": f"pytest-modelroundtrip {__version__}",
        "created": now.isoformat(timespec="seconds"),
        "roundtrips": [record.to_dict() for record in records],
    }
    part = path.with_name(f"{path.name}.part")
    text = json.dumps(_without_nan(report), indent=1, allow_nan=False)
    try:
        part.write_text(f"{text}\n", encoding="utf-8")
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _without_nan(value: object) -> object:
    """The same value with words for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read(path: Path) -> Report:
    """The report in that file.

    Raises:
        ReportError: when there is no such file, it is not a report, it has a newer schema, or a
            field of a round trip is missing or of the wrong type.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is not JSON: {error}") from None
    given = report if isinstance(report, dict) else {}
    schema, roundtrips = given.get("schema"), given.get("roundtrips")
    if not isinstance(schema, int) or not isinstance(roundtrips, list):
        raise ReportError(
            f"{path} is not a report of pytest-modelroundtrip: it has no schema or no roundtrips"
        )
    if schema > REPORT_SCHEMA:
        raise ReportError(
            f"{path} has schema {schema}; this version reads up to {REPORT_SCHEMA}: "
            "update pytest-modelroundtrip"
        )
    records = [_record(path, number, plain) for number, plain in enumerate(roundtrips)]
    return Report(str(given.get("created", "")), records)


def _record(path: Path, number: int, plain: object) -> Record:
    try:
        return Record.from_dict(plain)
    except ValueError as error:
        raise ReportError(f"{path}: round trip {number}: {error}") from None
