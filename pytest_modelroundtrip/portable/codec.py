"""Nests in NumPy form <-> bytes: one JSON structure and raw arrays, without pickle.

What `dump` accepts, `load` returns equal to the last bit; tuples become lists. The bytes may come
from anywhere: `load` checks what they claim before it believes it.
"""

from __future__ import annotations

import json
import math
import reprlib
import struct
from collections import Counter
from typing import Callable, Dict, List, NoReturn, Optional, Tuple

import numpy as np

from .aliases import Array, Json, Plain
from .tensors import DTYPES, KnownArray, PartOutput, Ragged, Sparse, dtype_named

MAX_NESTING = 100  # of nested lists and dicts
MAX_RANK = 32  # axes of an array, as in NumPy 1
MAX_KNOWN = 1 << 40  # numbers of an array that does not travel; that many zeros can be hashed
# keys of one dict that are numbers, and those of them that have one hash
MAX_NUMBERS, MAX_ALIKE = 100_000, 100
HEADER = struct.Struct("<Q")  # bytes of the JSON


def dump(value: Plain) -> bytes:
    """A nest in NumPy form as bytes: the length of the JSON, the JSON, then the arrays.

    Raises:
        TypeError: for a leaf that is not a scalar or an array, and a key that is not a scalar.
        ValueError: when it is nested too deeply, or an array has too many axes.
    """
    buffers: List[bytes] = []
    # not escaped: JSON would read the escapes of two lone surrogates as one character
    text = json.dumps(_node(value, buffers, 0), ensure_ascii=False)
    head = text.encode("utf-8", "surrogatepass")
    return b"".join([HEADER.pack(len(head)), head, *buffers])


def load(data: bytes) -> Plain:
    """The nest that `dump` encoded.

    Raises:
        ValueError: when the bytes are incomplete or do not hold what their structure claims.
    """
    if len(data) < HEADER.size:
        raise ValueError(f"incomplete: {len(data)} bytes")
    (size,) = HEADER.unpack_from(data)
    reader = _Reader(memoryview(data)[HEADER.size :])
    try:
        structure = json.loads(str(reader.take(size), "utf-8", "surrogatepass"))
        value = _Decoder(reader).value(structure)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if len(reader.rest):
        raise ValueError(f"{len(reader.rest)} bytes too many")
    return value


def _node(value: Plain, buffers: List[bytes], depth: int) -> Json:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth == MAX_NESTING:
        raise ValueError("nested too deeply")
    deeper = depth + 1
    if isinstance(value, Ragged):
        splits = [_node(item, buffers, deeper) for item in value.row_splits]
        return {"ragged": [splits, _node(value.values, buffers, deeper)]}
    if isinstance(value, Sparse):
        return {"sparse": [_node(part, buffers, deeper) for part in value]}
    if isinstance(value, PartOutput):
        return {"part output": value.part}
    if isinstance(value, KnownArray):
        return {"known array": [value.digest, value.dtype, list(value.shape)]}
    if isinstance(value, dict):
        return {"dict": [[_key(key), _node(item, buffers, deeper)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_node(item, buffers, deeper) for item in value]}
    return _array_node(value, buffers)


def _key(key: Json) -> Json:
    if key is None or isinstance(key, (bool, int, float, str)):
        return key
    raise TypeError(f"a key that is a string or a number is expected, not {type(key).__name__}")


def _array_node(value: Plain, buffers: List[bytes]) -> Json:
    if not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(f"a scalar or an array is expected, not {type(value).__name__}")
    array = np.asarray(value)
    if array.ndim > MAX_RANK:
        raise ValueError(f"an array of {array.ndim} axes cannot be encoded")
    if array.dtype == object:
        strings = [_string(item) for item in array.ravel()]
        buffers += strings
        return {"strings": [list(array.shape), [len(item) for item in strings]]}
    if array.dtype.name not in DTYPES:
        raise TypeError(f"an array of dtype {array.dtype} cannot be encoded")
    native = array.dtype.newbyteorder("=")
    buffers.append(np.ascontiguousarray(array, native).tobytes())
    return {"array": [list(array.shape), array.dtype.name]}


def _string(item: Plain) -> bytes:
    if not isinstance(item, bytes):  # bytes(5) would be five zeros
        raise TypeError(f"an array of bytes is expected, not of {type(item).__name__}")
    return item


class _Reader:
    """Takes the bytes of one array after another."""

    def __init__(self, rest: memoryview) -> None:
        self.rest = rest

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        if size > len(self.rest):
            raise ValueError(f"incomplete: {size - len(self.rest)} bytes are missing")
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


class _Decoder:
    """Turns the JSON structure into the nest, with the arrays that the reader returns."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._depth = 0
        self._kinds: Dict[str, Callable[[Json], Plain]] = {
            "dict": self._dict,
            "list": self._list,
            "part output": lambda content: PartOutput(_expect_text(content, "the name of a part")),
            "known array": self._known_array,
            "ragged": self._ragged,
            "sparse": self._sparse,
            "strings": self._strings,
            "array": self._array,
        }

    def value(self, node: Json) -> Plain:
        """The nest that a node stands for."""
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        if not isinstance(node, dict) or len(node) != 1:
            _wrong("a node", node)
        ((kind, content),) = node.items()
        if kind not in self._kinds:
            _wrong("a kind of node", kind)
        if self._depth == MAX_NESTING:
            raise ValueError("nested too deeply")
        self._depth += 1
        value = self._kinds[kind](content)
        self._depth -= 1
        return value

    def _dict(self, content: Json) -> Dict[Json, Plain]:
        pairs = [_expect_list(pair, 2) for pair in _expect_list(content)]
        _assert_spread([key for key, _ in pairs if isinstance(key, (int, float))])
        items: Dict[Json, Plain] = {}
        for key, item in pairs:
            if isinstance(key, (list, dict)) or key in items:
                _wrong("a new key", key)
            items[key] = self.value(item)
        return items

    def _list(self, content: Json) -> List[Plain]:
        return [self.value(item) for item in _expect_list(content)]

    def _ragged(self, content: Json) -> Ragged:
        splits, values = _expect_list(content, 2)
        row_splits = tuple(self._array_of(item) for item in _expect_list(splits))
        if not row_splits or any(item.dtype.kind != "i" or item.ndim != 1 for item in row_splits):
            _wrong("row splits", splits)
        return Ragged(self._array_of(values), row_splits)

    def _sparse(self, content: Json) -> Sparse:
        indices, values, shape = (self._array_of(item) for item in _expect_list(content, 3))
        return Sparse(indices, values, shape)

    def _array_of(self, node: Json) -> Array:
        value = self.value(node)
        if not isinstance(value, np.ndarray):
            _wrong("an array", node)
        return value

    def _known_array(self, content: Json) -> KnownArray:
        digest, name, listed = _expect_list(content, 3)
        dtype, shape = dtype_named(_expect_text(name, "a dtype")), _shape(listed)
        if math.prod(shape) > MAX_KNOWN:
            _wrong("the shape of an array", shape)
        return KnownArray(_expect_text(digest, "a hash"), dtype.name, shape)

    def _strings(self, content: Json) -> Array:
        listed, lengths = _expect_list(content, 2)
        shape, sizes = _shape(listed), _sizes(lengths)
        if len(sizes) != math.prod(shape):
            _wrong(f"strings of the shape {shape}", len(sizes))
        strings = np.empty(len(sizes), dtype=object)
        for position, size in enumerate(sizes):
            strings[position] = bytes(self._reader.take(size))
        return strings.reshape(shape)

    def _array(self, content: Json) -> Array:
        listed, name = _expect_list(content, 2)
        shape = _shape(listed)
        if name not in DTYPES:
            _wrong("a dtype", name)
        dtype = dtype_named(name)
        data = self._reader.take(math.prod(shape) * dtype.itemsize)
        return np.frombuffer(data, dtype=dtype).reshape(shape)


def _assert_spread(numbers: List[float]) -> None:
    """Assert that the keys of a dict are no more, and no more alike, than it holds in seconds.

    Numbers are easily chosen so that many have one hash. The hashes of strings are random.

    Raises:
        ValueError: where they are.
    """
    alike = max(Counter(map(hash, numbers)).values(), default=0)
    if len(numbers) > MAX_NUMBERS or alike > MAX_ALIKE:
        raise ValueError(f"{len(numbers)} keys are numbers, of which {alike} have one hash")


def _expect_text(content: Json, what: str) -> str:
    if not isinstance(content, str):
        _wrong(what, content)
    return content


def _expect_list(content: Json, length: Optional[int] = None) -> List[Json]:
    if not isinstance(content, list) or length not in (None, len(content)):
        _wrong("a list" if length is None else f"a list of {length}", content)
    return content


def _sizes(content: Json) -> List[int]:
    sizes: List[int] = _expect_list(content)
    for size in sizes:
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**62:
            _wrong("a size", size)
    return sizes


def _shape(content: Json) -> Tuple[int, ...]:
    shape = tuple(_sizes(content))
    if len(shape) > MAX_RANK:
        _wrong("a shape", content)
    return shape


def _wrong(what: str, actual: Json) -> NoReturn:
    # reprlib is short and shallow: repr of a deep nest raises RecursionError
    raise ValueError(f"{what} is expected, not {reprlib.repr(actual)}")
