"""How two nests of arrays are compared: their structure, and each leaf at its path.

A tuple and a list are the same structure. Empty lists and dicts, and the types of a dict's keys,
are structure too; the order of a dict's keys is not.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from ..aliases import Plain
from ..tensors import LEAVES
from . import Comparison, Tolerance, arrays

MAX_ORIGINS = 10  # differences of which it is told whose value they hold: to look takes long
MAX_PATH, CUT = 300, " ..."  # characters of a path in messages, roughly


def compare_nests(where: str, expected: Plain, actual: Plain, tolerance: Tolerance) -> Comparison:
    """Compare two nests.

    Args:
        where: what they are, for messages; the path follows it: `outputs['logits'][0]`.
        expected: of the original.
        actual: of the reloaded model.
        tolerance: how far apart floating-point leaves may be.
    """
    comparing = _NestComparison(where, expected, tolerance)
    comparing.compare("", expected, actual)
    return comparing.found


class _NestComparison:
    """One comparison of two nests, on its way through them."""

    def __init__(self, where: str, expected: Plain, tolerance: Tolerance) -> None:
        self.found = Comparison()
        self._where = where
        self._whole = expected
        self._tolerance = tolerance

    def compare(self, path: str, expected: Plain, actual: Plain) -> None:
        """Compare what stands at this path of both nests."""
        kinds = _container(expected), _container(actual)
        if kinds[0] != kinds[1]:
            what = f"was {_described(expected)} and is now {_described(actual)}"
            self._differ(path, what)
        elif kinds[0]:
            self._compare_items(path, expected, actual)
        else:
            self._compare_leaves(path, expected, actual)

    def _compare_items(self, path: str, expected: Plain, actual: Plain) -> None:
        others = _items(actual)
        for key, item in _items(expected).items():
            inner = _inner_path(path, key)
            if key in others:
                self.compare(inner, item, others.pop(key))
            else:
                self._differ_in_leaves(inner, item, "is missing after the reload")
        for key, item in others.items():
            self._differ_in_leaves(_inner_path(path, key), item, "is not in the original")

    def _compare_leaves(self, path: str, expected: Plain, actual: Plain) -> None:
        self.found.compared += 1
        message = arrays.leaf_difference(expected, actual, self._tolerance, self.found)
        if message:
            is_told = len(self.found.differences) < MAX_ORIGINS
            leaves = _leaves(self._whole, "") if is_told else iter(())
            origin = next((other for other, leaf in leaves if arrays.same_leaf(leaf, actual)), "")
            self._differ(path, message + (f": it holds the value of {origin}" if origin else ""))

    def _differ_in_leaves(self, path: str, nest: Plain, message: str) -> None:
        for inner, _ in _leaves(nest, path):
            self._differ(inner, message)

    def _differ(self, path: str, message: str) -> None:
        self.found.differ(f"{self._where}{path} {message}")


Key = Tuple[str, Plain]  # a key or a position with the name of its type: 1, 1.0 and True are three


def _container(nest: Plain) -> str:
    """The kind of container that a nest is; "" for a leaf."""
    if isinstance(nest, dict):
        return "dict"
    return "list" if isinstance(nest, (list, tuple)) and not isinstance(nest, LEAVES) else ""


def _items(container: Plain) -> Dict[Key, Plain]:
    """What a container holds: a list by position, a dict in the order of its sorted keys."""
    if isinstance(container, dict):
        return {(_key_kind(key), key): container[key] for key in sorted(container, key=str)}
    return {("int", position): item for position, item in enumerate(container)}


def _key_kind(key: Plain) -> str:
    for kind in (bool, int, float, str):
        if isinstance(key, kind):  # a subclass of str is one of its kind, a bool is no int
            return kind.__name__
    return type(key).__name__


def _inner_path(path: str, key: Key) -> str:
    """The path of an item, for a message: it is cut where it is too long to be read."""
    if len(path) > MAX_PATH:
        return path if path.endswith(CUT) else path + CUT
    shown = repr(key[1])
    return f"{path}[{shown if len(shown) <= MAX_PATH else shown[:MAX_PATH] + CUT}]"


def _leaves(nest: Plain, path: str) -> Iterator[Tuple[str, Plain]]:
    """Every leaf with its path; an empty container is one too."""
    items = _items(nest) if _container(nest) else {}
    if not items:
        yield path, nest
    for key, item in items.items():
        yield from _leaves(item, _inner_path(path, key))


def _described(nest: Plain) -> str:
    kind = _container(nest)
    if not kind:
        return arrays.described_leaf(nest)
    keys: List[str] = [repr(key) for _, key in _items(nest)]
    if not keys:
        return f"an empty {kind}"
    return f"a list of {len(keys)}" if kind == "list" else f"a dict of {', '.join(keys)}"
