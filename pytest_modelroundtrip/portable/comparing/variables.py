"""How the variables of two models are paired and compared, and where a wrong value comes from."""

from __future__ import annotations

import itertools
import re
from typing import Dict, Iterator, List, NamedTuple

import numpy as np

from ..aliases import Array, Plain
from ..bits import same_bits
from ..models.variables import sentinel_values
from ..protocol import WeightValue
from ..tensors import KnownArray, dtype_named
from . import EXACT, Comparison, Tolerance, ValueOrigin, arrays

ORIGINS = {  # the kind of an origin -> how the message ends
    "": "",
    "other": ": it holds the value of {}",
    "cast": ": it was cast through {}",
    "sentinel": ": it was not loaded, it holds the value that the rebuilt model had before",
    "constant": ": it was re-initialized, each element is {}",
}
UNKNOWN = ValueOrigin("", "")


class Paired(NamedTuple):
    """The variables of both sides by the paths of the original."""

    expected: Dict[str, WeightValue]
    actual: Dict[str, WeightValue]


def paired(expected: List[WeightValue], actual: List[WeightValue], tolerance: Tolerance) -> Paired:
    """Pair the variables of both sides.

    Across backends, integers on the other side have the original's width, where they fit.
    """
    pairs = _by_place(expected, _counted_as(expected, actual))
    if not tolerance.across_backends:
        return pairs
    widened = {
        path: weight._replace(value=_as_wide(weight.value, pairs.expected[path].value))
        if path in pairs.expected
        else weight
        for path, weight in pairs.actual.items()
    }
    return Paired(pairs.expected, widened)


def _by_place(expected: List[WeightValue], actual: List[WeightValue]) -> Paired:
    """Pair by place; what has no partner there, by path.

    Paths hold the names of layers, which Keras counts through the whole process: a rebuilt model
    has `dense_3` for `dense`, and its `dense` may be another layer. Places do not; but a format
    that rebuilds a model from its graph may hold a layer in other attributes.
    """
    originals = {weight.path: weight for weight in expected}
    at_place = {weight.place: weight.path for weight in expected}
    found: Dict[str, WeightValue] = {}
    others: List[WeightValue] = []
    for weight in actual:
        path = at_place.get(weight.place, "")
        if path in originals and path not in found:
            found[path] = weight
        else:
            others.append(weight)
    numbers = itertools.count(2)
    for weight in others:
        path = weight.path
        while path in found:  # its path is that of another weight in the original
            path = f"{weight.path} (another, {next(numbers)})"
        found[path] = weight
    return Paired(originals, found)


def _counted_as(expected: List[WeightValue], actual: List[WeightValue]) -> List[WeightValue]:
    """The weights of the other side, in the places of the originals where only a count differs.

    Keras counts inside of some names, too: the layers of a `FeatureSpace` that is built again are
    `string_categorical_1_preprocessor`. Such names are in the same order on both sides.
    """
    if {weight.place for weight in expected} == {weight.place for weight in actual}:
        return actual
    originals, found = _by_uncounted_place(expected), _by_uncounted_place(actual)
    recounted: Dict[int, str] = {}
    for uncounted, weights in found.items():
        places = [weight.place for weight in originals.get(uncounted, ())]
        if len(places) == len(weights) and set(places) != {weight.place for weight in weights}:
            recounted.update({id(weight): place for weight, place in zip(weights, places)})
    return [weight._replace(place=recounted.get(id(weight), weight.place)) for weight in actual]


def _by_uncounted_place(weights: List[WeightValue]) -> Dict[str, List[WeightValue]]:
    found: Dict[str, List[WeightValue]] = {}
    for weight in weights:
        found.setdefault(re.sub(r"_\d+(?=_)", "", weight.place), []).append(weight)
    return found


def _as_wide(value: Plain, original: Plain) -> Plain:
    """The same integers in the original's width, where they fit."""
    if not isinstance(value, np.ndarray) or not isinstance(original, np.ndarray):
        return value
    if value.dtype.kind != original.dtype.kind or value.dtype.kind not in "iu":
        return value
    cast = value.astype(original.dtype)
    return cast if (cast == value).all() else value


def compare_variables(
    noun: str, expected: List[WeightValue], actual: List[WeightValue], tolerance: Tolerance
) -> Comparison:
    """Compare variables: which there are, flags, ties, dtypes, shapes, and values bit for bit.

    Args:
        noun: what they are, for messages; the path follows it.
        expected: of the original.
        actual: of the reloaded model.
        tolerance: whether Keras has another backend there; values must be equal all the same.
    """
    found = Comparison()
    originals, reloaded = paired(expected, actual, tolerance)
    prefix = f"{noun} ".lstrip()
    for path in sorted(originals.keys() - reloaded.keys()):
        what = _shape(originals[path].value)
        found.differ(f"{prefix}{path} {what} is missing after the reload")
    for path in sorted(reloaded.keys() - originals.keys()):
        what = _shape(reloaded[path].value)
        found.differ(f"{prefix}{path} {what} is not in the original")
    for path in [path for path in originals if path in reloaded]:
        found.compared += 1
        messages = [*_property_differences(originals[path], reloaded[path])]
        expected_value, actual_value = originals[path].value, reloaded[path].value
        text = arrays.leaf_difference(expected_value, actual_value, EXACT, Comparison())
        if text and not _is_told_elsewhere(originals[path], reloaded[path], reloaded):
            found.origins[path] = origin = _origin(path, originals, actual_value)
            messages.append(text + ORIGINS[origin.kind].format(origin.detail))
        for message in messages:
            found.differ(f"{prefix}{path} {message}")
    return found


def _is_told_elsewhere(
    original: WeightValue, actual: WeightValue, reloaded: Dict[str, WeightValue]
) -> bool:
    """Whether the value of a tied weight is reported at its first path, or as untied."""
    if not original.tied_to or not actual.tied_to:
        return bool(original.tied_to)
    first = reloaded.get(original.tied_to)
    if first is None:  # it is in another part of a group
        return actual.tied_to == original.tied_to
    return arrays.same_leaf(first.value, actual.value)


def _property_differences(expected: WeightValue, actual: WeightValue) -> Iterator[str]:
    if expected.trainable != actual.trainable:
        yield f"was {_trainable(expected)} and is now {_trainable(actual)}"
    if expected.tied_to and not actual.tied_to:
        yield f"was tied to {expected.tied_to} and is now a separate variable"
    if actual.tied_to and not expected.tied_to:
        yield f"was a separate variable and is now tied to {actual.tied_to}"


def _trainable(weight: WeightValue) -> str:
    return "trainable" if weight.trainable else "frozen"


def _shape(value: Plain) -> str:
    is_array = isinstance(value, (np.ndarray, KnownArray))
    return arrays.dtype_and_shape(value) if is_array else repr(value)


def _origin(path: str, originals: Dict[str, WeightValue], actual: Plain) -> ValueOrigin:
    """Where a wrong value comes from, as far as that can be known."""
    expected = originals[path].value
    if not isinstance(actual, np.ndarray) or _shape(expected) != _shape(actual):
        return UNKNOWN
    if actual.size < 2 or actual.dtype == object:
        return UNKNOWN
    if same_bits(actual, sentinel_values(actual)):
        return ValueOrigin("sentinel", "")
    if not isinstance(expected, np.ndarray):
        return UNKNOWN
    if _is_constant(actual):
        constant = ValueOrigin("constant", str(actual.flat[0]))
        return UNKNOWN if _is_constant(expected) else constant
    for other, weight in originals.items():
        if arrays.same_leaf(actual, weight.value):
            return ValueOrigin("other", other)
    return _cast_origin(expected, actual)


def _is_constant(array: Array) -> bool:
    return bool((array == array.flat[0]).all())


def _cast_origin(expected: Array, actual: Array) -> ValueOrigin:
    if expected.dtype.name not in ("float32", "float64"):
        return UNKNOWN
    for name in ("float16", "bfloat16"):
        try:
            narrow = dtype_named(name)
        except ValueError:  # no bfloat16 without ml_dtypes and TensorFlow
            continue
        with np.errstate(all="ignore"):
            cast = expected.astype(narrow).astype(expected.dtype)
        if same_bits(cast, actual):
            return ValueOrigin("cast", name)
    return UNKNOWN
