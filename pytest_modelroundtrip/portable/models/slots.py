"""Which weight each variable of an optimizer belongs to, and what it is called there.

Optimizers keep their slots in the order of the weights, or by the weight. Where one does neither,
the name of the variable tells, which holds that of the weight.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Sequence, Tuple

from ..aliases import Optimizer, Variable
from . import model_weights
from .model_weights import Weight

Owner = Tuple[str, Weight]  # part of the name of an optimizer's variable, and the weight
Slot = Tuple[Weight, str]  # the weight that it belongs to, and its name there


class SlotNames:
    """The names of the variables of some optimizers of weights of one model."""

    def __init__(self, weights: Sequence[Weight], optimizers: Sequence[Optimizer]) -> None:
        self._slots: Dict[int, Slot] = {}
        for optimizer in optimizers:
            for variable, weight, name in _slots(optimizer, weights):
                self._slots.setdefault(id(variable), (weight, name))
        self._owners = _owners(weights)

    def of(self, variable: Variable, optimizer: Optimizer) -> Tuple[str, str]:
        """The path, and what the variable is paired by, both without the optimizer."""
        slot = self._slots.get(id(variable))
        if slot is None:
            return _paths(variable, optimizer, self._owners)
        weight, name = slot
        return f"{weight.path}/{name}", f"{weight.place}/{name}"


# by order, or by weight


def _slots(
    optimizer: Optimizer, weights: Sequence[Weight]
) -> Iterator[Tuple[Variable, Weight, str]]:
    """Each slot that the optimizer keeps by the weight, or in the order of the weights."""
    if hasattr(optimizer, "_slots"):  # before TensorFlow 2.11, and Keras' legacy optimizers
        for weight in weights:
            for name in optimizer.get_slot_names():
                slot = _slot_of(optimizer, weight.variable, name)
                if slot is not None:
                    yield slot, weight, name
        return
    trained = _in_order(optimizer, weights)
    for name, held in sorted(vars(optimizer).items()):
        is_list = isinstance(held, (list, tuple)) and name != "_variables"  # these are all it has
        if is_list and len(held) == len(trained):
            for weight, slot in zip(trained, held):
                is_slot = model_weights.is_variable(slot) and slot is not weight.variable
                if is_slot:
                    yield slot, weight, _singular(name)


def _slot_of(optimizer: Optimizer, variable: Variable, name: str) -> Variable:
    """A slot, or None; asking an optimizer for one that it lacks may make it."""
    key = getattr(variable, "_unique_id", None)
    by_weight = {**optimizer._slots}
    for held in (key, getattr(variable, "_shared_name", None)):
        if held in by_weight:
            return by_weight[held].get(name)
    return None


def _in_order(optimizer: Optimizer, weights: Sequence[Weight]) -> List[Weight]:
    """The weights that the optimizer trains, in its order; none where that is not known."""
    first = {id(weight.variable): weight for weight in reversed(weights)}
    trained = getattr(optimizer, "_trainable_variables", None)  # of Keras 3
    if trained is not None:
        held = [first.get(id(variable)) for variable in trained]
        return [weight for weight in held if weight] if all(held) else []
    index = getattr(optimizer, "_index_dict", None)  # of Keras 2, from 2.11 on
    if not index or not hasattr(optimizer, "_var_key"):
        return []
    by_position: Dict[int, Weight] = {}
    for weight in first.values():
        if hasattr(weight.variable, "assign"):
            position = index.get(optimizer._var_key(weight.variable))
            if position is not None:
                by_position[position] = weight
    complete = sorted(by_position) == list(range(len(index)))
    return [by_position[position] for position in sorted(by_position)] if complete else []


def _singular(attribute: str) -> str:
    """`_momentums` holds a momentum for each weight, `_velocities` a velocity."""
    name = attribute.strip("_")
    return re.sub(r"ies$", "y", name) if name.endswith("ies") else re.sub(r"s$", "", name)


# by name


def _owners(weights: Sequence[Weight]) -> List[Owner]:
    """The names that an optimizer may give its variable for a weight.

    The longest come first, since one may be the end of another.
    """
    found = []
    for weight in weights:
        parts = _full_name(weight.variable, getattr(weight.variable, "name", "")).split("/")
        for start in range(max(1, len(parts) - 1)):
            found += [("/".join(parts[start:]), weight), ("_".join(parts[start:]), weight)]
    return sorted(found, key=lambda owner: -len(owner[0]))


def _full_name(variable: Variable, name: str) -> str:
    return str(getattr(variable, "path", name)).split(":")[0]


def _paths(variable: Variable, optimizer: Optimizer, owners: List[Owner]) -> Tuple[str, str]:
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
            return f"{weight.path}/{slot}", f"{weight.place}/{slot}"
    last = name.split("/")[-1]
    return last, last


def _scopes(optimizer: Optimizer) -> Iterator[str]:
    """The names of an optimizer that may stand in those of its variables, as patterns."""
    yield from (re.escape(str(getattr(optimizer, name, ""))) for name in ("name", "_name"))
    yield type(optimizer).__name__
