"""Several generations of one model, and several parts of one system."""

from __future__ import annotations

from typing import Any

import pytest

PARTS = """
import tensorflow as tf
K, L = tf.keras, tf.keras.layers

def build():
    embedding = L.Embedding(9, 4, name="embedding")
    source, target, state = K.Input([None], dtype="int32"), K.Input([None], dtype="int32"), K.Input([5])
    encoder = K.Model(source, L.GRU(5, name="reader")(embedding(source)), name="encoder")
    written = L.GRU(5, return_sequences=True, name="writer")(embedding(target), initial_state=state)
    return {"encoder": encoder, "decoder": K.Model([target, state], L.Dense(9, name="speaker")(written), name="decoder")}
"""

TEST = """
import parts

X, Y = np.array([[1, 2, 3], [4, 5, 6]], "int32"), np.array([[7, 8], [1, 2]], "int32")

@pytest.mark.roundtrip(KEYWORDS)
def test_it(roundtrip):
    built = parts.build()
    trip = roundtrip.parts(encoder=(built["encoder"], X), decoder=(built["decoder"], [Y, roundtrip.output("encoder")]))
    assert trip.outputs["decoder"].shape == trip.expected["decoder"].shape == (2, 2, 9)
"""


@pytest.fixture
def carry(run: Any, pytester: pytest.Pytester) -> Any:
    """`carry(keywords)`: the run of a system of two parts that share an embedding."""
    pytester.makepyfile(parts=PARTS)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    return lambda keywords, *args: run(TEST.replace("KEYWORDS", keywords), *args)


def test_the_parts_of_a_system_in_every_format(carry: Any) -> None:
    result = carry("factory='parts:build', checks='all', generations=2")
    outcomes = result.parseoutcomes()
    assert not outcomes.get("failed"), result.stdout.str()
    assert outcomes["passed"] >= 6


def test_a_checkpoint_of_parts_that_share_needs_the_factory_that_shares(carry: Any) -> None:
    result = carry("formats=['checkpoint']")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the parts share variables, so only a factory can build them*"])


def test_what_the_parts_shared_must_still_be_shared(carry: Any, pytester: pytest.Pytester) -> None:
    """A loader that gives each part its own copy gives the same numbers, and another system."""
    pytester.makepyfile(copies=COPIES)
    pytester.makeconftest("import copies\n\ndef pytest_modelroundtrip_formats(config):\n    return [copies]\n")
    result = carry("formats=['checkpoint', 'copies'], factory='parts:build'")
    result.assert_outcomes(passed=1, failed=1)
    text = " ".join(result.stdout.str().replace("\nE  ", "\n").split())
    assert (
        "decoder: weight embedding/embeddings was one with encoder/embedding/embeddings and came back as a variable of its" in text
    )


COPIES = """
from pytest_modelroundtrip.portable.formats import checkpoint as base
from pytest_modelroundtrip.portable.formats.checkpoint import (
    PROMISES, load, needs_factory, save, save_together, subject, supports, why_not_together
)

def load_together(folder, options):
    import parts

    models = base.load_together(folder, options)
    copy = parts.build()["decoder"]
    copy.set_weights(models["decoder"].get_weights())
    return {**models, "decoder": copy}
"""


def test_a_part_is_named_in_its_failure(carry: Any, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        forgets="""
        from pytest_modelroundtrip.portable.formats import weights as base
        from pytest_modelroundtrip.portable.formats.weights import PROMISES, needs_factory, save, subject, supports

        def load(folder, options):
            model = base.load(folder, options)
            if options.part == "decoder":
                model.weights[-1].assign(model.weights[-1] + 1)
            return model
        """
    )
    pytester.makeconftest("import forgets\n\ndef pytest_modelroundtrip_formats(config):\n    return [forgets]\n")
    result = carry("formats=['weights', 'forgets'], factory='parts:build'")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*decoder: weight speaker/bias differs*"])
    assert "encoder: " not in result.stdout.str()


def test_mistakes_in_parts_are_told(run: Any) -> None:
    source = """
@pytest.mark.roundtrip(formats=["h5"])
def test_unknown(roundtrip):
    roundtrip.parts(encoder=dense(), decoder=(dense(), roundtrip.output("encodr")))

@pytest.mark.roundtrip(formats=["h5"])
def test_none(roundtrip):
    roundtrip.parts()

@pytest.mark.roundtrip(formats=["h5"])
def test_no_model(roundtrip):
    roundtrip.parts(encoder=3)
"""
    result = run(source)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "*the part 'decoder': it takes the output of 'encodr', which is no part before it",
            "*a system needs parts: roundtrip.parts(*",
            "*the part 'encoder': int is not a model*",
        ]
    )


WEARS_OFF = """
import os
from pytest_modelroundtrip.portable.formats import h5 as base
from pytest_modelroundtrip.portable.formats.h5 import PROMISES, subject, supports

def save(model, folder):
    base.save(model, folder)
    worn = getattr(model, "_worn", 0)
    open(os.path.join(folder, "worn"), "w").write(str(worn))

def load(folder, options):
    model = base.load(folder, options)
    worn = int(open(os.path.join(folder, "worn")).read())
    if worn:
        model.weights[0].assign(model.weights[0] * 2)
    model._worn = worn + 1
    return model
"""


def test_the_generation_that_lost_something_is_named(run: Any, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(wears_off=WEARS_OFF)
    pytester.syspathinsert()
    pytester.makeconftest("import wears_off\n\ndef pytest_modelroundtrip_formats(config):\n    return [wears_off]\n")
    source = "@pytest.mark.roundtrip(formats=['wears_off'], generations=N)\ndef test_it():\n    return dense()\n"
    run(source.replace("N", "1")).assert_outcomes(passed=1)
    result = run(source.replace("N", "3"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  in generation 2 of 3:", "*weight dense*/kernel differs*"])
