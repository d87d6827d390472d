"""The matrix: every model in every format, from each saver to each loader of `matrix.toml`.

python tests/matrix/run.py --out FOLDER [--savers a,b] [--loaders a,b]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomllib  # type: ignore[import-not-found] # of Python 3.11

from pytest_modelroundtrip.environments import specification
from pytest_modelroundtrip.environments.kinds.local import LocalPython

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Plan:
    """What `matrix.toml` holds."""

    savers: list[str]
    loaders: list[str]
    formats: list[str]
    saver_requirements: list[str]  # that a saver has besides
    environments: dict[str, str]  # name -> specification


def main() -> int:
    """Run saver after saver. A round trip that fails is a result, all else is an error."""
    plan = Plan(**tomllib.loads((HERE / "matrix.toml").read_text(encoding="utf-8")))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for reports and page")
    parser.add_argument("--savers", default=",".join(plan.savers))
    parser.add_argument("--loaders", default=",".join(plan.loaders))
    parser.add_argument(
        "--workers", default="2", help="xdist's -n; each keeps an interpreter of each loader"
    )
    chosen, more = parser.parse_known_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    reports = []
    for saver in chosen.savers.split(","):
        began, report = time.monotonic(), chosen.out / f"{saver}.json"
        options = _options(plan, chosen.loaders.split(","), report)
        _save_and_reload(plan, saver, [*options, "-n", chosen.workers, *more])
        print(f"{saver}: {time.monotonic() - began:.0f} s", flush=True)
        reports.append(str(report))
    pages = [f"--html={chosen.out / 'matrix.html'}", f"--markdown={chosen.out / 'matrix.md'}"]
    command = [sys.executable, "-m", "pytest_modelroundtrip", "report", *reports, *pages]
    return subprocess.call(command)


def _options(plan: Plan, loaders: Sequence[str], report: Path) -> list[str]:
    """The plugin's options."""
    definitions = [f"{loader}={plan.environments[loader]}" for loader in loaders]
    return [
        f"--roundtrip-report={report.resolve()}",
        f"--roundtrip-formats={','.join(plan.formats)}",
        f"--roundtrip-pythonpath={HERE}",
        "--roundtrip-keep=none",
        *(f"--roundtrip-define-environment={definition}" for definition in definitions),
        f"--roundtrip-environments={','.join(loaders)}",
    ]


def _save_and_reload(plan: Plan, saver: str, options: Sequence[str]) -> None:
    """Run pytest in the saver's own virtual environment."""
    text = " ".join([plan.environments[saver], *plan.saver_requirements])
    kind = specification.parse(text, HERE)
    python = kind.resolved(print)
    assert isinstance(python, LocalPython), f"{text}: requirements are expected"
    command = [
        *(python.python, "-m", "pytest", str(HERE / "roundtrip_models.py")),
        *("-p", "pytest_modelroundtrip.plugin", "-p", "xdist.plugin", "-p", "no:cacheprovider"),
        *("-c", os.devnull, "--rootdir", str(HERE)),
        *("-q", "--tb=no", "--no-header", "-W", "ignore"),
        *options,
    ]
    variables = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)]),
        # a build of this project beside its sources would be loaded once more
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    status = subprocess.call(command, env={**os.environ, **variables})
    if status not in (0, 1):
        raise SystemExit(f"pytest ended with status {status} in {saver}")


if __name__ == "__main__":
    sys.exit(main())
