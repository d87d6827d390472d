"""A functional model is traced once for all sizes of a batch, where that works."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip.portable.models import calling


@pytest.mark.parametrize(
    ("fails", "sizes"),
    [("never", [None]), ("when it is traced", [None, 3, 1]), ("when it runs", [None, 3, 1])],
)
def test_sizes_that_it_is_traced_with(
    tensorflow: ModuleType, fails: str, sizes: list[int | None]
) -> None:
    tf, traced = tensorflow, list[Any]()

    class Tracing(tf.keras.layers.Layer):  # type: ignore[misc,name-defined]
        is_made = False

        def call(self, x: Any) -> Any:
            traced.append(x.shape[0])
            if self.is_made and x.shape[0] is None and fails == "when it is traced":
                raise ValueError("the size of the batch is needed")
            is_wrong = self.is_made and x.shape[0] is None and fails == "when it runs"
            wrong = [tf.debugging.Assert(tf.reduce_sum(x) < 0, [x])] if is_wrong else []
            with tf.control_dependencies(wrong):
                return x * 2.0

    layer = Tracing()
    model = tf.keras.Sequential([tf.keras.Input((2,)), layer])
    layer.is_made = True
    traced.clear()
    call = calling.caller(model)
    for size in (3, 1):
        outputs = call([np.ones((size, 2), np.float32)], {"training": False})
        np.testing.assert_array_equal(outputs, np.full((size, 2), 2.0, np.float32))
    assert traced == sizes
