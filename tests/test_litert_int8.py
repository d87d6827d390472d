"""The format `litert_int8`: it is int8, near enough, and hides no loss."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from inner_runs import adding_formats, reported, version_of

if TYPE_CHECKING:
    from inner_runs import Run

MODULE = """
class Two(tf.Module):
    def __init__(self):
        super().__init__()
        numbers = np.random.default_rng(0)
        self.first = tf.Variable(numbers.normal(size=(256, 512)).astype("float32"))
        self.second = tf.Variable(numbers.normal(size=(512, 4)).astype("float32"))

    @tf.function(input_signature=[tf.TensorSpec([None, 256], tf.float32)])
    def __call__(self, x):
        hidden = tf.nn.relu(tf.matmul(x, self.first))
        return {"one": tf.matmul(hidden, self.second), "two": tf.matmul(hidden, -self.second)}

X = np.random.default_rng(1).normal(size=(3, 256)).astype("float32")
"""


def test_the_file_is_int8(run: Run) -> None:
    """A quarter of the size: there are hardly other numbers in it than weights."""
    source = """
@pytest.mark.roundtrip(formats=["litert_int8"])
def test_it(roundtrip):
    model = Two()
    trip = roundtrip(model, X)
    file = trip.artifact / "model.tflite"
    floats = 4 * sum(variable.shape.num_elements() for variable in model.variables)
    assert 0.25 < file.stat().st_size / floats < 0.3
    tensors = tf.lite.Interpreter(str(file)).get_tensor_details()
    shapes = [tuple(held["shape"]) for held in tensors if held["dtype"] is np.int8]
    assert (512, 256) in shapes and (4, 512) in shapes
    assert all(output.dtype == np.float32 for output in trip.outputs.values())
"""
    run(MODULE + source, "-Wignore").assert_outcomes(passed=1)


KERAS = """
def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")

@pytest.mark.roundtrip
def test_named():
    zeta, alpha = K.Input((4,), name="zeta"), K.Input((3,), name="alpha")
    both = L.Concatenate()([zeta, alpha])
    outputs = {"sum": L.Dense(2)(both), "another": L.Dense(3)(alpha)}
    model = K.Model({"zeta": zeta, "alpha": alpha}, outputs)
    return model, {"zeta": floats(2, 4), "alpha": 9 * floats(2, 3)}

@pytest.mark.roundtrip
def test_image():
    class Own(K.Model):
        def __init__(self):
            super().__init__()
            self.inner, self.norm = L.Conv2D(3, 3), L.BatchNormalization()

        def call(self, x, training=False):
            return {"y": self.norm(self.inner(x), training=training)}

    return Own(), floats(3, 4, 4, 1)
"""


def test_models_of_keras(run: Run, tensorflow: ModuleType) -> None:
    keras = getattr(tensorflow.keras, "__version__", "2")
    if version_of(tensorflow) < (2, 13) or keras.startswith("3.0."):
        pytest.skip("model.export came with TensorFlow 2.13; Keras 3.0 exports one size")
    run(KERAS, "--roundtrip-formats=litert_int8", "-Wignore").assert_outcomes(passed=2)


OTHERS = """
class Twice(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def __call__(self, x):
        return x + x

@pytest.mark.roundtrip
def test_integers():
    return Twice(), np.int32([1, 2])

@pytest.mark.roundtrip
def test_parts(roundtrip):
    roundtrip.parts(wide=(Two(), X), narrow=(Two(), 0.01 * X))
"""


def test_what_is_not_quantized_and_parts_with_inputs_of_their_own(run: Run) -> None:
    records = reported(run, MODULE + OTHERS, "--roundtrip-formats=litert_int8", "-Wignore")
    integers, parts = records
    assert integers["verdict"] == "unsupported"
    assert integers["problems"] == ["the converter finds nothing in it to quantize"]
    assert parts["verdict"] == "close", parts["text"]


LOSSY = '''
from pytest_modelroundtrip.portable.formats.litert_int8 import LitertInt8Format as Base


class Zeroes(Base):
    """Forgets a layer."""

    name = "zeroes"

    def convert(self, model, folder):
        weights = model.second.numpy()
        model.second.assign(0 * weights)
        super().convert(model, folder)
        model.second.assign(weights)


class Clips(Base):
    """Learns the ranges from other inputs than the model is called with."""

    name = "clips"

    def convert(self, model, folder):
        (batch,) = self.from_test.batches[""][:1]
        smaller = batch._replace(args=[0.1 * array for array in batch.args])
        other = self.used_with(self.from_test._replace(batches={"": [smaller]}))
        Base.convert(other, model, folder)


class Swaps(Base):
    """Swaps the outputs."""

    name = "swaps"

    def load(self, folder, options):
        model = super().load(folder, options)

        def swapped(named):
            outputs = model.run(named)
            return dict(zip(outputs, reversed(list(outputs.values()))))

        return model._replace(run=swapped)
'''


def test_each_loss_is_caught(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(lossy=LOSSY)
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("lossy:Zeroes", "lossy:Clips", "lossy:Swaps"))
    source = """
@pytest.mark.roundtrip(formats=["zeroes", "clips", "swaps"])
def test_it():
    return Two(), X
"""
    records = reported(run, MODULE + source, "-Wignore")
    assert {record["format"] for record in records} == {"zeroes", "clips", "swaps"}
    for record in records:
        assert record["verdict"] == "differs", record["text"]
        assert "outputs: 2 differences" in record["text"], record["text"]
