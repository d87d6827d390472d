"""Bundles: recorded by tests and scripts, checked as goldens, by the command, by reload.pyz."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from inner_runs import version_of

from pytest_modelroundtrip import RecordError, record
from pytest_modelroundtrip.__main__ import main
from pytest_modelroundtrip.bundles import bundle_archives, plain_artifacts
from pytest_modelroundtrip.portable import protocol

if TYPE_CHECKING:
    from inner_runs import Check, Run

TEST = """
@pytest.mark.roundtrip(formats=["weights", "saved_model"])
@pytest.mark.parametrize("units", [40])
def test_encoder(units):
    model = K.Sequential([K.Input((40,)), L.Dense(units, name="first"), L.Dense(3, name="last")])
    model.compile("adam", "mse")
    return model
"""

FIRST = Path(__file__).parent / "bundles" / "dense.saved_model"


@pytest.fixture
def goldens(run: Run) -> Path:
    """The bundles that a run of `TEST` recorded."""
    run(TEST, "--roundtrip-record=goldens").assert_outcomes(passed=2)
    return Path("goldens").resolve()


def of_format(goldens: Path, name: str) -> Path:
    """The bundle of that format."""
    (found,) = goldens.glob(f"*.{name}")
    return found


def change_one_weight(tensorflow: ModuleType, bundle: Path) -> None:
    """As somebody might who saves a changed model into a bundle."""
    keras = tensorflow.keras
    model = keras.Sequential(
        [
            keras.Input((40,)),
            keras.layers.Dense(40, name="first"),
            keras.layers.Dense(3, name="last"),
        ]
    )
    path = str(bundle / "artifact" / "model.weights.h5")
    model.load_weights(path)
    kernel = model.get_layer("first").kernel
    kernel.assign(kernel + np.eye(40, dtype="float32") * 1e-3)
    model.save_weights(path)


def test_what_was_recorded_is_checked_as_goldens(
    goldens: Path, check: Check, tensorflow: ModuleType
) -> None:
    names = sorted(path.name.rpartition("test_encoder")[2] for path in goldens.iterdir())
    assert names == ["-40.saved_model", "-40.weights"]
    Path("pytest.ini").write_text("[pytest]\nroundtrip_goldens = goldens\n")
    bundle = of_format(goldens, "weights")
    assert (bundle / "expected").stat().st_size < 40 * 40 * 4  # of large weights it has the hashes
    check("goldens", "--roundtrip-report=report.json").assert_outcomes(passed=2)
    rows = json.loads(Path("report.json").read_text())["roundtrips"]
    golden = next(row for row in rows if row["test"] == f"goldens/{bundle.name}")
    assert (golden["verdict"], golden["checks"]["weights"]) == ("exact", "exact")
    change_one_weight(tensorflow, bundle)
    result = check("goldens")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            f"*golden {bundle.name}[[]here]*",
            "DIFFERS: format weights, environment 'here'",
            "  the file artifact/model.weights.h5 was changed after it was recorded",
            "*first/kernel float32[[]40, 40] has other values than were",
            "  outputs differs in *",
            f"FAILED goldens/{bundle.name}[[]here]*",
        ]
    )
    check("goldens", "--lf").assert_outcomes(failed=1)
    check("goldens", "-k", "saved_model and here").assert_outcomes(passed=1)
    assert_that_a_new_one_is_put_beside(check, bundle)
    shutil.rmtree(bundle)
    bundle.with_name(f"{bundle.name}.new").rename(bundle)
    check("goldens").assert_outcomes(passed=2)
    change_one_weight(tensorflow, bundle)
    assert_that_the_unused_is_named(check, bundle)
    known = f"roundtrip_golden_failures =\n  {bundle.name}[here]: it was changed\n"
    Path("pytest.ini").write_text(f"[pytest]\nroundtrip_goldens = goldens\n{known}")
    check("goldens").assert_outcomes(passed=1, xfailed=1)


def assert_that_a_new_one_is_put_beside(check: Check, bundle: Path) -> None:
    """The old one stays as it is, and a new one is never replaced."""
    before = {path: path.stat().st_mtime_ns for path in bundle.parent.rglob("*")}
    result = check("--roundtrip-update-goldens")
    result.assert_outcomes(passed=3, failed=1)  # and the tests, which record it anew
    result.stdout.fnmatch_lines([f"golden {bundle.name} failed; a new bundle is beside it: *"])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    result = check("--roundtrip-update-goldens", f"goldens/{bundle.name}")
    result.stdout.fnmatch_lines(["*failed, and an earlier run has already written *.new: use it*"])


def assert_that_the_unused_is_named(check: Check, bundle: Path) -> None:
    """A bundle whose test is gone is named, and none whose test is only deselected."""
    origin = bundle / "roundtrip.json"
    origin.write_text(origin.read_text().replace("::test_encoder", "::test_of_old"))
    result = check("--collect-only")
    result.stdout.fnmatch_lines([f"golden {bundle.name} is unused: the test *test_of_old no*"])
    origin.write_text(origin.read_text().replace("::test_of_old", "::test_encoder"))
    result = check("--collect-only", "-k", "weights and here or saved_model and not here")
    result.stdout.no_fnmatch_line("*is unused*")


def test_they_are_checked_without_pytest(goldens: Path, run: Run, tensorflow: ModuleType) -> None:
    bundle = of_format(goldens, "weights")
    archive = bundle_archives.pack(of_format(goldens, "saved_model"))
    command = [sys.executable, "-m", "pytest_modelroundtrip", "check"]
    done = in_process_of_its_own(*command, str(bundle), str(archive))
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
    done = in_process_of_its_own(*command, "pytest.ini")
    assert (done.returncode, done.stdout[:21]) == (2, "pytest.ini is neither")
    standalone = [sys.executable, "-I", str(bundle / "reload.pyz"), "--check"]
    done = in_process_of_its_own(*standalone)
    assert done.stdout.endswith("\nEXACT\n") and done.returncode == 0, done.stdout
    assert "\noutputs         exact\n" in done.stdout
    change_one_weight(tensorflow, bundle)
    done = in_process_of_its_own(*standalone)
    assert done.stdout.endswith("\nDIFFERS\n") and done.returncode == 1, done.stdout
    assert "first/kernel float32[40, 40] has other values than were recorded" in done.stdout
    assert "model.weights.h5 was changed" in done.stdout
    origin = (bundle / "roundtrip.json").read_text()
    (bundle / "roundtrip.json").write_text('{"schema": 1, "sha256": 5}')
    done = in_process_of_its_own(*standalone)
    assert (done.returncode, "is not a complete bundle: " in done.stdout) == (2, True), done.stdout
    (bundle / "roundtrip.json").write_text(origin)
    (bundle / "expected").write_bytes(b"x")
    done = in_process_of_its_own(*standalone)
    assert (done.returncode, "is not a complete bundle: " in done.stdout) == (2, True), done.stdout
    nowhere = run(TEST, f"--roundtrip-record={bundle}/job/goldens", "-k", "weights")
    nowhere.stdout.fnmatch_lines(["SYSTEM ERROR*", "  the artifact could not be kept:"])
    again = run(TEST, "--roundtrip-record=goldens")
    again.stderr.fnmatch_lines(["*--roundtrip-record=*pass a new or empty folder*"])
    assert again.ret == pytest.ExitCode.USAGE_ERROR


def in_process_of_its_own(*command: str) -> subprocess.CompletedProcess[str]:
    """Run it, where the other streams of libraries do not disturb."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_a_script_records(tensorflow: ModuleType, tmp_path: Path, check: Check) -> None:
    keras = tensorflow.keras
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    path = tmp_path / "models" / "encoder"
    x = np.ones((2, 4), "float32")
    assert record(model, x, path=path, formats=["weights"], exact=True) == [
        tmp_path / "models" / "encoder.weights"
    ]
    assert [found.name for found in path.parent.iterdir()] == ["encoder.weights"]
    (tmp_path / "link").symlink_to(path.parent)
    check(str(tmp_path / "link" / "encoder.weights")).assert_outcomes(passed=1)
    for options, message in REFUSED:
        with pytest.raises(RecordError, match=message):
            record(model, x, path=path, **options)
    with pytest.raises(RecordError, match="the model itself cannot be used"):
        record(model, np.ones((2, 5), "float32"), path=tmp_path / "other")
    assert not [*tmp_path.glob("*other*")]


def test_an_artifact_without_a_record(
    tensorflow: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tf = tensorflow
    signature = [tf.TensorSpec([None, 2], tf.float32)]

    class Affine(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable([[1.0, 2.0], [3.0, 4.0]])

        @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
        def __call__(self, x: object) -> object:
            return {"y": x @ self.kernel}

    module, x = Affine(), np.ones((3, 2), "float32")
    with pytest.raises(RecordError, match="not a Keras model"):
        record(module, x, path=tmp_path / "both", formats=["saved_model", "export"])
    assert [*tmp_path.iterdir()] == []  # not the one that could be recorded, either
    tf.saved_model.save(module, str(tmp_path / "affine"))
    expected = module(tf.constant(x))["y"].numpy()
    np.savez(tmp_path / "x.npz", x)
    last_row = np.array([[0], [0], [1]], "float32")
    for name, outputs in (("right", expected), ("wrong", expected + last_row)):
        np.savez(tmp_path / f"{name}.npz", y=outputs)
        options = ["--inputs=x.npz", f"--outputs={name}.npz"]
        command = [sys.executable, "-m", "pytest_modelroundtrip", "check", "affine", *options]
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert done.returncode == (name == "wrong"), done.stdout
    assert "outputs['y'] differs in 2 of 6 elements" in done.stdout, done.stdout
    unused = ([str(tmp_path / "affine")], [str(FIRST), f"--inputs={tmp_path / 'x.npz'}"])
    for arguments in unused:  # outputs that nothing is compared with would be a check that passes
        assert main(["check", *arguments, f"--outputs={tmp_path / 'wrong.npz'}"]) == 2
    np.save(tmp_path / "x.npy", x)
    assert main(["check", str(tmp_path / "affine"), f"--inputs={tmp_path / 'x.npy'}"]) == 2
    assert "x.npy is not an .npz file of plain arrays" in capsys.readouterr().out
    command = [*command[:4], "x.npz"]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout[:16]) == (2, "x.npz is neither")


def test_where_an_artifact_does_not_load_only_given_outputs_are_known(
    tensorflow: ModuleType,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    """Another environment may load it, and what is seen there has nothing to be compared with."""
    (tmp_path / "model.h5").write_bytes(b"damaged")
    inputs, outputs = tmp_path / "x.npz", tmp_path / "y.npz"
    for path in (inputs, outputs):
        np.savez(path, np.ones((2, 2), "float32"))
    given = plain_artifacts.Given(tmp_path / "model.h5", inputs, outputs, [])
    bundle = plain_artifacts.make_bundle(given, tmp_path / "scratch")
    job = protocol.decode_record(protocol.Job, (bundle / "job").read_bytes())
    assert job.checks == ["outputs"]


def test_the_first_bundle_is_still_read(tensorflow: ModuleType, check: Check) -> None:
    """It was recorded by the first commit that could, with TensorFlow 2.15."""
    if version_of(tensorflow) < (2, 12):
        pytest.skip("a SavedModel of TensorFlow 2.15 does not load before 2.12")
    shutil.copytree(FIRST, "dense.saved_model")
    result = check("dense.saved_model", "--roundtrip-report=report.json")
    result.assert_outcomes(passed=1)
    (row,) = json.loads(Path("report.json").read_text())["roundtrips"]
    assert row["versions"]["saved"]["tensorflow"] == "2.15.1"
    made = {name for name, outcome in row["checks"].items() if outcome != "n/a"}
    assert made == {"signature", "weights", "outputs", "self_contained"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"formats": ["weights"]}, "bundles are not overwritten, and these exist: .*encoder.weights"),
    ({"formats": ["weight"]}, "unknown format 'weight'; did you mean 'weights'"),
    ({"format": ["weights"]}, "unknown option 'format'; did you mean 'formats'"),
    ({"timeout": 3}, "unknown option 'timeout'"),
]
