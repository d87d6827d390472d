"""What came of each kind of thing that people put into a model, in each format.

`matrix/people.json` has, by versions and kind, a cell for each format: "exact" or "close", or
"n/a: reason" or "fails: words of the failure"; `*` stands for all other formats.

python tests/helpers/what_people_put_in.py docs/what_people_put_in.md writes the tables of the page.
python tests/helpers/what_people_put_in.py report.json compares a report of
`matrix/roundtrip_people.py` with the cells for Keras 3.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import page_tables

from pytest_modelroundtrip.portable.format_names import BUILT_IN

GROUPS = (
    ("lora", "int8", "int4", "float8", "int8_with_lora"),
    ("loss_scaling", "policy_map", "own_variables", "own_assets"),
    ("feature_space", "preprocessing", "module_with_tables"),
    ("tokenizer", "preset_with_text"),
)
NOT_MEASURED = ("checkpoint_manager", "litert_int8")  # formats
KERAS_3 = "TensorFlow 2.21, Keras 3.15"

Cells = Mapping[str, str]  # by format


def cells() -> dict[str, dict[str, Cells]]:
    """The cells, by versions and kind."""
    path = Path(__file__).parents[1] / "matrix" / "people.json"
    found: dict[str, dict[str, Cells]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def contradiction(cell: str, record: Mapping[str, Any]) -> str:
    """How a cell and a record of a report differ; "" where they agree."""
    verdict, _, reason = cell.partition(": ")
    text = " ".join([*record["problems"], *record["text"].split()])
    seen = record["verdict"]
    kind = seen if seen in ("exact", "close") else "n/a" if seen == "unsupported" else "fails"
    if kind == verdict and reason in text:
        return ""
    return f"{record['test']}: {cell!r} in the table, {seen} here: {text[:600]}"


def contradictions(records: list[dict[str, Any]], versions: str) -> Iterator[str]:
    """Each record of a report that the table does not say."""
    for record in records:
        row = cells()[versions][record["test"].split("::test_")[-1].partition("[")[0]]
        yield contradiction(row.get(record["format"], row["*"]), record)


def tables() -> str:
    """The tables in Markdown, with the reasons below each."""
    made = [
        _table(versions, [kind for kind in group if kind in rows], rows)
        for versions, rows in cells().items()
        for group in GROUPS
    ]
    return "\n\n".join(filter(None, made))


def _table(versions: str, kinds: list[str], rows: Mapping[str, Cells]) -> str:
    if not kinds:
        return ""
    reasons: list[str] = []
    names = " | ".join(f"`{kind}`" for kind in kinds)
    lines = [f"| {versions} | {names} |", f"|---{'|---' * len(kinds)}|"]
    for name in [name for name in BUILT_IN if name not in NOT_MEASURED]:
        shown = [_cell(rows[kind].get(name, rows[kind]["*"]), reasons) for kind in kinds]
        lines.append(f"| `{name}` | {' | '.join(shown)} |")
    return page_tables.table(lines, reasons)


def _cell(text: str, reasons: list[str]) -> str:
    verdict, _, reason = text.partition(": ")
    return page_tables.cell(verdict, reason, reasons)


def page_with_tables(text: str) -> str:
    """A page with the tables between its two marks."""
    return page_tables.replaced(text, "tests/helpers/what_people_put_in.py", tables())


if __name__ == "__main__":
    file = Path(sys.argv[1])
    content = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        print("\n".join(filter(None, contradictions(json.loads(content)["roundtrips"], KERAS_3))))
    else:
        file.write_text(page_with_tables(content), encoding="utf-8")
