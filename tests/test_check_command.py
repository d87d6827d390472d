"""The command `check` around the checks, which are stubs here: no test needs TensorFlow."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from stubbed_runs import stub_goldens

from pytest_modelroundtrip import session
from pytest_modelroundtrip.__main__ import main
from pytest_modelroundtrip.result import Verdict

FIRST = Path(__file__).parent / "bundles" / "dense.saved_model"
RUNS = "open('it-ran', 'w')\n"

Checked = Callable[..., int]


@pytest.fixture
def checked(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Checked:
    """`checked(verdict, *options)`: the exit status of a check of a bundle that comes to that."""
    assert pytester.path == Path.cwd()
    monkeypatch.setattr(session, "missing_tensorflow", lambda: "")  # so that nothing is started
    shutil.copytree(FIRST, "models/dense.saved_model")

    def checked(verdict: Verdict, *options: str) -> int:
        stub_goldens(monkeypatch, verdict)
        return main(["check", "models/dense.saved_model", *options])

    return checked


def test_the_exit_status_says_what_came_of_it(checked: Checked) -> None:
    assert checked(Verdict.EXACT) == 0
    assert checked(Verdict.DIFFERS) == 1
    assert checked(Verdict.UNSUPPORTED) == 2


def test_no_code_beside_a_bundle_is_run(checked: Checked) -> None:
    for place in ("conftest.py", "__init__.py"):
        for folder in (".", "models", "models/dense.saved_model"):
            Path(folder, place).write_text(RUNS)
    assert checked(Verdict.EXACT) == 0
    assert not Path("it-ran").exists()


def test_the_ini_file_is_the_one_that_configures_pytest(
    checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pyproject.toml").write_text("[tool.ruff]\n")
    Path("tox.ini").write_text("[pytest]\nroundtrip_environments = here, tf215\n")
    assert checked(Verdict.EXACT) == 2
    assert "unknown environment 'tf215'" in capsys.readouterr().out


def test_environments_are_defined_and_selected_as_in_pytest(
    checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    defined = [f"--define-environment={name}={sys.executable}" for name in ("one", "two", "three")]
    for selected in (["--environments=one,here"], ["--in", "one", "--in", "here"]):
        assert checked(Verdict.EXACT, *defined, *selected) == 0
        assert "2 passed" in capsys.readouterr().out
    assert checked(Verdict.EXACT, *defined) == 0
    assert "1 passed" in capsys.readouterr().out
    assert checked(Verdict.EXACT, "--environments=") == 2
    assert "the list is empty" in capsys.readouterr().out
    assert checked(Verdict.EXACT, "--in", f"four={sys.executable}") == 2
    assert "unknown environment 'four=" in capsys.readouterr().out


def test_what_this_machine_refuses_is_not_a_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert main(["check", str(FIRST)]) == 2
    assert "No such file or directory" in capsys.readouterr().out
