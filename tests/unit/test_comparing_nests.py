"""How two nests are compared: structure, keys, order, and each leaf at its path."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.comparing import EXACT, Tolerance
from pytest_modelroundtrip.portable.comparing.nests import compare_nests
from pytest_modelroundtrip.portable.tensors import PartOutput, Ragged, Sparse

ONE, TWO = np.array([1.0]), np.array([2.0])


def differences(expected: Plain, actual: Plain, tolerance: Tolerance = EXACT) -> list[str]:
    return compare_nests("outputs", expected, actual, tolerance).differences


EQUAL = [
    (ONE, ONE.copy()),
    ([ONE, TWO], (ONE, TWO)),
    ((), []),
    ({"a": ONE, "b": TWO}, {"b": TWO, "a": ONE}),
    ({1: ONE, "1": TWO, None: TWO}, {None: TWO, 1: ONE, "1": TWO}),
    ([[], {}, [[ONE]]], ([], {}, ((ONE,),))),
    (float("nan"), float("nan")),
    (Ragged(ONE, (ONE,)), Ragged(ONE, (ONE,))),
    ({np.str_("a"): ONE}, {"a": ONE}),
]


@pytest.mark.parametrize(("expected", "actual"), EQUAL, ids=str)
def test_equal_nests(expected: Plain, actual: Plain) -> None:
    assert differences(expected, actual) == differences(actual, expected) == []


@pytest.mark.parametrize(
    ("expected", "actual", "texts"),
    [
        ([ONE], [], ["outputs[0] is missing after the reload"]),
        ([], [ONE], ["outputs[0] is not in the original"]),
        ({"a": ONE}, {}, ["outputs['a'] is missing after the reload"]),
        ({"a": ONE}, {"b": ONE}, [
            "outputs['a'] is missing after the reload",
            "outputs['b'] is not in the original",
        ]),
        ({"a": []}, {}, ["outputs['a'] is missing after the reload"]),
        ([], [{}], ["outputs[0] is not in the original"]),
        ({"a": {"x": ONE, "y": [ONE, []]}}, {}, [
            "outputs['a']['x'] is missing after the reload",
            "outputs['a']['y'][0] is missing after the reload",
            "outputs['a']['y'][1] is missing after the reload",
        ]),
        ({1: ONE}, {"1": ONE}, [
            "outputs[1] is missing after the reload",
            "outputs['1'] is not in the original",
        ]),
        ({1: ONE}, {1.0: ONE}, [
            "outputs[1] is missing after the reload",
            "outputs[1.0] is not in the original",
        ]),
        ({True: ONE}, {1: ONE}, [
            "outputs[True] is missing after the reload",
            "outputs[1] is not in the original",
        ]),
        ({None: ONE}, {"None": ONE}, [
            "outputs[None] is missing after the reload",
            "outputs['None'] is not in the original",
        ]),
        ([], {}, ["outputs was an empty list and is now an empty dict"]),
        ({}, None, ["outputs was an empty dict and is now None"]),
        (ONE, [], ["outputs was an array float64[1] and is now an empty list"]),
        ([ONE, TWO], {0: ONE, 1: TWO}, ["outputs was a list of 2 and is now a dict of 0, 1"]),
        ([[ONE]], [ONE], ["outputs[0] was a list of 1 and is now an array float64[1]"]),
        ({"a": {"b": ONE}}, {"a": ONE},
         ["outputs['a'] was a dict of 'b' and is now an array float64[1]"]),
        (Sparse(ONE, ONE, ONE), [ONE, ONE, ONE],
         ["outputs was a sparse tensor and is now a list of 3"]),
        (Ragged(ONE, (ONE,)), [ONE, (ONE,)],
         ["outputs was a ragged tensor and is now a list of 2"]),
        (PartOutput("a"), PartOutput("b"),
         ["outputs was PartOutput(part='a') and is now PartOutput(part='b')"]),
        ([True], [1], ["outputs[0] was True and is now 1"]),
    ],
    ids=str,
)  # fmt: skip
def test_structure(expected: Plain, actual: Plain, texts: list[str]) -> None:
    assert differences(expected, actual) == texts
    assert len(differences(actual, expected)) > 0


def test_leaves_are_compared_at_their_paths_in_the_order_of_sorted_keys() -> None:
    expected = {"b": [ONE, TWO], "a": ONE}
    actual = {"b": [ONE, ONE + 8], "a": ONE + 7}
    text = "outputs%s differs in 1 of 1 elements; the largest difference at [0]: %s (%d ulp)"
    assert differences(expected, actual) == [
        text % ("['a']", "1.0 is now 8.0", 3 << 52),
        text % ("['b'][1]", "2.0 is now 9.0", 17 << 49),
    ]


def test_values_that_were_swapped() -> None:
    first, second = differences({"a": ONE, "b": TWO}, {"a": TWO, "b": ONE})
    assert first.endswith("(4503599627370496 ulp): it holds the value of ['b']")
    assert second.endswith(": it holds the value of ['a']")
    (text,) = differences([ONE, TWO, {}], [ONE, ONE, {}])
    assert text.endswith("): it holds the value of [0]")
    (text,) = differences([ONE, TWO], [ONE, ONE + 8])
    assert "holds" not in text


def test_what_is_compared_and_measured() -> None:
    near = ONE + 1e-12
    found = compare_nests("x", {"a": [ONE, 1.0, []], "b": TWO}, {"a": [near, 1.0, []]}, Tolerance())
    assert (found.compared, found.max_ulp, found.bits_differ) == (2, 4504, True)
    assert found.differences == ["x['b'] is missing after the reload"]
    assert compare_nests("x", [ONE], [near], Tolerance()).outcome == "close"
    assert compare_nests("x", [ONE], [near], EXACT).outcome == "differs"
    assert compare_nests("x", [ONE], [ONE], EXACT).outcome == "exact"
    assert compare_nests("x", [[], {}], [[], {}], EXACT).outcome == "n/a"


# properties

LEAVES = st.one_of(
    st.sampled_from([ONE, TWO, ONE.astype("float32"), np.array(b"a", object), np.zeros(0)]),
    st.sampled_from([None, True, False, 0, 1, 0.0, -0.0, float("nan"), "", "a"]),
    st.sampled_from([Ragged(ONE, (ONE,)), Sparse(ONE, ONE, ONE), PartOutput("a")]),
)
KEYS = st.sampled_from(["a", "b", "1", 1, 2, 2.5, None])
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def changed(nest: Plain) -> Iterator[Plain]:
    """The nest with one thing changed, in every way."""
    if isinstance(nest, dict):
        yield {**nest, "new": ONE}
        yield {**nest, "new": []}
        yield list(nest.values())
        for key, item in nest.items():
            rest = {other: nest[other] for other in nest if other != key}
            yield rest
            yield {**rest, f"{key} ": item}
            yield from ({**nest, key: other} for other in changed(item))
    elif isinstance(nest, list):
        yield [*nest, ONE]
        yield [*nest, {}]
        yield dict(enumerate(nest))
        for position, item in enumerate(nest):
            before, after = nest[:position], nest[position + 1 :]
            yield before + after
            yield from ([*before, other, *after] for other in changed(item))
    else:
        yield from ([], {}, [nest], {0: nest})
        yield from (other for other in (TWO + 1, 7, 7.5, "other") if other is not nest)


@given(NESTS)
def test_every_single_change_is_seen(nest: Plain) -> None:
    assert differences(nest, nest) == []
    for other in changed(nest):
        assert differences(nest, other), other
        assert differences(other, nest), other


@given(st.permutations([ONE, TWO, 1.0, [], {}, None]))
def test_every_change_of_order_is_seen(items: list[Plain]) -> None:
    ordered = [ONE, TWO, 1.0, [], {}, None]
    same = [str(item) for item in items] == [str(item) for item in ordered]
    assert (differences(ordered, items) == []) is same


@given(NESTS, NESTS)
def test_no_pair_of_nests_raises(one: Plain, other: Plain) -> None:
    assert bool(differences(one, other)) == bool(differences(other, one))
    assert len(differences(one, other, Tolerance())) <= len(differences(one, other))
