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
from known_losses import lost_by_keras_3_0

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


SUBCLASSED = """
class Recurrent(K.Model):
    def __init__(self):
        super().__init__()
        self.inner = L.LSTM(3, return_sequences=True)

    def call(self, x):
        return self.inner(x)

def called(*length):
    model = Recurrent()
    model(K.Input((None, 4)) if not length else np.ones((3, *length, 4), "float32"))
    return model, np.ones((3, 8, 4), "float32")

@pytest.mark.roundtrip(formats=["export"])
def test_one_length():
    return called(8)

@pytest.mark.roundtrip(formats=["export"])
def test_any_length():
    return called()

@pytest.mark.roundtrip(formats=["export"])
def test_two_lengths():
    return called(6)
"""


@lost_by_keras_3_0("export writes wrong signatures")
def test_an_axis_of_a_subclassed_model_is_free_where_that_was_declared(
    run: Run, tensorflow: ModuleType
) -> None:
    """One that is only ever called with one length may come back with that length alone."""
    if version_of(tensorflow) < (2, 13):
        pytest.skip("this TensorFlow has no export")
    result = run(SUBCLASSED, "-rf")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED*test_two_lengths*"])


BUILT = """
class Recurrent(K.Model):
    def __init__(self):
        super().__init__()
        self.inner = L.LSTM(3, return_sequences=True)

    def call(self, x):
        return {"y": self.inner(x)}

@pytest.mark.roundtrip(formats=["fixed", "saved_model"])
def test_it():
    model = Recurrent()
    model(K.Input((None, 6)))
    return model, np.ones((3, 6, 6), "float32")
"""


def test_free_axes_that_a_subclassed_model_was_built_with_are_varied(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(fixed=FIXED.replace("shape[2]", "shape[1]"))
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("fixed:Fixed"))
    result = run(BUILT, "-rf")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*with other sizes of all free axes, it raised*", "FAILED*fixed*"])


FIXED = """
from pytest_modelroundtrip.portable.formats.saved_model import SavedModelFormat


class Fixed(SavedModelFormat):
    \"\"\"Takes one width only.\"\"\"

    name = "fixed"

    def subject(self, model, options):
        subject = super().subject(model, options)
        call = subject.calls[""]

        def fixed(args, kwargs):
            assert args[0].shape[2] == 6, args[0].shape
            return call(args, kwargs)

        return subject._replace(calls={"": fixed}) if options.structure else subject
"""

PICKY = """
class Picky(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.float32)])
    def __call__(self, x):
        with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(x)[1], 8)]):
            return {"y": x * 2.0}

@pytest.mark.roundtrip(formats=["saved_model", "fixed"])
def test_it():
    return Picky(), np.ones((3, 8, 6), "float32")
"""


def test_axes_are_varied_one_by_one_where_the_original_refuses_all_at_once(
    run: Run, pytester: pytest.Pytester
) -> None:
    """It takes a single length: that is not varied, and the width is all the same."""
    pytester.makepyfile(fixed=FIXED)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("fixed:Fixed"))
    result = run(PICKY)
    result.assert_outcomes(passed=1, failed=1)
    raised = "  called with another size of the axes of 6, it raised AssertionError:"
    result.stdout.fnmatch_lines([raised, "*(3, 8, 3)"])


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
def test_what_is_only_close_is_told_with_how_far_the_original_is_from_itself(
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
    result.stdout.fnmatch_lines(["  compile.steps_per_execution: 4 came back as 1"])


NESTS = """
import collections

Named = collections.namedtuple("Named", ["zeta", "alpha", "middle"])

class Fields(K.Model):
    def __init__(self):
        super().__init__()
        self.inner = L.Dense(2)

    def call(self, x):
        y = self.inner(x)
        return Named(y + 1.0, y * 2.0, y[:, 0])

class Empty(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return {"x": x, "nothing": {}, "none": [], "named": Named(x, [], {})}

class Narrow(tf.Module):
    @tf.function
    def __call__(self, x):
        return x * tf.constant(1.1, x.dtype)

@pytest.mark.roundtrip(formats=["saved_model", "hub"])
def test_fields():
    model = Fields()
    model(K.Input((4,)))
    return model, np.ones((3, 4), "float32")

@pytest.mark.roundtrip(formats=["saved_model", "hub"])
def test_empty():
    return Empty()

@pytest.mark.roundtrip(formats=["hub"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_narrow(dtype):
    module = Narrow()
    module.__call__.get_concrete_function(tf.TensorSpec([None], dtype))
    return module, tf.cast([1.0, 2.0, 3.0], dtype)
"""


def test_sound_nests_and_dtypes(run: Run) -> None:
    """Fields in no alphabetical order, empty containers, and inputs that a hub layer would cast."""
    run(NESTS).assert_outcomes(passed=6)


EMPTIED = """
from pytest_modelroundtrip.portable.formats.saved_model import SavedModelFormat


class Emptied(SavedModelFormat):
    \"\"\"Returns a dict for a list, and leaves an empty one out.\"\"\"

    name = "emptied"

    def subject(self, model, options):
        subject = super().subject(model, options)
        call = subject.calls[""]

        def emptied(args, kwargs):
            outputs = call(args, kwargs)
            return {"list": dict(enumerate(outputs["list"]))}

        return subject._replace(calls={"": emptied}) if options.structure else subject
"""

CONTAINERS = """
class Containers(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return {"list": [x, x], "nothing": {}}

@pytest.mark.roundtrip(formats=["saved_model", "emptied"])
def test_it():
    return Containers()
"""


def test_containers_that_hold_nothing_are_structure(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(emptied=EMPTIED)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("emptied:Emptied"))
    result = run(CONTAINERS)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*outputs?'list'? was a list of 2 and came back as a dict of 0, 1",
            "*outputs?'nothing'? is missing after the reload",
        ]
    )


NAMED_INPUTS = """
@pytest.mark.roundtrip(formats=["saved_model"])
def test_it():
    left, right = K.Input((4,), name="left"), K.Input((4,), name="right")
    model = K.Model([left, right], L.Subtract()([L.Dense(3)(left), L.Dense(3)(right)]))
    x = np.ones((2, 4), "float32")
    return model, {"right": 3 * x, "left": x}
"""


def test_a_saved_model_of_a_list_is_called_with_the_names_of_its_inputs(run: Run) -> None:
    run(NAMED_INPUTS).assert_outcomes(passed=1)
