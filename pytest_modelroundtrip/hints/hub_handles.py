"""Layers that keep the handle of a hub module, its path or URL, and not the module itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from ..portable import keras_libs
from ..portable.aliases import Layer, Model
from ..portable.confinement.tripwire import Access
from ..portable.formats import Format
from ..portable.models import places

HOLDING_IT = (
    "{layer} looks for its module at the handle {handle}, because custom_objects has KerasLayer. "
    "This format holds the module itself, but the loader prefers one that it finds at the handle, "
    "whatever that is. Do not pass KerasLayer in custom_objects to this format."
)
BY_HANDLE = (
    "{layer} has only the handle of its module, {handle}: this format keeps the weights, and "
    "builds the layer from the module that it finds there. saved_model, export and hub hold the "
    "module itself. {otherwise}"
)
FOLDER = "Or, if each deployment has that folder, put it into roundtrip_pythonpath."
URL = (
    'Or, if each deployment may download it, pass confinement="off", and checks=[...] without '
    "self_contained."
)


def handle_hint(
    models: Iterable[Model], fmt: Format, accesses: Sequence[Access], error: str = ""
) -> str:
    """What to do where a reload looked for the module of a layer; "" where it did not.

    Args:
        models: the originals.
        fmt: the format of the round trip.
        accesses: what the reload used or looked for.
        error: the message of what it raised.
    """
    for layer in _hub_layers(models):
        handle = layer._handle
        if isinstance(handle, str) and _is_sought(handle, accesses, error):
            text = HOLDING_IT if fmt.holds_hub_modules else BY_HANDLE
            otherwise = URL if "://" in handle else FOLDER
            name = f"The hub.KerasLayer {layer.name!r}"
            return text.format(layer=name, handle=handle, otherwise=otherwise)
    return ""


def _is_sought(handle: str, accesses: Sequence[Access], error: str) -> bool:
    # a relative path is looked for below the reload's own folder, which is no access
    is_place = "://" in handle or os.path.isabs(handle)
    is_accessed = is_place and any(handle in access.path for access in accesses)
    return is_accessed or f"{handle} does not exist" in error


def _hub_layers(models: Iterable[Model]) -> Iterator[Layer]:
    """The layers that were made of a hub module."""
    for model in models:
        if keras_libs.keras_major(model) is None:
            continue
        for place in places.places(model):
            bases = type(place.held).__mro__
            if any(base.__module__ == "tensorflow_hub.keras_layer" for base in bases):
                yield place.held
