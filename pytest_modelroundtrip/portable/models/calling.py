"""How to call a live model, whatever it is: a Keras model, a callable, `serve`, or a signature.

`args` and `kwargs` are in NumPy form, and so are the outputs: both sides of a round trip pass and
return the same things.
"""

from __future__ import annotations

import inspect
from typing import Dict, List, Mapping, Optional, Tuple

import numpy as np

from .. import keras_libs, tensors
from ..aliases import Call, Function, Layer, Model, Nest, Plain, Tensor
from . import restored_calls


class NumpyCall:
    """Calls a model with arguments in NumPy form, and returns its outputs in that form."""

    def __init__(self, model: Model, call: Call, item: Optional[int] = None) -> None:
        """Remember what to call.

        Args:
            model: the model, whose backend the tensors are of.
            call: what is called with tensors.
            item: which item of what this returns is wanted; None: all of it.
        """
        self._model, self._call, self._item = model, call, item

    def __call__(self, args: List[Plain], kwargs: Mapping[str, Plain]) -> Plain:
        """Call it."""
        outputs = self._call(*self._in_tensors(args, kwargs))
        return tensors.to_numpy(outputs if self._item is None else outputs[self._item])

    def graph(self, args: List[Plain], kwargs: Mapping[str, Plain]) -> Optional[Function]:
        """TensorFlow's graph of that call; None where it is not called in a graph."""
        concrete = getattr(self._call, "get_concrete_function", None)
        return concrete and concrete(*self._in_tensors(args, kwargs)).graph

    def _in_tensors(self, args: List[Plain], kwargs: Mapping[str, Plain]) -> Tuple[Nest, Nest]:
        return to_tensors(self._model, args), to_tensors(self._model, kwargs)


def caller(model: Model, structure: Plain = None) -> NumpyCall:
    """What calls the model; see `callers`."""
    return callers(model, structure)[0]


def callers(model: Model, structure: Plain = None) -> Tuple[NumpyCall, Optional[NumpyCall]]:
    """What calls the model for its outputs, and what calls it for its losses.

    Only Keras models have losses.

    Args:
        model: a Keras model or layer, or what `tf.saved_model.load` and `hub.load` return.
        structure: the nest of the original's outputs, see `structure_of`; the flat outputs of a
            signature are put into that nest.

    Raises:
        TypeError: when there is nothing to call.
    """
    if keras_libs.keras_major(model):
        call = _keras_call(model)
        return NumpyCall(model, call, 0), NumpyCall(model, call, 1)
    if callable(model):
        call = restored_calls.inference(restored_calls.fitted(model, model.__call__))
    elif hasattr(model, "serve"):
        return endpoint(model, "serve"), None
    elif getattr(model, "signatures", None):
        call = restored_calls.signature_call(model.signatures, structure)
    else:
        lacks = "it has no __call__, no `serve` and no signature"
        raise TypeError(f"{type(model).__name__} cannot be called: {lacks}")
    return NumpyCall(model, call), None


def endpoint(model: Model, name: str, layer: Optional[Layer] = None) -> NumpyCall:
    """What calls a function of a restored object.

    Args:
        model: the restored object.
        name: of the function.
        layer: a layer that passes its inputs on to the function, and is called in its place.

    Raises:
        AttributeError: where it has none of that name.
    """
    function = getattr(model, name)
    return NumpyCall(
        model, restored_calls.inference(restored_calls.fitted(layer or function, function))
    )


def structure_of(value: Plain) -> Plain:
    """The nest of a value: each leaf is its name in a named tuple, else 0."""
    if isinstance(value, dict):
        return {key: structure_of(item) for key, item in value.items()}
    if not isinstance(value, (list, tuple)) or isinstance(value, tensors.LEAVES):
        return 0
    inner = [structure_of(item) for item in value]
    if isinstance(value, tensors.Fields):
        return [name if item == 0 else item for name, item in zip(value.names, inner)]
    return inner


# NumPy form <-> tensors


def to_tensors(model: Model, value: Plain) -> Nest:
    """A value in NumPy form with tensors of the model's backend as its leaves."""
    if keras_libs.backend(model) == "tensorflow":
        return to_tensorflow(value)
    convert = keras_libs.own_keras(model).ops.convert_to_tensor
    return tensors.map_leaves(lambda leaf: convert(leaf) if _is_numbers(leaf) else leaf, value)


def _is_numbers(leaf: Plain) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype != object


def to_tensorflow(value: Plain) -> Nest:
    """A value in NumPy form with TensorFlow's tensors as its leaves."""
    import tensorflow as tf

    def convert(leaf: Plain) -> Tensor:
        if isinstance(leaf, tensors.Ragged):
            splits = [tf.constant(splits) for splits in leaf.row_splits]
            return tf.RaggedTensor.from_nested_row_splits(tf.constant(leaf.values), splits)
        if isinstance(leaf, tensors.Sparse):
            return tf.SparseTensor(*[tf.constant(part) for part in leaf])
        if not isinstance(leaf, np.ndarray):
            return leaf
        if leaf.dtype.name == "bfloat16":
            leaf = leaf.view(tf.bfloat16.as_numpy_dtype)  # TensorFlow 2.12 takes its own only
        return tf.constant(leaf)

    return tensors.map_leaves(convert, value)


# the ways to call


def _keras_call(model: Model) -> Call:
    """As `predict` calls it: in a graph, unless it was compiled to run eagerly or has no graphs.

    Returns outputs and losses (regularizers, `add_loss`), which Keras gathers while it calls.
    """
    call = _outputs_and_losses(model)
    if not _has_graph(model):
        return call
    import tensorflow as tf

    def graph() -> Function:
        made = tf.function(call)
        # One graph a model is meant: the warning would point at us, in a test that failed.
        made._omit_frequent_tracing_warning = True
        return made

    return _GraphOfAnySize(graph(), graph()) if keras_libs.is_graph(model) else graph()


class _GraphOfAnySize:
    """Traces a functional model once for all sizes of a batch: it was made for any."""

    def __init__(self, of_any_size: Function, of_one_size: Function) -> None:
        self._of_any_size, self._of_one_size = of_any_size, of_one_size
        self._takes_any_size = True

    def __call__(self, args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        if self._takes_any_size:
            try:
                self.get_concrete_function(args, kwargs)
                return self._of_any_size(args, kwargs)
            except Exception:  # a layer needs the size, or what TensorFlow makes of the graph does
                self._takes_any_size = False
        return self._of_one_size(args, kwargs)

    def get_concrete_function(self, args: List[Nest], kwargs: Dict[str, Nest]) -> Function:
        """The trace that a call with these arguments uses, as TensorFlow's functions have it."""
        if self._takes_any_size:
            return self._of_any_size.get_concrete_function(*_with_any_size([args, kwargs]))
        return self._of_one_size.get_concrete_function(args, kwargs)


def _with_any_size(arguments: List[Nest]) -> List[Nest]:
    """What a function is traced with for tensors of which the first axis has any size."""
    import tensorflow as tf

    def any_size(leaf: Nest) -> Nest:
        if isinstance(leaf, tf.Tensor) and leaf.shape.rank:
            return tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype)
        return leaf

    return tf.nest.map_structure(any_size, arguments)  # type: ignore[no-any-return]


def _outputs_and_losses(model: Model) -> Call:
    def call(args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        return model(*args, **kwargs), list(model.losses)

    return call


def convert_ahead() -> None:
    """Let TensorFlow's AutoGraph convert what calls Keras models: once, for each fork.

    It takes longer than to call a small model, and starts nothing of TensorFlow's runtime.
    """
    import tensorflow as tf

    tf.autograph.to_graph(_outputs_and_losses(None))


def _has_graph(model: Model) -> bool:
    eager = getattr(model, "run_eagerly", False) or keras_libs.backend(model) != "tensorflow"
    return not eager


def eager_call(model: Model) -> Optional[NumpyCall]:
    """Calls a Keras model operation by operation; None for what is not usually called in a graph.

    The two need not return the same bits.
    """
    if not keras_libs.keras_major(model) or not _has_graph(model):
        return None
    return NumpyCall(model, lambda args, kwargs: model(*args, **kwargs))


def predict_call(model: Model) -> NumpyCall:
    """Calls a Keras model by `predict`, with the one argument that this takes."""
    parameters = inspect.signature(model.predict).parameters
    quiet = {"verbose": 0} if "verbose" in parameters else {}
    return NumpyCall(model, lambda args, _kwargs: model.predict(args[0], **quiet))
