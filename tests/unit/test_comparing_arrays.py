"""How two leaves are compared: bits, distances, tolerances, and the words for a difference."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from compared_leaves import difference, found, of, strings
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_modelroundtrip.portable.bits import PIECE
from pytest_modelroundtrip.portable.comparing import EXACT, Tolerance, arrays
from pytest_modelroundtrip.portable.tensors import DTYPES

DEFAULT = Tolerance()


# tolerances

PINNED = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


@pytest.mark.parametrize("name", DTYPES)
def test_the_tolerance_of_each_dtype(name: str) -> None:
    dtype = of(name).dtype
    assert DEFAULT.of(dtype) == PINNED.get(name, (0.0, 0.0))
    assert EXACT.of(dtype) == (0.0, 0.0)
    assert Tolerance(exact=True, rtol=1.0, atol=1.0).of(dtype) == (0.0, 0.0)
    assert Tolerance(rtol=1.0).of(dtype) == Tolerance(atol=1.0).of(dtype) == DEFAULT.of(dtype)
    floating = "float" in name or "complex" in name
    assert Tolerance(rtol=0.5, atol=2.0).of(dtype) == ((0.5, 2.0) if floating else (0.0, 0.0))


def test_an_object_array_has_no_tolerance() -> None:
    assert Tolerance(rtol=0.5, atol=2.0).of(np.dtype(object)) == (0.0, 0.0)


@pytest.mark.parametrize("name", PINNED)
def test_the_absolute_tolerance_scales_with_the_expected(name: str) -> None:
    small = 1e-4 if name == "float16" else 1e-7  # a normal number of that dtype
    rtol, atol = PINNED[name]
    expected, negative = of(name, small, 0.0), of(name, -small, 0.0)
    near, far = of(name, small, small * atol / 2), of(name, small, small * rtol)
    assert difference(expected, near, DEFAULT) == ""
    assert (difference(expected, far, DEFAULT) == "") is (rtol <= atol)
    assert difference(expected, negative, DEFAULT) != ""
    given = Tolerance(rtol=0.0, atol=3 * small)  # the user's is taken as it is given
    assert difference(expected, negative, given) == ""


@pytest.mark.parametrize("name", PINNED)
def test_the_absolute_tolerance_never_grows(name: str) -> None:
    dtype, (rtol, atol) = of(name).dtype, PINNED[name]
    assert DEFAULT.of(dtype, 1e30) == DEFAULT.of(dtype) == (rtol, atol)
    assert DEFAULT.of(dtype, 0.25) == (rtol, atol / 4)
    assert Tolerance(rtol=0.5, atol=2.0).of(dtype, 0.25) == (0.5, 2.0)


@pytest.mark.parametrize(
    ("name", "step"),
    [("float16", 2.0**-24), ("bfloat16", 2.0**-133), ("float32", 2.0**-149), ("float64", 5e-324)],
)
def test_one_step_between_the_smallest_numbers_is_rounding(name: str, step: float) -> None:
    """Below the smallest normal number there are fewer digits: one step is more than rtol."""
    assert difference(of(name, 0.0, 0.0), of(name, step, 0.0), DEFAULT) == ""
    assert difference(of(name, 300 * step, 0.0), of(name, 301 * step, step), DEFAULT) == ""


def test_zeros_come_back_as_zeros() -> None:
    zeros = np.zeros(3, np.float32)
    assert difference(zeros, zeros + np.float32(1e-8), DEFAULT) != ""
    assert difference(zeros, zeros + np.float32(1e-8), Tolerance(rtol=0.0, atol=1e-5)) == ""


def test_the_scale_is_that_of_the_whole_array() -> None:
    """What is zero among larger numbers, after relu or a difference, may be a rounding error."""
    expected, actual = of("float32", 3.0, 0.0), of("float32", 3.0, 9e-6)
    assert difference(expected, actual, DEFAULT) == ""
    assert difference(expected / 3e3, actual / 3e3, DEFAULT) == ""
    assert difference(expected[1:], actual[1:], DEFAULT) != ""


@pytest.mark.parametrize("worst", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_no_scale(worst: float) -> None:
    expected, actual = of("float32", worst, 1e-7), of("float32", worst, 2e-7)
    assert difference(expected, actual, DEFAULT) != ""
    nothing_finite = of("float32", worst)
    assert difference(nothing_finite, nothing_finite.copy(), DEFAULT) == ""
    assert difference(nothing_finite, of("float32", 0.0), DEFAULT) != ""


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("expected", "actual", "close"),
    [(100.0, 101.5, True), (100.0, 98.5, True), (100.0, 101.6, False), (100.0, 98.4, False)],
)
def test_the_limit_is_atol_and_rtol_of_the_expected(
    expected: float, actual: float, close: bool, sign: int
) -> None:
    pair = np.array([sign * expected]), np.array([sign * actual])
    assert (difference(*pair, Tolerance(rtol=0.01, atol=0.5)) == "") is close


def test_the_limit_is_relative_to_the_expected_alone() -> None:
    small, large = np.array([100.0]), np.array([200.0])
    tolerance = Tolerance(rtol=0.5, atol=0.0)
    assert difference(large, small, tolerance) == ""
    assert difference(small, large, tolerance) != ""
    assert difference(small, large, Tolerance(rtol=0.0, atol=100.0)) == ""
    assert difference(small, large, Tolerance(rtol=0.0, atol=0.0)) != ""


def test_the_limit_is_not_rounded_to_the_dtype() -> None:
    one, other = np.array([1.0], np.float16), np.array([1.015625], np.float16)
    assert difference(one, other, Tolerance(rtol=0.015625, atol=0.0)) == ""
    assert difference(one, other, Tolerance(rtol=0.015622, atol=0.0)) != ""


def test_complex_numbers_are_compared_by_their_magnitude() -> None:
    expected, actual = np.array([3 + 4j]), np.array([3 + 4j + (0.3 + 0.4j)])
    assert difference(expected, actual, Tolerance(rtol=0.0, atol=0.51)) == ""
    assert difference(expected, actual, Tolerance(rtol=0.0, atol=0.49)) != ""


def test_what_is_close_is_noted_with_its_distance() -> None:
    one = np.array([1.0, 2.0], np.float32)
    close = found(one, np.nextafter(one, np.float32(3)), DEFAULT)
    assert (close.outcome, close.max_ulp) == ("n/a", 1)  # nothing was counted as compared
    assert close.bits_differ and not close.differences
    same = found(one, one.copy(), DEFAULT)
    assert (same.bits_differ, same.max_ulp) == (False, None)


# distances


@pytest.mark.parametrize(
    ("dtype", "one", "other", "ulp"),
    [
        ("float32", 1.0, 2.0, 2**23),
        ("float64", 1.0, 2.0, 2**52),
        ("float16", 1.0, 2.0, 2**10),
        ("bfloat16", 1.0, 2.0, 2**7),
        ("bfloat16", -1.0, -2.0, 2**7),
        ("float8_e5m2", 1.0, 2.0, 2**2),
        ("float8_e4m3fn", 1.0, 2.0, 2**3),
        ("float8_e4m3fn", -(2.0**-9), 2.0**-9, 2),
        ("float8_e8m0fnu", 1.0, 2.0, 1),
        ("float8_e8m0fnu", 0.5, 4.0, 3),
        ("float4_e2m1fn", -0.5, 0.5, 2),
        ("float6_e2m3fn", -0.125, 0.125, 2),
        ("float6_e3m2fn", -0.0625, 0.0625, 2),
        ("float32", 0.0, -0.0, 0),
        ("float32", -1e-45, 1e-45, 2),
        ("float64", -5e-324, 5e-324, 2),
        ("float64", -1.0, 1.0, 2 * 0x3FF0000000000000),
        ("float64", -np.inf, np.inf, 2 * 0x7FF0000000000000),
        ("float16", 65504.0, np.inf, 1),
        ("float32", np.nan, np.nan, 0),
        ("float32", np.nan, 1.0, 0x7FC00000 - 0x3F800000),
        ("complex64", 1 + 1j, 2 + 1j, 2**23),
        ("complex64", 1 + 1j, 1 + 2j, 2**23),
        ("complex128", 1 + 4j, 1.5 + 8j, 2**52),
    ],
)
def test_distances(dtype: str, one: complex, other: complex, ulp: int) -> None:
    a, b = of(dtype, one), of(dtype, other)
    assert arrays.ulp(a, b).tolist() == arrays.ulp(b, a).tolist() == [ulp]


@given(st.floats(-1e300, 1e300), st.integers(0, 9))
@example(-5e-324, 3)
def test_the_distance_counts_the_numbers_between(start: float, steps: int) -> None:
    end = np.float64(start)
    for _ in range(steps):
        end = np.nextafter(end, np.float64(np.inf))
    assert arrays.ulp(np.array(start), np.array(end)) == steps
    assert arrays.ulp(np.array(-start), np.array(-end)) == steps


# NaN, infinity, zero


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "float8_e5m2"])
def test_nan_equals_nan_and_nothing_else(name: str) -> None:
    nan, one = of(name, np.nan), of(name, 1.0)
    for tolerance in (EXACT, DEFAULT, Tolerance(rtol=1e9, atol=1e9)):
        assert difference(nan, -nan, tolerance) == ""
        assert difference(nan, one, tolerance) != ""
        assert difference(one, nan, tolerance) != ""
    assert not found(nan, -nan).bits_differ


def test_a_complex_nan_is_compared_by_its_components() -> None:
    nan = np.array([complex(np.nan, 1.0)])
    assert difference(nan, nan.copy()) == ""
    assert difference(nan, np.array([complex(np.nan, 2.0)])) != ""
    assert difference(nan, np.array([complex(1.0, np.nan)])) != ""


@pytest.mark.parametrize("actual", [-np.inf, np.nan, 1e308])
def test_infinity_is_close_to_nothing(actual: float) -> None:
    wide = Tolerance(rtol=1e9, atol=1e9)
    infinite = np.array([np.inf])
    assert difference(infinite, infinite.copy(), wide) == ""
    assert difference(infinite, np.array([actual]), wide) != ""
    assert difference(np.array([actual]), infinite, wide) != ""


def test_the_sign_of_zero_is_a_bit() -> None:
    zero = np.zeros(1, np.float32)
    text = "differs in 1 of 1 elements; the largest difference at [0]: 0.0 is now -0.0 (0 ulp)"
    assert difference(zero, -zero) == text
    close = found(zero, -zero, DEFAULT)
    assert (close.bits_differ, close.max_ulp, close.differences) == (True, 0, [])
    tiny = Tolerance(rtol=1e-300, atol=0.0)
    assert difference(np.zeros(1), -np.zeros(1), tiny) == ""


# the words


def test_the_largest_difference_is_shown_and_what_is_close_is_not_counted() -> None:
    expected = np.array([[1.0, 5.0, 1.0], [1.0, 1.0, 7.0]], np.float32)
    actual = np.array([[1.0, 5.5, 1.0000001], [1.0, 9.0, 7.0]], np.float32)
    where = "the largest difference at [1, 1]: 1.0 is now 9.0 (26214400 ulp)"
    assert difference(expected, actual) == "differs in 3 of 6 elements; " + where
    assert difference(expected, actual, DEFAULT) == "differs in 2 of 6 elements; " + where
    assert found(expected, actual, DEFAULT).max_ulp == 26214400


def test_what_is_close_is_never_shown_as_the_largest() -> None:
    expected, actual = np.array([1000.0, 1.0]), np.array([1001.0, 1.5])
    text = difference(expected, actual, Tolerance(rtol=0.01, atol=0.0))
    assert text.startswith("differs in 1 of 2 elements; the largest difference at [1]: 1.0 is now")


@pytest.mark.parametrize("worst", [np.nan, np.inf])
def test_what_is_not_a_number_is_the_largest_difference(worst: float) -> None:
    text = difference(np.array([1.0, 2.0, 3.0]), np.array([1e300, worst, 3.0]), DEFAULT)
    assert text.startswith("differs in 2 of 3 elements; the largest difference at [1]: 2.0 is now")


def test_numbers_that_overflow_when_they_are_subtracted() -> None:
    assert "at [0]: 1e+308 is now" in difference(np.array([1e308]), np.array([-1e308]), DEFAULT)


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        ("int8", "1 is now 2"),
        ("uint64", "1 is now 2"),
        ("int4", "1 is now 2"),
        ("float8_e4m3fn", "1 is now 2 (8 ulp)"),
        ("bfloat16", "1 is now 2 (128 ulp)"),
        ("complex64", "(1+0j) is now (2+0j) (8388608 ulp)"),
    ],
)
def test_a_single_number_has_no_position(dtype: str, text: str) -> None:
    pair = of(dtype, 1).reshape(()), of(dtype, 2).reshape(())
    wide = Tolerance(rtol=0.1, atol=0.1)
    assert difference(*pair, wide) == f"differs in 1 of 1 elements; the largest difference: {text}"


def test_integers_and_strings_show_the_first_that_differs() -> None:
    counts = np.array([1, 2, 3]), np.array([1, 9, 99])
    at = "differs in 2 of 3 elements; the largest difference at [1]: "
    assert difference(*counts) == at + "2 is now 9"
    assert found(*counts).bits_differ
    words = strings(b"a", b"b\0", b"c"), strings(b"a", b"b", b"d")
    assert difference(*words) == at + r"b'b\x00' is now b'b'"
    assert found(*words).bits_differ


def test_booleans() -> None:
    flags = np.array([True, False])
    assert difference(flags, flags.copy()) == ""
    assert "True is now False" in difference(flags, np.array([False, False]), DEFAULT)


def test_only_bytes_are_equal_strings() -> None:
    assert difference(strings(b"a"), strings(np.bytes_(b"a"))) == ""
    assert difference(strings(np.bytes_(b"a")), strings(b"b")).endswith("b'a' is now b'b'")
    for one, other in ((b"a", "a"), ("a", "a"), (None, None), (np.ones(2), np.ones(2))):
        assert difference(strings(one), strings(other)) != ""
        assert difference(strings(other), strings(one)) != ""


def test_equal_arrays_are_not_widened() -> None:
    array = np.ones(100_000, np.float32)
    other = array.copy()
    tracemalloc.start()
    assert difference(array, other) == ""
    assert tracemalloc.get_traced_memory()[1] < array.nbytes
    tracemalloc.stop()


def test_empty_arrays() -> None:
    empty = np.zeros((0, 3))
    assert difference(empty, empty.copy()) == difference(strings(), strings()) == ""
    assert difference(empty, np.zeros((3, 0))) == "had the shape [0, 3] and now has [3, 0]"
    assert difference(empty, empty.astype("int8")) == "was float64 and is now int8"


def test_views_are_compared_by_their_elements() -> None:
    grid = np.arange(6.0).reshape(2, 3)
    assert difference(grid.T, grid.T.copy()) == ""
    assert difference(grid[:, ::2], np.array([[0.0, 2.0], [3.0, 5.0]])) == ""
    assert "at [2, 0]: 2.0 is now 9.0" in difference(
        grid.T, np.array([[0.0, 3.0], [1.0, 4.0], [9.0, 5.0]])
    )


def test_large_arrays_are_compared_in_pieces() -> None:
    """The largest difference is found wherever it is; what is near is counted in no piece."""
    size = 2 * PIECE + 5
    expected = np.ones((size, 1), np.float32)
    actual = expected.copy()
    expected[1] = actual[1] = np.nan
    expected[2], actual[2] = -0.0, 0.0
    actual[PIECE + 1] = 1 + 1e-7
    close = found(expected, actual, DEFAULT)
    assert (close.differences, close.bits_differ, close.max_ulp) == ([], True, 1)
    actual[3], actual[-2], actual[-1] = 1.5, 3.0, -1.0
    text = difference(expected, actual, DEFAULT)
    assert f"differs in 3 of {size} elements" in text
    assert f"at [{size - 2}, 0]: 1.0 is now 3.0" in text
