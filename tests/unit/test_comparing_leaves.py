"""How two leaves of any kind are compared: scalars, ragged and sparse tensors, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from compared_leaves import difference, strings
from hypothesis import given
from hypothesis import strategies as st
from ml_dtype import dtype_or_skip

from pytest_modelroundtrip.portable.aliases import Array, Plain
from pytest_modelroundtrip.portable.bits import same_bits
from pytest_modelroundtrip.portable.comparing import EXACT, Comparison, Tolerance, arrays
from pytest_modelroundtrip.portable.tensors import DTYPES, PartOutput, Ragged, Sparse

DEFAULT = Tolerance()


def bits_differ(expected: Plain, actual: Plain) -> bool:
    found = Comparison()
    arrays.leaf_difference(expected, actual, DEFAULT, found)
    return found.bits_differ


def test_dtypes_shapes_and_kinds() -> None:
    one = np.ones((2, 3), np.float32)
    half, ragged, sparse = (
        np.ones(1).astype(dtype_or_skip("bfloat16")),
        Ragged(one, (one,)),
        Sparse(one, one, one),
    )
    texts = {
        difference(one, one.astype(np.float64)): "was float32 and is now float64",
        difference(one.astype(np.int32), one): "was int32 and is now float32",
        difference(half, np.ones(1)): "was bfloat16 and is now float64",
        difference(one, one[:1]): "had the shape [2, 3] and now has [1, 3]",
        difference(one, np.ones((), np.float32)): "had the shape [2, 3] and now has []",
        difference(one, 1.0): "was an array float32[2, 3] and is now 1.0",
        difference(strings(b""), None): "was an array object[1] and is now None",
        difference(ragged, one): "was a ragged tensor and is now an array float32[2, 3]",
        difference(one, sparse): "was an array float32[2, 3] and is now a sparse tensor",
        difference(ragged, sparse): "was a ragged tensor and is now a sparse tensor",
    }
    assert list(texts) == list(texts.values())


# Python scalars


@pytest.mark.parametrize("value", [True, 1, 1.5, "a", None, PartOutput("encoder")])
def test_a_scalar_equals_itself(value: Plain) -> None:
    assert difference(value, value) == ""
    assert arrays.same_leaf(value, value)


SCALARS = [False, 0, 0.0, "", None, "0", PartOutput("")]


@pytest.mark.parametrize("one", SCALARS)
@pytest.mark.parametrize("other", SCALARS)
def test_scalars_of_two_types_differ(one: Plain, other: Plain) -> None:
    if one is not other:
        assert difference(one, other) == f"was {one!r} and is now {other!r}"
        assert not arrays.same_leaf(one, other)


def test_python_floats_are_compared_as_arrays_are() -> None:
    nan = float("nan")
    assert difference(nan, float("-nan")) == "" != difference(nan, 1.0)
    assert difference(0.0, -0.0).endswith(": 0.0 is now -0.0 (0 ulp)")
    assert difference(0.0, -0.0, DEFAULT) == difference(1.0, 1.00000001, DEFAULT) == ""
    assert difference(-1.0, -2.0, DEFAULT).endswith("-1.0 is now -2.0 (4503599627370496 ulp)")
    assert difference(1.0, np.float64(1.0)) == difference(np.float64(1.0), 1.0) == ""
    assert bits_differ(1.0, 1.00000001)


def test_a_long_scalar_is_cut_in_a_message() -> None:
    assert len(arrays.described_leaf("x" * 1000)) == 80


# ragged and sparse tensors


def ragged(values: list[float], *splits: list[int]) -> Ragged:
    return Ragged(np.array(values), tuple(np.array(row) for row in splits))


def test_ragged_tensors() -> None:
    one = ragged([1.0, 2.0, 3.0], [0, 1, 3])
    assert difference(one, ragged([1.0, 2.0, 3.0], [0, 1, 3])) == ""
    assert difference(one, ragged([1.0, 2.0, 4.0], [0, 1, 3])).startswith(
        "(values) differs in 1 of"
    )
    assert difference(one, ragged([1.0, 2.0], [0, 1, 2])).startswith("(values) had the shape [3]")
    text = difference(one, ragged([1.0, 2.0, 3.0], [0, 2, 3]), Tolerance(rtol=9.0, atol=9.0))
    assert text.startswith("(row_splits) differs in 1 of 3 elements; the largest difference at [1]")
    assert bits_differ(one, ragged([1.0, 2.0, 3.0 + 1e-12], [0, 1, 3]))


def test_ragged_tensors_of_another_rank() -> None:
    one, other = ragged([1.0], [0, 1]), ragged([1.0], [0, 1], [0, 1])
    assert difference(one, other) == "had 1 ragged dimensions and now has 2"
    assert difference(other, one) == "had 2 ragged dimensions and now has 1"
    assert difference(other, ragged([1.0], [0, 1], [0, 0])).startswith(
        "(row_splits) differs in 1 of 2"
    )


@pytest.mark.parametrize("field", Sparse._fields)
def test_sparse_tensors(field: str) -> None:
    one = Sparse(np.array([[0, 1]]), np.array([2.0]), np.array([3, 4]))
    assert difference(one, Sparse(*[part.copy() for part in one])) == ""
    other = one._replace(**{field: getattr(one, field) + 1})
    assert difference(one, other).startswith(f"({field}) differs in")
    assert not arrays.same_leaf(one, other)
    assert arrays.same_leaf(one, Sparse(*one))


# the same


def test_the_same_bits() -> None:
    one = np.array([1.0, 2.0], np.float32)
    assert same_bits(one, one.copy())
    assert not same_bits(one, one.view(np.int32))
    assert not same_bits(one, one.reshape(1, 2))
    assert not same_bits(one, np.array([1.0, 3.0], np.float32))
    assert not same_bits(np.zeros(1), -np.zeros(1))
    assert same_bits(np.array([1 + 2j]), np.array([1 + 2j]))
    assert not same_bits(np.array([1 + 2j]), np.array([1 + 3j]))


def test_the_same_leaf() -> None:
    one = np.array([1.0, np.nan])
    assert arrays.same_leaf(one, one.copy())
    assert not arrays.same_leaf(one, one[:1])
    assert not arrays.same_leaf(one, -one) and not arrays.same_leaf(one[1:], -one[1:])
    assert not arrays.same_leaf(one, 1.0)
    assert not arrays.same_leaf(1.0, one)
    assert not arrays.same_leaf(np.array([1.0]), np.array([1.0 + 1e-12]))
    assert arrays.same_leaf(strings(b"a"), strings(b"a"))
    assert not arrays.same_leaf(strings(b"a"), strings(b"b"))
    assert not arrays.same_leaf(strings(b"a"), one)


# properties


@st.composite
def numbers(draw: st.DrawFn, min_size: int = 0) -> Array:
    """An array of any bits, of a dtype that NumPy has."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES[:14])))
    shape = draw(st.lists(st.integers(min_size, 3), max_size=2))
    size = int(np.prod(shape)) * dtype.itemsize
    data = draw(st.binary(min_size=size, max_size=size))
    if dtype.kind == "b":
        data = bytes(byte & 1 for byte in data)
    return np.frombuffer(data, dtype).reshape(shape)


NUMBERS = numbers()
OBJECTS = st.lists(st.one_of(st.binary(max_size=2), st.text(max_size=1), st.none()), max_size=3)
LEAVES = st.one_of(
    NUMBERS,
    OBJECTS.map(lambda held: strings(*held)),
    st.builds(Ragged, NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)),
    st.builds(Sparse, NUMBERS, NUMBERS, NUMBERS),
    st.booleans() | st.integers() | st.floats() | st.text(max_size=2) | st.none(),
    st.builds(PartOutput, st.text(max_size=1)),
)
TOLERANCES = st.sampled_from([EXACT, DEFAULT, Tolerance(rtol=1e9, atol=1e9)])


@given(NUMBERS)
def test_what_is_equal_is_equal(array: Array) -> None:
    assert difference(array, array.copy()) == ""
    assert not bits_differ(array, array.copy())


@given(numbers(min_size=1), st.data())
def test_any_single_changed_bit_is_seen(array: Array, data: st.DataObject) -> None:
    changed = bytearray(array.tobytes())
    position = data.draw(st.integers(0, len(changed) - 1))
    bit = 1 if array.dtype == bool else 1 << data.draw(st.integers(0, 7))
    changed[position] ^= bit
    other = np.frombuffer(bytes(changed), array.dtype).reshape(array.shape)
    with np.errstate(invalid="ignore"):  # a signaling NaN
        same = np.array_equal(array, other, equal_nan=array.dtype.kind in "fc")
        if same and not (array == other).all():
            return  # a NaN has become another NaN
    assert difference(array, other).startswith("differs in 1 of")
    assert bits_differ(array, other)


@given(LEAVES, LEAVES, TOLERANCES)
def test_no_pair_of_leaves_raises(one: Plain, other: Plain, tolerance: Tolerance) -> None:
    assert bool(difference(one, other, tolerance)) <= bool(difference(one, other))
    assert bool(difference(one, other)) == bool(difference(other, one))
    assert arrays.same_leaf(one, other) <= (difference(one, other) == "")
    assert arrays.described_leaf(one)


def test_signaling_nans_raise_no_warning() -> None:
    """They are turned into an error in the tests of many users, as in these."""
    for dtype, bits in (("float32", 0x7F800001), ("float64", 0x7FF0000000000001)):
        array = np.array([bits, 0], f"u{np.dtype(dtype).itemsize}").view(dtype)
        other = np.array([bits, 1], f"u{np.dtype(dtype).itemsize}").view(dtype)
        assert difference(array, array.copy(), DEFAULT) == ""
        assert difference(array, other, EXACT).startswith("differs in 1 of 2")
        assert difference(array, other, DEFAULT) == ""
