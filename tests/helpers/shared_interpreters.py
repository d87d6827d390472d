"""Warm interpreters that the runs inside of our tests share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from pytest_modelroundtrip import current_session
from pytest_modelroundtrip.environments.environment import Environment
from pytest_modelroundtrip.environments.kinds import Kind
from pytest_modelroundtrip.session import Session

MAX_ENVIRONMENTS = 12  # of one run of our tests; those of one inner run are fewer


class SharedEnvironment(Environment):
    """Outlives the run that uses it; the next run finds it warm."""

    def close(self) -> None:
        """Leave it running."""

    def end(self) -> None:
        """End it, at the end of all tests."""
        super().close()


class WithEnvironments:
    """A plugin of inner runs: what makes their environments."""

    def __init__(self, make_environment: Callable[[str, Kind, bytes, str], Environment]) -> None:
        self._make_environment = make_environment

    def pytest_configure(self, config: pytest.Config) -> None:
        """Give the run a session whose environments are made so."""
        config.stash[current_session.SESSION] = Session(config, self._make_environment)


class SharedInterpreters(WithEnvironments):
    """Inner runs get the interpreters of earlier ones, where what travels into them is the same."""

    def __init__(self) -> None:
        super().__init__(self.environment)
        self._pool: dict[tuple[str, Kind, bytes, str], SharedEnvironment] = {}

    def environment(self, name: str, kind: Kind, archive: bytes, isolation: str) -> Environment:
        """The one of earlier runs, else a new one. Those that were not used for long are ended."""
        key = (name, kind, archive, isolation)
        found = self._pool[key] = (
            self._pool.pop(key) if key in self._pool else SharedEnvironment(*key)
        )
        if len(self._pool) > MAX_ENVIRONMENTS:
            self._pool.pop(next(iter(self._pool))).end()
        return found

    def end(self) -> None:
        """End all of them."""
        with contextlib.ExitStack() as ends:  # all of them, also where one is interrupted
            for environment in self._pool.values():
                ends.callback(environment.end)
