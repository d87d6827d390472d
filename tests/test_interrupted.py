"""Formats of a training: one that goes on as if nothing was passes, what is lost is named."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from inner_runs import Run, adding_formats, version_of
from known_losses import lost_by_keras_3_0

from pytest_modelroundtrip.portable.checks.history import HistoryCheck
from pytest_modelroundtrip.portable.comparing import EXACT
from pytest_modelroundtrip.portable.protocol import WeightValue
from pytest_modelroundtrip.portable.training.training_run import Epoch, History

FORMATS = ("model_checkpoint", "backup_and_restore")

TRAINED = """
import random

import numpy as np
import tensorflow as tf

K, L = tf.keras, tf.keras.layers
x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
y = x[:, :2] * 0.5


def train(model, callbacks, initial_epoch=0):
    options = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}
    model.fit(x, y, callbacks=callbacks, initial_epoch=initial_epoch, **options)


def at_once(model, callbacks):
    model.fit(x, y, epochs=1, verbose=0, callbacks=callbacks)


def shuffled(model, callbacks):
    order = random.SystemRandom().sample(range(len(x)), len(x))  # whatever seeds are set
    model.fit(x[order], y[order], batch_size=1, epochs=3, verbose=0, callbacks=callbacks)


def compiled(optimizer, *inner, eager=True):
    model = K.Sequential([K.Input((4,)), L.Dense(3), *inner, L.Dense(2)])
    model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=eager)
    return model


def momentum():
    return compiled(K.optimizers.SGD(0.1, momentum=0.9), eager=False)


def scheduled():
    decay = K.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    model = compiled(K.optimizers.Adam(decay), L.BatchNormalization())
    train(model, [])  # it goes on from there
    return model


class Own(K.Model):
    def __init__(self):
        super().__init__()
        self.inner = L.Dense(2)

    def call(self, x):
        return self.inner(x)


def own():
    model = Own()
    model(x)
    model.compile("adam", "mse", run_eagerly=True)
    return model
"""

# each loses one thing, and only where a training is resumed
SABOTAGED = """
import os

from pytest_modelroundtrip.portable import keras_libs
from pytest_modelroundtrip.portable.models import optimizers
from pytest_modelroundtrip.portable.formats import backup_and_restore, model_checkpoint


class Backup(backup_and_restore.BackupAndRestoreFormat):
    def callback(self, model, folder):
        sound, lose = super().callback(model, folder), self.lose

        class Losing(type(sound)):
            def on_train_begin(self, logs=None):
                resumed = os.path.exists(self.backup_dir)
                super().on_train_begin(logs)
                if resumed:
                    lose(self.model)

        return Losing(sound.backup_dir)


class ForgetsOptimizer(Backup):
    '''Restores no optimizer.'''

    name = "forgets_optimizer"

    def lose(self, model):
        for held in optimizers.optimizer_weights(model):
            held.variable.assign(0 * held.variable)


class ForgetsEpoch(Backup):
    '''Starts the epoch anew.'''

    name = "forgets_epoch"

    def lose(self, model):
        if keras_libs.keras_major(model) == 3:
            model._initial_epoch = 0
        else:
            state = model._training_state
            state.maybe_load_initial_counters_from_ckpt = lambda *args, **kwargs: (0, 0)


class Restarted(model_checkpoint.ModelCheckpointFormat):
    '''Trains from the first epoch on.'''

    name = "restarted"

    def resumable(self, folder, options):
        return super().resumable(folder, options)._replace(initial_epoch=0)
"""
NAMES = ("forgets_optimizer", "forgets_epoch", "restarted")

RESTORES_LITTLE = lost_by_keras_3_0("BackupAndRestore restores no epoch and no optimizer")

Trained = Callable[..., pytest.RunResult]


@pytest.fixture
def trained(run: Run, pytester: pytest.Pytester, tensorflow: ModuleType) -> Trained:
    """Runs a test file in which `trained` can be imported, there and after the reload."""
    if hasattr(tensorflow.keras.Model, "save_spec") and version_of(tensorflow) < (2, 15):
        pytest.skip("with Keras 2 the formats need TensorFlow 2.15")
    pytester.makepyfile(trained=TRAINED, losing=SABOTAGED)
    classes = ("ForgetsOptimizer", "ForgetsEpoch", "Restarted")
    pytester.makeconftest(adding_formats(*(f"losing:{name}" for name in classes)))
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\npythonpath = .\n")
    pytester.syspathinsert()
    return lambda source: run(f"from trained import *\n\nFORMATS = {FORMATS}\n{source}", "-rs")


def words(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())


SOUND = """
def state(model):
    held = model.optimizer.variables
    held = [*model.weights, *(held() if callable(held) else held)]
    return [np.asarray(variable).tobytes() for variable in held]

@pytest.mark.roundtrip(formats=FORMATS, train="trained:train")
def test_scheduled(roundtrip):
    model = scheduled()
    before, attributes = state(model), dict(vars(model))
    trip = roundtrip(model, x)
    assert trip.verdict == "exact" and trip.checks["history"] == "exact"
    np.testing.assert_array_equal(trip.outputs, trip.expected)
    assert np.any(trip.expected != np.asarray(model(x)))  # it was trained meanwhile
    assert state(model) == before
    assert vars(model).get("history") is attributes.get("history")

@pytest.mark.roundtrip(formats=["backup_and_restore"], train="trained:train")
def test_momentum(roundtrip):
    model = momentum()
    before = state(model)
    assert roundtrip(model, x).verdict == "exact"
    assert state(model) == before

@pytest.mark.roundtrip(
    formats=["backup_and_restore"], train="trained:train", factory="trained:own"
)
def test_factory():
    return own(), x
"""


@RESTORES_LITTLE
def test_a_training_that_goes_on_ends_in_the_same_bits(trained: Trained) -> None:
    result = trained(SOUND)
    assert result.parseoutcomes().get("passed") == 4, result.stdout.str()
    assert result.ret == 0


LOSING = f"""
@pytest.mark.roundtrip(formats={NAMES}, train="trained:train")
def test_losing():
    return compiled(K.optimizers.Adam(0.1)), x
"""
SAYS = {
    "forgets_optimizer": (
        "as epoch 2 begins, optimizer/iteration",
        "as epoch 2 begins, optimizer/dense",
        "so these differ too: weights, optimizer, outputs",
        "the position of a learning-rate schedule",
    ),
    "forgets_epoch": (
        "interrupted after epoch 1, the training was resumed with epoch 1 instead of epoch 2",
        "the epochs 1, 2, 3 should be trained; 1, 1, 2, 3 were trained",
        "The epoch was not restored",
    ),
    "restarted": ("the training was resumed with epoch 1 instead of epoch 2",),
}


@RESTORES_LITTLE
def test_what_is_lost_is_named(trained: Trained) -> None:
    result = trained(LOSING)
    result.assert_outcomes(failed=len(NAMES))
    sections = result.stdout.str().split("test_losing[")[1:]
    for name, says in SAYS.items():
        (text,) = (part for part in sections if part.startswith(f"{name}]") and "hint:" in part)
        for expected in says:
            assert expected in " ".join(text.split()), text


UNSUPPORTED = """
def changed(model, **attributes):
    return model

@pytest.mark.roundtrip(formats="all", exclude=OTHERS)
@pytest.mark.parametrize("train", [None])
def test_without(train):
    return momentum(), x

@pytest.mark.roundtrip(formats="all", exclude=OTHERS, train="trained:train")
@pytest.mark.parametrize("name", ["uncompiled", "dropout"])
def test_model(roundtrip, name):
    models = {"uncompiled": lambda: K.Sequential([K.Input((4,)), L.Dense(2)])}
    models["dropout"] = lambda: compiled("adam", L.Dropout(0.5, seed=1), eager=False)
    roundtrip(models[name](), x)

@pytest.mark.roundtrip(formats="all", exclude=OTHERS, train="trained:at_once")
def test_one_epoch():
    return compiled("adam"), x
"""


def test_what_cannot_be_resumed_says_why(trained: Trained) -> None:
    from pytest_modelroundtrip.portable.format_names import BUILT_IN

    others = [name for name in (*BUILT_IN, *NAMES) if name not in FORMATS]
    result = trained(f"OTHERS = {others}\n{UNSUPPORTED}")
    result.assert_outcomes(skipped=8)
    text = words(result)
    assert 'it needs a function that trains the model: pass train="module:function"' in text
    assert "the model is not compiled with an optimizer" in text
    assert "it draws random numbers in training, as Dropout does" in text
    assert "train must accept initial_epoch: def train(model, callbacks, initial_epoch=0)" in text
    assert (
        "train trained 1 epochs. It must pass its callbacks to fit, and train at least one" in text
    )


WRONG = """
@pytest.mark.roundtrip(formats=["backup_and_restore"], train="trained:shuffled")
def test_shuffled():
    return compiled("adam"), x

@pytest.mark.roundtrip(formats=["backup_and_restore"], train="nowhere:train")
def test_missing():
    return compiled("adam"), x
"""


def test_a_training_that_is_not_to_blame(trained: Trained) -> None:
    result = trained(WRONG)
    result.assert_outcomes(failed=2)
    text = words(result)
    assert "NOT DETERMINISTIC" in text
    assert "trained twice, from the same state and without an interruption" in text
    assert "train='nowhere:train' cannot be imported here: ModuleNotFoundError" in text


# how histories are compared

SLOT = WeightValue("optimizer/slot", "optimizer/slot", None, False, np.ones(2, "float32"))
WEIGHT = WeightValue("dense/bias", "dense#0/bias", None, True, np.ones(2, "float32"))
EPOCHS = [Epoch(1, {"loss": 0.5}), Epoch(2, {"loss": float("nan")})]
TRAINING = History(EPOCHS, 2, [SLOT], [WEIGHT])


def differences(actual: History) -> list[str]:
    return HistoryCheck().compare(TRAINING, actual, EXACT).differences


def test_histories_are_compared_by_epoch() -> None:
    assert differences(TRAINING) == []
    assert differences(TRAINING._replace(optimizer=[])) == []  # it is made in a step
    (lost,) = differences(TRAINING._replace(weights=[WEIGHT._replace(value=0 * WEIGHT.value)]))
    assert lost.startswith("as epoch 2 begins, dense/bias differs in 2 of 2 elements")
    other = [EPOCHS[0], Epoch(2, {"loss": 0.5, "mae": 1.0})]
    assert differences(TRAINING._replace(epochs=other)) == [
        "the loss of epoch 2: nan is now 0.5",
        "the mae of epoch 2: None is now 1.0",
    ]
    none = TRAINING._replace(epochs=EPOCHS[:1], resumed_with=0, optimizer=[], weights=[])
    assert differences(none)[:2] == [
        "interrupted after epoch 1, the training was resumed with none instead of epoch 2",
        "the epochs 1, 2 should be trained; 1 were trained",
    ]


def test_layers_of_a_rebuilt_model_are_counted_anew_in_logs() -> None:
    def found(*logs: dict[str, float]) -> list[str]:
        original, rebuilt = (TRAINING._replace(epochs=[Epoch(1, its)]) for its in logs)
        return HistoryCheck().compare(original, rebuilt, EXACT).differences

    original = {"loss": 0.3, "dense_9_loss": 0.1, "dense_10_loss": 0.2}
    assert not found(original, {"loss": 0.3, "dense_1_loss": 0.1, "dense_2_loss": 0.2})
    assert not found(original, {"dense_10_loss": 0.1, "dense_11_loss": 0.2, "loss": 0.3})
    assert len(found(original, {"loss": 0.3, "dense_1_loss": 0.2, "dense_2_loss": 0.1})) == 2
    assert len(found(original, {"loss": 0.3, "dense_9_loss": 0.2, "dense_10_loss": 0.1})) == 2
    assert len(found(original, {"loss": 0.3, "lstm_1_loss": 0.1, "dense_2_loss": 0.2})) == 4
