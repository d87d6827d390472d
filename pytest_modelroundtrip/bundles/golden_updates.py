"""What a run says of goldens besides their items: which are renewed, and which no test records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from ..current_session import SESSION
from ..presentable import printable
from . import bundle_reader
from .bundle_reader import Renewal
from .goldens import GoldenItem


class GoldenUpdates:
    """A plugin of the run.

    Args:
        updates: whether a new bundle is written beside a golden that fails.
    """

    def __init__(self, updates: bool) -> None:
        self._updates = updates
        self._unused: list[str] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Iterator[None]:
        """Find goldens that no test records any more. To update them, check them first."""
        if _has_whole_files(config):  # and nothing is deselected yet
            self._unused = [*_unused(items)]
        yield
        if self._updates:
            items.sort(key=lambda item: not isinstance(item, GoldenItem))

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Write what came of the goldens."""
        for line in self._unused:
            terminalreporter.write_line(line)
        if self._updates and SESSION in config.stash:
            for path, renewal in config.stash[SESSION].failed_goldens.items():
                terminalreporter.write_line(f"golden {path.name} failed{_what_came(renewal)}")


def _what_came(renewal: Renewal) -> str:
    new = renewal.path.name
    if renewal.is_old:
        return f", and an earlier run has already written {new}: use it or delete it, and run again"
    if renewal.path.exists():
        return (
            f"; a new bundle is beside it: {new}. If the change is intended, delete the old "
            f"bundle, and rename the new one to {renewal.bundle}."
        )
    return (
        ", and no new bundle was written, since no test that passed in this run records it: "
        "record it again in the same way as the old one"
    )


def _has_whole_files(config: pytest.Config) -> bool:
    """Whether all tests of the files that are collected were: none was named, `--lf` leaves out."""
    return not config.getoption("lf", False) and not any("::" in name for name in config.args)


def _unused(items: Iterable[pytest.Item]) -> Iterator[str]:
    """The goldens whose tests are gone, though the file that had them was collected."""
    items = list(items)
    tests = {_test_of(item.nodeid) for item in items}
    files = {item.nodeid.split("::")[0] for item in items}
    for path in dict.fromkeys(item.bundle for item in items if isinstance(item, GoldenItem)):
        try:
            test = bundle_reader.read_origin(path).test
        except bundle_reader.BundleError:
            continue  # its item says so
        file, is_test, _ = test.partition("::")
        if is_test and file in files and _test_of(test) not in tests:
            yield (
                f"golden {path.name} is unused: the test {printable(_test_of(test))} no longer "
                "exists"
            )


def _test_of(nodeid: str) -> str:
    """The id of a test without its parameters, its format and its environment."""
    return nodeid.partition("[")[0]
