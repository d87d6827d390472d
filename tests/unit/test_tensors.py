"""`tensors`: what becomes an array, the leaves of a nest, dtypes by name."""

from __future__ import annotations

import collections
import sys
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelroundtrip.portable import codec
from pytest_modelroundtrip.portable.aliases import Array, DType, Nest
from pytest_modelroundtrip.portable.models import calling
from pytest_modelroundtrip.portable.tensors import (
    DTYPES,
    Fields,
    PartOutput,
    Ragged,
    Sparse,
    dtype_named,
    leaves,
    map_leaves,
    to_numpy,
)

ONE = np.ones(1)


class FakeTensor:
    """A tensor of TensorFlow, as far as `to_numpy` looks."""

    def __init__(self, array: Array) -> None:
        self._array = array

    def numpy(self) -> Array:
        """The tensor's values."""
        return self._array


def tensor(*values: float) -> FakeTensor:
    """A fake tensor of float32."""
    return FakeTensor(np.array(values, "float32"))


# to_numpy


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1.5, 2], "float32"),
        ([[1, 2]], "int32"),
        ((True, False), "bool"),
        ([1, 2**31 - 1], "int32"),
        ([1, 2**31], "int64"),
        ([-(2**31)], "int32"),
        ([-(2**31) - 1], "int64"),
        ([2**63], "uint64"),
        ([1j], "complex128"),
        ([1e300, float("nan")], "float32"),
    ],
)
def test_numbers_of_python_have_the_width_that_tensorflow_gives_them(
    value: Nest, dtype: str
) -> None:
    array = to_numpy(value)
    assert array.dtype == dtype
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(array, np.array(value).astype(dtype))


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "text"])
def test_single_scalars_stay(value: Nest) -> None:
    assert to_numpy(value) is value


def test_scalars_of_numpy_are_scalars_of_python_or_arrays_without_axes() -> None:
    assert type(to_numpy(np.float64(0.1))) is float
    assert type(to_numpy(np.str_("text"))) is str
    for value in (np.float32(0.1), np.int64(3), np.bool_(True)):
        array = to_numpy(value)
        assert (array.dtype, array.shape) == (value.dtype, ())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"nul\0", b"nul\0"),
        (["naïve", "nul\0"], ["naïve".encode(), b"nul\0"]),
        ([[b"a\0"], ["b"]], [[b"a\0"], [b"b"]]),
        (np.array(["naïve", ""]), ["naïve".encode(), b""]),
        (np.array([b"ab", b"c"]), [b"ab", b"c"]),
        (np.array("x"), b"x"),
        (FakeTensor(np.array([[b"a\0"]], dtype=object)), [[b"a\0"]]),
    ],
)
def test_strings_become_arrays_of_bytes(value: Nest, expected: Nest) -> None:
    array = to_numpy(value)
    assert array.dtype == object
    assert array.tolist() == expected


def test_tensors_in_nests_become_arrays() -> None:
    class Pair(NamedTuple):
        x: Nest
        y: Nest

    nest = to_numpy({"b": Pair(tensor(1), [tensor(2), 3.0]), "a": (), "c": [[1], [tensor(4)]]})
    assert list(nest) == ["b", "a", "c"]
    assert nest == {"b": [tensor(1).numpy(), [tensor(2).numpy(), 3.0]], "a": [], "c": [[1], [4]]}
    assert type(nest["b"][1]) is type(nest["a"]) is list
    assert type(nest["b"]) is Fields and nest["b"].names == ("x", "y")
    assert nest["c"][0].dtype == np.int32


def test_the_structure_of_a_nest() -> None:
    class Pair(NamedTuple):
        y: Nest
        x: Nest

    nest = {
        "a": Pair(tensor(1), [tensor(2)]),
        "b": [tensor(1), {}, []],
        0: Sparse(ONE, ONE, ONE),
    }
    structure = calling.structure_of(to_numpy(nest))
    assert structure == {"a": ["y", [0]], "b": [0, {}, []], 0: 0}
    assert codec.load(codec.dump(structure)) == structure
    assert calling.structure_of(tensor(1)) == calling.structure_of(None) == 0


def test_what_has_keys_becomes_a_dict() -> None:
    mapping = collections.UserDict({"x": tensor(1)})
    assert to_numpy(mapping) == {"x": np.ones(1, "float32")}


def test_ragged_and_sparse_tensors() -> None:
    splits = FakeTensor(np.array([0, 1]))
    ragged = to_numpy(SimpleNamespace(flat_values=tensor(1), nested_row_splits=[splits, splits]))
    assert type(ragged) is Ragged and ragged.values.dtype == np.float32
    assert [array.tolist() for array in ragged.row_splits] == [[0, 1], [0, 1]]
    sparse = to_numpy(
        SimpleNamespace(indices=[[0, 1]], values=tensor(5), dense_shape=np.array([2, 3]))
    )
    assert type(sparse) is Sparse
    assert [array.tolist() for array in sparse] == [[[0, 1]], [5], [2, 3]]
    for leaf in (ragged, sparse, PartOutput("encoder")):
        assert to_numpy(leaf) is leaf


def test_torch_tensors_leave_the_tape_and_the_device() -> None:
    pytest.importorskip("ml_dtypes")
    steps = []

    class Torch(FakeTensor):
        dtype = "torch.bfloat16"

        def __init__(self, array: Array, size: int) -> None:
            super().__init__(array)
            self.size = size

        def detach(self) -> Torch:
            steps.append("detach")
            return self

        def cpu(self) -> Torch:
            steps.append("cpu")
            return self

        def is_floating_point(self) -> bool:
            return bool(self._array.dtype.kind == "f")

        def element_size(self) -> int:
            return self.size

        def float(self) -> FakeTensor:
            return FakeTensor(self._array.astype("float32"))

    assert to_numpy(Torch(np.ones(2, "float32"), 2)).dtype.name == "bfloat16"
    assert to_numpy(Torch(np.ones(2, "float32"), 4)).dtype.name == "float32"
    assert to_numpy(Torch(np.ones(2, "int16"), 2)).dtype.name == "int16"
    assert steps == ["detach", "cpu"] * 3


def test_arrays_are_copied_in_the_order_of_c_and_of_this_machine() -> None:
    original = np.arange(6, dtype=">f4").reshape(2, 3).T
    array = to_numpy(original)
    assert array.flags.c_contiguous and array.dtype == np.dtype("float32")
    np.testing.assert_array_equal(array, original)
    array[:] = 0
    assert original.any()


def test_a_bfloat16_of_tensorflow_is_that_of_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

    class Foreign:
        """An array of another dtype of the same name."""

        dtype = SimpleNamespace(name="bfloat16", kind="V", newbyteorder=lambda _: "theirs")

        def view(self, dtype: DType) -> Array:
            bits: Array = np.array([0x3F80, 0xC000], "uint16")
            return bits.view(dtype)

    with monkeypatch.context() as patch:
        patch.setattr(np, "asarray", lambda value: value)
        array = to_numpy(Foreign())
    assert array.dtype == bfloat16
    assert array.astype(float).tolist() == [1, -2]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x": object()}, "not object"),
        ([1, "a"], "not int"),
        ([2**70], "not int"),
        (np.array([None]), "not NoneType"),
        (np.zeros(1, "datetime64[s]"), "not ndarray of dtype datetime64"),
        (np.zeros(1, [("field", "i4")]), "not ndarray of dtype"),
        (np.zeros(1, "V4"), "not ndarray of dtype"),
    ],
)
def test_what_is_not_a_tensor_is_refused(value: Nest, message: str) -> None:
    with pytest.raises(TypeError, match=f"a tensor or an array is expected, {message}"):
        to_numpy(value)


# leaves


def test_leaves_have_paths_and_are_sorted_by_key() -> None:
    ragged = Ragged(np.ones(1), (np.array([0, 1]),))
    nest = {"b": [1, (2, {3: "x"})], "a": ragged, 10: PartOutput("encoder"), "empty": [{}]}
    assert [path for path, _ in leaves(nest)] == [
        "[10]",
        "['a']",
        "['b'][0]",
        "['b'][1][0]",
        "['b'][1][1][3]",
    ]
    assert [leaf for _, leaf in leaves(nest)][1] is ragged
    assert list(leaves(5, "outputs")) == [("outputs", 5)]
    assert list(leaves({"x": [5]}, "outputs")) == [("outputs['x'][0]", 5)]


NESTS = st.recursive(
    st.integers() | st.just(PartOutput("encoder")),
    lambda nests: (
        st.lists(nests, max_size=3)
        | st.lists(nests, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), nests, max_size=3)
    ),
    max_leaves=10,
)


@given(NESTS)
def test_map_leaves_changes_the_leaves_and_nothing_else(nest: Nest) -> None:
    mapped = map_leaves(lambda leaf: ("mapped", leaf), nest)
    expected = [(path, leaf) for path, leaf in leaves(nest)]
    kept = list(leaves(map_leaves(lambda leaf: leaf, nest)))
    assert kept == expected
    assert len(list(leaves(mapped))) == 2 * len(expected)


# dtypes


def test_each_dtype_has_its_own_name() -> None:
    pytest.importorskip("ml_dtypes")
    missing = []
    for name in DTYPES:
        try:
            assert dtype_named(name).name == name
        except ValueError as error:
            assert str(error) == f"the dtype {name} needs a newer ml_dtypes"
            missing.append(name)
    assert not {"bool", "int8", "complex128", "bfloat16", "float8_e4m3fn"} & set(missing)


@pytest.mark.parametrize("name", ["object", "O", "<f4", "float", "str", "", "i4,f4", "x" * 200])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="unknown dtype") as caught:
        dtype_named(name)
    assert len(str(caught.value)) < 120


def test_without_ml_dtypes_bfloat16_is_that_of_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    monkeypatch.delitem(np.sctypeDict, "bfloat16", raising=False)
    monkeypatch.delitem(np.sctypeDict, "float8_e5m2", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    for name in ("bfloat16", "float8_e5m2"):
        with pytest.raises(ValueError, match=f"the dtype {name} needs a newer ml_dtypes"):
            dtype_named(name)
    tensorflow = ModuleType("tensorflow")
    monkeypatch.setattr(
        tensorflow, "bfloat16", SimpleNamespace(as_numpy_dtype=np.uint16), raising=False
    )
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    assert dtype_named("bfloat16") == np.uint16
    with pytest.raises(ValueError, match="needs a newer ml_dtypes"):
        dtype_named("float8_e5m2")


def test_an_old_ml_dtypes_lacks_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", ModuleType("ml_dtypes"))
    monkeypatch.delitem(np.sctypeDict, "int2", raising=False)
    with pytest.raises(ValueError, match="the dtype int2 needs a newer ml_dtypes"):
        dtype_named("int2")
