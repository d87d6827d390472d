"""State by place: sound models pass whatever ran before, and what get_config leaves out is seen."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from inner_runs import REGISTERING, Run
from known_losses import lost_by_keras_3_0

IMPORTABLE = (
    REGISTERING
    + """
import sys
import tempfile
import uuid


class Configured(L.Layer):
    '''Returns what the class lists.'''

    listed = ()

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for name in self.listed}}


@register(package="ours")
class Gate(Configured):
    listed = ("rate",)

    def __init__(self, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x):
        return x * self.rate


@register(package="ours")
class Crossed(Configured):
    '''Its gates are built in another order than that of their attributes.'''

    listed = ("rates",)

    def __init__(self, rates=(0.1, 0.9), **kwargs):
        super().__init__(**kwargs)
        self.rates = rates
        self.second = Gate(rates[1])
        self.first = Gate(rates[0])
        self.dense = L.Dense(3)

    def build(self, shape):
        self.dense.build(shape)
        super().build(shape)

    def call(self, x):
        return self.second(self.first(self.dense(x)))


@register(package="ours")
class Anew(Configured):
    '''Makes anew what it is not given; counts its calls.'''

    def __init__(self, folder=None, **kwargs):
        super().__init__(**kwargs)
        self.folder = folder or tempfile.mkdtemp()
        self.token = uuid.uuid4().hex
        self.number = int(np.random.randint(1 << 30))
        self.calls = 0

    def call(self, x):
        self.calls += 1
        return x * 2.0


@register(package="ours")
class Tags(Configured):
    '''What comes out of a set has the order of the process.'''

    listed = ("tags",)

    def __init__(self, tags=(), **kwargs):
        super().__init__(**kwargs)
        self.tags = list(set(tags))

    def call(self, x):
        return x * float(len(self.tags))


class Settings:
    def __init__(self, scale):
        self.scale = scale


@register(package="ours")
class Lossy(Configured):
    '''Loses whatever it is given; nothing of it shows in inference.'''

    def __init__(self, pair=(1, 2), table=None, array=None, activation=None, rate=0.0,
                 scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.pair = pair
        self.table = table or {"a": [1]}
        self.array = np.zeros(2) if array is None else array
        self.activation = activation or tf.nn.relu
        self._survival = 1 - rate
        self.settings = Settings(scale)

    def call(self, x, training=False):
        if training:
            x = x * self._survival * self.settings.scale
        return x


@register(package="ours")
class Keyed(Configured):
    '''A key of its own that has the name of one that Keras' lookup layers have.'''

    def __init__(self, vocabulary=("a",), **kwargs):
        super().__init__(**kwargs)
        self.words = list(vocabulary)

    def call(self, x):
        return x * 1.0

    def get_config(self):
        return {**super().get_config(), "vocabulary": self.words[:1]}


class WithConfig(K.Model):
    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


@register(package="ours")
class Inner(WithConfig):
    '''Built-in layers inside of a class of the user's own.'''

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = L.Dropout(0.5)
        self.many = [L.BatchNormalization(), {"dense": L.Dense(2)}]
        self.both = L.Bidirectional(L.LSTM(3))

    def call(self, x):
        x = self.both(x)
        return self.many[1]["dense"](self.many[0](self.drop(x)))


@register(package="ours")
class Half(WithConfig):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = L.Dropout(0.5, name="same")

    def call(self, x):
        return self.drop(x)


@register(package="ours")
class Twice(WithConfig):
    '''Two sub-models, each with a layer of one name.'''

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.one, self.other, self.dense = Half(name="one"), Half(name="other"), L.Dense(2)

    def call(self, x):
        return self.dense(self.other(self.one(x)))


@register(package="ours")
class Policies(WithConfig):
    '''Its layers are made in another order where pytest is not imported.'''

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        policies = [("first", "float64"), ("second", "float32")]
        for name, policy in policies if "pytest" in sys.modules else policies[::-1]:
            setattr(self, name, L.ReLU(dtype=policy))
        self.dense = L.Dense(2)

    def call(self, x):
        return self.dense(self.second(self.first(x)))


@register(package="ours")
class Lazy(Configured):
    '''Its first call leaves something behind.'''

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.size = None
        self.dense = L.Dense(2)

    def build(self, shape):
        self.dense.build(shape)
        super().build(shape)

    def call(self, x):
        if self.size is None:
            self.size = int(x.shape[-1])
        self.calls = getattr(self, "calls", 0) + 1
        return self.dense(x)


@register(package="ours")
class LooksUp(WithConfig):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.look = L.StringLookup()

    def call(self, x):
        return self.look(x)


@register(package="ours")
class HoldsLazy(WithConfig):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.lazy = Lazy()

    def build(self, shape):
        self.lazy.build(shape)
        super().build(shape)

    def call(self, x):
        return self.lazy(x)


def around(layer):
    return K.Sequential([K.Input((4,)), L.Dense(3), layer])


def counted():
    for _ in range(3):
        Gate(), L.LSTM(2), L.Dropout(0.1), Crossed()


@register(package="ours")
class Passing(Configured):
    '''Keeps what it passes on.'''

    listed = ("rate",)

    def __init__(self, rate=0.5, **kwargs):
        self.kwargs = dict(kwargs)
        self.unit = kwargs.pop("unit", "m")
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x):
        return x * self.rate


class Early(L.Layer):
    '''In Keras 2 a weight that is made outside of a call has no scope in its name.'''

    def __init__(self, early):
        super().__init__()
        if early:
            self.build((None, 4))

    def build(self, shape):
        if not self.built:
            self.kernel = self.add_weight(name="kernel", shape=(4, 4))
            super().build(shape)

    def call(self, x):
        return tf.matmul(x, self.kernel)


def trained(early=False):
    model = K.Sequential([K.Input((4,)), Early(early), L.ReLU(), Early(early)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 4)), verbose=0)
    return model


def trained_early():
    return trained(early=True)


class Holds(L.Layer):
    '''In Keras 3 a layer that is built alone has no scope in the names of its weights.'''

    def __init__(self, early, **kwargs):
        super().__init__(**kwargs)
        self.inner = L.Dense(4, name="same")
        if early:
            self.inner.build((None, 4))

    def build(self, shape):
        if not self.inner.built:
            self.inner.build(shape)
        super().build(shape)

    def call(self, x):
        return self.inner(x)


def trained_inside(early=False):
    model = K.Sequential([K.Input((4,)), Holds(early, name="one"), Holds(early, name="other")])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 4)), verbose=0)
    return model


def trained_inside_early():
    return trained_inside(early=True)


class TwoOfOneName(L.Layer):
    def build(self, shape):
        self.tokens = self.add_weight(name="embeddings", shape=(2, 4))
        self.positions = self.add_weight(name="embeddings", shape=(3, 4))
        super().build(shape)

    def call(self, x):
        return x + tf.reduce_sum(self.tokens) * tf.reduce_sum(self.positions)


class Unbuilt(K.Model):
    def __init__(self):
        super().__init__()
        self.stack = K.Sequential([L.Dense(3)])

    def call(self, x):
        return self.stack(x)


@register(package="ours")
class OfDict(L.Layer):
    def call(self, x):
        return x["left"] - x["right"]


class Positive(tf.Module):
    '''Another form of a variable, as TensorFlow Probability has it.'''

    trainable = True

    def __init__(self, value):
        super().__init__()
        self.inner = tf.Variable(np.float32(np.log(value)))

    def numpy(self):
        return np.exp(self.inner.numpy())

    def assign(self, value):
        self.inner.assign(tf.math.log(tf.cast(value, tf.float32)))


class Constrained(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = Positive(2.0)

    @tf.function(input_signature=[tf.TensorSpec((None,))])
    def __call__(self, x):
        return x * tf.exp(self.scale.inner)


def of_dict():
    x = np.arange(6, dtype="float32").reshape(2, 3)
    return K.Sequential([OfDict()]), {"left": x, "right": x[::-1].copy()}


def crossed():
    counted()
    return around(Crossed([0.3, 0.7]))


def anew():
    return around(Anew())


def tags():
    return around(Tags(["b", "c", "a", "d", "e"]))


def looking_up():
    model = LooksUp(name="looks_up")
    x = np.array([["a", "b"]])
    model.look.adapt(x)
    model(tf.constant(x))
    return model, x


def called():
    model = HoldsLazy(name="holds")
    x = np.ones((2, 4), "float32")
    model(x)
    return model, x


def uncalled():
    model = HoldsLazy(name="holds")
    model.build((None, 4))
    model.compile(run_eagerly=True)
    return model, np.ones((2, 4), "float32")


def stopped():
    model, x = called()
    model.compile("sgd", "mse")
    model.fit(x, x[:, :2], verbose=0)
    model.stop_training = True  # as EarlyStopping does
    return model, x


def inner():
    model = Inner(name="inner")
    model(np.ones((2, 4, 5), "float32"))
    return model, np.ones((2, 4, 5), "float32")


def changed_dropout():
    model, x = inner()
    model.drop.rate = 0.9
    return model, x


def changed_momentum():
    model, x = inner()
    model.many[0].momentum = 0.5
    return model, x


def changed_attribute():
    model = around(Crossed([0.3, 0.7]))
    model.layers[-1].first.rate = 0.4
    return model


def twice(changed=""):
    model, x = Twice(name="twice"), np.ones((2, 4), "float32")
    model(x)
    if changed:
        getattr(model, changed).drop.rate = 0.9
    return model, x


def policies():
    model, x = Policies(name="policies"), np.ones((2, 4), "float32")
    model(x)
    return model, x


class InList(K.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [L.Dense(4), L.Dense(2)]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def in_list():
    model = InList()
    model(np.ones((2, 4), "float32"))
    return model, np.ones((2, 4), "float32")


@register(package="ours")
class Named(L.Layer):
    '''Its inner layer has the name of another one in the model.'''

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = L.Dense(3, name="same")

    def build(self, shape):
        self.inner.build(shape)
        super().build(shape)

    def call(self, x):
        return self.inner(x)


def same_names():
    model = K.Sequential([K.Input((3,)), L.Dense(3, name="same"), Named(), Named()])
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 3), "float32"), np.zeros((2, 3), "float32"))
    return model


@register(package="ours")
class Judged(K.metrics.Mean):
    def __init__(self, factor=1.0, name="judged", **kwargs):
        super().__init__(name=name, **kwargs)
        self.factor = factor

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(tf.abs(y_true - y_pred) * self.factor)

    def get_config(self):
        return {"name": self.name}


@register(package="ours")
class Punished(K.losses.Loss):
    def __init__(self, factor=1.0, name="punished", **kwargs):
        super().__init__(name=name, **kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return tf.reduce_mean(tf.abs(y_true - y_pred) * self.factor, axis=-1)

    def get_config(self):
        return {"name": self.name}


def punished():
    model = K.Sequential([K.Input((4,)), L.Dense(3)])
    model.compile("sgd", Punished(5.0))
    return model


@register(package="ours")
class Optional(K.Model):
    '''Has a layer without weights only where its rate is given, and forgets the rate.'''

    def __init__(self, rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dense = L.Dense(2)
        self.drop = L.Dropout(rate, name="drop") if rate else None

    def call(self, x, training=None):
        x = self.dense(x)
        return self.drop(x, training=training) if self.drop else x

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def optional():
    return Optional(0.5), np.ones((2, 4), "float32")


def judged():
    model = K.Sequential([K.Input((4,)), L.Dense(3)])
    model.compile("sgd", K.losses.MeanSquaredError(), metrics=[Judged(3.0)])
    model.fit(np.ones((2, 4)), np.ones((2, 3)), verbose=0)
    return model


def lossy(**kwargs):
    return around(Lossy(name="lossy", **kwargs))
"""
)

Trip = Callable[..., pytest.RunResult]


@pytest.fixture
def trip(run: Run, pytester: pytest.Pytester, tensorflow: ModuleType) -> Trip:
    """A run on the model that an expression builds."""
    pytester.makepyfile(hard=IMPORTABLE.replace('"ours"', repr(pytester.path.name)))
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    keras3 = not hasattr(tensorflow.keras.Model, "save_spec")

    def trip(model: str, *formats: str, **keywords: object) -> pytest.RunResult:
        kept = {"formats": formats or (["keras"] if keras3 else ["h5"]), **keywords}
        kept.setdefault("imports", ["hard"])
        marker = ", ".join(f"{name}={value!r}" for name, value in kept.items())
        return run(
            f"import hard\nfrom hard import *\n@pytest.mark.roundtrip({marker})\n"
            f"def test_it():\n    return {model}\n"
        )

    return trip


@pytest.mark.parametrize(
    "model", ["crossed()", "anew()", "tags()", "same_names()", "around(Passing(0.3))"]
)
def test_sound_models_pass(trip: Trip, model: str) -> None:
    result = trip(model)
    assert result.ret == 0, result.stdout.str()


@pytest.mark.usefixtures("keras_format")
def test_dtype_policies_are_those_of_places(trip: Trip) -> None:
    result = trip("policies()", "keras")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize("model", ["called()", "uncalled()", "stopped()", "looking_up()"])
@pytest.mark.usefixtures("keras_format")
def test_what_calls_and_training_leave_in_attributes_is_no_loss(trip: Trip, model: str) -> None:
    result = trip(model, "keras")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize(
    ("model", "kept_as", "keras"),
    [
        ("(Unbuilt(), np.ones((2, 4), 'float32'))", "saved_model", "23"),
        pytest.param(
            "of_dict()",
            "saved_model",
            "3",  # Keras 2 cannot call it
            marks=lost_by_keras_3_0("a SavedModel of a Sequential of a dict has no signature"),
        ),
        ("(Constrained(), np.ones(2, 'float32'))", "saved_model", "23"),
        ("around(TwoOfOneName())", "keras_saved_model", "2"),
    ],
)
def test_what_packages_do(
    trip: Trip, tensorflow: ModuleType, model: str, kept_as: str, keras: str
) -> None:
    if ("2" if hasattr(tensorflow.keras.Model, "save_spec") else "3") not in keras:
        pytest.skip("the other Keras has no such model or format")
    result = trip(model, kept_as, imports=[])
    assert result.ret == 0, result.stdout.str()


def test_counted_names_of_inner_layers_do_not_count(trip: Trip) -> None:
    result = trip("(counted(), inner())[1]", "weights", factory="hard:inner")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.usefixtures("keras_format")
def test_counted_names_in_configs_do_not_count(trip: Trip) -> None:
    result = trip("(counted(), inner())[1]", "keras")
    assert result.ret == 0, result.stdout.str()


def test_layers_in_lists_are_among_the_weights_of_a_saved_model(trip: Trip) -> None:
    result = trip("in_list()", "saved_model", checks=["weights"])
    assert result.ret == 0, result.stdout.str()


@lost_by_keras_3_0("a checkpoint of a model leaves its optimizer out")
@pytest.mark.parametrize("model", ["trained", "trained_inside"])
def test_slots_of_weights_of_one_name(trip: Trip, model: str) -> None:
    result = trip(f"{model}()", "checkpoint", factory=f"hard:{model}_early")
    assert result.ret == 0, result.stdout.str()


def test_a_class_that_keras_keeps_in_two_modules(trip: Trip) -> None:
    result = trip("around(L.AlphaDropout(0.3))", "h5")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize(
    ("model", "lost"),
    [
        ("lossy(pair=(3, 4))", "the argument pair of Lossy (lossy) [0] was 3 and came back as 1"),
        ("lossy(table={'b': 1})", "the argument table of Lossy (lossy) ['b'] is missing"),
        ("lossy(array=np.ones(2))", "the argument array of Lossy (lossy) differs in 2 of 2"),
        ("lossy(activation=tf.nn.tanh)", "the argument activation of Lossy (lossy) was"),
        ("lossy(rate=0.5)", "the attribute survival of Lossy (lossy) was 0.5 and came back as 1"),
        ("lossy(scale=2.0)", "the argument scale of Settings (lossy/settings)"),
        ("around(Passing(unit='cm', name='p'))", "kwargs of Passing (p) ['unit'] is missing"),
        ("around(Keyed(['a', 'b']))", "the attribute words of Keyed"),
        ("changed_attribute()", "the argument rate of Gate"),
        ("judged()", "the argument factor of Judged"),
        ("punished()", "the argument factor of Punished"),
    ],
)
def test_what_get_config_leaves_out_is_told(trip: Trip, model: str, lost: str) -> None:
    result = trip(model)
    assert result.ret == 1
    text = " ".join(result.stdout.str().split())
    assert lost in text, result.stdout.str()


@pytest.mark.parametrize(
    ("model", "lost"),
    [("changed_dropout()", "rate: 0.9 came back as 0.5"),
     ("changed_momentum()", "momentum: 0.5 came back as 0.99"),
     ("optional()", "the layer Dropout (drop) is missing after the reload"),
     ("twice('one')", "Dropout (one/same).rate: 0.9 came back as 0.5"),
     ("twice('other')", "Dropout (other/same).rate: 0.9 came back as 0.5")],
)  # fmt: skip
@pytest.mark.usefixtures("keras_format")
def test_built_in_layers_inside_of_own_classes(trip: Trip, model: str, lost: str) -> None:
    result = trip(model, "keras")
    assert lost in " ".join(result.stdout.str().split()), result.stdout.str()
