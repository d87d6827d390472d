"""Targets for a training step, made from the shape of a model's outputs."""

from __future__ import annotations

import numpy as np

from .. import keras_libs, tensors
from ..aliases import Array, Model, Nest, Plain
from ..models import compiling


def targets(model: Model, outputs: Plain) -> Plain:
    """Targets in the shape of the outputs, such as the loss of each output takes."""
    given = getattr(model, "loss", None)
    losses = compiling.all_named(given, keras_libs.own_keras(model).losses.get)
    if isinstance(outputs, (dict, list)) and losses and isinstance(losses, dict):
        pairs = outputs.items() if isinstance(outputs, dict) else enumerate(outputs)
        made = {key: _targets_for(losses.get(str(key)), output) for key, output in pairs}
        return made if isinstance(outputs, dict) else list(made.values())
    return _targets_for(losses, outputs)


def _targets_for(loss: Nest, outputs: Plain) -> Plain:
    name = loss.name if isinstance(loss, compiling.Named) else ""
    return tensors.map_leaves(lambda output: _target(name, output), outputs)


def _target(loss: str, output: Array) -> Array:
    if "sparse" in loss:
        return np.reshape(_labels(output), output.shape[:-1]).astype("int32")
    if "categorical" in loss:
        one_hot = np.eye(output.shape[-1], dtype=output.dtype)
        return np.reshape(one_hot[_labels(output)], output.shape)
    is_binary = "binary" in loss or "hinge" in loss
    ramp = np.arange(output.size) % 2 if is_binary else (np.arange(output.size) % 5) / 10
    return np.reshape(ramp, output.shape).astype(output.dtype)


def _labels(output: Array) -> Array:
    return np.asarray(np.arange(int(np.prod(output.shape[:-1]))) % output.shape[-1])
