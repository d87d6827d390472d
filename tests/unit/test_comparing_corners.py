"""Corners of comparing, each found as a mutant that no other test killed."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.portable.aliases import Array, Plain
from pytest_modelroundtrip.portable.bits import PIECE
from pytest_modelroundtrip.portable.checks.config import ConfigSighting, PlaceSighting, reproducible
from pytest_modelroundtrip.portable.checks.training import TrainingSighting
from pytest_modelroundtrip.portable.comparing import (
    EXACT,
    Comparison,
    Tolerance,
    arrays,
    merged_comparisons,
)
from pytest_modelroundtrip.portable.comparing.json import compare_json
from pytest_modelroundtrip.portable.comparing.nests import MAX_ORIGINS, compare_nests
from pytest_modelroundtrip.portable.comparing.values import value_difference
from pytest_modelroundtrip.portable.comparing.variables import compare_variables
from pytest_modelroundtrip.portable.protocol import WeightValue

NAN, INF = np.nan, np.inf


def difference(expected: Plain, actual: Plain, tolerance: Tolerance) -> str:
    return arrays.leaf_difference(expected, actual, tolerance, Comparison())


def test_bits_that_differ_in_one_part_are_not_forgotten_for_an_equal_part() -> None:
    near = compare_nests("outputs", np.array([1.0]), np.array([1.0 + 1e-12]), Tolerance())
    equal = compare_nests("outputs", np.array([1.0]), np.array([1.0]), Tolerance())
    for parts in ((near, equal), (equal, near)):
        whole = merged_comparisons([("part", {"outputs": part}) for part in parts])["outputs"]
        assert (whole.outcome, whole.max_ulp) == ("close", 4504)


def test_a_leaf_of_an_unknown_type_equals_its_own_type_only() -> None:
    assert difference(b"a", b"a", EXACT) == ""
    assert difference(b"a", bytearray(b"a"), EXACT) == "was b'a' and is now bytearray(b'a')"


@pytest.mark.parametrize("tolerance", [EXACT, Tolerance()])
def test_infinities_in_the_same_place_are_subtracted_without_a_warning(
    tolerance: Tolerance,
) -> None:
    text = difference(np.array([INF, -INF, 1.0]), np.array([INF, -INF, 2.0]), tolerance)
    assert text.startswith("differs in 1 of 3 elements; the largest difference at [2]: 1.0 is now")
    assert difference(np.array([INF, 1.0]), np.array([INF, 1.0 + 1e-12]), Tolerance()) == ""


def test_of_infinity_and_nan_the_first_is_shown() -> None:
    for values in ([INF, NAN], [NAN, INF]):
        assert " at [0]: 1.0 is now" in difference(np.ones(2), np.array(values), EXACT)


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


BIAS = np.array([0.7, 0.9], np.float32)


def test_all_pieces_of_an_array_count() -> None:
    expected = np.zeros(2 * PIECE, np.float32)
    expected[0] = 3.0  # the largest number is in the first piece, what differs in the second
    actual = expected.copy()
    actual[-1] = 9e-6
    assert difference(expected, actual, Tolerance()) == ""
    actual[1] = 8.0
    found = Comparison()
    text = arrays.leaf_difference(expected, actual, Tolerance(), found)
    assert "1 of" in text and "at [1]: 0.0 is now 8.0" in text
    assert found.max_ulp == 0x41000000


@pytest.mark.parametrize(("name", "step"), [("complex64", 2.0**-149), ("complex128", 5e-324)])
def test_the_smallest_complex_numbers_are_close_to_zero(name: str, step: float) -> None:
    assert difference(np.array([0, 0], name), np.array([step, 0], name), Tolerance()) == ""


def test_complex_infinities_with_zeros_of_another_sign_are_close() -> None:
    expected, actual = (np.array([complex(INF, zero)]) for zero in (0.0, -0.0))
    assert difference(expected, actual, Tolerance()) == ""


SAME: list[tuple[Plain, Plain]] = [
    (np.array([1.0, 2.0]), [1.0, 2.0]),
    ([1.0, 2.0], np.array([1.0, 2.0])),
    (np.zeros((2, 0)), [[], []]),
    (np.zeros((0, 3)), []),
    (np.full((), 2.0), 2.0),
    (["a", "b"], ["b", "a"]),
    (1, 1.0),
]
OTHER: list[tuple[Plain, Plain]] = [
    (np.zeros((2, 0)), []),
    (np.zeros((0, 3)), [[]]),
    (np.zeros((1 << 20, 0)), [1]),
    (["a", "a", "b"], ["a", "b", "b"]),
    (True, 1),
    (None, 0),
    (BIAS, np.nextafter(BIAS, np.float32(1))),
]


def test_values_of_attributes() -> None:
    for expected, actual in SAME:
        assert value_difference(expected, actual) == ""
    for expected, actual in OTHER:
        assert value_difference(expected, actual)
    assert value_difference(*OTHER[-1], Tolerance()) == ""


def test_the_tolerance_between_versions() -> None:
    here, there = {"keras": "3.1"}, {"keras": "3.2"}
    asked = Tolerance(exact=True)
    assert asked.between(here, here, None) == Tolerance(exact=True)
    found = asked.between(here, there, 1e-4)
    assert found == Tolerance(across_versions=True, of_format=1e-4)
    found = asked.between(here, {**here, "backend": "jax"}, None)
    assert found == Tolerance(across_versions=True, across_backends=True)


def counted(number: int, value: Plain = BIAS) -> WeightValue:
    name = f"string_categorical_{number}_preprocessor"
    return WeightValue(f"f/{name}/t", f"/f.{name}:t", None, True, value)


def test_places_in_which_only_a_count_differs_are_paired_in_order() -> None:
    expected = [counted(1), counted(2, BIAS + 1)]
    actual = [counted(8), counted(9, BIAS + 1)]
    assert compare_variables("", expected, actual, EXACT).differences == []
    assert len(compare_variables("", expected, actual[::-1], EXACT).differences) == 2
    assert len(compare_variables("", expected, actual[:1], EXACT).differences) == 3
    # a name that ends in a number is one that the user gave
    one, other = ([WeightValue(name, f"/{name}", None, True, BIAS)] for name in ("x_1", "x_2"))
    assert len(compare_variables("", one, other, EXACT).differences) == 2


@pytest.mark.parametrize(("tied_to", "count"), [("encoder/v", 0), ("encoder/u", 1)])
def test_a_weight_tied_to_one_of_another_part(tied_to: str, count: int) -> None:
    """Its value is reported there, unless it is tied to another one."""
    expected = [WeightValue("w", "w", "encoder/v", True, BIAS)]
    actual = [WeightValue("w", "w", tied_to, True, BIAS + 1)]
    assert len(compare_variables("", expected, actual, EXACT).differences) == count


@pytest.mark.parametrize(
    ("expected", "actual", "is_same"),
    [
        ({}, {"batch_input_shape": [None, 2]}, True),
        ({"module": "tf_keras.layers"}, {"module": "keras.layers"}, True),
        ({"module": "kerasx"}, {"module": "keras.layers"}, False),
        (*({"class_name": "IntegerLookup", "config": {"vocabulary": [n]}} for n in (1, 2)), True),
    ],
)
def test_configs_of_different_versions(expected: Plain, actual: Plain, is_same: bool) -> None:
    assert (compare_json("c", expected, actual, EXACT).differences == []) == is_same


def test_the_first_hint_stays() -> None:
    cause, consequence, empty = Comparison(), Comparison(), Comparison()
    cause.hint, consequence.hint = "cause", "consequence"
    cause.include(consequence)
    empty.include(consequence)
    assert (cause.hint, empty.hint) == ("cause", "consequence")


def test_what_two_reloads_show_differently_is_not_expected() -> None:
    def seen(**values: int) -> ConfigSighting:
        config = {"c": values.get("c")}
        return ConfigSighting(None, {".s": PlaceSighting("s", "Scale", config, values, [], [], [])})

    kept = reproducible(seen(a=1, b=2, c=3), seen(a=1, b=5, c=8), seen(a=1, b=6, c=9)).places[".s"]
    assert (kept.attributes, kept.config) == ({"a": 1}, {})
    kept = reproducible(seen(a=1), seen(b=1), seen(a=2)).places[".s"]  # what one lacks is expected
    assert kept.attributes == {"a": 1}


def step(values: Array, precision: float, loss: float = 1.0) -> TrainingSighting:
    changes = [WeightValue("w", "w", None, True, values)]
    return TrainingSighting(
        {"loss": np.array(loss)}, changes, {"w": 0.0}, {"w": 0.0}, {"loss": 0.02}, precision
    )


def test_training_steps_are_as_precise_as_their_dtype() -> None:
    check, other = checks.table()["training"], (BIAS * 1.005).astype("float32")
    for precision, outcome in ((2.0**-23, "differs"), (2.0**-10, "close")):
        found = check.compare(step(BIAS, precision), step(other, precision), Tolerance())
        assert found.outcome == outcome
    noisy = check.compare(step(BIAS, 2.0**-23), step(BIAS, 2.0**-23, loss=9.0), Tolerance())
    assert (noisy.differences, noisy.compared) == ([], 2)  # so large a noise is not compared
    half = check.compare(step(BIAS, 2.0**-10), step(BIAS, 2.0**-10, loss=9.0), Tolerance())
    assert len(half.differences) == 1


def test_the_origin_of_a_value_is_looked_for_a_few_times_only() -> None:
    """Each time all leaves are looked at: of a dict of 30,000 words that would take an hour."""
    numbers = [float(number) for number in range(40)]
    found = compare_nests("", numbers, numbers[::-1], EXACT).differences
    assert len(found) == 40
    assert sum("it holds the value of" in message for message in found) == MAX_ORIGINS
