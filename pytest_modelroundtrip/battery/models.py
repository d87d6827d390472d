"""Whether a layer works inside of models, and comes back with them from their configs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np

from ..portable import tensors
from ..portable.aliases import Model, Nest, Plain
from ..portable.comparing import Tolerance
from ..portable.comparing.json import compare_json
from ..portable.models import calling
from .case import LayerCase, NotApplicableError, transfer


def check_sequential(case: LayerCase) -> Iterator[str]:
    """The layer alone in a `Sequential`."""
    ends = [*case.args, *case.kwargs, case.outputs]
    if len(ends) != 2 or not all(isinstance(end, np.ndarray) for end in ends):
        raise NotApplicableError
    (symbol,) = _symbols(case)
    yield from _rebuilt(case, case.keras.Sequential([symbol, case.layer]))


def check_functional(case: LayerCase) -> Iterator[str]:
    """The layer in a functional model."""
    yield from _rebuilt(case, _functional(case, _on_flat_inputs(case)))


def check_nested(case: LayerCase) -> Iterator[str]:
    """The layer in a functional model in another one."""
    yield from _rebuilt(case, _around(case, _functional(case, _on_flat_inputs(case))))


def check_nested_twice(case: LayerCase) -> Iterator[str]:
    """The layer in a functional model in another one in a third."""
    inner = _functional(case, _on_flat_inputs(case))
    yield from _rebuilt(case, _around(case, _around(case, inner)))


def check_batch(case: LayerCase) -> Iterator[str]:
    """A functional model with a batch of any size takes one more than the given."""
    if case.is_stateful:
        raise NotApplicableError
    model = _functional(case, _on_flat_inputs(case))
    longer = [np.concatenate([leaf, leaf[:1]]) for leaf in _flat_inputs(case)]
    outputs = _called(case, model, longer)
    symbolic = [leaf for _, leaf in tensors.leaves(model.outputs)]
    returned = [leaf for _, leaf in tensors.leaves(outputs)]
    for symbol, leaf in zip(symbolic, returned, strict=True):
        if not hasattr(leaf, "shape"):
            raise NotApplicableError  # ragged or sparse
        announced = tuple(symbol.shape)
        sizes = zip(announced, leaf.shape, strict=False)
        if len(announced) != leaf.ndim or any(one not in (None, other) for one, other in sizes):
            batch = len(longer[0])
            yield f"the model declares {announced}; for a batch of {batch} it returns {leaf.shape}"


def _rebuilt(case: LayerCase, model: Model) -> Iterator[str]:
    """What differs between a model and the one that is rebuilt from its JSON."""
    inputs = _flat_inputs(case)
    expected = _called(case, model, inputs)
    flat = [leaf for _, leaf in tensors.leaves(expected)]
    original = [leaf for _, leaf in tensors.leaves(case.outputs)]
    for difference in case.compared(flat, original):
        yield f"in the model, before it is rebuilt: {difference}"
    text = model.to_json()
    copy = case.keras.models.model_from_json(text)
    configs = json.loads(text), json.loads(copy.to_json())
    yield from compare_json("config", *configs, Tolerance()).differences
    transfer(model, copy)
    yield from case.compared(_called(case, copy, inputs), expected)


def _functional(case: LayerCase, call: Callable[[list[Nest]], Nest]) -> Model:
    symbols = _symbols(case)
    return case.keras.Model(symbols if len(symbols) > 1 else symbols[0], call(symbols))


def _around(case: LayerCase, inner: Model) -> Model:
    return _functional(case, lambda symbols: inner(symbols if len(symbols) > 1 else symbols[0]))


def _on_flat_inputs(case: LayerCase) -> Callable[[list[Nest]], Nest]:
    """The call of the layer, as a function of all arrays of its arguments in a row."""

    def call(flat: list[Nest]) -> Nest:
        rest = iter(flat)

        def filled(leaf: Plain) -> Nest:
            return next(rest) if isinstance(leaf, np.ndarray) else leaf

        args = [tensors.map_leaves(filled, value) for value in case.args]
        kwargs = {name: tensors.map_leaves(filled, case.kwargs[name]) for name in case.kwargs}
        return case.layer(*args, **kwargs)

    return call


def _flat_inputs(case: LayerCase) -> list[Plain]:
    """The arrays of all arguments.

    Raises:
        NotApplicableError: where a model cannot be made of them.
    """
    values = [*case.args, *case.kwargs.values()]
    found: list[Plain] = []
    tensors.map_leaves(found.append, values)
    if any(isinstance(leaf, tensors.LEAVES) for leaf in found):
        raise NotApplicableError
    arrays = [leaf for leaf in found if isinstance(leaf, np.ndarray)]
    if not arrays or not all(leaf.ndim for leaf in arrays):
        raise NotApplicableError
    return arrays


def _symbols(case: LayerCase) -> list[Nest]:
    """An `Input` for each array; a layer with a state for each row needs the size of the batch."""

    def symbol(leaf: Plain) -> Nest:
        dtype = "string" if leaf.dtype == object else leaf.dtype.name
        batch = len(leaf) if case.is_stateful else None
        return case.keras.Input(leaf.shape[1:], batch_size=batch, dtype=dtype)

    return [symbol(leaf) for leaf in _flat_inputs(case)]


def _called(case: LayerCase, model: Model, inputs: list[Plain]) -> Plain:
    given = calling.to_tensors(model, inputs if len(inputs) > 1 else inputs[0])
    return case.in_state(model, lambda: model(given, training=False))
