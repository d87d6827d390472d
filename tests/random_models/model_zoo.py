"""Models made at random. A number makes the same model in every process."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

K: Any = tf.keras
L: Any = K.layers
try:
    register = K.saving.register_keras_serializable
except AttributeError:  # TensorFlow before 2.12
    register = K.utils.register_keras_serializable

Model = Any
Array = Any
WIDTHS = (2, 3, 5, 8)
ACTIVATIONS = ("relu", "tanh", "gelu", "linear")
OPTIMIZERS = ("SGD", "Adam", "RMSprop", "Adagrad")
KINDS = ("dense", "normalization", "batch_normalization", "dropout", "block", "noise")


@register(package="model_zoo")
class Block(L.Layer):  # type: ignore[misc]
    """A layer of the user's own: others in a list and a dict, and arguments of several types."""

    def __init__(
        self, width: int, rates: Sequence[float], names: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.rates, self.names = width, tuple(rates), tuple(names)
        self.scale = sum(self.rates)
        # Keras 3 itself leaves what is made in a frozen layer trainable
        held = {"trainable": self.trainable}
        self.inner = [L.Dense(width, activation="tanh", **held) for _ in self.rates]
        self.by_name = {name: L.Dense(width, **held) for name in self.names}

    def build(self, shape: Any) -> None:
        for layer in [*self.inner, *self.by_name.values()]:
            layer.build((*shape[:-1], self.width) if layer is not self.inner[0] else shape)
        super().build(shape)

    def call(self, x: Any) -> Any:
        for layer in [*self.inner, *self.by_name.values()]:
            x = layer(x)
        return x * self.scale

    def get_config(self) -> dict[str, Any]:
        own = {"width": self.width, "rates": self.rates, "names": self.names}
        return {**super().get_config(), **own}


@register(package="model_zoo")
class Net(K.Model):  # type: ignore[misc]
    """A subclassed model: layers in attributes and lists, one of them called twice."""

    def __init__(self, plan: list[list[Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.steps = [layer_of(*step) for step in plan]
        self.shared = L.Dense(4, name="shared")
        self.last = L.Dense(4)

    def call(self, x: Any, training: bool = False) -> Any:
        for step in self.steps:
            x = step(x, training=training) if "training" in _arguments(step) else step(x)
        x = self.shared(self.last(x))
        return {"again": self.shared(x), "once": x}

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "plan": self.plan}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Net:
        del custom_objects
        return cls(**config)


def _arguments(layer: Any) -> tuple[str, ...]:
    return ("training",) if type(layer).__name__ in ("Dropout", "BatchNormalization") else ()


def layer_of(kind: str, width: int, number: int) -> Any:
    """A layer of that kind."""
    chosen = random.Random(number)
    if kind == "dense":
        return L.Dense(width, activation=chosen.choice(ACTIVATIONS))
    if kind == "normalization":
        return L.LayerNormalization(epsilon=chosen.choice((1e-3, 1e-5)))
    if kind == "batch_normalization":
        return L.BatchNormalization(momentum=chosen.choice((0.9, 0.99)))
    if kind == "dropout":
        return L.Dropout(chosen.choice((0.1, 0.5)))
    if kind == "noise":
        return L.GaussianNoise(chosen.choice((0.1, 0.5)))
    rates = [round(chosen.random(), 3) for _ in range(chosen.randint(1, 3))]
    return Block(width, rates, chosen.sample(["a", "b", "c"], chosen.randint(1, 2)))


def _plan(chosen: random.Random) -> list[list[Any]]:
    kinds = [chosen.choice(KINDS) for _ in range(chosen.randint(1, 5))]
    return [[kind, chosen.choice(WIDTHS), chosen.randrange(1000)] for kind in kinds]


def build(seed: int) -> tuple[Model, Any]:
    """The model of that number, and its inputs."""
    K.utils.set_random_seed(seed)
    chosen = random.Random(seed)
    maker = chosen.choice((_sequential, _functional, _nested, _subclassed))
    model, inputs = maker(chosen)
    model(inputs)
    numbers = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        value = np.asarray(variable)
        changed = value + 0.1 * numbers.standard_normal(value.shape)
        variable.assign(changed.astype(value.dtype))
    if chosen.random() < 0.3 and maker is not _subclassed:  # whose flags no config holds
        # before it is compiled: Keras gives a loaded optimizer no slots of a frozen layer
        model.layers[chosen.randrange(len(model.layers))].trainable = False
    if chosen.random() < 0.5 and model.trainable_variables:
        _train(model, inputs, chosen)
    return model, inputs


def factory(seed: int) -> Model:
    """A fresh model of that number."""
    return build(seed)[0]


def _x(chosen: random.Random, *shape: int) -> Array:
    numbers = np.random.default_rng(chosen.randrange(1000))
    return numbers.standard_normal((3, *shape)).astype("float32")


def _sequential(chosen: random.Random) -> tuple[Model, Array]:
    width = chosen.choice(WIDTHS)
    layers = [layer_of(*step) for step in _plan(chosen)]
    return K.Sequential([K.Input((width,)), *layers, L.Dense(2)]), _x(chosen, width)


def _functional(chosen: random.Random) -> tuple[Model, Any]:
    widths = [chosen.choice(WIDTHS) for _ in range(chosen.randint(1, 3))]
    symbols = [K.Input((width,), name=f"x{n}") for n, width in enumerate(widths)]
    dtype = chosen.choice(("float32", "float32", "float64"))
    shared = L.Dense(4, name=chosen.choice(("shared", None)))
    ends = []
    for symbol in symbols:
        value = symbol
        for step in _plan(chosen):
            value = layer_of(*step)(value)
        value = L.Dense(4)(value)
        ends.append(L.Dense(2, dtype=dtype)(shared(value)))
    joined = L.Concatenate()([*ends, *ends])
    outputs = chosen.choice((joined, [joined, ends[0]], {"b": joined, "a": ends[0]}))
    inputs = [_x(chosen, width) for width in widths]
    model = K.Model(symbols if len(symbols) > 1 else symbols[0], outputs)
    return model, inputs if len(inputs) > 1 else inputs[0]


def _nested(chosen: random.Random) -> tuple[Model, Array]:
    inner, x = _sequential(chosen)
    symbol = K.Input(x.shape[1:])
    value = inner(symbol)
    twice = L.Add()([value, inner(L.Dense(x.shape[1])(symbol))])
    return K.Model(symbol, L.Dense(3)(twice)), x


def _subclassed(chosen: random.Random) -> tuple[Model, Array]:
    return Net(_plan(chosen), name="net"), _x(chosen, chosen.choice(WIDTHS))


def _train(model: Model, inputs: Any, chosen: random.Random) -> None:
    outputs = model(inputs)
    optimizer = getattr(K.optimizers, chosen.choice(OPTIMIZERS))(chosen.choice((0.1, 0.01)))
    model.compile(optimizer, loss=tf.nest.map_structure(lambda _: "mse", outputs))
    targets = tf.nest.map_structure(lambda value: np.zeros_like(np.asarray(value)), outputs)
    for _ in range(chosen.randint(1, 3)):
        model.train_on_batch(inputs, targets)
