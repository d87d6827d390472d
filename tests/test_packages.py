"""What models of packages do that others seldom do: sound ones pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from inner_runs import REGISTERING, Run, version_of
from known_losses import lost_by_keras_3_0

IMPORTABLE = (
    REGISTERING
    + """
x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")


class Nameless(L.Layer):
    '''Its weights have the names that a library counts.'''

    def build(self, shape):
        self.second = self.add_weight(shape=(3, 3), initializer="glorot_uniform")
        self.first = self.add_weight(shape=(3, 3), initializer="glorot_uniform")
        super().build(shape)

    def call(self, x):
        return tf.matmul(tf.matmul(x, self.first), self.second)


def nameless():
    return K.Sequential([K.Input((3,)), L.Dense(3), Nameless(), Nameless()])


def nameless_later():
    for _ in range(3):
        Nameless().build((2, 3))
    return nameless()


class Distribution:
    '''Is no tensor, can be made one, and cannot be shown.'''

    def __init__(self, mean):
        self.mean = mean

    @property
    def dtype(self):
        return self.mean.dtype

    def __repr__(self):
        raise NotImplementedError("no repr")


tf.register_tensor_conversion_function(
    Distribution, lambda value, dtype=None, name=None, as_ref=False: value.mean
)


class Probabilistic(K.Sequential):
    def __call__(self, *args, **kwargs):
        return Distribution(super().__call__(*args, **kwargs))


def probabilistic():
    model = Probabilistic([K.Input((3,)), L.Dense(2)])
    model.compile(run_eagerly=True)  # in a graph TensorFlow converts it by itself
    return model, x


@register(package="packages")
class Backbone(K.Model):
    '''A subclass that its config builds again.'''

    def __init__(self, inner=None, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner or L.Dense(2)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {"name": self.name, "inner": K.layers.serialize(self.inner)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**{**config, "inner": K.layers.deserialize(config["inner"])})


def backbone():
    model = Backbone(name="backbone")
    model(x)
    model.compile("adam", K.losses.MeanSquaredError())
    model.fit(x, x[:, :2], verbose=0)
    return model, x


class Wrapping(K.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def wrapping():
    model = Wrapping(L.Dense(2))
    model(x)
    return model, x


class Unsaveable(Backbone):
    '''Its weights can be saved although its config cannot be had.'''

    def get_config(self):
        return {"missing": self.missing}


def unsaveable():
    model = Unsaveable(name="unsaveable")
    model(x)
    return model, x


@register(package="packages")
class Automatic(L.Layer):
    '''Keras 3 makes its config, and puts the name in that it counted.'''

    def __init__(self, rate=0.5, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.rate = rate

    def call(self, x):
        return x * self.rate


@register(package="packages")
class HoldsAutomatic(K.Model):
    def __init__(self, width=3, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.width, self.inner, self.dense = width, Automatic(0.3), L.Dense(width)

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return self.inner(self.dense(x))


def automatic():
    for _ in range(3):
        HoldsAutomatic(), L.Dense(1)
    model = HoldsAutomatic()
    model(x)
    return model, x
"""
)

Verdicts = Callable[..., dict[str, str]]


@pytest.fixture
def verdicts(run: Run, pytester: pytest.Pytester) -> Verdicts:
    """`verdicts(model, *formats, **keywords)`: the verdict of each format."""
    name = pytester.path.name
    pytester.makepyfile(packages=IMPORTABLE.replace('"packages"', repr(name)))
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")

    def verdicts(model: str, *formats: str, **keywords: Any) -> dict[str, str]:
        given = {"formats": list(formats), "imports": ["packages"], **keywords}
        marker = ", ".join(f"{key}={value!r}" for key, value in given.items())
        source = f"import packages\n@pytest.mark.roundtrip({marker})\ndef test_it():\n"
        run(f"{source}    return packages.{model}()\n", "--roundtrip-report=report.json")
        trips = json.loads(Path("report.json").read_text())["roundtrips"]
        return {trip["format"]: trip["verdict"] for trip in trips}

    return verdicts


def test_weights_without_names_are_paired_by_their_places(
    verdicts: Verdicts, tensorflow: ModuleType
) -> None:
    """Their names are counted through the whole process, and here in another order."""
    if version_of(tensorflow) < (2, 13):
        pytest.skip("this Keras may save no two weights of one name")
    found = verdicts("nameless", "weights", factory="packages:nameless_later")
    assert found == {"weights": "exact"}


def test_what_is_not_a_tensor_is_compared_as_what_it_converts_to(verdicts: Verdicts) -> None:
    assert verdicts("probabilistic", "saved_model", imports=[]) == {"saved_model": "exact"}


@lost_by_keras_3_0("a checkpoint of a model leaves its optimizer out")
def test_a_subclass_is_rebuilt_from_its_config(verdicts: Verdicts, tensorflow: ModuleType) -> None:
    keras2 = hasattr(tensorflow.keras.Model, "save_spec")
    if keras2 and version_of(tensorflow) < (2, 13):
        pytest.skip("this Keras builds no subclass from a config")
    formats = ["weights", "checkpoint", *(["weights_tf"] if keras2 else [])]
    assert verdicts("backbone", *formats) == dict.fromkeys(formats, "exact")


def test_a_subclass_whose_arguments_are_in_no_config_needs_a_factory(
    verdicts: Verdicts, tensorflow: ModuleType
) -> None:
    if not hasattr(tensorflow.keras.Model, "save_spec"):
        pytest.skip("Keras 3 writes arguments into configs by itself")
    assert verdicts("wrapping", "weights") == {"weights": "unsupported"}


def test_a_config_that_raises_does_not_hinder_a_factory(verdicts: Verdicts) -> None:
    found = verdicts("unsaveable", "weights", "checkpoint", factory="packages:unsaveable")
    assert found == {"weights": "exact", "checkpoint": "exact"}


def test_names_in_the_configs_that_keras_3_makes(
    verdicts: Verdicts, tensorflow: ModuleType
) -> None:
    if hasattr(tensorflow.keras.Model, "save_spec"):
        pytest.skip("Keras 2 makes no configs")
    found = verdicts("automatic", "keras", "weights")
    assert found == {"keras": "exact", "weights": "exact"}
