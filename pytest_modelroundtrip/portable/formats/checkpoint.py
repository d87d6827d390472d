"""The format `checkpoint`."""

from __future__ import annotations

import functools
import os
from typing import Any, Callable, Dict, List, Mapping, Optional

from ..aliases import Model, Nest
from ..models import creation, optimizers, variables
from . import WEIGHTS, LoadOptions, other_backend
from .rebuilt import RebuiltFormat, part_of, rebuilt, save_architecture, with_variables

PARTS = "parts"  # the folder of a group's architectures, and the attribute that holds its parts


class CheckpointFormat(RebuiltFormat):
    """A `tf.train.Checkpoint` kept by a `CheckpointManager`, restored into a rebuilt model."""

    name = "checkpoint"
    keeps = ("optimizer", *WEIGHTS)
    needs = ("tensorflow",)
    holds_groups = True

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        return other_backend(model)

    def group_needs_factory(self, models: Mapping[str, Model]) -> Optional[str]:
        """Why only a factory can rebuild these parts of a group, or None."""
        held = [{id(held) for held in variables.state_of(model)} for model in models.values()]
        if len(set().union(*held)) == sum(map(len, held)):
            return None
        return (
            "the parts share variables, so only a factory can build them: "
            'pass factory="module:function"'
        )

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        save_architecture(model, folder)
        _write({"": model}, folder)

    def save_group(self, models: Mapping[str, Model], folder: str) -> None:
        """Save the parts of a group by their names, in one checkpoint."""
        for name, model in models.items():
            os.makedirs(os.path.join(folder, PARTS, name))
            save_architecture(model, os.path.join(folder, PARTS, name))
        _write(models, folder)

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder."""
        model = rebuilt(folder, options, optimizer=True)
        _restore({"": model}, folder)
        return model

    def load_group(self, folder: str, options: Mapping[str, LoadOptions]) -> Dict[str, Model]:
        """The parts from one call of the factory, so that they share what they shared."""
        factory = next(iter(options.values())).factory
        if factory is None:
            models = [
                rebuilt(os.path.join(folder, PARTS, name), its, optimizer=True)
                for name, its in options.items()
            ]
        else:
            models = creation.built(functools.partial(_parts, factory, options))
        named = dict(zip(options, models))
        _restore(named, folder)
        return named


def _parts(factory: Callable[[], Nest], options: Mapping[str, LoadOptions]) -> List[Model]:
    """Those that one call of the factory builds."""
    built = factory()
    return [with_variables(part_of(built, name), its) for name, its in options.items()]


def _checkpoint(models: Mapping[str, Model]) -> Any:
    """A checkpoint of a single model, whose name is "", or of the parts of a group.

    Parts are in a dict: their names may be those of attributes that a checkpoint has.
    """
    import tensorflow as tf

    held = {"model": models[""]} if "" in models else {PARTS: dict(models)}
    return tf.train.Checkpoint(**held)


def _write(models: Mapping[str, Model], folder: str) -> None:
    import tensorflow as tf

    tf.train.CheckpointManager(_checkpoint(models), folder, max_to_keep=3).save()


def _restore(models: Mapping[str, Model], folder: str) -> None:
    import tensorflow as tf

    for model in models.values():
        optimizers.overwrite_optimizers_with_sentinels(model)  # a factory may have trained it
    latest = tf.train.latest_checkpoint(folder)
    if latest is None:
        raise FileNotFoundError("no checkpoint in the artifact's folder")
    try:
        _checkpoint(models).restore(latest).assert_consumed()
    except AssertionError:
        # some optimizers make their variables in the first step, and get the values then
        stepped = [_took_empty_step(model) for model in models.values()]
        if not any(stepped):
            raise
        _checkpoint(models).restore(latest).assert_consumed()


def _took_empty_step(model: Model) -> bool:
    """Take a training step whose gradients are zero; whether the model can."""
    import tensorflow as tf

    weights = getattr(model, "trainable_variables", ())
    try:
        pairs = [(tf.zeros_like(weight), weight) for weight in weights]
        model.optimizer.apply_gradients(pairs)
    except Exception:  # it has no optimizer, or one that does not take this
        return False
    return True
