"""`python -m pytest_modelroundtrip report a.json b.json --html matrix.html --markdown matrix.md`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import matrix, report_file


def main(arguments: list[str] | None = None) -> int:
    """Merge reports into the matrix; 2 where that cannot be done, with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m pytest_modelroundtrip")
    command = parser.add_subparsers(required=True).add_parser(
        "report", help="merge JSON reports into a matrix of savers and loaders"
    )
    command.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="what --roundtrip-report wrote")
    command.add_argument("--html", type=Path, metavar="PATH", help="write one self-contained page")
    command.add_argument("--markdown", type=Path, metavar="PATH", help="write Markdown; without either it is printed")
    chosen = parser.parse_args(arguments)
    try:
        merged = matrix.merged([report_file.read(path) for path in chosen.reports])
        if chosen.html:
            chosen.html.write_text(matrix.rendered(merged, "matrix.html.jinja"), encoding="utf-8")
        if chosen.markdown or not chosen.html:
            text = matrix.rendered(merged, "matrix.md.jinja")
            chosen.markdown.write_text(text, encoding="utf-8") if chosen.markdown else print(text)
    except ImportError:
        print(
            f'Jinja2 renders it and is not installed: {sys.executable} -m pip install "pytest-modelroundtrip[report]"',
            file=sys.stderr,
        )
        return 2
    except (report_file.Unreadable, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
