"""What a test run pays for the plugin before the first marked test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Loaded = Callable[..., str]

HEAVY = (
    "numpy", "execnet", "tensorflow", "keras", "pytest_modelroundtrip.session",
    "pytest_modelroundtrip.result",
)  # fmt: skip

CONFTEST = f"""
import sys

def pytest_terminal_summary(terminalreporter):
    loaded = [name for name in {HEAVY} if name in sys.modules]
    terminalreporter.write_line(f"loaded: {{loaded}}")
"""

pytestmark = pytest.mark.slow  # it starts Python


@pytest.fixture
def loaded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """`loaded(source, *args)`: the heavy modules that a run of that test file imports."""
    pytester.makeconftest(CONFTEST)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # xdist imports execnet

    def loaded(source: str, *args: str) -> str:
        pytester.makepyfile(source)
        result = pytester.runpytest_subprocess("-p", "pytest_modelroundtrip.plugin", *args)
        assert result.ret == 0, result.stdout.str()
        (line,) = [line for line in result.outlines if line.startswith("loaded: ")]
        return line

    return loaded


def test_a_run_without_marked_tests_imports_nothing_heavy(loaded: Loaded) -> None:
    definition = "--roundtrip-define-environment=other=/opt/python//env:A=b"
    assert loaded("def test_it(): pass", definition) == "loaded: []"


def test_a_run_that_collects_no_golden_imports_nothing_heavy(
    loaded: Loaded, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nroundtrip_goldens = goldens\n")
    assert loaded("def test_it(): pass") == "loaded: []"


def test_the_first_marked_test_imports_what_it_needs(loaded: Loaded) -> None:
    source = "import pytest\n\n@pytest.mark.roundtrip\ndef test_it(): pass\n"
    line = loaded(source, "--collect-only")
    assert "'numpy'" in line and "'execnet'" in line
    assert "tensorflow" not in line and "'keras'" not in line


def test_the_public_names_are_found_and_no_others() -> None:
    import pytest_modelroundtrip

    for name in pytest_modelroundtrip.__all__:
        assert getattr(pytest_modelroundtrip, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Formats'"):
        _ = pytest_modelroundtrip.Formats
