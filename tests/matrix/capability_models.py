"""One model of each kind, what it is called with, and how it is trained.

The functions that make models are factories, too, for formats that keep weights only.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf
from matrix_models import convolutional, dense, sentence_encoder, text_classifier

__all__ = ["convolutional", "dense", "sentence_encoder", "text_classifier"]  # from here, too

Model = Any  # of Keras or TensorFlow, which are not typed here
Tensor = Any

keras, layers = tf.keras, tf.keras.layers
numbers = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    """Normally distributed numbers."""
    return numbers.normal(size=shape).astype("float32")


INPUTS = {
    "dense": floats(3, 4),
    "convolutional": floats(2, 8, 8, 3),
    "masked_lstm": np.array([[3, 1, 4, 0, 0, 0], [1, 5, 9, 2, 6, 0]], dtype="int32"),
    "text": np.array([["a small red fox"], ["no bird sees the small fox"]]),
    "several_inputs": {"left": floats(3, 4), "right": floats(3, 3)},
    "mixed_precision": floats(3, 4),
    "subclassed": floats(3, 4),
    "module": ["a small red fox", "no bird sees the small fox"],
}
KerasModel: Any = keras.Model
try:
    register = keras.saving.register_keras_serializable(package="capabilities")
except AttributeError:  # TensorFlow before 2.12
    register = keras.utils.register_keras_serializable(package="capabilities")


def masked_lstm() -> Model:
    """An LSTM that uses the mask of its embedding: token 0 is no step."""
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    embedded = layers.Embedding(20, 8, mask_zero=True, name="embedding")(tokens)
    return keras.Model(tokens, layers.Dense(2)(layers.LSTM(4, name="reader")(embedded)))


def several_inputs() -> Model:
    """Two inputs by name, two outputs by name."""
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    joined = layers.Concatenate()([layers.Dense(5)(left), right])
    outputs = {"score": layers.Dense(1)(joined), "code": layers.Dense(2)(joined)}
    return keras.Model({"left": left, "right": right}, outputs)


def mixed_precision() -> Model:
    """It computes in bfloat16, with weights in float32, and returns float32."""
    image = keras.Input((4,))
    hidden = layers.Dense(8, activation="relu", dtype="mixed_bfloat16")(image)
    return keras.Model(image, layers.Dense(2, dtype="float32")(hidden))


@register
class Subclassed(KerasModel):  # type: ignore[misc]
    """A class of its own with a config."""

    def __init__(self, units: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.inner, self.norm = layers.Dense(units), layers.BatchNormalization()

    def build(self, input_shape: Any) -> None:
        """Build the layers inside: Keras 3 asks for it."""
        self.inner.build(input_shape)
        self.norm.build((*input_shape[:-1], self.units))
        self.built = True

    def call(self, x: Tensor, training: bool = False) -> dict[str, Tensor]:
        """float32 [batch, units] for float32 [batch, 4]."""
        return {"scores": self.norm(self.inner(x), training=training)}

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"units": self.units, "name": self.name}


def subclassed() -> Model:
    """The class, called once: Keras 2 then knows its inputs."""
    model = Subclassed()
    model(tf.ones((3, 4)))
    return model


def compiled(model: Model) -> Model:
    """The model with an optimizer. It trains without a graph, which takes longer than its steps."""
    model.compile(keras.optimizers.Adam(0.01), loss="mse", run_eagerly=True)
    return model


def _factory(build: Callable[[], Model]) -> Callable[[], Model]:
    return lambda: compiled(build())


def _training(kind: str) -> Callable[..., Any]:
    def train(
        model: Model, callbacks: Any = (), initial_epoch: int = 0, folder: str = "", steps: int = 0
    ) -> Any:
        x = tf.nest.map_structure(tf.constant, INPUTS[kind])
        targets = tf.nest.map_structure(lambda output: np.zeros(output.shape), model(x))
        if folder:
            return _in_steps(model, lambda: _step(model, x, targets), folder, steps)
        own = {"epochs": 2, "initial_epoch": initial_epoch, "callbacks": callbacks}
        return model.fit(x, targets, shuffle=False, verbose=0, **own)

    return train


def _step(model: Model, x: Any, targets: Any) -> None:
    if hasattr(model, "optimizer"):
        model.train_on_batch(x, targets)
    else:
        for variable in model.trainable_variables:
            variable.assign(0.5 * variable)


def _in_steps(model: Model, train_step: Callable[[], None], folder: str, steps: int) -> Any:
    """A training that saves itself."""
    step = tf.Variable(0)
    own = {"optimizer": model.optimizer} if hasattr(model, "optimizer") else {}
    checkpoint = tf.train.Checkpoint(model=model, step=step, **own)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=1)
    checkpoint.restore(manager.latest_checkpoint)
    while step < steps:
        train_step()
        step.assign_add(1)
    manager.save()
    return checkpoint


train = SimpleNamespace(**{kind: _training(kind) for kind in INPUTS})  # "...:train.dense"
# "...:factories.dense": those that return a compiled model; a vocabulary is in no backup
factories = SimpleNamespace(
    dense=_factory(dense),
    convolutional=_factory(convolutional),
    masked_lstm=_factory(masked_lstm),
    text=_factory(text_classifier),
    several_inputs=_factory(several_inputs),
    mixed_precision=_factory(mixed_precision),
    subclassed=_factory(subclassed),
    module=sentence_encoder,
)
