"""Results -> the text of a failure, the record that travels with a test report, the table in the terminal."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from .portable import library
from .portable.formats import BUILT_IN
from .portable.observation import CHECKS, SLOW
from .roundtrip import PASSED, RoundTrip

Record = dict[str, Any]

PROPERTY = "roundtrip"
WIDTH = 72  # of what is told of a failure
LINE_LENGTH = 320  # of what Keras says
TAIL_LINES = 40  # of a traceback or of what a child printed
MODULES = {
    "python": "Python",
    "tensorflow": "TF",
    "keras": "Keras",
    "tf_keras": "tf-keras",
    "tensorflow_hub": "hub",
    "jax": "jax",
    "torch": "torch",
    "numpy": "NumPy",
}

BACKENDS = ("jax", "torch")

HEADLINES = {  # where the usual one would be wrong
    "unsupported": "the test asks for the format {}, which cannot hold this model",
    "save error": "the format {} could not save the model",
    "not deterministic": "the model is not; the format {} was not tried",
}


# what is promised


def promises_table(formats: dict[str, Any]) -> str:
    """Format x check in Markdown, from what the format modules promise."""
    rows = [["format", *CHECKS], ["---"] * (1 + len(CHECKS))]
    for name, module in formats.items():
        rows.append([f"`{name}`", *(_promise(module, check) for check in CHECKS)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _promise(module: Any, check: str) -> str:
    if check not in module.PROMISES:
        return "-"
    generations = getattr(module, "NEVER_KEPT", {}).get(check)
    if generations:
        return f"on request with Keras {generations[0]}"
    return "on request" if check in SLOW else "x"


# one failure


def failure_text(trip: RoundTrip, again: str) -> str:
    """All that is known of a round trip that failed, in one place; `again` is the command that reloads it without pytest.

    Where the sides' versions differ they come first: they are the likeliest cause.
    """
    headline = HEADLINES.get(trip.verdict, "format {}, reloaded in environment {!r}")
    lines = [*_wrapped(f"{trip.verdict.upper()}: {headline.format(trip.format, trip.environment)}", "", "  ")]
    elsewhere = library.differ(trip.versions)
    lines += [*(f"  {line}" for line in _sides(trip.versions)), ""] if elsewhere else []
    lines += [line for problem in trip.problems for told in _clipped(problem).splitlines() for line in _wrapped(told, "  ", "    ")]
    if trip.hint:
        lines += ["", *_wrapped(trip.hint, "hint: ", "      ")]
    lines.append("")
    lines += [] if elsewhere else _sides(trip.versions)
    if again:
        lines += [f"artefact: {trip.artifact} ({_size(trip.size)})", f"again:    {again}"]
    if trip.detail.strip():
        lines += ["", f"{'traceback' if 'Traceback (' in trip.detail else 'it printed'}:", _tail(trip.detail)]
    return "\n".join(lines)


def _wrapped(text: str, first: str, following: str) -> list[str]:
    """Lines for a terminal of 80 columns, of which pytest takes eight for itself where a test's source is shown."""
    indent = following + " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _sides(versions: dict[str, dict[str, str]]) -> list[str]:
    saved, reloaded = versions.get("saved"), versions.get("reloaded")
    lines = _wrapped(version_line(saved), "saved:    ", "          ") if saved else []
    return lines + (_wrapped(version_line(reloaded), "reloaded: ", "          ") if reloaded else [])


def version_line(versions: dict[str, str]) -> str:
    """In one line: `Python 3.11.7, TF 2.21.0, ...`."""
    return ", ".join(f"{MODULES[name]} {versions[name]}" for name in MODULES if name in versions and is_told(name, versions))


def is_told(module: str, versions: dict[str, str]) -> bool:
    """Whether its version matters: TensorFlow imports jax for its own purposes, Keras computes with it or not."""
    return module not in BACKENDS or versions.get("backend") == module


def probed_lines(name: str, facts: dict[str, Any], python: str) -> list[str]:
    """What an environment's probe has found, for `--roundtrip-list`."""
    machine = facts["machine"]
    told = f"{machine['system']}, {machine['processor']}, {machine['threads']} threads, {' '.join(machine['flags'])}"
    return [f"  {name:<18}{version_line(facts['versions'])}", f"  {'':<18}{python}", f"  {'':<18}{told}"]


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _clipped(text: str) -> str:
    """Without the configs that Keras writes into its messages."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("config={")]
    return "\n".join(line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 4] + " ..." for line in lines)


def _tail(text: str) -> str:
    lines = _clipped(text).splitlines()
    cut = ["  ..."] if len(lines) > TAIL_LINES else []
    return "\n".join([*cut, *(f"  {line}" for line in lines[-TAIL_LINES:])])


# one record


def record(nodeid: str, cell: str, trip: RoundTrip, text: str) -> Record:
    """The result as JSON holds it: it travels in the `user_properties` of the test's report. `text` is that of a failure."""
    return {
        "test": _without_cell(nodeid, cell),
        "format": trip.format,
        "environment": trip.environment,
        "verdict": trip.verdict,
        "max_ulp": trip.max_ulp,
        "checks": trip.checks,
        "distances": trip.distances,
        "problems": trip.problems,
        "text": text,
        "seconds": {phase: round(seconds, 4) for phase, seconds in trip.seconds.items()},
        "versions": trip.versions,
        "size": trip.size,
    }


def _without_cell(nodeid: str, cell: str) -> str:
    for suffix, rest in ((f"[{cell}]", ""), (f"-{cell}]", "]")):
        if nodeid.endswith(suffix):
            return nodeid[: -len(suffix)] + rest
    return nodeid


def records_of(test_report: pytest.TestReport) -> list[Record]:
    """The records in a test's report, with pytest's outcome, and the reason where the failure was expected."""
    found = [json.loads(str(value)) for name, value in test_report.user_properties if name == PROPERTY]
    expected = getattr(test_report, "wasxfail", None) if test_report.skipped else None
    return [{**item, "outcome": test_report.outcome, "expected_failure": expected} for item in found]


# the table


def write_summary(terminal: pytest.TerminalReporter, records: list[Record], width: int, verbose: bool, quiet: bool) -> None:
    """Tests down, formats across; under it why a cell is n/a or was expected to fail; with -v the seconds by phase."""
    terminal.write_sep("=", "model round trips")
    for line in _environment_lines(records):
        terminal.write_line(line)
    rows = _rows(records)
    order = {name: number for number, name in enumerate(BUILT_IN)}
    formats = sorted({item["format"]: None for item in records}, key=lambda name: order.get(name, len(order)))
    label = max(len(row) for row in rows)
    label = min(label, max(16, width // 3))
    for columns in _fitting(formats, rows, width - label):
        _write_columns(terminal, columns, rows, label)
    if not quiet:
        for line in _reasons(records):
            terminal.write_line(textwrap.fill(line, max(width, 40), subsequent_indent="     "))
    if verbose:
        _write_seconds(terminal, records)


def _environment_lines(records: list[Record]) -> list[str]:
    lines: dict[str, str] = {}
    for item in records:
        saved, reloaded = (item["versions"].get(side, {}) for side in ("saved", "reloaded"))
        if saved:
            lines.setdefault("", f"saved with {version_line(saved)}")
        if library.differ(item["versions"]):
            lines.setdefault(item["environment"], f"{item['environment']}: reloaded with {version_line(reloaded)}")
        if item["verdict"] == "environment broken":
            lines.setdefault(item["environment"], f"{item['environment']}: {' '.join(item['problems'][0].split())}")
    return list(lines.values())


def _rows(records: list[Record]) -> dict[str, dict[str, list[Record]]]:
    """Row -> format -> records. A row is a test, named without its file where that is clear, and an environment."""
    names = short_names(item["test"] for item in records)
    rows: dict[str, dict[str, list[Record]]] = {}
    for item in records:
        name = names[item["test"]]
        row = name if item["environment"] == "here" else f"{name} -> {item['environment']}"
        rows.setdefault(row, {}).setdefault(item["format"], []).append(item)
    return rows


def short_names(tests: Iterable[str]) -> dict[str, str]:
    """Tests by their name without the file, where that is clear."""
    short = {test: test.split("::", 1)[-1] for test in tests}
    count = Counter(short.values())
    return {test: name if count[name] == 1 else test for test, name in short.items()}


def _cell(items: Iterable[Record]) -> tuple[str, dict[str, bool]]:
    """The text of a cell and its colour: that of the worst of its round trips."""
    item = worst(items)
    verdict = item["verdict"]
    if verdict == "exact":
        return "exact", {"green": True}
    if verdict == "close":
        return (f"{item['max_ulp']} ulp" if item["max_ulp"] < 10**6 else f"{item['max_ulp']:.0e} ulp"), {"green": True}
    if verdict == "unsupported":
        return "n/a", {"light": True}
    text = "DIFFERS" if verdict == "differs" else verdict
    return (f"({text})", {"yellow": True}) if item["expected_failure"] is not None else (text, {"red": True, "bold": True})


def worst(items: Iterable[Record]) -> Record:
    """Of several round trips of one test the one that tells of it: a failure, else the one that was furthest off."""
    return max(items, key=lambda item: (item["verdict"] not in (*PASSED, "unsupported"), item["max_ulp"]))


def _fitting(formats: list[str], rows: dict[str, dict[str, list[Record]]], width: int) -> list[dict[str, int]]:
    """The formats with their columns' widths, in groups that fit beside the label."""
    groups: list[dict[str, int]] = [{}]
    for name in formats:
        size = 2 + max([len(name), *(len(_cell(row[name])[0]) for row in rows.values() if name in row)])
        if groups[-1] and sum(groups[-1].values()) + size > width:
            groups.append({})
        groups[-1][name] = size
    return groups


def _write_columns(terminal: pytest.TerminalReporter, columns: dict[str, int], rows: dict[str, Any], label: int) -> None:
    terminal.write_line((" " * label + "".join(f"  {name:<{size - 2}}" for name, size in columns.items())).rstrip())
    for name, row in rows.items():
        if not row.keys() & columns.keys():
            continue
        terminal.write(f"{name if len(name) <= label else '...' + name[3 - label :]:<{label}}")
        gap = 0
        for fmt, size in columns.items():
            if fmt in row:
                text, colour = _cell(row[fmt])
                terminal.write(" " * (gap + 2))
                terminal.write(text, **colour)
                gap = size - 2 - len(text)
            else:
                gap += size
        terminal.write_line("")


def _reasons(records: list[Record]) -> list[str]:
    """Why a format is n/a, and why a failure was expected; formats that share a reason share a line."""
    told: dict[tuple[str, str], dict[str, None]] = {}
    for item in records:
        if item["verdict"] == "unsupported":
            told.setdefault(("n/a", item["problems"][0]), {})[item["format"]] = None
        elif item["expected_failure"] is not None:
            told.setdefault(("( )", item["expected_failure"]), {})[item["format"]] = None
    return [f"{mark}  {', '.join(formats)}: {reason}" for (mark, reason), formats in told.items()]


def _write_seconds(terminal: pytest.TerminalReporter, records: list[Record]) -> None:
    starts = [item["seconds"]["reload: start"] for item in records if item["seconds"].get("reload: start")]
    warm = sum(item["seconds"].get("reload: warm", 0.0) for item in records)
    told = f"TensorFlow imports in clean interpreters: {len(starts)}, {sum(starts):.2f} s in all"
    terminal.write_line(told + (f"; of other libraries {warm:.2f} s" if warm else ""))
    for item in records:
        phases = {phase: seconds for phase, seconds in item["seconds"].items() if seconds >= 0.005 and phase != "reload: start"}
        if phases:
            spent = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in phases.items())
            terminal.write_line(f"  {item['test'].split('::', 1)[-1]}[{item['format']}]: {spent}")
