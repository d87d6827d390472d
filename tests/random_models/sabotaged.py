"""Formats that change something of what was loaded, chosen by a number in the artifact."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pytest_modelroundtrip.portable.aliases import Layer, Model, Variable
from pytest_modelroundtrip.portable.formats import LoadOptions
from pytest_modelroundtrip.portable.formats.keras import KerasFormat
from pytest_modelroundtrip.portable.models import model_weights, optimizers, variables

FILENAME = "number"
Change = tuple[str, Callable[[], None]]  # what it is, in words, and what makes it


class SabotagedKeras(KerasFormat):
    """`.keras`, of which one thing is changed after the load."""

    name = "sabotaged"
    number = 0  # chooses what is changed

    def save(self, model: Model, folder: str) -> None:
        """Write the model, and the number."""
        super().save(model, folder)
        with open(os.path.join(folder, FILENAME), "w") as out:
            out.write(str(type(self).number))

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The model, with one change; the output says which."""
        model = super().load(folder, options)
        with open(os.path.join(folder, FILENAME)) as source:
            chosen = random.Random(int(source.read()))
        changes = list(_changes(model))
        kinds = sorted({what.split(":")[0] for what, _ in changes})
        kind = chosen.choice(kinds)
        what, change = chosen.choice([item for item in changes if item[0].split(":")[0] == kind])
        print("changed", what)
        change()
        return model


def _changes(model: Model) -> Iterator[Change]:
    """Whatever can be changed in this model."""
    weights = [weight for weight in model_weights.keras_weights(model) if weight.trainable]
    yield from _of_weights(weights)
    for layer in variables.layers(model)[1:]:
        yield from _of_layer(layer)
    for slot in optimizers.optimizer_weights(model) if model.optimizer else ():
        if variables.value_of(slot.variable).any():
            yield f"a slot: {slot.path}", _bound(_zero, slot.variable)


def _of_weights(weights: list[model_weights.Weight]) -> Iterator[Change]:
    for weight in weights:
        yield f"one bit: {weight.path}", _bound(_flip_one_bit, weight.variable)
        if variables.value_of(weight.variable).any():
            yield f"a weight is zero: {weight.path}", _bound(_zero, weight.variable)
    for one, other in itertools.pairwise(weights):
        if one.variable.shape == other.variable.shape:
            yield f"two weights: {one.path}", _bound(_swap, one.variable, other.variable)


def _of_layer(layer: Layer) -> Iterator[Change]:
    for name in ("rate", "stddev", "momentum", "epsilon"):
        if isinstance(getattr(layer, name, None), float):
            yield f"an argument: {layer.name}.{name}", _bound(_halve, layer, name)
    if layer.trainable_variables and not hasattr(layer, "layers"):
        yield f"a flag: {layer.name}", _bound(_freeze, layer)
    if type(layer).__name__ == "Block":
        yield f"an attribute: {layer.name}.names", _bound(setattr, layer, "names", ("z",))


def _bound(function: Callable[..., None], *arguments: Any) -> Callable[[], None]:
    return lambda: function(*arguments)


def _flip_one_bit(variable: Variable) -> None:
    value = variables.value_of(variable).copy()
    raw = value.reshape(-1).view(np.uint8)
    raw[0] ^= 1
    variable.assign(value)


def _zero(variable: Variable) -> None:
    variable.assign(np.zeros_like(variables.value_of(variable)))


def _swap(one: Variable, other: Variable) -> None:
    values = variables.value_of(one).copy(), variables.value_of(other).copy()
    one.assign(values[1])
    other.assign(values[0])


def _halve(layer: Layer, name: str) -> None:
    setattr(layer, name, getattr(layer, name) / 2)


def _freeze(layer: Layer) -> None:
    layer.trainable = False
