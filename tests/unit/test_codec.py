"""`codec`: what is dumped is loaded again bit for bit; no bytes raise anything but ValueError."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from random_nests import AVAILABLE, NESTS, nested

from pytest_modelroundtrip.portable import codec
from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.tensors import (
    PartOutput,
    Ragged,
    Sparse,
    dtype_named,
    to_numpy,
)

pytestmark = pytest.mark.usefixtures("no_tensorflow")


def assert_same(expected: Plain, actual: Plain) -> None:
    """Types, dtypes, shapes, bits, and the order of keys are equal; a tuple is a list."""
    if isinstance(expected, np.ndarray):
        assert type(actual) is np.ndarray
        native = expected.dtype.newbyteorder("=")
        assert (actual.dtype, actual.shape) == (native, expected.shape)
        if expected.dtype == object:
            assert actual.tolist() == expected.tolist()
        else:
            assert actual.tobytes() == expected.astype(native).tobytes()
    elif isinstance(expected, (Ragged, Sparse, PartOutput)):
        assert type(actual) is type(expected)
        assert_same(list(expected), list(actual))
    elif isinstance(expected, dict):
        assert type(actual) is dict
        assert_same(list(expected.items()), list(actual.items()))
    elif isinstance(expected, (list, tuple)):
        assert isinstance(actual, (list, tuple)) and len(actual) == len(expected)
        for one, other in zip(expected, actual, strict=True):
            assert_same(one, other)
    else:
        assert type(actual) is type(expected)
        assert repr(actual) == repr(expected)


@given(NESTS)
def test_what_is_dumped_is_loaded(value: Plain) -> None:
    assert_same(value, codec.load(codec.dump(value)))


@pytest.mark.parametrize("name", AVAILABLE)
def test_each_dtype(name: str) -> None:
    value = np.arange(4).astype(dtype_named(name)).reshape(2, 2)
    assert_same(value, codec.load(codec.dump(value)))


@pytest.mark.parametrize(
    "value",
    [
        "\ud83d\ude00",  # two lone surrogates are not the one character of the pair
        {"b": 1, "a": 2, 1: "int", "1": "str", None: "none", 1.5: "float", -0.0: "zero"},
        [(), [], {}, ((),)],
        np.zeros((0, 3)),
        np.array(5, "int8"),
        np.zeros((1,) * 32),
        np.array([b"nul\0", b""], dtype=object).reshape(2, 1),
        np.empty((2, 0), dtype=object),
        Ragged(np.arange(3), (np.array([0, 1, 3]), np.array([0, 1, 1, 3], "int32"))),
        Sparse(np.zeros((1, 2), "int64"), np.array([b"x"], dtype=object), np.array([3, 4])),
        [np.ones(2, "complex64"), {"x": (np.zeros(1, "uint8"), PartOutput("encoder"))}],
        to_numpy({"words": [["naïve", ""], ["nul\0", "数据"]], "single": b"nul\0"}),
    ],
)
def test_values_that_are_easily_lost(value: Plain) -> None:
    assert_same(value, codec.load(codec.dump(value)))


def test_the_bytes_are_a_length_the_json_and_the_arrays() -> None:
    data = codec.dump({"é": [np.array([1, 2], ">u2"), np.array([b"ab", b"c"], dtype=object), True]})
    structure = {
        "dict": [["é", {"list": [{"array": [[2], "uint16"]}, {"strings": [[2], [2, 1]]}, True]}]]
    }
    text = json.dumps(structure, ensure_ascii=False).encode()
    assert data == len(text).to_bytes(8, "little") + text + b"\1\0\2\0abc"


def test_a_numpy_scalar_comes_back_as_an_array_without_axes() -> None:
    assert_same(np.array(2, "float32"), codec.load(codec.dump(np.float32(2))))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "a scalar or an array is expected, not object"),
        (b"bytes", "a scalar or an array is expected, not bytes"),
        (1j, "a scalar or an array is expected, not complex"),
        ({1, 2}, "a scalar or an array is expected, not set"),
        ({(1, 2): 3}, "a key that is a string or a number is expected, not tuple"),
        ({b"key": 3}, "a key that is a string or a number is expected, not bytes"),
        (np.array([5, 6], dtype=object), "an array of bytes is expected, not of int"),
        (np.array(["str"], dtype=object), "an array of bytes is expected, not of str"),
        (np.array(["str"]), "an array of dtype <U3 cannot be encoded"),
        (np.array(["2026-01-01"], "datetime64[D]"), "an array of dtype .* cannot be encoded"),
        (np.zeros(1, [("field", "i4")]), "an array of dtype .* cannot be encoded"),
    ],
)
def test_what_has_no_form_is_refused(value: Plain, message: str) -> None:
    with pytest.raises(TypeError, match=rf"^{message}$"):
        codec.dump(value)


@pytest.mark.parametrize(
    "leaf", [[], {}, np.ones(1), PartOutput("encoder")], ids=["list", "dict", "array", "part"]
)
def test_nests_are_at_most_a_hundred_deep(leaf: Plain) -> None:
    assert_same(nested(99, leaf), codec.load(codec.dump(nested(99, leaf))))
    assert_same(nested(100, 1), codec.load(codec.dump(nested(100, 1))))
    for deeper in (nested(100, leaf), nested(1, nested(99, {"key": leaf}))):
        with pytest.raises(ValueError, match=r"^nested too deeply$"):
            codec.dump(deeper)


@pytest.mark.parametrize("ragged", [True, False])
def test_the_arrays_of_a_leaf_are_one_deeper(ragged: bool) -> None:
    array = np.arange(2)
    leaf = Ragged(array, (array,)) if ragged else Sparse(array, array, array)
    assert_same(nested(98, leaf), codec.load(codec.dump(nested(98, leaf))))
    with pytest.raises(ValueError, match=r"^nested too deeply$"):
        codec.dump(nested(99, leaf))


def test_more_than_32_axes_are_refused() -> None:
    try:
        wide = np.zeros((1,) * 33)
    except ValueError:
        pytest.skip("NumPy 1 has at most 32 axes")
    with pytest.raises(ValueError, match=r"^an array of 33 axes cannot be encoded$"):
        codec.dump(wide)
