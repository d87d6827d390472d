"""Quantized weights, LoRA, maps of dtypes, vocabularies, assets: what comes back, and what is lost.

`docs/what_people_put_in.md` has the whole table, of which this holds a part.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import what_people_put_in
from inner_runs import Run, adding_formats, reported, version_of

from pytest_modelroundtrip.portable.comparing import EXACT
from pytest_modelroundtrip.portable.comparing.variables import compare_variables
from pytest_modelroundtrip.portable.protocol import WeightValue

MATRIX = Path(__file__).parent / "matrix"


@pytest.fixture
def people(pytester: pytest.Pytester, tensorflow: ModuleType) -> None:
    """Lets inner tests import `people_models`, also in the clean interpreter."""
    keras2 = hasattr(tensorflow.keras.Model, "save_spec")
    if keras2 or version_of(importlib.import_module("keras")) < (3, 15):
        pytest.skip("the table is measured with Keras 3.15")
    pytester.syspathinsert(MATRIX)
    pytester.makeini(f"[pytest]\nroundtrip_pythonpath = . {MATRIX}\n")


HEAD = """
import people_models as models
import pytest
import tensorflow as tf

@pytest.fixture(autouse=True)
def seed():
    tf.keras.utils.set_random_seed(1)

"""
TEST = """
@pytest.mark.roundtrip(
    formats={formats}, factory="people_models:{kind}", imports=["people_models"],
    train="people_models:train",
)
def test_{kind}():
    return models.{kind}(), models.inputs("{kind}")
"""


def verdicts(run: Run, formats: dict[str, list[str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What the report says of each kind and format."""
    source = HEAD + "".join(
        TEST.format(kind=kind, formats=names) for kind, names in formats.items()
    )
    rows = reported(run, source, "-Wignore")
    return {(row["test"].split("::test_")[-1], row["format"]): row for row in rows}


# a part of the table: where the plugin raised a false alarm or said little, and what is lost
PART = {
    # Keras writes the slots of the optimizer too, which are larger than quantized weights
    "int8": ["weights_sharded"],
    # the statistics of a Normalization are constants of the function
    "preprocessing": ["tfsm_layer"],
    "float8": ["litert", "onnx"],
    "lora": ["weights_sharded"],
    "policy_map": ["keras_folder"],
    "feature_space": ["backup_and_restore"],
}


@pytest.mark.slow
@pytest.mark.usefixtures("people")
def test_what_comes_back_is_as_the_table_says(run: Run) -> None:
    rows = verdicts(run, PART)
    assert len(rows) == sum(map(len, PART.values()))
    found = what_people_put_in.contradictions([*rows.values()], what_people_put_in.KERAS_3)
    missing = "pytest-modelroundtrip["  # an extra
    assert [text for text in found if text and missing not in text] == []


def test_the_page_has_the_tables() -> None:
    page = (Path(__file__).parents[1] / "docs" / "what_people_put_in.md").read_text("utf-8")
    command = "python tests/helpers/what_people_put_in.py docs/what_people_put_in.md"
    assert page == what_people_put_in.page_with_tables(page), f"run {command}"


def test_a_cell_that_is_flipped_is_a_contradiction() -> None:
    told = what_people_put_in.contradiction
    record = {"test": "test_it", "verdict": "differs", "problems": ["lost"], "text": ""}
    assert not told("fails: lost", record) and told("fails: gone", record)
    assert told("exact", record) and told("n/a: lost", record)


@pytest.mark.slow
@pytest.mark.usefixtures("people")
def test_a_layer_that_takes_no_symbolic_tensor_is_named(run: Run) -> None:
    result = run("""
import people_models as models
import pytest

@pytest.mark.roundtrip(formats=["keras"])
def test_it():
    return models.features(), models.inputs("feature_space")
""")
    result.stdout.fnmatch_lines(["*a layer alone is put into a model, and FeatureSpace raised *"])


class Sabotage(NamedTuple):
    """A loss: the kind of model, the methods that make it, in which formats, and its words."""

    kind: str
    body: str
    says: dict[str, str]  # by format


WITHOUT_LORA = """
    def save(self, model, folder):
        snapshot = StateSnapshot(model.variables)
        for variable in model.variables:
            if variable.path.endswith(("embeddings_b", "kernel_b")):
                variable.assign(variable.numpy() * 0)
        super().save(model, folder)
        snapshot.restore()
"""
SHUFFLED = """
    def save(self, model, folder):
        layer = next(held for held in model.layers if "text_vec" in held.name)
        words = layer.get_vocabulary(include_special_tokens=False)
        weights = layer._lookup_layer.idf_weights.numpy()[1:]
        layer.set_vocabulary(words[::-1], weights)
        super().save(model, folder)
        layer.set_vocabulary(words, weights)
"""
REWRITTEN = """
    def save(self, model, folder):
        super().save(model, folder)
        path = os.path.join(folder, "model.json")
        with open(path) as source:
            text = source.read()
        with open(path, "w") as out:
            out.write(text.replace("mixed_bfloat16", "float32"))
"""
WITHOUT_ASSET = """
    def save(self, model, folder):
        super().save(model, folder)
        for place, _, names in os.walk(folder):
            for name in names:
                if "assets" in place and name.endswith(".txt"):
                    with open(os.path.join(place, name), "w") as out:
                        out.write("other")
"""
OTHER_TABLE = """
    def save(self, model, folder):
        words, counts = model.counts.export()
        model.counts.insert(words, counts * 0)
        super().save(model, folder)
        model.counts.insert(words, counts)
"""

SABOTAGES = {
    "lora_is_zero": Sabotage(
        "lora",
        WITHOUT_LORA,
        {"orbax": "lora_kernel_b differs", "onnx": "outputs differs"},
    ),
    "policies_are_forgotten": Sabotage(
        "policy_map",
        REWRITTEN,
        {"json": "mixed_bfloat16"},
    ),
    "words_are_shuffled": Sabotage(
        "preprocessing",
        SHUFFLED,
        {"pickle": "is now"},
    ),
    "own_asset_is_missing": Sabotage("own_assets", WITHOUT_ASSET, {"keras_folder": "is now"}),
    "table_is_another": Sabotage("module_with_tables", OTHER_TABLE, {"hub": "differs"}),
}

MODULE = '''
import os

from pytest_modelroundtrip.portable.formats import built_in
from pytest_modelroundtrip.portable.models.variables import StateSnapshot

Base = type(built_in()["{base}"])


class Sabotaged(Base):
    """A sabotaged format."""

    name = "{name}"
{body}
'''


# what some formats need
PACKAGES = {"onnx": "tf2onnx", "orbax": "orbax", "hub": "tensorflow_hub"}


@pytest.mark.slow
@pytest.mark.usefixtures("people")
def test_each_loss_is_caught(run: Run, pytester: pytest.Pytester) -> None:
    formats: dict[str, list[str]] = {}
    wanted: dict[tuple[str, str], str] = {}
    for name, one in SABOTAGES.items():
        for base, words in one.says.items():
            if importlib.util.find_spec(PACKAGES.get(base, "numpy")):
                lost = f"{name}_{base}"
                source = MODULE.format(name=lost, base=base, body=one.body)
                pytester.makepyfile(**{f"lost_{lost}": source})
                formats.setdefault(one.kind, []).append(lost)
                wanted[one.kind, lost] = words
    modules = [f"lost_{lost}:Sabotaged" for _, lost in wanted]
    pytester.makeconftest(adding_formats(*modules))
    rows = verdicts(run, formats)
    for cell, words in wanted.items():
        text = " ".join(rows[cell]["text"].split())
        assert rows[cell]["verdict"] in ("differs", "load error") and words in text, (cell, text)


def test_names_that_keras_counts_inside_are_paired_by_order() -> None:
    def held(*numbers: int) -> list[WeightValue]:
        return [
            WeightValue(f"words_{n}_preprocessor/kernel", f"/words_{n}_preprocessor:kernel", None,
                        True, np.full(3, at))
            for at, n in enumerate(numbers)
        ]  # fmt: skip

    assert not compare_variables("weight", held(1, 2), held(2, 3), EXACT).differences
    assert compare_variables("weight", held(1, 2), held(2, 3)[::-1], EXACT).differences
    assert compare_variables("weight", held(1, 2), held(2, 1), EXACT).differences
