"""Each sabotaged format fails, and its message names what was lost; sound models pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest
import sabotage
from known_losses import lost_by_keras_3_0
from sabotages import SABOTAGES

if TYPE_CHECKING:
    from inner_runs import Run

TEST = """
import tempfile

class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.v = self.w = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return x * self.v

    @tf.function
    def scale(self, x, training=False):
        return x * self.v * (3.0 if training else 1.0)

@pytest.mark.roundtrip(formats=[FORMATS], checks="all")
def test_lost():
    BODY
"""

CONFTEST = """
import json
import {modules}

def pytest_modelroundtrip_formats(config):
    return [module.Sabotaged for module in [{modules}]]

def pytest_modelroundtrip_finished(trip, config):
    with open({rows!r}, "a") as out:
        out.write(json.dumps([trip.verdict, trip.checks]) + "\\n")
"""


class Lost(NamedTuple):
    """A run on sabotaged formats."""

    result: pytest.RunResult
    rows: list[tuple[str, dict[str, str]]]  # the verdict and the checks of each round trip


class Lose(Protocol):
    """Does round trips of a model, by its name in `sabotage.MODELS`, with sabotaged formats."""

    def __call__(self, model: str, *names: str) -> Lost:
        """`names` are those of the formats."""


@pytest.fixture
def lose(run: Run, pytester: pytest.Pytester, tensorflow: ModuleType) -> Lose:  # noqa: ARG001
    """`lose(model, *formats)`: the run's result, and verdict and checks of each round trip."""
    sources = sabotage.sources()
    pytester.makepyfile(**{f"sabotaged_{name}": source for name, source in sources.items()})
    pytester.syspathinsert()
    rows = pytester.path / "rows"
    modules = ", ".join(f"sabotaged_{name}" for name in sources)
    pytester.makeconftest(CONFTEST.format(modules=modules, rows=str(rows)))

    def lose(model: str, *names: str) -> Lost:
        formats = ", ".join(repr(f"sabotaged_{name}") for name in names)
        body = sabotage.MODELS[model].strip().replace("\n", "\n    ")
        result = run(TEST.replace("FORMATS", formats).replace("BODY", body), "-rf")
        assert rows.exists(), f"{result.stdout}\n{result.stderr}"
        return Lost(result, [json.loads(line) for line in rows.read_text().splitlines()])

    return lose


NO_OPTIMIZER = lost_by_keras_3_0(
    "the optimizer of a model with a frozen layer does not come back from .keras"
)


def with_known_losses(names: Iterable[str], lost: Callable[[str], bool]) -> list[object]:
    """The parameters; those that are `lost` are expected to fail with Keras 3.0."""
    return [pytest.param(name, marks=NO_OPTIMIZER if lost(name) else ()) for name in names]


@pytest.mark.parametrize(
    "name",
    with_known_losses(
        SABOTAGES,
        # that one ends before the optimizer is compared
        lambda name: SABOTAGES[name].model == "trained" and name != "fixes_batch",
    ),
)
def test_each_loss_is_caught_by_the_check_named_for_it(lose: Lose, name: str) -> None:
    lost = SABOTAGES[name]
    result, [(verdict, rows)] = lose(lost.model, name)
    result.assert_outcomes(failed=1)
    text = " ".join(result.stdout.str().split())
    for words in lost.says:
        assert words in text, result.stdout.str()
    # where the reload is confined, it cannot open the file
    may_raise = "self_contained" in lost.differs
    assert verdict in ("differs", *(["load error"] if may_raise else []))
    differing = {check for check, row in rows.items() if row == "differs"}
    assert {lost.differs[0]} <= differing <= {*lost.differs, "training"}, result.stdout.str()


@pytest.mark.parametrize(
    "name", with_known_losses(sabotage.BREAKS, lambda name: name == "loads_nothing")
)
def test_each_break_is_reported(lose: Lose, name: str) -> None:
    result, _ = lose("trained", name)
    result.assert_outcomes(failed=1)
    text = " ".join(result.stdout.str().split())
    for words in sabotage.BREAKS[name].says:
        assert words in text, result.stdout.str()


@pytest.mark.parametrize(
    "model", with_known_losses(sabotage.MODELS, lambda name: name == "trained")
)
def test_without_sabotage_nothing_is_lost(
    run: Run,
    tensorflow: ModuleType,  # noqa: ARG001
    model: str,
) -> None:
    base = next(lost.base for lost in SABOTAGES.values() if lost.model == model)
    fmt = sabotage.base_formats().get(base, base)
    body = sabotage.MODELS[model].strip().replace("\n", "\n    ")
    result = run(TEST.replace("FORMATS", repr(fmt)).replace("BODY", body))
    result.assert_outcomes(passed=1)


def test_a_failure_says_all_in_one_place(lose: Lose) -> None:
    result, _ = lose("trained", "keeps_path")
    result.stdout.fnmatch_lines(
        [
            "LOAD ERROR: format sabotaged_keeps_path, environment 'here'",
            "*saving/model*",
            "saved:     Python 3.*, TF 2.*",
            "reloaded:  Python 3.*, TF 2.*",
            "artifact:  *artifact (* kB)",
            "reproduce: cd *roundtrip-sabotaged_keeps_path0/1 && env -i * -s reload.pyz",
            "traceback:",
        ]
    )
    ours = ("session.py", "fixture.py", "roundtrip.py", "saving.py", "reloading.py")
    assert not [line for line in result.outlines if any(name in line for name in ours)]


def test_the_command_reloads_without_pytest(lose: Lose, pytester: pytest.Pytester) -> None:
    result, _ = lose("trained", "keeps_path", "loads_nothing")
    commands = [
        line.split(None, 1)[1] for line in result.outlines if line.startswith("reproduce: ")
    ]
    failing, ending = (pytester.run("sh", "-c", command) for command in commands)
    assert failing.ret == 1
    failing.stdout.fnmatch_lines(["-- load", "*saving/model*"])
    assert ending.ret == 0
    ending.stdout.fnmatch_lines(["-- confine", "-- observe", "confinement: *", "*['']*"])


def test_zero_comparisons_are_a_failure(run: Run) -> None:
    marker = "@pytest.mark.roundtrip(formats=['saved_model'], checks=['config'])"
    result = run(f"{marker}\ndef test_it():\n    return dense()\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*nothing was compared: saved_model keeps signature, weights,*"])


def test_a_model_that_differs_from_itself_is_not_blamed_on_the_format(run: Run) -> None:
    source = """
class Noise(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return {"clean": x, "noisy": x + tf.random.normal(tf.shape(x))}

@pytest.mark.roundtrip(formats=["saved_model"])
def test_it():
    return Noise()
"""
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "NOT DETERMINISTIC: *",
            "*called twice on the same inputs*",
            "*outputs?'noisy'? differs in 6 of 6*",
        ]
    )


SOUND = """
class Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        odd = {"empty": x[:0], "zero": -0.0 * x, "none": x / 0.0 * 0.0, "huge": x * 3e38}
        return {"calls": self.calls.assign_add(1), **odd}

class Kinds(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, x):
        words = tf.strings.split(x)
        lengths = words.row_lengths()
        numbers = tf.cast(lengths, tf.bfloat16), tf.cast(lengths, tf.complex64)
        return (words, words.to_sparse(), tf.strings.upper(x), *numbers)

@pytest.mark.roundtrip
def test_counter():
    return Counter()

@pytest.mark.roundtrip
def test_kinds():
    return Kinds(), ["one two", "", "naïve café"]

@pytest.mark.roundtrip
def test_dropout_and_state():
    inner = [L.GRU(4), L.Dropout(0.5), L.BatchNormalization(), L.Dense(2)]
    return K.Sequential([K.Input((5, 3)), *inner])

@pytest.mark.roundtrip
def test_fixed_batch():
    i = K.Input((3,), batch_size=2)
    return K.Model(i, L.Dense(2)(i)), np.ones((2, 3), "float32")

def fitted(**compiled):
    i = K.Input((4,))
    frozen = L.Dense(3, name="frozen", trainable=False)(i)
    b = L.Dense(1, activation="sigmoid", name="b")(frozen)
    model = K.Model(i, {"a": L.Dense(2, name="a")(frozen), "b": b})
    model.compile(**compiled)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    y = np.ones((8, 1), "float32")
    model.fit(x, {"a": x[:, :2], "b": y}, verbose=0)
    return model

LOSSES = {"a": K.losses.MeanSquaredError(), "b": K.losses.BinaryCrossentropy(label_smoothing=0.1)}

@pytest.mark.roundtrip(formats=[WHOLE, "checkpoint"], checks="all")
def test_spellings():
    schedule = K.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    optimizer = K.optimizers.SGD(schedule, momentum=0.5)
    judged = {"a": ["mae", K.metrics.MeanSquaredError()]}
    judged["b"] = ["accuracy", K.metrics.Precision(0.3)]
    weights = {"a": 0.3, "b": 2.0}
    return fitted(optimizer=optimizer, loss=LOSSES, loss_weights=weights, metrics=judged)

@pytest.mark.roundtrip(formats=[WHOLE, "checkpoint"], checks="all")
def test_names_and_a_changed_rate():
    model = fitted(optimizer=K.optimizers.RMSprop(), loss=LOSSES)
    model.optimizer.learning_rate = 0.003
    return model

@pytest.mark.roundtrip(formats=[WHOLE, "weights", "checkpoint"])
def test_compiled_and_not_trained():
    model = dense()
    model.compile("adam", K.losses.MeanSquaredError())
    return model

@pytest.mark.roundtrip
def test_layer():
    return L.Dense(3), np.ones((2, 4), "float32")
"""


@lost_by_keras_3_0("a tf.train.Checkpoint of a model leaves its optimizer out")
def test_sound_models_pass(run: Run) -> None:
    result = run(SOUND.replace("WHOLE", repr(sabotage.base_formats()["whole"])))
    assert result.parseoutcomes().get("failed", 0) == 0, result.stdout.str()
    assert result.parseoutcomes()["passed"] >= 26


def test_state_is_restored_when_a_call_raises(run: Run) -> None:
    """The second batch is refused and changes nothing: the model is not called unstable."""
    source = """
class OneSize(tf.Module):
    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        calls = self.calls.assign_add(1.0)
        with tf.control_dependencies([calls, tf.debugging.assert_equal(tf.shape(x)[0], 3)]):
            return x + calls

@pytest.mark.roundtrip(formats=["saved_model"])
def test_it():
    return OneSize(), np.ones((3, 2), "float32")
"""
    run(source).assert_outcomes(passed=1)


def test_a_name_that_the_user_gave_is_kept(run: Run, pytester: pytest.Pytester) -> None:
    """Keras' own numbers may change in a rebuilt model; a name that the user gave may not."""
    imports = "import tensorflow as tf\nK, L = tf.keras, tf.keras.layers\n"
    pytester.makepyfile(named=imports + NAMED.format(name="block_9"))
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    result = run(NAMED.format(name="block_2") + RENAMED)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["  weight block_2/kernel float32?4, 3? is missing after the reload"]
    )


NAMED = """
def build():
    return K.Sequential([K.Input((4,)), L.Dense(3, name="{name}")])
"""

RENAMED = """
@pytest.mark.roundtrip(formats=["checkpoint"], factory="named:build")
def test_it():
    return build()
"""
