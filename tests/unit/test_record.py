"""`reporting`: records, the text of a failure, versions in words."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.portable.comparing import CheckOutcome
from pytest_modelroundtrip.portable.keras_libs import backends_differ
from pytest_modelroundtrip.reporting import failure, json_report, listing, versions
from pytest_modelroundtrip.reporting.names import short_names
from pytest_modelroundtrip.reporting.record import Record, worst
from pytest_modelroundtrip.result import OwnDistances, RoundTrip, Verdict, Versions

SAVED = {"python": "3.11.7", "tensorflow": "2.21.0", "keras": "3.15.1"}


def trip(verdict: Verdict = Verdict.DIFFERS, **fields: object) -> RoundTrip:
    found = RoundTrip("keras", "here", Path("/kept/1/artifact"), verdict, versions=Versions(SAVED))
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def record(verdict: Verdict = Verdict.DIFFERS, **fields: object) -> Record:
    return Record.of("a.py::test_it[keras]", "keras", trip(verdict, **fields), "")


def test_the_json_of_a_record_is_that_of_schema_1() -> None:
    made = trip(
        checks={"weights": CheckOutcome.EXACT, "outputs": CheckOutcome.DIFFERS},
        distances={"outputs": 3},
        own_distances=OwnDistances(0, 2),
        max_ulp=3,
        problems=["outputs: no"],
        seconds={"save": 0.123456},
        size=12,
        confinement="off",
    )
    found = Record.of("a.py::test_it[1-keras]", "keras", made, "the text")
    assert json_report.REPORT_SCHEMA == 1
    assert json.loads(found.to_json()) == {
        "test": "a.py::test_it[1]",
        "format": "keras",
        "environment": "here",
        "verdict": "differs",
        "max_ulp": 3,
        "checks": {"weights": "exact", "outputs": "differs"},
        "not_checked": {},
        "distances": {"outputs": 3},
        "own_distances": {"between two calls": 0, "between graph and eager": 2},
        "problems": ["outputs: no"],
        "text": "the text",
        "detail": "",
        "seconds": {"save": 0.1235},
        "versions": {"saved": SAVED},  # without "reloaded": it did not come to a reload
        "size": 12,
        "confinement": "off",
    }
    assert Record.from_json(found.to_json()) == found


def test_the_outcome_and_the_expected_failure_are_written_once_they_are_known(
    tmp_path: Path,
) -> None:
    plain = {**record().to_dict(), "outcome": "skipped", "expected_failure": "a reason"}
    versions_there = {"saved": SAVED, "reloaded": {"python": "3.8.1"}}
    found = Record.from_dict({**plain, "versions": versions_there})
    assert found.versions.reloaded == {"python": "3.8.1"}
    json_report.write(tmp_path / "a.json", [found])
    assert json_report.read(tmp_path / "a.json").records == [found]
    (written,) = json.loads((tmp_path / "a.json").read_text())["roundtrips"]
    assert written == {**plain, "versions": versions_there}


@pytest.mark.parametrize("missing", ["test", "verdict", "max_ulp", "checks", "problems", "text"])
def test_a_record_without_a_field_is_refused(missing: str) -> None:
    plain = {name: value for name, value in record().to_dict().items() if name != missing}
    with pytest.raises(ValueError, match=f"missing or of the wrong type: {missing}$"):
        Record.from_dict(plain)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test", None),
        ("max_ulp", "3"),
        ("checks", {"weights": 1}),
        ("distances", {"outputs": "far"}),
        ("own_distances", {"between two calls": None}),
        ("problems", "one"),
        ("problems", [1]),
        ("seconds", {"save": None}),
        ("versions", {"saved": ["python"]}),
        ("versions", {"saved": {"python": 3}}),
        ("expected_failure", 1),
    ],
)
def test_a_field_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"wrong type: {name}$"):
        Record.from_dict({**record().to_dict(), name: value})


@pytest.mark.parametrize(
    ("own", "plain"), [(None, {}), (OwnDistances(0), {"between two calls": 0})]
)
def test_only_distances_that_were_measured_are_written(
    own: OwnDistances | None, plain: dict[str, int]
) -> None:
    found = record(own_distances=own)
    assert found.to_dict()["own_distances"] == plain
    assert Record.from_json(found.to_json()) == found


def test_seconds_may_be_words() -> None:
    plain = {**record().to_dict(), "seconds": {"a": "nan", "b": "-inf", "c": 1}}
    seconds = Record.from_dict(plain).seconds
    assert math.isnan(seconds["a"]) and list(seconds.values())[1:] == [-math.inf, 1.0]


def test_the_worst_of_several_is_a_failure_else_the_farthest() -> None:
    near, far = record(Verdict.CLOSE, max_ulp=2), record(Verdict.CLOSE, max_ulp=9)
    unsupported, undecided = (
        record(verdict) for verdict in (Verdict.UNSUPPORTED, Verdict.UNDECIDED)
    )
    assert worst([near, far, unsupported]) is far
    assert worst([far, undecided, unsupported]) is undecided


def test_tests_of_one_name_keep_their_files() -> None:
    tests = ["a.py::test_it", "b.py::test_it", "a.py::TestIt::test_other"]
    assert list(short_names(tests).values()) == [*tests[:2], "TestIt::test_other"]


def test_versions_differ_in_modules_of_both_sides_and_in_the_backend() -> None:
    assert not Versions(SAVED).differ and not Versions({}, {}).differ
    assert not Versions(SAVED, {"python": "3.11.7", "numpy": "2.0"}).differ  # not imported here
    assert Versions(SAVED, {"python": "3.8.1"}).differ
    assert not backends_differ(SAVED, {"python": "3.8.1"})
    with_jax = {**SAVED, "backend": "jax"}
    for one, other in (SAVED, with_jax), (with_jax, SAVED):
        assert backends_differ(one, other) and Versions(one, other).differ
    assert not backends_differ(with_jax, with_jax)
    assert not backends_differ(with_jax, {})  # there was no reload


def test_a_version_that_does_not_matter_is_not_shown() -> None:
    installed = {"keras": "3.15.1", "jax": "0.9.0", "torch": "2.9.0", "ml_dtypes": "0.5"}
    assert versions.version_line(installed) == "Keras 3.15.1"
    assert versions.version_line({**installed, "backend": "torch"}) == "Keras 3.15.1, torch 2.9.0"


def test_the_text_of_a_failure() -> None:
    failed = trip(
        problems=["weights: 2 differences", "a" * 400, "config={'a': 1}\nkernel differs"],
        hint="Pass imports=[...].\nFor all tests: a line.",
        detail="\n".join(["Traceback (most recent call last):", *"x" * 60]),
        size=13_800,
    )
    lines = failure.failure_text(failed, True, "cd /kept/1 && run").splitlines()
    assert lines[:2] == [
        "DIFFERS: format keras, environment 'here'",
        "  weights: 2 differences",
    ]
    assert lines[2].endswith("a") and lines[3] == "    ..."  # the long line is cut
    assert lines[4:15] == [
        "  kernel differs",
        "  ... (80 characters are left out; roundtrip.json beside the artifact",
        "    has more)",
        "",
        "hint: Pass imports=[...].",
        "      For all tests: a line.",
        "",
        "saved:     Python 3.11.7, TF 2.21.0, Keras 3.15.1",
        "artifact:  /kept/1/artifact (13.8 kB)",
        "reproduce: cd /kept/1 && run",
        "",
    ]
    assert lines[15:17] == [
        "traceback:",
        "  ... (21 lines, 54 characters are left out; roundtrip.json beside the artifact has more)",
    ]
    assert lines[17:] == ["  x"] * failure.TAIL_LINES


def test_what_one_failure_prints_is_bounded_and_says_where_the_whole_is() -> None:
    long = [f"{'b' * 299}{number % 10}" for number in range(1000)]
    failed = trip(problems=["\n".join(long), *long], detail="\n".join(long))
    for is_kept, where in ((True, "roundtrip.json"), (False, "--roundtrip-report=PATH")):
        text = failure.failure_text(failed, is_kept, "")
        assert len(text) < 8000
        assert text.count("are left out") == text.count(where) == 2
    assert text.splitlines()[-1].endswith("b9")  # a traceback is told by its end
    short = failure.failure_text(trip(problems=["no"], detail="printed"), True, "")
    assert "left out" not in short


def test_a_message_of_a_library_is_shortened_by_lines() -> None:
    assert failure.shortened("one\n  two") == "one\n  two"
    text = failure.shortened("\n".join(["a line"] * 500))
    assert text.endswith("... (470 lines, 2820 characters are left out)")
    assert text.startswith("a line\na line\n")


def test_versions_that_differ_come_first_and_nothing_is_named_that_was_not_kept() -> None:
    sides = Versions(SAVED, {**SAVED, "tensorflow": "2.15.1"})
    made = trip(
        Verdict.LOAD_ERROR, versions=sides, problems=["no"], detail="printed", size=2_000_000
    )
    assert failure.failure_text(made, False, "").splitlines() == [
        "LOAD ERROR: format keras, environment 'here'",
        "  saved:     Python 3.11.7, TF 2.21.0, Keras 3.15.1",
        "  reloaded:  Python 3.11.7, TF 2.15.1, Keras 3.15.1",
        "",
        "  no",
        "",
        "",
        "output:",
        "  printed",
    ]


@pytest.mark.parametrize(
    ("verdict", "headline"),
    [
        (Verdict.UNSUPPORTED, "UNSUPPORTED: the test asks for the format keras, which cannot"),
        (Verdict.SAVE_ERROR, "SAVE ERROR: the format keras could not save the model"),
        (
            Verdict.NOT_DETERMINISTIC,
            "NOT DETERMINISTIC: the model differs from itself; format keras was not",
        ),
        (Verdict.UNDECIDED, "UNDECIDED: format keras, environment 'here'"),
    ],
)
def test_the_headline_says_what_failed(verdict: Verdict, headline: str) -> None:
    assert failure.failure_text(trip(verdict), False, "").startswith(headline)


def test_a_format_without_a_docstring_is_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pytest_modelroundtrip.portable.format_api import KerasFormat

    class Bare(KerasFormat):
        name = "bare"
        keeps = ("weights", "training")
        never_kept = {"optimizer": (2,), "weights": (2, 3)}  # noqa: RUF012

    Bare.__doc__ = None
    listing.write_list({"bare": Bare()}, {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["formats:", "  bare", "checks:"]
    (row,) = (line for line in lines if line.startswith("| `bare` |"))
    cells = dict(zip(checks.NAMES, row.strip("| ").split(" | ")[1:], strict=True))
    assert cells.pop("weights") == "on request with Keras 2 and 3"
    assert cells.pop("training") == "on request"
    assert {*cells.values()} == {"-"}


def test_reports_are_read_and_gathered_without_numpy(pytester: pytest.Pytester) -> None:
    code = (
        "import sys\n"
        "from pytest_modelroundtrip.reporting import json_report, record, reporter\n"
        "print([name for name in ('numpy', 'execnet', 'tensorflow') if name in sys.modules])\n"
    )
    result = pytester.run(sys.executable, "-c", code)
    assert result.outlines == ["[]"]
