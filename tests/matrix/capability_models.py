"""One model of each kind; the functions are factories, too, for formats that keep weights only."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from matrix_models import convolutional, dense, sentence_encoder, text_classifier

__all__ = [
    "convolutional",
    "dense",
    "masked_lstm",
    "mixed_precision",
    "sentence_encoder",
    "several_inputs",
    "subclassed",
    "text_classifier",
]

Model = Any  # of Keras or TensorFlow, which are not typed here
Tensor = Any

keras, layers = tf.keras, tf.keras.layers
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
