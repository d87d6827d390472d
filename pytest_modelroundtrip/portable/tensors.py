"""Nested tensors <-> one JSON structure and raw arrays. Nothing is pickled, nothing that comes back is evaluated.

A *value* is what models take and give: tensors in lists, tuples and dicts. A value in NumPy form has arrays, `Ragged` and
`Sparse` as its leaves; strings are object arrays of `bytes`.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np


class Ragged(NamedTuple):
    """A ragged tensor: its flat values and the row splits of each ragged dimension, outermost first."""

    values: np.ndarray
    row_splits: Tuple[np.ndarray, ...]


class Sparse(NamedTuple):
    """A sparse tensor: `indices` int64 [n, rank], `values` [n], `dense_shape` int64 [rank]."""

    indices: np.ndarray
    values: np.ndarray
    dense_shape: np.ndarray


class Output(NamedTuple):
    """A leaf that stands for what another part of the same system answers."""

    part: str


LEAVES = (Ragged, Sparse, Output)


def to_numpy(value: Any) -> Any:
    """A value with every tensor in NumPy form.

    Lists and tuples both become lists; a list that holds only numbers, or only strings, becomes one array; Python scalars,
    `None` and single `str` stay as they are.

    Raises:
        TypeError: for a leaf that is no tensor.
    """
    if isinstance(value, LEAVES) or value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return np.array(value, dtype=object)
    if hasattr(value, "flat_values") and hasattr(value, "nested_row_splits"):
        return Ragged(_array(value.flat_values), tuple(_array(splits) for splits in value.nested_row_splits))
    if hasattr(value, "dense_shape") and hasattr(value, "indices"):
        return Sparse(_array(value.indices), _array(value.values), _array(value.dense_shape))
    if isinstance(value, dict) or hasattr(value, "keys"):
        return {key: to_numpy(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return _array_of_scalars(value) if _all_scalars(value) else [to_numpy(item) for item in value]
    return _array(value)


def _all_scalars(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_all_scalars(item) for item in value)
    return isinstance(value, (bool, int, float, complex, str, bytes))


def _array_of_scalars(value: Any) -> np.ndarray:
    array = np.array(value)
    return _array(np.array(value, dtype=object) if array.dtype.kind in "USO" else _at_tensorflow_width(array))


def _at_tensorflow_width(array: np.ndarray) -> np.ndarray:
    """TensorFlow reads Python numbers as float32 and int32 where they fit; NumPy as float64 and int64."""
    narrower = {"float64": np.float32, "int64": np.int32}.get(array.dtype.name)
    if narrower is None:
        return array
    narrow = array.astype(narrower)
    return array if narrower is np.int32 and (narrow != array).any() else narrow


def _array(tensor: Any) -> np.ndarray:
    if hasattr(tensor, "detach"):
        tensor = _torch_array(tensor)
    array = np.asarray(tensor.numpy() if hasattr(tensor, "numpy") else tensor)
    if array.dtype.kind in "US" or array.dtype == object:
        strings = np.empty(array.shape, dtype=object)
        for index in np.ndindex(array.shape):
            strings[index] = _bytes(array[index])
        return strings
    if array.dtype.kind not in "biufcV" or array.dtype.fields:
        raise TypeError("a tensor or an array is expected, not %s of dtype %s" % (type(tensor).__name__, array.dtype))
    own = dtype_named(array.dtype.name)
    if array.dtype.newbyteorder("=") != own:  # TensorFlow 2.12 still has a bfloat16 beside that of ml_dtypes
        array = array.view(own)
    return np.array(array, dtype=own, order="C")


def _torch_array(tensor: Any) -> Any:
    """A torch tensor may sit on the autograd tape or a device, and hold floats that NumPy knows by ml_dtypes only."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        return tensor.float().numpy().astype(dtype_named(str(tensor.dtype).rpartition(".")[2]))
    return tensor.numpy()


def _bytes(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, bytes):
        return item
    raise TypeError("a tensor or an array is expected, not %s" % type(item).__name__)


def leaves(value: Any, path: str = "") -> Iterator[Tuple[str, Any]]:
    """Every leaf of a value with its path, such as `['logits'][0]`; dicts in the order of their sorted keys."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            for found in leaves(value[key], "%s[%r]" % (path, key)):
                yield found
    elif isinstance(value, (list, tuple)) and not isinstance(value, LEAVES):
        for position, item in enumerate(value):
            for found in leaves(item, "%s[%d]" % (path, position)):
                yield found
    else:
        yield path, value


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The same nest with `function` applied to each leaf."""
    if isinstance(value, dict):
        return {key: map_leaves(function, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not isinstance(value, LEAVES):
        return [map_leaves(function, item) for item in value]
    return function(value)


def dtype_named(name: str) -> np.dtype:
    """The NumPy dtype of that name, those of ml_dtypes (bfloat16, float8_e4m3fn, int4, ...) among them."""
    try:
        return np.dtype(name)
    except TypeError:
        pass
    try:
        import ml_dtypes

        found: np.dtype = np.dtype(getattr(ml_dtypes, name))
    except (ImportError, AttributeError):
        import tensorflow as tf  # before ml_dtypes was a package, TensorFlow brought bfloat16 itself

        found = np.dtype(tf.dtypes.as_dtype(name).as_numpy_dtype)
    return found


def dump(value: Any) -> bytes:
    """A value in NumPy form (Python scalars allowed) as bytes: the JSON's length, the JSON, the arrays one after another."""
    buffers: List[bytes] = []
    head = json.dumps(_node(value, buffers)).encode()
    return b"".join([struct.pack("<Q", len(head)), head, *buffers])


def load(data: bytes) -> Any:
    """The value that `dump` wrote.

    Raises:
        ValueError: when the bytes are torn or do not hold what their structure says.
    """
    if len(data) < 8:
        raise ValueError("torn: %d bytes" % len(data))
    (size,) = struct.unpack_from("<Q", data)
    reader = _Reader(memoryview(data)[8 + size :])
    value = _value(json.loads(bytes(data[8 : 8 + size]).decode()), reader)
    if len(reader.rest):
        raise ValueError("torn: %d bytes too many" % len(reader.rest))
    return value


def _node(value: Any, buffers: List[bytes]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Ragged):
        return {"ragged": [_node(value.values, buffers), [_node(splits, buffers) for splits in value.row_splits]]}
    if isinstance(value, Sparse):
        return {"sparse": [_node(part, buffers) for part in value]}
    if isinstance(value, Output):
        return {"output": value.part}
    if isinstance(value, dict):
        return {"dict": [[key, _node(item, buffers)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_node(item, buffers) for item in value]}
    array = np.asarray(value)
    if array.dtype == object:
        strings = [bytes(item) for item in array.ravel()]
        buffers.append(b"".join(strings))
        return {"strings": [len(item) for item in strings], "shape": list(array.shape)}
    buffers.append(array.tobytes())
    return {"array": array.dtype.name, "shape": list(array.shape)}


class _Reader:
    def __init__(self, rest: memoryview) -> None:
        self.rest = rest

    def take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self.rest):
            raise ValueError("torn: %d bytes are missing" % (size - len(self.rest)))
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


def _value(node: Any, reader: _Reader) -> Any:
    if not isinstance(node, dict):
        return node
    if "dict" in node:
        return {key: _value(item, reader) for key, item in node["dict"]}
    if "list" in node:
        return [_value(item, reader) for item in node["list"]]
    if "output" in node:
        return Output(node["output"])
    if "ragged" in node:
        values, splits = node["ragged"]
        return Ragged(_value(values, reader), tuple(_value(item, reader) for item in splits))
    if "sparse" in node:
        return Sparse(*[_value(part, reader) for part in node["sparse"]])
    return _leaf(node, reader)


def _leaf(node: Dict[str, Any], reader: _Reader) -> np.ndarray:
    shape = tuple(node["shape"])
    if "strings" in node:
        strings = np.empty(len(node["strings"]), dtype=object)
        for position, size in enumerate(node["strings"]):
            strings[position] = bytes(reader.take(size))
        return strings.reshape(shape)
    dtype = dtype_named(node["array"])
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(reader.take(count * dtype.itemsize), dtype=dtype).reshape(shape)
