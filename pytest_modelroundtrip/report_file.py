"""The JSON report: what `--roundtrip-report` writes, and what the matrix is made from. `docs/report.md` describes it."""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import __version__

SCHEMA = 1
KEPT = {  # what a reader needs of each round trip, and of which type
    "test": str,
    "format": str,
    "environment": str,
    "verdict": str,
    "max_ulp": int,
    "checks": dict,
    "problems": list,
    "text": str,
    "versions": dict,
}


class Unreadable(ValueError):
    """A file that is no report; the text names it and says why."""


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Write the report, all of it or nothing."""
    report = {
        "schema": SCHEMA,
        "generator": f"pytest-modelroundtrip {__version__}",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "roundtrips": records,
    }
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(_finite(report), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read(path: Path) -> dict[str, Any]:
    """A report.

    Raises:
        Unreadable: when there is none, it is of a newer schema, or a field that a reader needs is of another type.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is no JSON: {error}") from None
    if not isinstance(report, dict) or not isinstance(report.get("schema"), int) or not isinstance(report.get("roundtrips"), list):
        raise Unreadable(f"{path} is no report of pytest-modelroundtrip: it has no schema or no roundtrips")
    if report["schema"] > SCHEMA:
        raise Unreadable(f"{path} has schema {report['schema']}; this version reads up to {SCHEMA}: update pytest-modelroundtrip")
    for number, record in enumerate(report["roundtrips"]):
        wrong = _wrong(record)
        if wrong:
            raise Unreadable(f"{path}: round trip {number} has no {', '.join(wrong)}, or of another type")
    return report


def _wrong(record: Any) -> list[str]:
    """The fields of a round trip that are missing or of another type than a reader may expect."""
    if not isinstance(record, dict):
        return list(KEPT)
    wrong = [name for name, kind in KEPT.items() if not isinstance(record.get(name), kind)]
    if "problems" not in wrong and not _are_strings(record["problems"]):
        wrong.append("problems")
    if "versions" not in wrong:
        sides = record["versions"].values()
        if not all(isinstance(side, dict) and _are_strings(side.values()) for side in sides):
            wrong.append("versions")
    return wrong


def _are_strings(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
