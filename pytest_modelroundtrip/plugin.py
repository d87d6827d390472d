"""The pytest hooks. Neither TensorFlow nor Keras is imported here, nor by anything that is imported here."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import hookspecs, report_file, settings
from .environments import EnvironmentBroken
from .original import System
from .report import PROPERTY, Record, probed_lines, promises_table, records_of, write_summary
from .roundtrip import RoundTripError
from .session import Carrier, Cell, Session, missing_tensorflow, prepared

SESSION = pytest.StashKey[Session]()
CARRIER = pytest.StashKey[Carrier]()
FUNCTION_SCOPED = pytest.StashKey[set[str]]()  # the function-scoped fixtures that an item has set up

ARGUMENT = "roundtrip"  # the fixture's name, and the marker's
USE = pytest.mark.usefixtures(ARGUMENT)


# options


def pytest_addoption(parser: pytest.Parser) -> None:
    settings.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", settings.MARKER_SIGNATURE)
    config.stash[SESSION] = Session(config)
    settings.given_environments(config)  # a mistake is told before anything is collected
    path = None if hasattr(config, "workerinput") else settings.report_path(config)
    config.pluginmanager.register(Gathered(path), "modelroundtrip-gathered")


def pytest_unconfigure(config: pytest.Config) -> None:
    if SESSION in config.stash:
        config.stash[SESSION].close()


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if not config.getoption("roundtrip_list"):
        return None
    session = Session(config)
    print("formats:")
    for name, fmt in session.formats.items():
        print(f"  {name:<18}{(fmt.module.__doc__ or '').strip().splitlines()[0]}")
    print(f"checks:\n{promises_table({name: fmt.module for name, fmt in session.formats.items()})}\nenvironments:")
    for name, environment in session.environments.items():
        try:
            print("\n".join(probed_lines(name, environment.probe(), environment.python)))
        except EnvironmentBroken as error:
            print(f"  {name:<18}broken: {error}")
    session.close()
    return 0


# collection


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> None:
    """Give each marked function the fixture, whether it names it or not: only fixtures can be parametrised."""
    obj = getattr(obj, "__func__", obj)  # of a static or class method
    if not inspect.isfunction(obj):
        return
    own = getattr(obj, "pytestmark", [])
    if any(mark.name == ARGUMENT for mark in [*own, *collector.iter_markers(ARGUMENT)]) and USE.mark not in own:
        USE(obj)


@pytest.hookimpl(trylast=True)  # so that the ids of @pytest.mark.parametrize come first
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if ARGUMENT not in metafunc.fixturenames or not _is_meant(metafunc.definition, metafunc.function):
        return
    session = metafunc.config.stash[SESSION]
    try:
        cells = session.cells(metafunc.definition.iter_markers(ARGUMENT))
    except settings.Mistake as mistake:
        session.mistakes[metafunc.definition.nodeid] = f"{metafunc.definition.nodeid}: roundtrip {mistake}"
        return
    metafunc.parametrize(ARGUMENT, [_parameter(cell) for cell in cells], indirect=True)


def _parameter(cell: Cell) -> Any:
    reason = cell.settings.expected_failures.get(cell.id)
    marks = [pytest.mark.xfail(reason=reason, strict=True, raises=RoundTripError)] if reason else []
    return pytest.param(cell, id=cell.id, marks=marks)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    settings.keep(config)
    mistakes = config.stash[SESSION].mistakes
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec and any(mark.name == ARGUMENT for mark in callspec.marks):
            mistakes[_test_of(item)] = f"{item.nodeid}: roundtrip marks a function or a class, not one pytest.param of it"
        elif not callspec and item.get_closest_marker(ARGUMENT):
            told = f"{item.nodeid}: roundtrip marks plain test functions and methods, not this kind of test"
            mistakes.setdefault(_test_of(item), told)
    if mistakes and not hasattr(config, "workerinput"):  # one of xdist's workers cannot end the run; there the test itself fails
        raise pytest.UsageError("\n".join(mistakes.values()))


def _test_of(item: pytest.Item) -> str:
    """The id of the test that the item is one case of."""
    return f"{item.parent.nodeid if item.parent else ''}::{getattr(item, 'originalname', item.name)}"


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly and missing_tensorflow() is None:
        cells = [cell for item in session.items if (cell := _cell_of(item))]
        session.config.stash[SESSION].start(cell.environment for cell in cells)


def _cell_of(item: pytest.Item) -> Cell | None:
    callspec = getattr(item, "callspec", None)
    cell = callspec.params.get(ARGUMENT) if callspec else None
    return cell if isinstance(cell, Cell) else None


# one item


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    mistake = item.config.stash[SESSION].mistakes.get(_test_of(item))
    if mistake:
        pytest.fail(mistake, pytrace=False)


def _is_meant(node: Any, function: Any) -> bool:
    """Whether this test is marked, or asks for the fixture without: a marked class shares functions with an unmarked base."""
    return node.get_closest_marker(ARGUMENT) is not None or USE.mark not in getattr(function, "pytestmark", ())


@pytest.fixture
def roundtrip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier | None]:
    """Carry models through this item's format: `roundtrip(model, *args, **kwargs)` returns a `RoundTrip`."""
    if not _is_meant(request.node, request.function):
        yield None
        return
    session = request.config.stash[SESSION]
    cell: Cell = request.param
    missing = missing_tensorflow()
    if missing:
        pytest.fail(missing, pytrace=False)
    folder = tmp_path_factory.mktemp(f"roundtrip-{cell.id}")
    properties = request.node.user_properties
    # an item that is rerun has those of its earlier run
    properties[:] = [(name, value) for name, value in properties if name != PROPERTY]
    carrier = Carrier(session, cell, folder, request.node)
    request.node.stash[CARRIER] = carrier
    yield carrier
    carrier.finish()


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    if fixturedef.scope == "function":
        request.node.stash.setdefault(FUNCTION_SCOPED, set()).add(fixturedef.argname)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Take over the call of an item that makes a round trip: its function may return the model."""
    carrier = pyfuncitem.stash.get(CARRIER, None)
    if carrier is None or inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    asked = [name for name in inspect.signature(pyfuncitem.obj).parameters if name in pyfuncitem.funcargs]

    def returned() -> Any:
        return pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in asked})

    if ARGUMENT in asked:
        if returned() is not None:
            pytest.fail("it has the fixture `roundtrip` and returns a value: do one or the other", pytrace=False)
        if not carrier.trips:
            pytest.fail("it never called `roundtrip(model, ...)`, so nothing was compared", pytrace=False)
        return True
    session = pyfuncitem.config.stash[SESSION]

    def build() -> System | None:
        value = returned()
        if value is None and carrier.trips:
            return None  # a fixture of the user's has carried it
        if value is None or (isinstance(value, tuple) and not value):
            pytest.fail("it returned nothing: return the model, or the model and what it is called with", pytrace=False)
        model, *args = value if isinstance(value, tuple) else (value,)
        return prepared(model, args, {}, pytrace=False)

    original = session.original(_key(pyfuncitem, asked), build)
    if original is not None:
        carrier.carry(original, pytrace=False)
    return True


def _key(item: pytest.Function, asked: list[str]) -> object:
    """Equal for items that may share one model: of one function, with the same parameters, with no fixture made anew for each."""
    callspec = getattr(item, "callspec", None)
    parameters = {name: value for name, value in callspec.params.items() if name != ARGUMENT} if callspec else {}
    anew = item.stash.get(FUNCTION_SCOPED, set()) - {name for name, value in parameters.items() if item.funcargs.get(name) is value}
    if anew & set(asked):
        return object()
    return (_test_of(item), tuple(sorted((name, id(value)) for name, value in parameters.items())))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Let the model go with the last item of its test."""
    if CARRIER in item.stash and getattr(item, "originalname", "") != getattr(nextitem, "originalname", None):
        item.config.stash[SESSION].release()


# reports


class Gathered:
    """The results of all tests, read from their reports, so that those of xdist's workers are among them."""

    def __init__(self, path: Path | None) -> None:
        self._by_item: dict[str, list[Record]] = {}
        self._path = path
        self._unwritten = ""

    @property
    def records(self) -> list[Record]:
        """In the order in which the items ended; of one that ran again, what its last run gave."""
        return [item for records in self._by_item.values() for item in records]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or (report.when == "setup" and not report.passed):  # a fixture may have carried the model
            self._by_item.pop(report.nodeid, None)  # so that it stands at its last run's place
            self._by_item[report.nodeid] = records_of(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._path or not self._by_item:  # where no test ran, the report of an earlier run stays
            return
        try:
            report_file.write(self._path, self.records)
        except OSError as error:
            self._unwritten = f"{self._path} cannot be written: {error.strerror}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if self.records:
            verbosity = config.get_verbosity()
            write_summary(
                terminalreporter, self.records, width=shutil.get_terminal_size().columns, verbose=verbosity > 0, quiet=verbosity < 0
            )
        if self._unwritten:
            terminalreporter.write_line(f"ERROR: {self._unwritten}", red=True)
