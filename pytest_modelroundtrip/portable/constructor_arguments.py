"""The constructor's arguments that objects of the user's own classes hold as attributes.

What `get_config` leaves out comes back as the default.
"""

from __future__ import annotations

import inspect
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from . import compiling, keras_libs, variables
from .aliases import Json, Layer, Model

# arguments of every layer, which other checks compare
COMMON = ("self", "name", "dtype", "trainable")


class Arguments(NamedTuple):
    """The arguments of one object."""

    class_name: str
    values: Dict[str, Any]  # a string, a number, a bool or None, by the argument's name


def constructor_arguments(model: Model) -> Dict[str, Arguments]:
    """The arguments of each object in a Keras model whose class is not of an installed library."""
    return {
        path: Arguments(type(held).__name__, values)
        for path, held in _objects(model)
        for values in [_held_arguments(held)]
        if values
    }


def _objects(model: Model) -> Iterator[Tuple[str, Layer]]:
    """The layers, what they hold (regularizers, constraints), and the compiled metrics."""
    for layer in variables.layers(model):
        if not keras_libs.is_model(layer) or layer is model:
            yield layer.name, layer
        for name, held in sorted(vars(layer).items()):
            is_layer = keras_libs.keras_major(held) and hasattr(held, "weights")
            if hasattr(type(held), "get_config") and not is_layer:
                yield "{}.{}".format(layer.name, name.lstrip("_")), held
    yield from compiling.compiled_metrics(model)


def _held_arguments(held: Layer) -> Dict[str, Json]:
    attributes = vars(held) if hasattr(held, "__dict__") else {}
    found = {}
    for name in _parameters(type(held)):
        key = name if name in attributes else "_" + name
        value = attributes.get(key)
        if key in attributes and isinstance(value, (bool, int, float, str, type(None))):
            found[name] = value
    return found


def _parameters(cls: type) -> List[str]:
    """The parameters of the constructor; none of a library's class, or one without a config."""
    if cls.__module__.split(".")[0] in keras_libs.LIBRARIES or not hasattr(cls, "get_config"):
        return []
    try:
        parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    except (TypeError, ValueError):
        return []
    return [name for name in parameters if name not in COMMON]
