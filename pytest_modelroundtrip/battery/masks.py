"""Whether the masks that a layer takes and returns fit what it computes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..portable import tensors
from ..portable.aliases import Plain
from ..portable.models import calling
from .case import LayerCase, NotApplicableError, takes


def check_mask(case: LayerCase) -> Iterator[str]:
    """`compute_mask` fits the outputs, and a mask that hides nothing changes nothing."""
    layer = case.layer
    if not layer.supports_masking or not case.args or "mask" in case.kwargs:
        raise NotApplicableError
    masks = tensors.map_leaves(_hides_nothing, case.args[0])
    inputs, given = calling.to_tensors(layer, [case.args[0], masks])
    returned = tensors.to_numpy(layer.compute_mask(inputs, given))
    yield from _fits(case, returned)
    is_whole = len(case.args) == 1 and masks is not None
    if is_whole and takes(layer.call, "mask"):
        for difference in case.compared(case.called(layer, mask=given)):
            yield f"called with a mask that hides nothing: {difference}"


def _hides_nothing(leaf: Plain) -> Plain:
    """A mask of the batch and the steps of a sequence; None for what is not one."""
    is_sequence = isinstance(leaf, np.ndarray) and leaf.ndim >= 3 and leaf.dtype.kind == "f"
    return np.ones(leaf.shape[:2], bool) if is_sequence else None


def _fits(case: LayerCase, masks: Plain) -> Iterator[str]:
    """What is wrong with computed masks: each covers the first axes of its output."""
    outputs = [leaf for _, leaf in tensors.leaves(case.outputs)]
    found = [leaf for _, leaf in tensors.leaves(masks)]
    if len(found) > len(outputs):
        yield f"compute_mask returns {len(found)} masks for {len(outputs)} outputs"
    for mask, output in zip(found, outputs, strict=False):
        if mask is None or not hasattr(output, "shape"):
            continue
        if mask.dtype != bool:
            yield f"compute_mask returns {mask.dtype.name}, not bool"
        covered = output.shape[: mask.ndim]
        sizes = zip(mask.shape, covered, strict=False)
        if len(covered) != mask.ndim or any(one not in (1, other) for one, other in sizes):
            shapes = f"{list(mask.shape)} for an output {list(output.shape)}"
            yield f"compute_mask returns a mask of the shape {shapes}"
