"""Runs of pytest inside of our tests that need no TensorFlow: no model is saved or reloaded.

In place of a model a test has the verdict that its round trips come to: `return "exact"`.
"""

from __future__ import annotations

from typing import Any

import pytest
from inner_runs import run_in_process
from shared_interpreters import WithEnvironments

from pytest_modelroundtrip import fixture, session
from pytest_modelroundtrip.bundles import goldens
from pytest_modelroundtrip.bundles.bundle_reader import Bundle
from pytest_modelroundtrip.environments.environment import Environment
from pytest_modelroundtrip.plan import Plan
from pytest_modelroundtrip.reference import model
from pytest_modelroundtrip.result import RoundTrip, Verdict


class NotStarted(Environment):
    """Starts nothing."""

    def begin(self) -> None:
        """Let the run go on."""


def _single(given: Any, *_: object) -> Any:
    return given


def _round_trip(plan: Plan) -> RoundTrip:
    verdict = Verdict(str(plan.models))
    artifact = plan.folder / "artifact"
    if verdict.passed:  # what is kept of a failure has more to it than there is here
        artifact.mkdir(parents=True)
    problems = [] if verdict.passed else ["this is wrong"]
    return RoundTrip(plan.format.name, plan.environment.name, artifact, verdict, problems=problems)


def stub_goldens(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    """Let each check of a bundle come to that verdict."""

    def check_recorded(plan: Plan, bundle: Bundle, store: str) -> RoundTrip:
        del store
        problems = [] if verdict.passed else ["this is wrong"]
        name, there = plan.format.name, plan.environment.name
        return RoundTrip(name, there, bundle.artifact, verdict, problems=problems)

    monkeypatch.setattr(goldens, "check_recorded", check_recorded)


def use_stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let round trips come to what their tests say, without a model."""
    monkeypatch.setattr(session, "missing_tensorflow", lambda: None)
    monkeypatch.setattr(model, "single", _single)
    monkeypatch.setattr(fixture, "round_trip", _round_trip)


def run_stubbed(*args: str) -> pytest.RunResult:
    """Pytest in this process on what is in the current folder."""
    return run_in_process([*args], WithEnvironments(NotStarted))
