"""The models that are measured. All weights are random: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers

Model = Any  # of Keras or TensorFlow, which are not typed here
Array = Any
Made = tuple[Model, list[Any]]  # a model and the arguments that it is called with

FORMATS = ("keras", "h5", "weights", "saved_model", "export", "checkpoint", "hub")  # of Keras 3
WORDS = ["a", "small", "red", "fox", "sees", "the", "bird"]
NOT_KERAS = ("keras", "h5", "weights", "export", "checkpoint")  # what a `tf.Module` cannot do alone


def x(*shape: int) -> Array:
    """float32 inputs: a batch of two."""
    return np.random.default_rng(1).standard_normal((2, *shape)).astype("float32")


def tokens(length: int = 12, count: int = 50) -> Array:
    """int32 inputs [2, length], each below `count`, with zeros at the end."""
    found = np.random.default_rng(1).integers(1, count, (2, length)).astype("int32")
    found[:, length // 2 :] = 0
    return found


def sequential(inputs: Array, *stack: Any) -> Made:
    """Layers one after another."""
    symbol = keras.Input(inputs.shape[1:], dtype=str(inputs.dtype))
    return keras.Sequential([symbol, *stack]), [inputs]


def functional(inputs: Sequence[Array], connect: Callable[..., Any]) -> Made:
    """A model of one or several inputs."""
    symbols = [
        keras.Input(array.shape[1:], dtype=str(array.dtype), name=f"input_{number}")
        for number, array in enumerate(inputs)
    ]
    if len(inputs) > 1:  # Keras takes them as one list
        return keras.Model(symbols, connect(*symbols)), [[*inputs]]
    return keras.Model(symbols[0], connect(*symbols)), [*inputs]


def compiled(make: Callable[[], Made], optimizer: str) -> Made:
    """The same, to be trained."""
    model, arguments = make()
    model.compile(optimizer, keras.losses.MeanSquaredError(), jit_compile=False)
    return model, arguments


# large ones


def image_net(name: str) -> Made:
    """An application of Keras for images of 224 x 224 pixels."""
    return getattr(keras.applications, name)(weights=None), [x(224, 224, 3)]


def text() -> Made:
    """Words as numbers, with a mask, into an LSTM."""
    embedding = layers.Embedding(5000, 64, mask_zero=True)
    return sequential(tokens(40, 5000), embedding, layers.LSTM(64), layers.Dense(2))


def one_layer(width: int) -> Made:
    """A dense layer; its kernel has 4 * width**2 bytes."""
    return sequential(x(width), layers.Dense(width))


# small ones


def dense(width: int = 8, activation: str = "tanh") -> Made:
    """Two dense layers."""
    return sequential(x(4), layers.Dense(width, activation=activation), layers.Dense(3))


def deep() -> Made:
    """Ten layers."""
    return sequential(x(4), *(layers.Dense(8, activation="relu") for _ in range(10)))


def normalized() -> Made:
    """Normalizations, and what does nothing in inference."""
    return sequential(
        x(6),
        layers.Dense(8),
        layers.BatchNormalization(),
        layers.Dropout(0.5),
        layers.LayerNormalization(),
        layers.Dense(2),
    )


def convolutional(layer: Any) -> Made:
    """A convolution between two others."""
    return sequential(
        x(8, 8, 3),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layer,
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(5),
    )


def residual() -> Made:
    """A convolution with a short cut."""

    def connect(image: Any) -> Any:
        first = layers.Conv2D(4, 3, padding="same")(image)
        second = layers.Conv2D(4, 3, padding="same")(layers.ReLU()(first))
        return layers.GlobalAveragePooling2D()(layers.Add()([first, second]))

    return functional([x(8, 8, 3)], connect)


def recurrent(*stack: Any) -> Made:
    """Layers over a sequence."""
    return sequential(x(6, 4), *stack, layers.Dense(2))


def attention() -> Made:
    """Self-attention with its residual and its normalization."""

    def connect(numbers: Any) -> Any:
        embedded = layers.Embedding(50, 8)(numbers)
        attended = layers.MultiHeadAttention(2, 4)(embedded, embedded)
        return layers.LayerNormalization()(layers.Add()([embedded, attended]))

    return functional([tokens(6)], connect)


def joined(first: Any, second: Any) -> Any:
    """Two inputs, one output."""
    return layers.Dense(2)(layers.Concatenate()([first, second]))


def shared(first: Any, second: Any) -> Any:
    """One layer for both inputs."""
    layer = layers.Dense(4)
    return layers.Dot(axes=1)([layer(first), layer(second)])


def several(first: Any) -> Any:
    """A list of outputs."""
    return [layers.Dense(2)(first), layers.Dense(3)(first)]


def named(first: Any) -> Any:
    """A dict of outputs."""
    return {"score": layers.Dense(1)(first), "words": layers.Dense(5)(first)}


def adapted(layer: Any, data: Array) -> Any:
    """A preprocessing layer that has seen its data."""
    layer.adapt(data)
    return layer


def sentences() -> Made:
    """Strings in: the vocabulary is part of the model."""
    vectorize = layers.TextVectorization(output_sequence_length=6)
    vectorize.adapt(WORDS)
    pooled = layers.GlobalAveragePooling1D()
    given = np.array([["a small red fox"], ["the bird sees a fox"]], object)
    symbol = keras.Input((1,), dtype="string")
    stack = [symbol, vectorize, layers.Embedding(16, 8), pooled, layers.Dense(2)]
    return keras.Sequential(stack), [given]


class Module(tf.Module):  # type: ignore[misc]
    """A model without Keras."""

    def __init__(self, returns_dict: bool) -> None:
        super().__init__()
        self.weight = tf.Variable(tf.random.stateless_normal((4, 3), seed=(1, 2)))
        self.returns_dict = returns_dict

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])  # type: ignore[untyped-decorator]
    def __call__(self, given: Any) -> Any:
        """float32 [batch, 3] for float32 [batch, 4], alone or in a dict."""
        scores = tf.tanh(given @ self.weight)
        return {"scores": scores, "best": tf.argmax(scores, -1)} if self.returns_dict else scores


def module(returns_dict: bool) -> Made:
    """A `tf.Module`."""
    return Module(returns_dict), [x(4)]


class Case(NamedTuple):
    """How a model is made, and the formats that it is not saved in."""

    make: Callable[[], Made]
    excluded: Sequence[str] = ()
    is_trained: bool = False  # for a step, so that there is an optimizer's state to keep
    bytes: int = 0  # of its weights, where that matters


LARGE = {
    "mobilenet_v2": Case(partial(image_net, "MobileNetV2")),
    # Keras 3.15 cannot load an .h5 file of a model with a mask
    "lstm_text": Case(text, ["h5"]),
    "resnet50": Case(partial(image_net, "ResNet50")),
    "dense_268mb": Case(partial(one_layer, 8192), bytes=4 * 8192**2),
    "dense_1gb": Case(partial(one_layer, 16384), bytes=4 * 16384**2),
}
SMALL = {
    "dense": Case(dense),
    "dense_relu": Case(partial(dense, activation="relu")),
    "dense_gelu": Case(partial(dense, activation="gelu")),
    "dense_wide": Case(partial(dense, width=512)),
    "dense_trained": Case(partial(compiled, dense, "adam"), is_trained=True),
    "deep": Case(deep),
    "deep_trained": Case(partial(compiled, deep, "rmsprop"), is_trained=True),
    "normalized": Case(normalized),
    "normalized_trained": Case(partial(compiled, normalized, "sgd"), is_trained=True),
    "convolution": Case(lambda: convolutional(layers.Conv2D(4, 3))),
    "convolution_separable": Case(lambda: convolutional(layers.SeparableConv2D(4, 3))),
    "convolution_depthwise": Case(lambda: convolutional(layers.DepthwiseConv2D(3))),
    "convolution_transposed": Case(lambda: convolutional(layers.Conv2DTranspose(4, 3))),
    "convolution_trained": Case(
        partial(compiled, lambda: convolutional(layers.BatchNormalization()), "adam"),
        is_trained=True,
    ),
    "residual": Case(residual),
    "convolution_1d": Case(lambda: recurrent(layers.Conv1D(4, 3), layers.GlobalMaxPooling1D())),
    "lstm": Case(lambda: recurrent(layers.LSTM(8))),
    "lstm_stacked": Case(lambda: recurrent(layers.LSTM(8, return_sequences=True), layers.LSTM(4))),
    "gru": Case(lambda: recurrent(layers.GRU(8))),
    "bidirectional": Case(lambda: recurrent(layers.Bidirectional(layers.LSTM(4)))),
    "attention": Case(attention),
    "two_inputs": Case(partial(functional, [x(3), x(2)], joined)),
    "shared_layer": Case(partial(functional, [x(3), x(3)], shared)),
    "list_of_outputs": Case(partial(functional, [x(4)], several)),
    "dict_of_outputs": Case(partial(functional, [x(4)], named)),
    # Keras 3.15 does not use the statistics that a checkpoint restores
    "normalization": Case(
        lambda: sequential(x(4), adapted(layers.Normalization(), x(4)), layers.Dense(2)),
        ["checkpoint"],
    ),
    "discretization": Case(
        lambda: sequential(x(4), layers.Discretization([-0.5, 0.0, 0.5], output_mode="one_hot"))
    ),
    # Keras 3.15 loads an .h5 file without the vocabulary, and it is not among the weights
    "sentences": Case(sentences, ["h5", "weights", "checkpoint"]),
    "module": Case(partial(module, False), NOT_KERAS),
    "module_of_dict": Case(partial(module, True), NOT_KERAS),
}
ALL = {**SMALL, **LARGE}


def build(name: str) -> Made:
    """The model of that name, and the arguments that it is called with."""
    case = ALL[name]
    model, arguments = case.make()
    if case.is_trained:
        model.train_on_batch(*arguments, np.zeros((2, *model.output_shape[1:]), "float32"))
    return model, arguments


def rebuild(name: str) -> Model:
    """The same model with other weights, into which saved ones are loaded."""
    return ALL[name].make()[0]


def formats_of(name: str) -> list[str]:
    """The formats that hold it."""
    return [each for each in FORMATS if each not in ALL[name].excluded]


def pairs() -> list[tuple[str, str]]:
    """The round trips of the small models: a model and a format."""
    return [(name, format_name) for name in SMALL for format_name in formats_of(name)]
