"""A `tf.train.Checkpoint` kept by a `CheckpointManager`, restored into an object that is built anew."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from .. import library, variables
from ..observation import Subject, keras_subject
from . import WEIGHTS, Options
from . import why_not_its_keras as why_not_there
from ._rebuild import needs_factory, overwritten, part_of, rebuilt, save_architecture

__all__ = ["NEEDS", "PROMISES", "load", "needs_factory", "save", "subject", "supports", "why_not_there"]

PROMISES = ("optimizer", *WEIGHTS)
NEEDS = ("tensorflow",)


def supports(model: Any) -> Optional[str]:
    if library.backend(model) != "tensorflow":
        return "a TensorFlow checkpoint holds TensorFlow variables only"
    return None


def why_not_together(models: Dict[str, Any], factory: Optional[str]) -> Optional[str]:
    if factory:
        return None
    held = [{id(variable) for variable in variables.state_of(model)} for model in models.values()]
    if len(set().union(*held)) == sum(map(len, held)):
        return None
    return 'the parts share variables, so only a factory can build them anew: say how with factory="module:function"'


def save(model: Any, folder: str) -> None:
    save_architecture(model, folder)
    _write({"model": model}, folder)


def save_together(models: Dict[str, Any], folder: str) -> None:
    for name, model in models.items():
        os.mkdir(os.path.join(folder, name))
        save_architecture(model, os.path.join(folder, name))
    _write(models, folder)


def _write(models: Dict[str, Any], folder: str) -> None:
    import tensorflow as tf

    tf.train.CheckpointManager(tf.train.Checkpoint(**models), folder, max_to_keep=3).save()


def load(folder: str, options: Options) -> Any:
    return _restored({"model": rebuilt(folder, options, optimizer=True)}, folder)["model"]


def load_together(folder: str, options: Dict[str, Options]) -> Dict[str, Any]:
    """The parts from one call of the factory, so that they share what they shared."""
    factory = next(iter(options.values())).factory
    built = factory() if factory else None
    models = {}
    for name, its in options.items():
        inner = os.path.join(folder, name)
        models[name] = rebuilt(inner, its, optimizer=True) if built is None else overwritten(part_of(built, name), its)
    return _restored(models, folder)


def _restored(models: Dict[str, Any], folder: str) -> Dict[str, Any]:
    import tensorflow as tf

    latest = tf.train.latest_checkpoint(folder)
    if latest is None:
        raise FileNotFoundError("no checkpoint in the artefact's folder")
    tf.train.Checkpoint(**models).restore(latest).assert_consumed()
    return models


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
