"""A SavedModel: `tf.saved_model.save`, reloaded with `tf.saved_model.load`."""

from __future__ import annotations

from typing import Any, Optional

from .. import library
from ..observation import Subject, object_subject
from . import SERVED, Options

PROMISES = SERVED
NEEDS = ("tensorflow",)


def supports(model: Any) -> Optional[str]:
    if library.backend(model) != "tensorflow":
        return "tf.saved_model.save holds TensorFlow models only"
    return None


def save(model: Any, folder: str) -> None:
    import tensorflow as tf

    signatures = getattr(model, "signatures", None)  # those of a reloaded SavedModel or hub module are not kept otherwise
    tf.saved_model.save(model, folder, **({"signatures": dict(signatures)} if signatures else {}))


def load(folder: str, options: Options) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(folder)


def subject(model: Any, options: Options) -> Subject:
    seen = object_subject(model, options.template, options.paths)
    if options.generation == 3:  # Keras 3 keeps its flags to itself: TensorFlow's variables below are all trainable
        return seen._replace(weights=[weight._replace(trainable=True) for weight in seen.weights])
    return seen
