"""What was built before changes no verdict: sound models in three orders, after forty others."""

from __future__ import annotations

from types import ModuleType

import pytest
import sabotage
from inner_runs import REGISTERING, Run, version_of
from known_losses import lost_by_keras_3_0

IMPORTABLE = (
    REGISTERING
    + """
numbers = np.random.default_rng(0)


@register(package="orders")
class Gated(L.Layer):
    '''Its layers are in a list and a dict, and built in another order than they are made in.'''

    def __init__(self, width=3, rates=(0.1, 0.2), **kwargs):
        super().__init__(**kwargs)
        self.width, self.rates = width, list(rates)
        self.first = L.Dense(width)
        self.many = [L.Dense(width) for _ in rates]
        self.by_name = {"norm": L.LayerNormalization(), "last": L.Dense(width)}

    def build(self, shape):
        inner = (*shape[:-1], self.width)
        for layer in [self.by_name["last"], self.by_name["norm"], *reversed(self.many)]:
            layer.build(inner)
        self.first.build(shape)
        super().build(shape)

    def call(self, x):
        x = self.first(x)
        for layer, rate in zip(self.many, self.rates):
            x = x + rate * layer(x)
        return self.by_name["last"](self.by_name["norm"](x))

    def get_config(self):
        return {**super().get_config(), "width": self.width, "rates": self.rates}


@register(package="orders")
class Tied(L.Layer):
    '''One weight in two places, and two weights of one name.'''

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(3, 3))
        self.same = [self.kernel]
        self.bias = self.add_weight(name="kernel", shape=(3,))
        super().build(shape)

    def call(self, x):
        return tf.matmul(tf.matmul(x, self.kernel), self.same[0], transpose_b=True) + self.bias


def trained(model, x, y):
    model.compile(K.optimizers.Adam(0.01), K.losses.MeanSquaredError(), metrics=["mae"])
    model.fit(x, y, verbose=0)
    return model


def gated():
    return K.Sequential([K.Input((3,)), Gated(), Gated(2, [0.3]), L.Dense(2), Gated()])


def tied():
    x = np.ones((4, 3), "float32")
    return trained(K.Sequential([K.Input((3,)), Tied(), L.ReLU(), Tied()]), x, x)


def nested():
    inner = K.Sequential([K.Input((4,)), L.Dense(4), L.BatchNormalization(), L.Dropout(0.5)])
    inner.layers[0].trainable = False
    i, j = K.Input((4,)), K.Input((4,))
    shared = L.Dense(4, kernel_regularizer="l2")
    outer = K.Model(j, L.Dense(4)(inner(j)))
    model = K.Model(i, L.Add()([outer(shared(i)), outer(shared(shared(i)))]))
    x = numbers.normal(size=(8, 4)).astype("float32")
    return trained(model, x, x)


def recurrent():
    i = K.Input((5, 3))
    a = L.Bidirectional(L.LSTM(2, return_sequences=True))(i)
    return K.Model(i, L.Dense(2)(L.Bidirectional(L.GRU(2))(L.TimeDistributed(L.Dense(3))(a))))


def several():
    left, right = K.Input((3,), name="left"), K.Input((3,), name="right")
    both = L.Concatenate()([L.Dense(2)(left), L.Dense(2)(right)])
    model = K.Model({"left": left, "right": right}, {"a": L.Dense(1)(both), "b": L.Dense(2)(both)})
    return model, {"left": np.ones((2, 3), "float32"), "right": np.ones((2, 3), "float32")}


def mixed():
    half = {"dtype": K.mixed_precision.Policy("mixed_float16")}
    inner = [L.Dense(4, activation="relu", **half), L.LayerNormalization(**half)]
    return K.Sequential([K.Input((3,)), *inner, L.Dense(2, dtype="float32")])


def filmed():
    return K.Sequential([K.Input((2, 5, 5, 1)), L.ConvLSTM2D(1, 2), L.Flatten(), L.Dense(2)])


def others():
    '''Forty other models, whose layers Keras counts.'''
    for _ in range(8):
        K.Sequential([K.Input((2,)), Gated(), L.Dense(1), L.BatchNormalization(), L.Dropout(0.1)])
        K.Sequential([K.Input((4, 2)), L.Bidirectional(L.LSTM(1)), L.Dense(1), L.ReLU()])
        K.Sequential([K.Input((2,)), L.Dense(2), L.LayerNormalization(), L.GaussianNoise(0.1)])
        i = K.Input((3,))
        K.Model(i, L.Add()([L.Dense(3)(i), L.PReLU()(Tied()(i))])).compile("adam", "mse")
        K.Sequential([K.Input((4, 4, 1)), L.Conv2D(1, 2), L.Flatten(), L.Dense(1)])
        L.ConvLSTM2D(1, 2)
"""
)

SOUND = ["gated", "tied", "nested", "recurrent", "several", "mixed"]
ORDERS = [[*SOUND, "filmed"], SOUND[::-1], SOUND[3:] + SOUND[:3]]  # that one is slow

FORTY_OTHERS = """
def test_{order}_forty_others():
    orders.others()
"""

ONE = """
@pytest.mark.roundtrip(formats=[{whole!r}], imports=["orders"])
def test_{order}_{name}():
    return orders.{name}()

@pytest.mark.roundtrip(formats=["weights"], factory="orders:{name}")
def test_{order}_weights_of_{name}():
    return orders.{name}()
"""


@lost_by_keras_3_0(".keras loses a frozen inner model, and the weights of the cell in an RNN")
def test_what_was_built_before_changes_no_verdict(
    run: Run, pytester: pytest.Pytester, tensorflow: ModuleType
) -> None:
    if version_of(tensorflow) < (2, 13):
        pytest.skip("this Keras may save no two weights of one name")
    pytester.makepyfile(orders=IMPORTABLE)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    whole, source = sabotage.base_formats()["whole"], "import orders\n"
    for order, names in enumerate(ORDERS):
        source += FORTY_OTHERS.format(order=order)
        source += "".join(ONE.format(order=order, name=name, whole=whole) for name in names)
    result = run(source)
    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=41)
