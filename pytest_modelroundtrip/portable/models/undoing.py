"""What training changes in a live Keras model, and how it is undone.

`fit` writes into variables, but also into Python objects: the history, the functions that it
traces, metrics and slots that are made in the first step. A model that was put back is as it was:
also its optimizer is unbuilt again where it was.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections import OrderedDict
from typing import Any, Dict, Iterable, Iterator, List, Set, Tuple

import numpy as np

from .. import keras_libs
from ..aliases import Model, Variable
from . import model_weights, optimizers, variables

Held = Any  # what an attribute or a container holds


@contextlib.contextmanager
def undone(model: Model) -> Iterator[None]:
    """Whatever is done to the model in here is undone at the end.

    What layers hold in Python attributes is left alone, as after any other call.
    """
    state = training_state(model)
    objects = _ObjectsSnapshot(model)
    values = variables.StateSnapshot(variables.distinct([*state, *objects.variables]))
    generators = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        objects.restore()
        values.restore()
        random.setstate(generators[0])
        np.random.set_state(generators[1])


def training_state(model: Model) -> List[Variable]:
    """The variables that a training step may change: weights, slots, metrics, counters."""
    held = [*variables.state_of(model), *vars(model).values()]
    held += [weight.variable for weight in optimizers.optimizer_weights(model)]
    held += [variable for metric in getattr(model, "metrics", ()) for variable in metric.variables]
    for _, optimizer in optimizers.all_optimizers(model):
        held += vars(optimizer).values()  # some variables are in no list
    return variables.distinct(variable for variable in held if model_weights.is_variable(variable))


class _ObjectsSnapshot:
    """The attributes of the objects that a model is trained by, and the items of containers.

    Attributes:
        variables: those among them. Keras 2 lists those of its losses after the first step only.
    """

    def __init__(self, model: Model) -> None:
        self.variables: List[Variable] = []
        self._lists: List[Tuple[List[Held], List[Held]]] = []
        self._sets: List[Tuple[Set[Held], Set[Held]]] = []
        self._dicts: List[Tuple[Dict[Held, Held], Dict[Held, Held]]] = []
        self._proxies: List[Tuple[Held, Held]] = []
        seen: Dict[int, Held] = {}  # the objects are kept, so that no other one gets their id
        waiting: List[Held] = [vars(model)]
        while waiting:
            held = waiting.pop()
            if id(held) not in seen:
                seen[id(held)] = held
                waiting += self._noted(held)

    def _noted(self, held: Held) -> List[Held]:
        """Note what something holds; returns that."""
        if type(held).__name__ == "_DictWrapper":  # TensorFlow's proxy of a dict
            self._proxies.append((held, held._self_last_wrapped_dict_snapshot))
            return [held.__wrapped__]
        found: List[Held] = []
        if model_weights.is_variable(held):
            self.variables.append(held)
        elif isinstance(held, list):
            self._lists.append((held, list.copy(held)))
            found += list.copy(held)
        elif isinstance(held, set):
            self._sets.append((held, set(held)))
        elif isinstance(held, dict):
            self._dicts.append((held, dict(held)))
            found += dict.values(held)
        elif isinstance(held, tuple):
            return list(held)
        if _is_of_training(held):
            found.append(vars(held))
        return found

    def restore(self) -> None:
        """Put back what has changed, and touch nothing else."""
        for listed, items in self._lists:
            if not _same(list.copy(listed), items):
                list.__setitem__(listed, slice(None), items)
        for members, own in self._sets:
            if members != own:
                set.clear(members)
                set.update(members, own)
        for held, content in self._dicts:
            if not (_same(held, content) and _same(dict.values(held), content.values())):
                kind = OrderedDict if isinstance(held, OrderedDict) else dict
                kind.clear(held)
                kind.update(held, content)
        for proxy, last_seen in self._proxies:
            proxy._self_last_wrapped_dict_snapshot = last_seen


def _is_of_training(held: Held) -> bool:
    """Whether training may change the attributes of an object: an optimizer, a metric, ...

    Not those of layers, variables and tensors.
    """
    kind = type(held)
    if kind.__name__ == "ListWrapper":  # TensorFlow's own list, which has its items twice
        return True
    if isinstance(held, type) or not hasattr(held, "__dict__") or model_weights.is_variable(held):
        return False
    is_layer = hasattr(kind, "count_params") and not hasattr(kind, "update_state")
    is_keras = keras_libs.keras_major(held) is not None
    return (is_keras and not is_layer) or hasattr(kind, "apply_gradients")


def _same(some: Iterable[Held], others: Iterable[Held]) -> bool:
    """Whether both are the very same objects, in order."""
    pairs = itertools.zip_longest(some, others, fillvalue=_same)
    return all(one is other for one, other in pairs)
