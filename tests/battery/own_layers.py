"""Layers as users write them: sound ones, and one for each fault."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

K = tf.keras
Layer: Any = K.layers.Layer
Tensor = Any
try:
    register = K.saving.register_keras_serializable(package="battery")
except AttributeError:  # TensorFlow before 2.12
    register = K.utils.register_keras_serializable(package="battery")


@register
class Scale(Layer):  # type: ignore[misc]
    """Sound: `x * kernel * factor`."""

    def __init__(self, factor: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1],)
        self.kernel = self.add_weight(shape=shape, initializer="uniform", name="kernel")
        super().build(input_shape)

    def call(self, x: Tensor) -> Tensor:
        return x * tf.cast(self.kernel, x.dtype) * self.factor

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@register
class Sampling(Scale):
    """Sound: it draws random numbers at each call."""

    def call(self, x: Tensor) -> Tensor:
        return super().call(x) + tf.random.normal(tf.shape(x), dtype=x.dtype)


@register
class Residual(Layer):  # type: ignore[misc]
    """Sound: layers inside, two inputs, two outputs, a keyword."""

    def __init__(self, units: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.inner = K.layers.Dense(units, dtype=self._policy())
        self.norm = K.layers.BatchNormalization(dtype=self._policy())

    def _policy(self) -> Any:
        return getattr(self, "dtype_policy", None) or self._dtype_policy

    def build(self, x_shape: Any, y_shape: Any = None) -> None:
        del y_shape
        self.inner.build(x_shape)
        self.norm.build((*x_shape[:-1], self.units))
        self.built = True

    def call(self, x: Tensor, y: Tensor, training: bool = False, double: bool = False) -> Any:
        found = self.norm(self.inner(x), training=training) + y
        return {"sum": found * 2 if double else found, "first": x}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


# one fault each; the name of the class says what


@register
class ForgetsArgument(Scale):
    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "factor"}


@register
class UnknownArgument(Scale):
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": 2.0}


@register
class ConfigOfObjects(Scale):
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "helper": iter("ab")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{key: value for key, value in config.items() if key != "helper"})


@register
class ForgetsTrainable(Scale):
    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("trainable", None)
        return config


@register
class BuildsInCall(Scale):
    def build(self, input_shape: Any) -> None:
        self.inner = K.layers.Dense(input_shape[-1])
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        return self.inner(x) * self.factor


@register
class LosesWeights(Scale):
    def load_own_variables(self, store: Any) -> None:
        pass


@register
class WrongShape(Scale):
    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], input_shape[-1] + 1)


@register
class WrongDtype(Scale):
    def call(self, x: Tensor) -> Tensor:
        return tf.argmax(x, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[:-1]


@register
class WrongMask(Scale):
    def compute_mask(self, inputs: Tensor, mask: Tensor = None) -> Tensor:
        del inputs
        return None if mask is None else tf.transpose(mask)


@register
class InvertsMask(Scale):
    def call(self, x: Tensor, mask: Tensor = None) -> Tensor:
        x = super().call(x)
        return x if mask is None else tf.where(mask[..., None], tf.zeros_like(x), x)


@register
class FixedBatch(Scale):
    def call(self, x: Tensor) -> Tensor:
        return tf.reshape(super().call(x), (3, 5, 4))


@register
class NeedsValues(Scale):
    compute_output_shape = Layer.compute_output_shape

    def call(self, x: Tensor) -> Tensor:
        return super().call(x) * len(x.numpy())


@register
class CountsCalls(Scale):
    """Sound: a call changes its state, and what it returns."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.calls = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="calls"
        )

    def call(self, x: Tensor) -> Tensor:
        self.calls.assign(self.calls + 1)
        return super().call(x) * tf.cast(self.calls, x.dtype)


@register
class StaysInFloat32(Scale):
    def call(self, x: Tensor) -> Tensor:
        return tf.cast(super().call(x), tf.float32)


@register
class WeightsIn16Bits(Scale):
    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(
            shape=(input_shape[-1],),
            initializer="uniform",
            name="kernel",
            dtype=self.compute_dtype,
            **({} if hasattr(self, "quantize") else {"experimental_autocast": False}),
        )
        self.built = True


@register
class OverflowsIn16Bits(Scale):
    def call(self, x: Tensor) -> Tensor:
        return super().call(x) + tf.cast(1e9, x.dtype) - tf.cast(1e9, x.dtype)


@register
class Raises(Scale):
    def call(self, x: Tensor) -> Tensor:
        raise ValueError(f"no steps in {x.shape}")


class NotRegistered(Scale):
    """Keras finds it by `custom_objects` only, or by its module."""


FAULTY = {
    cls.__name__: cls
    for cls in (
        ForgetsArgument,
        UnknownArgument,
        ConfigOfObjects,
        ForgetsTrainable,
        BuildsInCall,
        LosesWeights,
        WrongShape,
        WrongDtype,
        WrongMask,
        InvertsMask,
        FixedBatch,
        NeedsValues,
        StaysInFloat32,
        WeightsIn16Bits,
        OverflowsIn16Bits,
        Raises,
    )
}
