"""The source of a module with models of which each holds state in places of its own."""

from inner_runs import REGISTERING
from layers_by_place import LAYERS

MODELS = """

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
IMPORTABLE = REGISTERING + LAYERS + MODELS
