"""The table of formats and kinds of models says what happens, in both directions."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import capabilities
import pytest
from inner_runs import Run, reported

from pytest_modelroundtrip.portable import formats, keras_libs

MATRIX = Path(__file__).parent / "matrix"
MISSING_PACKAGE = "pytest-modelroundtrip["  # a reason that is not the format's


@pytest.fixture(scope="module", autouse=True)
def models() -> Iterator[None]:
    """Import the models once: old releases of Keras refuse a class that is registered twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(MATRIX))
        if importlib.util.find_spec("tensorflow"):
            importlib.import_module("capability_models")
        yield


@pytest.fixture
def versions(tensorflow: ModuleType) -> dict[str, str]:
    """Those that the conditions of the table are about."""
    return {
        "tensorflow": tensorflow.__version__,
        "keras": keras_libs.name_and_version(tensorflow.keras.layers.Layer()).split()[1],
        "python": platform.python_version(),
    }


def contradictions(
    records: list[dict[str, Any]], kind: str, versions: dict[str, str]
) -> Iterator[str]:
    """What the table says of a kind of model and is not so."""
    for record in records:
        row = capabilities.rows()[record["format"]]
        said = capabilities.capability(row, kind, versions)
        seen, text = record["verdict"], "\n".join([*record["problems"], record["text"]])
        if seen == "unsupported" and MISSING_PACKAGE in text:
            continue
        holds = {
            "n/a": seen == "unsupported",
            "fails": seen not in ("exact", "close", "unsupported"),
            "close": seen in ("exact", "close"),  # bits of other kernels depend on the processor
        }
        if not holds.get(said.verdict, seen == said.verdict) or said.reason not in text:
            table = f"{said.verdict} {said.reason}".strip()
            yield f"{kind}, {record['format']}: {table!r} in the table, {seen} here: {text[:600]}"


@pytest.mark.parametrize("kind", capabilities.KINDS)
def test_the_table_says_what_happens(
    run: Run, monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], kind: str
) -> None:
    monkeypatch.syspath_prepend(str(MATRIX))
    source = (MATRIX / "roundtrip_kinds.py").read_text(encoding="utf-8")
    name = capabilities.KINDS[kind]
    records = reported(
        run,
        source,
        f"--roundtrip-pythonpath={MATRIX}",
        f"-k=test_{name}[ or test_{name}_compiled[",
        "-Wignore",  # of the models: they are written for any version
    )
    assert {record["format"] for record in records} == set(capabilities.rows())
    assert list(contradictions(records, kind, versions)) == []


def test_a_cell_that_is_flipped_is_a_contradiction() -> None:
    versions = {"tensorflow": "2.21.0", "keras": "3.15.1", "python": "3.13.0"}
    fails = {"verdict": "load error", "problems": ["Unknown layer: 'NotEqual'"], "text": ""}
    cannot = {"verdict": "unsupported", "problems": ["not a Keras model"], "text": ""}
    holds: dict[str, Any] = {"verdict": "exact", "problems": [], "text": ""}

    def found(record: dict[str, Any], kind: str) -> list[str]:
        return list(contradictions([{**record, "format": "h5"}], kind, versions))

    assert not found(holds, "dense") and not found(fails, "masked LSTM")
    assert not found(cannot, "module")
    for record, kind in [
        (fails, "dense"), (cannot, "dense"), (holds, "masked LSTM"), (cannot, "masked LSTM"),
        (holds, "module"), (fails, "module"), ({**fails, "problems": ["no file"]}, "masked LSTM"),
    ]:  # fmt: skip
        assert len(found(record, kind)) == 1, (record, kind)


def test_each_format_has_a_row() -> None:
    assert set(formats.built_in()) == set(capabilities.rows())


def test_the_page_has_the_table() -> None:
    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    command = "python tests/helpers/capabilities.py docs/formats.md"
    assert page == capabilities.page_with_tables(page), f"run {command}"
