"""Variables that no file of weights holds: what makes them, and whether they begin at random.

A rebuilt model makes them anew. With a fixed seed they come out the same, and a loss of what the
original had there would not show.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from typing import Callable, Iterator, List, Tuple

import numpy as np

from .. import keras_libs
from ..aliases import Array, Model, Variable
from . import model_weights, places, undoing, variables

Build = Callable[[], List[Model]]  # makes models, with all their variables
KERAS_2 = "_SEED_GENERATOR"  # what its backend calls the holder of its own generator


def built(build: Build) -> List[Model]:
    """The models that it makes, to be loaded into, see `loaded`.

    Each variable that a loader should overwrite has a value that no training gives.
    """
    models, created = _made(build)
    at_random = [*_at_random(build, _untracked(models, created))]
    for model in models:
        variables.overwrite_with_sentinels(model)
    for variable in at_random:
        variables.overwrite_with_sentinel(variable)
    return models


def loaded(load: Callable[[], Model]) -> Model:
    """The model that it loads.

    Each variable that nothing tracks, and that another load with other seeds makes another one, has
    a value that no training gives.
    """
    (model,), created = _made(lambda: [load()])
    if any(places.is_own(place.held) for place in places.places(model)):  # else Keras made them
        for variable in [*_at_random(lambda: [load()], _untracked([model], created))]:
            variables.overwrite_with_sentinel(variable)
    return model


def _at_random(build: Build, untracked: List[Variable]) -> Iterator[Variable]:
    """The variables that another build with other seeds makes others; mostly none is needed."""
    born = [variables.value_of(variable) for variable in untracked]
    if any(value.any() for value in born):  # zeros are not random
        yield from _changed(untracked, born, _born_again(build))


def _born_again(build: Build) -> List[Array]:
    """The values of what nothing tracks after another build; none where there is only one."""
    try:
        with other_global_seeds():
            again = _untracked(*_made(build))
    except Exception:  # a factory that registers a class, or reads what is gone then
        return []
    return [variables.value_of(variable) for variable in again]


def _made(build: Build) -> Tuple[List[Model], List[Variable]]:
    """Models, and the variables that were made with them."""
    with _created_variables() as created:
        return build(), created


def _untracked(models: List[Model], created: List[Variable]) -> List[Variable]:
    """The variables that were made with models and that nothing tracks."""
    untracked = {variables.identity(held): held for held in created}
    for model in models:
        is_keras = keras_libs.keras_major(model) is not None
        state_of = undoing.training_state if is_keras else variables.tracked_state_of
        for held in state_of(model):  # also what `compile` makes, as in most factories
            untracked.pop(variables.identity(held), None)
    for model in models:
        if keras_libs.keras_major(model) is not None:
            unlisted = [weight.variable for weight in model_weights.unlisted_weights(model)]
            untracked.update({variables.identity(held): held for held in unlisted})
    return [*untracked.values()]


def _changed(
    untracked: List[Variable], born: List[Array], again: List[Array]
) -> Iterator[Variable]:
    """The variables that have another value after another build."""
    if len(born) != len(again):
        return
    for variable, value, other in zip(untracked, born, again):
        if value.shape == other.shape and value.tobytes() != other.tobytes():
            yield variable


@contextlib.contextmanager
def _created_variables() -> Iterator[List[Variable]]:
    """The variables that TensorFlow makes meanwhile."""
    tensorflow = sys.modules.get("tensorflow")
    made: List[Variable] = []

    def note(make: Callable[..., Variable], **arguments: object) -> Variable:
        made.append(make(**arguments))
        return made[-1]

    with contextlib.ExitStack() as stack:
        if tensorflow is not None:
            stack.enter_context(tensorflow.variable_creator_scope(note))
        yield made


@contextlib.contextmanager
def other_global_seeds() -> Iterator[None]:
    """Whatever sets a global seed meanwhile sets another one.

    For a process that ends after its one reload: the states of generators are not restored.
    """
    names = [(random, "seed"), (np.random, "seed")]
    context = sys.modules.get("tensorflow.python.eager.context")
    if context is not None:
        names.append((context, "set_global_seed"))
    setters = [(module, name, getattr(module, name)) for module, name in names]
    modules = [held for held in [*sys.modules.values()] if KERAS_2 in getattr(held, "__dict__", ())]
    generators = [(module, KERAS_2, getattr(module, KERAS_2)) for module in modules]
    for module, name, setter in setters:
        setattr(module, name, _with_another_seed(setter))
        getattr(module, name)(1)
    for module, name, _ in generators:
        setattr(module, name, _OtherSequences())
    try:
        yield
    finally:
        for module, name, value in [*setters, *generators]:
            setattr(module, name, value)


class _OtherSequences(threading.local):
    """Holds Keras 2's own generator, as its backend does; of each the first number is left out."""

    def __setattr__(self, name: str, generator: random.Random) -> None:
        generator.random()
        super().__setattr__(name, generator)


def _with_another_seed(setter: Callable[..., None]) -> Callable[..., None]:
    def set_seed(seed: object = None, *others: object) -> None:
        setter(seed + 7919 if isinstance(seed, int) else seed, *others)

    return set_seed
