"""Augmentation layers of Keras 3, which may draw random numbers once a model is traced."""

from __future__ import annotations

from .model import ReferenceModel
from .portable import calling, keras_libs, places, variables
from .portable.aliases import Layer, Plain
from .portable.comparing import Tolerance
from .portable.comparing.nests import compare_nests
from .portable.tensors import to_numpy


def random_in_a_graph(part: ReferenceModel) -> list[str]:
    """The augmentation layers of a model that differs from itself once it is traced.

    Keras 3.15 does not pass `training=False` on to them in a graph. Called eagerly, as the
    original is, the same model is deterministic.
    """
    if part.keras_major != 3 or keras_libs.backend(part.model) != "tensorflow":
        return []
    layers = [place.path for place in places.places(part.model) if _augments(place.held)]
    if not layers:
        return []
    try:
        first, second = _two_calls_in_a_graph(part)
    except Exception:  # what cannot be traced with these inputs says nothing
        return []
    return layers if compare_nests("", first, second, Tolerance()).differences else []


def _augments(layer: Layer) -> bool:
    """Whether it is a preprocessing layer of Keras that draws random numbers."""
    is_preprocessing = any(cls.__name__ == "DataLayer" for cls in type(layer).__mro__)
    return is_preprocessing and any(
        type(value).__name__ == "SeedGenerator" for value in vars(layer).values()
    )


def _two_calls_in_a_graph(part: ReferenceModel) -> tuple[Plain, Plain]:
    import tensorflow as tf

    batch = part.batches[0]
    args, kwargs = calling.to_tensorflow(batch.args), calling.to_tensorflow(batch.kwargs)
    traced = tf.function(lambda: part.model(*args, **kwargs))
    snapshot = variables.StateSnapshot(variables.state_of(part.model))
    try:
        return to_numpy(traced()), to_numpy(traced())
    finally:
        snapshot.restore()
