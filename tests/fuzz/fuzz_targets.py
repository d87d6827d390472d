"""What reads bytes, texts or files that others wrote, each fed with one input made at random.

A target raises where an input is neither read nor refused in the one way that its reader promises.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import execnet
import far_side
import forging
import numpy as np

from pytest_modelroundtrip import setting_values
from pytest_modelroundtrip.environments import pipes
from pytest_modelroundtrip.environments.kinds.given import SpecificationError
from pytest_modelroundtrip.environments.specification import parse
from pytest_modelroundtrip.portable import codec, protocol, transfer
from pytest_modelroundtrip.portable.aliases import Nest, Plain
from pytest_modelroundtrip.portable.protocol import Entry
from pytest_modelroundtrip.reporting import json_report, matrix
from pytest_modelroundtrip.reporting.record import Record
from pytest_modelroundtrip.setting_values import AvailableNames, SettingsError

NAMES = AvailableNames(("keras", "h5"), ("keras",), ("here", "tf215"), ("weights", "outputs"))
ANSWERS: list[Nest] = [
    far_side.INTERPRETER,
    far_side.honest(["weights", "config"]),
    protocol.Readable(True),
    protocol.Done(),
    protocol.StepReached(protocol.Step.LOAD, {"keras": "3.15"}),
    Entry("sub/file", 3, True),
]
WORDS = (
    "python", "==", "3.11", " ", "//", "env:", "A=", "popen", "ssh=", "host", "-r", "ssh_config=",
    "'", '"', "/", "~", "\\", "\0", "\ud800", "é", "\n", ";", "[", "@", "://", "<", "x" * 300,
)  # fmt: skip
# values as execnet writes them: without content, of four bytes, of three million items
CODES = (
    *(bytes([code]) for code in b"CLRJOEPQ"),
    *(bytes([code]) + b"\0\0\0\1x" for code in b"AFGHMNS@"),
    *(bytes([code]) + b"\0\x30\0\0" for code in b"AKNO@E"),
)


def codec_bytes(random: Random, folder: Path) -> None:
    """Damaged encodings are nests that can be encoded again, or ValueError."""
    del folder
    with contextlib.suppress(ValueError):
        codec.dump(codec.load(forging.damaged(_encoded(forging.nest(random)), random)))


def messages(random: Random, folder: Path) -> None:
    """Changed messages are records, or ValueError."""
    del folder
    record = random.choice(ANSWERS)
    with contextlib.suppress(ValueError):
        protocol.decode_record(type(record), _forged(protocol.encode_record(record), random))
    request = protocol.SendFolder("/a") if random.random() < 0.5 else protocol.Probe(["keras"], [])
    with contextlib.suppress(ValueError):
        protocol.decode_request(_forged(protocol.encode_request(request), random))


def answers(random: Random, folder: Path) -> None:
    """Any answer leads to a verdict, through comparison, diagnosis and the text of a failure."""

    def answer(names: list[str]) -> bytes:
        honest = far_side.honest(names)
        if random.random() < 0.3:
            honest = honest._replace(versions={**honest.versions, "keras": "0.1"})
        data = protocol.encode_record(honest)
        return data if random.random() < 0.1 else _forged(data, random)

    far_side.judged(answer, folder / "trip", exact=random.random() < 0.5)


def folders(random: Random, folder: Path) -> None:
    """Any pieces are a folder, or ValueError, and nothing is written beside it."""
    pieces: list[bytes] = []
    for _ in range(random.randrange(6)):
        path = "/".join(random.choice(["a", "b", "..", "", "\0", "é"]) for _ in range(2))
        size = random.choice([None, 0, 3])
        data = protocol.encode_record(Entry(random.choice(["a", path]), size))
        pieces.append(_forged(data, random) if random.random() < 0.3 else data)
        pieces += [b"abc"] * bool(size)
    (folder / "inner").mkdir()
    with contextlib.suppress(ValueError):
        transfer.receive(iter([*pieces, b""]).__next__, str(folder / "inner" / "there"), 100)
    assert {path.name for path in folder.iterdir()} == {"inner"}
    assert {path.name for path in (folder / "inner").iterdir()} <= {"there"}


def lines(random: Random, folder: Path) -> None:
    """Any bytes take no more memory than they hold as execnet unpacks them, or are refused."""
    del folder
    texts = [text for text in forging.TEXTS if text.isascii()]
    held = [None, 3, b"abc", *texts]
    value = random.choice([random.choice(held), tuple(random.choices(held, k=3))])
    version, data = execnet.dumps(value)[:1], execnet.dumps(value)[1:]
    assert pipes.is_value(data)
    codes = b"".join(random.choices(CODES, k=random.randrange(1, 4))) + b"Q"
    forged = random.choice([codes, forging.damaged(data, random), codes[:-1] + data])
    if pipes.is_value(forged):
        tracemalloc.start()
        try:
            execnet.loads(version + forged)
            assert tracemalloc.get_traced_memory()[1] < 100_000 + 100 * len(forged)
        finally:
            tracemalloc.stop()


def specifications(random: Random, folder: Path) -> None:
    """Any text is a specification, or SpecificationError."""
    with contextlib.suppress(SpecificationError):
        parse("".join(random.choices(WORDS, k=random.randrange(9))), folder)


def settings(random: Random, folder: Path) -> None:
    """Any value of an option is valid, or SettingsError."""
    del folder
    value = random.choice([forging.nest(random), forging.leaf(random), ["keras", "keras"]])
    for name in ("formats", "checks", "reasons"):
        with contextlib.suppress(SettingsError):
            getattr(setting_values, name)(value, NAMES)
    for name in ("flag", "distance", "generations", "seconds", "attribute", "attributes",
                 "strings"):  # fmt: skip
        with contextlib.suppress(SettingsError):
            getattr(setting_values, name)(value)
    with contextlib.suppress(SettingsError):
        setting_values.one_of("auto", "off")(value)
    with contextlib.suppress(SettingsError):
        setting_values.folders([random.choice(forging.TEXTS)])


def reports(random: Random, folder: Path) -> None:
    """Any file is a report that makes a matrix, or ReportError; a text a record, or ValueError."""
    trip = {"keras": "3.15", "tensorflow": "2.21.0", "python": "3.11.7"}
    record = Record.from_dict(
        {
            "test": "a.py::test_a",
            "format": "keras",
            "environment": "here",
            "verdict": "differs",
            "max_ulp": 3,
            "checks": {"weights": "differs"},
            "problems": ["weight a differs"],
            "text": "DIFFERS",
            "seconds": {"load": 0.5},
            "versions": {"saved": trip, "reloaded": trip},
        }
    ).to_dict()
    report: Plain = {"schema": 1, "created": "2026-01-01", "roundtrips": [record, record]}
    forged = forging.changed(report, random)
    text = json.dumps(forged, default=repr, skipkeys=True)
    data = text.encode()
    if random.random() < 0.3:
        data = forging.damaged(data, random)
    path = folder / "report.json"
    path.write_bytes(data)
    with contextlib.suppress(json_report.ReportError):
        matrix.merged_reports([json_report.read(path)])
    with contextlib.suppress(ValueError):
        Record.from_json(random.choice(["[" * 10**5, data.decode("utf-8", "replace")]))


def _forged(data: bytes, random: Random) -> bytes:
    """An encoded message with its bytes or its values changed."""
    if random.random() < 0.1:
        return forging.damaged(data, random)
    plain = codec.load(data)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        plain = forging.changed(plain, random)
    return _encoded(plain)


def _encoded(value: Plain) -> bytes:
    with contextlib.suppress(ValueError):  # it is too deep for the sender
        return codec.dump(value)
    return b""


TARGETS: dict[str, Callable[[Random, Path], None]] = {
    target.__name__: target
    for target in (
        codec_bytes,
        messages,
        answers,
        folders,
        lines,
        specifications,
        settings,
        reports,
    )
}


def run(target: str, seed: str, folder: Path) -> None:
    """Feed a target with the input of that seed, in a folder of its own."""
    inner = folder / "input"
    inner.mkdir()
    try:
        with np.errstate(all="raise"):
            TARGETS[target](Random(seed), inner)
    finally:
        shutil.rmtree(inner)
