"""The value of a variable is read without a copy, and stays what it was."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from pytest_modelroundtrip.portable.models.variables import StateSnapshot, value_of


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool"])
def test_no_assignment_changes_it(tensorflow: ModuleType, dtype: str) -> None:
    tf = tensorflow
    variable = tf.Variable(tf.cast(tf.range(6) % 2, dtype))
    seen, expected = value_of(variable), variable.numpy()

    @tf.function(jit_compile=dtype != "bool")  # type: ignore[untyped-decorator]
    def negate() -> None:
        variable.assign(tf.logical_not(variable) if dtype == "bool" else -variable)

    assert np.shares_memory(seen, value_of(variable))
    for change in (
        negate,
        negate,
        lambda: variable.scatter_nd_update([[0]], tf.cast([1], dtype)),
        lambda: variable.assign(tf.cast(tf.ones(6), dtype)),
        lambda: dtype == "bool" or variable.assign_add(tf.cast(tf.ones(6), dtype)),
    ):
        snapshot, before = StateSnapshot([variable]), value_of(variable).copy()
        change()
        assert (value_of(variable) == before).all() == (not snapshot.changed())
        assert (seen == expected).all()
    snapshot.restore()
    assert (value_of(variable) == before).all()
