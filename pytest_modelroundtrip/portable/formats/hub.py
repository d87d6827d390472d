"""A hub module: a SavedModel in a folder, reloaded with `hub.load` and, where it fits, called through `hub.KerasLayer`."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .. import calling, library, tensors
from ..observation import Subject
from . import Options, saved_model
from .saved_model import PROMISES, save

NEEDS = ("tensorflow", "tensorflow_hub")

__all__ = ["NEEDS", "PROMISES", "load", "save", "subject", "supports"]


def supports(model: Any) -> Optional[str]:
    import importlib.util

    if importlib.util.find_spec("tensorflow_hub") is None:
        return "tensorflow-hub is not installed"
    return saved_model.supports(model)


def load(folder: str, options: Options) -> Any:
    import tensorflow_hub as hub

    return hub.load(folder)


def subject(model: Any, options: Options) -> Subject:
    """Besides the plain call, a reusable SavedModel of one input is called as a Keras layer would call it."""
    seen = saved_model.subject(model, options)
    plain = all(len(b.args) == 1 and b.kwargs in ({}, {"training": False}) for b in options.batches)
    if not plain or not _is_reusable(model):
        return seen
    import tensorflow_hub as hub

    layer = hub.KerasLayer(model)

    def call(args: List[Any], kwargs: Dict[str, Any]) -> Any:
        return tensors.to_numpy(layer(calling.to_tensorflow(args[0])))

    return seen._replace(calls={**seen.calls, "hub.KerasLayer": call})


def _is_reusable(model: Any) -> bool:
    """Whether it is a restored SavedModel that a layer can take: callable, and with nothing but variables for `variables`."""
    restored = library.generation(model) is None and callable(model) and hasattr(model, "signatures")
    return restored and all(hasattr(variable, "assign") for variable in getattr(model, "variables", ()))
