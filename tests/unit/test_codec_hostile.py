"""`codec`: no bytes raise anything but ValueError, and what they claim is not believed."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_nests import NESTS, SCALARS, nested

from pytest_modelroundtrip.portable import codec
from pytest_modelroundtrip.portable.aliases import Json, Plain
from pytest_modelroundtrip.portable.tensors import (
    DTYPES,
)

pytestmark = pytest.mark.usefixtures("no_tensorflow")


def framed(structure: Json, payload: bytes = b"") -> bytes:
    """The bytes that have this structure, which need not be JSON, and these arrays."""
    text = structure if isinstance(structure, bytes) else json.dumps(structure).encode()
    return len(text).to_bytes(8, "little") + text + payload


def load_safely(data: bytes) -> None:
    """Load bytes, which may raise nothing but ValueError."""
    try:
        value = codec.load(data)
    except ValueError:
        return
    codec.dump(value)


@given(st.binary(max_size=200) | st.binary(max_size=100).map(framed))
def test_random_bytes(data: bytes) -> None:
    load_safely(data)


@given(NESTS, st.data())
def test_damaged_bytes(value: Plain, data: st.DataObject) -> None:
    damaged = bytearray(codec.dump(value))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    load_safely(bytes(damaged))


@given(NESTS, st.data())
def test_bytes_that_are_cut_or_too_many(value: Plain, data: st.DataObject) -> None:
    whole = codec.dump(value)
    with pytest.raises(ValueError):
        codec.load(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ValueError, match=r"^1 bytes too many$"):
        codec.load(whole + b"x")


KINDS = ("dict", "list", "part output", "ragged", "sparse", "strings", "array", "unknown")
SIZES = st.integers(0, 3) | st.sampled_from([-1, 2**31, 2**61, 2**62, 2**63, 2**64, 10**30])
JSON = st.recursive(
    SCALARS | SIZES | st.sampled_from([*DTYPES, "object", "void", "O", "<f4"]),
    lambda nodes: (
        st.lists(nodes, max_size=3)
        | st.dictionaries(st.sampled_from(KINDS), nodes, min_size=1, max_size=1)
        | st.dictionaries(st.text(max_size=3), nodes, max_size=2)
        | st.tuples(st.lists(SIZES, max_size=3), st.sampled_from(DTYPES)).map(
            lambda content: {"array": list(content)}
        )
        | st.tuples(st.lists(SIZES, max_size=2), st.lists(SIZES, max_size=3)).map(
            lambda content: {"strings": list(content)}
        )
        | st.lists(st.lists(nodes, min_size=2, max_size=2), max_size=3).map(
            lambda content: {"dict": content}
        )
    ),
    max_leaves=6,
)


@given(JSON, st.binary(max_size=40))
def test_hostile_structures(structure: Json, payload: bytes) -> None:
    load_safely(framed(structure, payload))


FLOATS = {"array": [[2], "float32"]}
SPLITS = {"array": [[2], "int64"]}
HUGE = b"[" * 100_000

HOSTILE: list[tuple[Json, str]] = [
    ([], "a node is expected"),
    ([1, 2], r"a node is expected, not \[1, 2\]$"),
    ({}, "a node is expected"),
    ({"list": [], "dict": []}, "a node is expected"),
    ({"tuple": []}, "a kind of node is expected, not 'tuple'$"),
    ({"list": {}}, "a list is expected"),
    ({"list": "ab"}, "a list is expected, not 'ab'$"),
    ({"list": [[]]}, "a node is expected"),
    ({"dict": [["a", 1, 2]]}, "a list of 2 is expected"),
    ({"dict": [["a"]]}, "a list of 2 is expected"),
    ({"dict": ["ab"]}, "a list of 2 is expected, not 'ab'$"),
    ({"dict": {"a": 1}}, "a list is expected"),
    ({"dict": [["a", 1], ["a", 2]]}, "a new key is expected, not 'a'"),
    ({"dict": [[1, 1], [True, 2]]}, "a new key is expected, not True"),
    ({"dict": [[[], 1]]}, "a new key is expected"),
    ({"dict": [[{}, 1]]}, "a new key is expected"),
    ({"part output": 1}, "the name of a part is expected, not 1$"),
    ({"part output": None}, "the name of a part is expected"),
    ({"array": [[2]]}, "a list of 2 is expected"),
    ({"array": [[1], "object"]}, "a dtype is expected, not 'object'"),
    ({"array": [[1], "O"]}, "a dtype is expected"),
    ({"array": [[1], "<f4"]}, "a dtype is expected, not '<f4'$"),
    ({"array": [[1], ["float32"]]}, "a dtype is expected"),
    ({"array": [[1], None]}, "a dtype is expected"),
    ({"array": [2, "int8"]}, "a list is expected"),
    ({"array": [[-1], "int8"]}, "a size is expected, not -1"),
    ({"array": [[-2, -2], "int8"]}, "a size is expected"),
    ({"array": [[True], "int8"]}, "a size is expected, not True"),
    ({"array": [[1.0], "int8"]}, "a size is expected"),
    ({"array": [["1"], "int8"]}, "a size is expected"),
    ({"array": [[None], "int8"]}, "a size is expected"),
    ({"array": [[[1]], "int8"]}, "a size is expected"),
    (b'{"array": [[NaN], "int8"]}', "a size is expected, not nan"),
    (b'{"array": [[Infinity], "int8"]}', "a size is expected, not inf"),
    ({"array": [[2**62], "int8"]}, "a size is expected"),
    ({"array": [[10**100], "int8"]}, "a size is expected"),
    ({"array": [[2**40], "int8"]}, "incomplete: 1099511627768 bytes are missing$"),
    ({"array": [[2**32, 2**32], "int8"]}, "incomplete: [0-9]+ bytes are missing$"),
    ({"array": [[2**61, 8], "int8"]}, "incomplete: [0-9]+ bytes are missing$"),
    ({"array": [[2], "float64"]}, "incomplete: 8 bytes are missing$"),
    ({"array": [[0, 2**61, 2**61], "int8"]}, ".*(too big|cannot reshape)"),
    ({"array": [[2**62 - 1, 0], "float64"]}, ".*(too big|cannot reshape)"),
    ({"array": [[1] * 33, "float64"]}, r"a shape is expected, not \[1, 1, "),
    ({"strings": [[2], [4]]}, r"strings of the shape \(2,\) is expected, not 1"),
    ({"strings": [[], []]}, "strings of the shape"),
    ({"strings": [[1], [9]]}, "incomplete: 1 bytes are missing$"),
    ({"strings": [[2], [8, 1]]}, "incomplete: 1 bytes are missing$"),
    ({"strings": [[1], [-1]]}, "a size is expected"),
    ({"strings": [[1], [True]]}, "a size is expected"),
    ({"strings": [[1], [2**40]]}, "incomplete: [0-9]+ bytes are missing$"),
    ({"strings": [[2**40], [8]]}, "strings of the shape"),
    ({"strings": [[1, 2**40], [8]]}, "strings of the shape"),
    ({"strings": [[0, 2**61, 2**61], []]}, "(strings of the shape|.* too big)"),
    ({"strings": [[1] * 33, [8]]}, "a shape is expected"),
    ({"strings": [["a"], [8]]}, "a size is expected"),
    ({"strings": [1, [8]]}, "a list is expected"),
    ({"strings": [[1], 8]}, "a list is expected"),
    ({"strings": [[1]]}, "a list of 2 is expected"),
    ({"known array": ["x", "float32", [2**62]]}, "a size is expected"),
    ({"known array": ["x", "float32", [2**50]]}, r"the shape of an array is expected, not \(1125"),
    ({"known array": ["x", "int8", [2**20, 2**21]]}, "the shape of an array is expected"),
    ({"known array": ["x", "float31", [4]]}, "unknown dtype 'float31'$"),
    ({"known array": ["x", ["float32"], [4]]}, "a dtype is expected"),
    ({"known array": [1, "float32", [4]]}, "a hash is expected, not 1$"),
    ({"ragged": [[], FLOATS]}, r"row splits is expected, not \[\]$"),
    ({"ragged": [[FLOATS], SPLITS]}, "row splits is expected"),
    ({"ragged": [[{"array": [[1, 1], "int64"]}], FLOATS]}, "row splits is expected"),
    ({"ragged": [[{"array": [[], "int64"]}], FLOATS]}, "row splits is expected"),
    ({"ragged": [[{"array": [[1], "uint64"]}], FLOATS]}, "row splits is expected"),
    ({"ragged": [[[0, 1]], FLOATS]}, "a node is expected"),
    ({"ragged": [[1], FLOATS]}, "an array is expected, not 1$"),
    ({"ragged": [[{"list": []}], FLOATS]}, "an array is expected"),
    ({"ragged": [[{"array": [[1], "int64"]}], 1]}, "an array is expected"),
    ({"ragged": [{"array": [[1], "int64"]}, FLOATS]}, "a list is expected"),
    ({"ragged": [FLOATS]}, "a list of 2 is expected"),
    ({"sparse": [FLOATS, 1, 1]}, "an array is expected"),
    ({"sparse": [FLOATS]}, "a list of 3 is expected"),
    (b"", "Expecting value"),
    (b"{", "Expecting property name"),
    (b"\xff\xfe", ".* codec can't decode"),
    (b'"\xed\xa0"', ".* codec can't decode"),
    (b"1" * 5000 + b"x", "(Exceeds the limit|Extra data)"),
    (b'{"list": [' + b"1" * 5000 + b', {"x": 0}]}', "(Exceeds the limit|a kind of node)"),
    (b'{"array": [[' + b"1" * 5000 + b'], "int8"]}', "(Exceeds the limit|a size)"),
    (HUGE, "nested too deeply$"),
    (HUGE + b"]" * len(HUGE), "nested too deeply$"),
    (b'{"list":[' * 101 + b"]}" * 101, "nested too deeply$"),
    (b'{"list":' + b"[" * 900 + b"]" * 900 + b"}", "(a node is expected|nested too deeply)"),
    (b'{"x":' * 900 + b"1" + b"}" * 900, "(a kind of node is expected|nested too deeply)"),
]


@pytest.mark.parametrize(("structure", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_claims_that_are_not_true_are_refused(structure: Json, message: str) -> None:
    data = framed(structure, bytes(8))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"^{message}"):
            codec.load(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 + 100 * len(data)


def test_the_length_of_the_json_is_not_believed() -> None:
    for size in (3, 2**40, 2**63, 2**64 - 1):
        with pytest.raises(ValueError, match=f"^incomplete: {size - 2} bytes are missing$"):
            codec.load(size.to_bytes(8, "little") + b"[]")
    with pytest.raises(ValueError, match=r"^incomplete: 7 bytes$"):
        codec.load(bytes(7))
    with pytest.raises(ValueError, match=r"^Expecting value"):
        codec.load(bytes(8))


def test_the_depth_is_counted_anew_for_each_sibling() -> None:
    many: list[Plain] = [[]] * 200
    assert codec.load(codec.dump(many)) == many
    deep: Json = {"list": []}
    for _ in range(97):
        deep = {"list": [deep]}
    siblings = {"list": [{"list": []}, {"list": []}, deep]}
    assert codec.load(framed({"list": [siblings]})) == [[[], [], nested(97, [])]]
    with pytest.raises(ValueError, match=r"^nested too deeply$"):
        codec.load(framed({"list": [{"list": [siblings]}]}))


def test_the_shape_of_nothing_may_be_wide() -> None:
    assert codec.load(framed({"array": [[0, 2**40], "int8"]})).shape == (0, 2**40)


def test_keys_with_one_hash_are_bounded() -> None:
    """A dict compares each of them with all others: 64 MB of such keys would take days."""
    keys = [number * (2**61 - 1) for number in range(101)]
    assert [*codec.load(codec.dump(dict.fromkeys(keys[1:])))] == keys[1:]
    with pytest.raises(ValueError, match=r"^101 keys are numbers, of which 101 have one hash$"):
        codec.load(codec.dump(dict.fromkeys(keys)))
    words = dict.fromkeys(range(codec.MAX_NUMBERS), "word")  # as an index of words has them
    assert codec.load(codec.dump(words)) == words
    words[-7] = "one more"
    with pytest.raises(ValueError, match=r"^100001 keys are numbers"):
        codec.load(codec.dump(words))
