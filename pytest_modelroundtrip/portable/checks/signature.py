"""The check `signature`: how a live model is called."""

from __future__ import annotations

import inspect
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from .. import keras_libs
from ..aliases import Function, Model, Tensor
from ..comparing import Comparison, Tolerance
from ..comparing.shapes import Shape, accepts
from ..models import restored_calls
from ..subject import Subject
from . import Check


class Spec(NamedTuple):
    """One input or output."""

    name: Optional[str]  # None where the format gives it a name of its own
    dtype: str
    shape: Optional[List[Optional[int]]]  # None where not even the rank is known


class CallSignature(NamedTuple):
    """The inputs and outputs of one call."""

    inputs: List[Spec]
    outputs: List[Spec]


class FunctionSignature(NamedTuple):
    """A TensorFlow function."""

    defaults: Dict[str, str]  # of its arguments
    inputs: List[str]  # of each call that it was traced for


class SignatureSighting(NamedTuple):
    """How a model is called."""

    call: Optional[CallSignature]  # the one call that a server makes
    functions: Dict[str, FunctionSignature]  # the TensorFlow functions in its attributes
    signatures: Dict[str, CallSignature]  # of a SavedModel that was loaded


class SignatureCheck(Check[SignatureSighting]):
    """The names, dtypes, shapes and order of what the model takes and returns.

    Of a functional or sequential Keras model these are its inputs and outputs. A SavedModel gives
    them new names and another order, so there only the dtypes and shapes of the inputs are
    compared. Of a `tf.Module` or a loaded SavedModel it is each TensorFlow function, with the calls
    that it was traced for and its default arguments, and each signature. A fixed axis may become
    free, a free one may not become fixed.
    """

    sighting = SignatureSighting
    hint = (
        "Compare how both are called. A tf.function keeps its inputs with an input_signature, a "
        "SavedModel its signatures with signatures=..., a Keras model its inputs with keras.Input."
    )
    may_appear = True  # a SavedModel has functions and signatures of a model that declares nothing

    def observe(self, subject: Subject) -> Optional[SignatureSighting]:
        """The signature; None where the model declares none."""
        model = subject.model
        if keras_libs.keras_major(model) is not None:
            call = _keras_call(model) if keras_libs.is_graph(model) else None
            return SignatureSighting(call, {}, {}) if call else None
        functions = {name: _function(function) for name, function in _functions(model)}
        served: Mapping[str, Function] = getattr(model, "signatures", None) or {}
        if not functions and not served:
            return None
        return SignatureSighting(
            _served(restored_calls.serving_signature(served), named=False) if served else None,
            functions,
            {name: _served(served[name], named=True) for name in served},
        )

    def compare(
        self, expected: SignatureSighting, actual: SignatureSighting, tolerance: Tolerance
    ) -> Comparison:
        """Compare the call, the functions and the signatures."""
        del tolerance  # signatures are compared exactly
        found = Comparison()
        if expected.call is not None:
            _compare_calls("", expected.call, actual.call, found)
        for name, function in expected.functions.items():
            _compare_functions(name, function, actual.functions.get(name), found)
        for name, call in expected.signatures.items():
            if name in actual.signatures:
                where = f" of the signature {name}"
                _compare_calls(where, call, actual.signatures[name], found)
            else:
                found.differ(f"the signature {name} is missing after the reload")
        return found


# what is observed


def _keras_call(model: Model) -> Optional[CallSignature]:
    # a Sequential that was called with a dict has neither
    inputs, outputs = keras_libs.symbolic(model, "inputs"), keras_libs.symbolic(model, "outputs")
    if not inputs or any(_is_composite(tensor) for tensor in inputs + outputs):
        return None  # each format flattens ragged and sparse tensors in its own way
    names = list(getattr(model, "input_names", None) or [None] * len(inputs))
    return CallSignature(
        [_spec(str(name).split(":")[0], tensor) for name, tensor in zip(names, inputs)],
        [_spec(None, tensor) for tensor in outputs],
    )


def _is_composite(tensor: Tensor) -> bool:
    if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        return True
    kinds = type(tensor).__name__ + type(getattr(tensor, "type_spec", None)).__name__
    return "Ragged" in kinds or "Sparse" in kinds


def _functions(model: Model) -> Iterator[Tuple[str, Function]]:
    """The TensorFlow functions in the attributes of the model."""
    for name in sorted(set(dir(type(model))) | set(getattr(model, "__dict__", ()))):
        if name.startswith("_") and name != "__call__":
            continue
        held = inspect.getattr_static(model, name, None)
        traced = hasattr(held, "get_concrete_function") or hasattr(held, "concrete_functions")
        if traced or name == "__call__":
            function = getattr(model, name, None)
            # a restored one that has no traces cannot be called
            is_live = getattr(function, "concrete_functions", True)
            if getattr(function, "function_spec", None) is not None and is_live:
                yield name, function


def _function(function: Function) -> FunctionSignature:
    spec = function.function_spec.fullargspec
    defaults = dict(zip(reversed(spec.args), reversed(spec.defaults or ())))
    defaults.update(spec.kwonlydefaults or {})
    if hasattr(function, "concrete_functions"):
        traced = function.concrete_functions
    else:
        traced = function._list_all_concrete_functions_for_serialization()
    return FunctionSignature(
        {name: _describe_tensor(value) for name, value in defaults.items()},
        sorted({_traced(concrete) for concrete in traced}),
    )


def _traced(concrete: Function) -> str:
    import tensorflow as tf

    flat = tf.nest.flatten(concrete.structured_input_signature, expand_composites=True)
    return ", ".join(_describe_tensor(leaf) for leaf in flat)


def _describe_tensor(leaf: Tensor) -> str:
    if hasattr(leaf, "dtype") and hasattr(leaf, "shape"):
        return f"{_dtype(leaf)}{_shape(leaf)}"
    return repr(leaf)


def _served(signature: Function, named: bool) -> CallSignature:
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    return CallSignature(_named_specs(inputs, named), _named_specs(outputs, named))


def _named_specs(tensors: Mapping[str, Tensor], named: bool) -> List[Spec]:
    names = sorted(tensors, key=restored_calls.natural)
    return [_spec(name if named else None, tensors[name]) for name in names]


def _spec(name: Optional[str], tensor: Tensor) -> Spec:
    return Spec(name, _dtype(tensor), _shape(tensor))


def _dtype(tensor: Tensor) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _shape(tensor: Tensor) -> Shape:
    shape = tensor.shape
    if shape is None or getattr(shape, "rank", 0) is None:
        return None
    return [getattr(size, "value", size) for size in shape]


# how it is compared


def _compare_functions(
    name: str, expected: FunctionSignature, actual: Optional[FunctionSignature], found: Comparison
) -> None:
    found.compared += 1
    if actual is None:
        why = "" if expected.inputs else ": it was never called before the save"
        found.differ(f"the function {name} is missing after the reload{why}")
        return
    for argument, default in expected.defaults.items():
        if actual.defaults.get(argument) != default:
            now = actual.defaults.get(argument, "no default")
            values = f"had the default {default} and now has {now}"
            found.differ(f"the argument {argument} of {name} {values}")
    for inputs in expected.inputs:
        if inputs not in actual.inputs:
            now = "), (".join(actual.inputs)
            found.differ(f"the function {name} took ({inputs}); after the reload it takes ({now})")


def _compare_calls(
    where: str, expected: CallSignature, actual: Optional[CallSignature], found: Comparison
) -> None:
    sides = zip(CallSignature._fields, expected, actual or CallSignature([], []))
    for side, specs, others in sides:
        found.compared += 1
        if actual is None or len(specs) != len(others):
            pair = _specs(specs), _specs(others)
            found.differ("{}{}: {} is now {}".format(side, where, *pair))
            continue
        served = any(spec.name is None for spec in [*specs, *others])
        if served and side == "outputs":
            # what Keras declares of its outputs is not always what it computes, and what it
            # computes is compared as outputs
            continue
        if served:  # the format names and orders them anew
            specs, others = _in_order(specs), _in_order(others)
        for one, other in zip(specs, others):
            if one[:2] != other[:2] or not accepts(other.shape, one.shape):
                found.differ(f"{side}{where}: {_specs([one])} is now {_specs([other])}")


def _in_order(specs: List[Spec]) -> List[Spec]:
    """Without names, sorted by dtype and rank, then by the sizes behind the batch axis."""

    def key(spec: Spec) -> str:
        shape = spec.shape or []
        return f"{spec.dtype} {len(shape)} {[size or 0 for size in shape[1:]]}"

    return [spec._replace(name=None) for spec in sorted(specs, key=key)]


def _specs(specs: List[Spec]) -> str:
    return ", ".join(_describe_spec(spec) for spec in specs) or "nothing"


def _describe_spec(spec: Spec) -> str:
    name = spec.name + " " if spec.name else ""
    return "{}{}{}".format(name, spec.dtype, "[...]" if spec.shape is None else spec.shape)
