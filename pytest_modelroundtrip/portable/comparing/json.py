"""How two configs are compared: JSON as Keras writes it, in whatever form each version does."""

from __future__ import annotations

import math
import re
from typing import Iterator, NamedTuple

from ..aliases import Json
from . import Comparison, Tolerance, shapes

# Keys that say how Keras wrote or built a layer, not what the layer is. What it is shows in other
# checks: flags in the weights that they are about, vocabularies as weights.
NOT_CONFIG = ("trainable", "build_config", "shared_object_id")
LOOKUP_LAYERS = ("StringLookup", "IntegerLookup", "TextVectorization")
OF_LOOKUPS = ("vocabulary", "idf_weights")
# a function has no config, the object around it has
ADDED_BY_WRITER = ("module", "registered_name", "config")
SHAPES = ("batch_input_shape", "batch_shape", "build_input_shape")  # an axis may become free
# keys whose values versions of the libraries change
CHANGED_BY_VERSIONS = ("class_name", "module", "registered_name", "implementation")


NOTHING: Json = object()  # stands for the value of a key that a dict lacks


class JsonDifference(NamedTuple):
    """Two values that differ."""

    path: str
    expected: Json
    actual: Json


def compare_json(
    name: str, expected: Json, actual: Json, tolerance: Tolerance, class_name: str = ""
) -> Comparison:
    """Compare two configs.

    Args:
        name: what they are, for messages; the path follows it: `config.layers[1].units`.
        expected: of the original.
        actual: of the reloaded model.
        tolerance: across versions, only the plain values that both sides have are compared.
        class_name: of the object that they are the configs of, "" where it is not known.
    """
    found = Comparison()
    found.compared = 1
    for difference in differences(expected, actual, name, class_name):
        if not (tolerance.across_versions and _is_of_version(difference)):
            found.differ(f"{difference.path}: {_describe_difference(difference)}")
    return found


def _describe_difference(difference: JsonDifference) -> str:
    if difference.actual is NOTHING:
        return f"{difference.expected!r} is missing after the reload"
    if difference.expected is NOTHING:
        return f"{difference.actual!r} is not in the original"
    return f"{difference.expected!r} is now {difference.actual!r}"


def _is_of_version(difference: JsonDifference) -> bool:
    """Whether it may come from how another version of the libraries writes the same config."""
    if difference.path.rpartition(".")[2] in CHANGED_BY_VERSIONS:
        return True
    values = difference.expected, difference.actual
    return not all(isinstance(value, (str, int, float)) for value in values)


def differences(
    expected: Json, actual: Json, path: str, class_name: str = ""
) -> Iterator[JsonDifference]:
    """The values that differ, with their paths.

    Args:
        expected: of the original.
        actual: of the reloaded model.
        path: to them, for messages.
        class_name: of the object that they are the configs of, "" where it is not known.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        if class_name == "Lambda" or _class_name(expected) == _class_name(actual) == "Lambda":
            return  # marshalled code, never written the same; what it does shows in the outputs
        for key in {**expected, **actual}:
            one, other = expected.get(key, NOTHING), actual.get(key, NOTHING)
            of_lookup = key in OF_LOOKUPS and class_name in LOOKUP_LAYERS
            if not of_lookup and not _is_same_by_key(key, one, other):
                inner = _class_name(expected) if key == "config" else ""
                yield from differences(one, other, f"{path}.{key}", inner)
    elif same_strings(expected, actual):
        return
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for position, (one, other) in enumerate(zip(expected, actual)):
            yield from differences(one, other, f"{path}[{position}]")
    elif not same_scalar(expected, actual):
        yield JsonDifference(path, expected, actual)


def _is_same_by_key(key: Json, expected: Json, actual: Json) -> bool:
    """Whether two values are the same for what their key means, though they may differ."""
    if key in NOT_CONFIG:
        return True
    if key == "name":  # Keras counts them through the whole process
        return bool(_uncounted(expected) == _uncounted(actual))
    absent = [value is None or value is NOTHING for value in (expected, actual)]
    if key in ADDED_BY_WRITER and any(absent):
        return True
    if key == "module" and _is_of_keras(actual):
        # Keras keeps some classes in two of its modules; a stand-in of a SavedModel is its own
        return _is_of_keras(expected) or ".saved_model." in actual
    if key == "class_name":
        # Keras 2.13 writes `Custom>Scale` before a save in HDF5 and `Scale` after it
        names = [value.rpartition(">")[2] for value in (expected, actual) if isinstance(value, str)]
        return len(names) == 2 and names[0] == names[1]
    if key == "batch_input_shape" and NOTHING in (expected, actual):
        return True  # a layer of Keras 2 inside of a class has one once it was called
    if key in SHAPES and _is_shape(expected) and _is_shape(actual):
        return shapes.accepts(actual, expected)
    return all(absent)


def _is_of_keras(module: Json) -> bool:
    return isinstance(module, str) and module.split(".")[0] in ("keras", "tf_keras")


def _uncounted(name: Json) -> Json:
    return re.sub(r"_\d+$", "", name) if isinstance(name, str) else name


def _is_shape(value: Json) -> bool:
    sizes = value if isinstance(value, list) else [""]
    return all(size is None or isinstance(size, int) for size in sizes)


def _class_name(config: Json) -> str:
    name = config.get("class_name")
    return name if isinstance(name, str) else ""


def same_scalar(expected: Json, actual: Json) -> bool:
    """Whether two values that are neither lists nor dicts are the same, as in arrays.

    One NaN is like another, 0.0 is not -0.0, and a bool is no number.
    """
    scalars = (str, int, float, type(None))
    if not isinstance(expected, scalars) or not isinstance(actual, scalars):
        return False
    if isinstance(expected, bool) != isinstance(actual, bool):
        return False
    if expected == actual == 0:
        return math.copysign(1, expected) == math.copysign(1, actual)
    return bool(expected == actual or (expected != expected and actual != actual))


def same_strings(expected: Json, actual: Json) -> bool:
    """Whether two lists hold the same strings; the order of a set is the process' own."""
    if not isinstance(expected, list) or not isinstance(actual, list):
        return False
    if not all(isinstance(item, str) for item in [*expected, *actual]):
        return False
    return sorted(expected) == sorted(actual)
