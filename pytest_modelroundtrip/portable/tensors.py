"""Nested tensors of any library -> nests in NumPy form, and how to walk through them.

A *nest* is what models take and return: tensors in lists, tuples and dicts. In NumPy form its
leaves are arrays, `Ragged` and `Sparse`; strings are object arrays of `bytes`.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from typing import Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .aliases import Array, DType, Nest, Plain, Tensor


class Ragged(NamedTuple):
    """A ragged tensor: flat values, and the row splits of each ragged axis, outermost first."""

    values: Array
    row_splits: Tuple[Array, ...]


class Sparse(NamedTuple):
    """A sparse tensor: `indices` int64 [n, rank], `values` [n], `dense_shape` int64 [rank]."""

    indices: Array
    values: Array
    dense_shape: Array


class PartOutput(NamedTuple):
    """A placeholder for the output of an earlier part of the same group."""

    part: str


class KnownArray(NamedTuple):
    """Stands for an array that the other side has, or that was recorded; see `known_arrays`."""

    digest: str  # of its dtype, shape and bits
    dtype: str  # the name of it
    shape: Tuple[int, ...]


class Fields(List[Any]):
    """What a named tuple holds: a list like any other, which knows the names of its items."""

    def __init__(self, items: Iterable[Any], names: Sequence[str]) -> None:
        super().__init__(items)
        self.names = names


LEAVES = (Ragged, Sparse, PartOutput, KnownArray)

DTYPES = (  # that models compute with; those that NumPy lacks come from ml_dtypes
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
    *("bfloat16", "int2", "int4", "uint2", "uint4", "float4_e2m1fn", "float6_e2m3fn"),
    *("float6_e3m2fn", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn"),
    *("float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
)


def to_numpy(value: Nest) -> Plain:
    """A nest with every tensor in NumPy form.

    Lists and tuples both become lists. A list that holds only numbers, or only strings, becomes
    one array. Python scalars, `None` and single `str` stay as they are.

    Raises:
        TypeError: for a leaf that is not a tensor.
        ValueError: for lists of numbers that have different lengths, and a dtype that
            `dtype_named` does not know.
    """
    if isinstance(value, LEAVES) or value is None or isinstance(value, (bool, int, float, str)):
        return value.item() if isinstance(value, np.generic) else value  # np.float64 is a float
    if isinstance(value, bytes):
        return np.array(value, dtype=object)
    if hasattr(value, "flat_values") and hasattr(value, "nested_row_splits"):
        splits = tuple(_array(splits) for splits in value.nested_row_splits)
        return Ragged(_array(value.flat_values), splits)
    if hasattr(value, "dense_shape") and hasattr(value, "indices"):
        return Sparse(_array(value.indices), _array(value.values), _array(value.dense_shape))
    if isinstance(value, dict) or hasattr(value, "keys"):
        return {key: to_numpy(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        if _all_scalars(value):
            return _array_of_scalars(value)
        items = [to_numpy(item) for item in value]
        return Fields(items, value._fields) if hasattr(value, "_fields") else items
    return _array(value)


def _all_scalars(value: Nest) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_all_scalars(item) for item in value)
    return isinstance(value, (bool, int, float, complex, str, bytes))


def _array_of_scalars(value: Nest) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy before 1.24 warns of rows of different lengths
        array = np.array(value)
    if array.dtype.kind in "USO":
        return _array(np.array(value, dtype=object))
    return _array(_at_tensorflow_width(array))


def _at_tensorflow_width(array: Array) -> Array:
    """TensorFlow reads Python's floats as float32, and its integers as int32 where they fit.

    NumPy reads them as float64 and int64.
    """
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):  # infinite, as in TensorFlow
            return array.astype(np.float32)
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        return narrow if (narrow == array).all() else array
    return array


def _array(tensor: Tensor) -> Array:
    if hasattr(tensor, "detach"):
        tensor = _torch_array(tensor)
    elif not hasattr(tensor, "__array__"):
        tensor = _converted(tensor)
    array = np.asarray(tensor.numpy() if hasattr(tensor, "numpy") else tensor)
    if array.dtype.kind in "US" or array.dtype == object:
        strings = np.empty(array.shape, dtype=object)
        for index in np.ndindex(array.shape):
            strings[index] = _bytes(array[index])
        return strings
    if array.dtype.name not in DTYPES:
        kind = type(tensor).__name__
        raise TypeError(f"a tensor or an array is expected, not {kind} of dtype {array.dtype}")
    own = dtype_named(array.dtype.name)
    if array.dtype.newbyteorder("=") != own:
        # TensorFlow 2.12 has a bfloat16 of its own besides that of ml_dtypes
        array = array.view(own)
    return np.array(array, dtype=own, order="C")


def _converted(value: Any) -> Tensor:
    """The tensor that TensorFlow makes of an object, such as a distribution; else the object."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return value
    try:
        return tensorflow.convert_to_tensor(value)
    except (TypeError, ValueError, NotImplementedError):
        return value


def _torch_array(tensor: Tensor) -> Tensor:
    """What NumPy can read of a torch tensor.

    It may sit on the autograd tape or a device, and hold floats that only ml_dtypes has.
    """
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        return tensor.float().numpy().astype(dtype_named(str(tensor.dtype).rpartition(".")[2]))
    return tensor.numpy()


def _bytes(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, bytes):
        return item
    raise TypeError(f"a tensor or an array is expected, not {type(item).__name__}")


def leaves(value: Nest, path: str = "") -> Iterator[Tuple[str, Nest]]:
    """Every leaf of a nest with its path, such as `['logits'][0]`; dicts are sorted by key."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from leaves(value[key], f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)) and not isinstance(value, LEAVES):
        for position, item in enumerate(value):
            yield from leaves(item, f"{path}[{position}]")
    else:
        yield path, value


def map_leaves(function: Callable[[Nest], Nest], value: Nest) -> Nest:
    """The same nest with `function` applied to each leaf."""
    if isinstance(value, dict):
        return {key: map_leaves(function, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not isinstance(value, LEAVES):
        return [map_leaves(function, item) for item in value]
    return function(value)


def dtype_named(name: str) -> DType:
    """The NumPy dtype of that name, one of `DTYPES`.

    Raises:
        ValueError: when it is not one of them, or the ml_dtypes of this interpreter lacks it.
    """
    if name not in DTYPES:
        raise ValueError(f"unknown dtype {repr(name)[:80]}")
    registered: Optional[DType] = None
    with contextlib.suppress(TypeError):
        registered = np.dtype(name)
        if registered.isbuiltin == 1:  # NumPy's own
            return registered
    try:
        import ml_dtypes

        found: DType = np.dtype(getattr(ml_dtypes, name))
        return found
    except (ImportError, AttributeError):
        pass
    if registered is not None:
        return registered
    if name == "bfloat16":  # before ml_dtypes was a package, TensorFlow had one of its own
        with contextlib.suppress(ImportError):
            import tensorflow as tf

            found = np.dtype(tf.bfloat16.as_numpy_dtype)
            return found
    raise ValueError(f"the dtype {name} needs a newer ml_dtypes")
