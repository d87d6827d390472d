"""Lets a process do once, with a tiny model of ours, what takes long when it is done first.

That is the start of TensorFlow's runtime, the first trace of a function, the first use of each
operation. It leaves no trace that a reload could see: Keras counts no name and draws no seed.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import Optional, Sequence

import numpy as np

from .. import checks, keras_libs
from ..aliases import Model, Module
from ..protocol import Batch
from ..subject import GIVEN, RESIZED, TRAINING, keras_subject

CHECKS = tuple(name for name in checks.NAMES if name not in ("self_contained", "training"))
# what most models are called with: one graph for inference, one for training
BATCHES = (
    Batch(GIVEN, [np.ones((2, 1), np.float32)], {"training": False}),
    Batch(RESIZED, [np.ones((1, 1), np.float32)], {"training": False}),
    Batch(TRAINING, [np.ones((2, 1), np.float32)], {"training": True}),
)


def warm_up(keras_majors: Sequence[Optional[int]]) -> None:
    """Make the quick checks of a tiny model.

    Args:
        keras_majors: of the models that are reloaded; for others, any Keras that was imported.
            None of them: no Keras is used, and nothing is done.
    """
    majors = [major for major in keras_majors if major is not None]
    imported = sys.modules.get("keras") or sys.modules.get("tf_keras")
    keras = keras_libs.keras(majors[0]) if majors else imported
    if keras_majors and keras is not None:
        with contextlib.suppress(Exception):  # then it stays cold
            checks.observe(keras_subject(_tiny(keras))._replace(batches=BATCHES), CHECKS)
    gc.freeze()  # else Python looks through all modules, most of which this process shares


def _tiny(keras: Module) -> Model:
    """A model in which everything has a name and a seed."""
    initializer = keras.initializers.GlorotUniform(seed=1)
    layers = [
        keras.Input((1,), name="warm_up_input"),
        keras.layers.Dense(
            2, activation="relu", kernel_initializer=initializer, name="warm_up_dense"
        ),
    ]
    model = keras.Sequential(layers, name="warm_up")
    model.compile(
        optimizer=keras.optimizers.Adam(name="warm_up_adam"),
        loss=keras.losses.MeanSquaredError(name="warm_up_loss"),
    )
    return model
