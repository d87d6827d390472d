"""Inputs for a model that was returned without any: from its input spec, seeded, in NumPy form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .portable import calling, library, tensors, variables

SEED = 20260101
BATCH = 3
SEQUENCE, IMAGE = 8, 32  # lengths given to axes that the spec leaves free
INTEGERS = 10  # below this, where no layer says how many there are
WORDS = (
    "the quick brown fox jumps over a lazy dog", "", "naïve café", "данные", "数据 模型", "hello", "Ünïcödé wörds", "x",
)  # fmt: skip


class CannotInfer(Exception):
    """The model does not say what it is called with."""


def infer(model: Any) -> tuple[list[Any], dict[str, Any]]:
    """Arguments to call the model with.

    Integers stay below the smallest number of tokens of its layers; strings are words, some empty, some not ASCII.

    Raises:
        CannotInfer: when neither an input spec, nor a `tf.function` input signature, nor a serving signature tells.
    """
    maker = _Maker(model)
    if library.generation(model):
        return [maker.value(_keras_spec(model))], {}
    for function in (model.__call__ if callable(model) else None, getattr(model, "serve", None)):
        signature = getattr(function, "input_signature", None)
        if signature is not None:
            return [maker.value(spec) for spec in signature], {}
        concrete = getattr(function, "concrete_functions", None)
        if concrete:
            args, kwargs = concrete[0].structured_input_signature
            return [maker.value(spec) for spec in args], {name: maker.value(spec) for name, spec in kwargs.items()}
    if getattr(model, "signatures", None) and not callable(model):
        specs = calling.serving_signature(model.signatures).structured_input_signature[1]
        return [], {name: maker.value(specs[name]) for name in sorted(specs)}
    raise CannotInfer


def has_fixed_batch(model: Any) -> bool:
    """Whether the model was declared for one batch size; Keras 2 itself does not mind another."""
    symbolic = getattr(model, "inputs", None) if library.is_graph(model) else None
    return any(tensor.shape[0] is not None for tensor in symbolic or ())


class _Spec(NamedTuple):
    shape: Sequence[int | None]
    dtype: str


def _keras_spec(model: Any) -> Any:
    """The nest of symbolic inputs of a functional or sequential model, or what a subclass was built with."""
    if library.is_graph(model):
        symbolic = getattr(model, "inputs", None)
        if symbolic:
            nest = getattr(model, "input", None) if type(model).__name__ != "Sequential" else None
            return nest if isinstance(nest, dict) else symbolic[0] if len(symbolic) == 1 else list(symbolic)
    if library.generation(model) == 2 and library.is_model(model) and model.save_spec():
        args, _ = model.save_spec()
        return args[0] if len(args) == 1 else list(args)
    built: dict[str, Any] = getattr(model, "get_build_config", dict)() or {}
    shape = built.get("input_shape")
    if not isinstance(shape, (list, tuple)) or not all(isinstance(size, (int, type(None))) for size in shape):
        raise CannotInfer
    if _token_counts(model):
        raise CannotInfer  # a shape without a dtype: whether it takes tokens cannot be told
    return _Spec([None, *shape[1:]], "float32")


class _Maker:
    def __init__(self, model: Any) -> None:
        self._random = np.random.default_rng(SEED)
        self._integers = min([INTEGERS, *_token_counts(model)])

    def value(self, spec: Any) -> Any:
        """A value for a nest of specs; what is no spec (a Python default) stays."""
        if isinstance(spec, dict):
            return {key: self.value(spec[key]) for key in sorted(spec)}
        if isinstance(spec, (list, tuple)) and not isinstance(spec, _Spec):
            return [self.value(item) for item in spec]
        if not hasattr(spec, "shape") or not hasattr(spec, "dtype"):
            return spec
        name = getattr(spec.dtype, "name", spec.dtype)
        return self._array(_filled(spec.shape), str(name))

    def _array(self, shape: tuple[int, ...], dtype: str) -> Any:
        if dtype == "string":
            return tensors.to_numpy(np.resize(np.array(WORDS, dtype=object), shape))
        if dtype == "bool":
            return self._random.integers(0, 2, shape).astype(bool)
        if "int" in dtype:
            return self._random.integers(0, self._integers, shape).astype(tensors.dtype_named(dtype))
        return self._random.normal(size=shape).astype(tensors.dtype_named(dtype))


def _filled(shape: Any) -> tuple[int, ...]:
    """The first axis is the batch; a free axis of an image is longer than one of a sequence."""
    if shape is None or getattr(shape, "rank", 0) is None:
        raise CannotInfer
    sizes = [getattr(size, "value", size) for size in shape]
    free = IMAGE if len(sizes) >= 4 else SEQUENCE
    return tuple((BATCH if axis == 0 else free) if size is None else int(size) for axis, size in enumerate(sizes))


def _token_counts(model: Any) -> list[int]:
    """How many tokens the layers know that look integers up: `Embedding(input_dim)`, `CategoryEncoding(num_tokens)`."""
    counts = []
    for layer in variables.layers(model):
        for attribute in ("input_dim", "num_tokens"):
            count = getattr(layer, attribute, None)
            if isinstance(count, int) and count > 0:
                counts.append(count)
    return counts
