"""The optimizers of a live Keras model: which it has, their variables and their learning rates."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Sequence, Set, Tuple

import numpy as np

from .. import keras_libs, tensors
from ..aliases import Json, Model, Nest, Optimizer
from . import calling, compiling, model_weights, slots, variables
from .model_weights import Weight

# at which a learning-rate schedule is evaluated, besides the numbers in its own arguments
STEPS = (0, 1, 2, 5, *(10**power for power in range(1, 7)))
MAX_NUMBERS = 20  # of a schedule's own arguments


def optimizers(model: Model) -> List[Tuple[str, Optimizer]]:
    """The optimizers in the attributes of a Keras model, by attribute: a GAN has two."""
    if not keras_libs.is_model(model):
        return []
    attributes = {"optimizer": getattr(model, "optimizer", None)}
    attributes.update(
        {name: value for name, value in vars(model).items() if not name.startswith("_")}
    )
    found: Dict[int, Tuple[str, Optimizer]] = {}
    for name, value in attributes.items():
        if is_optimizer(value):
            found.setdefault(id(value), (name, value))
    return list(found.values())


def all_optimizers(model: Model) -> List[Tuple[str, Optimizer]]:
    """The optimizers of a Keras model, each followed by those that it holds."""
    found: Dict[int, Tuple[str, Optimizer]] = {}
    for name, optimizer in optimizers(model):
        found.setdefault(id(optimizer), (name, optimizer))
        for path, inner in held_optimizers(optimizer):
            found.setdefault(id(inner), (f"{name}/{path}", inner))
    return list(found.values())


def held_optimizers(optimizer: Optimizer) -> List[Tuple[str, Optimizer]]:
    """The optimizers that an optimizer holds, in an attribute or in a container, by path."""
    seen = {id(optimizer)}
    found = []
    waiting: List[Tuple[str, Nest]] = [*_held(optimizer)]
    while waiting:
        path, value = waiting.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if is_optimizer(value):
            found.append((path, value))
        waiting += [(f"{path}/{name}", item) for name, item in _held(value)]
    return found


def _held(value: Nest) -> Iterator[Tuple[str, Nest]]:
    """What an optimizer or a container holds, by name or position.

    `OptimizerMap` of Keras 3 is a mapping too; its default is an attribute.
    """
    is_mapping = isinstance(value, Mapping)
    if is_optimizer(value) or (is_mapping and hasattr(value, "get_config")):
        for name, item in vars(value).items():
            if not name.startswith("_self_"):  # where TensorFlow notes the same once more
                yield name.lstrip("_"), item
    elif is_mapping:
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((str(position), item) for position, item in enumerate(value))


def is_optimizer(value: Nest) -> bool:
    """Whether it is an optimizer of Keras', or one like it."""
    return hasattr(type(value), "apply_gradients") and hasattr(type(value), "get_config")


def inner_optimizer(optimizer: Optimizer) -> Optimizer:
    """The optimizer inside of one that scales the loss; any other one itself."""
    return getattr(optimizer, "inner_optimizer", None) or optimizer


def learning_rate(optimizer: Optimizer) -> Json:
    """The learning rate as it is now; of a schedule, the rates at several steps."""
    rate = getattr(optimizer, "_learning_rate", None)
    if rate is None:
        rate = (getattr(optimizer, "_hyper", None) or {}).get("learning_rate")
    if rate is None:
        return None
    if not callable(rate) or hasattr(rate, "assign"):
        return _rounded(rate)
    return {type(rate).__name__: _schedule(optimizer, rate)}


def _schedule(optimizer: Optimizer, schedule: Nest) -> Dict[str, Json]:
    """The arguments of a learning-rate schedule, and its rates over its whole range."""
    try:
        config = compiling.as_json(schedule.get_config(), without=("name",))
    except Exception:  # one of the user's own need not have any
        config = {}
    numbers = sorted(set(_numbers(config)))[:MAX_NUMBERS]
    steps = {*STEPS, *(number + near for number in numbers for near in (-1, 0, 1))}
    rates = {f"step {step}": _rate_at(optimizer, schedule, step) for step in sorted(steps)}
    return {"config": tensors.map_leaves(_rounded_number, config), **rates}


def _rate_at(optimizer: Optimizer, schedule: Nest, step: int) -> Json:
    try:  # it may read the dtype of the step
        return _rounded(schedule(calling.to_tensors(optimizer, np.array(step, "int64"))))
    except Exception as error:  # a step beyond the end of its table
        return type(error).__name__


def _numbers(config: Json) -> Iterator[int]:
    """The numbers of steps among the arguments of a schedule."""
    for _, leaf in tensors.leaves(config):
        is_number = isinstance(leaf, (int, float)) and not isinstance(leaf, bool)
        if is_number and 1 <= leaf < 2**31 and leaf == int(leaf):
            yield int(leaf)


def _rounded_number(leaf: Json) -> Json:
    return float(f"{leaf:.6g}") if isinstance(leaf, float) else leaf


def _rounded(rate: Nest) -> float:
    value = variables.value_of(rate) if hasattr(rate, "assign") else tensors.to_numpy(rate)
    return float(f"{float(np.asarray(value)):.6g}")


def optimizer_weights(model: Model) -> List[Weight]:
    """Each variable of each optimizer, named for its weight: `optimizer/dense/kernel/momentum`."""
    found = all_optimizers(model)
    return weights_of_optimizers(found, model_weights.keras_weights(model)) if found else []


def weights_of_optimizers(
    found_optimizers: Sequence[Tuple[str, Optimizer]], weights: Sequence[Weight]
) -> List[Weight]:
    """The same for optimizers by their places, and the weights that they may train."""
    names = slots.SlotNames(weights, [optimizer for _, optimizer in found_optimizers])
    found: List[Weight] = []
    seen: Set[int] = set()
    for place, optimizer in found_optimizers:
        held = optimizer.variables
        for variable in held() if callable(held) else held:
            path, key = names.of(variable, optimizer)
            # the check `compile` compares the learning rate
            is_rate = "/" not in path and path.endswith("learning_rate")
            if id(variable) not in seen and not is_rate:
                paths = place + "/" + path, place + "/" + key
                found.append(Weight(paths[0], variable, False, paths[1]))
            seen.add(id(variable))
        if hasattr(optimizer, "inner_optimizer") and hasattr(optimizer, "loss_scale"):
            path = place + "/loss_scale"  # not among the variables in Keras 2
            found.append(Weight(path, optimizer.loss_scale, False, path))
    return model_weights.unique(found)


def overwrite_optimizers_with_sentinels(model: Model) -> None:
    """Give each variable of each optimizer a value that no training gives, if it has one.

    What is zero is left so: where a loader skips it, that is the state of a new optimizer, and
    shows as such. Learning rates are left too: `compile` gives them.
    """
    for weight in optimizer_weights(model):
        if hasattr(weight.variable, "assign") and variables.value_of(weight.variable).any():
            variables.overwrite_with_sentinel(weight.variable)
