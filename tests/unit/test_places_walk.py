"""The walk through a model and the user's own objects: whatever these do, and however many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip.portable.models import model_weights, optimizers, places
from pytest_modelroundtrip.portable.models.plain_attributes import MAX_ARRAY_BYTES, plain_attributes


class Holder:
    """Holds what it is given."""

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


class ByKey:
    """Like many configs, it raises a KeyError for each attribute that it lacks."""

    def __init__(self) -> None:
        self.values = {"rate": 0.5}

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["values"][name]


class Raising:
    """Each attribute that a layer, a metric, a variable or a tensor has is a property of it."""

    weights = update_state = assign = dtype = shape = apply_gradients = property(
        lambda self: self.missing
    )

    @property
    def missing(self) -> Any:
        """Whatever is asked."""
        raise RuntimeError("not built yet")

    __bool__ = __len__ = lambda self, *_: self.missing
    __eq__ = __repr__ = lambda self, *_: self.missing  # type: ignore[assignment]
    __hash__ = object.__hash__


@pytest.mark.parametrize("own", [ByKey(), Raising()], ids=["by key", "raising"])
def test_objects_that_raise_when_they_are_asked(own: Any) -> None:
    holder = Holder(held=own, listed=[own], rate=0.5)
    assert [place.key for place in places.places(holder)] == ["", ".held"]
    assert plain_attributes(holder) == {"rate": 0.5}
    assert not model_weights.is_variable(own)
    assert not optimizers.held_optimizers(holder)


class Endless:
    """Like the calls of a mock, it has every attribute, and these have every attribute."""

    def __getattr__(self, name: str) -> Any:
        return type(self)()


class Annotated:
    """Its class has an attribute that raises, and one that has no end of wrappers."""

    def __init__(self) -> None:
        self._rate = 0.5

    def rate(self) -> float:
        """It is mentioned here."""
        return self._rate


def test_names_in_the_code_of_a_class_with_attributes_that_raise() -> None:
    for name, held in (("raising", ByKey()), ("endless", Endless())):
        setattr(Annotated, name, held)
    assert plain_attributes(Annotated()) == {"_rate": 0.5}


def test_large_arrays_of_strings_are_compared_by_what_they_hold() -> None:
    words = [f"word {number}".encode() for number in range(MAX_ARRAY_BYTES // 8 + 1)]
    one, same, other = (
        plain_attributes(Holder(words=np.array(held, dtype=object)))["words"]
        for held in (words, [bytes(bytearray(word)) for word in words], [*words[:-1], b"another"])
    )
    assert one == same and one != other and "SHA-256" in one


def test_containers_that_hold_each_other() -> None:
    nodes: list[dict[str, Any]] = [{"held": Holder()} for _ in range(9)]
    for node in nodes:
        node["others"] = nodes
    found = places.places(Holder(nodes=nodes))
    assert len(found) == 1 + len(nodes)


def test_what_is_plain_in_containers_is_passed_over() -> None:
    holder = Holder(words={"a": 1, "b": "x"}, numbers=[1.5, None, True], own={"c": [1, Holder()]})
    assert [key for key, _ in places.attribute_items(holder)] == [".own['c'][1]"]


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("ConvLSTM2D", "conv_lstm2d_1"),
        ("ConvLSTM2D", "conv_lst_m2d_1"),
        ("VGG16Block", "vgg16_block_3"),
        ("_Hidden", "private__hidden_2"),
        ("Functional", "model_4"),
        ("Dense", "dense"),
    ],
)
def test_names_that_keras_counts_are_known(class_name: str, name: str) -> None:
    layer = type(class_name, (), {"name": name})()
    ((key, held),) = places._by_name([layer])
    assert key.endswith("#0") and held is layer


def test_a_slot_named_as_a_rate_is_a_slot() -> None:
    class Named(Holder):
        def numpy(self) -> Any:
            return np.float32(1)

        assign = numpy

    class Rprop:
        name = "rprop"

        def __init__(self, weight: Any) -> None:
            names = ("iteration", "learning_rate", "dense/kernel_learning_rate")
            self._trainable_variables = [weight]
            self.variables = [Named(name=name, path=f"rprop/{name}") for name in names]

        def apply_gradients(self) -> None:
            """What makes it an optimizer."""

    kernel = model_weights.Weight("dense/kernel", Named(name="kernel"), True, "/dense#0:kernel")
    found = optimizers.weights_of_optimizers([("optimizer", Rprop(kernel.variable))], [kernel])
    paths = [weight.path for weight in found]
    assert len(paths) == 2 and paths[1].endswith("learning_rate") and "dense" in paths[1]
