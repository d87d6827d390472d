"""Which axes are varied: those that are declared free, one by one where that is needed."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from inner_runs import adding_formats, version_of
from known_losses import lost_by_keras_3_0

if TYPE_CHECKING:
    from inner_runs import Run


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
