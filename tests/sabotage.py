"""Formats that lose something. Each is a module of its own made from here, added by the hook and sent to the clean interpreter."""

from __future__ import annotations

from typing import NamedTuple

PREAMBLE = '''
"""A sabotaged format."""
import os
import socket
import tempfile

import numpy as np

from pytest_modelroundtrip.portable import compiled, variables
from pytest_modelroundtrip.portable.formats import {base} as base

PROMISES, supports, save, load, subject = base.PROMISES, base.supports, base.save, base.load, base.subject


def weights(model):
    return {{w.path: w.variable for w in variables.keras_weights(model)}}


def slots(model):
    return {{w.path: w.variable for w in compiled.optimizer_weights(model)}}


def changing(change):
    def load(folder, options):
        model = base.load(folder, options)
        change(model)
        return model
    return load


def giving(change):
    """Change what the reloaded model answers."""
    def subject(model, options):
        seen = base.subject(model, options)
        if not options.template:
            return seen
        call = seen.calls[""]
        return seen._replace(calls={{"": lambda args, kwargs: change(call(args, kwargs))}})
    return subject
'''


class Sabotage(NamedTuple):
    """One loss: the code that makes it, of what model and format, the check named for it, and what the failure says."""

    model: str  # see `MODELS`
    base: str  # "whole": the format of this Keras that keeps all
    code: str
    differs: tuple[str, ...]  # the checks that differ: the one named for it first, then those that it cannot but change too
    says: tuple[str, ...]


MODELS = {
    "trained": """
i = K.Input((6,))
a = L.Dense(6, name="first", kernel_regularizer="l2")(i)
a = L.BatchNormalization(name="norm")(L.Dropout(0.5, name="drop")(a))
b = L.Dense(6, name="second", kernel_constraint="non_neg")(a)
model = K.Model(i, [b, L.Dense(6, name="third")(a)])
model.get_layer("third").trainable = False
model.compile(K.optimizers.Adam(0.01), [K.losses.MeanSquaredError()] * 2)
x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
model.fit(x, [x, x], epochs=2, verbose=0)
return model
""",
    "scaled": """
model = K.Sequential([K.Input((6,)), L.Dense(2, name="first")])
early = tuple(map(int, tf.__version__.split(".")[:2])) < (2, 13)  # 2.11 and 2.12 keep the state of no new one that is wrapped
optimizers = getattr(K.optimizers, "legacy", K.optimizers) if early else K.optimizers
model.compile(K.mixed_precision.LossScaleOptimizer(optimizers.SGD(0.01)), K.losses.MeanSquaredError())
model.fit(np.ones((4, 6), "float32"), np.ones((4, 2), "float32"), verbose=0)
return model
""",
    "lookup": """
return K.Sequential([K.Input((1,), dtype="string"), L.StringLookup(vocabulary=["a", "b", "c"], name="words")]), [["a"], ["z"]]
""",
    "module": "return Module()",
    "loaded": """
module, folder = Module(), tempfile.mkdtemp()
named = {"serving_default": module.__call__, "scaled": module.scale.get_concrete_function(tf.TensorSpec([None], tf.float32))}
tf.saved_model.save(module, folder, signatures=named)
return tf.saved_model.load(folder)
""",
}

SABOTAGES = {
    "drops_variable": Sabotage(
        "trained",
        "whole",
        """
def subject(model, options):
    seen = base.subject(model, options)
    return seen._replace(weights=[w for w in seen.weights if w.path != "second/bias" or not options.template])
""",
        ("weights",),
        ("weight second/bias float32[6] did not come back",),
    ),
    "swaps_kernels": Sabotage(
        "trained",
        "whole",
        """
def swap(model):
    found = weights(model)
    one, other = found["first/kernel"].numpy(), found["third/kernel"].numpy()
    found["first/kernel"].assign(other), found["third/kernel"].assign(one)

load = changing(swap)
""",
        ("weights", "outputs", "losses"),
        ("permuted: first/kernel and third/kernel", "it holds the value of third/kernel"),
    ),
    "casts": Sabotage(
        "trained",
        "whole",
        """
def cast(model):
    for path, variable in weights(model).items():
        if path.endswith("kernel"):
            variable.assign(variable.numpy().astype("float16").astype("float32"))

load = changing(cast)
""",
        ("weights", "outputs", "losses"),
        ("weights were cast through float16", "first/kernel differs in 36 of 36 elements"),
    ),
    "zeroes_slots": Sabotage(
        "trained",
        "whole",
        """
def zero(model):
    for path, variable in slots(model).items():
        if not path.endswith(("iteration", "iter")):
            variable.assign(np.zeros(variable.shape))

load = changing(zero)
""",
        ("optimizer",),
        ("the optimizer's slots are zero or not there", "it came back re-initialised, all of it 0.0"),
    ),
    "resets_iterations": Sabotage(
        "trained",
        "whole",
        """
load = changing(lambda model: model.optimizer.iterations.assign(0))
""",
        ("optimizer",),
        ("2 came back as 0",),
    ),
    "changes_learning_rate": Sabotage(
        "trained",
        "whole",
        """
def faster(model):
    model.optimizer.learning_rate = 0.5

load = changing(faster)
""",
        ("compile",),
        ("compile.optimizers.optimizer.learning_rate: 0.01 came back as 0.5",),
    ),
    "loses_loss_scale": Sabotage(
        "scaled",
        "whole",
        """
def unscale(model):
    scale = getattr(model.optimizer, "dynamic_scale", None)  # Keras 3
    if scale is None:
        scale = model.optimizer._loss_scale._current_loss_scale
    scale.assign(1.0)

load = changing(unscale)
""",
        ("optimizer",),
        ("32768.0 came back as 1.0",),
    ),
    "loses_trainable": Sabotage(
        "trained",
        "whole",
        """
def thaw(model):
    model.get_layer("third").trainable = True

load = changing(thaw)
""",
        ("weights",),
        ("third/kernel was frozen and came back trainable",),
    ),
    "unties": Sabotage(
        "module",
        "saved_model",
        """
def load(folder, options):
    import tensorflow as tf

    model = base.load(folder, options)
    model.w = tf.Variable(model.v.numpy())
    return model
""",
        ("weights",),
        ("weight w was one with v and came back as a variable of its own",),
    ),
    "resets_moments": Sabotage(
        "trained",
        "whole",
        """
def forget(model):
    weights(model)["norm/moving_mean"].assign(np.zeros(6))
    weights(model)["norm/moving_variance"].assign(np.ones(6))

load = changing(forget)
""",
        ("weights", "outputs"),
        ("2 of 10 weights came back re-initialised: norm/moving_mean, norm/moving_variance",),
    ),
    "loses_vocabulary": Sabotage(
        "lookup",
        "lookup",
        """
load = changing(lambda model: model.get_layer("words").set_vocabulary(["x", "y", "z"]))
""",
        ("weights", "outputs"),
        ("b'a' came back as b'x'",),
    ),
    "changes_default": Sabotage(
        "module",
        "saved_model",
        """
def save(model, folder):
    import tensorflow as tf

    other = tf.Module()
    other.v = other.w = model.v
    other.__call__ = model.__call__
    other.scale = tf.function(lambda x, training=True: x * other.v * (3.0 if training else 1.0))
    other.scale(tf.zeros([2]), training=False)
    tf.saved_model.save(other, folder, signatures=model.__call__)
""",
        ("signature",),
        ("the argument training of scale had the default False and came back with True",),
    ),
    "drops_signature": Sabotage(
        "loaded",
        "saved_model",
        """
def save(model, folder):
    import tensorflow as tf

    tf.saved_model.save(model, folder, signatures={"serving_default": model.signatures["serving_default"]})
""",
        ("signature",),
        ("the signature scaled did not come back",),
    ),
    "fixes_batch": Sabotage(
        "trained",
        "whole",
        """
def fixed(args, outputs):
    if len(args[0]) != 3:
        raise ValueError("the batch is 3, not %d" % len(args[0]))
    return outputs

def subject(model, options):
    seen = base.subject(model, options)
    call = seen.calls[""]
    if not options.template:
        return seen
    return seen._replace(calls={"": lambda args, kwargs: fixed(args, call(args, kwargs))})
""",
        ("outputs",),
        (
            "cannot be used as the original can",
            "called with a batch of another size, it raised ValueError: the batch is 3, not 4",
        ),
    ),
    "permutes_outputs": Sabotage(
        "trained",
        "whole",
        "subject = giving(lambda outputs: outputs[::-1])",
        ("outputs",),
        ("outputs[0] differs", "it holds the value of [1]"),
    ),
    "other_dtype": Sabotage(
        "trained",
        "whole",
        """subject = giving(lambda outputs: [outputs[0].astype("float64"), outputs[1]])""",
        ("outputs",),
        ("outputs[0] was float32 and came back as float64", "the weights are equal, the outputs differ"),
    ),
    "gives_reference_outputs": Sabotage(
        "trained",
        "whole",
        """
first = []

def remembered(outputs):
    first.append(outputs)
    return first[0]

subject = giving(remembered)
""",
        ("outputs",),
        ("(a batch of another size)[0] had the shape [4, 6] and came back with [3, 6]",),
    ),
    "keeps_file_elsewhere": Sabotage(
        "trained",
        "whole",
        """
def save(model, folder):
    base.save(model, folder)
    outside = tempfile.NamedTemporaryFile("w", suffix=".vocabulary", delete=False)
    outside.write("a b c")
    outside.close()
    with open(os.path.join(folder, "where"), "w") as out:
        out.write(outside.name)

def load(folder, options):
    with open(os.path.join(folder, "where")) as source:
        open(source.read()).close()
    return base.load(folder, options)
""",
        ("self_contained",),
        ("the reload reached for the file", ".vocabulary"),
    ),
    "asks_the_network": Sabotage(
        "trained",
        "whole",
        """
def load(folder, options):
    try:
        socket.create_connection(("127.0.0.1", 9), 1).close()
    except OSError:
        pass
    return base.load(folder, options)
""",
        ("self_contained",),
        ("the reload reached for the network: ('127.0.0.1', 9)",),
    ),
    "changes_config": Sabotage(
        "trained",
        "whole",
        """
def drop_less(model):
    model.get_layer("drop").rate = 0.1

load = changing(drop_less)
""",
        ("config",),
        (".rate: 0.5 came back as 0.1",),
    ),
    "loses_constraint": Sabotage(
        "trained",
        "whole",
        """
def set_free(model):
    variable = weights(model)["second/kernel"]
    if hasattr(variable, "_constraint"):
        variable._constraint = None
    if hasattr(type(variable), "regularizer"):
        variable.constraint = None

load = changing(set_free)
""",
        ("losses", "training"),
        ("constraint of ['second/kernel'] did not come back",),
    ),
    "trains_otherwise": Sabotage(
        "scaled",
        "whole",
        """
def lazy(model):
    inner = type(model)
    class Lazy(inner):
        def train_step(self, *args):
            logs = super().train_step(*args)
            return dict(logs, loss=logs["loss"] * 2)
    model.__class__ = Lazy

load = changing(lazy)
""",
        ("training",),
        ("the next step's ['loss'] differs",),
    ),
}

# What no check has to see, since the way there or back breaks off: name -> (code, what the failure says).
BREAKS = {
    "writes_nothing": (
        """
def save(model, folder):
    pass
""",
        ("SAVE ERROR", "the format wrote nothing"),
    ),
    "changes_model": (
        """
def save(model, folder):
    base.save(model, folder)
    weights(model)["first/kernel"].assign(weights(model)["first/kernel"] * 2)
""",
        ("saving changed the model:", "first/kernel differs"),
    ),
    "keeps_path": (
        """
def save(model, folder):
    base.save(model, folder)
    with open(os.path.join(folder, "where"), "w") as out:
        out.write(folder)

def load(folder, options):
    with open(os.path.join(folder, "where")) as source:
        return base.load(source.read(), options)
""",
        ("LOAD ERROR", "saving/model"),
    ),
    "loads_nothing": (
        """
def load(folder, options):
    model = base.load(folder, options)
    variables.overwrite(model)
    return model
""",
        ("weights: 10 differences", "10 of 10 weights were not loaded at all"),
    ),
}


def base_formats() -> dict[str, str]:
    """The format that keeps all, and the one that keeps a vocabulary, in the TensorFlow and Keras that are installed."""
    import tensorflow as tf

    keras3 = not hasattr(tf.keras.Model, "save_spec")
    has_keras = keras3 or tuple(int(part) for part in tf.__version__.split(".")[:2]) >= (2, 13)
    return {"whole": "keras" if has_keras else "h5", "lookup": "keras" if keras3 else "keras_saved_model"}


def sources() -> dict[str, str]:
    """The source of each format's module."""
    bases = base_formats()
    codes = {name: (bases.get(sabotage.base, sabotage.base), sabotage.code) for name, sabotage in SABOTAGES.items()}
    codes.update({name: (bases["whole"], code) for name, (code, _) in BREAKS.items()})
    return {name: PREAMBLE.format(base=base) + code for name, (base, code) in codes.items()}
