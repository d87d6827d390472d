"""The places of a model: its layers and the user's own objects, in the model's own structure.

A place is named by attributes and positions, `.blocks[0].dense`. In a functional or sequential
model it is named by the layer, without the number that Keras counts: `/dense#0` is the first layer
that has the name of its class. So the same place has the same key on both sides of a round trip,
whatever was built before in either process.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from collections import Counter
from types import CodeType
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from .. import keras_libs
from ..aliases import Layer, Model, Module

COMMON = ("name", "dtype", "trainable")  # arguments of each layer and metric
# attributes of a model of Keras 3 that only `compile` and `fit` make
BOOKS_OF_TRAINING = ("stop_training", "stop_evaluating", "stop_predicting")
MAX_OBJECT_DEPTH = 12  # of objects in objects, and of lists and dicts in each other
PLAIN = frozenset((bool, int, float, str, bytes, type(None)))  # what no place is in
MAX_VISITS = 4  # of one object, which may stand in several places

Item = Tuple[str, Layer]  # what stands in an attribute, and its key: `.blocks[0]`


class Place(NamedTuple):
    """One place of a layer, or of another object, in a model."""

    key: str
    path: str  # for messages, by the names of layers: `encoder/dense`
    held: Layer
    described: bool  # whether the config of the model as a whole describes it
    holder: Optional[str] = None  # the key of the place that it stands in


def places(root: Model) -> List[Place]:
    """Every place of a Keras model or layer, the root first.

    What is shared stands in several places. What Keras does not track is among them: a layer in an
    object of the user's own.
    """
    return list(_visit(Place("", "", root, True), (), Counter()))


def _visit(place: Place, holders: Tuple[int, ...], visits: Counter[int]) -> Iterator[Place]:
    yield place
    visits[id(place.held)] += 1
    if visits[id(place.held)] > MAX_VISITS or len(holders) > MAX_OBJECT_DEPTH:
        return
    inside = (*holders, id(place.held))
    describes = place.described and not is_own(place.held)
    for key, held in _children(place.held):
        if id(held) not in inside:
            name = held.name if is_layer(held) else key.lstrip(".")
            path = f"{place.path}/{name}" if place.path else name
            yield from _visit(
                Place(place.key + key, path, held, describes, place.key), inside, visits
            )


def _children(holder: Layer) -> Iterator[Item]:
    """The layers and objects that an object holds itself, each once.

    Of a library's class they are the layers that Keras tracks, and the user's own objects.
    """
    tracked = list(inner_layers(holder)) if is_layer(holder) else []
    known = {id(layer) for layer in tracked}
    seen: Set[int] = set()
    by_name = list(_by_name(tracked))
    in_attributes = [
        (key, held)
        for key, held in attribute_items(holder)
        if is_own_object(held) or (is_layer(held) and (is_own(holder) or id(held) in known))
    ]
    in_order = [*by_name, *in_attributes] if keras_libs.is_graph(holder) else in_attributes
    for key, held in [*in_order, *by_name]:
        if id(held) not in seen:
            seen.add(id(held))
            yield key, held


def _by_name(tracked: Iterable[Layer]) -> Iterator[Item]:
    counted: Counter[str] = Counter()
    for layer in tracked:
        name, bases = layer.name, default_names(type(layer).__name__)
        base = bases[0]
        if re.fullmatch(rf"({'|'.join(map(re.escape, bases))})(_\d+)?", name):
            name = f"{base}#{counted[base]}"
            counted[base] += 1
        yield "/" + name, layer


def inner_layers(layer: Layer) -> Iterable[Layer]:
    """The layers that Keras tracks in a layer, but not those inside of them."""
    if hasattr(layer, "_flatten_layers"):
        held: Iterable[Layer] = layer._flatten_layers(include_self=False, recursive=False)
        return [inner for inner in held if not is_metric(inner)]
    from tensorflow.python.training.tracking import layer_utils  # TensorFlow 2.2

    found: Iterable[Layer] = layer_utils.filter_empty_layer_containers(
        getattr(layer, "_layers", [])
    )
    return found


def default_names(class_name: str) -> List[str]:
    """The names that releases of Keras give a layer of this class, before they count.

    `ConvLSTM2D` is `conv_lstm2d`; with the Keras inside of TensorFlow 2.2 it is `conv_lst_m2d`.
    """
    found = []
    for word in ("[A-Z][a-z]+", "[A-Z][a-z0-9]+"):
        name = re.sub(rf"(.)({word})", r"\1_\2", class_name)
        name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
        found += [name, f"private{name}"] if name.startswith("_") else [name]  # in Keras 2
    return [*found, "model"] if class_name == "Functional" else found


# attributes


def attribute_items(holder: Layer) -> Iterator[Item]:
    """What the attributes of an object hold, also in lists, tuples and dicts, sorted by name.

    Not what has no places in it: numbers, strings, and a container that was looked into already.
    """
    seen: Dict[int, Any] = {}  # the containers are kept, so that no other one gets their id
    for name, value in attributes(holder):
        yield from _items(f".{name}", value, seen, 0)


def _items(key: str, value: Layer, seen: Dict[int, Any], depth: int) -> Iterator[Item]:
    if type(value) in PLAIN or id(value) in seen or depth > MAX_OBJECT_DEPTH:
        return
    if isinstance(value, dict):
        seen[id(value)] = value
        # a vocabulary has many words, and nothing to look into
        for inner in sorted((inner for inner in value if type(value[inner]) not in PLAIN), key=str):
            yield from _items(f"{key}[{inner!r}]", value[inner], seen, depth + 1)
    elif isinstance(value, (list, tuple)):
        seen[id(value)] = value
        for position, item in enumerate(value):
            if type(item) not in PLAIN:
                yield from _items(f"{key}[{position}]", item, seen, depth + 1)
    else:
        yield key, value


def attributes(holder: Layer) -> List[Tuple[str, Layer]]:
    """The attributes of an object without those in which Keras keeps its own books.

    Of the user's own classes, an attribute whose name begins with an underscore counts where their
    code mentions it.
    """
    if not hasattr(holder, "__dict__"):
        return []
    counts = _counting(holder)
    return [(name, value) for name, value in sorted(vars(holder).items()) if counts(name)]


def _counting(holder: Layer) -> Callable[[str], bool]:
    """Which attributes of an object count, by name."""
    named = _names_in_code(holder.__class__) if is_own(holder) else frozenset()
    if not is_layer(holder):
        if keras_libs.keras_major(holder) is None:
            return lambda name: not name.startswith("_") or name in named
        return lambda name: name in named and name not in COMMON
    books = _books(keras_libs.own_keras(holder), keras_libs.is_model(holder))
    if not is_own(holder):
        kept = ("_self_", "_serialized_attributes")  # by TensorFlow, and by Keras 2 in stand-ins
        return lambda name: name not in books and not name.startswith(kept)
    return lambda name: name not in books and (not name.startswith("_") or name in named)


@functools.lru_cache(maxsize=None)
def _books(keras: Module, is_model: bool) -> FrozenSet[str]:
    """The attributes that each layer has, or each model."""
    bare = keras.Model(name="bare") if is_model else keras.layers.Layer(name="bare")
    return frozenset((*vars(bare), *BOOKS_OF_TRAINING))


@functools.lru_cache(maxsize=256)
def _names_in_code(cls: Any) -> FrozenSet[str]:
    """The names that the code of the user's own classes mentions, and the constructor's arguments.

    An argument may be held with an underscore before its name.
    """
    own = [base for base in cls.__mro__ if not is_library(base.__module__)]
    held = [value for base in own for value in vars(base).values()]
    arguments = parameters(cls)
    return frozenset((
        *(name for value in held for name in _mentioned(_code(value))),
        *arguments, *(f"_{name}" for name in arguments),
    ))  # fmt: skip


def parameters(cls: type) -> List[str]:
    """The names of the parameters of a class' constructor."""
    return [parameter.name for parameter in _constructor(cls)]


def rest_parameter(cls: type) -> str:
    """The name after the two asterisks in a class' constructor, "" where there is none."""
    return next((one.name for one in _constructor(cls) if one.kind is one.VAR_KEYWORD), "")


def parameters_of_libraries(cls: type) -> List[str]:
    """The parameters of the constructors of its base classes that are not the user's own."""
    bases = [base for base in cls.__mro__ if is_library(base.__module__)]
    return [name for base in bases for name in parameters(base)]


def _constructor(cls: type) -> List[inspect.Parameter]:
    try:
        return [*inspect.signature(cls.__init__).parameters.values()]  # type: ignore[misc]
    except (TypeError, ValueError):
        return []


def _code(value: Any) -> Any:
    """The code of a function, a method, a property or what `tf.function` returns; else None."""
    try:
        for name in ("__func__", "fget", "python_function", "_python_function"):
            value = getattr(value, name, value)
        return inspect.unwrap(value).__code__
    except Exception:  # it is no function
        return None


def _mentioned(code: Any) -> Iterator[str]:
    if isinstance(code, CodeType):
        yield from code.co_names
        for constant in code.co_consts:
            yield from _mentioned(constant)


# kinds of objects: by their classes, since to ask an object may run code of the user's own


def is_layer(held: Layer) -> bool:
    """Whether it is a Keras layer or model; the metrics of Keras 2 are layers too."""
    # the class is asked: an unbuilt model of Keras 2 raises a ValueError
    is_keras = hasattr(type(held), "weights") and keras_libs.keras_major(held) is not None
    return is_keras and hasattr(type(held), "call") and not is_metric(held)


def is_metric(held: Layer) -> bool:
    """Whether it is a Keras metric."""
    return hasattr(type(held), "update_state") and hasattr(type(held), "result")


def is_own(held: Layer) -> bool:
    """Whether the class of an object is not of Python, Keras or another library that computes."""
    return not is_library(type(held).__module__)


def is_own_object(held: Layer) -> bool:
    """Whether it is an object with attributes, of a class that is the user's own."""
    has_attributes = hasattr(held, "__dict__") and not isinstance(held, type)
    return has_attributes and is_own(held) and not is_metric(held)


@functools.lru_cache(maxsize=None)
def is_library(module: str) -> bool:
    """Whether a module is of Python, Keras or another library that computes."""
    package = module.split(".")[0]
    if package in keras_libs.LIBRARIES or package in sys.builtin_module_names:
        return True
    if hasattr(sys, "stdlib_module_names"):
        return package in sys.stdlib_module_names and package != "__main__"
    source = getattr(sys.modules.get(package), "__file__", None) or ""
    return os.path.dirname(source).startswith(os.path.dirname(os.__file__)) and (
        "-packages" not in source
    )
