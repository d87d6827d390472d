"""The environments are started when the tests are about to run, and only then."""

from __future__ import annotations

import pytest
from inner_runs import run_in_process

from pytest_modelroundtrip import plugin, session
from pytest_modelroundtrip.environments.environment import Environment
from pytest_modelroundtrip.environments.kinds import Kind
from pytest_modelroundtrip.session import Session

MARKED = "import pytest\n\n@pytest.mark.roundtrip({})\ndef test_marked(): pass\n"
STOPS = "def pytest_collection_finish(session):\n    session.shouldstop = 'enough'\n"


class Started(Environment):
    """Says that it was started, and starts nothing."""

    def begin(self) -> None:
        """Remember that it was asked for."""
        STARTED.append(self.name)


STARTED: list[str] = []


class WithoutInterpreters:
    """A plugin of an inner run."""

    def pytest_configure(self, config: pytest.Config) -> None:
        """Give the run a session that starts nothing."""
        config.stash[plugin.SESSION] = Session(config, self._environment)

    def _environment(self, name: str, kind: Kind, archive: bytes, isolation: str) -> Environment:
        return Started(name, kind, archive, isolation)


@pytest.mark.parametrize(
    ("files", "args", "started"),
    [
        ({}, "", True),
        ({}, "--collect-only", False),
        ({}, "--deselect=test_a.py", False),
        ({"test_b": "raise KeyboardInterrupt"}, "", False),
        ({"test_b": "import pytest; pytest.exit('enough')"}, "", False),
        ({"test_b": "1 / 0"}, "", False),
        ({"test_b": "1 / 0"}, "--continue-on-collection-errors", True),
        ({"test_b": "1 / 0"}, "--continue-on-collection-errors -x", False),
        ({"test_b": MARKED.format("formats=['none']")}, "", False),
        ({"conftest": STOPS}, "", False),
    ],
)
def test_environments_are_started_where_tests_will_run(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    args: str,
    started: bool,
) -> None:
    monkeypatch.setattr(session, "missing_tensorflow", lambda: None)
    monkeypatch.setattr(f"{__name__}.STARTED", [])
    pytester.makepyfile(test_a=MARKED.format("formats=['keras', 'h5']"), **files)
    run_in_process(["-p", "no:cacheprovider", *args.split()], WithoutInterpreters())
    assert (["here"] if started else []) == STARTED
