"""Checks of one layer in this process: what Keras expects of each layer that can be saved.

`check_layer` makes all of them and raises one error with everything that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..portable import keras_libs
from ..portable.aliases import Layer
from ..portable.subject import short_message
from ..presentable import bounded, printable
from ..setting_values import unknown
from . import configs, masks, models, precision, shapes
from .case import LayerCase, LayerCheck, NotApplicableError

MAX_FAULTS = 5  # of one check that are shown

CHECKS: dict[str, LayerCheck] = {
    "config": configs.check_config,
    "json": configs.check_json,
    "build": configs.check_build,
    "shape": shapes.check_shape,
    "spec": shapes.check_spec,
    "mask": masks.check_mask,
    "sequential": models.check_sequential,
    "functional": models.check_functional,
    "nested": models.check_nested,
    "nested_twice": models.check_nested_twice,
    "batch": models.check_batch,
    "mixed_float16": precision.check_float16,
    "mixed_bfloat16": precision.check_bfloat16,
}


class LayerError(AssertionError):
    """A layer failed checks; the message has one line for each fault.

    `faults` has them by the name of the check.
    """

    def __init__(self, message: str, faults: Mapping[str, list[str]]) -> None:
        super().__init__(message)
        self.faults = dict(faults)


def check_layer(
    layer: Layer,
    /,
    *inputs: Any,
    skip: Iterable[str] = (),
    custom_objects: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> list[str]:
    """Check that a Keras layer can be saved, rebuilt, put into models and computed in 16 bits.

    Args:
        layer: of Keras 3, Keras 2 or tf-keras, with its weights; a call builds it, if need be.
        *inputs: what it is called with: tensors or arrays, or lists and dicts of them. The first
            axis of each is the batch.
        skip: names of checks that are not made, see `CHECKS`.
        custom_objects: classes and functions by name, which are not registered with Keras.
        **kwargs: more arguments of the call. `training` is False unless it is among them.

    Returns:
        The names of the checks that were made. What a layer does not have, such as
        `compute_output_shape`, is not checked.

    Raises:
        LayerError: when a check found a fault.
        TypeError: when it is not a Keras layer.
        ValueError: when `skip` has a name that is not one of a check.
    """
    __tracebackhide__ = True
    if keras_libs.keras_major(layer) is None:
        raise TypeError(f"a Keras layer is expected, not {type(layer).__name__}")
    names = _chosen(set(skip))
    try:
        case = LayerCase(layer, inputs, kwargs, custom_objects or {})
    except Exception as error:
        raise _failure(layer, {"call": [_raised(error)]}, 1) from None
    found = {name: _faults(CHECKS[name], case) for name in names}
    made = {name: faults for name, faults in found.items() if faults is not None}
    if any(made.values()):
        raise _failure(layer, {name: faults for name, faults in made.items() if faults}, len(made))
    return list(made)


def _chosen(skip: set[str]) -> list[str]:
    """The names of the checks to make."""
    for name in skip:
        if name not in CHECKS:
            raise ValueError(unknown("check", name, CHECKS))
    return [name for name in CHECKS if name not in skip]


def _faults(check: LayerCheck, case: LayerCase) -> list[str] | None:
    """What a check found; None where it does not apply to the layer."""
    found: list[str] = []
    try:
        with case.scope():
            found.extend(check(case))
    except NotApplicableError:
        return None
    except Exception as error:  # of the layer, or of Keras with it
        found.append(_raised(error))
    return found


def _raised(error: Exception) -> str:
    """The message without Keras' colours and its list of the call's arguments."""
    text = re.sub(r"\x1b\[\d*m", "", short_message(error))
    text = re.split(r"\n*(?:Call a|A)rguments received by", text)[0]
    return f"raised {type(error).__name__}: {text}"


def _failure(layer: Layer, faults: Mapping[str, list[str]], made: int) -> LayerError:
    what = f"{type(layer).__name__} {layer.name!r} fails {len(faults)} of {made} checks of a layer"
    head = printable(f"{what} ({keras_libs.name_and_version(layer)}):")
    return LayerError("\n".join([head, *_lines(faults)]), faults)


def _lines(faults: Mapping[str, list[str]]) -> Iterator[str]:
    for name, found in faults.items():
        for fault in found[:MAX_FAULTS]:
            yield f"  {name}: {bounded(printable(fault), 600)}"
        if len(found) > MAX_FAULTS:
            yield f"  {name}: {len(found) - MAX_FAULTS} more"
