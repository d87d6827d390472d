"""The matrix: every model, in every format, saved by each saver and reloaded by each loader of `matrix.toml`.

python tests/matrix/run.py --out FOLDER [--savers a,b] [--loaders a,b]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import tomllib

from pytest_modelroundtrip import provisioning, specifications

HERE = Path(__file__).parent


def main() -> int:
    """Run what was asked for, saver after saver; a round trip that fails is a result, all else is an error."""
    matrix = tomllib.loads((HERE / "matrix.toml").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the reports and the page")
    parser.add_argument("--savers", default=",".join(matrix["savers"]))
    parser.add_argument("--loaders", default=",".join(matrix["loaders"]))
    parser.add_argument("--workers", default="2", help="xdist's -n; each worker keeps an interpreter of each loader")
    chosen, more = parser.parse_known_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    reports = []
    for saver in chosen.savers.split(","):
        began, report = time.monotonic(), chosen.out / f"{saver}.json"
        _carry(matrix, saver, chosen.loaders.split(","), report, ["-n", chosen.workers, *more])
        print(f"{saver}: {time.monotonic() - began:.0f} s", flush=True)
        reports.append(str(report))
    pages = ["--html", str(chosen.out / "matrix.html"), "--markdown", str(chosen.out / "matrix.md")]
    return subprocess.call([sys.executable, "-m", "pytest_modelroundtrip", "report", *reports, *pages])


def _carry(matrix: dict[str, Any], saver: str, loaders: list[str], report: Path, more: list[str]) -> None:
    specification = specifications.parse(" ".join([matrix["environments"][saver], *matrix["saver_requirements"]]), HERE)
    python = provisioning.interpreter(specification, print)
    command = [python, "-m", "pytest", "-p", "pytest_modelroundtrip.plugin", "-p", "xdist.plugin", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "-q"]
    command += ["--rootdir", str(HERE), "--tb=no", "--no-header", "-W", "ignore", f"--roundtrip-report={report.resolve()}"]
    command += [f"--roundtrip-formats={','.join(matrix['formats'])}", f"--roundtrip-pythonpath={HERE}", "--roundtrip-keep=none"]
    for loader in loaders:
        command += ["--roundtrip-environment", f"{loader}={matrix['environments'][loader]}"]
    paths = os.pathsep.join([str(HERE.parents[1]), str(HERE)])
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    # a build of this project beside its sources would be loaded once more
    alone = {"PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    variables = {**os.environ, **quiet, **alone}
    status = subprocess.call([*command, str(HERE / "carry_models.py"), *more], env=variables)
    if status not in (0, 1):
        raise SystemExit(f"pytest ended with status {status} in {saver}")


if __name__ == "__main__":
    sys.exit(main())
