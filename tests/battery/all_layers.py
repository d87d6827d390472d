"""Every layer of `keras.layers` through `check_layer`: `tox -e battery-tf221`, and others.

What is known to fail is in `KNOWN`, with the reason and the versions of Keras; each was seen
without this plugin too. All else must pass, and what is known must fail. Elsewhere than in the
versions that were looked at, nothing is expected to fail.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import tensorflow as tf
from layer_cases import CASES, NOT_TRIED

from pytest_modelroundtrip import LayerError, check_layer
from pytest_modelroundtrip.portable import keras_libs

LAYERS = tf.keras.layers
KERAS = keras_libs.name_and_version(LAYERS.Layer())  # "Keras 3.15.1"
IN_MODELS = {"sequential", "functional", "nested", "nested_twice"}
IN_16_BITS = {"mixed_float16", "mixed_bfloat16"}
KERAS_2, KERAS_3 = r"Keras 2\.15|tf-keras 2\.21", r"Keras 3\.15"
NEEDS = {"STFTSpectrogram": "scipy"}


class Known(NamedTuple):
    """The checks of a layer that are known to fail, where and why."""

    layer: str
    versions: str  # a regular expression of library and version
    checks: set[str]
    reason: str


KNOWN = [
    Known("CategoryEncoding", KERAS_3, IN_16_BITS,
          "under a mixed policy it returns float32, and compute_output_spec returns float16"),
    Known("CategoryEncoding", KERAS_2, IN_16_BITS,
          "under a mixed policy it cannot be called: DenseBincount has no 16 bits"),
    Known("Equalization", KERAS_3, {*IN_MODELS, "batch"},
          "compute_output_spec returns its input, so a functional model has a cycle"),
    Known("GroupNormalization", KERAS_2, {"mask"},
          "the mask of a sequence, [batch, steps], cannot be broadcast to the input"),
    Known("HashedCrossing", KERAS_2, {"shape"},
          "compute_output_shape raises a TypeError: it calls a function with too few arguments"),
    Known("MultiHeadAttention", KERAS_2, {"build"},
          "it has no build: its weights are made by the first call"),
    Known("RandomCrop", KERAS_3, {"shape", "spec", "batch", *IN_16_BITS},
          "with training=False it returns its input, neither cropped nor cast"),
    Known("Softmax", f"{KERAS_2}|{KERAS_3}", {"mask"},
          "the mask of a sequence, [batch, steps], cannot be broadcast to the input"),
    Known("STFTSpectrogram", KERAS_3, {"mixed_bfloat16"},
          "under mixed_bfloat16 it cannot be called: its transform has no bfloat16"),
    Known("SpectralNormalization", KERAS_2, {*IN_MODELS, "json"},
          "layers.deserialize returns the name of the class, a string, so no model loads"),
]  # fmt: skip


def names() -> Iterator[str]:
    """The layers of this Keras; another name of the same class is not one."""
    for name, found in sorted(vars(LAYERS).items()):
        is_layer = inspect.isclass(found) and issubclass(found, LAYERS.Layer)
        if is_layer and found.__name__ == name:
            yield name


def known_of(name: str) -> Known:
    """What is known to fail of a layer here; nothing, if nothing is."""
    known = [each for each in KNOWN if each.layer == name and re.match(each.versions, KERAS)]
    return known[0] if known else Known(name, "", set(), "")


def test_each_layer_is_in_the_table() -> None:
    assert set(names()) - set(CASES) - set(NOT_TRIED) == set()


@pytest.mark.parametrize("name", [name for name in names() if name in CASES])
def test_layer(name: str) -> None:
    if name in NEEDS and not importlib.util.find_spec(NEEDS[name]):
        pytest.skip(f"needs {NEEDS[name]}")
    case, known = CASES[name], known_of(name)
    faults: dict[str, list[str]] = {}
    try:
        check_layer(case.make(LAYERS), *case.args)
    except LayerError as error:
        faults = error.faults
        if set(faults) != known.checks:
            raise
    assert set(faults) == known.checks, "what is known to fail passes"
    if faults:
        pytest.xfail(f"{KERAS}, {', '.join(faults)}: {known.reason}")
