"""`records`: plain nests are checked against the annotations of the record."""

from __future__ import annotations

import enum
from typing import Any, List, NamedTuple  # noqa: UP035 (as in portable)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelroundtrip.portable.aliases import Array, Plain
from pytest_modelroundtrip.portable.records import from_plain, to_plain
from pytest_modelroundtrip.portable.tensors import PartOutput, Ragged


class Point(NamedTuple):
    """A record inside others."""

    x: int
    y: float = 0.5


class Color(str, enum.Enum):
    """A closed set."""

    RED = "red"
    BLUE = "blue"


class Everything(NamedTuple):
    """Each kind of annotation."""

    flag: bool
    number: int
    size: float
    text: str
    color: Color
    array: Array
    anything: Plain
    maybe: Point | None
    points: list[Point]
    names: tuple[str, ...]
    by_name: dict[str, list[int]]
    nested: dict[int, dict[str, Any] | None]


RAGGED = Ragged(np.ones(1), (np.array([0, 1]),))
RECORD = Everything(
    flag=True,
    number=3,
    size=2.5,
    text="text",
    color=Color.RED,
    array=np.ones(2),
    anything={"x": [1, RAGGED, PartOutput("encoder")]},
    maybe=Point(1),
    points=[Point(1), Point(2, 3.0)],
    names=("a", "b"),
    by_name={"a": [1, 2]},
    nested={1: None, 2: {"x": 5}},
)


class Valued(str, enum.Enum):
    """As a model may have one: its members are texts, and have other values."""

    FAST = "fast"

    def __init__(self, text: str) -> None:
        self._value_ = f"not {text}"


def test_the_text_of_an_enum_member_is_sent() -> None:
    assert to_plain([Valued.FAST, Color.RED]) == ["fast", "red"]


def test_a_record_becomes_dicts_and_lists() -> None:
    plain = to_plain(RECORD)
    assert plain == {
        **RECORD._asdict(),
        "maybe": {"x": 1, "y": 0.5},
        "points": [{"x": 1, "y": 0.5}, {"x": 2, "y": 3.0}],
        "names": ["a", "b"],
    }
    assert plain["anything"]["x"][1] is RAGGED
    assert type(plain["color"]) is str
    assert to_plain((Point(1), {"key": [Point(2)]})) == [
        {"x": 1, "y": 0.5},
        {"key": [{"x": 2, "y": 0.5}]},
    ]


def test_it_comes_back_with_the_types_of_its_annotations() -> None:
    record = from_plain(Everything, to_plain(RECORD))
    assert record == RECORD
    assert type(record) is Everything
    assert [type(point) for point in record.points] == [Point, Point]
    assert record.color is Color.RED and from_plain(Color, "blue") is Color.BLUE
    assert type(record.maybe) is Point and type(record.names) is tuple


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        ("flag", 1, "Everything.flag: bool is expected, not int"),
        ("flag", None, "Everything.flag: bool is expected, not NoneType"),
        ("number", True, "Everything.number: int is expected, not bool"),
        ("number", 1.0, "Everything.number: int is expected, not float"),
        ("number", np.array(1), "Everything.number: int is expected, not ndarray"),
        ("size", True, "Everything.size: float is expected, not bool"),
        ("size", "1", "Everything.size: float is expected, not str"),
        ("size", 10**400, "Everything.size: float is expected, not int"),
        ("text", 1, "Everything.text: str is expected, not int"),
        ("text", None, "Everything.text: str is expected, not NoneType"),
        ("color", "green", "Everything.color: one of 'red', 'blue' is expected, not str"),
        ("color", ["red"], "Everything.color: one of 'red', 'blue' is expected, not list"),
        ("color", np.ones(2), "Everything.color: one of 'red', 'blue' is expected, not ndarray"),
        ("array", [1], "Everything.array: an array is expected, not list"),
        ("array", RAGGED, "Everything.array: an array is expected, not Ragged"),
        ("maybe", [], "Everything.maybe: a dict is expected, not list"),
        ("maybe", {"x": None}, "Everything.maybe.x: int is expected, not NoneType"),
        ("points", {"x": 1}, "Everything.points: a list is expected, not dict"),
        ("points", None, "Everything.points: a list is expected, not NoneType"),
        ("points", [{"x": 1}, None], r"Everything.points\[1\]: a dict is expected, not NoneType"),
        ("points", [{"x": 1}, {}], r"Everything.points\[1\]: the field x is expected, not dict"),
        ("names", "ab", "Everything.names: a list is expected, not str"),
        ("names", ["a", 1], r"Everything.names\[1\]: str is expected, not int"),
        ("by_name", [], "Everything.by_name: a dict is expected, not list"),
        ("by_name", {1: []}, "Everything.by_name: str is expected, not int"),
        ("by_name", {"a": [True]}, r"Everything.by_name\['a'\]\[0\]: int is expected, not bool"),
        ("nested", {True: None}, "Everything.nested: int is expected, not bool"),
        ("nested", {1: {2: 3}}, r"Everything.nested\[1\]: str is expected, not int"),
    ],
)
def test_a_wrong_type_is_named_with_its_place(field: str, wrong: Plain, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        from_plain(Everything, {**to_plain(RECORD), field: wrong})


def test_an_integer_does_for_a_float() -> None:
    point = from_plain(Point, {"x": 1, "y": 2})
    assert point == Point(1, 2.0) and type(point.y) is float


def test_a_default_stands_for_a_missing_field() -> None:
    assert from_plain(Point, {"x": 1}) == Point(1, 0.5)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({}, "point: the field x is expected, not dict"),
        ({"x": 1, "z": 2, 3: 4}, "point: no field 3, z is expected, not dict"),
        ({"y": 1.0, "z": 2}, "point: no field z is expected, not dict"),
        ([1, 2.0], "point: a dict is expected, not list"),
        (None, "point: a dict is expected, not NoneType"),
    ],
)
def test_missing_and_unknown_fields_are_refused(plain: Plain, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        from_plain(Point, plain, "point")


def test_what_is_not_a_record() -> None:
    assert from_plain(List[Point], [{"x": 1}]) == [Point(1)]  # noqa: UP006 (as in portable)
    with pytest.raises(ValueError, match=r"^sighting\[0\]\.x: int is expected, not str$"):
        from_plain(List[Point], [{"x": "1"}], "sighting")  # noqa: UP006


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(np.ones(1)),
    lambda nests: (
        st.lists(nests, max_size=3)
        | st.dictionaries(st.sampled_from(Everything._fields) | st.integers(), nests, max_size=3)
    ),
    max_leaves=10,
)


@given(st.sampled_from(Everything._fields), JSON)
def test_a_record_or_value_error(field: str, wrong: Plain) -> None:
    try:
        record = from_plain(Everything, {**to_plain(RECORD), field: wrong})
    except ValueError:
        return
    assert to_plain(record).keys() == to_plain(RECORD).keys()
