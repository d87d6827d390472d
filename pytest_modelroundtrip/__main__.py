"""The command line: `python -m pytest_modelroundtrip check` and `... report`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .bundles import check_command
from .reporting import json_report, matrix, pages


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status."""
    chosen = _parser().parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


def _report(chosen: argparse.Namespace) -> int:
    """Merge reports into the matrix; return 2 where that fails, with the reason on stderr."""
    try:
        merged = matrix.merged_reports([json_report.read(path) for path in chosen.reports])
        if chosen.html:
            _write(chosen.html, pages.rendered(merged, pages.HTML))
        if chosen.markdown or not chosen.html:
            text = pages.rendered(merged, pages.MARKDOWN)
            _write(chosen.markdown, text) if chosen.markdown else print(text)
    except ImportError:
        install = f'{sys.executable} -m pip install "pytest-modelroundtrip[report]"'
        print(
            f"Jinja2 is required to render the matrix and is not installed: {install}",
            file=sys.stderr,
        )
        return 2
    except json_report.ReportError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:  # a write to a full disk does not say where
        raise json_report.ReportError(f"{path} cannot be written: {error.strerror}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pytest_modelroundtrip")
    commands = parser.add_subparsers(required=True)
    check_command.declare(commands.add_parser("check", help=check_command.HELP, allow_abbrev=False))
    command = commands.add_parser(
        "report", help="merge JSON reports into a matrix of savers and loaders"
    )
    command.set_defaults(run=_report)
    command.add_argument(
        "reports", nargs="+", type=Path, metavar="REPORT", help="written by --roundtrip-report"
    )
    command.add_argument(
        "--html", type=Path, metavar="PATH", help="write one self-contained HTML page"
    )
    command.add_argument(
        "--markdown",
        type=Path,
        metavar="PATH",
        help="write Markdown; without --html and --markdown it is printed",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
