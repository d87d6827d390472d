"""The translator and its parts: however they are saved, the reloaded model is the trained one."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from translation_model import Models, build, sequences, train

from pytest_modelroundtrip import RoundTripFixture

Inputs = Any  # of a model: an array, or arrays in a list or in a dict
Managers = dict[str, tf.train.CheckpointManager]  # by name of the model

KERAS_3 = hasattr(tf.keras, "ops")  # Keras 2 does not have it
MASK_IN_H5 = (
    {"h5": "Keras 3: Unknown layer: 'NotEqual' (the mask of Embedding(mask_zero=True))"}
    if KERAS_3
    else {}
)
SLOTS_LOST = (
    {} if KERAS_3 else {"keras_saved_model": "Keras 2: a SavedModel loses the optimizer's slots"}
)

# the oldest Keras 3, and what it loses; its tf.keras has no version
KERAS_3_0 = KERAS_3 and metadata.version("keras").startswith("3.0.")


def lost_by_keras_3_0(reason: str, *formats: str) -> dict[str, str]:
    """Expected failures in these formats, with that version alone."""
    return dict.fromkeys(formats, f"Keras 3.0: {reason}") if KERAS_3_0 else {}


NO_OPTIMIZER = lost_by_keras_3_0("a checkpoint of a model leaves its optimizer out", "checkpoint")
FLOAT_SIGNATURE = lost_by_keras_3_0(
    "tf.saved_model.save gives integer inputs a signature of floats", "saved_model", "hub"
)
NODE_INDEX = "a model of layers that another model called first: Layer node index out of bounds"

EPOCHS = 5
INPUTS, ANSWER = sequences(8, seed=2)  # not the sequences of the training


@pytest.fixture(scope="module")
def models() -> Models:
    """Fresh models, always the same."""
    tf.keras.utils.set_random_seed(0)
    return build()


@pytest.fixture(scope="module")
def checkpoints(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Managers:
    """By name of the model, the manager that wrote its checkpoint after each epoch."""
    managers = {
        name: tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model), tmp_path_factory.mktemp(name), max_to_keep=3
        )
        for name, model in models._asdict().items()
    }

    def save_all() -> None:
        for manager in managers.values():
            manager.save()

    train(models.translator, EPOCHS, after_epoch=save_all)
    return managers


@pytest.fixture(scope="module")
def trained(
    models: Models,
    checkpoints: Managers,  # noqa: ARG001  writing them trains the models
) -> Models:
    """The models after the training. They share their layers, so all four are trained."""
    return models


# in every format


@pytest.mark.roundtrip(
    exact=True,
    checks="all",
    expected_failures=MASK_IN_H5 | SLOTS_LOST | NO_OPTIMIZER | FLOAT_SIGNATURE,
)
def test_translator(trained: Models) -> tuple[tf.keras.Model, Inputs]:
    """The whole model, called with named inputs; `checks="all"` compares the next training step."""
    return trained.translator, INPUTS


@pytest.mark.roundtrip(
    exact=True,
    checks="all",
    generations=2,
    factory="translation_model:build",
    expected_failures=MASK_IN_H5 | FLOAT_SIGNATURE | lost_by_keras_3_0(NODE_INDEX, "keras"),
)
def test_parts(roundtrip: RoundTripFixture, trained: Models) -> None:
    """The parts that are served: the reloaded decoder receives the reloaded encoder's output.

    All of it is saved and reloaded twice. A checkpoint holds the three parts together, so after the
    reload they must still share their embedding; the factory builds them that way.
    """
    trip = roundtrip.parts(
        embedding=(trained.embedding, INPUTS["source"]),
        encoder=(trained.encoder, INPUTS["source"]),
        decoder=(trained.decoder, [INPUTS["target"], roundtrip.output("encoder")]),
    )
    np.testing.assert_array_equal(
        trip.outputs["decoder"].argmax(-1), predicted(trained.translator, INPUTS).argmax(-1)
    )


@pytest.mark.roundtrip(exact=True, expected_failures=FLOAT_SIGNATURE)
def test_embedding(trained: Models) -> tuple[tf.keras.Model, Inputs]:
    """The embedding that both sides share; nothing in this model uses the mask that it makes."""
    return trained.embedding, INPUTS["source"]


@pytest.mark.roundtrip(exact=True, expected_failures=MASK_IN_H5 | FLOAT_SIGNATURE)
def test_encoder(trained: Models) -> tuple[tf.keras.Model, Inputs]:
    """The encoder. Its reader needs the mask, to stop at the last digit."""
    return trained.encoder, INPUTS["source"]


@pytest.mark.roundtrip(
    exact=True,
    expected_failures=FLOAT_SIGNATURE
    | lost_by_keras_3_0(NODE_INDEX, "keras", "h5", "weights", "checkpoint"),
)
def test_decoder(trained: Models) -> tuple[tf.keras.Model, Inputs]:
    """The decoder, called with the encoder's final state.

    It needs no mask: the padding comes after the digits.
    """
    return trained.decoder, [INPUTS["target"], trained.encoder(INPUTS["source"])]


# from the checkpoints of its own training


def test_it_learned(trained: Models) -> None:
    """The model has learned something. A random guess is right one time in nine."""
    guessed = predicted(trained.translator, INPUTS).argmax(-1)
    assert (guessed == ANSWER)[ANSWER > 0].mean() > 0.5


@pytest.mark.parametrize("name", Models._fields)
def test_manager_keeps_three(checkpoints: Managers, name: str) -> None:
    """Of five checkpoints the manager deleted the first two; the last one is the latest."""
    manager = checkpoints[name]
    assert [int(path.rsplit("-", 1)[1]) for path in manager.checkpoints] == [3, 4, 5]
    assert len(list(Path(manager.directory).glob("*.index"))) == 3
    latest = tf.train.latest_checkpoint(manager.directory)
    assert latest == manager.latest_checkpoint == manager.checkpoints[-1]


@pytest.mark.parametrize("name", Models._fields)
def test_latest_checkpoint(trained: Models, checkpoints: Managers, name: str) -> None:
    """Restored into a fresh model, it has the weights and the outputs of the trained model."""
    model = getattr(trained, name)
    restored = restore(name, checkpoints[name].latest_checkpoint)
    for weight, expected in zip(restored.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    inputs = inputs_of(trained)[name]
    np.testing.assert_array_equal(predicted(restored, inputs), predicted(model, inputs))


@pytest.mark.parametrize("name", Models._fields)
def test_checkpoint_before_the_latest(trained: Models, checkpoints: Managers, name: str) -> None:
    """Its outputs differ, so the test above can tell one checkpoint from another."""
    inputs = inputs_of(trained)[name]
    earlier = restore(name, checkpoints[name].checkpoints[-2])
    assert not np.array_equal(predicted(earlier, inputs), predicted(getattr(trained, name), inputs))


@pytest.mark.roundtrip(
    formats=["saved_model"],
    exact=True,
    expected_failures={name: why for name, why in FLOAT_SIGNATURE.items() if name != "hub"},
)
def test_release(
    roundtrip: RoundTripFixture,
    trained: Models,
    checkpoints: Managers,
) -> None:
    """From the latest checkpoint to a SavedModel: the released model is still the trained one."""
    trip = roundtrip(restore("translator", checkpoints["translator"].latest_checkpoint), INPUTS)
    np.testing.assert_array_equal(trip.expected, predicted(trained.translator, INPUTS))


def restore(name: str, checkpoint: str) -> tf.keras.Model:
    """A fresh model of that name with the weights of a checkpoint.

    The checkpoint also holds the optimizer's slots, which the fresh model does not have.
    """
    model = getattr(build(), name)
    restored = tf.train.Checkpoint(model=model).restore(checkpoint)
    restored.expect_partial().assert_existing_objects_matched()
    return model


def inputs_of(trained: Models) -> dict[str, Inputs]:
    """By name of the model, the inputs that it is called with."""
    source, target = INPUTS["source"], INPUTS["target"]
    return {
        "translator": INPUTS,
        "embedding": source,
        "encoder": source,
        "decoder": [target, trained.encoder.predict(source, verbose=0)],
    }


def predicted(model: tf.keras.Model, inputs: Inputs) -> NDArray[Any]:
    """The outputs of the model."""
    outputs: NDArray[Any] = model.predict(inputs, verbose=0)
    return outputs
