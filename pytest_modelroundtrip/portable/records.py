"""Typed records <-> plain nests, which are checked against the annotations of the record.

A record is a NamedTuple. Its plain form is a dict of its fields: `codec` can encode it, and the
other side reads it without the sender's code.
"""

from __future__ import annotations

import functools
from typing import Any, Dict, Tuple, Type, TypeVar, Union, get_type_hints

import numpy as np

from .aliases import Plain
from .tensors import LEAVES

R = TypeVar("R")


def to_plain(value: Any) -> Plain:
    """The same nest with each record as a dict of its fields."""
    if isinstance(value, LEAVES):
        return value
    if hasattr(value, "_fields"):
        return {name: to_plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: Type[R], plain: Plain, where: str = "") -> R:
    """The record, list or dict of that type that a plain nest holds.

    Args:
        kind: a NamedTuple, or a `typing` form of lists, dicts, tuples, optional and plain values.
        plain: what was decoded.
        where: the path to it, for the message.

    Raises:
        ValueError: where a field is missing, unknown, or of another type.
    """
    record: R = _parsed(kind, plain, where or getattr(kind, "__name__", str(kind)))
    return record


def _parsed(kind: Any, plain: Plain, where: str) -> Any:
    origin = getattr(kind, "__origin__", None)
    arguments: Tuple[Any, ...] = getattr(kind, "__args__", ())
    if kind is Any:
        return plain
    if origin is Union or type(kind).__name__ == "UnionType":  # Optional[X] or X | None
        return None if plain is None else _parsed(arguments[0], plain, where)
    if hasattr(kind, "_fields"):
        return _record(kind, plain, where)
    if origin is dict:
        _expect(isinstance(plain, dict), where, "a dict", plain)
        return {
            _parsed(arguments[0], key, where): _parsed(arguments[1], item, f"{where}[{key!r}]")
            for key, item in plain.items()
        }
    if origin in (list, tuple):
        _expect(isinstance(plain, list), where, "a list", plain)
        items = [
            _parsed(arguments[0], item, f"{where}[{position}]")
            for position, item in enumerate(plain)
        ]
        return items if origin is list else tuple(items)
    return _scalar(kind, plain, where)


def _record(kind: Any, plain: Plain, where: str) -> Any:
    _expect(isinstance(plain, dict), where, "a dict", plain)
    hints = _hints(kind)
    defaults: Dict[str, Any] = kind._field_defaults
    unknown, missing = set(plain) - set(hints), set(hints) - set(plain) - set(defaults)
    _expect(not unknown, where, f"no field {', '.join(sorted(map(str, unknown)))}", plain)
    _expect(not missing, where, f"the field {', '.join(sorted(missing))}", plain)
    fields = {name: _parsed(hints[name], item, f"{where}.{name}") for name, item in plain.items()}
    return kind(**fields)


@functools.lru_cache(maxsize=None)
def _hints(kind: Any) -> Dict[str, Any]:
    return get_type_hints(kind)


def _scalar(kind: Any, plain: Plain, where: str) -> Any:
    right = isinstance(plain, kind) and (kind is bool or not isinstance(plain, bool))
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        try:
            return float(plain)
        except OverflowError:
            right = False
    _expect(right, where, "an array" if kind is np.ndarray else kind.__name__, plain)
    return plain


def _expect(right: bool, where: str, what: str, plain: Plain) -> None:
    if not right:
        raise ValueError(f"{where}: {what} is expected, not {type(plain).__name__}")
