"""What the hooks may return, and how a wrong answer is reported: at start, by name."""

from __future__ import annotations

import pytest
from inner_runs import Run, adding_formats

FORMAT = '''
from pytest_modelroundtrip import Format
from pytest_modelroundtrip.portable.formats.h5 import H5Format

class Sound(H5Format):
    """Of one class, in the public name's words."""

    name = "sound"

class Undocumented(H5Format):
    name = "undocumented"

class Nameless(Format):
    """Lacks the rest."""

    keeps = ("weights",)

class Mistyped(H5Format):
    """Names a check that does not exist."""

    name = "mistyped"
    keeps = ("weight",)

class Taken(H5Format):
    """Has the name of another."""

    name = "keras"

instance = Sound()
number = 3
'''

pytestmark = pytest.mark.slow  # it starts Python


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("Undocumented", "Undocumented lacks a docstring"),
        ("Nameless", "Nameless lacks name, save, load"),
        ("Mistyped", "Mistyped.keeps: unknown check 'weight'; did you mean 'weights'?"),
        ("Taken", "there is a format 'keras' already"),
        ("instance", "a class that subclasses pytest_modelroundtrip.Format is expected, not <"),
        ("number", "a class that subclasses pytest_modelroundtrip.Format is expected, not 3"),
    ],
)
def test_a_format_that_lacks_something_is_named(
    pytester: pytest.Pytester, answer: str, message: str
) -> None:
    pytester.makepyfile(formats_of_mine=FORMAT)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats(f"formats_of_mine:{answer}"))
    result = pytester.runpytest_subprocess("--roundtrip-list")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"pytest_modelroundtrip_formats: {message}" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


@pytest.mark.parametrize(
    ("hook", "answer", "message"),
    [
        ("formats", "3", "a list of formats is expected, not 3"),
        ("environments", "['a']", "a dict of names and specifications is expected, not ['a']"),
        ("environments", "{'a': 3}", "a dict of names and specifications is expected, not {'a'"),
        ("environments", "{'a b': '/x'}", "a name of letters, digits, _ and . is expected"),
        ("environments", "{'a': ''}", "it is empty"),
    ],
)
def test_an_answer_of_another_type_is_an_error(
    pytester: pytest.Pytester, hook: str, answer: str, message: str
) -> None:
    pytester.makeconftest(f"def pytest_modelroundtrip_{hook}(config):\n    return {answer}\n")
    result = pytester.runpytest_subprocess("--roundtrip-list")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str() and "Traceback" not in result.stderr.str()


def test_a_format_may_import_the_public_name(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(formats_of_mine=FORMAT)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("formats_of_mine:Sound"))
    run(
        "@pytest.mark.roundtrip(formats=['sound'])\ndef test_it():\n    return dense()\n"
    ).assert_outcomes(passed=1)


def test_each_result_is_passed_to_the_hook(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "def pytest_modelroundtrip_finished(trip, config):\n"
        "    print('finished', trip.format, trip.verdict, trip.artifact.exists())\n"
    )
    source = "@pytest.mark.roundtrip(formats=['h5'])\ndef test_it():\n    return dense()\n"
    assert "finished h5 exact True" in run(source, "-s").stdout.str()
