"""The format `tfsm_layer`."""

from __future__ import annotations

import inspect
from typing import ClassVar, List, Optional

from .. import keras_libs
from ..aliases import Layer, Model
from ..models import calling, variables
from ..models.model_weights import Weight, numbered_weights
from ..models.randomness import is_seed
from ..protocol import Batch
from ..subject import Subject
from . import LoadOptions
from ._keras3 import Keras3Format
from .export import ExportFormat

ENDPOINT = "serve"  # which `model.export` makes


class TfsmLayerFormat(Keras3Format, ExportFormat):
    """A SavedModel for serving, as a layer: `model.export(folder)`, then `TFSMLayer(folder)`."""

    name = "tfsm_layer"
    on_request: ClassVar[bool] = True
    since = (3, 0)

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model)
        if reason is None and keras_libs.backend(model) != "tensorflow":
            return "TFSMLayer is for the backend TensorFlow only"
        if reason is None and len(_required(model)) > 1:
            names = ", ".join(_required(model))
            return f"TFSMLayer passes one argument; the model's call takes {names}"
        return reason

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        super().save(_artifact(model) or model, folder)

    def opened(self, folder: str) -> Layer:
        """The live layer from that folder."""
        return keras_libs.keras(3).layers.TFSMLayer(folder, call_endpoint=ENDPOINT)

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """The weights that a layer has, by the positions that the SavedModel keeps.

        Those are what its function uses: not the states of seed generators, nor the statistics of
        a `Normalization`, which are constants in it.
        """
        artifact = _artifact(model)
        if artifact is None:  # the original
            subject = super().subject(model, options)
            return subject._replace(weights=_used(subject, options.batches[0]))
        # it has no training mode: the layer would ignore that argument
        call = calling.endpoint(artifact, ENDPOINT, model)
        return Subject(artifact, {"": call}, _weights(model, artifact))


def _artifact(model: Model) -> Optional[Model]:
    """The SavedModel that a `TFSMLayer` holds; None for anything else."""
    return getattr(model, "_reloaded_obj", None)


def _used(subject: Subject, batch: Batch) -> List[Weight]:
    """The weights that a call of the model uses."""
    graph = subject.calls[""].graph(batch.args, batch.kwargs)
    held = [weight for weight in subject.weights if not is_seed(weight.variable)]
    if graph is None:
        return held
    used = {variables.identity(variable) for variable in graph.variables}
    return [weight for weight in held if variables.identity(weight.variable) in used]


def _weights(layer: Layer, artifact: Model) -> List[Weight]:
    held = {variables.identity(weight): weight.trainable for weight in layer.weights}
    return [
        weight._replace(trainable=held[variables.identity(weight.variable)])
        for weight in numbered_weights(artifact)
        if variables.identity(weight.variable) in held
    ]


def _required(model: Model) -> List[str]:
    """The names of the arguments that the model's call needs."""
    return [
        name
        for name, parameter in inspect.signature(model.call).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
