"""The source of classes that hold layers, variables and other state in places of their own."""

LAYERS = """
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
"""
