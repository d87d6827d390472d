"""Nests of all that travels, made at random by hypothesis."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from pytest_modelroundtrip.portable.aliases import Array, Plain
from pytest_modelroundtrip.portable.tensors import (
    DTYPES,
    PartOutput,
    Ragged,
    Sparse,
    dtype_named,
)


def is_available(name: str) -> bool:
    """Whether this interpreter has the dtype."""
    try:
        dtype_named(name)
    except ValueError:
        return False
    return True


# nests

AVAILABLE = [name for name in DTYPES if is_available(name)]
SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
TEXTS = st.text(
    st.sampled_from('a\0"\\\n\ud83d\ude00\U0001f600é') | st.characters(exclude_categories=())
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324])
    | TEXTS
)


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    """Arrays of each dtype with any bits, in any memory layout."""
    dtype, shape = dtype_named(draw(st.sampled_from(AVAILABLE))), draw(SHAPES)
    size = math.prod(shape) * dtype.itemsize
    data = draw(st.binary(min_size=size, max_size=size))
    array: Array = np.frombuffer(data, dtype).reshape(shape)
    layout = draw(st.sampled_from(["C", "transposed", "reversed", "big-endian"]))
    if layout == "transposed":
        return np.transpose(array)
    if layout == "reversed":
        return array[..., ::-1] if shape else array
    if layout == "big-endian" and dtype.isbuiltin == 1:
        return array.astype(dtype.newbyteorder(">"))
    return array


@st.composite
def string_arrays(draw: st.DrawFn) -> Array:
    """Arrays of bytes; NumPy's own dtype for them would drop NULs at their end."""
    shape = draw(SHAPES)
    strings = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        strings[index] = draw(st.binary(max_size=5) | st.just(b"nul\0"))
    return strings


ROW_SPLITS = st.lists(st.integers(0, 9), max_size=4).flatmap(
    lambda splits: st.sampled_from([np.array(splits, "int32"), np.array(splits, "int64")])
)
LEAVES = (
    SCALARS
    | arrays()
    | string_arrays()
    | st.builds(Ragged, arrays(), st.lists(ROW_SPLITS, min_size=1, max_size=2).map(tuple))
    | st.builds(Sparse, arrays(), arrays() | string_arrays(), arrays())
    | st.builds(PartOutput, TEXTS)
)
NESTS = st.recursive(
    LEAVES,
    lambda nests: (
        st.lists(nests, max_size=3)
        | st.lists(nests, max_size=2).map(tuple)
        | st.dictionaries(SCALARS, nests, max_size=3)
    ),
    max_leaves=6,
)


def nested(depth: int, value: Plain) -> Plain:
    """The value inside so many lists."""
    for _ in range(depth):
        value = [value]
    return value
