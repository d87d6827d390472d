"""Which variables of this process a clean interpreter gets, and what of them is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelroundtrip.environments import HERE, provisioning
from pytest_modelroundtrip.environments.kinds import Startable
from pytest_modelroundtrip.environments.passed_variables import EVERYWHERE, ON_THIS_MACHINE
from pytest_modelroundtrip.environments.specification import parse

SECRETS = (
    *("TF_AZURE_STORAGE_KEY", "TF_VAR_password", "TF_TOKEN_app", "TF_CONFIG", "KERAS_BACKEND_KEY"),
    *("CUDA_TOKEN", "LC_SECRET", "OMP_SECRET", "XLA_SECRET", "AWS_SECRET_ACCESS_KEY"),
)
SEEN = "import json, os; print(json.dumps(dict(os.environ)))"


def kinds(pass_env: tuple[str, ...] = ()) -> list[Startable]:
    """One of each kind that can be started: on this machine, wrapped, on a host, wrapped there."""
    texts = ("popen//python=env python", "ssh=host", "ssh=host//python=env python")
    made = [HERE, *(parse(text, Path()) for text in texts)]
    return [replace(kind, pass_env=pass_env).resolved(print) for kind in made]


def shown(kind: Startable) -> str:
    """All that is shown of it, or that other users of a machine can read."""
    line = kind.command_line(Path("scratch"))
    return "\n".join([*line, kind.reproduce_command("folder"), kind.description])


def test_secrets_stay_here_whatever_they_begin_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "its value")
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    for kind in kinds():
        passed = {**kind.clean_variables(), **kind.chosen_variables()}
        assert set(SECRETS).isdisjoint(passed)
        assert "its value" not in shown(kind)
        assert passed["TF_DETERMINISTIC_OPS"] == "1"


def test_no_name_that_is_listed_is_one_of_a_secret() -> None:
    listed = EVERYWHERE | ON_THIS_MACHINE
    secret = re.compile("SECRET|TOKEN|PASSWORD|CREDENTIAL|AUTH|(^|_)KEY(_|$)")
    assert not [name for name in listed if secret.search(name)]
    assert not EVERYWHERE & ON_THIS_MACHINE
    assert not {"HOME", "TMPDIR", "PYTHONPATH"} & listed


def test_what_a_user_passes_is_passed_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "its value")
    monkeypatch.setenv("MY_OTHER", "its value too")
    monkeypatch.setenv("NOT_MY_OWN", "another value")
    for kind in kinds(("MY_*",)):
        assert kind.chosen_variables() == {"MY_TOKEN": "its value", "MY_OTHER": "its value too"}
        assert "its value" not in shown(kind)
    for kind in kinds(("MY_TOKEN",)):
        assert kind.chosen_variables() == {"MY_TOKEN": "its value"}


def test_an_environment_that_is_created_gets_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioning, "interpreter", lambda packages, notify: f"{packages}{notify}")
    monkeypatch.setenv("MY_OWN", "x")
    kind = replace(parse("six", Path()), pass_env=("MY_*",)).resolved(print)
    assert kind.chosen_variables() == {"MY_OWN": "x"}


def test_what_makes_it_clean_is_never_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("MY_OWN", "x")
    monkeypatch.setenv("é", "a name that no shell knows")
    for kind in kinds(("*",)):
        chosen = kind.chosen_variables()
        assert "MY_OWN" in chosen
        assert chosen.keys().isdisjoint({"HOME", "TMPDIR", "PYTHONPATH", "PYTHONHASHSEED", "é"})


def test_a_value_reaches_the_interpreter_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command line starts it, before anything is sent."""
    value = "a \"b\" 'c' $d\n*"
    monkeypatch.setenv("MY_OWN", value)
    kind = replace(HERE, pass_env=("MY_*",))
    line = [*kind.command_line(tmp_path), "-c", SEEN]
    seen = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    assert seen["MY_OWN"] == value
    assert seen["HOME"] == str(tmp_path)


def test_a_variable_that_no_shell_can_name_ends_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATHé", "x")
    monkeypatch.setenv("PYTHONPATH", "x")
    kind = parse(f"popen//python=env {sys.executable}", tmp_path).resolved(print)
    line = [*kind.command_line(tmp_path), "-c", SEEN]
    done = subprocess.run(line, capture_output=True, env={**os.environ, "PYTHONUTF8": "1"})
    assert done.returncode == 0, (tmp_path / "log").read_text()
    assert "PYTHONPATH" not in json.loads(done.stdout)
