"""What the formats that keep weights only have in common: the model is built anew, and its weights are spoilt before they load."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

from .. import calling, library, variables
from . import WEIGHTS, Options

PROMISES = WEIGHTS
ARCHITECTURE = "architecture.json"


def needs_factory(model: Any) -> Optional[str]:
    """The reason why only a factory can build the model anew, or None where its config can."""
    if _architecture(model) is None:
        return 'only weights are kept, and the model has no config to build it from: say how with factory="module:function"'
    return None


def save_architecture(model: Any, folder: str) -> None:
    """Write the config of the model and of its optimizer beside its weights, where it has one: what `factory` need not tell."""
    architecture = _architecture(model)
    if architecture is not None:
        with open(os.path.join(folder, ARCHITECTURE), "w") as out:
            json.dump(architecture, out)


def _architecture(model: Any) -> Optional[Dict[str, Any]]:
    if not library.is_model(model) or (library.generation(model) == 2 and not library.is_graph(model)):
        return None  # Keras 2 cannot build a subclass from its JSON
    try:
        architecture = {"model": json.loads(model.to_json()), "optimizer_built": _optimizer_built(model)}
        if getattr(model, "optimizer", None) is not None:
            architecture["optimizer"] = json.loads(json.dumps(_optimizers(model).serialize(model.optimizer), default=float))
    except (NotImplementedError, TypeError, ValueError):
        return None  # a subclass without get_config
    return architecture


def _optimizers(model: Any) -> Any:
    return library.own_keras(model).optimizers


def _optimizer_built(model: Any) -> bool:
    """Whether the optimizer has slots for the weights: at least a variable for each."""
    found = getattr(getattr(model, "optimizer", None), "variables", ())
    return len(found() if callable(found) else found) > len(model.trainable_variables)


def rebuilt(folder: str, options: Options, optimizer: bool = False) -> Any:
    """A fresh model from the factory, else from its config; built, every weight of it overwritten.

    Its `optimizer` is built too where the format keeps its state.
    """
    model = part_of(options.factory(), options.part) if options.factory else _from_architecture(folder, options, optimizer)
    return overwritten(model, options)


def part_of(built: Any, part: str) -> Any:
    """The part of that name in what a factory built: a dict, or an object that has the parts as attributes.

    Raises:
        KeyError, AttributeError: where it has no such part.
    """
    if part:
        return built[part] if isinstance(built, dict) else getattr(built, part)
    return built[0] if isinstance(built, tuple) else built  # a factory may be the very function that the test returns from


def overwritten(model: Any, options: Options) -> Any:
    """The model with all its weights there, each with a value of no use."""
    if library.generation(model) is None or not model.built or not model.weights:
        batch = options.batches[0]
        calling.caller(model)(batch.args, batch.kwargs)
    variables.overwrite(model)
    return model


def _from_architecture(folder: str, options: Options, optimizer: bool) -> Any:
    path = os.path.join(folder, ARCHITECTURE)
    with open(path) as source:
        architecture = json.load(source)
    keras = library.keras(options.generation or 3)
    model = keras.models.model_from_json(json.dumps(architecture["model"]), custom_objects=options.custom_objects)
    if optimizer and "optimizer" in architecture:
        if getattr(model, "optimizer", None) is None:
            model.compile(keras.optimizers.deserialize(architecture["optimizer"], custom_objects=options.custom_objects))
        if not architecture["optimizer_built"] and _optimizer_built(model):  # built at once; the saved one has no slots
            model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        if architecture["optimizer_built"] and not _optimizer_built(model):
            build = getattr(model.optimizer, "build", None) or model.optimizer._create_all_weights  # before TensorFlow 2.11
            build(model.trainable_variables)
    return model
