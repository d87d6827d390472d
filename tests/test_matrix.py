"""Reports merged into the matrix: the text of cells, escaping, and files that are refused."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import pytest

from pytest_modelroundtrip import __main__ as command
from pytest_modelroundtrip.portable.aliases import Json
from pytest_modelroundtrip.reporting import json_report, matrix
from pytest_modelroundtrip.reporting.json_report import Report
from pytest_modelroundtrip.reporting.record import Record

pytest.importorskip("jinja2")

HOSTILE = "<script>alert('x')</script>"
SAVED = {"tensorflow": "2.21.0", "keras": "3.15.1", "python": "3.11.7"}


def plain(environment: str, verdict: str, **more: Json) -> dict[str, Json]:
    """A round trip as JSON has it."""
    fields = {
        "test": "a.py::test_dense",
        "format": "keras",
        "environment": environment,
        "verdict": verdict,
        "max_ulp": 0,
        "checks": {},
        "problems": [],
        "text": "",
        "versions": {"saved": SAVED},
    }
    return {**fields, **more}


def record(environment: str, verdict: str, **more: Json) -> Record:
    return Record.from_dict(plain(environment, verdict, **more))


def report(*records: Record, created: str = "2026-01-01T00:00:00+00:00") -> Report:
    return Report(created, list(records))


def document(*roundtrips: dict[str, Json]) -> str:
    """The text of a report."""
    return json.dumps({"schema": 1, "created": "2026-01-01", "roundtrips": list(roundtrips)})


def cells(*reports: Report) -> dict[str, str]:
    """The text of each cell of the one model, by saver and loader."""
    (sheet,) = matrix.merged_reports(reports).sheets
    row = sheet.models["dense"]
    return {f"{saver.name} {loader.name}": cell.text for (saver, loader), cell in row.items()}


def test_a_cell_shows_how_close_it_was_and_whether_a_second_run_agrees() -> None:
    first = report(
        record("tf2.4", "close", max_ulp=7),
        record("tf2.10", "exact"),
        record("here", "unsupported", problems=["no"]),
    )
    second = report(
        record("tf2.4", "close", max_ulp=7),
        record("tf2.10", "load error", problems=["E: no"]),
        created="2026-02-01",
    )
    assert cells(second, first) == {
        "TF 2.21.0 tf2.4": "close (7 ulp)",
        "TF 2.21.0 tf2.10": "exact / load error",
        "TF 2.21.0 TF 2.21.0": "n/a",
    }
    whole = matrix.merged_reports([first, second])
    assert [side.name for side in whole.loaders] == ["tf2.4", "tf2.10", "TF 2.21.0"]
    assert (whole.passed, whole.round_trips) == (1, 2)  # the newest counts; n/a does not


def test_several_round_trips_of_one_test_are_not_a_second_run() -> None:
    repeated = report(
        record("tf2.4", "close", max_ulp=7),
        record("tf2.4", "exact"),
        record("tf2.8", "load error"),
        record("tf2.8", "exact"),
    )
    assert list(cells(repeated).values()) == ["close (7 ulp)", "load error"]


def test_an_environment_that_was_updated_is_another_loader() -> None:
    def seen(*versions: dict[str, str], created: str) -> Report:
        sides = [{"saved": SAVED, "reloaded": each} for each in versions]
        records = [record("prod", "exact", versions=each) for each in sides]
        return report(*records, created=created)

    failed_early = {"tensorflow": "2.15.1"}
    complete = {"tensorflow": "2.15.1", "keras": "2.15.0"}
    older = seen(failed_early, complete, created="2026-01-01")
    same = seen(failed_early, created="2026-01-02")
    newer = seen({"tensorflow": "2.18.1"}, created="2026-01-03")
    loaders = matrix.merged_reports([older, same, newer]).loaders
    assert [(side.name, side.versions) for side in loaders] == [
        ("prod", ("TF 2.15.1", "Keras 2.15.0")),
        ("prod", ("TF 2.18.1",)),
    ]


def test_a_loader_with_another_backend_is_another_loader() -> None:
    def computed(backend: str, created: str) -> Report:
        reloaded = {"keras": "3.15.1", "backend": backend, "jax": "0.9.0", "torch": "2.9.0"}
        versions = {"saved": SAVED, "reloaded": reloaded}
        return report(record("k3", "exact", versions=versions), created=created)

    loaders = matrix.merged_reports(
        [computed("jax", "2026-01-01"), computed("torch", "2026-01-02")]
    )
    assert [side.versions for side in loaders.loaders] == [
        ("Keras 3.15.1", "jax 0.9.0"),
        ("Keras 3.15.1", "torch 2.9.0"),
    ]


def test_a_model_has_the_name_of_its_test() -> None:
    tests = ["test_a.py::test_dense[a::b]", "test_a.py::test_same", "test_b.py::test_same"]
    records = [record("here", "exact", test=test) for test in tests]
    (sheet,) = matrix.merged_reports([report(*records)]).sheets
    assert list(sheet.models) == ["dense[a::b]", *tests[1:]]


def test_tf_keras_in_the_place_of_keras_is_another_saver() -> None:
    legacy = {"saved": {"tensorflow": "2.21.0", "tf_keras": "2.21.0"}}
    # as tensorflow-hub imports it
    both = {"saved": {"tensorflow": "2.21.0", "tf_keras": "2.21.0", "keras": "3.15.1"}}
    records = [record("tf2.4", "exact", versions=each) for each in (legacy, both)]
    savers = matrix.merged_reports([report(*records)]).savers
    assert {side.versions for side in savers} == {("tf-keras 2.21.0",), ("Keras 3.15.1",)}


def test_formats_stand_in_their_order_and_added_ones_after_them() -> None:
    formats = ["zeta", "hub", "alpha", "keras"]
    records = [record("here", "exact", format=name) for name in formats]
    sheets = matrix.merged_reports([report(*records)]).sheets
    assert [sheet.name for sheet in sheets] == ["keras", "hub", "alpha", "zeta"]


def test_failures_with_the_same_error_are_shown_once() -> None:
    records = [
        record(f"tf2.{n}", "load error", problems=[f"KeyError: at /tmp/x{n}/artifact/v 0x{n}f"])
        for n in range(4, 9)
    ]
    (sheet,) = matrix.merged_reports([report(*records)]).sheets
    (failure,) = sheet.failures.values()
    assert failure.line == "KeyError: at artifact/v 0x4f"
    assert len(failure.where) == 5


@pytest.mark.parametrize(
    "heading",
    [
        "weights: 3 differences",
        "saving changed the model:",
        "it was reloaded, but cannot be used as the original can",
    ],
)
def test_the_line_of_a_failure_is_not_a_heading(heading: str) -> None:
    problems = [heading, "ValueError: no"]
    (sheet,) = matrix.merged_reports([report(record("here", "differs", problems=problems))]).sheets
    (failure,) = sheet.failures.values()
    assert failure.line == "ValueError: no"


def test_text_from_tests_is_escaped(tmp_path: Path) -> None:
    hostile = {
        "problems": [f"{HOSTILE} a|b"],
        "text": HOSTILE,
        "test": f"a.py::test_{HOSTILE}",
        "format": HOSTILE,
        "versions": {"saved": {**SAVED, "tensorflow": HOSTILE}},
    }
    (tmp_path / "a.json").write_text(document(plain(HOSTILE, "differs", **hostile)))
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    arguments = [str(tmp_path / "a.json"), "--html", str(page), "--markdown", str(text)]
    assert command.main(["report", *arguments]) == 0
    assert "<script>" not in page.read_text() and "&lt;script&gt;" in page.read_text()
    assert "<script>" not in text.read_text().replace("\\<script\\>", "")
    assert "a\\|b" in text.read_text()
    assert "src=" not in page.read_text() and "@import" not in page.read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "is not JSON"),
        ("[]", "is not a report of pytest-modelroundtrip"),
        ('{"schema": 99, "roundtrips": []}', "has schema 99; this version reads up to 1"),
        (
            '{"schema": 1, "roundtrips": [{"test": 3}]}',
            "round trip 0: missing or of the wrong type: test, format",
        ),
        ('{"schema": 1, "roundtrips": [3]}', "round trip 0: missing or of the wrong type: test"),
        ("[" * 100_000, "is not JSON"),
        (
            document(plain("here", "exact", versions={"saved": "2.21.0"})),
            "round trip 0: missing or of the wrong type: versions",
        ),
        (
            document(plain("here", "exact"), plain("here", "exact", problems=[1])),
            "round trip 1: missing or of the wrong type: problems",
        ),
        (
            document(plain("here", "exact", seconds={"save": "soon"})),
            "round trip 0: missing or of the wrong type: seconds",
        ),
        (document(plain("here", HOSTILE)), f"round trip 0: unknown verdict {HOSTILE!r}"),
    ],
)
def test_a_file_that_is_not_a_report_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    assert command.main(["report", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and message in line


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(document(plain("here", "exact", mood="good")))
    assert json_report.read(path).records == [record("here", "exact")]


def test_a_report_without_round_trips_makes_a_page_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_report.write(tmp_path / "none.json", [])
    assert command.main(["report", str(tmp_path / "none.json")]) == 0
    assert "0 of 0 round trips" in capsys.readouterr().out


def test_numbers_that_json_does_not_have_are_written_as_words(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    json_report.write(path, [record("here", "exact", seconds={"save": math.nan})])
    (written,) = json.loads(path.read_text())["roundtrips"]
    assert written["seconds"] == {"save": "nan"}
    (found,) = json_report.read(path).records
    assert found.seconds.keys() == {"save"} and math.isnan(found.seconds["save"])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_page_that_a_full_disk_does_not_take_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_report.write(tmp_path / "a.json", [record("here", "exact")])
    assert command.main(["report", str(tmp_path / "a.json"), "--html", "/dev/full"]) == 2
    assert capsys.readouterr().err == "/dev/full cannot be written: No space left on device\n"


def test_bytes_that_are_not_text_make_a_page_too(tmp_path: Path) -> None:
    path, page = tmp_path / "a.json", tmp_path / "a.html"
    json_report.write(path, [record("here", "load error", text="a path with \udcff")])
    assert command.main(["report", str(path), "--html", str(page)]) == 0
    assert "a path with \\udcff" in page.read_text(encoding="utf-8")


def test_without_jinja2_the_message_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    json_report.write(tmp_path / "a.json", [])
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert command.main(["report", str(tmp_path / "a.json")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('-m pip install "pytest-modelroundtrip[report]"')
