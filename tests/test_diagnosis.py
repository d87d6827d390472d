"""What a failure says beyond the differences: what they mean, where they begin, and whether the
model itself is to blame.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from inner_runs import REGISTERING, Run, adding_formats
from known_losses import lost_by_keras_3_0

IMPORTABLE = (
    REGISTERING
    + """


@register(package="ours")
class Power(L.Layer):
    def __init__(self, power=1.0, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def call(self, x):
        return x * self.power

    def get_config(self):
        return super().get_config()


@register(package="ours")
class OnlyInTraining(L.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.held = factor

    def call(self, x, training=False):
        return x * self.held if training else x

    def get_config(self):
        return super().get_config()


@register(package="ours")
class Hashed(L.Layer):
    def call(self, x):
        return x * float(hash("word") % 1_000_000)


@register(package="ours")
class Noisy(L.Layer):
    def __init__(self, noise=0.0, **kwargs):
        super().__init__(**kwargs)
        self.noise = noise

    def call(self, x):
        return x + (tf.random.normal(tf.shape(x)) if self.noise is None else self.noise)

    def get_config(self):
        return {**super().get_config(), "noise": None}


def model(layer):
    return K.Sequential([K.Input((4,)), L.Dense(3, name="before"), layer, L.Dense(2, name="after")])
"""
)

Failing = Callable[[str], str]

TEST = """
import layers

@pytest.mark.roundtrip(formats=[FORMAT], imports=["layers"])
def test_it():
    return layers.model(layers.LAYER)
"""


@pytest.fixture
def failing(run: Run, pytester: pytest.Pytester, tensorflow: ModuleType) -> Failing:
    """The text of the failure of a model with that layer, its white space made even."""
    # a name is registered once
    pytester.makepyfile(layers=IMPORTABLE.replace("ours", pytester.path.name))
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    keras3 = not hasattr(tensorflow.keras.Model, "save_spec")

    def failing(layer: str) -> str:
        result = run(
            TEST.replace("FORMAT", repr("keras" if keras3 else "h5")).replace("LAYER", layer)
        )
        result.assert_outcomes(failed=1)
        return " ".join(result.stdout.str().split())

    return failing


def test_the_first_layer_that_diverges_and_the_argument_that_was_lost(failing: Failing) -> None:
    text = failing("Power(3.0, name='power')")
    assert "the weights are equal, the outputs differ" in text
    assert "the first layer whose output differs: power (Power), after before" in text
    lost = "the argument power of Power (power) was 3.0 and is now 1.0"
    assert f"{lost}: get_config does not return it" in text


def test_a_model_of_one_layer(run: Run, pytester: pytest.Pytester) -> None:
    """Its answer is one array, which is not to be taken for one array per layer."""
    pytester.makepyfile(brighter=BRIGHTER)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("brighter:Brighter"))
    source = "@pytest.mark.roundtrip(formats=['brighter'], exact=True)\ndef test_it():\n"
    result = run(f"{source}    return K.Sequential([K.Input((4,)), L.Dense(3, name='only')])\n")
    result.assert_outcomes(failed=1)
    text = " ".join(result.stdout.str().split())
    assert "the first layer whose output differs: only (Dense), which is the first layer" in text


BRIGHTER = '''
from pytest_modelroundtrip.portable.formats.h5 import H5Format

class Brighter(H5Format):
    """Its outputs are off by a few bits."""

    name = "brighter"
    keeps = ("weights", "outputs")

    def load(self, folder, options):
        model = super().load(folder, options)
        model.layers[-1].activation = lambda x: x * (1 + 2.4e-7)
        return model
'''


def test_what_only_training_shows(failing: Failing) -> None:
    text = failing("OnlyInTraining(3.0)")
    assert "outputs (training=True) differs in" in text
    assert "outputs differs" not in text


def test_dependence_on_the_hash_seed_is_not_blamed_on_the_format(failing: Failing) -> None:
    text = failing("Hashed()")
    assert "NOT DETERMINISTIC" in text
    assert "reloaded under two values of PYTHONHASHSEED, it returns different outputs" in text


def test_a_model_that_differs_from_itself_once_it_is_reloaded(failing: Failing) -> None:
    assert "reloaded twice, it returns different outputs" in failing("Noisy(0.5)")


def test_weights_that_come_back_with_another_value_at_each_reload(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(restless=RESTLESS)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("restless:RestlessFormat"))
    result = run(
        "@pytest.mark.roundtrip(formats=['restless'])\ndef test_it():\n    return dense()\n"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  different after each reload:*"])


@lost_by_keras_3_0("export writes wrong signatures")
def test_an_export_that_augments_at_random_is_recognized(run: Run, tensorflow: ModuleType) -> None:
    if hasattr(tensorflow.keras.Model, "save_spec"):
        pytest.skip("Keras 2 exports them as not training")
    # with this seed the first two draws make all three images black
    layers = "L.RandomBrightness(0.5, seed=18, name='brighter'), L.Flatten(), L.Dense(2)"
    result = run(
        "@pytest.mark.roundtrip(formats=['export'])\ndef test_it():\n"
        f"    return K.Sequential([K.Input((4, 4, 3)), {layers}])\n"
    )
    result.assert_outcomes(failed=1)
    text = " ".join(result.stdout.str().split())
    assert "the saved function augments its inputs at random in brighter" in text
    assert "Leave augmentation layers out of the model" in text and "lookup table" not in text


RESTLESS = '''
import numpy as np
from pytest_modelroundtrip.portable.formats.h5 import H5Format

class RestlessFormat(H5Format):
    """Draws a weight anew at each reload."""

    name = "restless"

    def load(self, folder, options):
        model = super().load(folder, options)
        model.weights[0].assign(np.random.default_rng().normal(size=model.weights[0].shape))
        return model
'''
