"""What a format of a test's own may say: its tolerance, and that it cannot hold a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inner_runs import adding_formats

if TYPE_CHECKING:
    from inner_runs import Run


OWN = '''
from pytest_modelroundtrip.portable.formats import UnsupportedError
from pytest_modelroundtrip.portable.formats.saved_model import SavedModelFormat as Base


class Near(Base):
    """Returns what is near."""

    name = "near"
    tolerance = 0.01

    def subject(self, model, options):
        subject = super().subject(model, options)
        if not options.structure and options.structure != 0:
            return subject
        call = subject.calls[""]
        return subject._replace(calls={"": lambda args, kwargs: call(args, kwargs) * 1.005})


class Saving(Base):
    """Sees it as it saves."""

    name = "saving"

    def save(self, model, folder):
        raise UnsupportedError("too odd to be saved")


class Loading(Base):
    """Sees it as it loads."""

    name = "loading"

    def load(self, folder, options):
        raise UnsupportedError("too odd to be loaded")
'''
MODULE = """
class Twice(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return x * 2.0

@pytest.mark.roundtrip
def test_it():
    return Twice(), np.float32([1, 2])
"""


def test_a_tolerance_of_the_format(run: Run, pytester: pytest.Pytester) -> None:
    """What the test says comes before it; what it allows is no surprise to be explained."""
    pytester.makepyfile(own=OWN)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("own:Near"))
    stricter = ["exact=True", "rtol=1e-3, atol=0"]
    tests = [MODULE.replace("roundtrip\n", f"roundtrip({options})\n") for options in stricter]
    renamed = [test.replace("test_it", f"test_{n}") for n, test in enumerate(tests)]
    result = run("\n".join([MODULE, *renamed]), "--roundtrip-formats=near")
    result.assert_outcomes(passed=1, failed=2)
    assert "the original itself" not in result.stdout.str()


def test_what_shows_only_as_it_is_saved_or_loaded_is_not_applicable(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(own=OWN)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("own:Saving", "own:Loading"))
    result = run(MODULE, "--roundtrip-formats=saving,loading", "-rs")
    result.assert_outcomes(skipped=2)
    text = " ".join(result.stdout.str().split())
    assert "saving: too odd to be saved" in text and "loading: too odd to be loaded" in text
