"""Nothing passes because nobody decided otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelroundtrip import RoundTrip, RoundTripError, Verdict, Versions
from pytest_modelroundtrip.portable.keras_libs import backends_differ


def test_a_new_result_is_undecided_and_fails() -> None:
    trip = RoundTrip("keras", "here", Path())
    assert trip.verdict is Verdict.UNDECIDED
    assert not trip.passed


def test_only_exact_and_close_pass() -> None:
    assert [verdict for verdict in Verdict if verdict.passed] == [Verdict.EXACT, Verdict.CLOSE]


def test_a_verdict_blames_the_format_or_something_else() -> None:
    others = {"undecided", "not deterministic", "environment broken", "system error"}
    assert {verdict.value for verdict in Verdict if not verdict.is_about_the_format} == others


def test_a_verdict_is_its_text() -> None:
    verdict = Verdict("save error")
    assert verdict is Verdict.SAVE_ERROR and "save error" in [verdict]
    assert f"{verdict}" == str(verdict) == "save error"


@pytest.mark.parametrize(
    ("saved", "reloaded", "differ", "differ_in_backend"),
    [
        ({"keras": "3.15.1"}, {"keras": "3.15.1"}, False, False),
        ({"keras": "3.15.1"}, {"keras": "3.14.0"}, True, False),
        ({"keras": "3.15.1", "jax": "1"}, {"keras": "3.15.1"}, False, False),
        ({"keras": "3.15.1"}, {"keras": "3.15.1", "backend": "jax"}, True, True),
        ({"keras": "3.15.1", "backend": "jax"}, {}, False, False),
    ],
)
def test_versions_differ(
    saved: dict[str, str], reloaded: dict[str, str], differ: bool, differ_in_backend: bool
) -> None:
    versions = Versions(saved, reloaded)
    assert (versions.differ, backends_differ(saved, reloaded)) == (differ, differ_in_backend)


def test_the_error_is_an_assertion_and_a_failure_of_pytest() -> None:
    trip = RoundTrip("keras", "here", Path())
    error = RoundTripError("lost", trip, pytrace=False)
    assert isinstance(error, AssertionError) and isinstance(error, pytest.fail.Exception)
    assert (error.trip, str(error), error.pytrace) == (trip, "lost", False)
