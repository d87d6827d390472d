"""The code on the page of each format runs: what it saves, it loads by hand."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import format_pages
import numpy as np
import pytest
from packaging.specifiers import SpecifierSet

from pytest_modelroundtrip.portable import format_names, formats
from pytest_modelroundtrip.portable.formats import Format, FromTest

NEEDS_KERAS = {  # by the code, which is for current versions
    "backup_and_restore": "!=3.0.*,!=3.1.*,!=3.2.*",
    "checkpoint": ">=2.11",
    "checkpoint_manager": ">=2.11,!=3.0.*",
    "litert": ">=3.13",
}
# besides `Format.needs`
NEEDS_MODULES = {name: ["ai_edge_litert"] for name in ("litert", "litert_int8")}
EPOCHS = 9  # of the trainings on the pages

Build = Callable[[], Any]


def is_in_tensorflow() -> bool:
    """Whether Keras is that of TensorFlow up to 2.15, where `tensorflow` has it."""
    return metadata.version("keras").startswith("2.")


def builder(keras: Any) -> Build:
    """A function that builds and compiles a small dense model with new weights."""

    def build() -> Any:
        features = keras.Input((4,), name="features")
        model = keras.Model(features, keras.layers.Dense(3)(features))
        model.compile(keras.optimizers.Adam(0.01), keras.losses.MeanSquaredError())
        return model

    return build


def keras_of(fmt: Format, tensorflow: ModuleType) -> Any:
    """The Keras that has this format, or it skips."""
    keras = tensorflow.keras if is_in_tensorflow() else importlib.import_module("keras")
    if fmt.unsupported(builder(keras)()) == "Keras 3 has no such format":
        keras = pytest.importorskip("tf_keras")
    specifier = SpecifierSet(NEEDS_KERAS.get(fmt.name, ""))
    if not specifier.contains(metadata.version("keras"), prereleases=True):
        pytest.skip(f"the code is for Keras {specifier}")
    for module in [*fmt.needs, *NEEDS_MODULES.get(fmt.name, [])]:
        pytest.importorskip(module)
    return keras


def run_code(name: str, number: int, **given: Any) -> dict[str, Any]:
    """The names after a block of code of the page, which has nothing but those that are given."""
    code = format_pages.code_by_hand(name)[number]
    if is_in_tensorflow():  # as docs/formats.md says
        as_in_tensorflow = r"from tensorflow import keras as \1"
        code = re.sub(r"^import ((tf_)?keras)\b.*", as_in_tensorflow, code, flags=re.MULTILINE)
    exec(compile(code, f"{name}.md, block {number + 1}", "exec"), given)
    return given


@pytest.mark.filterwarnings("ignore")  # of the libraries
@pytest.mark.parametrize("name", format_names.BUILT_IN)
def test_the_code_of_the_page_runs(
    name: str, tensorflow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fmt = formats.built_in()[name]
    if fmt.trains:
        fmt = fmt.used_with(FromTest(lambda *_, **__: None))  # the code on the page trains
    build = builder(keras_of(fmt, tensorflow))
    model, whole = build(), build()
    if fmt.unsupported(model):
        pytest.skip(fmt.unsupported(model) or "")
    numbers = np.random.default_rng(0)
    x, y = (numbers.normal(size=(8, size)).astype("float32") for size in (4, 3))
    if fmt.trains:
        whole.set_weights(model.get_weights())
        whole.fit(x, y, epochs=EPOCHS, shuffle=False, verbose=0)
    else:
        model.train_on_batch(x, y)  # so that the optimizer has a state

    monkeypatch.chdir(tmp_path)
    run_code(name, 0, model=model, x=x, y=y)
    loaded = run_code(name, 1, build=build, x=x, y=y)

    if "outputs" in fmt.keeps:
        expected = np.asarray((whole if fmt.trains else model)(x))
        actual = np.asarray(only_output(loaded["outputs"]))
        allowed = (fmt.tolerance or 1e-5) * np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=allowed)
    else:
        assert loaded["model"].to_json() == model.to_json()


def only_output(outputs: Any) -> Any:
    """The array in what was returned: some formats return a list or a dict of one."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if not isinstance(outputs, list):
        return outputs
    (only,) = outputs
    return only
