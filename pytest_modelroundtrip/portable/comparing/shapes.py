"""Shapes of tensors in which a size, or the whole shape, may be unknown."""

from __future__ import annotations

from typing import List, Optional

Shape = Optional[List[Optional[int]]]  # a size is None where it is free; None: any shape


def accepts(shape: Shape, given: Shape) -> bool:
    """Whether what has this shape takes all that `given` takes: no axis has become fixed."""
    if shape is None or given is None:
        return shape is None
    if len(shape) != len(given):
        return False
    return all(size is None or size == other for size, other in zip(shape, given))
