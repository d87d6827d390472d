"""What a marked test does: it builds its model once, and means what it marks."""

from __future__ import annotations

import pytest
from inner_runs import Run


@pytest.mark.parametrize(
    "source, message",
    [
        ("def test_it():\n    dense()\n", "it returned nothing: return the model"),
        (
            "def test_it(roundtrip):\n    pass\n",
            "it never called `roundtrip(model, ...)`, so nothing was compared",
        ),
        (
            "def test_it(roundtrip):\n    return dense()\n",
            "has the fixture `roundtrip` and returns a value",
        ),
        ("def test_it():\n    return [1, 2]\n", "list is not a model: return a Keras model"),
        ("def test_it():\n    return K.Sequential\n", "the class Sequential is not a model"),
        ("def test_it():\n    return ()\n", "it returned nothing"),
        (
            "def test_it():\n    return dense(), [[1.0, 2.0], [3.0]]\n",
            "a model is called with tensors, arrays, lists and dicts",
        ),
        (
            "def test_it():\n    return tf.Module()\n",
            "the inputs of this Module cannot be inferred from the model",
        ),
        (
            "def test_it():\n    return dense(), np.ones((2, 9), 'float32')\n",
            "the model itself cannot be used with these inputs (float32[2, 9], training=False)",
        ),
        (
            "def test_it():\n    return dense(), object()\n",
            "a model is called with tensors, arrays, lists and dicts",
        ),
    ],
)
def test_a_wrong_test_fails_in_plain_words(run: Run, source: str, message: str) -> None:
    result = run(f"@pytest.mark.roundtrip(formats=['keras'])\n{source}")
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()
    assert "session.py" not in result.stdout.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_a_returned_model_is_built_once_for_all_its_formats(run: Run) -> None:
    source = """
built = []

@pytest.fixture(scope="module")
def width(): return 4

@pytest.mark.roundtrip(formats=["h5", "saved_model"])
@pytest.mark.parametrize("units", [1, 2])
def test_shared(width, units):
    built.append(units)
    return K.Sequential([K.Input((width,)), L.Dense(units)])

@pytest.mark.roundtrip(formats=["h5", "saved_model"])
def test_anew(tmp_path):
    built.append("anew")
    return dense()

def test_count():
    assert built == [1, 2, "anew", "anew"]
"""
    run(source).assert_outcomes(passed=7)


def test_the_fixture_returns_all_results(run: Run) -> None:
    source = """
from pytest_modelroundtrip import RoundTrip, RoundTripError
from pytest_modelroundtrip.portable import checks, formats

@pytest.mark.roundtrip(formats=["h5"])
def test_result(roundtrip):
    x = np.ones((2, 4), "float32")
    model = dense()
    trip = roundtrip(model, x, training=False)
    assert isinstance(trip, RoundTrip)
    assert (trip.format, trip.environment, trip.verdict, trip.max_ulp) == ("h5", "here", "exact", 0)
    assert trip.artifact.joinpath("model.h5").stat().st_size == trip.size
    # eager and graph kernels may differ in the last bits
    np.testing.assert_allclose(trip.outputs, model(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(trip.outputs, trip.expected)
    made = {name for name in formats.built_in()["h5"].keeps if not checks.table()[name].slow}
    made.remove("optimizer")  # the model is not compiled
    assert trip.checks == {name: "exact" if name in made else "n/a" for name in checks.NAMES}
    assert trip.versions.saved["tensorflow"] == tf.__version__
    assert trip.versions.reloaded["tensorflow"] == tf.__version__
    assert {"observe", "save", "reload", "reload: load", "compare"} <= trip.seconds.keys()

    with pytest.raises(AssertionError) as caught:
        roundtrip(dense(), x[:, :2])
    assert isinstance(caught.value, RoundTripError)
"""
    run(source).assert_outcomes(passed=1)


def test_expected_failures_are_strict_and_of_that_item_alone(run: Run) -> None:
    source = """
@pytest.mark.roundtrip(
    formats=["h5", "checkpoint"], expected_failures={"h5": "HDF5 holds no such models"}
)
def test_fails():
    return Subclassed(), np.ones((2, 4), "float32")

@pytest.mark.roundtrip(formats=["h5"], expected_failures={"h5": "no longer true"})
def test_passes():
    return dense()

@pytest.mark.roundtrip(formats=["h5"], expected_failures={"h5": "excuses no typo"})
def test_typo():
    return dence()

class Subclassed(K.Model):
    def __init__(self):
        super().__init__()
        self.inner = L.Dense(2)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        raise NotImplementedError
"""
    result = run(source, "-rxf")
    result.assert_outcomes(xfailed=1, failed=3)
    result.stdout.fnmatch_lines(["*only weights are kept, and the model has no config*"])
    result.stdout.fnmatch_lines(["*XPASS(strict)*", "*NameError*dence*"])


def test_only_models_that_are_needed_are_kept(run: Run, pytester: pytest.Pytester) -> None:
    source = """
@pytest.mark.roundtrip(formats=["h5"])
def test_passes():
    return dense()

@pytest.mark.roundtrip(formats=["h5"])
def test_fails():
    return K.Sequential([K.Input((4,)), L.Lambda(lambda x: only_here(x))])
"""
    for keep, kept in (("failed", 1), ("all", 2), ("none", 0)):
        base = pytester.path / keep
        result = run(source, f"--basetemp={base}", f"--roundtrip-keep={keep}")
        result.assert_outcomes(passed=1, failed=1)
        assert len(list(base.rglob("model.h5"))) == kept, keep
        assert ("reproduce: " in result.stdout.str()) == bool(
            kept
        )  # what is not there is not named


ELSEWHERE = """
import unittest

@pytest.fixture
def do_it(roundtrip):
    return lambda model: roundtrip(model)

@pytest.mark.roundtrip(formats=["h5"])
def test_by_a_fixture(do_it):
    do_it(dense())

class Base:
    def test_inherited(self):
        return dense()

@pytest.mark.roundtrip(formats=["h5"])
class TestMarked(Base):
    @staticmethod
    def test_static():
        return dense()

class TestUnmarked(Base):
    def test_inherited(self):
        pass

class TestToo(Base):
    pass
"""


@pytest.mark.filterwarnings("ignore::pytest.PytestReturnNotNoneWarning")
def test_the_marker_means_what_it_marks(run: Run) -> None:
    result = run(ELSEWHERE, "-v", "-W", "ignore::pytest.PytestReturnNotNoneWarning")
    ids = [
        line.split()[0].split("::", 1)[1]
        for line in result.outlines
        if "::" in line and ("PASSED" in line or "FAILED" in line)
    ]
    assert sorted(ids) == [
        "TestMarked::test_inherited[h5]",
        "TestMarked::test_static[h5]",
        "TestToo::test_inherited",
        "TestUnmarked::test_inherited",
        "test_by_a_fixture[h5]",
    ]
    marked = [line for line in result.outlines if "[h5] PASSED" in line]
    assert len(marked) == 3


def test_a_unittest_cannot_be_marked(run: Run) -> None:
    source = (
        "import unittest\n\nclass Test(unittest.TestCase):\n"
        "    @pytest.mark.roundtrip\n    def test_it(self): ...\n"
    )
    assert (
        "the marker roundtrip is for plain test functions and methods, not for this kind of test"
        in run(source).stderr.str()
    )


def test_a_failed_trip_keeps_its_artifact_when_another_passed(
    run: Run, pytester: pytest.Pytester
) -> None:
    source = """
@pytest.mark.roundtrip(formats=["h5"])
def test_two(roundtrip):
    roundtrip(dense())
    roundtrip(K.Sequential([K.Input((4,)), L.Lambda(lambda x: only_here(x))]))
"""
    result = run(source, f"--basetemp={pytester.path / 'base'}")
    result.stdout.fnmatch_lines(["*artifact: *roundtrip-h50/2/artifact (*"])
    assert len(list((pytester.path / "base").rglob("model.h5"))) == 1


def test_warnings_of_the_libraries_are_no_errors_of_the_test(run: Run) -> None:
    # the second is of the test's own: Keras 2.10 warns as the model is built
    own = ("ignore:.*pkg_resources", "ignore:non-integer arguments to randrange")
    filters = [word for text in ("error", *own) for word in ("-W", text)]
    result = run("@pytest.mark.roundtrip\ndef test_it():\n    return dense()\n", *filters)
    outcomes = result.parseoutcomes()
    assert outcomes.keys() <= {"passed", "skipped", "warnings"} and outcomes["passed"] >= 6
