"""How a model is called, after the reload as before: by `predict`, by other functions, and how
`compile` lets it run. Sound models pass, each loss is told.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import pytest
import sabotage
from inner_runs import adding_formats, version_of

if TYPE_CHECKING:
    from inner_runs import Run

CALIBRATED = """
import tensorflow as tf

K, L = tf.keras, tf.keras.layers

try:
    register = K.saving.register_keras_serializable()
except AttributeError:  # TensorFlow before 2.12
    register = K.utils.register_keras_serializable()


@register
class Calibrated(K.Model):
    def __init__(self, temperature=1.0, returns=None, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.inner = temperature, L.Dense(3, bias_initializer="ones")

    def call(self, x):
        return self.inner(x)

    def predict_step(self, data):
        return self(data, training=False) / self.scale

    def get_config(self):
        return {CONFIG}


@register
class Words(Calibrated):
    def predict(self, x):
        return ["other", object()]


@register
class Random(Calibrated):
    def predict_step(self, data):
        return tf.random.normal([3, 3])
"""

PREDICTED = """
import calibrated

@pytest.mark.roundtrip(formats=FORMATS, imports=["calibrated"])
@pytest.mark.parametrize("kind", ["Calibrated", "Words", "Random"])
def test_it(kind):
    model = getattr(calibrated, kind)(temperature=4.0)
    model(np.ones((2, 4), "float32"))
    return model, np.ones((3, 4), "float32")
"""


class Predicted(Protocol):
    """Does round trips of models with a `predict_step` of their own."""

    def __call__(self, config: str, *args: str) -> pytest.RunResult:
        """`config` is what their `get_config` returns; `args` are those of the command line."""


@pytest.fixture
def predicted(run: Run, pytester: pytest.Pytester, tensorflow: ModuleType) -> Predicted:
    """Round trips of models with a `predict_step` of their own."""
    version = version_of(tensorflow)
    fmt = "keras" if version >= (2, 12) else "keras_saved_model"

    def predicted(config: str, *args: str) -> pytest.RunResult:
        Path(pytester.path, "calibrated.py").write_text(CALIBRATED.replace("CONFIG", config))
        pytester.syspathinsert()
        pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
        return run(PREDICTED.replace("FORMATS", repr([fmt, "saved_model"])), *args)

    return predicted


@pytest.mark.usefixtures("keras_format")
def test_predict_is_compared_where_the_class_has_its_own(predicted: Predicted) -> None:
    """In `saved_model` there is none; one that is random, or returns no tensors, is left alone."""
    predicted('"temperature": self.scale').assert_outcomes(passed=6)


@pytest.mark.usefixtures("keras_format")
def test_a_predict_step_that_answers_otherwise(predicted: Predicted) -> None:
    result = predicted('"name": self.name', "--roundtrip-checks=outputs", "-k", "Calibrated")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*outputs by predict differs in 9 of 9 elements*"])


NUDGED = """
import numpy as np

from pytest_modelroundtrip.portable.formats.{base} import {base_class} as Base


class Nudged(Base):
    \"\"\"Returns the next number.\"\"\"

    name = "nudged"

    def subject(self, model, options):
        subject = super().subject(model, options)
        call = subject.calls[""]

        def nudged(args, kwargs):
            return {{"y": np.nextafter(call(args, kwargs)["y"], np.float32(9))}}

        return subject._replace(calls={{"": nudged}}) if options.structure else subject
"""

CLOSE = """
class Noise(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
    def __call__(self, x):
        return 1.0 + tf.random.uniform(tf.shape(x), 0.0, 1e-6)

@pytest.mark.roundtrip(formats=["nudged", FORMAT])
def test_keras():
    i = K.Input((4,))
    return K.Model(i, {"y": L.Dense(3)(i)})

@pytest.mark.roundtrip(formats=["saved_model"])
def test_noise():
    return Noise()
"""


@pytest.mark.usefixtures("tensorflow")
def test_what_is_only_close_is_reported_with_how_far_the_original_is_from_itself(
    run: Run, pytester: pytest.Pytester
) -> None:
    base = sabotage.base_formats()["whole"]
    source = NUDGED.format(base=base, base_class=sabotage.BASE_CLASSES[base])
    pytester.makepyfile(nudged=source)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("nudged:Nudged"))
    result = run(CLOSE.replace("FORMAT", repr(base)), "--roundtrip-report=report.json")
    result.assert_outcomes(passed=3)
    itself = "the original itself differs by"
    lines = [f"ulp  nudged: {itself} 0 ulp between two calls, by 0 ulp", "     between graph and*"]
    result.stdout.fnmatch_lines_random([*lines, f"ulp  saved_model: {itself} ? ulp between two*"])
    trips = json.loads(Path("report.json").read_text())["roundtrips"]
    found = {trip["format"]: (trip["verdict"], trip["own_distances"]) for trip in trips}
    assert found[base] == ("exact", {})
    own = {"between two calls": 0, "between graph and eager": 0}
    assert found["nudged"] == ("close", own)
    verdict, own = found["saved_model"]
    assert verdict == "close" and 0 < own.pop("between two calls") < 10 and not own


NEVER_TRACED = """
class Codec(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return x * 2.0

    @tf.function
    def decode(self, x):
        return x / 2.0

def codec(traced):
    module = Codec()
    if traced:
        module.decode(tf.zeros([2]))
    return module

@pytest.mark.roundtrip(formats=["saved_model", "hub"])
def test_traced():
    return codec(True)

@pytest.mark.roundtrip(formats=["saved_model", "hub"])
def test_never_traced():
    return codec(False)

@pytest.mark.roundtrip(formats=["saved_model", "hub"])
def test_never_traced_and_loaded(tmp_path):
    tf.saved_model.save(codec(False), str(tmp_path))
    return tf.saved_model.load(str(tmp_path))
"""


def test_a_function_that_was_never_called_is_missing_after_the_reload(run: Run) -> None:
    result = run(NEVER_TRACED, "-rf")
    result.assert_outcomes(passed=4, failed=2)
    lines = [
        "  the function decode is missing after the reload: it was never called",
        "*before the save",
    ]
    result.stdout.fnmatch_lines(lines)
    result.stdout.no_fnmatch_line("FAILED*test_never_traced_and_loaded*")


FORGETFUL = """
import tensorflow as tf

try:
    register = tf.keras.saving.register_keras_serializable()
except AttributeError:  # TensorFlow before 2.12
    register = tf.keras.utils.register_keras_serializable()


@register
class Forgetful(tf.keras.Sequential):
    def get_compile_config(self):
        return {**super().get_compile_config(), "steps_per_execution": 1}
"""

COMPILED = """
import forgetful

HOW = [{}, {"steps_per_execution": 4}, {"run_eagerly": True}, {"jit_compile": True}]

def compiled(kind, how):
    model = kind([K.Input((4,)), L.Dense(3)])
    model.compile("sgd", K.losses.MeanSquaredError(), **how)
    return model

@pytest.mark.roundtrip(formats=FORMATS, checks=["compile"])
@pytest.mark.parametrize("how", HOW)
def test_kept(how):
    return compiled(K.Sequential, how)

@pytest.mark.roundtrip(formats=["keras"], checks=["compile"], imports=["forgetful"])
def test_lost():
    return compiled(forgetful.Forgetful, HOW[1])
"""


@pytest.mark.usefixtures("keras_format")
def test_how_compile_lets_a_model_run(
    run: Run, pytester: pytest.Pytester, tensorflow: ModuleType
) -> None:
    """`.keras` keeps it; the other formats never do, which is documented and no failure."""
    Path(pytester.path, "forgetful.py").write_text(FORGETFUL)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    keras2 = ["keras_saved_model"] if hasattr(tensorflow.keras.Model, "save_spec") else []
    formats = ["keras", "h5", *keras2]
    result = run(COMPILED.replace("FORMATS", repr(formats)))
    result.assert_outcomes(passed=4 * len(formats), failed=1)
    result.stdout.fnmatch_lines(["  compile.steps_per_execution: 4 is now 1"])
