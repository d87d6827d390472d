"""Batches of other sizes: each axis that the model leaves free gets another one."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from ..portable import keras_libs, tensors
from ..portable.aliases import Model, Nest, Plain
from ..portable.protocol import Batch
from ..portable.subject import ALL_RESIZED, RESIZED
from . import inputs

STEP = 32  # by how much a size changes, or by half or all of it where that is less
MAX_APART = 2  # how many sizes are varied one by one, where the model refuses all at once

DeclaredShape = Sequence["int | None"]
Axis = tuple[int, int]  # the id of a tensor among the arguments, and the axis


class Sizes:
    """What a model is called with, and which axes of it may have another size.

    The batch axis may, unless the model was declared for one size. Of the other axes those may for
    which the model declares no size, or another one than they have: what a functional model, a
    TensorFlow function or `build` was given. An axis that a subclassed model merely happens to
    accept in several sizes is not free: nothing says that it is meant to be.
    """

    def __init__(self, model: Model, args: Sequence[Plain], kwargs: Mapping[str, Plain]) -> None:
        self._args, self._kwargs = list(args), dict(kwargs)
        self._tensors = _tensors([self._args, self._kwargs])
        self._batch = set() if _has_fixed_batch(model) else self._batch_axes()
        declared = [*_declared_shapes(model, self._args)]
        self._others = {axis for shapes in declared for axis in self._free_axes(shapes)}

    def together(self) -> list[Batch]:
        """Each free axis with another size, batches to try in their order.

        First smaller sizes, which cost less, then larger ones, for what needs its size. Nothing
        where the batch axis alone is free.
        """
        every = self._batch | self._others
        steps = (-STEP, STEP) if self._others else ()
        return [self._resized(ALL_RESIZED, every, step) for step in steps]

    def apart(self) -> list[list[Batch]]:
        """The batch axis alone, then the axes of one size; of each, batches to try in their order.

        Axes of one size are varied together, since they may have to agree.
        """
        found = [[self._resized(RESIZED, self._batch, STEP)]] if self._batch else []
        for size in sorted({self._size(axis) for axis in self._others})[:MAX_APART]:
            axes = {axis for axis in self._others if self._size(axis) == size}
            name = f"another size of the axes of {size}"
            found.append([self._resized(name, axes, step) for step in (-STEP, STEP)])
        return found

    def _batch_axes(self) -> set[Axis]:
        """The first axis of each tensor, where that has one size; none with sparse tensors."""
        lengths = {_length(tensor) for tensor in self._tensors} - {None}
        is_sparse = any(isinstance(tensor, tensors.Sparse) for tensor in self._tensors)
        if len(lengths) != 1 or is_sparse:
            return set()
        return {(id(tensor), 0) for tensor in self._tensors if _length(tensor) is not None}

    def _free_axes(self, shapes: Sequence[DeclaredShape | None]) -> Iterator[Axis]:
        """The axes behind the first that were declared without a size, or with another one."""
        for tensor, shape in zip(self._tensors, shapes, strict=False):
            same = len(shapes) == len(self._tensors) and isinstance(tensor, np.ndarray)
            if same and shape is not None and len(shape) == tensor.ndim:
                for axis in range(1, tensor.ndim):
                    if tensor.shape[axis] not in (0, shape[axis]):
                        yield id(tensor), axis

    def _size(self, axis: Axis) -> int:
        sizes = (tensor.shape[axis[1]] for tensor in self._tensors if id(tensor) == axis[0])
        return int(next(sizes))

    def _resized(self, name: str, free: Collection[Axis], step: int) -> Batch:
        def resized(leaf: Plain) -> Plain:
            axes = sorted(axis for key, axis in free if key == id(leaf))
            if isinstance(leaf, tensors.Ragged):
                return _with_an_empty_row(leaf) if axes else leaf
            for axis in axes:
                size = leaf.shape[axis]
                positions = np.arange(_other_size(size, step) if axis else size + 1) % size
                leaf = np.take(leaf, positions, axis)
            return leaf

        args, kwargs = (tensors.map_leaves(resized, nest) for nest in (self._args, self._kwargs))
        return Batch(name, args, kwargs)


def _other_size(size: int, step: int) -> int:
    """Another size that can be halved as often, as models do with images."""
    if step > 0 or size == 1:
        return size + min(size, STEP)
    return size - min(size // 2, STEP)


def _length(tensor: Plain) -> int | None:
    """Of the batch axis; None where a tensor has none."""
    if isinstance(tensor, tensors.Ragged):
        return len(tensor.row_splits[0]) - 1
    return len(tensor) if isinstance(tensor, np.ndarray) and tensor.ndim and len(tensor) else None


def _with_an_empty_row(ragged: tensors.Ragged) -> tensors.Ragged:
    outer = ragged.row_splits[0]
    grown = np.append(outer, outer[-1:]).astype(outer.dtype)
    return tensors.Ragged(ragged.values, (grown, *ragged.row_splits[1:]))


def _tensors(nest: Plain) -> list[Plain]:
    kinds = (np.ndarray, tensors.Ragged, tensors.Sparse)
    return [leaf for _, leaf in tensors.leaves(nest) if isinstance(leaf, kinds)]


# what the model declares


def _has_fixed_batch(model: Model) -> bool:
    """Whether the model was declared for one batch size; Keras 2 itself does not mind another."""
    declared = keras_libs.symbolic(model, "inputs") if keras_libs.is_graph(model) else []
    return any(tensor.shape[0] is not None for tensor in declared)


def _declared_shapes(model: Model, args: Sequence[Plain]) -> Iterator[list[DeclaredShape | None]]:
    """What the model declares of the tensors that it is called with, from each source."""
    if keras_libs.is_graph(model):
        symbolic = keras_libs.symbolic(model, "inputs")
        named = dict(zip(getattr(model, "input_names", ()), symbolic, strict=False))
        if len(args) == 1 and isinstance(args[0], dict) and named.keys() == args[0].keys():
            yield _shapes_of(named)
            return
    with contextlib.suppress(Exception):  # it declares nothing, or code of the user's own raises
        yield _shapes_of(inputs.declared(model))
    if keras_libs.keras_major(model) and not keras_libs.is_graph(model):
        with contextlib.suppress(Exception):  # code of the user's own
            built: Nest = getattr(model, "get_build_config", dict)() or {}
            yield [*_built_shapes([*built.values()] if isinstance(built, dict) else built)]
        yield _shapes_of(getattr(model, "input_spec", None))


def _shapes_of(specs: Nest) -> list[DeclaredShape | None]:
    found = [leaf.shape for _, leaf in tensors.leaves(specs) if hasattr(leaf, "shape")]
    return [
        None if _is_unknown(shape) else [getattr(n, "value", n) for n in shape] for shape in found
    ]


def _is_unknown(shape: Nest) -> bool:
    return shape is None or getattr(shape, "rank", 0) is None


def _built_shapes(nest: Nest) -> Iterator[DeclaredShape]:
    """The shapes in a nest of shapes, in the order of the arguments."""
    if isinstance(nest, dict):
        nest = [nest[key] for key in sorted(nest, key=str)]
    if isinstance(nest, (list, tuple)):
        if nest and all(size is None or isinstance(size, int) for size in nest):
            yield nest
        else:
            for item in nest:
                yield from _built_shapes(item)
