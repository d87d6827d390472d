"""A layer alone, put into a model: files hold models."""

from __future__ import annotations

from typing import List, Mapping

from .. import keras_libs
from ..aliases import Layer, Model, Nest, Plain
from ..tensors import map_leaves


def in_a_model(layer: Layer, args: List[Plain], kwargs: Mapping[str, Plain]) -> Model:
    """A functional model of one layer, which is called with these arguments.

    Raises:
        TypeError: where the layer takes anything but positional dense tensors.
    """
    keras = keras_libs.own_keras(layer)
    if not args or kwargs.keys() - {"training"}:
        raise TypeError(
            "a layer alone is called with positional tensors; put it into a model to call it "
            "otherwise"
        )

    def symbol(leaf: Plain) -> Nest:
        if not hasattr(leaf, "shape"):
            raise TypeError(
                "a layer alone is called with dense tensors; put it into a model to call it "
                "otherwise"
            )
        dtype = "string" if leaf.dtype == object else leaf.dtype.name
        return keras.Input(leaf.shape[1:], dtype=dtype)

    symbols = [map_leaves(symbol, value) for value in args]
    try:
        outputs = layer(*symbols)
    except Exception as error:  # of the layer's own code
        raise TypeError(
            f"a layer alone is put into a model, and {type(layer).__name__} raised {error!r} when "
            "it was called with symbolic tensors: return a model that uses it"
        ) from error
    return keras.Model(symbols if len(symbols) > 1 else symbols[0], outputs)
