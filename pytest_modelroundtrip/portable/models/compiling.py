"""What `compile` leaves in a live Keras model, in one form however its arguments were given."""

from __future__ import annotations

import json
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import tensors
from ..aliases import Json, Model, Nest

Getter = Callable[[Nest], Nest]  # `losses.get` or `metrics.get` of a Keras


def compile_arguments(model: Model) -> Dict[str, Nest]:
    """What the model was compiled with; nothing where it was not."""
    config = getattr(getattr(model, "_compile_config", None), "config", None)
    is_old = hasattr(model, "_get_compile_args")  # before TensorFlow 2.12
    if config is None and is_old and getattr(model, "_is_compiled", False):
        config = model._get_compile_args(user_metrics=True)
    return config or {}


def compiled_objects(model: Model) -> List[Tuple[str, Nest]]:
    """The metrics and losses that a Keras model was compiled with, by argument and position."""
    arguments = compile_arguments(model)
    return [
        (f"{kind}[{position}]", item)
        for kind in ("metrics", "weighted_metrics", "loss")
        for position, item in enumerate(flat(arguments.get(kind)))
    ]


def flat(nest: Nest) -> List[Nest]:
    """The leaves of a nest; of a dict in the order of its sorted keys."""
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in flat(nest[key])]
    if isinstance(nest, (list, tuple)):
        return [leaf for item in nest for leaf in flat(item)]
    return [nest]


def numbers(nest: Nest) -> Json:
    """The same nest with each number as a float."""
    return tensors.map_leaves(lambda leaf: leaf if leaf is None else float(leaf), nest)


class Named(NamedTuple):
    """A loss or metric, given by name, as a function or as an object."""

    name: str
    config: Optional[Dict[str, Json]]  # None but for objects


def all_named(nest: Nest, get: Getter) -> Nest:
    """A `Named` for each loss or metric, in dicts by position or key; None where there is none."""
    if isinstance(nest, (list, tuple)):
        return {str(position): all_named(item, get) for position, item in enumerate(nest)}
    if isinstance(nest, dict) and "class_name" not in nest:
        return {str(key): all_named(item, get) for key, item in sorted(nest.items())}
    return None if nest is None else named(nest, get)


def named(item: Nest, get: Getter) -> Named:
    """One loss or metric."""
    if isinstance(item, (str, dict)):
        try:
            item = get(item)
        except (TypeError, ValueError):
            item = str(item)
    config = None
    if hasattr(item, "get_config"):
        arguments = getattr(item, "_fn_kwargs", None) or {}  # which get_config need not return
        config = as_json({**item.get_config(), **arguments}, without=("name", "dtype", "fn"))
    return Named(_snake_case(_name(item)), config)


def _name(item: Nest) -> str:
    """The name of a loss or metric; of a function that Keras has wrapped, its own."""
    if "Wrapper" in type(item).__name__:
        wrapped = getattr(item, "_fn", getattr(item, "fn", None))
        item = item if wrapped is None else wrapped
    if isinstance(item, str):
        return item
    return str(getattr(item, "__name__", None) or type(item).__name__)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def as_json(config: Dict[str, Nest], without: Sequence[str]) -> Dict[str, Json]:
    """A config as JSON, without these keys; numbers of any library become floats."""
    kept = {key: value for key, value in config.items() if key not in without}
    converted: Dict[str, Json] = json.loads(json.dumps(kept, default=_scalar, sort_keys=True))
    return converted


def _scalar(value: Nest) -> Json:
    try:
        return float(np.asarray(value))
    except (TypeError, ValueError):
        return type(value).__name__
