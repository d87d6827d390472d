"""A `tf.train.Checkpoint` kept by a `CheckpointManager`, restored into an object that is built anew."""

from __future__ import annotations

from typing import Any, Optional

from .. import library
from ..observation import Subject, keras_subject
from . import Options
from ._rebuild import PROMISES, needs_factory, rebuilt, save_architecture

__all__ = ["PROMISES", "load", "needs_factory", "save", "subject", "supports"]


def supports(model: Any) -> Optional[str]:
    if library.backend(model) != "tensorflow":
        return "a TensorFlow checkpoint holds TensorFlow variables only"
    return None


def save(model: Any, folder: str) -> None:
    import tensorflow as tf

    save_architecture(model, folder)
    tf.train.CheckpointManager(tf.train.Checkpoint(model=model), folder, max_to_keep=3).save()


def load(folder: str, options: Options) -> Any:
    import tensorflow as tf

    model = rebuilt(folder, options)
    latest = tf.train.latest_checkpoint(folder)
    if latest is None:
        raise FileNotFoundError("no checkpoint in the artefact's folder")
    tf.train.Checkpoint(model=model).restore(latest).assert_consumed()
    return model


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
