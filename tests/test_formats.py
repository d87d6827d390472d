"""The nine formats on the models that people have; a version that lacks a format says n/a by the format's own rule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

FORMATS = ["keras", "h5", "weights", "weights_tf", "saved_model", "keras_saved_model", "export", "checkpoint", "hub"]

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
        self.inner = [tf.Variable([[1.0, 2.0], [3.0, 4.0]]), tf.Variable([0.5, -0.5], trainable=False)]

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


def expected(tf: Any) -> dict[str, dict[str, str]]:
    """What each cell must say, from what is known of the versions."""
    version = tuple(int(part) for part in tf.__version__.split(".")[:2])
    keras3 = hasattr(tf.keras.Model, "get_state_tree") or not hasattr(tf.keras.Model, "save_spec")
    has = {
        "keras": keras3 or version >= (2, 12),
        "weights_tf": not keras3,
        "keras_saved_model": not keras3,
        "export": keras3 or version >= (2, 13),
    }
    keras = {name: "passed" if has.get(name, True) else "skipped" for name in FORMATS}
    module = {name: "passed" if name in ("saved_model", "hub") else "skipped" for name in FORMATS}
    vocabulary_lost = ["h5", "weights", "checkpoint", *([] if keras3 else ["weights_tf"])]  # a vocabulary is no weight
    if not keras3 and version >= (2, 12) and sys.version_info >= (3, 12):
        vocabulary_lost.append("keras")  # Python 3.12's zipfile seeks farther than TensorFlow's files let it: "reached end of file"
    text = {**keras, **dict.fromkeys(vocabulary_lost, "failed")}
    image = {**keras, **({"keras": "failed"} if version == (2, 12) else {})}  # which cannot read its own ReLU(6.0)
    subclass = {**keras, "h5": "skipped"}
    return {"test_image": image, "test_text": text, "test_module": module, "test_subclassed": subclass}


def test_right_verdicts_in_all_nine_formats(run: Any, pytester: pytest.Pytester, tensorflow: Any) -> None:
    Path(pytester.path, "models.py").write_text(IMPORTABLE, encoding="utf-8")
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    result = run(MODELS, "-v", "-rfs")
    found: dict[str, dict[str, str]] = {}
    for line in result.outlines:
        for test in expected(tensorflow):
            for name in FORMATS:
                if f"::{test}[{name}] " in line and line.split("] ", 1)[1].split()[0] in ("PASSED", "FAILED", "SKIPPED"):
                    found.setdefault(test, {})[name] = line.split("] ", 1)[1].split()[0].lower()
    assert found == expected(tensorflow), result.stdout.str()


def test_a_format_that_was_asked_for_and_cannot_hold_the_model_is_a_failure(run: Any) -> None:
    source = "class M(tf.Module):\n    __call__ = tf.function(lambda self, x: x)\n"
    result = run(source + "@pytest.mark.roundtrip(formats=['h5'])\ndef test_it():\n    return M(), [1.0]\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["UNSUPPORTED: the test asks for the format h5, which cannot hold this", "  model", "  not a Keras model"]
    )


def test_weights_that_a_loader_skips_show(run: Any, pytester: pytest.Pytester) -> None:
    """A rebuilt model with the same seed would hide a loader that does nothing: its weights are overwritten first."""
    pytester.makepyfile(same_seed=SAME_SEED)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    marker = "@pytest.mark.roundtrip(formats=['weights', 'checkpoint'], factory='same_seed:build')\n"
    run(f"import same_seed\n{marker}def test_it():\n    return same_seed.build()\n").assert_outcomes(passed=2)
    pytester.makepyfile(lazy=LAZY)
    pytester.makeconftest("import lazy\n\ndef pytest_modelroundtrip_formats(config):\n    return [lazy]\n")
    result = run(f"import same_seed\n{marker.replace('checkpoint', 'lazy')}def test_it():\n    return same_seed.build()\n")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*4 of 4 weights were not loaded at all*"])


SAME_SEED = """
import tensorflow as tf
K, L = tf.keras, tf.keras.layers

def build():
    tf.random.set_seed(3)
    return K.Sequential([K.Input((4,)), L.Dense(3, kernel_initializer="ones"), L.Dense(2, kernel_initializer="ones")])
"""

LAZY = '''
"""Loads nothing into the rebuilt model."""
from pytest_modelroundtrip.portable.formats.weights import PROMISES, needs_factory, save, subject, supports
from pytest_modelroundtrip.portable.formats._rebuild import rebuilt

def load(folder, options):
    return rebuilt(folder, options)
'''


def test_layers_are_counted_anew_in_a_rebuilt_model(run: Any, pytester: pytest.Pytester) -> None:
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
