"""Augmentation layers of Keras 3, which are random wherever `training=False` is not passed."""

from __future__ import annotations

from ..portable.aliases import Layer
from ..portable.comparing import Tolerance
from ..portable.comparing.nests import compare_nests
from ..portable.models import calling, places, variables
from ..reference.model import ReferenceModel

DRAWS = 10  # two draws may well have one effect: each image is flipped, or made black


def random_where_served(part: ReferenceModel) -> list[str]:
    """The augmentation layers of a model that differs from itself when `training` is not passed.

    So `export` of Keras 3.15 calls it, and so a server does. The original was called with
    `training=False`, in which it is deterministic.
    """
    if part.keras_major != 3:
        return []
    layers = [place.path for place in places.places(part.model) if _augments(place.held)]
    return layers if layers and _differs_from_itself(part) else []


def _augments(layer: Layer) -> bool:
    """Whether it is a preprocessing layer of Keras that draws random numbers."""
    is_preprocessing = any(cls.__name__ == "DataLayer" for cls in type(layer).__mro__)
    return is_preprocessing and any(
        type(value).__name__ == "SeedGenerator" for value in vars(layer).values()
    )


def _differs_from_itself(part: ReferenceModel) -> bool:
    call, _ = calling.callers(part.model)
    batch = part.calls.batches[0]
    kwargs = {name: value for name, value in batch.kwargs.items() if name != "training"}
    snapshot = variables.StateSnapshot(variables.state_of(part.model))
    try:
        first = call(batch.args, kwargs)
        return any(
            compare_nests("", first, call(batch.args, kwargs), Tolerance()).differences
            for _ in range(DRAWS - 1)
        )
    except Exception:  # what cannot be called so says nothing
        return False
    finally:
        snapshot.restore()
