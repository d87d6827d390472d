"""Whether a layer computes in 16 bits and keeps its weights in 32, where the policy says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..portable import tensors
from ..portable.aliases import Layer, Plain
from ..portable.comparing import is_floating
from ..portable.models import variables
from .case import LayerCase, NotApplicableError, transfer

# in the error where the machine cannot compute an operation in 16 bits: no fault of the layer
NO_KERNEL = "Could not find device for node"


def check_float16(case: LayerCase) -> Iterator[str]:
    """Under the policy `mixed_float16`."""
    return _check(case, "mixed_float16", "float16")


def check_bfloat16(case: LayerCase) -> Iterator[str]:
    """Under the policy `mixed_bfloat16`."""
    return _check(case, "mixed_bfloat16", "bfloat16")


def _check(case: LayerCase, policy: str, compute_dtype: str) -> Iterator[str]:
    if "float32" not in (case.layer.compute_dtype, case.layer.dtype):
        raise NotApplicableError  # it computes in integers, strings, or in 16 bits already
    try:
        copy = _under_policy(case, policy, compute_dtype)
    except Exception as error:
        if NO_KERNEL in str(error):
            raise NotApplicableError from None
        raise
    for weight in copy.weights:
        dtype = variables.value_of(weight).dtype
        if is_floating(dtype) and dtype.name != "float32":
            yield f"the weight {weight.name} is {dtype.name}; the policy keeps it in float32"
    transfer(case.layer, copy)
    actual = list(tensors.leaves(case.called(copy, compute_dtype)))
    for (path, leaf), (_, before) in zip(actual, tensors.leaves(case.outputs), strict=True):
        if not isinstance(leaf, np.ndarray) or not is_floating(leaf.dtype):
            continue
        if leaf.dtype.name != compute_dtype:
            yield f"output{path} is {leaf.dtype.name}; the policy computes in {compute_dtype}"
        if _are_finite(before) and not _are_finite(leaf):
            yield f"output{path} has NaN or infinity; in float32 it has none"


def _under_policy(case: LayerCase, policy: str, compute_dtype: str) -> Layer:
    """A copy that was made, built and called under the policy."""
    precision = case.keras.mixed_precision
    before = precision.global_policy()
    config = case.layer.get_config()
    precision.set_global_policy(policy)
    try:
        copy = type(case.layer).from_config(_with_policy(config, policy))
        case.called(copy, compute_dtype)
    finally:
        precision.set_global_policy(before)
    return copy


def _with_policy(config: Any, policy: str) -> Any:
    """A config in which a layer and those inside of it have the policy instead of float32."""
    if isinstance(config, dict):
        return {
            key: policy if key == "dtype" and _is_float32(value) else _with_policy(value, policy)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        items = [_with_policy(item, policy) for item in config]
        return tuple(items) if isinstance(config, tuple) else items
    return config


def _is_float32(dtype: Any) -> bool:
    """Whether it is float32, as a name or as Keras writes a policy."""
    written = dtype.get("config") if isinstance(dtype, dict) else None
    return dtype == "float32" or (isinstance(written, dict) and written.get("name") == "float32")


def _are_finite(array: Plain) -> bool:
    return bool(np.isfinite(np.asarray(array, np.float64)).all())
