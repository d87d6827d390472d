"""Whether a layer can be rebuilt from its config, and built from its build config."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..portable.aliases import Layer
from ..portable.comparing import Tolerance
from ..portable.comparing.json import compare_json
from ..portable.models import variables
from .case import LayerCase, NotApplicableError, spec_of


def check_config(case: LayerCase) -> Iterator[str]:
    """`from_config(get_config())` gives the same layer."""
    copy = type(case.layer).from_config(case.layer.get_config())
    yield from _same_config(case, copy)
    yield from case.copied(copy)


def check_json(case: LayerCase) -> Iterator[str]:
    """The config as Keras serializes it is JSON, and gives the same layer."""
    if not hasattr(case.keras, "saving"):
        raise NotApplicableError  # Keras before 2.12 makes JSON of models only
    text = json.dumps(case.keras.layers.serialize(case.layer))
    copy = case.keras.layers.deserialize(json.loads(text))
    if type(copy) is not type(case.layer):
        yield f"it is a {type(copy).__name__} after keras.layers.deserialize"
        return
    yield from _same_config(case, copy)
    yield from case.copied(copy)


def check_build(case: LayerCase) -> Iterator[str]:
    """`build` alone makes the weights that a call makes: a loader may call nothing else."""
    if not hasattr(case.layer, "get_build_config"):
        raise NotApplicableError
    config = case.layer.get_build_config()
    if not config or not case.layer.weights:
        raise NotApplicableError
    copy = type(case.layer).from_config(case.layer.get_config())
    copy.build_from_config(config)
    found, wanted = len(copy.weights), len(case.layer.weights)
    if found != wanted:
        yield (
            f"build creates {found} of {wanted} weights. Weights that are created when the layer "
            "is called do not exist when a file is loaded: create all weights, and build "
            "sub-layers, in build"
        )
        return
    for one, other in zip(case.layer.weights, copy.weights, strict=True):
        specs = [spec_of(variables.value_of(weight)) for weight in (one, other)]
        if specs[0] != specs[1]:
            yield f"build creates a weight {one.name} {specs[1]}, a call creates {specs[0]}"


def _same_config(case: LayerCase, copy: Layer) -> Iterator[str]:
    name = type(case.layer).__name__
    expected, actual = (
        json.loads(json.dumps(layer.get_config(), default=_to_json_value))
        for layer in (case.layer, copy)
    )
    yield from compare_json("config", expected, actual, Tolerance(), name).differences
    if case.layer.trainable != copy.trainable:
        yield f"trainable was {case.layer.trainable} and is now {copy.trainable}"


def _to_json_value(value: object) -> object:
    """How a value that JSON does not have is compared."""
    for method in ("get_config", "as_list", "tolist"):
        if hasattr(value, method):
            return getattr(value, method)()
    return getattr(value, "__name__", None) or repr(value)
