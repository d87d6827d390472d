"""pytest's hooks. Nothing that is imported here imports NumPy, execnet, TensorFlow or Keras.

`session` and `fixture` do; they are imported with the first marked test.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import hookspecs, marked_functions, settings
from .bundles import bundle_settings
from .current_session import SESSION, session_of
from .defined_environments import defined_environments
from .marked_functions import ARGUMENT, FUNCTION_SCOPED, callspec_of, test_of
from .portable.bundles.bundle_files import ARCHIVE_SUFFIX, ORIGIN
from .reporting.reporter import PROPERTY, RoundTripReporter
from .round_trip_case import CASE, RoundTripCase
from .setting_values import SettingsError

if TYPE_CHECKING:
    from .fixture import RoundTripFixture, RoundTripsOfItem

ROUND_TRIPS: pytest.StashKey[RoundTripsOfItem] = pytest.StashKey()
USE = pytest.mark.usefixtures(ARGUMENT)


# the run


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    settings.add_options(parser)
    bundle_settings.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and check what can be checked before anything is collected."""
    config.addinivalue_line("markers", settings.MARKER_SIGNATURE)
    defined_environments(config)
    is_worker = _is_worker(config)
    path = None if is_worker else settings.report_path(config)
    if not is_worker:
        bundle_settings.check(config)
    config.pluginmanager.register(RoundTripReporter(path), "modelroundtrip-reporter")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the clean interpreters."""
    if SESSION in config.stash:
        config.stash[SESSION].close()


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Answer `--roundtrip-list`."""
    if not config.getoption("roundtrip_list"):
        return None
    from .reporting.listing import write_list

    session = session_of(config)
    write_list(session.formats, session.environments)
    session.close()
    return 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one worker do all round trips of a model."""
    if config.getoption("dist") != "load":
        return None
    from .xdist_scheduling import ModelsTogether

    return ModelsTogether(config, log)


def _is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


# collection


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Make an item of a bundle for each environment."""
    is_bundle = os.path.isfile(path / ORIGIN)  # False where a folder cannot be read
    if not is_bundle or not bundle_settings.is_golden(path, parent.config):
        return None
    from .bundles.goldens import GoldenDirectory

    _follow_goldens(parent.config)
    collector: GoldenDirectory = GoldenDirectory.from_parent(parent, path=path)
    return collector


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The same for a bundle in one file."""
    is_archive = file_path.name.endswith(ARCHIVE_SUFFIX)
    if not is_archive or not bundle_settings.is_golden(file_path, parent.config):
        return None
    from .bundles.goldens import GoldenArchive

    _follow_goldens(parent.config)
    collector: GoldenArchive = GoldenArchive.from_parent(parent, path=file_path)
    return collector


def _follow_goldens(config: pytest.Config) -> None:
    """Let the run say what becomes of its goldens; this is called where there is one."""
    name, is_worker = "modelroundtrip-goldens", _is_worker(config)
    is_done = config.pluginmanager.has_plugin(name)
    if bundle_settings.golden_folders(config) and not is_worker and not is_done:
        from .bundles.golden_updates import GoldenUpdates

        updates = GoldenUpdates(config.getoption("roundtrip_update_goldens"))
        config.pluginmanager.register(updates, name)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> None:
    """Give each marked function the fixture, used or not: only fixtures can be parametrized."""
    if not collector.istestfunction(obj, name):
        return  # a helper, a fixture, or what raises if it is touched, as Flask's proxies do
    function = getattr(obj, "__func__", obj)  # of a static or class method
    if not inspect.isfunction(function):
        return
    own = getattr(function, "pytestmark", [])
    marks = [*own, *collector.iter_markers(ARGUMENT)]
    if any(mark.name == ARGUMENT for mark in marks) and USE.mark not in own:
        USE(function)


@pytest.hookimpl(trylast=True)  # so that the ids of @pytest.mark.parametrize come first
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item for each round trip."""
    if ARGUMENT not in metafunc.fixturenames:
        return
    definition = metafunc.definition
    if not _is_marked(definition, metafunc.function):
        return
    session = session_of(metafunc.config)
    try:
        cases = session.cases(definition.iter_markers(ARGUMENT))
    except SettingsError as error:
        session.errors[definition.nodeid] = f"{definition.nodeid}: roundtrip {error}"
        return
    except pytest.UsageError as error:  # of a hook, so it is the same for each test
        session.errors[definition.nodeid] = str(error)
        return
    metafunc.parametrize(ARGUMENT, [_parameter(case) for case in cases], indirect=True)


def _is_marked(node: pytest.Item, function: Callable[..., object]) -> bool:
    """Whether this test is marked, or asks for the fixture without.

    A marked class may share its functions with a base class that is not marked.
    """
    marked = node.get_closest_marker(ARGUMENT) is not None
    asks = ARGUMENT in inspect.signature(function).parameters
    return marked or asks or USE.mark not in getattr(function, "pytestmark", ())


def _parameter(case: RoundTripCase) -> Any:
    from .result import FormatFailedError

    reason = case.settings.expected_failures.get(case.id)
    if not reason:
        return pytest.param(case, id=case.id)
    expected = pytest.mark.xfail(reason=reason, strict=True, raises=FormatFailedError)
    return pytest.param(case, id=case.id, marks=expected)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End the run where a marker is wrong, with all that is wrong."""
    wrong = [(item, text) for item in items if (text := _wrong_mark(item))]
    errors = {test_of(item): f"{item.nodeid}: the marker roundtrip {text}" for item, text in wrong}
    if SESSION not in config.stash and not errors:
        return
    session = session_of(config)
    session.errors = {**errors, **session.errors}
    # one of xdist's workers cannot end the run; there the test itself fails
    if session.errors and not _is_worker(config):
        raise pytest.UsageError("\n".join(dict.fromkeys(session.errors.values())))


def _wrong_mark(item: pytest.Item) -> str:
    """What is wrong with the mark of an item, if it has one and something is."""
    if not isinstance(item, pytest.Function):
        return ""  # a doctest in a marked module is none of its tests
    callspec = callspec_of(item)
    if callspec and any(mark.name == ARGUMENT for mark in callspec.marks):
        return "is for functions and classes, not for a single pytest.param"
    if item.get_closest_marker(ARGUMENT) is None or (callspec and ARGUMENT in callspec.params):
        return ""
    return (
        "is for plain test functions and methods, not for this kind of test. It must be there "
        "before the collection: item.add_marker is too late"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Start the environments that the items need: they import TensorFlow meanwhile.

    pytest comes here only where the collection was not broken off.
    """
    config = session.config
    if SESSION not in config.stash or config.option.collectonly or _ends_before_tests(session):
        return
    if not _is_worker(config):  # one of xdist's workers gets some of the items only
        _start_environments(config, session.items)


def _start_environments(config: pytest.Config, items: list[pytest.Item]) -> None:
    from .session import missing_tensorflow

    no_test_is_called = config.getoption("setuponly", False)  # with --setup-plan too
    if missing_tensorflow() is None and not no_test_is_called:
        cases = [case for item in items if (case := _case_of(item))]
        session_of(config).start(case.environment for case in cases)


def _ends_before_tests(session: pytest.Session) -> bool:
    """Whether errors of the collection end the run, or something else that was seen in it."""
    errors = session.testsfailed and not session.config.option.continue_on_collection_errors
    return bool(errors or session.shouldfail or session.shouldstop)


def _case_of(item: pytest.Item) -> RoundTripCase | None:
    callspec = callspec_of(item)
    case = callspec.params.get(ARGUMENT) if callspec else item.stash.get(CASE, None)
    return case if isinstance(case, RoundTripCase) else None  # a fixture may have the same name


# one item


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test with a wrong marker, where the run could not be ended."""
    # an item that is rerun has the results of its earlier run
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] != PROPERTY]
    session = item.config.stash.get(SESSION, None)
    error = session.errors.get(test_of(item)) if session else None
    if error:
        pytest.fail(error, pytrace=False)
    if _is_worker(item.config) and _case_of(item):
        _start_environments(item.config, [item])


@pytest.fixture
def roundtrip(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RoundTripFixture | None]:
    """Save models in this item's format and reload them: `roundtrip(model, *args, **kwargs)`."""
    if not _is_marked(request.node, request.function):
        yield None
        return
    from .fixture import RoundTripFixture, RoundTripsOfItem
    from .session import missing_tensorflow

    missing = missing_tensorflow()
    if missing:
        pytest.fail(missing, pytrace=False)
    case: RoundTripCase = request.param
    make_folder = functools.partial(tmp_path_factory.mktemp, f"roundtrip-{case.id}")
    of_item = RoundTripsOfItem(session_of(request.config), case, make_folder, request.node)
    request.node.stash[ROUND_TRIPS] = of_item
    yield RoundTripFixture(of_item)
    of_item.finish()


def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> None:
    """Remember which fixtures are made anew for each item."""
    if fixturedef.scope == "function":
        request.node.stash.setdefault(FUNCTION_SCOPED, set()).add(fixturedef.argname)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call the function of an item that does a round trip: it may return the model."""
    of_item = pyfuncitem.stash.get(ROUND_TRIPS, None)
    if of_item is None or inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    marked_functions.call(pyfuncitem, of_item)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed and compared nothing, also where another plugin called it."""
    result = yield
    of_item = item.stash.get(ROUND_TRIPS, None)
    if of_item is not None and not of_item.trips:
        pytest.fail(
            "it never called `roundtrip(model, ...)`, so nothing was compared", pytrace=False
        )
    return result


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Release the model with the last item of its test."""
    is_last = nextitem is None or test_of(item) != test_of(nextitem)
    if ROUND_TRIPS in item.stash and is_last:
        session_of(item.config).release()
