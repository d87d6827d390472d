"""Typed records <-> plain nests, which are checked against the annotations of the record.

A record is a NamedTuple. Its plain form is a dict of its fields: `codec` can encode it, and the
other side reads it without the sender's code. A member of an enum of strings is its string there. A
record that is `Verifiable` is verified there.
"""

from __future__ import annotations

import enum
import functools
import reprlib
from typing import (
    Any,
    Dict,
    Protocol,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
    get_type_hints,
    runtime_checkable,
)

import numpy as np

from .aliases import Json, Plain
from .tensors import LEAVES

R = TypeVar("R")


@runtime_checkable
class Verifiable(Protocol):
    """A record whose fields may contradict each other."""

    def verify(self) -> None:
        """Look at them.

        Raises:
            ValueError: where they do.
        """


def to_plain(value: Any) -> Plain:
    """The same nest with each record as a dict of its fields, and each enum member as its value."""
    if isinstance(value, LEAVES):
        return value
    if isinstance(value, enum.Enum):  # one of a model may have a text that is not its value
        return str.__str__(value) if isinstance(value, str) else value.value
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
        kind: a NamedTuple, an enum of strings, or a `typing` form of lists, dicts, tuples, optional
            and plain values.
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
    if kind is Json:
        return _json(plain, where)
    if origin is Union or type(kind).__name__ == "UnionType":  # Optional[X] or X | None
        return None if plain is None else _parsed(arguments[0], plain, where)
    if hasattr(kind, "_fields"):
        return _record(kind, plain, where)
    if origin is dict:
        _expect(isinstance(plain, dict), where, "a dict", plain)
        return {
            _parsed(arguments[0], key, where): _parsed(arguments[1], item, _inside(where, key))
            for key, item in plain.items()
        }
    if origin in (list, tuple):
        _expect(isinstance(plain, list), where, "a list", plain)
        items = [
            _parsed(arguments[0], item, _inside(where, position))
            for position, item in enumerate(plain)
        ]
        return items if origin is list else tuple(items)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _member(kind, plain, where)
    return _scalar(kind, plain, where)


def _member(kind: Type[enum.Enum], plain: Plain, where: str) -> enum.Enum:
    values = [member.value for member in kind]
    known = isinstance(plain, str) and plain in values
    _expect(known, where, "one of " + ", ".join(map(repr, values)), plain)
    return kind(plain)


def _record(kind: Any, plain: Plain, where: str) -> Any:
    _expect(isinstance(plain, dict), where, "a dict", plain)
    hints = _hints(kind)
    defaults: Dict[str, Any] = kind._field_defaults
    unknown, missing = set(plain) - set(hints), set(hints) - set(plain) - set(defaults)
    _expect(not unknown, where, f"no field {_join_names(unknown)}", plain)
    _expect(not missing, where, f"the field {_join_names(missing)}", plain)
    fields = {name: _parsed(hints[name], item, f"{where}.{name}") for name, item in plain.items()}
    record = kind(**fields)
    if isinstance(record, Verifiable):
        record.verify()
    return record


def _json(plain: Plain, where: str) -> Json:
    """What JSON holds; keys may be any scalars."""
    if isinstance(plain, dict):
        for item in plain.values():
            _json(item, where)
    elif isinstance(plain, list):
        for item in plain:
            _json(item, where)
    else:
        is_scalar = plain is None or isinstance(plain, (bool, int, float, str))
        _expect(is_scalar, where, "JSON", plain)
    return plain


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


def _inside(where: str, key: Plain) -> str:
    return f"{where}[{reprlib.repr(key)}]"  # of a long key its beginning and its end


def _join_names(fields: Set[Plain]) -> str:
    """The names of fields, no more than a line can hold."""
    return ", ".join(sorted(map(str, fields)))[:200]


def _expect(right: bool, where: str, what: str, plain: Plain) -> None:
    if not right:
        raise ValueError(f"{where}: {what} is expected, not {type(plain).__name__}")
