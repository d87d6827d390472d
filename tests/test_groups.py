"""Several generations of one model, and groups of several models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from known_losses import lost_by_keras_3_0

if TYPE_CHECKING:
    from inner_runs import Run

PARTS = """
import tensorflow as tf
K, L = tf.keras, tf.keras.layers

def build():
    embedding = L.Embedding(9, 4, name="embedding")
    source, target = K.Input([None], dtype="int32"), K.Input([None], dtype="int32")
    state = K.Input([5])
    encoder = K.Model(source, L.GRU(5, name="reader")(embedding(source)), name="encoder")
    written = L.GRU(5, return_sequences=True, name="writer")(embedding(target), initial_state=state)
    decoder = K.Model([target, state], L.Dense(9, name="speaker")(written), name="decoder")
    return {"encoder": encoder, "decoder": decoder}
"""

TEST = """
import parts

X, Y = np.array([[1, 2, 3], [4, 5, 6]], "int32"), np.array([[7, 8], [1, 2]], "int32")

@pytest.mark.roundtrip(KEYWORDS)
def test_it(roundtrip):
    built = parts.build()
    inputs = [Y, roundtrip.output("encoder")]
    trip = roundtrip.parts(encoder=(built["encoder"], X), decoder=(built["decoder"], inputs))
    assert trip.outputs["decoder"].shape == trip.expected["decoder"].shape == (2, 2, 9)
"""


class RunGroup(Protocol):
    """Runs a round trip of a group of two parts that share an embedding."""

    def __call__(self, keywords: str) -> pytest.RunResult:
        """`keywords` are those of the marker."""


@pytest.fixture
def run_group(run: Run, pytester: pytest.Pytester) -> RunGroup:
    """`run_group(keywords)`."""
    pytester.makepyfile(parts=PARTS)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    return lambda keywords: run(TEST.replace("KEYWORDS", keywords))


@lost_by_keras_3_0("Layer node index out of bounds: layers that another model called first")
def test_a_group_in_every_format(run_group: RunGroup) -> None:
    result = run_group("factory='parts:build', checks='all', generations=2")
    outcomes = result.parseoutcomes()
    assert not outcomes.get("failed"), result.stdout.str()
    assert outcomes["passed"] >= 6


def test_a_checkpoint_of_parts_that_share_needs_the_factory_that_shares(
    run_group: RunGroup,
) -> None:
    result = run_group("formats=['checkpoint']")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the parts share variables, so only a factory can build them*"])


def test_what_the_parts_shared_must_still_be_shared(
    run_group: RunGroup, pytester: pytest.Pytester
) -> None:
    """A loader that makes a copy for each part returns the same numbers, but another group."""
    pytester.makepyfile(copies=COPIES)
    pytester.makeconftest(conftest_with("copies", "CopiesFormat"))
    result = run_group("formats=['checkpoint', 'copies'], factory='parts:build'")
    result.assert_outcomes(passed=1, failed=1)
    text = " ".join(result.stdout.str().replace("\nE  ", "\n").split())
    tied = "decoder: weight embedding/embeddings was tied to encoder/embedding/embeddings"
    assert f"{tied} and is now a separate variable" in text


def conftest_with(module: str, format_class: str) -> str:
    """A conftest that adds a format."""
    return f"""
import {module}

def pytest_modelroundtrip_formats(config):
    return [{module}.{format_class}]
"""


COPIES = '''
from pytest_modelroundtrip.portable.formats.checkpoint import CheckpointFormat

class CopiesFormat(CheckpointFormat):
    """Loads each part with variables of its own."""

    name = "copies"

    def load_group(self, folder, options):
        import parts

        models = super().load_group(folder, options)
        copy = parts.build()["decoder"]
        copy.set_weights(models["decoder"].get_weights())
        return {**models, "decoder": copy}
'''


def test_a_part_is_named_in_its_failure(run_group: RunGroup, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(forgets=FORGETS)
    pytester.makeconftest(conftest_with("forgets", "ForgetsFormat"))
    result = run_group("formats=['weights', 'forgets'], factory='parts:build'")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*decoder: weight speaker/bias differs*"])
    assert "encoder: " not in result.stdout.str()


FORGETS = '''
from pytest_modelroundtrip.portable.formats.weights import WeightsFormat

class ForgetsFormat(WeightsFormat):
    """Changes a weight of the decoder."""

    name = "forgets"

    def load(self, folder, options):
        model = super().load(folder, options)
        if options.part == "decoder":
            model.weights[-1].assign(model.weights[-1] + 1)
        return model
'''


def test_mistakes_in_parts_are_reported(run: Run) -> None:
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
            "*the part 'decoder': it takes the output of 'encodr', which is not an earlier part",
            "*a group needs parts: roundtrip.parts(*",
            "*the part 'encoder': int is not a model*",
        ]
    )


WEARS_OFF = '''
import os
from pytest_modelroundtrip.portable.formats.h5 import H5Format

class WearsOffFormat(H5Format):
    """Changes a weight from the second generation on."""

    name = "wears_off"

    def save(self, model, folder):
        super().save(model, folder)
        worn = getattr(model, "_worn", 0)
        open(os.path.join(folder, "worn"), "w").write(str(worn))

    def load(self, folder, options):
        model = super().load(folder, options)
        worn = int(open(os.path.join(folder, "worn")).read())
        if worn:
            model.weights[0].assign(model.weights[0] * 2)
        model._worn = worn + 1
        return model
'''


def test_the_generation_that_lost_something_is_named(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(wears_off=WEARS_OFF)
    pytester.syspathinsert()
    pytester.makeconftest(conftest_with("wears_off", "WearsOffFormat"))
    marker = "@pytest.mark.roundtrip(formats=['wears_off'], generations=N)"
    source = f"{marker}\ndef test_it():\n    return dense()\n"
    run(source.replace("N", "1")).assert_outcomes(passed=1)
    result = run(source.replace("N", "3"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  in generation 2 of 3:", "*weight dense*/kernel differs*"])


def test_parts_may_have_the_names_of_what_a_checkpoint_has(run: Run) -> None:
    """And one whose name leads out of the artifact is the user's mistake, not the format's."""
    source = """
@pytest.mark.roundtrip(formats=["checkpoint"])
def test_it(roundtrip):
    names = ["checkpoint", "save_counter", "restore", "self", "a b"]
    roundtrip.parts(**{name: dense() for name in names})

@pytest.mark.roundtrip(formats=["checkpoint", "saved_model"])
def test_outside(roundtrip):
    roundtrip.parts(**{"OUTSIDE": dense()})
"""
    outside = Path("outside").absolute()
    result = run(source.replace("OUTSIDE", str(outside)))
    result.assert_outcomes(passed=1, failed=2)
    assert "its name is a path" in result.stdout.str()
    assert not outside.exists()
