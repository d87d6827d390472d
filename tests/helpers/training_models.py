"""The source of a module with models, optimizers and metrics of which only training shows all."""

from inner_runs import REGISTERING

STEPS = (
    REGISTERING
    + """
import itertools

x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
y = x[:, :2] * 0.5
DRAWS = itertools.cycle([1.0, -3.0])  # in place of random numbers, which may be near each other


@register(package="steps")
class Multiplied(K.Sequential):
    gain, random, words = 1.0, 0.0, ""

    def train_step(self, data):
        x, y = data
        if self.words:
            raise ValueError(self.words)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
        weights = self.trainable_variables
        gain = self.gain + self.random * next(DRAWS)
        gradients = [gain * gradient for gradient in tape.gradient(loss, weights)]
        self.optimizer.apply_gradients(zip(gradients, weights))
        return {"squares": loss}


@register(package="steps")
class Noise(L.Layer):
    def call(self, x):
        self.add_loss(tf.random.normal(()))
        return x


@register(package="steps")
class Scaled(K.metrics.Mean):
    def __init__(self, factor=1.0, name="scaled", **kwargs):
        super().__init__(name=name, **kwargs)
        self.held = factor

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(tf.abs(y_true - y_pred) * self.held)

    def get_config(self):
        return {"name": self.name}


def scaled_by(factor):
    @register(package="steps")
    def by_closure(y_true, y_pred):
        return tf.reduce_mean(tf.abs(y_true - y_pred) * factor, axis=-1)

    return by_closure


scaled_by(1.0)


@register(package="steps")
class Drawn(K.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(tf.random.normal(()))


@register(package="steps")
class Cliff(K.optimizers.schedules.LearningRateSchedule):
    def __init__(self, top=200_000, bottom=0.1):
        self.top, self.bottom = top, bottom

    def __call__(self, step):
        return tf.where(tf.cast(step, "int64") < self.top, 0.1, self.bottom)

    def get_config(self):
        return {"top": self.top}


@register(package="steps")
class Table(K.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates=(0.1, 0.1, 0.1, 0.05)):
        self.rates = list(rates)

    def __call__(self, step):
        tf.debugging.assert_less(tf.cast(step, "int64"), np.int64(len(self.rates)))
        return tf.gather(tf.constant(self.rates), step)

    def get_config(self):
        return {"rates": self.rates}


@register(package="steps")
class Outer(K.optimizers.SGD):
    # its steps are those of another optimizer, which TensorFlow does not track
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "held", [K.optimizers.Adam(0.01)])

    def apply(self, gradients, variables=None):  # Keras 3
        return self.inner().apply(gradients, variables)

    def apply_gradients(self, pairs, **kwargs):
        return self.inner().apply_gradients(list(pairs))

    def inner(self):
        return self.held[0]


@register(package="steps")
class Holding(K.optimizers.SGD):
    # the one that it holds makes its variables in the first step
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.held = K.optimizers.Adam(0.01)

    apply, apply_gradients = Outer.apply, Outer.apply_gradients

    def inner(self):
        return self.held


def fitted(*inner, kind=K.Sequential, optimizer="adam", loss="mse", fit=True, **compiled):
    last = L.Dense(2, dtype="float32", kernel_initializer=K.initializers.GlorotUniform(seed=1))
    model = kind([K.Input((6,)), *inner, last])
    if kind is Multiplied:
        loss = None
    elif loss == "mse":
        loss = K.losses.MeanSquaredError()
    model.compile(optimizer=optimizer, loss=loss, **compiled)
    if fit:
        model.fit(x, y, epochs=2, verbose=0, shuffle=False)
    return model


def outer():
    return fitted(optimizer=Outer(0.1))


def holding():
    return fitted(optimizer=Holding(0.1))


def several():
    by_path = K.optimizers.OptimizerMap(K.optimizers.Adam(), {".*bias": K.optimizers.SGD(0.1)})
    return fitted(optimizer=K.optimizers.MultiOptimizer(by_path))
"""
)
