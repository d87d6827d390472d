"""What sabotaged formats lose: one loss of each kind, and the check that must detect it."""

from __future__ import annotations

from typing import NamedTuple


class Sabotage(NamedTuple):
    """One loss: what makes it, the check that detects it, and the words of the failure."""

    model: str  # see `sabotage.MODELS`
    base: str  # a format; "whole": that of this Keras which keeps the whole model
    body: str  # of the class `Sabotaged`
    # the checks that differ: first the one that must, then those that it changes too
    differs: tuple[str, ...]
    says: tuple[str, ...]


SABOTAGES = {
    "drops_variable": Sabotage(
        "trained",
        "whole",
        """
    def changed_subject(self, subject):
        kept = [weight for weight in subject.weights if weight.path != "second/bias"]
        return subject._replace(weights=kept)
""",
        ("weights",),
        ("weight second/bias float32[6] is missing after the reload",),
    ),
    "swaps_kernels": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        found = weights(model)
        one, other = found["first/kernel"].numpy(), found["third/kernel"].numpy()
        found["first/kernel"].assign(other), found["third/kernel"].assign(one)
""",
        ("weights", "outputs", "losses"),
        ("permuted: first/kernel and third/kernel", "it holds the value of third/kernel"),
    ),
    "casts": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        for path, variable in weights(model).items():
            if path.endswith("kernel"):
                variable.assign(variable.numpy().astype("float16").astype("float32"))
""",
        ("weights", "outputs", "losses"),
        ("weights were cast through float16", "first/kernel differs in"),
    ),
    "zeroes_slots": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        for path, variable in slots(model).items():
            if not path.endswith(("iteration", "iter")):
                variable.assign(np.zeros(variable.shape))
""",
        ("optimizer",),
        (
            "the optimizer's slots are zero or missing",
            "it was re-initialized, each element is 0.0",
        ),
    ),
    "resets_iterations": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        model.optimizer.iterations.assign(0)
""",
        ("optimizer",),
        ("2 is now 0",),
    ),
    "changes_learning_rate": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        model.optimizer.learning_rate = 0.5
""",
        ("compile",),
        ("compile.optimizers.optimizer.learning_rate: 0.01 is now 0.5",),
    ),
    "loses_loss_scale": Sabotage(
        "scaled",
        "whole",
        """
    def damage(self, model):
        scale = getattr(model.optimizer, "dynamic_scale", None)  # Keras 3
        if scale is None:
            scale = model.optimizer._loss_scale._current_loss_scale
        scale.assign(1.0)
""",
        ("optimizer",),
        ("32768.0 is now 1.0",),
    ),
    "loses_trainable": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        model.get_layer("third").trainable = True
""",
        ("weights",),
        ("third/kernel was frozen and is now trainable",),
    ),
    "unties": Sabotage(
        "module",
        "saved_model",
        """
    def damage(self, model):
        import tensorflow as tf

        model.w = tf.Variable(model.v.numpy())
""",
        ("weights",),
        ("weight w was tied to v and is now a separate variable",),
    ),
    "resets_moments": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        weights(model)["norm/moving_mean"].assign(np.zeros(6))
        weights(model)["norm/moving_variance"].assign(np.ones(6))
""",
        ("weights", "outputs"),
        ("2 of 10 weights were re-initialized: norm/moving_mean, norm/moving_variance",),
    ),
    "loses_vocabulary": Sabotage(
        "lookup",
        "lookup",
        """
    def damage(self, model):
        model.get_layer("words").set_vocabulary(["x", "y", "z"])
""",
        ("weights", "outputs"),
        ("b'a' is now b'x'",),
    ),
    "changes_default": Sabotage(
        "module",
        "saved_model",
        """
    def save(self, model, folder):
        import tensorflow as tf

        other = tf.Module()
        other.v = other.w = model.v
        other.__call__ = model.__call__

        @tf.function
        def scale(x, training=True):
            return x * other.v * (3.0 if training else 1.0)

        other.scale = scale
        other.scale(tf.zeros([2]), training=False)
        tf.saved_model.save(other, folder, signatures=model.__call__)
""",
        ("signature",),
        ("the argument training of scale had the default False and now has True",),
    ),
    "drops_signature": Sabotage(
        "loaded",
        "saved_model",
        """
    def save(self, model, folder):
        import tensorflow as tf

        kept = {"serving_default": model.signatures["serving_default"]}
        tf.saved_model.save(model, folder, signatures=kept)
""",
        ("signature",),
        ("the signature scaled is missing after the reload",),
    ),
    "fixes_batch": Sabotage(
        "trained",
        "whole",
        """
    def changed_outputs(self, args, outputs):
        if len(args[0]) != 3:
            raise ValueError("the batch is 3, not %d" % len(args[0]))
        return outputs
""",
        ("outputs",),
        (
            "cannot be used as the original can",
            "called with a batch of another size, it raised ValueError: the batch is 3, not 4",
        ),
    ),
    "fixes_length": Sabotage(
        "free",
        "whole",
        """
    def changed_outputs(self, args, outputs):
        if args[0][0].shape[1] != 8:
            raise ValueError("the length is 8, not %d" % args[0][0].shape[1])
        return outputs
""",
        ("outputs",),
        ("called with other sizes of all free axes, it raised ValueError: the length is 8, not 4",),
    ),
    "fixes_image": Sabotage(
        "free",
        "whole",
        """
    def changed_outputs(self, args, outputs):
        assert args[0][1].shape[1:] == (32, 32, 3), args[0][1].shape
        return outputs
""",
        ("outputs",),
        ("other sizes of all free axes, it raised AssertionError: (4, 16, 16, 3)",),
    ),
    "changes_small_outputs": Sabotage(
        "small",
        "whole",
        """
    def changed_outputs(self, args, outputs):
        return {"y": outputs["y"] * 3}
""",
        ("outputs",),
        ("outputs['y'] differs in 9 of 9 elements",),
    ),
    "permutes_outputs": Sabotage(
        "trained",
        "whole",
        """
    def changed_outputs(self, args, outputs):
        return outputs[::-1]
""",
        ("outputs",),
        ("outputs[0] differs", "it holds the value of [1]"),
    ),
    "other_dtype": Sabotage(
        "trained",
        "whole",
        """
    def changed_outputs(self, args, outputs):
        return [outputs[0].astype("float64"), outputs[1]]
""",
        ("outputs",),
        (
            "outputs[0] was float32 and is now float64",
            "the weights are equal, the outputs differ",
        ),
    ),
    "gives_reference_outputs": Sabotage(
        "trained",
        "whole",
        """
    first = []

    def changed_outputs(self, args, outputs):
        self.first.append(outputs)
        return self.first[0]
""",
        ("outputs",),
        ("(a batch of another size)[0] had the shape [4, 6] and now has [3, 6]",),
    ),
    "keeps_file_elsewhere": Sabotage(
        "small",
        "whole",
        """
    def save(self, model, folder):
        super().save(model, folder)
        outside = tempfile.NamedTemporaryFile("w", suffix=".vocabulary", delete=False)
        outside.write("a b c")
        outside.close()
        with open(os.path.join(folder, "where"), "w") as out:
            out.write(outside.name)

    def load(self, folder, options):
        with open(os.path.join(folder, "where")) as source:
            open(source.read()).close()
        return super().load(folder, options)
""",
        ("self_contained",),
        ("the reload read the file", ".vocabulary"),
    ),
    "asks_the_network": Sabotage(
        "trained",
        "whole",
        """
    def load(self, folder, options):
        try:
            socket.create_connection(("127.0.0.1", 9), 1).close()
        except OSError:
            pass
        return super().load(folder, options)
""",
        ("self_contained",),
        ("the reload accessed the network: ('127.0.0.1', 9)",),
    ),
    "changes_config": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        model.get_layer("drop").rate = 0.1
""",
        ("config",),
        (".rate: 0.5 is now 0.1",),
    ),
    "loses_constraint": Sabotage(
        "trained",
        "whole",
        """
    def damage(self, model):
        variable = weights(model)["second/kernel"]
        if hasattr(variable, "_constraint"):
            variable._constraint = None
        if hasattr(type(variable), "regularizer"):
            variable.constraint = None
""",
        ("losses", "training"),
        ("constraint of ['second/kernel'] is missing after the reload",),
    ),
    "trains_otherwise": Sabotage(
        "scaled",
        "whole",
        """
    def damage(self, model):
        class Lazy(type(model)):
            def train_step(self, *args):
                logs = super().train_step(*args)
                return dict(logs, loss=logs["loss"] * 2)

        model.__class__ = Lazy
""",
        ("training",),
        ("the next step's loss differs",),
    ),
}
