"""The dtypes that NumPy does not have, in tests: skipped where ml_dtypes is not installed."""

from __future__ import annotations

import pytest

from pytest_modelroundtrip.portable.aliases import DType
from pytest_modelroundtrip.portable.tensors import dtype_named


def dtype_or_skip(name: str) -> DType:
    """The dtype of that name; the test is skipped where this interpreter lacks it."""
    try:
        return dtype_named(name)
    except ValueError as error:
        pytest.skip(str(error))
