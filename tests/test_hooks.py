"""What the hooks may return, and how a wrong answer is reported: at start, by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inner_runs import HEADER, Check, Run, adding_formats, reported

from pytest_modelroundtrip.portable import format_api

BASE = "pytest_modelroundtrip.portable.format_api.Format"
DOCS = Path(__file__).parents[1] / "docs"

FORMAT = '''
from pytest_modelroundtrip.portable.format_api import Format
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

class Spaced(H5Format):
    """Cannot be named on a command line."""

    name = "my format"

class Keepless(H5Format):
    """Says nothing of what it keeps."""

    name = "keepless"
    keeps = None

class Grouping(H5Format):
    """Forgets to say that it holds groups."""

    name = "grouping"

    def load_group(self, folder, options):
        return {}

class Demanding(H5Format):
    """Cannot be made without arguments."""

    name = "demanding"

    def __init__(self, path):
        self.path = path

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
        ("Undocumented", "Undocumented: it has no docstring"),
        ("Nameless", "Nameless: it has no name; it has no load; it has no save"),
        ("Mistyped", "Mistyped.keeps: unknown check 'weight'; did you mean 'weights'?"),
        ("Spaced", "Spaced: its name is not a string of at most 100 letters, digits"),
        ("Keepless", "Keepless: its keeps is not a tuple of names"),
        ("Grouping", "Grouping: it overrides save_group or load_group: set holds_groups = True"),
        ("Demanding", "Demanding() raised TypeError: "),
        ("Taken", "a format 'keras' exists already"),
        ("instance", f"a subclass of {BASE} is expected, not <"),
        ("number", f"a subclass of {BASE} is expected, not 3"),
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
        ("environments", "{'a b': '/x'}", "a name of at most 100 letters, digits, _ and . is"),
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


@pytest.mark.usefixtures("tensorflow")
def test_the_documented_format_runs_as_it_stands(check: Check, pytester: pytest.Pytester) -> None:
    text = (DOCS / "own_formats.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    assert files.keys() == {"npz_format", "conftest", "test_npz"}
    imported = re.findall(r"^from pytest_modelroundtrip\S*", files["npz_format"], re.MULTILINE)
    assert imported == ["from pytest_modelroundtrip.portable.format_api"]
    pytester.makepyfile(**files, mymodels=f"{HEADER}\nbuild = dense\n")
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    check("test_npz.py").assert_outcomes(passed=1)


def test_what_the_docs_name_is_public() -> None:
    text = (DOCS / "own_formats.md").read_text(encoding="utf-8")
    bases = set(re.findall(r"`(\w+Format|Format|LoadOptions|\w+Error)`", text)) - {"NpzFormat"}
    assert bases <= set(format_api.__all__)


def test_a_format_may_import_the_public_name(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(formats_of_mine=FORMAT)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("formats_of_mine:Sound"))
    run(
        "@pytest.mark.roundtrip(formats=['sound'])\ndef test_it():\n    return dense()\n"
    ).assert_outcomes(passed=1)


def test_a_wrong_answer_is_one_error_of_the_run(pytester: pytest.Pytester) -> None:
    """However many tests there are, and without a traceback of ours."""
    pytester.makeconftest("def pytest_modelroundtrip_formats(config):\n    return 3\n")
    marked = "@pytest.mark.roundtrip\ndef test_{}(): ...\n"
    pytester.makepyfile("import pytest\n\n" + marked.format("a") + marked.format("b"))
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("a list of formats is expected, not 3") == 1
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


CONFTEST = '''
from pytest_modelroundtrip.portable.formats.h5 import H5Format

class Local(H5Format):
    """Stands in the conftest."""

    name = "local"

    def unsupported(self, model):
        return NotImplementedError("not today") if model.name == "refused" else None

def pytest_modelroundtrip_formats(config):
    return [Local]
'''


def test_a_format_in_a_conftest_beside_another_conftest(
    run: Run, pytester: pytest.Pytester
) -> None:
    """The right one of the two travels; a reason that is not text is shown all the same."""
    pytester.makeconftest(CONFTEST)
    pytester.mkdir("sub").joinpath("conftest.py").write_text("")
    pytester.path.joinpath("sub", "test_in_sub.py").write_text(
        "def test_it(record_property):\n    record_property('roundtrip', 'of another plugin')\n"
    )
    marker = "@pytest.mark.roundtrip(formats=['local'])\n"
    refused = (
        "def test_refused():\n    return K.Sequential([L.Dense(1)], name='refused'), [[1.0]]\n"
    )
    source = f"{marker}def test_it():\n    return dense()\n\n{marker}{refused}"
    result = run(source, "sub")
    result.assert_outcomes(passed=2, failed=1)
    assert "not today" in result.stdout.str()


NEEDING = '''
import sys
from pytest_modelroundtrip.portable.formats.h5 import H5Format

class Installed(H5Format):
    """Needs a module that none of the other formats needs."""

    name = "installed"
    needs = ("wave",)

class Missing(H5Format):
    """Needs a module that is nowhere."""

    name = "missing"
    needs = ("no_such_library",)

def pytest_modelroundtrip_formats(config):
    return [Installed, Missing]

def pytest_modelroundtrip_environments(config):
    return {"there": sys.executable}
'''


def test_what_a_format_of_ones_own_needs_is_tried_in_each_environment(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(NEEDING)
    pytester.makeini("[pytest]\nroundtrip_formats = installed missing\n")
    source = "@pytest.mark.roundtrip\ndef test_it():\n    return dense()\n"
    found = reported(run, source, "--roundtrip-environments=there")
    assert [(trip["format"], trip["verdict"]) for trip in found] == [
        ("installed", "exact"),
        ("missing", "environment broken"),
    ]
    assert "no_such_library: ModuleNotFoundError" in str(found[1]["problems"])


def test_each_result_is_passed_to_the_hook(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "def pytest_modelroundtrip_finished(trip, config):\n"
        "    print('finished', trip.format, trip.verdict, trip.artifact.exists())\n"
    )
    source = "@pytest.mark.roundtrip(formats=['h5'])\ndef test_it():\n    return dense()\n"
    assert "finished h5 exact True" in run(source, "-s").stdout.str()
