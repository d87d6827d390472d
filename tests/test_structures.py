"""Nests of inputs and outputs are the same after the reload, also where they hold nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inner_runs import adding_formats

if TYPE_CHECKING:
    from inner_runs import Run


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
            "*outputs?'list'? was a list of 2 and is now a dict of 0, 1",
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
