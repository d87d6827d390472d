"""Formats whose file another runtime runs: what they hold, and what they must not hide."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from inner_runs import adding_formats, version_of

from pytest_modelroundtrip.portable.formats import UnsupportedError
from pytest_modelroundtrip.portable.formats._converted import Input, named_arrays
from pytest_modelroundtrip.portable.tensors import Sparse

if TYPE_CHECKING:
    from inner_runs import Run


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip where one of these modules is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{missing} are not installed")


LITERT = pytest.param("litert", id="litert")
CONVERTERS = ("onnx", "onnxruntime", "tf2onnx")
ONNX = pytest.param("onnx", marks=needs(*CONVERTERS), id="onnx")


@pytest.fixture(scope="session")
def has_onnx() -> bool:
    """Import what converts to ONNX, if it is installed.

    After a test `pytester` forgets what was imported in it, and the parts in C++ end the process
    when they are imported twice.
    """
    is_there = all(map(importlib.util.find_spec, CONVERTERS))
    for name in CONVERTERS if is_there else ():
        importlib.import_module(name)
    return is_there


@pytest.fixture
def holds(tensorflow: ModuleType, has_onnx: bool) -> dict[str, str]:
    """What each format makes of a Keras model, where all that it needs is installed."""
    keras2 = hasattr(tensorflow.keras.Model, "save_spec")
    if version_of(tensorflow) < (2, 13):
        pytest.skip("model.export came with TensorFlow 2.13")
    if not keras2 and tuple(map(int, tensorflow.keras.__version__.split(".")[:2])) < (3, 8):
        pytest.skip("Keras 3.0 exports one size of the batch")
    return {"litert": "passed", "onnx": "passed" if has_onnx and not keras2 else "skipped"}


MODELS = {
    "named": """
zeta, alpha = K.Input((4,), name="zeta"), K.Input((3,), name="alpha")
both = L.Concatenate()([zeta, alpha])
outputs = {"sum": L.Dense(2)(both), "another": L.Dense(3)(alpha)}
return K.Model({"zeta": zeta, "alpha": alpha}, outputs)
""",
    "listed": """
zeta, alpha = K.Input((4,), name="zeta"), K.Input((4,), name="alpha")
return K.Model([zeta, alpha], [L.Dense(2)(zeta), L.Dense(2)(alpha)])
""",
    "subclassed": """
class Own(K.Model):
    def __init__(self):
        super().__init__()
        self.inner, self.norm = L.Conv2D(3, 3), L.BatchNormalization()

    def call(self, x, training=False):
        return {"y": self.norm(self.inner(x), training=training)}

return Own(), np.random.default_rng(0).normal(size=(3, 4, 4, 1)).astype("float32")
""",
    "module": """
class Minus(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)] * 2)
    def __call__(self, b, a):
        return b - a

return Minus(), np.float32([1, 2]), np.float32([5, 7])
""",
    "strings": """
i = K.Input((1,), dtype="string")
return K.Model(i, L.StringLookup(vocabulary=["a", "b"])(i)), tf.constant([["a"], ["z"]])
""",
    "mixed": """
half = [L.Dense(3, dtype="mixed_float16"), L.Dense(2, dtype="float32")]
return K.Sequential([K.Input((4,)), *half])
""",
}
REASONS = {
    ("litert", "mixed"): "it computes in float16, and LiteRT has only few operations for float16",
    (
        "onnx",
        "mixed",
    ): "it computes in float16: Keras exports only models that compute in float32 to ONNX",
    ("onnx", "module"): "not a Keras model",
    ("onnx", "strings"): "ONNX has no operation LookupTableFindV2",
}


@pytest.mark.parametrize("name", [LITERT, ONNX])
def test_what_they_hold(run: Run, holds: dict[str, str], name: str) -> None:
    tests = [
        f"@pytest.mark.roundtrip\ndef test_{model}():\n    " + body.strip().replace("\n", "\n    ")
        for model, body in MODELS.items()
    ]
    result = run("\n\n".join(tests), f"--roundtrip-formats={name}", "-v", "-rs")
    text = " ".join(result.stdout.str().split())
    for model in MODELS:
        outcome = "skipped" if (name, model) in REASONS else holds[name]
        assert f"::test_{model}[{name}] {outcome.upper()}" in text, result.stdout.str()
        if outcome != holds[name]:
            assert REASONS[name, model] in text


SABOTAGED = '''
from pytest_modelroundtrip.portable.formats.{name} import {base} as Base


class Sabotaged(Base):
    """Loses something."""

    def convert(self, model, folder):
        super().convert(self.changed(model), folder)

    def changed(self, model):
        return model

    def load(self, folder, options):
        return self.loaded(super().load(folder, options))

    def loaded(self, model):
        return model


def changed_weight(model, factor):
    import tensorflow as tf

    changed = tf.keras.models.clone_model(model)
    changed.set_weights([weight * factor for weight in model.get_weights()])
    changed.predict(dict(zeta=tf.ones([1, 4]), alpha=tf.ones([1, 3])), verbose=0)
    return changed


class Changes(Sabotaged):
    """Changes each weight."""

    name = "changes"

    def changed(self, model):
        return changed_weight(model, 1.001)


class Replaces(Sabotaged):
    """Converts another model."""

    name = "replaces"

    def changed(self, model):
        return changed_weight(model, 0.0)


class Swaps(Sabotaged):
    """Swaps the outputs."""

    name = "swaps"

    def loaded(self, model):
        def swapped(named):
            outputs = model.run(named)
            return dict(zip(outputs, reversed(list(outputs.values()))))

        return model._replace(run=swapped)


class Fixes(Sabotaged):
    """Fixes the size of the batch."""

    name = "fixes"

    def convert(self, model, folder):
        import tensorflow as tf

        specs = [
            {{
                name: tf.TensorSpec([3, size], tf.float32, name)
                for name, size in (("zeta", 4), ("alpha", 3))
            }}
        ]
        {fixes}
'''
FIXES = {
    "litert": """
        fixed = tf.Module()
        fixed.model = model
        # TensorFlow 2.18 does not find those of Keras 3 by itself
        fixed.held = [getattr(held, "_value", held) for held in model.variables]
        fixed.__call__ = tf.function(model.call, input_signature=specs)
        super().convert(fixed, folder)
""",
    "onnx": """
        path = folder + "/model.onnx"
        model.export(path, format="onnx", input_signature=specs, verbose=False)
""",
}
BASES = {"litert": "LitertFormat", "onnx": "OnnxFormat"}
LOSSES = {
    "changes": "outputs: 2 differences",
    "replaces": "outputs: 2 differences",
    "swaps": "outputs['one'] differs in",
    "fixes": "another size, it raised ValueError: alpha must have the shape [3, 3]",
}


@pytest.fixture
def aborts(tensorflow: ModuleType) -> bool:
    """Whether TensorFlow's converter ends the process: "LLVM ERROR: Failed to infer result"."""
    keras3 = not hasattr(tensorflow.keras.Model, "save_spec")
    return keras3 and version_of(tensorflow) in ((2, 16), (2, 17))


def test_what_would_end_the_process_is_not_converted(run: Run, aborts: bool) -> None:
    if not aborts:
        pytest.skip("this TensorFlow converts it")
    source = """
class Holding(tf.Module):
    def __init__(self):
        super().__init__()
        self.model = K.Sequential([K.Input((4,)), L.Dense(2)])

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def __call__(self, x):
        return self.model(x)


@pytest.mark.roundtrip
def test_it():
    return Holding(), np.ones([2, 4], "float32")
"""
    result = run(source, "--roundtrip-formats=litert")
    result.stdout.fnmatch_lines(["n/a*TensorFlow 2.16 and 2.17 crash when they convert*"])


@pytest.mark.parametrize("name", [LITERT, ONNX])
def test_each_loss_is_caught(
    run: Run, pytester: pytest.Pytester, holds: dict[str, str], name: str, aborts: bool
) -> None:
    if holds[name] == "skipped":
        pytest.skip("this Keras does not export to it")
    losses = dict(LOSSES)
    if name == "litert" and aborts:
        del losses["fixes"]  # it converts a module that holds layers
    lossy = SABOTAGED.format(name=name, base=BASES[name], fixes=FIXES[name].strip())
    pytester.makepyfile(lossy=lossy)
    pytester.syspathinsert()
    classes = [f"lossy:{loss.title()}" for loss in losses]
    pytester.makeconftest(adding_formats(*classes))
    source = f"""
@pytest.mark.roundtrip(formats={[*losses]})
def test_it():
    zeta, alpha = K.Input((4,), name="zeta"), K.Input((3,), name="alpha")
    both = L.Concatenate()([zeta, alpha])
    outputs = {{"one": L.Dense(2)(both), "two": L.Dense(2)(alpha)}}
    return K.Model({{"zeta": zeta, "alpha": alpha}}, outputs)
"""
    result = run(source)
    text = " ".join(result.stdout.str().split())
    result.assert_outcomes(failed=len(losses))
    for loss, words in losses.items():
        failure = text.partition(f"test_it[{loss}] ___")[2].partition(" saved: ")[0]
        assert words in failure, result.stdout.str()


NO_TENSORFLOW = """
raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
"""


@pytest.mark.parametrize("name", [pytest.param("litert", marks=needs("ai_edge_litert")), ONNX])
def test_an_environment_without_tensorflow_reloads_them(
    run: Run, pytester: pytest.Pytester, holds: dict[str, str], name: str
) -> None:
    """Also after a format that needs TensorFlow, which is broken there."""
    if holds[name] == "skipped":
        pytest.skip("this Keras does not export to it")
    bare = pytester.mkdir("bare")
    (bare / "tensorflow.py").write_text(NO_TENSORFLOW)
    specification = f"bare=popen//python={sys.executable}//env:PYTHONPATH={bare}"
    source = f"""
@pytest.mark.roundtrip(formats=["export", "{name}"])
def test_it():
    return dense()
"""
    options = [f"--roundtrip-define-environment={specification}", "--roundtrip-environments=bare"]
    result = run(source, *options)
    result.assert_outcomes(passed=1, failed=1)
    text = " ".join(result.stdout.str().split())
    assert "ENVIRONMENT BROKEN: format export, environment 'bare'" in text
    assert "No module named 'tensorflow'" in text


def test_only_arrays_can_be_passed() -> None:
    inputs = {"x": Input(np.dtype("float32"), (None, 3))}
    sparse = Sparse(np.zeros((1, 2), "int64"), np.ones(1, "float32"), np.array([2, 3]))
    with pytest.raises(
        UnsupportedError, match="x is a sparse tensor, which its runtime does not accept"
    ):
        named_arrays(inputs, [sparse], {})
    with pytest.raises(TypeError, match="x must be an array, not str"):
        named_arrays(inputs, ["text"], {})
