"""The format `hub`."""

from __future__ import annotations

import importlib.util
from typing import Optional

from .. import keras_libs
from ..aliases import Model
from ..models import calling
from ..subject import Subject
from . import LoadOptions
from .saved_model import SavedModelFormat


class HubFormat(SavedModelFormat):
    """A hub module: a SavedModel in a folder, reloaded with `hub.load`.

    Where it fits, it is called through `hub.KerasLayer` too.
    """

    name = "hub"
    needs = ("tensorflow", "tensorflow_hub")

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if importlib.util.find_spec("tensorflow_hub") is None:
            return "tensorflow-hub is not installed"
        return super().unsupported(model)

    def opened(self, folder: str) -> Model:
        """The live model from that folder."""
        import tensorflow_hub as hub

        return hub.load(folder)

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """As of a SavedModel; a reusable one of one input is called as a Keras layer too."""
        subject = super().subject(model, options)
        one_input = all(
            len(batch.args) == 1 and batch.kwargs in ({}, {"training": False})
            for batch in options.batches
        )
        if not one_input or not _is_reusable(model):
            return subject
        import tensorflow_hub as hub

        # as a layer it would cast inputs of every floating dtype to float32
        layer = hub.KerasLayer(model, autocast=False)
        call = calling.NumpyCall(model, lambda args, _kwargs: layer(args[0]))
        return subject._replace(calls={**subject.calls, "hub.KerasLayer": call})


def _is_reusable(model: Model) -> bool:
    """Whether it is a restored SavedModel that a layer can take.

    That is one which is callable, and whose `variables` are nothing but variables.
    """
    is_restored = keras_libs.keras_major(model) is None and hasattr(model, "signatures")
    if not is_restored or not callable(model):
        return False
    return all(hasattr(variable, "assign") for variable in getattr(model, "variables", ()))
