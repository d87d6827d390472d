"""Arrays that both sides have do not travel."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pytest_modelroundtrip.portable import bits, codec
from pytest_modelroundtrip.portable.known_arrays import (
    BY_HASH,
    Digests,
    has_values,
    with_known,
    without_known,
)
from pytest_modelroundtrip.portable.tensors import KnownArray

WEIGHT = np.arange(4096, dtype=np.float32)


@pytest.mark.parametrize("check", BY_HASH)
def test_what_is_known_travels_as_a_hash(check: str) -> None:
    known = Digests().of({check: [WEIGHT]})
    sent = codec.dump(without_known({check: [WEIGHT.copy(), 1.5, "x"]}, known))
    assert len(sent) < 300
    received = with_known(codec.load(sent), known)
    seen, *others = received[check]
    assert np.shares_memory(seen, WEIGHT) and not seen.flags.writeable
    assert others == [1.5, "x"]


def test_what_is_compared_by_its_size_travels_whole() -> None:
    seen = {"outputs": [WEIGHT], "training": {"changes": WEIGHT}}
    assert without_known(seen, Digests().of([WEIGHT])) == seen


@pytest.mark.parametrize(
    "other",
    [
        np.where(np.arange(4096) == 7, np.float32(7.0000005), WEIGHT),
        WEIGHT.view(np.int32),
        WEIGHT.reshape(64, 64),
        -WEIGHT,
    ],
    ids=["last bit", "dtype", "shape", "zero"],
)
def test_what_differs_travels_whole(other: np.typing.NDArray[np.generic]) -> None:
    sent = without_known({"weights": other}, Digests().of([WEIGHT]))
    assert isinstance(sent["weights"], np.ndarray)
    assert with_known(codec.load(codec.dump(sent)), {})["weights"].tobytes() == other.tobytes()


def test_a_large_array_is_hashed_in_pieces_and_each_bit_of_it_counts() -> None:
    size = 2 * bits.HASHED_PIECE + 5
    large = np.arange(size, dtype=np.uint32).astype(np.uint8)
    others = [large[:-1], large.view(np.int8)]
    for at in (0, bits.HASHED_PIECE, size - 1):
        other = large.copy()
        other[at] ^= 1
        others.append(other)
    exchanged = large.copy()
    exchanged[: bits.HASHED_PIECE] = 1
    pieces = np.array_split(exchanged, [bits.HASHED_PIECE, 2 * bits.HASHED_PIECE])
    others += [exchanged, np.concatenate([pieces[1], pieces[0], pieces[2]])]
    hashes = [bits.digest(array) for array in [large, *others]]
    assert len({*hashes}) == len(hashes)
    assert bits.digest(large.copy()) == hashes[0]


PIECE = bits.HASHED_PIECE


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("float32", ()),
        ("bool", (0, 1 << 20)),
        ("complex128", (64, 64)),
        ("int8", (PIECE,)),
        ("int8", (PIECE + 1,)),
        ("float64", (2, PIECE // 8)),
        ("uint16", (5, PIECE // 8)),
    ],
)
def test_the_hash_of_zeros_is_that_of_an_array_of_zeros(dtype: str, shape: tuple[int, ...]) -> None:
    zeros = np.zeros(shape, dtype)
    assert bits.digest_of_zeros(zeros.dtype, shape) == bits.digest(zeros)
    assert not has_values(KnownArray(bits.digest(zeros), dtype, shape))
    assert has_values(KnownArray(bits.digest(zeros), dtype, (*shape, 1)))


def test_whether_a_known_array_has_values_is_asked_without_making_it() -> None:
    tracemalloc.start()
    try:
        assert has_values(KnownArray("x", "float32", (1 << 30,)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * PIECE


def test_small_arrays_and_strings_travel() -> None:
    nest = [WEIGHT[:1000], np.array([b"word"] * 5000, dtype=object)]
    assert Digests().of(nest) == {}


def test_a_hash_of_nothing_known_is_refused() -> None:
    with pytest.raises(ValueError, match="an array that is not known: 'abc'"):
        with_known({"weights": [KnownArray("abc", "float32", (4,))]}, Digests().of([WEIGHT]))


def test_memory_that_changes_hands_is_hashed_anew() -> None:
    """Views are hashed once; of a copy, whose memory may be another one's next, nothing is kept."""
    digests = Digests()
    memory = np.zeros(8192, np.float32)
    (first,) = digests.of([memory])
    memory[0] = 1
    (second,) = digests.of([memory])
    assert first != second
    (view,) = digests.of([memory[:4096]])
    memory[1] = 1
    assert [*digests.of([memory[:4096]])] == [view]
