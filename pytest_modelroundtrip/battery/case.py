"""The layer under test: how it is called, rebuilt, and compared with a copy of it."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..portable import keras_libs, tensors
from ..portable.aliases import Layer, Nest, Plain
from ..portable.comparing import Tolerance, is_floating
from ..portable.comparing.arrays import dtype_and_shape
from ..portable.comparing.nests import compare_nests
from ..portable.models import calling, randomness, variables


class NotApplicableError(Exception):
    """The layer, or its Keras, does not have what a check is about."""


class LayerCase:
    """A layer, the arguments of its call in NumPy form, and what it returned."""

    def __init__(
        self,
        layer: Layer,
        args: Sequence[Nest],
        kwargs: Mapping[str, Nest],
        custom_objects: Mapping[str, Any],
    ) -> None:
        """Call the layer twice, and before that to build it if need be.

        Raises:
            Exception: whatever the layer raises.
        """
        self.layer = layer
        self.keras = keras_libs.own_keras(layer)
        self.args: list[Plain] = [tensors.to_numpy(value) for value in args]
        self.kwargs = {name: tensors.to_numpy(value) for name, value in kwargs.items()}
        self._custom_objects = dict(custom_objects)
        if not layer.built:
            self.called(layer)  # before that its state is not known
        self.outputs = self.called(layer)
        again = self.called(layer)
        self._is_random = bool(compare_nests("", self.outputs, again, Tolerance()).differences)

    @property
    def is_stateful(self) -> bool:
        """Whether the layer keeps a state for each row of a batch, whose size is then fixed."""
        return bool(getattr(self.layer, "stateful", False))

    def scope(self) -> AbstractContextManager[Any]:
        """In it Keras knows the custom objects."""
        scope: AbstractContextManager[Any] = self.keras.utils.custom_object_scope(
            self._custom_objects
        )
        return scope

    def called(self, layer: Layer, dtype: str = "", **more: Nest) -> Plain:
        """What a layer returns for the arguments, in NumPy form; its state is as before.

        Args:
            layer: the layer, or a copy of it.
            dtype: of the floats in all arguments but the first, which every layer casts.
            more: keyword arguments besides.
        """
        others = [_cast(value, dtype) for value in self.args[1:]]
        kwargs = {name: _cast(value, dtype) for name, value in self.kwargs.items()}
        args = [*self.args[:1], *others]
        return self.in_state(layer, lambda: _called(layer, args, {**kwargs, **more}))

    def in_state(self, layer: Layer, call: Callable[[], Nest]) -> Plain:
        """What a call returns, in NumPy form. The state that it changes is restored.

        What is built by the call stays built, and seeds go on: so a layer is seen to be random.
        """
        held = variables.state_of(layer) if layer.built else []
        snapshot = variables.StateSnapshot(each for each in held if not randomness.is_seed(each))
        try:
            return tensors.to_numpy(call())
        finally:
            snapshot.restore()

    def copied(self, copy: Layer) -> Iterator[str]:
        """What differs between the layer and a rebuilt one, once this has the layer's weights."""
        self.called(copy)
        transfer(self.layer, copy)
        yield from self.compared(self.called(copy))

    def compared(self, actual: Plain, expected: Plain = None) -> Iterable[str]:
        """What differs between outputs; of a layer that is random, shapes and dtypes only.

        Args:
            actual: what a rebuilt layer or model returned.
            expected: what it should return; None: what the layer returned.
        """
        expected = self.outputs if expected is None else expected
        if self._is_random:
            expected, actual = (tensors.map_leaves(spec_of, side) for side in (expected, actual))
        return compare_nests("output", expected, actual, Tolerance()).differences


LayerCheck = Callable[[LayerCase], Iterable[str]]


def _called(layer: Layer, args: Sequence[Plain], kwargs: Mapping[str, Nest]) -> Nest:
    training = {"training": False} if takes(layer.call, "training") else {}
    given = calling.to_tensors(layer, {**training, **kwargs})
    return layer(*calling.to_tensors(layer, args), **given)


def _cast(value: Plain, dtype: str) -> Plain:
    """A value with its floats in that dtype; "" leaves them as they are."""

    def cast(leaf: Plain) -> Plain:
        is_float = isinstance(leaf, np.ndarray) and is_floating(leaf.dtype)
        return leaf.astype(tensors.dtype_named(dtype)) if dtype and is_float else leaf

    return tensors.map_leaves(cast, value)


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of that name."""
    return name in inspect.signature(function).parameters


def spec_of(leaf: Plain) -> str:
    """The dtype and shape of an output, such as `float32[3, 4]`."""
    return dtype_and_shape(leaf) if hasattr(leaf, "dtype") else type(leaf).__name__


def transfer(source: Layer, target: Layer) -> None:
    """Give a layer or model the weights of another that is built alike, as a file would.

    Raises:
        ValueError: when they do not hold the same layers, or those do not hold the same weights.
    """
    pairs = variables.layers(source), variables.layers(target)
    if len(pairs[0]) != len(pairs[1]):
        counts = f"{len(pairs[1]) - 1} layers inside of it, the original has {len(pairs[0]) - 1}"
        raise ValueError(f"the rebuilt {type(source).__name__} has {counts}")
    for one, other in zip(*pairs, strict=True):
        if hasattr(one, "save_own_variables"):
            store: dict[str, Any] = {}
            one.save_own_variables(store)
            if store:
                other.load_own_variables(store)
        if hasattr(one, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                one.save_assets(folder)
                other.load_assets(folder)
    if not hasattr(source, "save_own_variables"):  # Keras before 2.12
        target.set_weights(source.get_weights())
