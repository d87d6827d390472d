"""How weights are paired and compared, and where a wrong value comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_dtype import dtype_or_skip

from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.bits import digest
from pytest_modelroundtrip.portable.comparing import EXACT, Comparison, Tolerance, ValueOrigin
from pytest_modelroundtrip.portable.comparing.variables import compare_variables, paired
from pytest_modelroundtrip.portable.models.variables import sentinel_values
from pytest_modelroundtrip.portable.protocol import WeightValue
from pytest_modelroundtrip.portable.tensors import KnownArray

KERNEL = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
BIAS = np.array([0.7, 0.9], np.float32)
BACKENDS = Tolerance(across_backends=True)


def weight(path: str, value: Plain = BIAS, place: str = "", **fields: Plain) -> WeightValue:
    return WeightValue(path, place or path, None, True, value)._replace(**fields)


def compared(expected: Sequence[WeightValue], actual: Sequence[WeightValue]) -> Comparison:
    return compare_variables("weight", [*expected], [*actual], EXACT)


def value_compared(
    expected: Plain, actual: Plain, others: Sequence[WeightValue] = ()
) -> Comparison:
    return compared([weight("w", expected), *others], [weight("w", actual), *others])


# pairing


def test_equal_weights() -> None:
    weights = [weight("a/kernel", KERNEL), weight("a/bias")]
    found = compared(weights, [w._replace(value=w.value.copy()) for w in reversed(weights)])
    assert (found.differences, found.compared, found.outcome) == ([], 2, "exact")
    assert (found.origins, found.max_ulp) == ({}, None)


def test_missing_and_new_weights_are_reported_in_order() -> None:
    expected = [weight("b"), weight("same"), weight("a", KERNEL)]
    found = compared(expected, [weight("d", KERNEL), weight("same"), weight("c")])
    assert found.differences == [
        "weight a float32[2, 2] is missing after the reload",
        "weight b float32[2] is missing after the reload",
        "weight c float32[2] is not in the original",
        "weight d float32[2, 2] is not in the original",
    ]
    assert found.compared == 1


def test_without_a_noun_a_message_begins_with_the_path() -> None:
    found = compare_variables(
        "", [weight("a"), weight("b")], [weight("c"), weight("b", KERNEL)], EXACT
    )
    assert found.differences == [
        "a float32[2] is missing after the reload",
        "c float32[2] is not in the original",
        "b had the shape [2] and now has [2, 2]",
    ]


def test_weights_are_paired_by_place_whatever_number_keras_counted() -> None:
    expected = [weight("dense/b", BIAS, ".a:b"), weight("dense_1/b", BIAS + 1, ".b:b")]
    moved = [weight("dense_9/b", BIAS + 1, ".b:b"), weight("dense_8/b", BIAS, ".a:b")]
    swapped = [weight("dense_1/b", BIAS, ".a:b"), weight("dense/b", BIAS + 1, ".b:b")]
    for actual, order in ((moved, (1, 0)), (swapped, (0, 1))):
        assert compared(expected, actual).differences == []
        pairs = paired(expected, actual, EXACT)
        assert list(pairs.expected) == ["dense/b", "dense_1/b"]
        assert pairs.actual == {"dense/b": actual[order[0]], "dense_1/b": actual[order[1]]}


def test_what_has_no_partner_in_its_place_is_paired_by_path() -> None:
    expected = [weight("a", BIAS, ".one:w"), weight("b", KERNEL, ".two:w")]
    actual = [weight("b", KERNEL, "/two:w"), weight("a", BIAS, ".one:w")]
    assert compared(expected, actual).differences == []


@pytest.mark.parametrize(
    "actual",
    [
        [weight("x/b", BIAS, "/x:b")],  # a name that the user gave
        [weight("dense/b", BIAS + 1, "/dense#0:b"), weight("more", BIAS, "/more:b")],
        # another weight has its path, and the place of none
        [weight("c/b", BIAS + 1, "/dense#0:b"), weight("dense/b", BIAS, "/more:b")],
        # what an honest side never sends
        [weight("c/b", BIAS + 1, "/dense#0:b"), weight("d/b", BIAS, "/dense#0:b")],
    ],
    ids=str,
)
def test_no_weight_is_left_out(actual: list[WeightValue]) -> None:
    expected = [weight("dense/b", BIAS, "/dense#0:b")]
    assert len(compared(expected, actual).differences) == 2


# flags and ties


def test_trainable_flags() -> None:
    free, frozen = weight("w"), weight("w", trainable=False)
    text = "weight w was %s and is now %s"
    assert compared([free], [frozen]).differences == [text % ("trainable", "frozen")]
    assert compared([frozen], [free]).differences == [text % ("frozen", "trainable")]


def test_ties() -> None:
    alone, tied = weight("w"), weight("w", tied_to="v")
    text = "weight w was %s and is now %s"
    separate = text % ("tied to v", "a separate variable")
    assert compared([tied], [alone]).differences == [separate]
    assert compared([alone], [tied]).differences == [text % ("a separate variable", "tied to v")]
    assert compared([tied], [weight("w", tied_to="x")]).differences == []


def test_the_value_of_a_tied_weight_is_reported_at_its_first_path_only() -> None:
    expected = [weight("v"), weight("w", tied_to="v")]
    actual = [weight("v", BIAS + 1), weight("w", BIAS + 1, tied_to="v")]
    found = compared(expected, actual)
    assert len(found.differences) == 1
    assert list(found.origins) == ["v"]
    # tied to another variable than before, it has a value of its own
    elsewhere = [weight("v"), weight("w", BIAS + 1, tied_to="x")]
    assert len(compared(expected, elsewhere).differences) == 1
    untied = [weight("v"), weight("w", BIAS + 1)]
    assert len(compared(expected, untied).differences) == 1
    assert len(compared(untied, expected).differences) == 2


def test_one_weight_can_differ_in_several_ways() -> None:
    found = compared([weight("w", tied_to="v")], [weight("w", trainable=False)])
    assert len(found.differences) == 2


# values and their origins


def test_a_single_bit_is_a_difference_whatever_the_tolerance() -> None:
    other = np.nextafter(BIAS, np.float32(1))
    wide = Tolerance(rtol=9.0, atol=9.0)
    found = compare_variables("weight", [weight("w")], [weight("w", other)], wide)
    (text,) = found.differences
    assert text.startswith("weight w differs in 2 of 2 elements; the largest difference at [")
    assert text.endswith("(1 ulp)")
    assert (found.outcome, found.origins) == ("differs", {"w": ValueOrigin("", "")})
    assert (found.max_ulp, found.bits_differ) == (None, False)


STRINGS = np.array([b"a", b"b"], object)


@pytest.mark.parametrize(
    "other",
    [BIAS.astype(np.float64), np.zeros(2), KERNEL, np.zeros((2, 2), np.float32), STRINGS, 1.0],
    ids=str,
)
def test_of_another_dtype_or_shape_no_origin_is_known(other: Plain) -> None:
    for one, two in ((BIAS, other), (other, BIAS)):
        found = value_compared(one, two)
        assert len(found.differences) == 1
        assert found.origins == {"w": ValueOrigin("", "")}


def test_of_strings_no_origin_is_known() -> None:
    found = value_compared(STRINGS, STRINGS[[0, 0]])
    assert found.origins == {"w": ValueOrigin("", "")}
    assert found.differences[0].endswith("at [1]: b'b' is now b'a'")


def test_it_holds_the_value_of_another_weight() -> None:
    other = weight("v", BIAS + 1)
    found = value_compared(BIAS, BIAS + 1, [weight("u", KERNEL), other])
    assert found.origins == {"w": ValueOrigin("other", "v")}
    assert found.differences[0].endswith("ulp): it holds the value of v")
    assert value_compared(BIAS, BIAS + 2, [other]).origins == {"w": ValueOrigin("", "")}


def test_a_permutation_is_seen_from_both_sides() -> None:
    expected = [weight("a"), weight("b", BIAS + 1)]
    actual = [weight("a", BIAS + 1), weight("b")]
    assert compared(expected, actual).origins == {"a": ("other", "b"), "b": ("other", "a")}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("narrow", ["float16", "bfloat16"])
def test_it_was_cast(dtype: str, narrow: str) -> None:
    value = np.array([0.1, 0.3, 1e30], dtype)
    with np.errstate(over="ignore"):
        cast = value.astype(dtype_or_skip(narrow)).astype(dtype)
    found = value_compared(value, cast)
    assert found.origins == {"w": ValueOrigin("cast", narrow)}
    assert found.differences[0].endswith(f" ulp): it was cast through {narrow}")


def test_other_dtypes_are_not_said_to_be_cast() -> None:
    value = np.array([2049, 4099], np.int32)
    cast = value.astype(np.float16).astype(np.int32)
    assert value_compared(value, cast).origins == {"w": ValueOrigin("", "")}


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float32", "0.0 is now 9.0 (1091567616 ulp)"),
        ("bfloat16", "0 is now 9 (16656 ulp)"),
        ("int64", "0 is now 3"),
        ("bool", "False is now True"),
    ],
)
def test_it_was_not_loaded(dtype: str, values: str) -> None:
    value = np.zeros(9).astype(dtype_or_skip(dtype))
    found = value_compared(value, sentinel_values(value))
    assert found.origins == {"w": ValueOrigin("sentinel", "")}
    text = ": it was not loaded, it holds the value that the rebuilt model had before"
    assert found.differences[0].endswith(values + text)


def test_it_was_not_loaded_though_only_the_hash_of_the_original_is_known() -> None:
    kernel = np.ones((32, 32), np.float32)
    known = KnownArray(digest(kernel), "float32", (32, 32))
    found = value_compared(known, sentinel_values(kernel))
    assert found.origins == {"w": ValueOrigin("sentinel", "")}
    assert not value_compared(known, kernel).differences


def test_it_was_initialized_again() -> None:
    found = value_compared(BIAS, np.zeros(2, np.float32))
    assert found.origins == {"w": ValueOrigin("constant", "0.0")}
    assert found.differences[0].endswith(" ulp): it was re-initialized, each element is 0.0")
    # that comes before another weight that holds the same constant
    zero = [weight("zero", np.zeros(2, np.float32))]
    assert value_compared(BIAS, np.zeros(2, np.float32), zero).origins["w"].kind == "constant"


def test_a_constant_that_has_become_another_has_no_origin() -> None:
    ones, zeros = np.ones(2, np.float32), np.zeros(2, np.float32)
    assert value_compared(ones, zeros, [weight("z", zeros)]).origins == {"w": ValueOrigin("", "")}


def test_of_a_single_element_no_origin_is_known() -> None:
    one, other = np.array([0.1], np.float32), np.array([3.0], np.float32)
    assert value_compared(one, other, [weight("v", other)]).origins == {"w": ValueOrigin("", "")}
    pair = np.array([0.1, 0.2], np.float32), np.array([3.0, 4.0], np.float32)
    assert value_compared(*pair).origins["w"].kind == "sentinel"


# backends


@pytest.mark.parametrize(("dtype", "other"), [("int64", "int32"), ("uint64", "uint32")])
def test_across_backends_integers_have_the_width_of_the_original(dtype: str, other: str) -> None:
    wide, narrow = [weight("n", np.array(5, dtype))], [weight("n", np.array(5, other))]
    assert len(compare_variables("", wide, narrow, EXACT).differences) == 1
    assert compare_variables("", wide, narrow, BACKENDS).differences == []
    assert compare_variables("", narrow, wide, BACKENDS).differences == []
    assert paired(wide, narrow, BACKENDS).actual["n"].value.dtype == dtype
    six = [weight("n", np.array(6, other))]
    (text,) = compare_variables("", wide, six, BACKENDS).differences
    assert text.endswith("5 is now 6")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.array([1], np.int32), np.array([1 + 2**32], np.int64)),  # it does not fit
        (np.array([1], np.int64), np.array([1], np.uint32)),
        (np.array([1.0], np.float64), np.array([1.0], np.float32)),
        (np.array([True]), np.array([1], np.int8)),
        (np.array([1]), 1),
        (1, np.array([1])),
    ],
    ids=str,
)
def test_across_backends_nothing_else_is_widened(expected: Plain, actual: Plain) -> None:
    pair = [weight("n", expected)], [weight("n", actual), weight("new", actual)]
    assert len(compare_variables("", *pair, BACKENDS).differences) == 2
    assert paired(*pair, BACKENDS).actual == {w.path: w for w in pair[1]}


# properties

VALUES = st.sampled_from([
    *(BIAS, BIAS + 1, KERNEL, BIAS.astype("int64"), BIAS.astype("int32"), np.zeros(0)),
    *(np.array([b"a", "a"], object), np.array(3), np.full(2, np.nan), 1.0, None),
])  # fmt: skip
PATHS = st.sampled_from(["", "a", "a_1", "b"])
WEIGHTS = st.lists(
    st.builds(WeightValue, PATHS, PATHS, st.none() | PATHS, st.booleans(), VALUES), max_size=4
)


@given(WEIGHTS, WEIGHTS, st.sampled_from([EXACT, Tolerance(), BACKENDS]))
def test_no_weights_raise(one: list[WeightValue], two: list[WeightValue], how: Tolerance) -> None:
    found = compare_variables("weight", one, two, how)
    assert found.origins.keys() <= {held.path for held in one}
