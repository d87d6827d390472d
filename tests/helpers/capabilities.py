"""Which format holds which kind of model, in which versions: reads `matrix/capabilities.json`.

A row is a format, and a row has a cell for each kind of model; `*` stands for all other kinds. A
cell is "exact" or "close", which hold, or "n/a: reason" or "fails: words of the failure", which do
not; "close" may be exact on another processor. Where it depends on the versions, it is a dict of
conditions to these, of which the first that is met counts: "keras<2.12,tensorflow>=2.8"; "" is
always met. The Keras of tf-keras is Keras 2.

python tests/helpers/capabilities.py docs/formats.md writes the tables of the page.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import page_tables
from packaging.specifiers import SpecifierSet

from pytest_modelroundtrip.portable import formats

# as `matrix/roundtrip_kinds.py` names its tests, of which each kind has two
KINDS = {
    "dense": "dense",
    "convolutional": "convolutional",
    "masked LSTM": "masked_lstm",
    "text": "text",
    "several inputs": "several_inputs",
    "mixed precision": "mixed_precision",
    "subclassed": "subclassed",
    "module": "module",
}
SHOWN = {
    "TensorFlow 2.21, Keras 3.15": {"tensorflow": "2.21.0", "keras": "3.15.1", "python": "3.13"},
    "TensorFlow 2.15, Keras 2.15": {"tensorflow": "2.15.1", "keras": "2.15.0", "python": "3.11"},
    "TensorFlow 2.8, Keras 2.8": {"tensorflow": "2.8.4", "keras": "2.8.0", "python": "3.10"},
}
ON_REQUEST = """\
`close`: within the tolerance of the format. `orbax`, `model_checkpoint` and `backup_and_restore`
get a compiled model. The LiteRT interpreter is ai-edge-litert with TensorFlow 2.21, and with the
others TensorFlow's own."""

Versions = Mapping[str, str]  # of tensorflow, keras and python
Cell = str | dict[str, str]


class Capability(NamedTuple):
    """What a cell says for certain versions."""

    verdict: str  # "exact", "close", "n/a" or "fails"
    reason: str = ""


def rows() -> dict[str, dict[str, Cell]]:
    """The rows by format."""
    path = Path(__file__).parents[1] / "matrix" / "capabilities.json"
    found: dict[str, dict[str, Cell]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def capability(row: Mapping[str, Cell], kind: str, versions: Versions) -> Capability:
    """What a row says of a kind of model in these versions."""
    cell = row.get(kind, row.get("*", ""))
    choices = {"": cell} if isinstance(cell, str) else cell
    said = next((text for each, text in choices.items() if _is_met(each, versions)), "")
    verdict, _, reason = said.partition(": ")
    if verdict not in ("exact", "close", "n/a", "fails") or bool(reason) != (":" in said):
        raise ValueError(f"{kind}: {said!r} is not the text of a cell")
    return Capability(verdict, reason)


def _is_met(condition: str, versions: Versions) -> bool:
    for each in filter(None, condition.split(",")):
        found = re.fullmatch(r"(tensorflow|keras|python)([<>=!]+[\d.*]+)", each)
        if not found:
            raise ValueError(f"{each!r} is not a condition")
        if not SpecifierSet(found[2]).contains(versions[found[1]], prereleases=True):
            return False
    return True


def tables() -> str:
    """The tables in Markdown, with the reasons below each: the default formats come first."""
    built_in, known = formats.built_in(), rows()
    default = [name for name in known if not built_in[name].on_request]
    parts = ["### By default", *(_table(*each, default) for each in SHOWN.items())]
    on_request = [name for name in known if built_in[name].on_request]
    parts += ["### On request", ON_REQUEST, *(_table(*each, on_request) for each in SHOWN.items())]
    return "\n\n".join(parts)


def _table(title: str, versions: Versions, names: Sequence[str]) -> str:
    lines = [f"| {title} | {' | '.join(KINDS)} |", f"|---{'|---' * len(KINDS)}|"]
    reasons: list[str] = []
    for name in names:
        cells = [
            page_tables.cell(*capability(rows()[name], kind, versions), reasons) for kind in KINDS
        ]
        lines.append(f"| {_link(name, versions)} | {' | '.join(cells)} |")
    return page_tables.table(lines, reasons)


def _link(name: str, versions: Versions) -> str:
    """The name, linked to its page, with an anchor for the page to link to: `#keras-2.21`."""
    release = versions["tensorflow"].rpartition(".")[0]
    return f'<a id="{name}-{release}"></a>[`{name}`](formats/{name}.md)'


def page_with_tables(text: str) -> str:
    """A page with the tables between its two marks."""
    return page_tables.replaced(text, "tests/helpers/capabilities.py", tables())


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(page_with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
