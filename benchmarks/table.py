"""The rows of benchmarks as JSON, and as a table in Markdown."""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import Row, number

PACKAGES = ("pytest-modelroundtrip", "tensorflow", "tensorflow-cpu", "keras", "numpy", "pytest")

Plain = dict[str, Any]  # a row as JSON has it
Cases = dict[str, dict[str, Plain]]  # by the names of case and subject


def write_part(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows of one benchmark, with the machine and the versions."""
    part = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": dict(versions()),
        "rows": [plain(row) for row in rows],
    }
    path.write_text(json.dumps(part, indent=1), encoding="utf-8")


def plain(row: Row) -> Plain:
    """A row as JSON has it."""
    ratio = None if math.isnan(row.ratio) else row.ratio
    return {**row._asdict(), "values": [*row.values], "median": row.median, "ratio": ratio}


def machine() -> str:
    """The processor, the cores that this process may use, and the memory."""
    name = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} cores, {memory / 2**30:.0f} GiB, {platform.system()}"


def versions() -> Iterator[tuple[str, str]]:
    """Python, and each package that is installed."""
    yield "python", platform.python_version()
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def markdown(parts: Iterable[Path]) -> str:
    """The tables of all parts; where and when they were measured is said where it changes."""
    lines, last = list[str](), ""
    for path in parts:
        part = json.loads(path.read_text(encoding="utf-8"))
        named = ", ".join(f"{name} {version}" for name, version in part["versions"].items())
        where = f"{part['date'][:10]}: {part['machine']}; {named}."
        lines += [f"### {path.stem}", "", *([where, ""] if where != last else [])]
        for group in _groups(part["rows"]):
            lines += [*_table(group), ""]
        last = where
    return "\n".join(lines)


def _groups(rows: Iterable[Plain]) -> list[Cases]:
    """The cases that share a subject are in one table, by their names."""
    groups: list[Cases] = []
    for case, found in itertools.groupby(rows, lambda row: row["case"]):
        subjects = {row["subject"]: row for row in found}
        if not groups or not subjects.keys() & set().union(*groups[-1].values()):
            groups.append({})
        groups[-1][case] = subjects
    return groups


def _table(cases: Cases) -> Iterator[str]:
    """A line for each case, or, where there is but one, a line for each subject."""
    names = list(dict.fromkeys(name for subjects in cases.values() for name in subjects))
    if len(cases) == 1:
        ((case, subjects),) = cases.items()
        grid = [[case, ""], *([name, _cell(subjects[name])] for name in names)]
    else:
        cells = (
            [case, *(_cell(subjects.get(name)) for name in names)]
            for case, subjects in cases.items()
        )
        grid = [["", *names], *cells]
    yield _line(grid[0])
    yield _line(["---"] * len(grid[0]))
    yield from map(_line, grid[1:])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: Plain | None) -> str:
    """Median, spread, and how many times the floor."""
    if row is None:
        return ""
    values, unit = row["values"], row["unit"]
    text = f"{number(row['median'])} {unit}".strip()
    if len(values) > 1:
        text += f" ({number(min(values))} to {number(max(values))})"
    is_floor = row["subject"] == row["floor"]
    return text if is_floor or row["ratio"] is None else f"{text}, **{row['ratio']:.2f} x**"
