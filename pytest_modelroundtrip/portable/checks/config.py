"""The check `config`."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .. import keras_libs
from ..aliases import Json, Layer, Model, Plain
from ..comparing import EXACT, Comparison, Tolerance
from ..comparing.json import compare_json
from ..comparing.values import value_difference
from ..models import compiling, optimizers, places
from ..models.places import Place
from ..models.plain_attributes import plain_attributes
from ..subject import Subject
from . import Check


class PlaceSighting(NamedTuple):
    """How one layer, or another object of the user's own, is described."""

    path: str
    class_name: str
    config: Optional[Dict[str, Json]]  # None where the model's config holds it, or it has none
    attributes: Dict[str, Plain]  # of objects of the user's own classes, by name
    arguments: List[str]  # of these, the constructor's arguments
    returned: List[str]  # the keys of its config
    # names of attributes that cannot be compared; None: the object is of a library's class
    others: Optional[List[str]] = None
    holder: Optional[str] = None  # the key of the place that it stands in


class ConfigSighting(NamedTuple):
    """How a Keras model is described."""

    config: Json  # `get_config` as Keras writes it to JSON; None where the model has none
    places: Dict[str, PlaceSighting]  # by their keys


class ConfigCheck(Check[ConfigSighting]):
    """The config of a Keras model, and what its layers hold beside it.

    The config is what `get_config` returns, as JSON; inside of your own classes, that of each
    layer. Of your own classes (layers, regularizers, constraints, metrics, and what they hold) the
    attributes are compared too: numbers, strings, arrays, functions by name, and lists and dicts
    of them. What `get_config` leaves out comes back as the default. An argument of the constructor
    that is not there any more differs; an attribute that a call makes or changes, or that differs
    after two reloads of one artifact, is not compared.
    """

    sighting = ConfigSighting
    hint = (
        "Return the value from get_config, and accept it in the constructor or in from_config. "
        "After the reload, a value that is set elsewhere is the constructor's default."
    )

    def observe(self, subject: Subject) -> Optional[ConfigSighting]:
        """The config and the attributes; None for anything but a Keras model."""
        if not keras_libs.is_model(subject.model):
            return None
        config = _config(subject.model)
        seen = {place.key: _seen(place) for place in _places(subject.model)}
        seen = {
            key: held
            for key, held in seen.items()
            if held.config or held.attributes or held.others is not None
        }
        return ConfigSighting(config, seen)

    def compare(
        self, expected: ConfigSighting, actual: ConfigSighting, tolerance: Tolerance
    ) -> Comparison:
        """Compare the configs, then what both sides have in one place, of one class."""
        found = Comparison()
        if expected.config is not None:
            found = compare_json("config", expected.config, actual.config, tolerance)
        for key, one in expected.places.items():
            other = actual.places.get(key)
            if other is not None and one.class_name == other.class_name:
                _compare_places(one, other, tolerance, found)
            elif not tolerance.across_versions and _is_lost(key, one, expected, actual):
                how = f"is now {other.class_name}" if other else "is missing after the reload"
                found.differ(f"the layer {one.class_name} ({one.path}) {how}")
        return found


def _is_lost(
    key: str, layer: PlaceSighting, expected: ConfigSighting, actual: ConfigSighting
) -> bool:
    """Whether a built-in layer stood in an attribute of an object that came back without it.

    A dropout that is made only where its rate is given has no weights, and shows in no output. In
    a dict it may be under another key there, by its counted name, and in another order in a list.
    """
    if layer.others is not None or layer.holder is None or not key.startswith(layer.holder + "."):
        return False
    one, other = expected.places.get(layer.holder), actual.places.get(layer.holder)
    if one is None or other is None or one.class_name != other.class_name:
        return False
    both_own = one.others is not None and other.others is not None
    return both_own and _count_of(layer, actual) < _count_of(layer, expected)


def _count_of(layer: PlaceSighting, sighting: ConfigSighting) -> int:
    """How many layers of that class stand in the same object."""
    kind = (layer.class_name, layer.holder)
    return sum((place.class_name, place.holder) == kind for place in sighting.places.values())


def reproducible(
    expected: ConfigSighting, first: ConfigSighting, second: ConfigSighting
) -> ConfigSighting:
    """What was seen of the original, without what two reloads of one artifact show differently.

    The artifact does not decide that: the name of a temporary folder, the time, a process number.
    """
    kept = dict(expected.places)
    for key in expected.places.keys() & first.places.keys() & second.places.keys():
        one, other, original = first.places[key], second.places[key], kept[key]
        kept[key] = original._replace(
            attributes=_unchanged(original.attributes, one.attributes, other.attributes),
            config=original.config
            and _unchanged(original.config, one.config or {}, other.config or {}),
        )
    return expected._replace(places=kept)


def _unchanged(values: Json, first: Json, second: Json) -> Json:
    return {
        name: value
        for name, value in values.items()
        if name not in first
        or name not in second
        or not value_difference(first[name], second[name])
    }


def attributes(model: Model) -> Dict[Tuple[str, str], Any]:
    """Each attribute that is compared, by the key of its place and its name."""
    return {
        (place.key, name): value
        for place in _places(model)
        if places.is_own(place.held)
        for name, value in plain_attributes(place.held).items()
    }


def _places(model: Model) -> Iterator[Place]:
    """Those of the model, and what it was compiled with, as far as that is no attribute of it."""
    found = places.places(model)
    yield from found
    known = {id(place.held) for place in found}
    compiled = [*compiling.compiled_objects(model), *optimizers.all_optimizers(model)]
    for where, held in compiled:
        if id(held) not in known and places.is_own(held) and hasattr(held, "__dict__"):
            yield Place(where, where, held, True)


def _seen(place: Place) -> PlaceSighting:
    held, is_own = place.held, places.is_own(place.held)
    config = None if place.described and not is_own else _own_config(held)
    values = plain_attributes(held) if is_own else {}
    others = [name for name, _ in places.attributes(held) if name not in values] if is_own else None
    parameters = places.parameters(type(held)) if values else []
    return PlaceSighting(
        path=place.path or held.name,
        class_name=type(held).__name__,
        config=None if place.described else config,
        attributes=values,
        arguments=[name for name in values if name.lstrip("_") in parameters],
        returned=sorted({**(config or {}), **{f"_{name}": 0 for name in config or {}}}),
        others=others,
        holder=place.holder,
    )


def _own_config(held: Layer) -> Json:
    try:
        return compiling.as_json(held.get_config(), without=places.COMMON)
    except Exception:  # it has none, or code of the user's own raises
        return None


def _config(model: Model) -> Json:
    try:
        return json.loads(model.to_json())["config"]
    except (NotImplementedError, TypeError, ValueError, KeyError):
        return None  # a subclass without get_config


def _compare_places(
    expected: PlaceSighting, actual: PlaceSighting, tolerance: Tolerance, found: Comparison
) -> None:
    where = f"{expected.class_name} ({expected.path})"
    # what a constructor computes has other bits where other versions compute
    near = tolerance if tolerance.across_versions else EXACT
    if expected.config is not None and actual.config is not None:
        name = f"config of {where}"
        sides = expected.config, actual.config
        found.include(compare_json(name, *sides, tolerance, expected.class_name))
    for name, value in sorted(expected.attributes.items()):
        is_argument = name in expected.arguments
        if name in actual.attributes:
            text = value_difference(value, actual.attributes[name], near)
        elif is_argument and actual.others is not None and name not in actual.others:
            text = "is missing after the reload"
        else:  # what a call, or another version of the library, puts there
            continue
        found.compared += 1
        if text:
            noun = "argument" if is_argument else "attribute"
            left_out = "" if name in expected.returned else ": get_config does not return it"
            found.differ(f"the {noun} {name.lstrip('_')} of {where} {text}{left_out}")
