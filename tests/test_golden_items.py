"""Goldens as items of pytest; their checks are stubs here, so no test needs TensorFlow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from inner_runs import RUNS_TWICE
from stubbed_runs import run_stubbed, stub_goldens, use_stubs

from pytest_modelroundtrip.bundles import bundle_archives
from pytest_modelroundtrip.reporting import json_report
from pytest_modelroundtrip.result import Verdict

FIRST = Path(__file__).parent / "bundles" / "dense.saved_model"
INI = "[pytest]\nroundtrip_goldens = goldens\n"
KNOWN = "roundtrip_golden_failures = dense.saved_model[here]: why\n"


@pytest.fixture(autouse=True)
def golden(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A golden in the current folder."""
    use_stubs(monkeypatch)
    pytester.makeini(INI)
    shutil.copytree(FIRST, "goldens/dense.saved_model")
    return pytester.path / "goldens" / "dense.saved_model"


@pytest.mark.parametrize(
    ("verdict", "known", "outcome"),
    [
        (Verdict.EXACT, "", "passed"),
        (Verdict.DIFFERS, "", "failed"),
        (Verdict.UNSUPPORTED, "", "skipped"),
        (Verdict.DIFFERS, KNOWN, "xfailed"),
        (Verdict.SYSTEM_ERROR, KNOWN, "failed"),
    ],
)
def test_what_becomes_of_a_verdict(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, known: str, outcome: str
) -> None:
    Path("tox.ini").write_text(INI + known)
    stub_goldens(monkeypatch, verdict)
    result = run_stubbed("--roundtrip-update-goldens")
    result.assert_outcomes(**{outcome: 1})
    told = "golden dense.saved_model failed" in result.stdout.str()
    assert told == (outcome in ("failed", "xfailed"))


def test_a_damaged_golden_is_not_a_known_failure(golden: Path) -> None:
    Path("tox.ini").write_text(INI + KNOWN)
    (golden / "job").unlink()
    run_stubbed().assert_outcomes(failed=1)


def test_a_golden_that_is_rerun_has_the_result_of_its_last_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(RUNS_TWICE)
    stub_goldens(monkeypatch, Verdict.DIFFERS)
    run_stubbed("--roundtrip-report=report.json").assert_outcomes(failed=2)
    assert len(json_report.read(Path("report.json")).records) == 1


def test_an_archive_that_failed_is_among_what_failed_last(
    pytester: pytest.Pytester, golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = bundle_archives.pack(golden)
    before = {"a/test_a": "def test_fails(): assert False\ndef test_passes(): pass"}
    pytester.makepyfile(**before)
    stub_goldens(monkeypatch, Verdict.DIFFERS)
    run_stubbed().assert_outcomes(failed=2, passed=1)
    run_stubbed("--lf").assert_outcomes(failed=2)
    run_stubbed(f"goldens/{archive.name}::{archive.name}[here]").assert_outcomes(failed=1)
