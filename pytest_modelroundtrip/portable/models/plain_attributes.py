"""The attributes of an object whose values can be compared: numbers, strings, arrays, functions by
name, lookup tables by their entries, and lists, tuples, dicts and sets of them.

Layers, variables and other objects have places of their own, or are no state.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
from typing import Any, Dict, List

import numpy as np

from .. import tensors
from ..aliases import Layer, Plain
from . import model_weights, places

MAX_ITEMS = 100_000  # of one list, dict or set; longer ones are not compared
MAX_ARRAY_BYTES = 1 << 20  # of one array; of a larger one its hash is compared
MAX_VALUE_DEPTH = 8
# arguments that each layer takes although no constructor lists them
INPUT_ARGUMENTS = ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "batch_size",
                   "weights", "activity_regularizer", "autocast")  # fmt: skip


class _NotPlainError(Exception):
    """There is something in it that cannot be compared."""


def plain_attributes(held: Layer) -> Dict[str, Plain]:
    """The attributes of an object of the user's own class, by name, in a form that travels."""
    found: Dict[str, Plain] = {}
    rest = places.rest_parameter(type(held))
    for name, value in places.attributes(held):
        with contextlib.suppress(Exception):  # it is not plain, or the user's own code raises
            if isinstance(value, dict) and name.lstrip("_") == rest:
                value = _without_library_arguments(type(held), value)
            found[name] = _plain(value, 0)
    return found


def _without_library_arguments(cls: type, passed: Dict[str, Any]) -> Dict[str, Any]:
    """What came as `**kwargs`, without the arguments of the library's base classes.

    Those are in the config, and a rebuilt layer is given more of them than the original was.
    """
    known = {*places.parameters_of_libraries(cls), *INPUT_ARGUMENTS}
    return {name: value for name, value in passed.items() if name not in known}


def _plain(value: Any, depth: int) -> Plain:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, (int, float)):
        return value.item() if isinstance(value, np.generic) else _number(value)
    if isinstance(value, bytes):
        return np.array(value, dtype=object)
    if depth > MAX_VALUE_DEPTH:
        raise _NotPlainError
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return _plain_container(value, depth)
    return _plain_object(value)


def _number(value: float) -> Plain:
    """The number; a huge integer as text, since it does not fit into an array."""
    return value if isinstance(value, float) or abs(value) < 1 << 63 else str(value)


def _plain_container(value: Any, depth: int) -> Plain:
    if len(value) > MAX_ITEMS:
        raise _NotPlainError
    if isinstance(value, dict):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):  # its order says nothing
        return sorted(repr(_plain(item, depth + 1)) for item in value)
    return [_plain(item, depth + 1) for item in value]


def _key(key: Any) -> Any:
    if isinstance(key, (bool, int, float, str)):
        return key
    if key is None or (isinstance(key, tuple) and all(type(item) in places.PLAIN for item in key)):
        return repr(key)
    raise _NotPlainError


def _plain_object(value: Any) -> Plain:
    if isinstance(value, np.dtype) or type(value).__name__ == "DType":
        return str(getattr(value, "name", value))
    if isinstance(value, functools.partial):
        held: List[Any] = [value.func, list(value.args), dict(value.keywords)]
        return [_plain(item, 1) for item in held]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"the function {value.__qualname__.rpartition('.')[2]}"
    if hasattr(type(value), "lookup") and hasattr(type(value), "key_dtype"):
        return _entries(getattr(value, "_table", value))
    is_tensor = hasattr(value, "dtype") and hasattr(value, "shape")
    if not is_tensor or model_weights.is_variable(value) or places.is_layer(value):
        raise _NotPlainError
    return _array(value)


def _entries(table: Any) -> Plain:
    """The keys of a lookup table of TensorFlow's, sorted, and their values."""
    if int(table.size()) > MAX_ITEMS:
        raise _NotPlainError
    keys, values = (tensors.to_numpy(part) for part in table.export())
    order = np.argsort(keys)
    return [_array(keys[order]), _array(values[order])]


def _array(value: Any) -> Plain:
    try:
        array = tensors.to_numpy(value)
    except Exception as error:  # a symbolic tensor, or one of a graph that is gone
        raise _NotPlainError from error
    if not isinstance(array, np.ndarray):
        raise _NotPlainError
    if array.nbytes > MAX_ARRAY_BYTES:
        raw = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
        digest = hashlib.sha256(raw).hexdigest()
        return f"{array.dtype.name}{list(array.shape)} with the SHA-256 {digest}"
    return array
