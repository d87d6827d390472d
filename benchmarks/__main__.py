"""Measure what a round trip costs, and write the table.

python -m benchmarks [--quick] [--rounds N] [--long-rounds N] [--out FOLDER] [NAME ...]

Each benchmark is the module of that name. Its rows are printed as they come and written to
FOLDER/NAME.json; FOLDER/table.md has those of all benchmarks that were run so far. Run them on a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import table
from benchmarks.measuring import Row, Scope

NAMES = ("reload", "suite", "large", "start", "scale", "detection_cost")


def main() -> int:
    """Run one benchmark here, or several, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    for name, default in zip(("--rounds", "--long-rounds"), Scope(), strict=False):
        parser.add_argument(name, type=int, default=default, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one round of the smallest part")
    parser.add_argument("--out", type=Path, default=Path("build", "benchmarks"), metavar="FOLDER")
    chosen = parser.parse_args()
    unknown = {*chosen.names} - {*NAMES}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}")
    if len(chosen.names) == 1:
        usual = Scope(chosen.rounds, chosen.long_rounds)
        _run(chosen.names[0], Scope(1, 1, quick=True) if chosen.quick else usual, chosen.out)
        return 0
    options = [word for word in sys.argv[1:] if word not in NAMES]
    commands = [
        [sys.executable, "-m", "benchmarks", name, *options] for name in chosen.names or NAMES
    ]
    return max([subprocess.call(command) for command in commands])


def _run(name: str, scope: Scope, folder: Path) -> None:
    logging.captureWarnings(True)  # what libraries say of each other, which is shown nowhere
    logging.getLogger("py.warnings").propagate = False
    began, rows = time.monotonic(), list[Row]()
    print(f"== {name}", flush=True)
    for row in importlib.import_module(f"benchmarks.{name}").rows(scope):
        print(row, flush=True)
        rows.append(row)
    print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    table.write_part(folder / f"{name}.json", rows)
    parts = [path for each in NAMES if (path := folder / f"{each}.json").exists()]
    (folder / "table.md").write_text(table.markdown(parts), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
