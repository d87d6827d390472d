"""How to call a live model, whatever it is: a Keras model, a callable, `serve`, or a signature.

`args` and `kwargs` are in NumPy form, and so are the outputs: both sides of a round trip pass and
return the same things.
"""

from __future__ import annotations

import inspect
import re
from typing import Dict, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np

from . import keras_libs, tensors
from .aliases import Call, Function, Layer, Model, Nest, Plain, Tensor


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
        call = _inference(_fitted(model, model.__call__))
    elif hasattr(model, "serve"):
        return endpoint(model, "serve"), None
    elif getattr(model, "signatures", None):
        call = _signature_call(model.signatures, structure)
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
    return NumpyCall(model, _inference(_fitted(layer or function, function)))


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
        return tf.constant(leaf) if isinstance(leaf, np.ndarray) else leaf

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


def _inference(call: Call) -> Call:
    """Passes Keras' `training=False` where it is taken: a SavedModel of a layer may not take it."""

    def inference(args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        try:
            return call(args, kwargs)
        except (TypeError, ValueError):
            if kwargs.get("training") is not False:
                raise
            others = {name: value for name, value in kwargs.items() if name != "training"}
            return call(args, others)

    return inference


def _fitted(function: Model, restored: Model) -> Call:
    """Calls a restored function.

    Where it was traced with numbers of another width, it is called with those, as Keras itself
    casts them.
    """
    concrete = getattr(restored, "concrete_functions", None)

    def call(args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError):
            if not concrete:
                raise
            specs = concrete[0].structured_input_signature[0]
            return function(*_cast_like(_arranged(args, specs), specs), **kwargs)

    return call


def _arranged(args: List[Nest], specs: Nest) -> List[Nest]:
    """The arguments as a function of a list takes them, with the names in its specs.

    Keras 2 saves and exports a model of named inputs as such a function. Others may follow.
    """
    import tensorflow as tf

    if len(args) != 1 or not specs:
        return args
    if not isinstance(args[0], dict) or isinstance(specs[0], dict):
        return args
    names = [getattr(spec, "name", None) for spec in tf.nest.flatten(specs[0])]
    if set(names) != set(args[0]):
        return args
    return [tf.nest.pack_sequence_as(specs[0], [args[0][name] for name in names])]


def _cast_like(args: List[Nest], specs: Nest) -> List[Nest]:
    import tensorflow as tf

    flat, wanted = tf.nest.flatten(args), tf.nest.flatten(specs)
    cast = [_cast(leaf, spec) for leaf, spec in zip(flat, wanted)]
    packed: List[Nest] = tf.nest.pack_sequence_as(args, cast + flat[len(wanted) :])
    return packed


def _cast(leaf: Tensor, spec: Tensor) -> Tensor:
    import tensorflow as tf

    dtype = getattr(spec, "dtype", None)
    if not isinstance(leaf, tf.Tensor) or dtype is None or dtype == leaf.dtype:
        return leaf
    both_integer = leaf.dtype.is_integer and dtype.is_integer
    both_floating = leaf.dtype.is_floating and dtype.is_floating
    return tf.cast(leaf, dtype) if both_integer or both_floating else leaf


def predict_call(model: Model) -> NumpyCall:
    """Calls a Keras model by `predict`, with the one argument that this takes."""
    parameters = inspect.signature(model.predict).parameters
    quiet = {"verbose": 0} if "verbose" in parameters else {}
    return NumpyCall(model, lambda args, _kwargs: model.predict(args[0], **quiet))


# signatures


def serving_signature(signatures: Mapping[str, Model]) -> Model:
    """`serving_default`, else `serve`, else the first by name."""
    names = sorted(signatures)
    usual = (name for name in ("serving_default", "serve") if name in names)
    return signatures[next(usual, names[0])]


def _signature_call(signatures: Mapping[str, Model], structure: Plain) -> Call:
    signature = serving_signature(signatures)
    specs = signature.structured_input_signature[1]

    def call(args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        passed = {
            name: value
            for name, value in kwargs.items()
            if name != "training" or value is not False
        }
        named = named_arguments(args, passed, sorted(specs, key=natural))
        outputs = signature(**{name: _cast(value, specs[name]) for name, value in named.items()})
        return nested_outputs(outputs, structure)

    return call


def named_arguments(args: List[Nest], kwargs: Dict[str, Nest], names: List[str]) -> Dict[str, Nest]:
    """The call's arguments by the signature's names: by name where those are the same.

    Elsewhere in the order of the names: Keras numbers what it cannot name, `inputs`, `inputs_1`,
    ..., in the order in which `tf.nest` flattens the arguments.

    Raises:
        TypeError: when there are more or fewer arguments than names.
    """
    only = args[0] if len(args) == 1 and not kwargs else None
    if isinstance(only, dict) and set(only) == set(names):
        return dict(only)
    if not args and set(kwargs) == set(names):
        return dict(kwargs)
    flat = [leaf for _, leaf in tensors.leaves([args, kwargs])]
    if len(flat) != len(names):
        taken = ", ".join(sorted(names))
        message = "the signature takes %s; it was called with %d tensors"
        raise TypeError(message % (taken, len(flat)))
    return dict(zip(names, flat))


def nested_outputs(outputs: Dict[str, Tensor], structure: Plain) -> Nest:
    """The outputs of a signature in the nest of the original's.

    A signature numbers outputs without names: `output_0`, `output_1`. Those of a named tuple have
    the names of its fields.
    """
    if isinstance(structure, dict) or structure is None:
        return outputs
    has_dicts = any(isinstance(item, dict) for item in _items(structure))
    names = [leaf for _, leaf in tensors.leaves(structure)]
    if has_dicts or len(names) != len(outputs):
        return outputs
    if set(names) == set(outputs):
        return tensors.map_leaves(lambda name: outputs[name], structure)
    values = iter([outputs[name] for name in sorted(outputs, key=natural)])
    return tensors.map_leaves(lambda _leaf: next(values), structure)


def _items(structure: Plain) -> Iterator[Plain]:
    """The items of a list and of the lists in it."""
    for item in structure if isinstance(structure, list) else ():
        yield item
        yield from _items(item)


def natural(name: str) -> Tuple[Union[str, int], ...]:
    """A key to sort names by: `inputs_2` before `inputs_10`, `inputs` before both."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))
