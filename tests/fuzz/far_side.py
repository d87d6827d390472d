"""A round trip without TensorFlow, whose other side answers with any bytes.

All between the answer and the text of the failure is the code that judges real round trips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from forging import has_dtype

from pytest_modelroundtrip.environments import BadAnswerError
from pytest_modelroundtrip.plan import Plan
from pytest_modelroundtrip.portable import checks, keras_libs, protocol, records
from pytest_modelroundtrip.portable.aliases import Array, Plain
from pytest_modelroundtrip.portable.checks import Observation
from pytest_modelroundtrip.portable.checks.compile import CompileSighting, LayerPolicy
from pytest_modelroundtrip.portable.checks.config import ConfigSighting, PlaceSighting
from pytest_modelroundtrip.portable.checks.losses import Constrained, LossesSighting
from pytest_modelroundtrip.portable.checks.signature import (
    CallSignature,
    FunctionSignature,
    SignatureSighting,
    Spec,
)
from pytest_modelroundtrip.portable.checks.training import TrainingSighting
from pytest_modelroundtrip.portable.confinement.tripwire import Reached
from pytest_modelroundtrip.portable.formats import Format
from pytest_modelroundtrip.portable.protocol import (
    Batch,
    Interpreter,
    LayerOutput,
    Machine,
    Reloaded,
    WeightValue,
)
from pytest_modelroundtrip.portable.tensors import Ragged, Sparse, dtype_named
from pytest_modelroundtrip.reference.model import ModelGroup
from pytest_modelroundtrip.reporting.failure import failure_text
from pytest_modelroundtrip.reporting.record import Record
from pytest_modelroundtrip.result import RoundTrip
from pytest_modelroundtrip.roundtrip import round_trip
from pytest_modelroundtrip.settings import Settings

PARTS = ("encoder", "decoder")
HALF = "bfloat16" if has_dtype("bfloat16") else "float16"
KERNEL = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
WORDS = np.array([b"a", b"\xff", b""], dtype=object)
Answer = Callable[[list[str]], bytes]  # what comes for these checks


def weight(path: str, value: Array) -> WeightValue:
    return WeightValue(path, f"#{path}", None, True, value)


WEIGHTS = [
    weight("dense/kernel", KERNEL),
    weight("dense/bias", KERNEL[0].astype(dtype_named(HALF))),
    weight("counter", np.array(3)),
    weight("words", WORDS),
    weight("dense_1/kernel", KERNEL)._replace(tied_to="dense/kernel"),
]
OUTPUTS: Plain = {
    "logits": KERNEL + 1,
    "deep": [KERNEL * 2, [], {}, (KERNEL > 0), WORDS],
    "ragged": Ragged(KERNEL[0], (np.array([0, 1, 3]),)),
    "sparse": Sparse(np.array([[0, 1]]), np.array([2.0]), np.array([2, 2])),
    "scalars": {"a": 0.0, "b": 1, "c": True, "d": None, "e": "text", "nan": float("nan")},
}
CALL = CallSignature([Spec("x", "float32", [None, 2])], [Spec(None, "float32", None)])
CONFIG: Plain = {
    "name": "model",
    "layers": [
        {
            "class_name": "Dense",
            "module": "keras.layers",
            "config": {"units": 3, "name": "dense_1"},
        },
        {"class_name": "Own>Scale", "config": {"factor": 0.5, "words": ["b", "a"], "flag": True}},
    ],
}
PLACE = PlaceSighting(
    path="inner/scale",
    class_name="Scale",
    config={"units": 3, "rate": None},
    attributes={
        "factor": 2.0,
        "ramp": KERNEL,
        "words": ["a"],
        "size": 3,
        "nested": {"a": [1, [2]]},
    },
    arguments=["factor", "size"],
    returned=["factor", "_factor"],
    others=["cell"],
)
STEP = TrainingSighting(
    logs={"loss": np.array(1.5, "float32")},
    changes=WEIGHTS[:1],
    floors={"dense/kernel": 1e-9},
    noise={"dense/kernel": 1e-8},
    log_noise={"loss": 1e-9},
    precision=2.0**-23,
)
VERSIONS = keras_libs.versions()
INTERPRETER = Interpreter(
    VERSIONS,
    ["tensorflow", "keras"],
    Machine("Linux", "x86_64", ["avx2"], 2),
    [],
    2.5,
    "none",
    True,
)


def observation() -> Observation:
    """What is seen of one part."""
    schedule = {"class": "Cosine", "step 0": 0.1, "step 1": 0.05}
    adam = {"class": "Adam", "config": {"beta_1": 0.9}, "learning_rate": schedule}
    return {
        "signature": SignatureSighting(
            CALL, {"score": FunctionSignature({"k": "1"}, ["float32[2]"])}, {"serve": CALL}
        ),
        "weights": [*WEIGHTS],
        "config": ConfigSighting(CONFIG, {"scale": PLACE}),
        "compile": CompileSighting(
            {"/dense#0": LayerPolicy("dense", "float32")}, {"loss": "mse"}, {"optimizer": adam}, {}
        ),
        "losses": LossesSighting([np.array(0.5)], [Constrained("dense/kernel", KERNEL)]),
        "optimizer": [weight("optimizer/adam/m", KERNEL), weight("optimizer/n", np.array(1))],
        "outputs": {"": {"": OUTPUTS, "a batch of another size": KERNEL, "training=True": KERNEL}},
        "self_contained": Reached([], ["/nowhere/file"]),
        "training": STEP,
    }


LAYERS = [LayerOutput("dense", "Dense", [KERNEL]), LayerOutput("scale", "Scale", [WORDS])]


def honest(names: list[str]) -> Reloaded:
    """The answer of a model that came back whole."""
    seen = {name: held for name, held in observation().items() if name in names}
    return Reloaded(
        versions=VERSIONS,
        seconds={"load": 0.5},
        observation={part: records.to_plain(seen) for part in PARTS},
        layers=dict.fromkeys(PARTS, LAYERS),
        confinement="Landlock 7",
    )


class StandInFormat(Format):
    """Saves nothing but a name, and promises all."""

    name = "stand-in"
    keeps: ClassVar[tuple[str, ...]] = checks.NAMES

    def save(self, model: object, folder: str) -> None:
        """Write a file."""
        Path(folder, "model").write_text(repr(model))

    def load(self, folder: str, options: object) -> None:
        """Not called: the answers are forged."""


class _Part:
    """A model that is not called: what it returned is known."""

    keras_major = 3
    expected = OUTPUTS
    model = None
    with_placeholders = Batch("", [KERNEL], {})
    calls = SimpleNamespace(batches=[with_placeholders], ways=("",), unstable={})

    def observe(self, names: Sequence[str]) -> Observation:
        """What the checks see of it."""
        return {name: seen for name, seen in observation().items() if name in names}

    def layer_outputs(self) -> list[LayerOutput]:
        """What each layer returns."""
        return LAYERS


class _Environment:
    """An interpreter that answers as it is told."""

    name, broken, without_keras = "there", None, None
    is_this_interpreter = False

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def reload(
        self,
        job: protocol.Job,
        seconds: float,
        memory: int | None = None,
        hash_seed: str | None = None,
    ) -> Reloaded:
        """The answer, read as `Connection` reads it."""
        del seconds, memory, hash_seed
        return self._read(Reloaded, self._answer(job.checks))

    def probe(self, needs_keras: bool = True) -> Interpreter:
        """What it is."""
        del needs_keras
        return INTERPRETER

    def _read(self, kind: type[Reloaded], data: bytes) -> Reloaded:
        try:
            return protocol.decode_record(kind, data)
        except ValueError as error:
            raise BadAnswerError(f"it sent an answer that cannot be read: {error}") from error


class _Group(ModelGroup):
    def __init__(self) -> None:
        super().__init__({})
        part: Any = _Part()
        self.parts = dict.fromkeys(PARTS, part)

    def observe(self, fmt: Format, names: Any, *, again: bool = False) -> Any:
        """What the checks see of each part."""
        del fmt, again
        return {name: _Part().observe(names) for name in self.parts}


def judged(answer: Answer, folder: Path, **settings: Any) -> RoundTrip:
    """The round trip with these answers, which no code of it may be stopped by."""
    environment: Any = _Environment(answer)
    chosen = Settings(formats=("stand-in",), checks=checks.NAMES, **settings)
    trip = round_trip(Plan(_Group(), StandInFormat(), chosen, folder, environment))
    text = failure_text(trip, True, "run it")
    record = Record.of("test_a[stand-in]", "stand-in", trip, text)
    assert Record.from_json(record.to_json()).verdict is trip.verdict
    return trip
