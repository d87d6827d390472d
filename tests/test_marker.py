"""The marker, the fixture, the options: what they accept, what they refuse and how they say so."""

from __future__ import annotations

import pytest
from inner_runs import HEADER, Run, run_in_process
from shared_interpreters import WithEnvironments

from pytest_modelroundtrip.environments import Environment

MODEL = "    return dense()\n"


@pytest.mark.parametrize(
    "marker, message",
    [
        ("(formats=['kers'])", "unknown format 'kers'; did you mean 'keras'?"),
        ("(format=['keras'])", "unknown keyword 'format'; did you mean 'formats'?"),
        ("(formats='keras')", "formats='keras' (the marker): a list of names is expected"),
        ("(formats=[])", "the list is empty"),
        ("('keras')", "takes keywords only, not 'keras': write roundtrip(formats=[...])"),
        ("(exclude=['h6'])", "unknown format 'h6'; did you mean 'h5'?"),
        ("(environments=['her'])", "unknown environment 'her'; did you mean 'here'?"),
        ("(checks=['weight'])", "unknown check 'weight'; did you mean 'weights'?"),
        ("(rtol=1e-3)", "rtol and atol go together: give both or neither"),
        ("(rtol=-1, atol=0)", "rtol=-1 (the marker): a number that is not negative is expected"),
        ("(exact=True, rtol=0, atol=0)", "exact=True cannot be combined with rtol and atol"),
        ("(exact=1)", "exact=1 (the marker): True or False is expected"),
        ("(timeout=0)", "timeout=0 (the marker): a number of seconds above 0 is expected"),
        ("(factory='build')", "factory='build' (the marker): \"module:attribute\" is expected"),
        ("(custom_objects={'A': 3})", '"module:attribute" is expected'),
        ("(imports='pkg')", "imports='pkg' (the marker): a list of names is expected"),
        ("(expected_failures={'h6': 'why'})", "unknown id 'h6'; did you mean 'h5'?"),
        ("(expected_failures={'h5': ''})", "a dict of id -> reason is expected"),
    ],
)
def test_a_mistake_is_named_at_collection(run: Run, marker: str, message: str) -> None:
    result = run(f"@pytest.mark.roundtrip{marker}\ndef test_it():\n    raise SystemExit\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *::test_it: roundtrip *"])
    assert message in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_a_mark_on_one_parameter_is_refused(run: Run) -> None:
    marked = "pytest.param(2, marks=pytest.mark.roundtrip)"
    source = f"@pytest.mark.parametrize('n', [1, {marked}])\ndef test_it(n): ...\n"
    assert (
        "test_it[2]: the marker roundtrip is for functions and classes" in run(source).stderr.str()
    )


def test_every_mistake_is_reported_at_once(run: Run) -> None:
    result = run(
        "@pytest.mark.roundtrip(a=1)\ndef test_a(): ...\n"
        "@pytest.mark.roundtrip(b=1)\ndef test_b(): ...\n"
    )
    assert "test_a: roundtrip unknown keyword 'a'" in result.stderr.str()
    assert "test_b: roundtrip unknown keyword 'b'" in result.stderr.str()


@pytest.mark.parametrize(
    "ini, args, message",
    [
        ("roundtrip_formats = kers", [], "formats=['kers'] (the ini file): unknown format 'kers'"),
        (
            "",
            ["--roundtrip-formats=keras,h6"],
            "formats=['keras', 'h6'] (the command line): unknown format 'h6'",
        ),
        (
            "",
            ["--roundtrip-timeout=soon"],
            "timeout='soon' (the command line): a number of seconds",
        ),
        (
            "roundtrip_keep = every",
            [],
            "keep='every' (the ini file): unknown value 'every'; choose from failed, all, none",
        ),
        ("roundtrip_pythonpath = nowhere", [], "(the ini file): there is no folder"),
    ],
)
def test_an_error_names_where_the_value_came_from(
    run: Run, pytester: pytest.Pytester, ini: str, args: list[str], message: str
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = run(f"@pytest.mark.roundtrip\ndef test_it():\n{MODEL}", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_ids_are_stable_and_compose(run: Run) -> None:
    source = """
pytestmark = pytest.mark.roundtrip(formats=["saved_model", "keras"])

@pytest.mark.parametrize("units", [1, 2])
def test_one(units): ...

@pytest.mark.roundtrip(exclude=["keras"])
class TestGroup:
    def test_two(self, roundtrip): ...

    @pytest.mark.roundtrip(formats=["h5", "keras"])
    def test_three(self): ...
"""
    result = run(source, "--collect-only", "-q")
    ids = [line.split("::", 1)[1] for line in result.outlines if "::" in line]
    assert ids == [
        "test_one[1-keras]",
        "test_one[1-saved_model]",
        "test_one[2-keras]",
        "test_one[2-saved_model]",
        "TestGroup::test_two[saved_model]",
        "TestGroup::test_three[h5]",
    ]


def test_the_nearest_setting_wins(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nroundtrip_formats = keras, h5, weights\n")
    source = (
        "@pytest.mark.roundtrip\ndef test_ini(): ...\n"
        "@pytest.mark.roundtrip(formats=['hub'])\ndef test_marker(): ...\n"
    )
    assert _ids(run(source, "--collect-only", "-q")) == [
        "test_ini[keras]",
        "test_ini[h5]",
        "test_ini[weights]",
        "test_marker[hub]",
    ]
    command_line = _ids(run(source, "--collect-only", "-q", "--roundtrip-formats=h5"))
    assert command_line == ["test_ini[h5]", "test_marker[h5]"]


def _ids(result: pytest.RunResult) -> list[str]:
    return [line.split("::", 1)[1] for line in result.outlines if "::" in line]


class Started(Environment):
    """Ends the run in place of starting."""

    def begin(self) -> None:
        """End the run."""
        pytest.exit("started")


@pytest.mark.usefixtures("tensorflow")
def test_collecting_starts_no_interpreter(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=f"{HEADER}@pytest.mark.roundtrip\ndef test_it():\n{MODEL}")
    assert run_in_process(["--collect-only"], WithEnvironments(Started)).ret == 0
    assert "started" in run_in_process([], WithEnvironments(Started)).stdout.str()
