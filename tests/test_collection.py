"""The environments are started when the tests are about to run, and only then."""

from __future__ import annotations

import errno
import os

import pytest
from inner_runs import run_in_process
from shared_interpreters import WithEnvironments

from pytest_modelroundtrip import session
from pytest_modelroundtrip.environments.environment import Environment

MARKED = "import pytest\n\n@pytest.mark.roundtrip({})\ndef test_marked(): pass\n"
STOPS = "def pytest_collection_finish(session):\n    session.shouldstop = 'enough'\n"


class Started(Environment):
    """Says that it was started, and starts nothing."""

    def begin(self) -> None:
        """Remember that it was asked for."""
        STARTED.append(self.name)


STARTED: list[str] = []


class Refused(Started):
    """Finds a machine that has no space for it."""

    def begin(self) -> None:
        """Remember that it was asked for, and fail."""
        super().begin()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("files", "args", "started"),
    [
        ({}, "", True),
        ({}, "--collect-only", False),
        ({}, "--setup-plan", False),
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
    run_in_process(["-p", "no:cacheprovider", *args.split()], WithEnvironments(Started))
    assert (["here"] if started else []) == STARTED


def test_what_this_machine_refuses_then_is_reported_by_the_tests(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "missing_tensorflow", lambda: None)
    monkeypatch.setattr(f"{__name__}.STARTED", [])
    pytester.makepyfile(test_a=MARKED.format("formats=['keras']"))
    result = run_in_process(["-p", "no:cacheprovider"], WithEnvironments(Refused))
    assert STARTED == ["here"]
    result.assert_outcomes(failed=1)  # the test, which returns no model
