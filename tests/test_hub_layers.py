"""Models with a `hub.KerasLayer`, and modules in the format of TensorFlow 1."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from inner_runs import adding_formats, reported, version_of

if TYPE_CHECKING:
    from inner_runs import Run

MODULES = '''
import contextlib
import importlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

K = importlib.import_module("tensorflow_hub.keras_layer").keras
L = K.layers
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
BY_NAME = {"KerasLayer": "tensorflow_hub:KerasLayer"}


class Dense(tf.Module):
    """With a batch statistic that training updates, and a loss of its weights."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(np.ones((4, 3), "float32"), name="kernel")
        self.mean = tf.Variable(np.ones(3, "float32"), trainable=False, name="mean")

    @tf.function(input_signature=[])
    def penalty(self):
        return 0.01 * tf.reduce_sum(self.kernel**2)

    @tf.function
    def __call__(self, x, training=False):
        y = x @ self.kernel
        if training:
            self.mean.assign(0.5 * self.mean + 0.5 * tf.reduce_mean(y, 0))
        return tf.tanh(y - self.mean)


def build(folder):
    """A module with what hub.KerasLayer trains: see "Reusable SavedModels" of TF-Hub."""
    dense, module = Dense(), tf.train.Checkpoint()
    for training in (True, False):
        spec = tf.TensorSpec([None, 4], tf.float32)
        concrete = dense.__call__.get_concrete_function(spec, training=training)
    module.__call__ = dense.__call__
    module.variables = [dense.kernel, dense.mean]
    module.trainable_variables = [dense.kernel]
    module.regularization_losses = [dense.penalty]
    tf.saved_model.save(module, str(folder), signatures={"serving_default": concrete})
    return str(Path(folder).resolve())


def build_tf1(folder):
    """A module in the format of TensorFlow 1: a graph without tags, and a file that marks it."""
    v1 = tf.compat.v1
    predict = v1.saved_model.signature_def_utils.predict_signature_def
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4])
        w = v1.get_variable("w", initializer=tf.reshape(tf.range(12.0), [4, 3]), use_resource=True)
        y = x @ w
        signatures = {
            "default": predict({"x": x}, {"default": y}),
            "several": predict({"x": x}, {"default": y, "tanh": tf.tanh(y)}),
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, [], signature_def_map=signatures)
        builder.save()
    Path(folder, "tfhub_module.pb").write_bytes(bytes([8, 3]))
    return str(Path(folder).resolve())


def trained(handle, trainable, kind="functional", **arguments):
    layer = hub.KerasLayer(handle, trainable=trainable, input_shape=(4,), **arguments)
    if kind == "functional":
        x = K.Input((4,))
        model = K.Model(x, L.Dense(2)(layer(x)))
    else:
        model = K.Sequential([layer, L.Dense(2)])
    model.compile(K.optimizers.Adam(0.05), K.losses.MeanSquaredError())
    model.fit(X, np.ones((6, 2), "float32"), verbose=0)
    return model


@contextlib.contextmanager
def serving(folder):
    """A hub on this machine; it gives archives."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, arcname=".")

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path.endswith("?tf-hub-format=compressed") else 404)
            self.end_headers()
            self.wfile.write(archive.getvalue())

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/dense/1"
        finally:
            server.shutdown()
            thread.join()
'''


@pytest.fixture
def modules(pytester: pytest.Pytester, tensorflow: ModuleType) -> Path:
    """The folder of what a deployment has; inner tests import `modules`."""
    if importlib.util.find_spec("tensorflow_hub") is None:
        pytest.skip("tensorflow-hub is not installed")
    if version_of(tensorflow) < (2, 13):
        pytest.skip("these tests name formats that came with TensorFlow 2.13")
    try:
        importlib.import_module("tensorflow_hub")
    except ImportError as error:  # Keras 3 alone: KerasLayer is a layer of Keras 2
        pytest.skip(f"tensorflow-hub cannot be imported: {error}")
    there = pytester.mkdir("there")
    pytester.makepyfile(modules=MODULES)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = there\n")
    return there


MODULE_THERE = """
import modules

@pytest.mark.roundtrip(custom_objects=modules.BY_NAME, checks="all", formats=["keras", "h5"])
def test_trained():
    return modules.trained(modules.build("there/trained"), True), modules.X

@pytest.mark.roundtrip(custom_objects=modules.BY_NAME, formats=["keras", "weights"])
def test_frozen():
    return modules.trained(modules.build("there/frozen"), False, "sequential"), modules.X
"""


@pytest.mark.usefixtures("modules")
def test_where_the_module_is_all_is_kept(run: Run) -> None:
    """The module's trained weights, what is frozen, its loss, the optimizer."""
    rows = reported(run, MODULE_THERE)
    assert [row["verdict"] for row in rows] == ["exact"] * 4, [row["text"] for row in rows]


MODULE_NOT_THERE = """
import os

import modules

@pytest.fixture(scope="module")
def handle():
    return modules.build("not_there")

FORMATS = ["keras", "h5", "saved_model", "keras_saved_model", "hub"]

@pytest.mark.roundtrip(formats=FORMATS)
def test_plain(handle):
    return modules.trained(handle, True), modules.X

@pytest.mark.roundtrip(formats=["keras", "keras_saved_model"], custom_objects=modules.BY_NAME)
def test_by_name(handle):
    return modules.trained(handle, False, "sequential", name="encoder"), modules.X

@pytest.mark.roundtrip(formats=["keras", "saved_model"])
def test_object(handle):
    return modules.trained(modules.hub.load(handle), True), modules.X

@pytest.mark.roundtrip(formats=["keras"], custom_objects=modules.BY_NAME)
def test_relative(handle, monkeypatch):
    monkeypatch.chdir(os.path.dirname(handle))
    return modules.trained("not_there", True), modules.X

@pytest.fixture(scope="module")
def url(handle, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, modules.serving(handle) as url:
        patch.setenv("TFHUB_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("no_proxy", "127.0.0.1")
        yield url

@pytest.mark.roundtrip(formats=["keras", "saved_model"], custom_objects=modules.BY_NAME)
def test_url(url):
    return modules.trained(url, True), modules.X

@pytest.mark.roundtrip(formats=["hub"])
def test_loaded_from_url(url):
    return modules.hub.load(url), modules.X
"""
SAYS = {
    ("test_plain", "keras"): '{"KerasLayer": "tensorflow_hub.keras_layer:KerasLayer"}',
    ("test_plain", "h5"): '{"KerasLayer": "tensorflow_hub.keras_layer:KerasLayer"}',
    ("test_by_name", "keras"): "The hub.KerasLayer 'encoder' has only the handle of its module, ",
    ("test_by_name", "keras_saved_model"): "Do not pass KerasLayer in custom_objects to this",
    ("test_relative", "keras"): "has only the handle of its module, not_there: this",
    ("test_object", "keras"): "The layer was made of a loaded object, which no config can hold.",
    ("test_url", "keras"): "if each deployment may download it, pass confinement=",
}


@pytest.mark.usefixtures("modules")
def test_where_the_module_is_not_the_formats_that_hold_it_pass(run: Run) -> None:
    rows = reported(run, MODULE_NOT_THERE)
    assert len(rows) == 13
    for row in rows:
        key = (row["test"].split("::")[-1], row["format"])
        words = " ".join(row["text"].split())
        assert row["verdict"] == "exact" if key not in SAYS else SAYS[key] in words, row["text"]


TF1 = """
import modules

@pytest.fixture(scope="module")
def handle():
    return modules.build_tf1("not_there")

@pytest.mark.roundtrip(formats=["saved_model", "hub", "litert"])
def test_loaded(handle):
    return modules.hub.load(handle), modules.X

@pytest.mark.roundtrip(formats=["saved_model", "keras_saved_model"])
def test_layer(handle):
    x = modules.K.Input((4,))
    layer = modules.hub.KerasLayer(handle, signature="several", signature_outputs_as_dict=True)
    return modules.K.Model(x, layer(x)), modules.X
"""


@pytest.mark.usefixtures("modules")
def test_a_module_in_the_format_of_tensorflow_1(run: Run) -> None:
    rows = reported(run, TF1)
    assert len(rows) == 5
    for row in rows:
        allowed = ("exact", "close") if row["format"] == "litert" else ("exact",)
        assert row["verdict"] in allowed, row["text"]


LOSSES = """
from pytest_modelroundtrip.portable.formats.keras import KerasFormat


class Unfrozen(KerasFormat):
    \"\"\"Comes back trainable.\"\"\"

    name = "unfrozen"

    def load(self, folder, options):
        model = super().load(folder, options)
        model.layers[0].trainable = True
        return model


class Untrained(KerasFormat):
    \"\"\"Comes back with the weights of the module that is at the handle.\"\"\"

    name = "untrained"

    def load(self, folder, options):
        model = super().load(folder, options)
        fresh = type(model.layers[0]).from_config(model.layers[0].get_config())
        model.layers[0].set_weights(fresh.get_weights())
        return model
"""
LOST = """
import modules

@pytest.mark.roundtrip(custom_objects=modules.BY_NAME, formats=["unfrozen"])
def test_frozen():
    return modules.trained(modules.build("there/frozen"), False, "sequential"), modules.X

@pytest.mark.roundtrip(custom_objects=modules.BY_NAME, formats=["untrained"])
def test_trained():
    return modules.trained(modules.build("there/trained"), True, "sequential"), modules.X
"""


@pytest.mark.usefixtures("modules")
def test_what_a_layer_loses_shows(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(losses=LOSSES)
    pytester.makeconftest(adding_formats("losses:Unfrozen", "losses:Untrained"))
    rows = reported(run, LOST)
    assert [row["checks"]["weights"] for row in rows] == ["differs", "differs"]
    # a frozen layer does not add the loss of its module
    assert rows[0]["checks"]["losses"] == rows[1]["checks"]["outputs"] == "differs"
