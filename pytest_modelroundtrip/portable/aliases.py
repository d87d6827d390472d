"""Names for the values that TensorFlow and Keras leave untyped.

mypy sees `Any`; the reader sees what is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, NewType

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]
    DType = np.dtype[Any]
    Json = Any  # what JSON holds
else:  # not subscriptable in the NumPy of Python 3.8
    Array = np.ndarray
    DType = np.dtype
    Json = NewType("Json", object)  # `records` verifies it

Model = Any  # a live model: of Keras, a tf.Module, what tf.saved_model.load or hub.load return
Layer = Any  # a live Keras layer; a Keras model is one too
Variable = Any  # a variable of TensorFlow or Keras
Function = Any  # a function of TensorFlow, or a signature of a SavedModel
Module = Any  # an imported module of TensorFlow or Keras
Optimizer = Any  # a live Keras optimizer
Tensor = Any  # a tensor of whichever backend computes the model
Nest = Any  # tensors, arrays, or Python scalars in lists, tuples and dicts
Plain = Any  # what the codec carries: a nest in NumPy form
Call = Callable[[List[Nest], Dict[str, Nest]], Nest]  # calls a model with args and kwargs
