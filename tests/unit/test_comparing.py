"""What a comparison comes to, and how those of several parts become one."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_modelroundtrip.portable.comparing import (
    CheckOutcome,
    Comparison,
    Tolerance,
    ValueOrigin,
    differing,
    merged_comparisons,
)


def comparison(*differences: str, compared: int = 0, ulp: int | None = None) -> Comparison:
    found = Comparison()
    found.compared = compared
    for difference in differences:
        found.differ(difference)
    if ulp is not None:
        found.bits_differ = True
        found.measure(ulp)
    return found


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (comparison(), CheckOutcome.NOT_APPLICABLE),
        (comparison(ulp=1), CheckOutcome.NOT_APPLICABLE),
        (comparison(compared=1), CheckOutcome.EXACT),
        (comparison(compared=1, ulp=0), CheckOutcome.CLOSE),
        (comparison("a"), CheckOutcome.DIFFERS),
        (comparison("a", compared=1, ulp=1), CheckOutcome.DIFFERS),
    ],
)
def test_outcomes(found: Comparison, outcome: CheckOutcome) -> None:
    assert found.outcome is outcome


def test_an_outcome_is_a_string() -> None:
    texts = [f"{outcome}" for outcome in CheckOutcome]
    assert texts == [str(outcome) for outcome in CheckOutcome]
    assert texts == ["exact", "close", "differs", "not checked", "n/a"]


def test_what_was_not_checked_in_one_part_is_not_hidden_by_the_others() -> None:
    whole = comparison(compared=1)
    other = comparison()
    other.not_checked.append("the original's step is random")
    whole.include(other, "decoder")
    assert str(whole.outcome) == "not checked"
    assert whole.not_checked == ["decoder: the original's step is random"]
    whole.differ("a")
    assert str(whole.outcome) == "differs"


def test_by_default_nothing_is_exact_or_across_anything() -> None:
    assert Tolerance() == Tolerance(False, None, None, False, False)


def test_a_comparison_includes_another() -> None:
    found = comparison("a", compared=1)
    found.include(comparison("b", compared=2, ulp=3))
    assert (found.differences, found.compared, found.max_ulp) == (["a", "b"], 3, 3)


def test_the_largest_distance_is_kept() -> None:
    found = comparison(ulp=3)
    found.measure(1)
    assert found.max_ulp == 3
    found.measure(4)
    assert found.max_ulp == 4
    assert Comparison().max_ulp is None


def test_parts_become_one() -> None:
    encoder = {"weights": comparison("lost", compared=2), "outputs": comparison(compared=1, ulp=5)}
    encoder["weights"].origins["w"] = ValueOrigin("cast", "float16")
    decoder = {"weights": comparison(compared=3), "outputs": comparison("far", compared=1, ulp=7)}
    whole = merged_comparisons(
        [("encoder", encoder), ("decoder", decoder), ("", {"config": comparison("c")})]
    )
    assert list(whole) == ["weights", "outputs", "config"]
    weights, outputs = whole["weights"], whole["outputs"]
    assert (weights.differences, weights.compared) == (["encoder: lost"], 5)
    assert (weights.max_ulp, weights.bits_differ) == (None, False)
    assert weights.origins == {"w": ValueOrigin("cast", "float16")}
    assert (outputs.differences, outputs.compared) == (["decoder: far"], 2)
    assert (outputs.max_ulp, outputs.bits_differ) == (7, True)
    assert whole["config"].differences == ["c"]
    assert encoder["weights"].differences == ["lost"]


def test_those_that_differ() -> None:
    found = {"weights": comparison("a"), "outputs": comparison(compared=1, ulp=1)}
    assert differing(found) == {"weights": found["weights"]}


def test_a_tolerance_of_the_format_is_a_part_of_the_largest_number() -> None:
    own = Tolerance(of_format=0.01)
    assert own.of(np.dtype("float32"), 50.0) == (0.0, 0.5)
    assert own.of(np.dtype("int32"), 50.0) == (0.0, 0.0)
    assert own._replace(rtol=1e-3, atol=0.0).of(np.dtype("float32"), 50.0) == (1e-3, 0.0)
    assert own._replace(exact=True).of(np.dtype("float32"), 50.0) == (0.0, 0.0)
