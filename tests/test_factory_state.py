"""What a factory that seeds itself would hide: state that no file of weights holds."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from inner_runs import Run, version_of

IMPORTABLE = """
import numpy as np
import tensorflow as tf

K, L = tf.keras, tf.keras.layers
built = []


class Plain:
    def __init__(self, value):
        self.held = tf.Variable(value)


class Shift(L.Layer):
    def __init__(self, value, **kwargs):
        super().__init__(**kwargs)
        self.plain = Plain(value)

    def call(self, x):
        return x + self.plain.held


class Module(tf.Module):
    def __init__(self, value):
        super().__init__()
        self.held = tf.Variable(value)


class InModule(Shift):
    def __init__(self, value, **kwargs):
        super().__init__(0.0, **kwargs)
        self.plain = Module(value)


class Born(Shift):
    '''Seeds itself, and then draws what no file holds.'''

    def __init__(self, **kwargs):
        tf.random.set_seed(7)
        super().__init__(tf.random.normal([3]), **kwargs)


class Constant(Shift):
    def __init__(self, **kwargs):
        super().__init__(tf.ones([3]), **kwargs)


class Closed(L.Layer):
    '''Its variable is in no attribute.'''

    def __init__(self, value, **kwargs):
        super().__init__(**kwargs)
        variable = tf.Variable(value)
        self.add = lambda x: x + variable

    def call(self, x):
        return self.add(x)


def around(make, value):
    return K.Sequential([K.Input((3,)), L.Dense(3), make(value)])


def constant():
    tf.random.set_seed(7)
    return around(Shift, tf.ones([3]))


def random():
    tf.random.set_seed(7)
    return around(Shift, tf.random.normal([3]))


def module():
    tf.random.set_seed(7)
    return around(InModule, tf.random.normal([3]))


def initialized():
    K.utils.set_random_seed(7)
    return around(Shift, L.Dense(3, use_bias=False, name="made").kernel_initializer((3,)))


def born(cls):
    return K.Sequential([K.Input((3,)), L.Dense(3), cls()])


def closed():
    tf.random.set_seed(7)
    return around(Closed, tf.random.normal([3]))


def trained():
    model = constant()
    model.layers[-1].plain.held.assign([1.0, 2.0, 3.0])
    return model


def once():
    if built:
        raise ValueError("it is built already")
    built.append(True)
    return constant()


def layer():
    return L.Dense(2)


def bare():
    return L.Dense(2), np.ones((4, 3), "float32")


class Noise(L.Layer):
    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


def noisy():
    return around(lambda _: Noise(), None)
"""

Trip = Callable[..., pytest.RunResult]


@pytest.fixture
def trip(run: Run, pytester: pytest.Pytester) -> Trip:
    """A round trip of the weights of a model, rebuilt by a factory."""
    pytester.makepyfile(untracked=IMPORTABLE)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")

    def trip(model: str, factory: str, *checks: str) -> pytest.RunResult:
        marker = f"formats=['weights', 'checkpoint'], factory='untracked:{factory}'"
        if checks:
            marker += f", checks={list(checks)}"
        return run(
            f"import untracked\n@pytest.mark.roundtrip({marker})\n"
            f"def test_it():\n    return untracked.{model}()\n"
        )

    return trip


def test_a_constant_that_is_the_same_each_time_is_not_a_loss(trip: Trip) -> None:
    trip("constant", "constant").assert_outcomes(passed=2)


@pytest.mark.parametrize("model", ["random", "initialized"])
def test_what_begins_at_random_is_a_loss_though_the_factory_seeds_itself(
    trip: Trip, model: str
) -> None:
    result = trip(model, model)
    result.assert_outcomes(failed=2)
    text = " ".join(result.stdout.str().split())
    assert "plain/held differs in 3 of 3 elements" in text
    assert "it was not loaded, it holds the value that the rebuilt model had before" in text


def test_a_variable_of_a_module_in_a_layer(trip: Trip, tensorflow: ModuleType) -> None:
    """TensorFlow's checkpoint holds it, Keras' file of weights does not."""
    if version_of(tensorflow) < (2, 13):
        pytest.skip("this Keras may keep it")
    result = trip("module", "module")
    result.assert_outcomes(failed=1, passed=1)
    assert "it was not loaded, it holds the value that the rebuilt model had before" in " ".join(
        result.stdout.str().split()
    )


@pytest.mark.usefixtures("trip", "keras_format")
def test_what_a_constructor_draws_is_a_loss_though_it_seeds_itself(run: Run) -> None:
    source = """
import untracked

OBJECTS = {name: f"untracked:{name}" for name in ("Born", "Constant")}

@pytest.mark.roundtrip(formats=["keras"], custom_objects=OBJECTS)
@pytest.mark.parametrize("name", OBJECTS)
def test_it(name):
    return untracked.born(getattr(untracked, name))
"""
    result = run(source, "-rf")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["FAILED*Born*"])
    text = " ".join(result.stdout.str().split())
    assert "it was not loaded, it holds the value that the rebuilt model had before" in text


def test_a_variable_in_no_attribute_shows_in_the_outputs(trip: Trip) -> None:
    result = trip("closed", "closed")
    result.assert_outcomes(failed=2)
    assert "the weights are equal, the outputs differ" in result.stdout.str()


def test_what_was_trained_is_a_loss(trip: Trip) -> None:
    result = trip("trained", "constant")
    result.assert_outcomes(failed=2)
    assert "plain/held differs in 2 of 3 elements" in " ".join(result.stdout.str().split())


def test_a_factory_that_can_be_called_only_once(trip: Trip) -> None:
    trip("constant", "once").assert_outcomes(passed=2)


def test_a_factory_may_return_a_layer_as_the_test_does(trip: Trip) -> None:
    trip("bare", "layer").assert_outcomes(passed=2)


def test_a_model_may_draw_random_numbers_where_no_output_is_compared(trip: Trip) -> None:
    trip("noisy", "noisy", "weights").assert_outcomes(passed=2)
    result = trip("noisy", "noisy")
    result.assert_outcomes(failed=2)
    assert "NOT DETERMINISTIC" in result.stdout.str()
