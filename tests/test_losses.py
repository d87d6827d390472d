"""What must be caught: each sabotaged format is, and the message names what was lost. What must not be: sound models pass."""

from __future__ import annotations

from typing import Any

import pytest
import sabotage

MODEL = """
@pytest.mark.roundtrip(formats=FORMATS)
def test_lost():
    i = K.Input((6,))
    a = L.Dense(6, name="first", bias_initializer="normal")(i)
    b = L.Dense(6, name="second", bias_initializer="normal")(a)
    model = K.Model(i, [a, b])
    model.get_layer("first").trainable = False
    return model
"""


@pytest.fixture
def with_sabotage(pytester: pytest.Pytester) -> None:
    for name in sabotage.FORMATS:
        pytester.makepyfile(**{f"sabotaged_{name}": sabotage.source(name)})
    pytester.syspathinsert()
    names = ", ".join(f"sabotaged_{name}" for name in sabotage.FORMATS)
    pytester.makeconftest(f"import {names}\n\ndef pytest_modelroundtrip_formats(config):\n    return [{names}]\n")


def test_each_loss_is_caught_and_named(run: Any, with_sabotage: None) -> None:
    formats = [f"sabotaged_{name}" for name in sabotage.FORMATS]
    result = run(MODEL.replace("FORMATS", repr(["h5", *formats])), "-rf")
    result.assert_outcomes(passed=1, failed=len(formats))
    failures = _failures(result.stdout.str())
    for name, (_, _, said) in sabotage.FORMATS.items():
        for words in said:
            assert words in failures[f"test_lost[sabotaged_{name}]"], name


def _failures(text: str) -> dict[str, str]:
    """The text of each failure by the name of its item."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.split("= FAILURES =", 1)[1].split("= model round trips =", 1)[0].splitlines():
        if line.startswith("___"):
            name = line.strip("_ ")
        found.setdefault(name, []).append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def test_a_failure_says_all_in_one_place(run: Any, with_sabotage: None, pytester: pytest.Pytester) -> None:
    result = run(MODEL.replace("FORMATS", "['sabotaged_keeps_path']"), f"--basetemp={pytester.path / 'base'}")
    result.stdout.fnmatch_lines(
        [
            "LOAD ERROR: format sabotaged_keeps_path, reloaded in environment 'here'",
            "  *saving/model.h5*",
            "saved:    Python 3.*, TF 2.*eras *, NumPy *",
            "reloaded: Python 3.*, TF 2.*eras *, NumPy *",
            "artefact: *artifact (* kB)",
            "again:    cd *roundtrip-sabotaged_keeps_path0/1 && env -i * -s reload.pyz",
            "traceback:",
        ]
    )
    assert not [line for line in result.outlines if "session.py" in line or "roundtrip.py" in line]


def test_the_command_reloads_without_pytest(run: Any, with_sabotage: None, pytester: pytest.Pytester) -> None:
    result = run(MODEL.replace("FORMATS", "['sabotaged_keeps_path', 'sabotaged_loads_nothing']"))
    commands = [line.split(None, 1)[1] for line in result.outlines if line.startswith("again: ")]
    failing, ending = (pytester.run("sh", "-c", command) for command in commands)
    assert failing.ret == 1
    failing.stdout.fnmatch_lines(["-- load", "*saving/model.h5*"])
    assert ending.ret == 0
    ending.stdout.fnmatch_lines(["-- observe", "*['']*"])


def test_zero_comparisons_are_a_failure(run: Any) -> None:
    result = run("@pytest.mark.roundtrip(formats=['saved_model'], checks=['config'])\ndef test_it():\n    return dense()\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*nothing was compared: saved_model promises weights, outputs*"])


def test_a_model_that_differs_from_itself_is_not_blamed_on_the_format(run: Any) -> None:
    source = """
class Noise(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return {"clean": x, "noisy": x + tf.random.normal(tf.shape(x))}

@pytest.mark.roundtrip(formats=["saved_model"])
def test_it():
    return Noise()
"""
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["NOT DETERMINISTIC: *", "*called twice on the same inputs*", "*outputs?'noisy'? differs in 6 of 6*"]
    )


SOUND = """
class Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        odd = {"empty": x[:0], "zero": -0.0 * x, "none": x / 0.0 * 0.0, "huge": x * 3e38}
        return {"calls": self.calls.assign_add(1), **odd}

class Kinds(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, x):
        words = tf.strings.split(x)
        lengths = words.row_lengths()
        return words, words.to_sparse(), tf.strings.upper(x), tf.cast(lengths, tf.bfloat16), tf.cast(lengths, tf.complex64)

@pytest.mark.roundtrip
def test_counter():
    return Counter()

@pytest.mark.roundtrip
def test_kinds():
    return Kinds(), ["one two", "", "naïve café"]

@pytest.mark.roundtrip
def test_dropout_and_state():
    return K.Sequential([K.Input((5, 3)), L.GRU(4), L.Dropout(0.5), L.BatchNormalization(), L.Dense(2)])

@pytest.mark.roundtrip
def test_fixed_batch():
    i = K.Input((3,), batch_size=2)
    return K.Model(i, L.Dense(2)(i)), np.ones((2, 3), "float32")

@pytest.mark.roundtrip
def test_layer():
    return L.Dense(3), np.ones((2, 4), "float32")
"""


def test_sound_models_pass(run: Any) -> None:
    result = run(SOUND)
    assert result.parseoutcomes().get("failed", 0) == 0, result.stdout.str()
    assert result.parseoutcomes()["passed"] >= 20


def test_state_is_put_back_when_a_call_raises(run: Any) -> None:
    """The second batch is tried, refused, and leaves no trace: the model is not said to be unstable."""
    source = """
class OneSize(tf.Module):
    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        calls = self.calls.assign_add(1.0)
        with tf.control_dependencies([calls, tf.debugging.assert_equal(tf.shape(x)[0], 3)]):
            return x + calls

@pytest.mark.roundtrip(formats=["saved_model"])
def test_it():
    return OneSize(), np.ones((3, 2), "float32")
"""
    run(source).assert_outcomes(passed=1)


def test_one_variable_in_two_places_must_come_back_as_one(run: Any, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(unties=UNTIES)
    pytester.syspathinsert()
    pytester.makeconftest("import unties\n\ndef pytest_modelroundtrip_formats(config):\n    return [unties]\n")
    source = """
class Tied(tf.Module):
    def __init__(self):
        super().__init__()
        self.encode = self.decode = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return x * self.encode + self.decode

@pytest.mark.roundtrip(formats=["saved_model", "unties"])
def test_it():
    return Tied()
"""
    result = run(source)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["  weight encode was one with decode and came back as a variable of its own"])


UNTIES = """
import tensorflow as tf
from pytest_modelroundtrip.portable.formats import saved_model
from pytest_modelroundtrip.portable.formats.saved_model import PROMISES, save, subject, supports

def load(folder, options):
    model = saved_model.load(folder, options)
    model.encode = tf.Variable([1.0, 2.0])
    return model
"""


def test_a_name_that_the_user_gave_is_kept(run: Any, pytester: pytest.Pytester) -> None:
    """Keras' own numbers may change in a model that is built anew; a name of the user's may not."""
    pytester.makepyfile(named="import tensorflow as tf\nK, L = tf.keras, tf.keras.layers\n" + NAMED.format(name="block_9"))
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    result = run(NAMED.format(name="block_2") + RENAMED)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  weight block_2/kernel float32?4, 3? did not come back"])


NAMED = """
def build():
    return K.Sequential([K.Input((4,)), L.Dense(3, name="{name}")])
"""

RENAMED = """
@pytest.mark.roundtrip(formats=["checkpoint"], factory="named:build")
def test_it():
    return build()
"""
