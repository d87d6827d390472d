"""The weights of a live model: where each stands, for people and for pairing it with another's."""

from __future__ import annotations

import re
from collections import Counter
from typing import Dict, Iterator, List, NamedTuple, Sequence

import numpy as np

from .. import keras_libs
from ..aliases import Layer, Model, Variable
from . import object_graph, places
from .places import Place

COUNTED_NAME = r"(?i)((variable|parameter)(_\d+)?)?"  # of a variable that nobody named


class Weight(NamedTuple):
    """One path to one variable.

    Two weights may hold one variable: then the model has it in two places, and it must have it in
    both after a reload.
    """

    path: str  # for messages, by the names of layers
    variable: Variable
    trainable: bool  # whether training changes it
    place: str  # what it is paired by, see `places`


def weights_of(model: Model) -> List[Weight]:
    """Those of a Keras model or layer, or of anything else as TensorFlow's object graph has it."""
    return keras_weights(model) if keras_libs.keras_major(model) else object_weights(model)


# of Keras models


def keras_weights(model: Model) -> List[Weight]:
    """The weights of a Keras model or layer in the model's order.

    A path is `encoder/dense/kernel`. The flag is the model's, not the variable's: freezing a
    Keras 2 layer does not change its variables. Last come the variables that Keras neither counts
    nor saves: TensorFlow's own in a Keras 3 layer, and those in objects of the user's own.
    """
    held = places.places(model)
    return unique([*_variable_weights(model, held), *_vocabularies(held)])


def variable_weights(model: Model) -> List[Weight]:
    """Those that are variables."""
    return unique(_variable_weights(model, places.places(model)))


def listed_weights(model: Model) -> List[Weight]:
    """Those that Keras counts and saves."""
    return unique(_listed_weights(model, places.places(model)))


def unlisted_weights(model: Model) -> List[Weight]:
    """Those that Keras neither counts nor saves."""
    return unique(list(_unlisted_weights(model, places.places(model))))


def _variable_weights(model: Model, held: Sequence[Place]) -> List[Weight]:
    return [*_listed_weights(model, held), *_unlisted_weights(model, held)]


def _listed_weights(model: Model, held: Sequence[Place]) -> List[Weight]:
    trainable = {id(variable) for variable in model.trainable_variables}
    by_variable: Dict[int, List[Weight]] = {}
    for weight in _of_layers(held):
        by_variable.setdefault(id(weight.variable), []).append(weight)
    return [
        weight._replace(variable=tensor, trainable=id(variable) in trainable)
        for variable in model.weights
        for tensor in _tensors(variable)
        for weight in by_variable.pop(id(variable), [_unplaced(variable)])
    ]


def _unplaced(variable: Variable) -> Weight:
    """The weight of a variable that stands in no place."""
    return Weight(_own_name(variable), variable, False, _own_name(variable))


def _of_layers(held: Sequence[Place]) -> Iterator[Weight]:
    """Each weight of each layer, once for each place of the layer."""
    for place in held:
        if places.is_layer(place.held):
            inner = places.inner_layers(place.held)
            inner_ids = {id(variable) for layer in inner for variable in layer.weights}
            own = [variable for variable in place.held.weights if id(variable) not in inner_ids]
            for variable, key in zip(own, _keys(place.held, own)):
                yield _weight(place, _own_name(variable), key, variable)


def _keys(layer: Layer, own: Sequence[Variable]) -> List[str]:
    """What the variables of one layer are paired by.

    That is the name where the user or Keras gave it. Where it was counted, or stands twice, it is
    the attribute that holds the variable.
    """
    names = [_own_name(variable) for variable in own]
    counted = {name for name, count in Counter(names).items() if count > 1}
    counted |= {name for name in names if re.fullmatch(COUNTED_NAME, name)}
    attributes: Dict[int, str] = {}
    if counted:
        for key, held in places.attribute_items(layer):
            if key.lstrip(".") not in counted:  # a stand-in has such attributes too
                attributes.setdefault(id(held), key)
    keys = [
        attributes.get(id(variable), re.sub(r"_\d+$", "", name)) if name in counted else name
        for name, variable in zip(names, own)
    ]
    return _numbered(keys)


def _unlisted_weights(model: Model, held: Sequence[Place]) -> Iterator[Weight]:
    """The variables that are in attributes and that Keras does not list."""
    listed = {id(variable) for variable in model.weights}
    for place in held:
        for key, variable in places.attribute_items(place.held):
            if is_variable(variable) and id(variable) not in listed and _is_state(place, variable):
                trainable = bool(variable.trainable)
                yield _weight(place, key.lstrip("."), key, variable)._replace(trainable=trainable)


def _is_state(place: Place, variable: Variable) -> bool:
    """Whether a variable that Keras does not list is the model's, not a cache of a library's."""
    is_tensorflows = hasattr(variable, "handle") and keras_libs.keras_major(place.held) == 3
    return is_tensorflows or places.is_own(place.held)


def _weight(place: Place, name: str, key: str, variable: Variable) -> Weight:
    path = f"{place.path}/{name}" if place.path else name
    return Weight(path, variable, False, f"{place.key}:{key}")


def _vocabularies(held: Sequence[Place]) -> Iterator[Weight]:
    """The words of lookup layers that have any: their tables are not variables."""
    seen = set()
    for place in [place for place in held if places.is_layer(place.held)]:
        inner: Layer = getattr(place.held, "_lookup_layer", place.held)
        if id(inner) not in seen and _has_lookup_table(inner):
            vocabulary = inner.get_vocabulary(include_special_tokens=False)
            words = [str(word).encode() for word in vocabulary]
            if words:
                yield _weight(place, "vocabulary", "vocabulary", np.array(words, dtype=object))
        seen.add(id(inner))


def _has_lookup_table(layer: Layer) -> bool:
    is_lookup = any(cls.__name__ == "IndexLookup" for cls in type(layer).__mro__)
    return is_lookup and getattr(layer, "lookup_table", None) is not None


def _tensors(weight: Variable) -> List[Variable]:
    """The weight itself, or the tensors of what Keras 2 lists as a weight for a lookup table."""
    if not hasattr(weight, "get_tensors"):
        return [weight]
    held = weight.get_tensors()
    return list(held) if isinstance(held, (list, tuple)) else [held]


def _own_name(variable: Variable) -> str:
    return str(getattr(variable, "name", "table")).split(":")[0].split("/")[-1]


# of anything else


def numbered_weights(model: Model) -> List[Weight]:
    """The variables by position, for an artifact that keeps them as one list (`model.export`)."""
    trainable = {id(variable) for variable in model.trainable_variables}
    found = [variable for variable in model.variables if hasattr(variable, "assign")]
    return [
        Weight(path, variable, id(variable) in trainable, path)
        for path, variable in ((f"variables[{n}]", held) for n, held in enumerate(found))
    ]


def object_weights(root: Model, paths: Sequence[str] = ()) -> List[Weight]:
    """Every variable that TensorFlow can reach from an object, by its path in the object graph.

    A SavedModel and a checkpoint keep that graph, and a SavedModel adds other paths to the same
    variables. So a reloaded object is read along the `paths` of the original.
    """
    found = [(path, object_graph.at(root, path)) for path in paths]
    if not found:
        reachable = object_graph.reachable(root, is_variable)
        found = sorted(reachable, key=lambda item: item[0])
    return [
        Weight(path, variable, bool(variable.trainable), path)
        for path, variable in found
        if is_variable(variable)
    ]


def is_variable(held: Variable) -> bool:
    """Whether it is a variable of TensorFlow or Keras.

    Keras' optimizers have an `assign` too. What holds variables is none itself: a module that
    gives another form of a variable, such as TensorFlow Probability's `TransformedVariable`.
    """
    is_like_one = all(hasattr(type(held), name) for name in ("assign", "trainable"))
    # Keras 2's variables of mixed precision have `numpy` from the variable that they wrap
    return is_like_one and hasattr(held, "numpy") and not hasattr(type(held), "variables")


# names


def unique(weights: List[Weight]) -> List[Weight]:
    """Names that occur more than once get a number: `cell/kernel`, `cell/kernel#2`."""
    paths = _numbered([weight.path for weight in weights])
    keys = _numbered([weight.place for weight in weights])
    return [
        weight._replace(path=path, place=key) for weight, path, key in zip(weights, paths, keys)
    ]


def _numbered(names: Sequence[str]) -> List[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return numbered


def named_for_part(part: str, weights: List[Weight]) -> List[Weight]:
    """The weights of one part by their paths in the group."""
    return [weight._replace(path=f"{part}/{weight.path}") for weight in weights]
