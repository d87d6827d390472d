"""Corners of comparing, each found as a mutant that no other test killed."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.comparing import EXACT, Comparison, Tolerance, arrays, merged
from pytest_modelroundtrip.portable.comparing.nests import compare_nests
from pytest_modelroundtrip.portable.comparing.variables import compare_variables
from pytest_modelroundtrip.portable.protocol import WeightValue

NAN, INF = np.nan, np.inf


def difference(expected: Plain, actual: Plain, tolerance: Tolerance) -> str:
    return arrays.leaf_difference(expected, actual, tolerance, Comparison())


def test_bits_that_differ_in_one_part_are_not_forgotten_for_an_equal_part() -> None:
    near = compare_nests("outputs", np.array([1.0]), np.array([1.0 + 1e-12]), Tolerance())
    equal = compare_nests("outputs", np.array([1.0]), np.array([1.0]), Tolerance())
    for parts in ((near, equal), (equal, near)):
        whole = merged([("part", {"outputs": part}) for part in parts])["outputs"]
        assert (whole.outcome, whole.max_ulp) == ("close", 4504)


def test_a_leaf_of_an_unknown_type_equals_its_own_type_only() -> None:
    assert difference(b"a", b"a", EXACT) == ""
    assert difference(b"a", bytearray(b"a"), EXACT) == "was b'a' and came back as bytearray(b'a')"


@pytest.mark.parametrize("tolerance", [EXACT, Tolerance()])
def test_infinities_in_the_same_place_are_subtracted_without_a_warning(
    tolerance: Tolerance,
) -> None:
    text = difference(np.array([INF, -INF, 1.0]), np.array([INF, -INF, 2.0]), tolerance)
    assert text.startswith("differs in 1 of 3 elements; the largest difference at [2]: 1.0 came")
    assert difference(np.array([INF, 1.0]), np.array([INF, 1.0 + 1e-12]), Tolerance()) == ""


def test_of_infinity_and_nan_the_first_is_shown() -> None:
    for values in ([INF, NAN], [NAN, INF]):
        assert " at [0]: 1.0 came back" in difference(np.ones(2), np.array(values), EXACT)


def test_strings_in_several_axes() -> None:
    words = np.array([[b"a", b"b"], [b"c", b"d"]], dtype=object)
    for other in (b"x", "d"):
        changed = words.copy()
        changed[1, 1] = other
        text = difference(words, changed, EXACT)
        assert text.startswith("differs in 1 of 4 elements; the largest difference at [1, 1]: b'd'")


def test_the_distance_of_two_nans_is_zero_whatever_their_bits() -> None:
    nan = np.array([NAN, 1.0], np.float32)
    assert arrays.ulp(nan, np.array([-NAN, 1.0], np.float32)).tolist() == [0, 0]
    assert arrays.ulp(nan, np.ones(2, np.float32))[0] > 0
    assert arrays.ulp(np.ones(2, np.float32), nan)[0] > 0
    found = Comparison()
    arrays.leaf_difference(nan, np.array([-NAN, 1.0000001], np.float32), Tolerance(), found)
    assert found.max_ulp == 1


def test_each_leaf_that_is_not_in_the_original_is_named() -> None:
    found = compare_nests("outputs", {}, {"new": {"a": [1, 2], "b": []}}, EXACT)
    assert found.differences == [
        "outputs['new']['a'][0] is not in the original",
        "outputs['new']['a'][1] is not in the original",
        "outputs['new']['b'] is not in the original",
    ]


def test_a_missing_weight_that_is_not_an_array_is_shown() -> None:
    scalar: Plain = 1.5
    found = compare_variables("weight", [WeightValue("w", "", None, True, scalar)], [], EXACT)
    assert found.differences == ["weight w 1.5 is missing after the reload"]
