"""What the formats that keep weights only have in common.

The model is rebuilt, from a factory or from its config, and its weights are overwritten before
they are loaded: a weight that the loader skips is then detected.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import List, NamedTuple, Optional

from .. import keras_libs
from ..aliases import Json, Layer, Model, Nest
from ..models import calling, creation
from ..models.layer_alone import in_a_model
from ..protocol import Batch, Interpreter
from . import WEIGHTS, Format, LoadOptions, other_keras

ARCHITECTURE_FILE = "architecture.json"


class RebuiltFormat(Format):
    """Weights alone, loaded into a model that is rebuilt."""

    keeps = WEIGHTS

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
        """Why that interpreter cannot load a model of that major version of Keras, or None."""
        return other_keras(keras_major, interpreter)

    def needs_factory(self, model: Model) -> Optional[str]:
        """Why only a factory can rebuild this model, or None where its config can."""
        if _architecture_of(model) is None:
            return (
                "only weights are kept, and the model has no config that this Keras can build it "
                'from: pass factory="module:function"'
            )
        return None


class _Architecture(NamedTuple):
    """What rebuilds a model where there is no factory."""

    model: Json  # its config
    optimizer_built: bool
    optimizer: Json = None  # its config, None where there is no optimizer


def save_architecture(model: Model, folder: str) -> None:
    """Write the config of the model and of its optimizer beside its weights, where it has one."""
    architecture = _architecture_of(model)
    if architecture is not None:
        with open(os.path.join(folder, ARCHITECTURE_FILE), "w") as out:
            json.dump(architecture._asdict(), out)


def _architecture_of(model: Model) -> Optional[_Architecture]:
    if not keras_libs.is_model(model):
        return None
    try:
        config = json.loads(json.dumps(_config(model)))
        return _Architecture(config, _is_optimizer_built(model), _optimizer_config(model))
    except Exception:  # a subclass without get_config, or whose code raises
        return None


def _config(model: Model) -> Json:
    """What rebuilds it; Keras 2 builds a subclass from what `.keras` holds, not from its JSON."""
    if keras_libs.keras_major(model) == 2 and not keras_libs.is_graph(model):
        keras = keras_libs.own_keras(model)
        if getattr(model.get_config, "_is_default", False):
            keras.layers.Layer.get_config(model)  # raises where its constructor takes arguments
        return keras.saving.serialize_keras_object(model)  # since 2.13
    return json.loads(model.to_json())


def _optimizer_config(model: Model) -> Json:
    """The config of the model's optimizer; None where it has none."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return None
    serialized = keras_libs.own_keras(model).optimizers.serialize(optimizer)
    return json.loads(json.dumps(serialized, default=float))


def _is_optimizer_built(model: Model) -> bool:
    """Whether the optimizer has slots for the weights: at least a variable for each."""
    held = getattr(getattr(model, "optimizer", None), "variables", ())
    return len(held() if callable(held) else held) > len(model.trainable_variables)


def rebuilt(folder: str, options: LoadOptions, optimizer: bool = False) -> Model:
    """A fresh model from the factory, else from its config; what a loader skips shows.

    Args:
        folder: where `save_architecture` wrote.
        options: of the reload.
        optimizer: whether the format keeps the optimizer's state; then that is built too.
    """

    def build() -> List[Model]:
        if options.factory:
            model = part_of(options.factory(), options.part)
        else:
            model = _from_architecture(folder, options, optimizer)
        return [with_variables(model, options)]

    return creation.built(build)[0]


def part_of(built: Nest, part: str) -> Model:
    """The part of that name in what a factory built.

    Args:
        built: a dict, or an object that has the parts as attributes; for a single model the model,
            or a tuple that begins with it: a factory may be the function that the test returns
            from.
        part: its name, "" for a single model.

    Raises:
        KeyError, AttributeError: where it has no such part.
    """
    if part:
        return built[part] if isinstance(built, dict) else getattr(built, part)
    return built[0] if isinstance(built, tuple) else built


def with_variables(model: Model, options: LoadOptions) -> Model:
    """The model, called once where its variables are not made yet; a layer is put into a model."""
    if keras_libs.keras_major(model) is not None and not keras_libs.is_model(model):
        model = _around(model, options.batches[0])
    is_built = keras_libs.keras_major(model) is not None and model.built and model.weights
    if not is_built:
        batch = options.batches[0]
        calling.caller(model)(batch.args, batch.kwargs)
    return model


def _around(layer: Layer, batch: Batch) -> Model:
    """A model of that layer, as it was made of the original."""
    (first, *others) = batch.args
    if isinstance(first, list) and not others:
        with contextlib.suppress(TypeError, ValueError):  # the layer takes one list
            return in_a_model(layer, batch.args, batch.kwargs)
        return in_a_model(layer, first, batch.kwargs)
    return in_a_model(layer, batch.args, batch.kwargs)


def _from_architecture(folder: str, options: LoadOptions, optimizer: bool) -> Model:
    with open(os.path.join(folder, ARCHITECTURE_FILE)) as source:
        architecture = _Architecture(**json.load(source))
    keras = keras_libs.keras(options.keras_major or 3)
    custom_objects = dict(options.custom_objects)
    if _is_of_keras_file(architecture.model):
        deserialize = keras.saving.deserialize_keras_object
        model = deserialize(architecture.model, custom_objects, safe_mode=options.safe_mode)
    else:
        text = json.dumps(architecture.model)
        model = keras.models.model_from_json(text, custom_objects=custom_objects)
    if optimizer and architecture.optimizer is not None:
        if getattr(model, "optimizer", None) is None:
            deserialize = keras.optimizers.deserialize
            model.compile(deserialize(architecture.optimizer, custom_objects=custom_objects))
        _match_optimizer(model, architecture.optimizer_built)
    return model


def _is_of_keras_file(config: Json) -> bool:
    """Whether it is written as in a `.keras` file; in Keras 2, JSON is another form."""
    return "registered_name" in config


def _match_optimizer(model: Model, built: bool) -> None:
    """Make the optimizer's slots where the saved model had them, and only there."""
    if not built and _is_optimizer_built(model):  # Keras built it at once
        model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    if built and not _is_optimizer_built(model):
        build = getattr(model.optimizer, "build", None)
        build = build or model.optimizer._create_all_weights  # before TensorFlow 2.11
        build(model.trainable_variables)
