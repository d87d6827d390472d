"""The format `checkpoint_manager`: a training that restores itself, and what it may lose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from inner_runs import HEADER, Run
from known_losses import lost_by_keras_3_0

from pytest_modelroundtrip.portable.checks.history import HistoryCheck
from pytest_modelroundtrip.portable.comparing import EXACT
from pytest_modelroundtrip.portable.comparing.trainings import compare_trainings
from pytest_modelroundtrip.portable.protocol import WeightValue
from pytest_modelroundtrip.portable.training.training_run import History
from pytest_modelroundtrip.portable.training.training_state import (
    ITERATOR,
    OPTIMIZER,
    STEP_COUNTER,
    ResumedTraining,
    TrainingState,
)

NOT_TRACKABLE = lost_by_keras_3_0("no tf.train.Checkpoint can track its optimizers")
UNTRACKED = (OPTIMIZER, STEP_COUNTER, ITERATOR)

# a resumable training as people write it, and the same without one thing
TRAINED = """
import functools

x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
y = x[:, :2] * 0.5


def train(model, folder, steps, optimizer=None, without="", restores=True, batches=-1):
    optimizer = optimizer or K.optimizers.Adam(0.1)
    # not shuffled: the seed of a process that TensorFlow mixes in may be another one
    data = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(2).take(batches)
    held = {"optimizer": optimizer, "step": tf.Variable(0), "iterator": iter(data)}
    step, iterator = held["step"], held["iterator"]
    tracked = {name: value for name, value in held.items() if name != without}
    checkpoint = tf.train.Checkpoint(model=model, **tracked)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
    if restores:
        checkpoint.restore(manager.latest_checkpoint)
    while step < steps:
        inputs, targets = next(iterator)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(inputs) - targets) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        step.assign_add(1)
        manager.save()
    return checkpoint


no_optimizer = functools.partial(train, without="optimizer")
no_step = functools.partial(train, without="step")
no_iterator = functools.partial(train, without="iterator")
never_restores = functools.partial(train, restores=False)
used_up = functools.partial(train, restores=False, batches=2)


def own_optimizer(model, folder, steps):
    return train(model, folder, steps, model.optimizer)


def fits(model, callbacks):
    model.fit(x, y, callbacks=callbacks)


def no_second_step(model, folder, steps):
    return train(model, folder, 1)


def returns_nothing(model, folder, steps):
    train(model, folder, steps)


def saves_elsewhere(model, folder, steps):
    return train(model, folder + "/..", steps)


def two_layers():
    return K.Sequential([K.Input((4,)), L.Dense(3, "tanh"), L.Dense(2)])


def scheduled():
    model = two_layers()
    decay = K.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model.compile(K.optimizers.Adam(decay), "mse")
    return model


class Affine(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(tf.ones((4, 2)))
        self.b = tf.Variable(tf.zeros(2))

    @tf.function(input_signature=[tf.TensorSpec((None, 4))])
    def __call__(self, inputs):
        return inputs @ self.w + self.b
"""

Trained = Callable[..., pytest.RunResult]


@pytest.fixture
def trained(run: Run, pytester: pytest.Pytester) -> Trained:
    """Runs a test file in which `training` can be imported, there and after the reload."""
    pytester.makepyfile(training=HEADER + TRAINED)
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\npythonpath = .\n")
    pytester.syspathinsert()
    return lambda source: run(f"from training import *\n{MARKED}\n{source}", "-rs")


MARKED = """
def marked(name, **options):
    return pytest.mark.roundtrip(
        formats=["checkpoint_manager"], train=f"training:{name}", **options
    )
"""

SOUND = """
@marked("train")
def test_model(roundtrip):
    model = two_layers()
    before = [np.asarray(weight) for weight in model.weights]
    trip = roundtrip(model, x)
    assert trip.verdict == "exact" and trip.checks["history"] == "exact"
    assert np.any(trip.expected != np.asarray(model(x)))  # it was trained meanwhile
    for weight, value in zip(model.weights, before):
        np.testing.assert_array_equal(np.asarray(weight), value)

@marked("train")
def test_called_by_keyword(roundtrip):
    assert roundtrip(two_layers(), inputs=x).verdict == "exact"

@marked("own_optimizer", factory="training:scheduled")
def test_compiled(roundtrip):
    trip = roundtrip(scheduled(), x)
    assert trip.verdict == "exact" and trip.checks["optimizer"] == "exact"

@marked("train", factory="training:Affine")
def test_module():
    return Affine(), x
"""


@NOT_TRACKABLE
def test_a_training_that_is_resumed_ends_in_the_same_bits(trained: Trained) -> None:
    result = trained(SOUND)
    result.assert_outcomes(passed=4)


LOSING = """
@marked("no_optimizer")
def test_no_optimizer():
    return two_layers(), x

@marked("no_step")
def test_no_step():
    return two_layers(), x

@marked("no_iterator")
def test_no_iterator():
    return two_layers(), x

@marked("never_restores")
def test_never_restores():
    return two_layers(), x

@marked("never_restores", factory="training:Affine")
def test_module():
    return Affine(), x

@marked("used_up")
def test_used_up():
    return two_layers(), x
"""
SAYS = {
    "no_optimizer": ("of train tracks no Keras optimizer", "What a checkpoint does not track"),
    "no_step": ("tracks no step counter", "the largest difference: 2 is now 3"),
    "no_iterator": ("tracks no dataset iterator", "so these differ too: weights, outputs"),
    "never_restores": (
        "the training was not resumed: train restored nothing from its folder",
        "as the second part begins, step differs",
        "call checkpoint.restore(manager.latest_checkpoint) before its first step",
    ),
    "module": ("train restored nothing from its folder",),
    "used_up": ("train restored nothing from its folder",),
}


@NOT_TRACKABLE
def test_what_is_lost_is_named(trained: Trained) -> None:
    result = trained(LOSING)
    result.assert_outcomes(failed=len(SAYS))
    sections = result.stdout.str().split("__ test_")[1:]
    for name, says in SAYS.items():
        (text,) = (part for part in sections if part.startswith(f"{name}["))
        words = " ".join(text.split())
        assert all(expected in words for expected in says), text
        named = [what for what in UNTRACKED if f"tracks no {what}" in words]
        assert len(named) == (name in ("no_optimizer", "no_step", "no_iterator")), text


WRONG = """
@marked("fits")
def test_signature():
    return two_layers(), x

@marked("no_second_step")
def test_second_step():
    return two_layers(), x

@marked("returns_nothing")
def test_returns():
    return two_layers(), x

@marked("saves_elsewhere")
def test_saves():
    return two_layers(), x

@pytest.mark.roundtrip(formats=["backup_and_restore"], train="training:train")
def test_no_callbacks():
    return scheduled(), x
"""


@NOT_TRACKABLE
def test_a_function_with_other_parameters_gets_a_message_with_the_right_ones(
    trained: Trained,
) -> None:
    result = trained(WRONG)
    result.assert_outcomes(failed=5)
    words = " ".join(result.stdout.str().split())
    assert "train must accept a folder and steps: def train(model, folder, steps)" in words
    assert "train ends in the same state with steps=2 and with steps=1" in words
    assert "train must return its tf.train.Checkpoint; it returned NoneType" in words
    assert "its folder is empty: it must save there" in words
    assert "train must accept a list of callbacks: def train(model, callbacks)" in words


# how resumed trainings are compared


def value(path: str, number: float, dtype: str = "float32") -> WeightValue:
    return WeightValue(path, path, None, True, np.full((), number, dtype))


BEGUN = TrainingState([], [], [value("iterations", 1, "int64")], [value("w", 1)], [STEP_COUNTER])
ENDED = BEGUN._replace(optimizers=[value("iterations", 2, "int64")], weights=[value("w", 2)])
TRAINING = ResumedTraining(BEGUN, ENDED)
LOST = ENDED._replace(weights=[value("w", 3)])
MISCOUNTED = LOST._replace(optimizers=[value("iterations", 3, "int64")])


def test_only_the_end_decides() -> None:
    assert not compare_trainings(TRAINING, TRAINING, EXACT).differences
    other = TRAINING._replace(resumed=BEGUN._replace(weights=[value("w", 9)]))
    assert not compare_trainings(TRAINING, other, EXACT).differences
    unseen = compare_trainings(TRAINING, ResumedTraining(None, LOST), EXACT)
    assert [text.split(" differs")[0] for text in unseen.differences] == ["after the training, w"]
    assert unseen.hint.startswith("All that the checkpoint tracks was restored")


def test_an_optimizer_that_counted_right_is_a_step_counter() -> None:
    for ended, is_named in ((LOST, False), (MISCOUNTED, True)):
        found = compare_trainings(TRAINING, TRAINING._replace(ended=ended), EXACT)
        assert ("tracks no step counter" in found.differences[0]) == is_named


def test_a_state_that_is_not_sent_differs() -> None:
    expected = History([], 0, [], [], TRAINING)
    found = HistoryCheck().compare(expected, expected._replace(in_steps=None), EXACT)
    assert found.differences == ["the state after the training is missing"]
    assert not HistoryCheck().compare(expected, expected, EXACT).differences
