"""Tables that scripts write into pages of the docs."""

from __future__ import annotations


def cell(verdict: str, reason: str, reasons: list[str]) -> str:
    """A cell with the number of its reason, which is added to those of the table."""
    if not reason:
        return verdict
    if reason not in reasons:
        reasons.append(reason)
    return f"{verdict} [{reasons.index(reason) + 1}]"


def table(lines: list[str], reasons: list[str]) -> str:
    """The lines of a table, with its reasons below."""
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join([*lines, "", *notes])


def replaced(text: str, script: str, tables: str) -> str:
    """The text of a page with these tables between the two marks of that script."""
    begin, end = f"<!-- begin: written by {script} -->", "<!-- end -->"
    before, after = text.partition(begin)[0], text.partition(end)[2]
    return f"{before}{begin}\n{tables}\n{end}{after}"
