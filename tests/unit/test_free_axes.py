"""Batches of other sizes: which axes are varied, and how."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pytest_modelroundtrip.portable.aliases import Array, Model, Plain
from pytest_modelroundtrip.portable.protocol import Batch
from pytest_modelroundtrip.portable.tensors import Ragged, Sparse
from pytest_modelroundtrip.reference import free_axes

Shape = tuple["int | None", ...]


def declaring(*shapes: Shape) -> Model:
    """A model with an input signature of these shapes."""
    signature = [SimpleNamespace(shape=shape, dtype="float32") for shape in shapes]
    return SimpleNamespace(serve=SimpleNamespace(input_signature=signature))


def sizes(*args: Plain, declared: tuple[Shape, ...] = (), **kwargs: Plain) -> free_axes.Sizes:
    return free_axes.Sizes(declaring(*declared) if declared else object(), list(args), kwargs)


def shapes(batches: list[Batch]) -> list[list[tuple[int, ...]]]:
    return [[arg.shape for arg in batch.args] for batch in batches]


def zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


def test_a_batch_of_another_size() -> None:
    x, y = np.arange(6).reshape(3, 2), np.array([b"a", b"b", b"c"], dtype=object)
    scalar, empty = np.float32(2), np.zeros((0,))
    found = sizes(x, [y], s=scalar, e=empty, t=True)
    assert found.together() == []
    (((name, (grown, listed), named),),) = found.apart()
    assert name == "a batch of another size"
    np.testing.assert_array_equal(grown, [[0, 1], [2, 3], [4, 5], [0, 1]])
    assert listed[0].tolist() == [b"a", b"b", b"c", b"a"]
    assert named == {"s": scalar, "e": empty, "t": True}


def test_a_ragged_batch_grows_by_an_empty_row() -> None:
    ragged = Ragged(np.arange(3), (np.array([0, 2, 3]), np.array([0, 1, 2, 3])))
    (((_, (grown,), _),),) = sizes(ragged).apart()
    assert grown.row_splits[0].tolist() == [0, 2, 3, 3]
    assert grown.row_splits[0].dtype == ragged.row_splits[0].dtype
    assert grown.values is ragged.values and grown.row_splits[1] is ragged.row_splits[1]


@pytest.mark.parametrize(
    "args",
    [
        [np.zeros((2, 1)), np.zeros((3, 1))],
        [np.zeros(())],
        [Sparse(np.zeros((1, 2), int), np.ones(1), np.array([3, 4]))],
        [],
    ],
    ids=["two sizes", "none", "sparse", "nothing"],
)
def test_no_common_batch_axis(args: list[Plain]) -> None:
    assert sizes(*args).apart() == []
    assert sizes(*args).together() == []


def test_all_free_axes_have_another_size_at_once() -> None:
    declared: tuple[Shape, ...] = ((None, None, 4), (None, None))
    found = sizes(zeros(3, 8, 4), zeros(3, 8), declared=declared)
    smaller, larger = [(4, 4, 4), (4, 4)], [(4, 16, 4), (4, 16)]
    assert shapes(found.together()) == [smaller, larger]
    assert [batch.name for batch in found.together()] == ["other sizes of all free axes"] * 2


def test_one_after_the_other_axes_of_one_size_stay_of_one_size() -> None:
    declared: tuple[Shape, ...] = ((None, None, None), (None, None))
    batch, of_6, of_8 = sizes(zeros(3, 8, 6), zeros(3, 8), declared=declared).apart()
    assert shapes(batch) == [[(4, 8, 6), (4, 8)]]
    assert shapes(of_6) == [[(3, 8, 3), (3, 8)], [(3, 8, 12), (3, 8)]]
    assert shapes(of_8) == [[(3, 4, 6), (3, 4)], [(3, 16, 6), (3, 16)]]
    assert [batches[0].name for batches in (of_6, of_8)] == [
        "another size of the axes of 6",
        "another size of the axes of 8",
    ]


def test_no_more_than_a_few_sizes_one_after_the_other() -> None:
    found = sizes(zeros(2, 3, 4, 5, 6), declared=((None, None, None, None, None),))
    assert len(found.apart()) == 1 + free_axes.MAX_APART


@pytest.mark.parametrize(
    ("size", "smaller", "larger"),
    [(1, 2, 2), (2, 1, 4), (3, 2, 6), (32, 16, 64), (48, 24, 80), (96, 64, 128), (224, 192, 256)],
)
def test_sizes_can_be_halved_as_often(size: int, smaller: int, larger: int) -> None:
    found = sizes(zeros(2, size), declared=((None, None),))
    assert shapes(found.together()) == [[(3, smaller)], [(3, larger)]]


def test_values_are_repeated_or_cut_off() -> None:
    small, large = sizes(np.arange(8).reshape(2, 4), declared=((None, None),)).together()
    np.testing.assert_array_equal(small.args[0], [[0, 1], [4, 5], [0, 1]])
    np.testing.assert_array_equal(large.args[0][1], [4, 5, 6, 7, 4, 5, 6, 7])


def test_fixed_axes_and_empty_ones_are_left_alone() -> None:
    assert sizes(zeros(2, 4), declared=((None, 4),)).together() == []
    assert sizes(zeros(2, 0), declared=((None, None),)).together() == []
    unlike: tuple[Shape, ...] = ((None, None), (None, None))
    assert sizes(zeros(2, 4), declared=unlike).together() == []  # another number of tensors
    assert sizes(zeros(2, 4), declared=((None,),)).together() == []  # another rank


def test_an_axis_that_is_called_with_another_size_than_was_declared_is_free() -> None:
    found = sizes(zeros(2, 4), declared=((None, 6),))
    assert shapes(found.together()) == [[(3, 2)], [(3, 8)]]
