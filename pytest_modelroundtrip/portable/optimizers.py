"""The optimizers of a live Keras model: which it has, their variables and their learning rates."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Tuple

import numpy as np

from . import calling, keras_libs, model_weights, tensors, variables
from .aliases import Json, Model, Nest, Optimizer, Variable
from .model_weights import Weight

STEPS = (0, 1, 2, 5, 10, 100, 1000)  # at which a learning-rate schedule is evaluated


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
        if hasattr(value, "apply_gradients") and hasattr(value, "get_config"):
            found.setdefault(id(value), (name, value))
    return list(found.values())


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
    # a schedule of the user's own may read the dtype of the step
    counts = [calling.to_tensors(optimizer, np.array(step, "int64")) for step in STEPS]
    rates = {f"step {step}": _rounded(rate(count)) for step, count in zip(STEPS, counts)}
    return {type(rate).__name__: rates}


def _rounded(rate: Nest) -> float:
    value = variables.value_of(rate) if hasattr(rate, "assign") else tensors.to_numpy(rate)
    return float(f"{float(np.asarray(value)):.6g}")


def optimizer_weights(model: Model) -> List[Weight]:
    """Each variable of each optimizer, named for its weight: `optimizer/dense/kernel/momentum`."""
    owners = _owners(model)
    found = []
    for attribute, optimizer in optimizers(model):
        held = optimizer.variables
        for variable in held() if callable(held) else held:
            path, place = _paths(variable, optimizer, owners)
            if not path.endswith("learning_rate"):  # the check `compile` compares it
                paths = attribute + "/" + path, attribute + "/" + place
                found.append(Weight(paths[0], variable, False, paths[1]))
        if hasattr(optimizer, "inner_optimizer") and hasattr(optimizer, "loss_scale"):
            path = attribute + "/loss_scale"  # not among the variables in Keras 2
            found.append(Weight(path, optimizer.loss_scale, False, path))
    return model_weights.unique(found)


Owner = Tuple[str, Weight]  # part of the name of an optimizer's variable, and the weight


def _owners(model: Model) -> List[Owner]:
    """The names that an optimizer may give its variable for a weight.

    The longest come first, since one may be the end of another.
    """
    found = []
    for weight in model_weights.keras_weights(model):
        parts = _full_name(weight.variable, getattr(weight.variable, "name", "")).split("/")
        for start in range(max(1, len(parts) - 1)):
            found += [("/".join(parts[start:]), weight), ("_".join(parts[start:]), weight)]
    return sorted(found, key=lambda owner: -len(owner[0]))


def _full_name(variable: Variable, name: str) -> str:
    return str(getattr(variable, "path", name)).split(":")[0]


def _paths(variable: Variable, optimizer: Optimizer, owners: List[Owner]) -> Tuple[str, str]:
    """The path and the canonical path of an optimizer's variable, without the optimizer."""
    name = _full_name(variable, variable.name)
    scopes = "|".join(_scopes(optimizer))
    for key, weight in owners:
        match = re.search(rf"(^|[/_]){re.escape(key)}([/_]|$)", name)
        if match and key:
            rest = (name[: match.start()] + "/" + name[match.end() :]).split("/")
            # the last part: before it stands, in Keras 2.13, the scope of a wrapped optimizer
            slots = [
                part for part in rest if part and not re.fullmatch(rf"({scopes})(_\d+)?", part)
            ]
            slot = slots[-1] if slots else ""
            return weight.path + "/" + slot, weight.place + "/" + slot
    last = name.split("/")[-1]
    return last, last


def _scopes(optimizer: Optimizer) -> Iterator[str]:
    """The names of an optimizer that may stand in those of its variables, as patterns."""
    yield from (re.escape(str(getattr(optimizer, name, ""))) for name in ("name", "_name"))
    yield type(optimizer).__name__
