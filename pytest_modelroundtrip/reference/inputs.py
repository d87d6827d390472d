"""Inputs of a model, in NumPy form, made from its input spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..portable import keras_libs, tensors
from ..portable.aliases import Array, Model, Nest, Plain
from ..portable.models import restored_calls, variables

SEED = 20260101
BATCH = 3
SEQUENCE, IMAGE = 8, 32  # lengths given to axes that the spec leaves free
INTEGERS = 10  # below this, where no layer says how many there are
WORDS = (
    "the quick brown fox jumps over a lazy dog", "", "naïve café", "данные", "数据 模型", "hello",
    "Ünïcödé wörds", "x",
)  # fmt: skip


class InputInferenceError(Exception):
    """The model does not say what it is called with."""


def infer(model: Model) -> tuple[list[Plain], dict[str, Plain]]:
    """Arguments to call the model with.

    Integers stay below the smallest number of tokens of its layers. Strings are words, some empty,
    some not ASCII.

    Raises:
        InputInferenceError: when it has no input spec, no input signature of a `tf.function`, and
            no serving signature.
    """
    args, kwargs = declared(model)
    maker = _Maker(model)
    made = [maker.value(spec) for spec in args]
    return made, {name: maker.value(spec) for name, spec in kwargs.items()}


def declared(model: Model) -> tuple[list[Nest], dict[str, Nest]]:
    """The specs of the arguments that the model is called with.

    Raises:
        InputInferenceError: when it has none.
    """
    if keras_libs.keras_major(model):
        return [_keras_spec(model)], {}
    for function in (model.__call__ if callable(model) else None, getattr(model, "serve", None)):
        signature = getattr(function, "input_signature", None)
        if signature is not None:
            return list(signature), {}
        concrete = getattr(function, "concrete_functions", None)
        if concrete and concrete[0].structured_input_signature:
            args, kwargs = concrete[0].structured_input_signature
            return list(args), dict(kwargs)
    if getattr(model, "signatures", None) and not callable(model):
        specs = restored_calls.serving_signature(model.signatures).structured_input_signature[1]
        return [], {name: specs[name] for name in sorted(specs)}
    raise InputInferenceError


class _Spec(NamedTuple):
    shape: Sequence[int | None]
    dtype: str


def _keras_spec(model: Model) -> Nest:
    """The inputs of a functional or sequential model, or what a subclass was built with."""
    if keras_libs.is_graph(model):
        symbolic = keras_libs.symbolic(model, "inputs")
        if symbolic:
            nest = keras_libs.input_nest(model)
            if isinstance(nest, dict):
                return nest
            return symbolic[0] if len(symbolic) == 1 else symbolic
    if keras_libs.keras_major(model) == 2 and keras_libs.is_model(model) and model.save_spec():
        args, _ = model.save_spec()
        return args[0] if len(args) == 1 else list(args)
    built: dict[str, Nest] = getattr(model, "get_build_config", dict)() or {}
    shape = built.get("input_shape")
    if not isinstance(shape, (list, tuple)) or not all(
        isinstance(size, (int, type(None))) for size in shape
    ):
        raise InputInferenceError
    if _token_counts(model):
        raise InputInferenceError  # a shape without a dtype: does it take tokens?
    return _Spec([None, *shape[1:]], "float32")


class _Maker:
    def __init__(self, model: Model) -> None:
        self._random = np.random.default_rng(SEED)
        self._integers = min([INTEGERS, *_token_counts(model)])

    def value(self, spec: Nest) -> Plain:
        """A value for a nest of specs; what is not a spec (a Python default) stays."""
        if isinstance(spec, dict):
            return {key: self.value(spec[key]) for key in sorted(spec)}
        if isinstance(spec, (list, tuple)) and not isinstance(spec, _Spec):
            return [self.value(item) for item in spec]
        if not hasattr(spec, "shape") or not hasattr(spec, "dtype"):
            return spec
        name = getattr(spec.dtype, "name", spec.dtype)
        return self._array(_filled(spec.shape), str(name))

    def _array(self, shape: tuple[int, ...], dtype: str) -> Array:
        if dtype == "string":
            return np.asarray(tensors.to_numpy(np.resize(np.array(WORDS, dtype=object), shape)))
        if dtype == "bool":
            return self._random.integers(0, 2, shape).astype(bool)
        if "int" in dtype:
            return self._random.integers(0, self._integers, shape).astype(
                tensors.dtype_named(dtype)
            )
        return np.asarray(self._random.normal(size=shape)).astype(tensors.dtype_named(dtype))


def _filled(shape: Nest) -> tuple[int, ...]:
    """The first axis is the batch; a free axis of an image is longer than one of a sequence."""
    if shape is None or getattr(shape, "rank", 0) is None:
        raise InputInferenceError
    sizes = [getattr(size, "value", size) for size in shape]
    free = IMAGE if len(sizes) >= 4 else SEQUENCE
    return tuple(
        (BATCH if axis == 0 else free) if size is None else int(size)
        for axis, size in enumerate(sizes)
    )


def _token_counts(model: Model) -> list[int]:
    """How many tokens the layers know: `Embedding(input_dim)`, `CategoryEncoding(num_tokens)`."""
    counts = []
    for layer in variables.layers(model):
        for attribute in ("input_dim", "num_tokens"):
            count = getattr(layer, attribute, None)
            if isinstance(count, int) and count > 0:
                counts.append(count)
    return counts
