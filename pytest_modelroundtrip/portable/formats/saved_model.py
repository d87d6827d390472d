"""The format `saved_model`."""

from __future__ import annotations

from typing import ClassVar, Optional, Tuple

from .. import keras_libs
from ..aliases import Model
from ..subject import Subject, object_subject
from . import SERVED, LoadOptions
from ._folder_alone import FolderAloneFormat


class SavedModelFormat(FolderAloneFormat):
    """A SavedModel: `tf.saved_model.save`, reloaded with `tf.saved_model.load`."""

    name = "saved_model"
    keeps = SERVED
    needs: ClassVar[Tuple[str, ...]] = ("tensorflow",)
    calls_as_traced = True
    holds_hub_modules = True

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if keras_libs.backend(model) != "tensorflow":
            return "tf.saved_model.save can save only TensorFlow models"
        return None

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        import tensorflow as tf

        # those of a reloaded SavedModel or hub module are not kept otherwise
        signatures = getattr(model, "signatures", None)
        if signatures:
            tf.saved_model.save(model, folder, signatures=dict(signatures))
        else:
            tf.saved_model.save(model, folder)

    def opened(self, folder: str) -> Model:
        """The live model from that folder."""
        import tensorflow as tf

        return tf.saved_model.load(folder)

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """The model by the paths of TensorFlow's object graph."""
        subject = object_subject(model, options.structure, options.weight_paths)
        if options.keras_major == 3:
            # Keras 3 keeps its flags to itself: TensorFlow's variables below are all trainable
            trainable = [weight._replace(trainable=True) for weight in subject.weights]
            return subject._replace(weights=trainable)
        return subject
