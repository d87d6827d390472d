"""The default formats on usual models; what a version lacks is skipped with a reason."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from inner_runs import default_formats, version_of
from known_losses import lost_by_keras_3_0

if TYPE_CHECKING:
    from inner_runs import Run

MODELS = """
import models

@pytest.mark.roundtrip
def test_image():
    return K.applications.MobileNetV2(weights=None)

@pytest.mark.roundtrip
def test_text():
    return models.text_classifier()

@pytest.mark.roundtrip
def test_module():
    return models.Affine()

@pytest.mark.roundtrip(factory="models:subclassed", imports=["models"])
def test_subclassed():
    return models.subclassed(), np.ones((2, 4), "float32")
"""

IMPORTABLE = '''
import numpy as np
import tensorflow as tf

K, L = tf.keras, tf.keras.layers

try:
    register = K.saving.register_keras_serializable()
except AttributeError:  # TensorFlow before 2.12
    register = K.utils.register_keras_serializable()


def text_classifier():
    """Strings in, learned vocabulary, LSTM."""
    vectorize = L.TextVectorization(max_tokens=20, output_sequence_length=6)
    vectorize.adapt(tf.constant(["the cat sat on the mat", "a naïve café", "hello"]))
    i = K.Input((1,), dtype="string")
    return K.Model(i, L.Dense(2)(L.LSTM(4)(L.Embedding(20, 3)(vectorize(i)))))


class Affine(tf.Module):
    def __init__(self):
        super().__init__()
        kernel = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
        self.inner = [kernel, tf.Variable([0.5, -0.5], trainable=False)]

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return {"y": x @ self.inner[0] + self.inner[1]}


@register
class Subclassed(K.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.norm = L.Dense(3), L.BatchNormalization()

    def call(self, x, training=False):
        return {"y": self.norm(self.inner(x), training=training)}


def subclassed():
    model = Subclassed()
    model(np.ones((3, 4), "float32"))
    return model
'''


def expected(tf: ModuleType) -> dict[str, dict[str, str]]:
    """The outcome of each test, from what is known of the versions."""
    version = version_of(tf)
    keras3 = hasattr(tf.keras.Model, "get_state_tree") or not hasattr(tf.keras.Model, "save_spec")
    has = {
        "keras": keras3 or version >= (2, 12),
        "weights_tf": not keras3,
        "keras_saved_model": not keras3,
        "export": keras3 or version >= (2, 13),
    }
    names = default_formats()
    keras = {name: "passed" if has.get(name, True) else "skipped" for name in names}
    module = {name: "passed" if name in ("saved_model", "hub") else "skipped" for name in names}
    # a vocabulary is not a weight
    vocabulary_lost = ["h5", "weights", "checkpoint", *([] if keras3 else ["weights_tf"])]
    if not keras3 and version >= (2, 12) and sys.version_info >= (3, 12):
        # Python 3.12's zipfile seeks farther than TensorFlow's files let it: "reached end of file"
        vocabulary_lost.append("keras")
    # TensorFlow 2.12 cannot read its own ReLU(6.0)
    image = {**keras, "keras": "failed"} if version == (2, 12) else keras
    return {
        "test_image": image,
        "test_text": {**keras, **dict.fromkeys(vocabulary_lost, "failed")},
        "test_module": module,
        "test_subclassed": {**keras, "h5": "skipped"},
    }


@lost_by_keras_3_0("tf.saved_model.save (strings) and export (batch size) write wrong signatures")
def test_right_verdicts_in_all_default_formats(
    run: Run, pytester: pytest.Pytester, tensorflow: ModuleType
) -> None:
    Path(pytester.path, "models.py").write_text(IMPORTABLE, encoding="utf-8")
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    result = run(MODELS, "-v", "-rfs")
    found: dict[str, dict[str, str]] = {}
    for line in result.outlines:
        match = re.search(r"::(\w+)\[(\w+)\] (PASSED|FAILED|SKIPPED)\b", line)
        if match:
            found.setdefault(match[1], {})[match[2]] = match[3].lower()
    assert found == expected(tensorflow), result.stdout.str()


def test_a_format_that_was_asked_for_and_cannot_hold_the_model_is_a_failure(run: Run) -> None:
    source = """
class M(tf.Module):
    __call__ = tf.function(lambda self, x: x)

@pytest.mark.roundtrip(formats=['h5'])
def test_it():
    return M(), [1.0]
"""
    result = run(source)
    result.assert_outcomes(failed=1)
    headline = "UNSUPPORTED: the test asks for the format h5, which cannot hold this"
    result.stdout.fnmatch_lines([headline, "  model", "  not a Keras model"])


def test_weights_that_a_loader_skips_are_detected(run: Run, pytester: pytest.Pytester) -> None:
    """A loader that does nothing is not hidden by a rebuilt model with the same seed.

    The weights are overwritten before they are loaded.
    """
    pytester.makepyfile(same_seed=SAME_SEED)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    source = """
import same_seed

@pytest.mark.roundtrip(formats=["weights", "FORMAT"], factory="same_seed:build")
def test_it():
    return same_seed.build()
"""
    run(source.replace("FORMAT", "checkpoint")).assert_outcomes(passed=2)
    pytester.makepyfile(lazy=LAZY)
    pytester.makeconftest(LAZY_CONFTEST)
    result = run(source.replace("FORMAT", "lazy"))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*4 of 4 weights were not loaded at all*"])


SAME_SEED = """
import tensorflow as tf
K, L = tf.keras, tf.keras.layers

def build():
    tf.random.set_seed(3)
    layers = [L.Dense(units, kernel_initializer="ones") for units in (3, 2)]
    return K.Sequential([K.Input((4,)), *layers])
"""

LAZY = '''
from pytest_modelroundtrip.portable.formats.rebuilt import rebuilt
from pytest_modelroundtrip.portable.formats.weights import WeightsFormat

class LazyFormat(WeightsFormat):
    """Loads nothing into the rebuilt model."""

    name = "lazy"

    def load(self, folder, options):
        return rebuilt(folder, options)
'''

LAZY_CONFTEST = """
import lazy

def pytest_modelroundtrip_formats(config):
    return [lazy.LazyFormat]
"""


def test_layers_may_have_other_numbers_in_a_rebuilt_model(
    run: Run, pytester: pytest.Pytester
) -> None:
    """`dense_7` here is `dense` there: no loss."""
    pytester.makepyfile(same_seed=SAME_SEED)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    source = """
import same_seed

@pytest.mark.roundtrip(formats=["weights", "checkpoint"], factory="same_seed:build")
def test_it(roundtrip):
    dense(), dense()
    roundtrip(same_seed.build())
"""
    run(source).assert_outcomes(passed=2)
