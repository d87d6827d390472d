"""The rows of the table in docs/reliability.md: `tox -e faults` gathers them and writes it.

python tests/faults/rows.py ROWS PAGE
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

ROWS = os.environ.get("ROUNDTRIP_TEST_FAULTS")  # the file of the rows; set where all are tried
BEGIN, END = "<!-- begin: written by tox -e faults -->", "<!-- end -->"
HEAD = "| fault | verdict | seconds beyond the limit | left behind | next round trip |"


class Row(NamedTuple):
    """What came of one fault."""

    fault: str
    verdict: str
    beyond: float | None  # seconds; None where no limit was reached
    left: int  # processes and files
    following: str  # the verdict of the next round trip


def add_row(row: Row) -> None:
    """Add a row, where they are gathered."""
    if ROWS:
        Path(ROWS).parent.mkdir(parents=True, exist_ok=True)
        with Path(ROWS).open("a") as out:
            out.write(json.dumps(row) + "\n")


def table(rows: list[Row]) -> str:
    """The rows in Markdown; of one fault the last one counts."""
    lines = [HEAD, "|---|---|---|---|---|"]
    for row in {row.fault: row for row in rows}.values():
        beyond = "" if row.beyond is None else f"{row.beyond:.1f}"
        cells = [row.fault, row.verdict, beyond, str(row.left or "nothing"), row.following]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(gathered: str, page: str) -> None:
    """Put the table between the two marks of the page."""
    rows = [Row(*json.loads(line)) for line in Path(gathered).read_text().splitlines()]
    text = Path(page).read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    Path(page).write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


if __name__ == "__main__":
    main(*sys.argv[1:])
