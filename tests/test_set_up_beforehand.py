"""A reload in a process that was set up beforehand sees what one in a bare fork sees."""

from __future__ import annotations

import json

import pytest
from inner_runs import Run

# a format that loads a description of the process that it is loaded in
SPY = '''
import json
import os
import sys
import threading

from pytest_modelroundtrip.portable.format_api import Format


class Spy(Format):
    """What the process of a reload looks like."""

    name = "spy"
    keeps = ("outputs",)

    def save(self, model, folder):
        open(os.path.join(folder, "empty"), "w").close()

    def load(self, folder, options):
        import numpy as np
        import tensorflow as tf

        keras = tf.keras
        precision = keras.mixed_precision
        policy = getattr(precision, "global_policy", None) or precision.dtype_policy
        runtime = sys.modules["tensorflow.python.eager.context"]._context
        was_set_up = getattr(runtime, "_initialized", False)
        seen = {
            "modules": sorted(sys.modules),
            "path": [p for p in sys.path if "roundtrip-" not in p],
            "variables": sorted(os.environ),
            "settings": [keras.config.floatx() if hasattr(keras, "config") else "",
                         keras.backend.floatx(), keras.backend.image_data_format(),
                         keras.backend.epsilon(), str(policy())],
            "registered": sorted(keras.utils.get_custom_objects()),
            "names": [layer.name for layer in (
                keras.layers.Dense(1), keras.Sequential(), keras.layers.Dropout(0.5))],
            "optimizer": keras.optimizers.Adam().get_config()["name"],
            "eager": tf.executing_eagerly(),
            "tf_seed": tf.random.get_global_generator().state.shape.as_list(),
        }

        class Seen(tf.Module):
            @tf.function(input_signature=[])
            def __call__(self):
                return tf.constant([json.dumps(was_set_up), json.dumps(seen)])

        return Seen()
'''

SUITE = """
import json
import time
from pytest_modelroundtrip import RoundTripError

class Module(tf.Module):
    @tf.function(input_signature=[])
    def __call__(self):
        return tf.constant(["", ""])

@pytest.mark.roundtrip(formats=["spy"])
def test_it(roundtrip):
    for tries in range(20 if STANDBY else 1):
        with pytest.raises(RoundTripError) as raised:
            roundtrip(Module())
        outputs = raised.value.trip.outputs
        assert outputs is not None, raised.value
        was_set_up, seen = [json.loads(text) for text in outputs]
        with open("seen.jsonl", "a") as out:
            print(json.dumps([was_set_up, seen]), file=out)
        if was_set_up:
            break
        # else the one that gets ready always has the reload of the diagnosis
        time.sleep(0.1 * tries)
"""


def test_both_see_the_same(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(spy=SPY)
    pytester.syspathinsert()
    pytester.makeconftest(
        "from spy import Spy\ndef pytest_modelroundtrip_formats(config):\n    return [Spy]\n"
    )
    for isolation in ("fork", "standby"):
        suite = SUITE.replace("STANDBY", str(isolation == "standby"))
        result = run(suite, f"--roundtrip-isolation={isolation}")
        assert result.ret == 0, result.stdout.str()
    lines = (pytester.path / "seen.jsonl").read_text().splitlines()
    was_set_up, seen = zip(*map(json.loads, lines), strict=True)
    assert not was_set_up[0] and was_set_up[-1]
    bare, warmed = seen[0], seen[-1]
    assert {*bare.pop("modules")} >= {"tensorflow"}
    warmed.pop("modules")
    assert warmed == bare


CONFIGURING = """
import tensorflow as tf

K, L = tf.keras, tf.keras.layers

def build():
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return K.Sequential([K.Input((4,)), L.Dense(3)])
"""

ONE_AFTER_ANOTHER = """
import time

@pytest.mark.parametrize("number", range(3))
@pytest.mark.roundtrip(formats=["weights"], factory="configuring:build")
def test_it(number):
    time.sleep(0.5 * number)  # for the one that stands by
    return K.Sequential([K.Input((4,)), L.Dense(3)])
"""


def test_what_can_be_done_before_the_runtime_starts_only(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(configuring=CONFIGURING)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    run(ONE_AFTER_ANOTHER).assert_outcomes(passed=3)
