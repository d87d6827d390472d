"""Formats that lose something. Each is a module of its own made from here, added by the hook and sent to the clean interpreter."""

from __future__ import annotations

PREAMBLE = '''
"""A sabotaged format."""
import os

from pytest_modelroundtrip.portable import variables
from pytest_modelroundtrip.portable.formats import {base} as base

PROMISES, supports, save, load, subject = base.PROMISES, base.supports, base.save, base.load, base.subject


def weights(model):
    return {{w.path: w.variable for w in variables.keras_weights(model)}}


def changing(change):
    def load(folder, options):
        model = base.load(folder, options)
        return change(model) or model
    return load


def giving(change):
    def subject(model, options):
        seen = base.subject(model, options)
        if not options.template:
            return seen
        call = seen.calls[""]
        return seen._replace(calls={{"": lambda args, kwargs: change(call(args, kwargs))}})
    return subject
'''

DROPS_VARIABLE = """
def subject(model, options):
    seen = base.subject(model, options)
    return seen._replace(weights=[w for w in seen.weights if w.path != "second/bias" or not options.template])
"""

SWAPS_KERNELS = """
def swap(model):
    found = weights(model)
    one, other = found["first/kernel"].numpy(), found["second/kernel"].numpy()
    found["first/kernel"].assign(other), found["second/kernel"].assign(one)

load = changing(swap)
"""

CASTS = """
def cast(model):
    for variable in model.weights:
        variable.assign(variable.numpy().astype("float16").astype("float32"))

load = changing(cast)
"""

OTHER_DTYPE = """
subject = giving(lambda outputs: [outputs[0].astype("float64"), outputs[1]])
"""

SWAPS_OUTPUTS = """
subject = giving(lambda outputs: outputs[::-1])
"""

LOSES_TRAINABLE = """
def thaw(model):
    model.get_layer("first").trainable = True

load = changing(thaw)
"""

FIXES_BATCH = """
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
"""

WRITES_NOTHING = """
def save(model, folder):
    pass
"""

CHANGES_MODEL = """
def save(model, folder):
    base.save(model, folder)
    model.weights[0].assign(model.weights[0] * 2)
"""

KEEPS_PATH = """
def save(model, folder):
    base.save(model, folder)
    with open(os.path.join(folder, "where"), "w") as out:
        out.write(folder)

def load(folder, options):
    with open(os.path.join(folder, "where")) as source:
        return base.load(source.read(), options)
"""

LOADS_NOTHING = """
def load(folder, options):
    model = base.load(folder, options)
    variables.overwrite(model)
    return model
"""

# name -> (what it does, the base format, what the message must say)
FORMATS = {
    "drops_variable": (DROPS_VARIABLE, "h5", ["weight second/bias float32[6] did not come back"]),
    "swaps_kernels": (SWAPS_KERNELS, "h5", ["first/kernel differs", "it holds the value of second/kernel"]),
    "casts": (CASTS, "h5", ["first/kernel differs in 36 of 36 elements", "it was cast through float16"]),
    "other_dtype": (
        OTHER_DTYPE,
        "h5",
        ["outputs[0] was float32 and came back as float64", "the weights are equal, the outputs differ"],
    ),
    "swaps_outputs": (SWAPS_OUTPUTS, "h5", ["outputs[0] differs", "it holds the value of [1]"]),
    "loses_trainable": (LOSES_TRAINABLE, "h5", ["first/kernel was frozen and came back trainable"]),
    "fixes_batch": (
        FIXES_BATCH,
        "h5",
        ["cannot be used as the original can", "called with a batch of another size, it raised ValueError: the batch is 3, not 4"],
    ),
    "writes_nothing": (WRITES_NOTHING, "h5", ["SAVE ERROR", "the format wrote nothing"]),
    "changes_model": (CHANGES_MODEL, "h5", ["saving changed the model:", "first/kernel differs"]),
    "keeps_path": (KEEPS_PATH, "h5", ["LOAD ERROR", "saving/model.h5"]),
    "loads_nothing": (LOADS_NOTHING, "h5", ["weights: 4 differences in 4 compared"]),
}


def source(name: str) -> str:
    """The source of that format's module."""
    what, base, _ = FORMATS[name]
    return PREAMBLE.format(base=base) + what
