"""What becomes of each kind of function in a test file. No test here needs TensorFlow."""

from __future__ import annotations

import pytest
from stubbed_runs import run_stubbed, use_stubs


@pytest.fixture(autouse=True)
def stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round trips without models."""
    use_stubs(monkeypatch)


NOT_TESTS = """
import pytest

pytestmark = pytest.mark.roundtrip(formats=["keras"])

class Proxy:
    def __getattr__(self, name):
        raise RuntimeError("working outside of application context")

current_app = Proxy()

def helper():
    pass

@pytest.fixture
def width():
    return 3

def test_it(width):
    assert not hasattr(helper, "pytestmark")
    return "exact"
"""


def test_only_test_functions_are_looked_at(pytester: pytest.Pytester) -> None:
    """A proxy raises if it is touched, and pytest warns of marks on fixtures."""
    pytester.makepyfile(NOT_TESTS)
    run_stubbed("-W", "error").assert_outcomes(passed=1)


ASYNC = """
import pytest

@pytest.mark.roundtrip(formats=["keras"])
async def test_returns():
    return "exact"

@pytest.mark.roundtrip(formats=["keras"])
async def test_calls(roundtrip):
    roundtrip("exact")
"""
RUNS_ASYNC = """
import asyncio
import inspect
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
"""


def test_a_function_that_another_plugin_calls_must_compare_something(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(RUNS_ASYNC)
    pytester.makepyfile(ASYNC)
    result = run_stubbed()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["it never called `roundtrip(model, ...)`, so nothing was *"])


MARKS_LATE = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.roundtrip)
"""


@pytest.mark.parametrize("parameters", ["", "import pytest\n@pytest.mark.parametrize('n', [1])\n"])
def test_a_mark_that_comes_too_late_is_an_error(pytester: pytest.Pytester, parameters: str) -> None:
    pytester.makeconftest(MARKS_LATE)
    pytester.makepyfile(f"{parameters}def test_it({'n' if parameters else ''}): pass")
    result = run_stubbed()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*the marker roundtrip is for *item.add_marker is too late"])


def test_a_doctest_in_a_marked_module_is_not_a_round_trip(pytester: pytest.Pytester) -> None:
    marked = "import pytest\npytestmark = pytest.mark.roundtrip\n"
    pytester.makepyfile(f"{marked}def one():\n    '''\n    >>> 1\n    1\n    '''\n")
    run_stubbed("--doctest-modules").assert_outcomes(passed=1)


EXPECTED = """
import pytest
expected = pytest.mark.roundtrip(formats=["keras"], expected_failures={"keras": "why"})

@expected
@pytest.mark.parametrize("verdict", ["differs", "load error", "unsupported"])
def test_excused(verdict):
    return verdict

@expected
@pytest.mark.parametrize("verdict", ["system error", "environment broken", "not deterministic"])
def test_not_excused(verdict):
    return verdict
"""


def test_only_a_format_that_was_judged_is_excused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXPECTED)
    run_stubbed().assert_outcomes(xfailed=3, failed=3)


BY_A_FIXTURE = """
import pytest

called = []

@pytest.fixture
def do_it(roundtrip):
    roundtrip("exact")

@pytest.mark.roundtrip(formats=["keras", "h5"])
@pytest.mark.usefixtures("do_it")
def test_it():
    called.append(1)

def test_count():
    assert called == [1, 1]
"""


def test_a_test_whose_fixture_does_the_round_trip_is_called_for_each_format(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(BY_A_FIXTURE)
    run_stubbed().assert_outcomes(passed=3)


WRONG_HOOK = "def pytest_modelroundtrip_formats(config):\n    return 3\n"
TWO_TESTS = """
import pytest
pytestmark = pytest.mark.roundtrip
def test_a(): pass
def test_b(): pass
"""


def test_an_error_of_a_hook_is_reported_once_and_unchanged(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WRONG_HOOK)
    pytester.makepyfile(TWO_TESTS)
    result = run_stubbed()
    (line,) = [line for line in result.errlines if line]
    assert line == ("ERROR: pytest_modelroundtrip_formats: a list of formats is expected, not 3")


@pytest.mark.slow  # it starts interpreters
def test_an_error_of_a_hook_is_reported_by_a_worker_of_xdist(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makeconftest(WRONG_HOOK)
    pytester.makepyfile(TWO_TESTS)
    result = pytester.runpytest_subprocess("-n1")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["pytest_modelroundtrip_formats: a list of formats is expected*"])


SHARED = """
import pytest

class Base:
    def test_it(self, roundtrip):
        roundtrip("exact")

@pytest.mark.roundtrip(formats=["keras"])
class TestMarked(Base):
    pass

class TestUnmarked(Base):
    pass
"""


def test_a_class_that_shares_functions_with_a_marked_one_has_the_fixture(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(SHARED)
    run_stubbed("--roundtrip-formats=h5,keras").assert_outcomes(passed=4)


EXCLUDES = """
import pytest

@pytest.mark.roundtrip(exclude=["keras"])
def test_excludes():
    raise SystemExit

@pytest.mark.roundtrip
def test_other():
    return "exact"
"""


def test_a_test_that_excludes_the_formats_of_a_run_is_skipped(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXCLUDES)
    run_stubbed("--roundtrip-formats=keras").assert_outcomes(passed=1, skipped=1)


BY_REQUEST = """
import pytest

built = []

@pytest.fixture
def anew():
    return object()

@pytest.mark.roundtrip(formats=["keras", "h5"])
def test_it(request):
    built.append(request.getfixturevalue("anew"))
    return "exact"

def test_count():
    assert len(built) == 2
"""


def test_a_fixture_that_a_test_gets_by_request_is_not_used_after_its_teardown(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(BY_REQUEST)
    run_stubbed().assert_outcomes(passed=3)


HOOK_THAT_RAISES = """
def pytest_modelroundtrip_finished(trip):
    assert trip.artifact.exists()
    raise ValueError("of the hook")
"""
TWO_TRIPS = """
import pytest

@pytest.mark.roundtrip(formats=["keras"])
def test_it(roundtrip):
    roundtrip("exact")
    roundtrip("exact")
"""


def test_what_need_not_be_kept_is_deleted_where_a_hook_raises(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(HOOK_THAT_RAISES)
    pytester.makepyfile(TWO_TRIPS)
    run_stubbed("--basetemp=base").assert_outcomes(passed=1, errors=1)
    assert not [*pytester.path.glob("base/**/artifact")]


SAME_NAME = """
import pytest
from pytest_modelroundtrip.current_session import session_of

class TestA:
    @pytest.mark.roundtrip(formats=["keras"])
    def test_it(self):
        return "exact"

class TestB:
    def test_it(self, request):
        assert session_of(request.config)._held is None
"""


def test_a_model_is_released_before_a_test_of_the_same_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SAME_NAME)
    run_stubbed().assert_outcomes(passed=2)
