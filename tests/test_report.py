"""What a person sees in the terminal, and what tools read."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from pytest_modelroundtrip import report_file
from pytest_modelroundtrip.portable.formats import BUILT_IN as FORMATS
from pytest_modelroundtrip.report import promises_table

SOURCE = """
@pytest.mark.roundtrip(formats=["h5", "saved_model", "checkpoint"])
def test_dense():
    return dense()

@pytest.mark.roundtrip
@pytest.mark.parametrize("n", [1, 2])
def test_module(n):
    return Times(n), np.ones((2, 1), "float32")

@pytest.mark.roundtrip(formats=["h5"], expected_failures={"h5": "a lambda is code"})
def test_lambda():
    return K.Sequential([K.Input((4,)), L.Lambda(lambda x: undefined(x) if False else helper(x))])

@pytest.mark.roundtrip(formats=["h5"])
def test_lambda_again():
    return K.Sequential([K.Input((4,)), L.Lambda(lambda x: helper(x))])

def helper(x):
    return x + 1

class Times(tf.Module):
    def __init__(self, n):
        super().__init__()
        self.n = tf.Variable(float(n))

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32)])
    def __call__(self, x):
        return x * self.n

def test_plain():
    pass
"""

MODULE = """
class Times(tf.Module):
    def __init__(self):
        super().__init__()
        self.n = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32)])
    def __call__(self, x):
        return x * self.n

@pytest.mark.roundtrip(formats=["saved_model"])
def test_times():
    return Times()

"""


def table(result: pytest.RunResult) -> list[str]:
    """The lines of the summary."""
    lines = result.outlines
    (start,) = (number for number, line in enumerate(lines) if "= model round trips =" in line)
    rest = [number for number, line in enumerate(lines) if number > start and (line.startswith("=") or " passed" in line)]
    return lines[start + 1 : rest[0]]


def test_the_table(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = table(run(SOURCE))
    assert lines[0].startswith("saved with Python 3.")
    assert lines[1].split() == [*FORMATS]
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:7]}
    assert rows["test_dense"] == ["exact", "exact", "exact"]
    assert rows["test_module[1]"] == rows["test_module[2]"] and sorted(rows["test_module[1]"]) == ["exact"] * 2 + ["n/a"] * 7
    assert rows["test_lambda"] == ["(load", "error)"]
    assert rows["test_lambda_again"] == ["load", "error"]
    assert any(line.startswith("n/a  keras, h5") and line.endswith("not a Keras model") for line in lines)
    assert "( )  h5: a lambda is code" in lines


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_table_fits_a_narrow_terminal(run: Any, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = table(run(SOURCE, "-k", "module or dense"))
    grid = [line for line in lines[1:] if not line.startswith(("n/a", " " * 5 + "f"))]
    assert max(len(line) for line in grid) <= columns
    assert lines.count("") == 0 and all(line == line.rstrip() for line in lines)
    assert sum("saved_model" in line.split() for line in lines) == 1


def test_colour_quiet_and_silence(run: Any) -> None:
    coloured = run(SOURCE, "--color=yes", "-k", "test_dense").stdout.str()
    assert "\x1b[32mexact\x1b[0m" in coloured
    assert "\x1b[" not in run(SOURCE, "--color=no", "-k", "test_dense").stdout.str()
    quiet = run(SOURCE, "-q", "-k", "module")
    assert any("test_module[1]" in line for line in table(quiet))
    assert "not a Keras model" not in "\n".join(table(quiet))
    assert "model round trips" not in run(SOURCE, "-k", "plain").stdout.str()


def test_the_result_travels_with_the_report(run: Any, pytester: pytest.Pytester) -> None:
    run(SOURCE, "--junitxml=out.xml", "-k", "test_dense")
    cases = ElementTree.parse(pytester.path / "out.xml").getroot().iter("testcase")
    values = {case.get("name"): case.find("properties/property[@name='roundtrip']") for case in cases}
    records = {name: json.loads(str(value.get("value"))) for name, value in values.items() if value is not None}
    assert records.keys() == {"test_dense[h5]", "test_dense[saved_model]", "test_dense[checkpoint]"}
    record = records["test_dense[h5]"]
    assert record["verdict"] == "exact" and record["checks"]["weights"] == "exact" and record["versions"]["saved"]["numpy"]


def test_under_xdist_there_is_one_table(run: Any, pytester: pytest.Pytester, tensorflow: Any) -> None:
    pytest.importorskip("xdist")
    result = run(SOURCE, "-n", "2")
    result.assert_outcomes(passed=8, failed=1, skipped=14, xfailed=1)
    rows = [line.split()[0] for line in table(result)]
    assert rows.count("test_dense") >= 1 and "test_lambda_again" in rows


def test_the_report_is_the_same_under_xdist(run: Any, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    said = []
    for workers in "0", "2":
        path = pytester.path / f"{workers}.json"
        run(SOURCE, "-n", workers, f"--roundtrip-report={path}")
        records = report_file.read(path)["roundtrips"]
        said.append(sorted((item["test"].split("::")[1], item["format"], item["verdict"], item["checks"]) for item in records))
    assert said[0] == said[1] and len(said[0]) > 2


@pytest.mark.parametrize("path", ["nowhere/a.json", "file/a.json", ".", "/dev/null"])
def test_a_report_that_cannot_be_written_is_told_before_the_tests_run(run: Any, pytester: pytest.Pytester, path: str) -> None:
    (pytester.path / "file").touch()
    result = run("", f"--roundtrip-report={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "a file in a folder that can be written to is expected" in result.stderr.str()


def test_an_interrupted_run_is_reported_too(run: Any, pytester: pytest.Pytester) -> None:
    source = "def test_stop():\n    pytest.exit('enough')\n"
    result = run(MODULE + source, "--roundtrip-report=a.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    (record,) = report_file.read(pytester.path / "a.json")["roundtrips"]
    assert (record["verdict"], record["outcome"], record["distances"], record["text"]) == ("exact", "passed", {}, "")
    for nothing_ran in ("", "--collect-only"), ("", "-k", "nowhere"), ("1 / 0",):
        run(MODULE + nothing_ran[0], "--roundtrip-report=a.json", *nothing_ran[1:])
        assert len(report_file.read(pytester.path / "a.json")["roundtrips"]) == 1  # there is nothing to tell instead


def test_a_report_that_cannot_be_written_in_the_end_is_told(run: Any, pytester: pytest.Pytester) -> None:
    pytester.mkdir("out")
    result = run("def test_it():\n    import shutil\n    shutil.rmtree('out')\n", "--roundtrip-report=out/a.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: *out/a.json cannot be written: No such file or directory"])


def test_what_a_fixture_carries_is_reported(run: Any, pytester: pytest.Pytester) -> None:
    source = """
@pytest.fixture
def trip(roundtrip):
    return roundtrip(K.Sequential([K.Input((4,)), L.Lambda(lambda x: only_here(x))]))

@pytest.mark.roundtrip(formats=["h5"])
def test_trip(trip): ...
"""
    run(source, "--roundtrip-report=a.json").assert_outcomes(errors=1)
    (record,) = report_file.read(pytester.path / "a.json")["roundtrips"]
    assert (record["verdict"], record["outcome"]) == ("load error", "failed")


def test_of_a_test_that_runs_again_the_last_run_is_reported(run: Any, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "from _pytest.runner import runtestprotocol\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    for _ in range(2):  # as pytest-rerunfailures does it\n"
        "        runtestprotocol(item, nextitem=nextitem)\n"
        "    return True\n"
    )
    run(MODULE, "--roundtrip-report=a.json")
    assert len(report_file.read(pytester.path / "a.json")["roundtrips"]) == 1


def test_a_mistake_under_xdist_is_told(run: Any) -> None:
    pytest.importorskip("xdist")
    result = run("@pytest.mark.roundtrip(formts=1)\n@pytest.mark.parametrize('n', [1])\ndef test_it(n): ...\n", "-n", "1")
    assert result.ret != 0
    assert "unknown keyword 'formts'; did you mean 'formats'?" in result.stdout.str() + result.stderr.str()


def test_the_list(run: Any, tensorflow: Any) -> None:
    result = run("", "--roundtrip-list")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "formats:",
            "  keras             Keras' own format: *",
            "  hub               A hub module: *",
            "checks:",
            "| format | signature | weights | config | compile | optimizer | outputs | losses | self_contained | training |",
            "| `h5` | x | x | x | x | on request with Keras 3 | x | x | x | on request |",
            "environments:",
            f"  here              Python 3.*, TF {tensorflow.__version__}*",
            f"   *{sys.executable}",
            "   *threads*",
        ]
    )


def test_the_documented_table_is_that_of_the_formats() -> None:
    modules = {name: importlib.import_module(f"pytest_modelroundtrip.portable.formats.{name}") for name in FORMATS}
    page = Path(__file__).parent.parent.joinpath("docs", "checks.md").read_text(encoding="utf-8")
    assert promises_table(modules) in page


def test_the_hook_sees_each_result(run: Any, pytester: pytest.Pytester) -> None:
    hook = (
        "def pytest_modelroundtrip_finished(trip, config):\n    print('SEEN', trip.format, trip.verdict, trip.artifact.exists())\n"
    )
    pytester.makeconftest(hook)
    result = run(SOURCE, "-s", "-k", "test_dense")
    result.stdout.fnmatch_lines(["*SEEN h5 exact True", "*SEEN saved_model exact True", "*SEEN checkpoint exact True"])


def test_neither_tensorflow_nor_keras_is_imported_with_the_plugin() -> None:
    code = "import sys, pytest_modelroundtrip.plugin; print(sorted({name.split('.')[0] for name in sys.modules}))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pytest_modelroundtrip" in modules
    for heavy in ("tensorflow", "keras", "tf_keras", "tensorflow_hub", "h5py", "jinja2"):
        assert f"'{heavy}'" not in modules
