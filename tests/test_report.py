"""What a person sees in the terminal, and what tools read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from inner_runs import RUNS_TWICE, default_formats

from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.reporting import json_report
from pytest_modelroundtrip.reporting.record import Record
from pytest_modelroundtrip.result import Verdict

if TYPE_CHECKING:
    from inner_runs import Run

slow = pytest.mark.slow

SOURCE = """
@pytest.mark.roundtrip(formats=["h5", "saved_model", "checkpoint"])
def test_dense():
    return dense()

@pytest.mark.roundtrip
@pytest.mark.parametrize("n", [1, 2])
def test_module(n):
    print(n, file=open("built", "a"))
    return Times(n), np.ones((2, 1), "float32")

@pytest.mark.roundtrip(formats=["h5"], expected_failures={"h5": "a lambda is code"})
def test_lambda():
    function = lambda x: undefined(x) if False else helper(x)
    return K.Sequential([K.Input((4,)), L.Lambda(function)])

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
    rest = [
        number
        for number, line in enumerate(lines)
        if number > start and (line.startswith("=") or " passed" in line)
    ]
    return lines[start + 1 : rest[0]]


def records(path: Path) -> list[Record]:
    return json_report.read(path).records


@slow
def test_the_table(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = table(run(SOURCE))
    assert lines[0].startswith("saved with Python 3.")
    assert lines[1].split() == default_formats()
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:7]}
    assert rows["test_dense"] == ["exact", "exact", "exact"]
    assert rows["test_module[1]"] == rows["test_module[2]"]
    assert sorted(rows["test_module[1]"]) == ["exact"] * 2 + ["n/a"] * (len(default_formats()) - 2)
    assert rows["test_lambda"] == ["(load", "error)"]
    assert rows["test_lambda_again"] == ["load", "error"]
    assert any(
        line.startswith("n/a  keras, h5") and line.endswith("not a Keras model") for line in lines
    )
    assert "( )  h5: a lambda is code" in lines


@slow
@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_table_fits_a_narrow_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = table(run(SOURCE, "-k", "module or dense"))
    grid = [line for line in lines[1:] if not line.startswith(("n/a", " " * 5 + "f"))]
    assert max(len(line) for line in grid) <= columns
    assert lines.count("") == 0 and all(line == line.rstrip() for line in lines)
    assert sum("saved_model" in line.split() for line in lines) == 1


@slow
def test_color_quiet_and_silence(run: Run) -> None:
    colored = run(SOURCE, "--color=yes", "-k", "test_dense").stdout.str()
    assert "\x1b[32mexact\x1b[0m" in colored
    assert "\x1b[" not in run(SOURCE, "--color=no", "-k", "test_dense").stdout.str()
    quiet = run(SOURCE, "-q", "-k", "module")
    assert any("test_module[1]" in line for line in table(quiet))
    assert "not a Keras model" not in "\n".join(table(quiet))
    assert "model round trips" not in run(SOURCE, "-k", "plain").stdout.str()


@slow
def test_with_v_the_seconds_are_shown(run: Run) -> None:
    lines = run(MODULE, "-v").outlines
    (total,) = (line for line in lines if line.startswith("TensorFlow imports in clean "))
    assert total.startswith("TensorFlow imports in clean interpreters: ") and "s in all" in total
    assert any(line.startswith("  test_times[saved_model]: ") for line in lines)


@slow
def test_the_result_travels_with_the_report(run: Run, pytester: pytest.Pytester) -> None:
    run(SOURCE, "--junitxml=out.xml", "-k", "test_dense")
    cases = ElementTree.parse(pytester.path / "out.xml").getroot().iter("testcase")
    values = {
        case.get("name"): case.find("properties/property[@name='roundtrip']") for case in cases
    }
    found = {
        name: Record.from_json(str(value.get("value")))
        for name, value in values.items()
        if value is not None
    }
    assert found.keys() == {"test_dense[h5]", "test_dense[saved_model]", "test_dense[checkpoint]"}
    record = found["test_dense[h5]"]
    assert record.verdict is Verdict.EXACT
    assert record.checks["weights"] == "exact"
    assert record.versions.saved["numpy"]


@slow
def test_under_xdist_there_is_one_table(run: Run) -> None:
    pytest.importorskip("xdist")
    result = run(SOURCE, "-n", "2")
    skipped = 2 * (len(default_formats()) - 2)  # two modules, each in two formats
    result.assert_outcomes(passed=8, failed=1, skipped=skipped, xfailed=1)
    rows = [line.split()[0] for line in table(result)]
    assert rows.count("test_dense") >= 1 and "test_lambda_again" in rows


@slow
def test_the_report_is_the_same_under_xdist(run: Run, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    reports = []
    for workers in "0", "2":
        path, built = pytester.path / f"{workers}.json", pytester.path / "built"
        built.unlink(missing_ok=True)
        run(SOURCE, "-n", workers, f"--roundtrip-report={path}")
        assert sorted(built.read_text().split()) == ["1", "2"]  # each model once
        reports.append(
            sorted(
                (record.test.split("::")[1], record.format, record.verdict, record.checks)
                for record in records(path)
            )
        )
    assert reports[0] == reports[1] and len(reports[0]) > 2


@slow
@pytest.mark.parametrize("path", ["nowhere/a.json", "file/a.json", ".", "/dev/null"])
def test_a_report_that_cannot_be_written_is_refused_before_the_tests_run(
    run: Run, pytester: pytest.Pytester, path: str
) -> None:
    (pytester.path / "file").touch()
    result = run("", f"--roundtrip-report={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "a file in a folder that can be written to is expected" in result.stderr.str()


@slow
def test_an_interrupted_run_is_reported_too(run: Run, pytester: pytest.Pytester) -> None:
    source = "def test_stop():\n    pytest.exit('enough')\n"
    result = run(MODULE + source, "--roundtrip-report=a.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    (record,) = records(pytester.path / "a.json")
    assert (record.verdict, record.outcome) == (Verdict.EXACT, "passed")
    assert (record.distances, record.text) == ({}, "")
    for source, *args in ("", "--collect-only"), ("", "-k", "nowhere"), ("1 / 0",):
        run(MODULE + source, "--roundtrip-report=a.json", *args)
        assert len(records(pytester.path / "a.json")) == 1  # where no test ran, it stays


@slow
def test_a_report_that_cannot_be_written_in_the_end_is_an_error(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.mkdir("out")
    source = "def test_it():\n    import shutil\n    shutil.rmtree('out')\n"
    result = run(source, "--roundtrip-report=out/a.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = "ERROR: *out/a.json cannot be written: No such file or directory; --roundtrip-report=*"
    result.stdout.fnmatch_lines([told])


def test_a_report_that_cannot_be_written_leaves_no_part_of_it(tmp_path: Path) -> None:
    taken = tmp_path / "a.json"
    taken.mkdir()
    with pytest.raises(IsADirectoryError):
        json_report.write(taken, [])
    assert [*tmp_path.iterdir()] == [taken]


@slow
def test_the_round_trip_of_a_fixture_is_reported(run: Run, pytester: pytest.Pytester) -> None:
    source = """
@pytest.fixture
def trip(roundtrip):
    return roundtrip(K.Sequential([K.Input((4,)), L.Lambda(lambda x: only_here(x))]))

@pytest.mark.roundtrip(formats=["h5"])
def test_trip(trip): ...
"""
    run(source, "--roundtrip-report=a.json").assert_outcomes(errors=1)
    (record,) = records(pytester.path / "a.json")
    assert (record.verdict, record.outcome) == (Verdict.LOAD_ERROR, "failed")


@slow
def test_of_a_test_that_runs_again_the_last_run_is_reported(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(RUNS_TWICE)
    run(MODULE, "--roundtrip-report=a.json").assert_outcomes(passed=2)
    assert len(records(pytester.path / "a.json")) == 1


@slow
def test_an_error_in_a_marker_is_shown_under_xdist(run: Run) -> None:
    pytest.importorskip("xdist")
    marks = "@pytest.mark.roundtrip(formts=1)\n@pytest.mark.parametrize('n', [1])\n"
    result = run(f"{marks}def test_it(n): ...\n", "-n", "1")
    assert result.ret != 0
    message = "unknown keyword 'formts'; did you mean 'formats'?"
    assert message in result.stdout.str() + result.stderr.str()


@slow
def test_the_list(run: Run, tensorflow: ModuleType) -> None:
    result = run("", "--roundtrip-list")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "formats:",
            "  keras  *Keras' own format: *",
            "  hub  *A hub module: *",
            "checks:",
            f"| format | {' | '.join(checks.NAMES)} |",
            "| `h5` | - | x | *| on request with Keras 3 | *| on request |*",
            "environments:",
            f"  here  *Python 3.*, TF {tensorflow.__version__}*",
            f"   *{sys.executable}",
            "   *threads*",
        ]
    )


@slow
def test_the_list_shows_why_an_environment_is_broken(run: Run) -> None:
    result = run("", "--roundtrip-list", "--roundtrip-define-environment=gone=popen//python=/gone")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  gone  *broken: *"])


@slow
def test_the_hook_sees_each_result(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "def pytest_modelroundtrip_finished(trip, config):\n"
        "    print('SEEN', trip.format, trip.verdict, trip.artifact.exists())\n"
    )
    result = run(SOURCE, "-s", "-k", "test_dense")
    result.stdout.fnmatch_lines(
        ["*SEEN h5 exact True", "*SEEN saved_model exact True", "*SEEN checkpoint exact True"]
    )


def test_nothing_heavy_is_imported_with_the_plugin() -> None:
    """What every run of pytest imports where the plugin is installed."""
    code = "import sys, pytest_modelroundtrip.plugin, json; print(json.dumps([*sys.modules]))"
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    modules = {name.split(".")[0] for name in json.loads(output)}
    assert "pytest_modelroundtrip" in modules
    heavy = {"tensorflow", "keras", "tf_keras", "tensorflow_hub", "h5py", "jinja2"}
    assert not modules & {*heavy, "numpy", "execnet"}
