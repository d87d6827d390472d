"""The matrix as one self-contained HTML page, or as Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from .matrix import Matrix

HTML, MARKDOWN = "matrix.html.jinja", "matrix.md.jinja"  # names of templates
TEMPLATES = Path(__file__).parent / "templates"


def rendered(matrix: Matrix, template: str) -> str:
    """The matrix as a page; `template` is `HTML` or `MARKDOWN`.

    Raises:
        ImportError: when Jinja2 is not installed.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(plain=_plain)
    return environment.get_template(template).render(matrix=matrix)


def _plain(text: str) -> str:
    """Text without meaning in Markdown, in the cell of a table either."""
    return re.sub(r"([|`*_<>&\[\]\\])", r"\\\1", " ".join(text.split()))
