"""A functional model is traced once for all sizes of a batch, where its layers can be."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip.portable import calling


@pytest.mark.parametrize(("needs_size", "sizes"), [(False, [None]), (True, [None, 3, 1])])
def test_sizes_that_it_is_traced_with(
    tensorflow: ModuleType, needs_size: bool, sizes: list[int | None]
) -> None:
    keras, traced = tensorflow.keras, list[Any]()

    class Tracing(keras.layers.Layer):  # type: ignore[misc,name-defined]
        is_strict = False

        def call(self, x: Any) -> Any:
            traced.append(x.shape[0])
            if self.is_strict and x.shape[0] is None:
                raise ValueError("the size of the batch is needed")
            return x * 2.0

    layer = Tracing()
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.is_strict = needs_size
    traced.clear()
    call = calling.caller(model)
    for size in (3, 1):
        outputs = call([np.ones((size, 2), np.float32)], {"training": False})
        np.testing.assert_array_equal(outputs, np.full((size, 2), 2.0, np.float32))
    assert traced == sizes
