"""Variables that no file of weights holds: what makes them, and whether they begin at random.

A rebuilt model makes them anew. With a fixed seed they come out the same, and a loss of what the
original had there would not show.
"""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Callable, Iterator, List, Tuple

import numpy as np

from . import keras_libs, model_weights, undoing, variables
from .aliases import Array, Model, Variable

Build = Callable[[], List[Model]]  # makes models, with all their variables


def built(build: Build) -> List[Model]:
    """The models that it makes, with a value that no training gives in each variable that a loader
    should overwrite, and in each that no loader knows and that is another one with other seeds.
    """
    models, untracked = _made(build)
    born = [variables.value_of(variable) for variable in untracked]
    for model in models:
        variables.overwrite_with_sentinels(model)
    for variable in _changed(untracked, born, _born_again(build)) if untracked else ():
        variables.overwrite_with_sentinel(variable)
    return models


def _born_again(build: Build) -> List[Array]:
    """The values of what nothing tracks after another build; none where there is only one."""
    try:
        with other_global_seeds():
            _, again = _made(build)
    except Exception:  # a factory that registers a class, or reads what is gone then
        return []
    return [variables.value_of(variable) for variable in again]


def _made(build: Build) -> Tuple[List[Model], List[Variable]]:
    """Models, and the variables that were made with them and that nothing tracks."""
    with _created_variables() as created:
        models = build()
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
    return models, [*untracked.values()]


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
    for module, name, setter in setters:
        setattr(module, name, _with_another_seed(setter))
        getattr(module, name)(1)
    try:
        yield
    finally:
        for module, name, setter in setters:
            setattr(module, name, setter)


def _with_another_seed(setter: Callable[..., None]) -> Callable[..., None]:
    def set_seed(seed: object = None, *others: object) -> None:
        setter(seed + 7919 if isinstance(seed, int) else seed, *others)

    return set_seed
