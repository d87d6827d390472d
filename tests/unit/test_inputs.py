"""Inputs that are made from a spec."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.reference import inputs


@dataclass
class Spec:
    """What a tensor spec has."""

    shape: tuple[int | None, ...] | None
    dtype: str


class Function:
    """A traced function, as far as its signature goes."""

    def __init__(self, *specs: object) -> None:
        self.input_signature = specs


class Served:
    """A model with a function for serving."""

    def __init__(self, *specs: object) -> None:
        self.serve = Function(*specs)


def made(*specs: object) -> list[Plain]:
    """The inputs of a model with these specs."""
    args, kwargs = inputs.infer(Served(*specs))
    assert kwargs == {}
    return args


def test_free_axes_are_filled_and_the_batch_is_three() -> None:
    (x,) = made(Spec((None, 4), "float32"))
    assert (x.shape, x.dtype) == ((3, 4), np.float32)
    assert made(Spec((None, None), "float64"))[0].shape == (3, 8)
    assert made(Spec((None, None, None, 3), "float32"))[0].shape == (3, 32, 32, 3)
    assert made(Spec((2, None), "float32"))[0].shape == (2, 8)


def test_each_dtype_has_values_of_its_kind() -> None:
    integers, flags, words = made(
        Spec((None, 50), "int64"), Spec((None, 50), "bool"), Spec((None, 9), "string")
    )
    assert integers.dtype == np.int64 and 0 <= integers.min() < integers.max() < 10
    assert flags.dtype == bool and flags.any() and not flags.all()
    assert all(isinstance(word, bytes) for word in words.ravel())
    assert b"" in words and any(
        word.decode() != word.decode("ascii", "ignore") for word in words[0]
    )


def test_nests_and_what_is_not_a_spec_are_kept() -> None:
    (nest, default) = made({"b": [Spec((None,), "int32")], "a": Spec((1,), "int32")}, 0.5)
    assert [*nest] == ["a", "b"] and nest["b"][0].shape == (3,)
    assert default == 0.5


def test_the_same_inputs_each_time() -> None:
    first, second = (made(Spec((None, 4), "float32"))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_what_cannot_be_inferred() -> None:
    with pytest.raises(inputs.InputInferenceError):
        inputs.infer(object())
    with pytest.raises(inputs.InputInferenceError):
        made(Spec(None, "float32"))
