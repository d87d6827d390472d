"""Reports merged into the matrix: what a cell says, what is escaped, which files are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_modelroundtrip import __main__ as command
from pytest_modelroundtrip import matrix, report_file

pytest.importorskip("jinja2")

HOSTILE = "<script>alert('x')</script>"


def record(environment: str, verdict: str, saved: str = "2.21.0", **more: Any) -> dict[str, Any]:
    versions = {"saved": {"tensorflow": saved, "keras": "3.15.1", "python": "3.11.7"}}
    told = {"test": "a.py::test_dense", "format": "keras", "environment": environment, "verdict": verdict, "max_ulp": 0}
    return {**told, "checks": {}, "problems": [], "text": "", "versions": versions, **more}


def report(*records: dict[str, Any], created: str = "2026-01-01T00:00:00+00:00") -> dict[str, Any]:
    return {"schema": 1, "created": created, "roundtrips": list(records)}


def cells(*reports: dict[str, Any]) -> dict[str, str]:
    (sheet,) = matrix.merged(reports).sheets
    return {f"{saver.name} {loader.name}": cell.text for (saver, loader), cell in sheet.models["dense"].items()}


def test_a_cell_says_how_near_it_was_and_whether_a_second_run_agrees() -> None:
    first = report(record("tf2.4", "close", max_ulp=7), record("tf2.10", "exact"), record("here", "unsupported", problems=["no"]))
    second = report(record("tf2.4", "close", max_ulp=7), record("tf2.10", "load error", problems=["E: no"]), created="2026-02-01")
    assert cells(second, first) == {
        "TF 2.21.0 tf2.4": "close (7 ulp)",
        "TF 2.21.0 tf2.10": "exact / load error",
        "TF 2.21.0 TF 2.21.0": "n/a",
    }
    whole = matrix.merged([first, second])
    assert [side.name for side in whole.loaders] == ["tf2.4", "tf2.10", "TF 2.21.0"]
    assert (whole.passed, whole.round_trips) == (1, 2)  # the newest counts; what is n/a does not


def test_several_trips_of_one_test_are_no_second_run() -> None:
    again = report(
        record("tf2.4", "close", max_ulp=7), record("tf2.4", "exact"), record("tf2.8", "load error"), record("tf2.8", "exact")
    )
    assert list(cells(again).values()) == ["close (7 ulp)", "load error"]


def test_an_environment_that_was_updated_is_another_loader() -> None:
    def seen(*versions: dict[str, str], created: str) -> dict[str, Any]:
        saved = {"tensorflow": "2.21.0", "keras": "3.15.1", "python": "3.11.7"}
        return report(*(record("prod", "exact", versions={"saved": saved, "reloaded": each}) for each in versions), created=created)

    failed_early = {"tensorflow": "2.15.1"}
    older = seen(failed_early, {"tensorflow": "2.15.1", "keras": "2.15.0"}, created="2026-01-01")
    same, newer = seen(failed_early, created="2026-01-02"), seen({"tensorflow": "2.18.1"}, created="2026-01-03")
    loaders = matrix.merged([older, same, newer]).loaders
    assert [(side.name, side.versions) for side in loaders] == [("prod", ("TF 2.15.1", "Keras 2.15.0")), ("prod", ("TF 2.18.1",))]


def test_a_loader_with_another_backend_is_another_loader() -> None:
    def computed(backend: str, created: str) -> dict[str, Any]:
        reloaded = {"keras": "3.15.1", "backend": backend, "jax": "0.9.0", "torch": "2.9.0"}
        saved = {"tensorflow": "2.21.0", "keras": "3.15.1", "python": "3.11.7"}
        return report(record("k3", "exact", versions={"saved": saved, "reloaded": reloaded}), created=created)

    loaders = matrix.merged([computed("jax", "2026-01-01"), computed("torch", "2026-01-02")]).loaders
    assert [side.versions for side in loaders] == [("Keras 3.15.1", "jax 0.9.0"), ("Keras 3.15.1", "torch 2.9.0")]


def test_a_model_has_the_name_of_its_test() -> None:
    tests = ["test_a.py::test_dense[a::b]", "test_a.py::test_same", "test_b.py::test_same"]
    (sheet,) = matrix.merged([report(*(record("here", "exact", test=test) for test in tests))]).sheets
    assert list(sheet.models) == ["dense[a::b]", *tests[1:]]


def test_tf_keras_in_the_place_of_keras_is_another_saver() -> None:
    legacy = {"saved": {"tensorflow": "2.21.0", "tf_keras": "2.21.0"}}
    beside = {"saved": {"tensorflow": "2.21.0", "tf_keras": "2.21.0", "keras": "3.15.1"}}  # as tensorflow-hub imports it
    savers = matrix.merged([report(*(record("tf2.4", "exact", versions=each) for each in (legacy, beside)))]).savers
    assert {side.versions for side in savers} == {("tf-keras 2.21.0",), ("Keras 3.15.1",)}


def test_failures_that_say_the_same_are_told_once() -> None:
    records = [record(f"tf2.{n}", "load error", problems=[f"KeyError: at /tmp/x{n}/artifact/v 0x{n}f"]) for n in range(4, 9)]
    (sheet,) = matrix.merged([report(*records)]).sheets
    (failure,) = sheet.failures.values()
    assert failure.line == "KeyError: at artifact/v 0x4f"
    assert len(failure.where) == 5


def test_what_comes_from_tests_is_escaped(tmp_path: Path) -> None:
    problem = {"problems": [f"{HOSTILE} a|b"], "text": HOSTILE, "test": f"a.py::test_{HOSTILE}", "format": HOSTILE}
    (tmp_path / "a.json").write_text(json.dumps(report(record(HOSTILE, HOSTILE, saved=HOSTILE, **problem))))
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    assert command.main(["report", str(tmp_path / "a.json"), "--html", str(page), "--markdown", str(text)]) == 0
    assert "<script>" not in page.read_text() and "&lt;script&gt;" in page.read_text()
    assert "<script>" not in text.read_text().replace("\\<script\\>", "") and "a\\|b" in text.read_text()
    assert "src=" not in page.read_text() and "@import" not in page.read_text()


@pytest.mark.parametrize(
    "content, said",
    [
        (None, "No such file"),
        ("{", "is no JSON"),
        ("[]", "is no report of pytest-modelroundtrip"),
        ('{"schema": 99, "roundtrips": []}', "has schema 99; this version reads up to 1"),
        ('{"schema": 1, "roundtrips": [{"test": 3}]}', "round trip 0 has no test, format"),
        ("[" * 100_000, "is no JSON"),
        (json.dumps(report(record("here", "exact", versions={"saved": "2.21.0"}))), "round trip 0 has no versions"),
        (json.dumps(report(record("here", "exact", problems=[1]))), "round trip 0 has no problems"),
    ],
)
def test_what_is_no_report_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str) -> None:
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    assert command.main(["report", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and said in line


def test_no_round_trips_make_a_page_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_file.write(tmp_path / "none.json", [])
    assert command.main(["report", str(tmp_path / "none.json")]) == 0
    assert "0 of 0 round trips" in capsys.readouterr().out


def test_numbers_that_json_has_not_are_written_as_words(tmp_path: Path) -> None:
    report_file.write(tmp_path / "a.json", [record("here", "exact", seconds={"save": float("nan")})])
    assert report_file.read(tmp_path / "a.json")["roundtrips"][0]["seconds"] == {"save": "nan"}


def test_what_is_no_text_makes_a_page_too(tmp_path: Path) -> None:
    report_file.write(tmp_path / "a.json", [record("here", "load error", text="a path with \udcff")])
    assert command.main(["report", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html")]) == 0
    assert "a path with \\udcff" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_without_jinja2_it_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report_file.write(tmp_path / "a.json", [])
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert command.main(["report", str(tmp_path / "a.json")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('-m pip install "pytest-modelroundtrip[report]"')
