"""Whether the shapes and dtypes that a layer announces are those that it returns."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..portable import tensors
from ..portable.aliases import Array, Nest, Plain
from .case import LayerCase, NotApplicableError, takes

OutputShape = tuple[int | None, ...]


def check_shape(case: LayerCase) -> Iterator[str]:
    """`compute_output_shape`, for the batch of the inputs and for a batch of any size."""
    method = case.layer.compute_output_shape
    if _is_of_keras(case, "compute_output_shape") or not _takes_all(case, method):
        raise NotApplicableError
    for is_free in (False, True):
        shape = functools.partial(shape_of, is_free=is_free)
        args = [tensors.map_leaves(shape, value) for value in case.args]
        named = {
            f"{name}_shape": shape(value)
            for name, value in case.kwargs.items()
            if takes(method, f"{name}_shape")
        }
        said = list(_flat(method(*args, **named)))
        shown = ", ".join(map(str, [*args, *named.values()]))
        yield from _differing(f"compute_output_shape({shown})", said, _returned_shapes(case))


def check_spec(case: LayerCase) -> Iterator[str]:
    """`compute_output_spec`: shapes and dtypes, for the batch of the inputs and for any."""
    if not hasattr(case.layer, "compute_output_spec"):
        raise NotApplicableError  # of Keras 3
    for is_free in (False, True):
        args, kwargs = (_symbols(case, value, is_free) for value in (case.args, case.kwargs))
        spec = case.layer.compute_output_spec(*args, **kwargs)
        leaves = [leaf for _, leaf in tensors.leaves(spec)]
        said = [tuple(leaf.shape) for leaf in leaves]
        what = f"compute_output_spec for a batch of {'any' if is_free else 'this'} size"
        yield from _differing(what, said, _returned_shapes(case))
        dtypes = [str(leaf.dtype) for leaf in leaves]
        returned = [_dtype(leaf) for leaf in _returned(case)]
        if dtypes != returned:
            yield f"{what} returns {', '.join(dtypes)}; the call returns {', '.join(returned)}"


def _is_of_keras(case: LayerCase, name: str) -> bool:
    """Whether the layer has this method from Keras' base class, which announces nothing."""
    return getattr(type(case.layer), name) is getattr(case.keras.layers.Layer, name)


def _takes_all(case: LayerCase, method: Callable[..., Any]) -> bool:
    """Whether it can be called with a shape for each argument: in Keras 2 some take one only."""
    try:
        inspect.signature(method).bind(*case.args)
    except TypeError:
        return False
    return True


def _symbols(case: LayerCase, value: Plain, is_free: bool) -> Nest:
    def symbol(leaf: Plain) -> Nest:
        if not hasattr(leaf, "dtype"):
            return leaf
        return case.keras.KerasTensor(shape_of(leaf, is_free), dtype=_dtype(leaf))

    return tensors.map_leaves(symbol, value)


def shape_of(leaf: Plain, is_free: bool) -> OutputShape | None:
    """The shape of an input; None for what is not an array.

    Raises:
        NotApplicableError: for ragged and sparse tensors.
    """
    if isinstance(leaf, tensors.LEAVES):
        raise NotApplicableError
    if not hasattr(leaf, "shape"):
        return None
    return (None, *leaf.shape[1:]) if is_free and leaf.ndim else tuple(leaf.shape)


def _returned(case: LayerCase) -> list[Array]:
    leaves = [leaf for _, leaf in tensors.leaves(case.outputs)]
    if not all(hasattr(leaf, "dtype") for leaf in leaves):
        raise NotApplicableError  # ragged or sparse
    return leaves


def _returned_shapes(case: LayerCase) -> list[OutputShape]:
    return [tuple(leaf.shape) for leaf in _returned(case)]


def _dtype(array: Array) -> str:
    return "string" if array.dtype == object else array.dtype.name


def _flat(said: Any) -> Iterator[OutputShape]:
    """The shapes in a nest of shapes, in the order of `tensors.leaves`."""
    if hasattr(said, "as_list"):
        said = tuple(said.as_list())
    if isinstance(said, dict):
        for key in sorted(said, key=str):
            yield from _flat(said[key])
    elif all(size is None or isinstance(size, int) for size in said):
        yield tuple(said)
    else:
        for item in said:
            yield from _flat(item)


def _differing(
    what: str, said: Sequence[OutputShape], returned: Sequence[OutputShape]
) -> Iterator[str]:
    """What was announced and is not so; None stands for any size."""
    if len(said) != len(returned):
        yield f"{what} returns {len(said)} outputs; the call returns {len(returned)}"
        return
    for one, other in zip(said, returned, strict=True):
        sizes = zip(one, other, strict=False)
        if len(one) != len(other) or any(size not in (None, real) for size, real in sizes):
            yield f"{what} returns {one}; the call returns {other}"
