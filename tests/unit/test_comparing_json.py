"""How two configs are compared: what Keras writes differently is not a difference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelroundtrip.portable.aliases import Json
from pytest_modelroundtrip.portable.comparing import EXACT, Tolerance
from pytest_modelroundtrip.portable.comparing.json import compare_json, differences, same_scalar
from pytest_modelroundtrip.portable.comparing.shapes import Shape, accepts

VERSIONS = Tolerance(across_versions=True)
NAN = float("nan")


def texts(expected: Json, actual: Json, tolerance: Tolerance = EXACT) -> list[str]:
    return compare_json("c", expected, actual, tolerance).differences


@pytest.mark.parametrize(
    ("expected", "actual", "text"),
    [
        ({"units": 1}, {"units": 2}, "c.units: 1 is now 2"),
        ({"name": "a"}, {"name": None}, "c.name: 'a' is now None"),
        ({"rate": 0.5}, {}, "c.rate: 0.5 is missing after the reload"),
        ({}, {"rate": 0.5}, "c.rate: 0.5 is not in the original"),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, "c.a[1].b: 2 is now 3"),
        ({"a": [1, 2]}, {"a": [1]}, "c.a: [1, 2] is now [1]"),
        ({"a": [1]}, {"a": {"0": 1}}, "c.a: [1] is now {'0': 1}"),
        ([], {}, "c: [] is now {}"),
        ({"a": {}}, {"a": None}, "c.a: {} is now None"),
        ({"a": True}, {"a": 1}, "c.a: True is now 1"),
        ({"a": 0}, {"a": False}, "c.a: 0 is now False"),
        ({"a": "1"}, {"a": 1}, "c.a: '1' is now 1"),
        ({"a": NAN}, {"a": 1.0}, "c.a: nan is now 1.0"),
        ({"class_name": "A"}, {"class_name": "B"}, "c.class_name: 'A' is now 'B'"),
        ({"class_name": "P>A"}, {"class_name": "A>P"}, "c.class_name: 'P>A' is now 'A>P'"),
        ({"class_name": "A"}, {}, "c.class_name: 'A' is missing after the reload"),
        ({"class_name": "A"}, {"class_name": 3}, "c.class_name: 'A' is now 3"),
        ({"module": "a"}, {"module": "b"}, "c.module: 'a' is now 'b'"),
        ({"module": "a"}, {"module": "keras.layers"}, "c.module: 'a' is now 'keras.layers'"),
        ({"registered_name": "a"}, {"registered_name": ""},
         "c.registered_name: 'a' is now ''"),
        ({"config": {"a": 1}}, {"config": {"a": 2}}, "c.config.a: 1 is now 2"),
        ({"batch_shape": [None, 2]}, {"batch_shape": [1, 2]},
         "c.batch_shape[0]: None is now 1"),
        ({"batch_shape": [2]}, {"batch_shape": [2, 2]}, "c.batch_shape: [2] is now [2, 2]"),
        ({"batch_shape": [2]}, {"batch_shape": None}, "c.batch_shape: [2] is now None"),
        ({"batch_shape": [2]}, {"batch_shape": "x"}, "c.batch_shape: [2] is now 'x'"),
        ({"batch_shape": ["x"]}, {"batch_shape": [None]},
         "c.batch_shape[0]: 'x' is now None"),
        ({"shape": [2]}, {"shape": [None]}, "c.shape[0]: 2 is now None"),
        ({"class_name": "Lambda", "config": {"a": 1}}, {"class_name": "A", "config": {"a": 1}},
         "c.class_name: 'Lambda' is now 'A'"),
    ],
    ids=str,
)  # fmt: skip
def test_differences(expected: Json, actual: Json, text: str) -> None:
    assert texts(expected, actual) == [text]
    assert len(texts(actual, expected)) == 1 or "batch_shape" in text
    assert texts(expected, expected) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"rate": 1}, {"rate": 1.0}),
        ({"batch_input_shape": [None, 2]}, {}),
        ({"rate": NAN}, {"rate": float("nan")}),
        *[({key: 1, "a": 0}, {key: 2, "a": 0}) for key in (
            "trainable", "build_config", "shared_object_id"
        )],
        *[({"class_name": "TextVectorization", "config": {key: ["a"], "b": 0}},
           {"class_name": "TextVectorization", "config": {key: ["c"], "b": 0}})
          for key in ("vocabulary", "idf_weights")],
        ({"name": "dense"}, {"name": "dense_12"}),
        ({"noise_shape": None}, {}),
        ({}, {"noise_shape": None}),
        ({"module": "keras._legacy.layers"}, {"module": "keras.layers"}),
        # a stand-in of Keras 2 for a class that it does not know
        ({"module": "acme.layers"}, {"module": "keras.src.saving.legacy.saved_model.load"}),
        # what comes out of a set
        ({"tags": ["a", "b", "c"]}, {"tags": ["c", "a", "b"]}),
        *[({key: "x"}, other) for key in ("module", "registered_name", "config")
          for other in ({}, {key: None})],
        ({"class_name": "Custom>Scale"}, {"class_name": "Scale"}),
        ({"class_name": "a>Scale"}, {"class_name": "b>Scale"}),
        ({"class_name": "Lambda", "config": {"function": "x"}},
         {"class_name": "Lambda", "config": {"function": "y"}}),
        *[({key: [3, 2]}, {key: [None, 2]}) for key in (
            "batch_input_shape", "batch_shape", "build_input_shape"
        )],
        ({"batch_shape": []}, {"batch_shape": []}),
    ],
    ids=str,
)  # fmt: skip
def test_what_keras_writes_differently_is_not_a_difference(expected: Json, actual: Json) -> None:
    assert texts(expected, actual) == []


def test_a_key_of_the_users_own_is_compared_whatever_its_name() -> None:
    one, other = ({"class_name": "Tagger", "config": {"vocabulary": [tag]}} for tag in "ab")
    assert texts(one, other) == ["c.config.vocabulary[0]: 'a' is now 'b'"]


def test_one_comparison_is_counted() -> None:
    found = compare_json("compile", {"a": 1, "b": 2}, {"a": 1, "b": 3}, EXACT)
    assert (found.compared, found.outcome) == (1, "differs")
    assert compare_json("compile", None, None, EXACT).outcome == "exact"


@pytest.mark.parametrize("key", ["class_name", "module", "registered_name", "implementation"])
def test_across_versions_names_may_change(key: str) -> None:
    expected, actual = {"layers": [{key: "a"}]}, {"layers": [{key: "b"}]}
    assert len(texts(expected, actual)) == 1
    assert texts(expected, actual, VERSIONS) == []


@pytest.mark.parametrize(
    ("expected", "actual", "count"),
    [
        ({"a": 1}, {"a": 2}, 1),
        ({"a": "x"}, {"a": 2.0}, 1),
        ({"a": True}, {"a": False}, 1),
        ({"a": 1}, {}, 0),
        ({}, {"a": 1}, 0),
        ({"a": 1}, {"a": None}, 0),
        ({"a": None}, {"a": 1}, 0),
        ({"a": "x"}, {"a": {"class_name": "x"}}, 0),
        ({"a": [1]}, {"a": "x"}, 0),
        ({"my_module": 1}, {"my_module": 2}, 1),
    ],
    ids=str,
)
def test_across_versions_plain_values_on_both_sides_count(
    expected: Json, actual: Json, count: int
) -> None:
    assert len(texts(expected, actual, VERSIONS)) == count
    assert len(texts(expected, actual)) == 1


def test_scalars() -> None:
    assert same_scalar(NAN, float("nan")) and same_scalar(None, None) and same_scalar(0, 0.0)
    assert same_scalar(-0.0, -0.0) and same_scalar(True, True) and same_scalar(1, 1.0)
    for one, other in (
        (NAN, 1.0),
        (0.0, -0.0),
        (-0.0, 0),
        (True, 1),
        (False, 0),
        (1, 2),
        ("a", "b"),
        (None, 0),
        ([], []),
        (1, [1]),
        ({}, {}),
    ):
        assert not same_scalar(one, other)
        assert not same_scalar(other, one)


def test_what_is_not_json_differs() -> None:
    array = np.ones(2)
    for one, other in ((array, array.copy()), (array, 1.0), (1.0, array), (array, [1.0])):
        assert not same_scalar(one, other)
        for key in ("rate", "class_name", "batch_shape", "module"):
            assert len(texts({key: one}, {key: other})) == 1


@pytest.mark.parametrize(
    ("shape", "given_shape", "expected"),
    [
        (None, None, True),
        (None, [2], True),
        ([2], None, False),
        ([2], [2], True),
        ([None], [2], True),
        ([2], [None], False),
        ([None], [None], True),
        ([3], [2], False),
        ([2, 2], [2], False),
        ([2], [2, 2], False),
        ([], [], True),
        ([None, 3], [2, 4], False),
    ],
)
def test_a_shape_accepts_another(shape: Shape, given_shape: Shape, expected: bool) -> None:
    assert accepts(shape, given_shape) is expected


# properties

KEYS = st.sampled_from(["a", "b", "class_name", "config", "batch_shape", "module", "trainable"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.floats() | st.sampled_from(["a", "Lambda"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_a_config_equals_itself(config: Json) -> None:
    assert texts(config, config) == []


@given(JSON, JSON)
def test_no_configs_raise(one: Json, other: Json) -> None:
    assert len(texts(one, other, VERSIONS)) <= len(texts(one, other))
    for difference in differences(one, other, "config"):
        assert difference.path.startswith("config")


@given(JSON, st.integers(3, 9))
def test_a_changed_value_is_seen_wherever_it_stands(config: Json, value: int) -> None:
    for around in ({"x": [config, {"y": 1}]}, [[{"x": 1, "rest": config}]]):
        other = {"x": [config, {"y": value}]} if "x" in around else [[{"x": value, "rest": config}]]
        (difference,) = differences(around, other, "config")
        assert (difference.expected, difference.actual) == (1, value)
