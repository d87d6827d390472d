"""What to do about errors of loaders and savers that are known by their own words."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..portable.aliases import Model
from ..portable.formats import Format
from ..settings import Settings

END = 5_000  # characters of an error


class Loading(NamedTuple):
    """What was loaded, in which format, and with which settings."""

    models: Sequence[Model]
    settings: Settings
    format: Format

    def imports(self, module: str) -> bool:
        """Whether the settings import this module, or one inside of it, which imports it too."""
        named = self.settings.imports
        return any(name == module or name.startswith(f"{module}.") for name in named)


class KnownError(NamedTuple):
    """An error whose words are known."""

    found: dict[str, str]  # what the groups of the pattern matched
    loading: Loading


Advise = Callable[[KnownError], str]

# libraries with operations of their own, which their import registers with TensorFlow
LIBRARIES_OF_OPERATIONS = (
    "tensorflow_text", "tensorflow_decision_forests", "tensorflow_addons", "tensorflow_io",
    "tensorflow_compression", "tensorflow_quantum", "tensorflow_recommenders_addons",
    "struct2tensor",
)  # fmt: skip


def _operation(error: KnownError) -> str:
    name, loading = error.found["operation"], error.loading
    operations = getattr(sys.modules.get("tensorflow"), "raw_ops", None)
    if hasattr(operations, name):
        return f"{name} is an operation of TensorFlow here, which the TensorFlow there lacks."
    known = [
        library
        for library in LIBRARIES_OF_OPERATIONS
        if library in sys.modules and not loading.imports(library)
    ]
    unknown = f"{name} is not an operation of TensorFlow itself: the module that registers it"
    if not known:
        return f"{unknown} must be imported before the load. Name it in imports=[...]."
    values = json.dumps([*loading.settings.imports, *known])
    these = " or ".join(known)
    return f"{unknown} must be imported before the load. Here it may be {these}: imports={values}."


def _table(error: KnownError) -> str:
    loading = error.loading
    text = "A lookup table is empty after the reload: its vocabulary is not a weight. "
    if loading.format.holds_whole_models:
        return (
            f"{text}{loading.format.name} did not keep it: a layer of your own must return it from "
            "get_config, or write it in save_assets."
        )
    if loading.settings.factory is None:
        return f"{text}Pass a factory that builds the model with its vocabulary."
    return f"{text}Let the factory build the model with its vocabulary."


def _checkpoint(error: KnownError) -> str:
    text = "The rebuilt model has variables that the checkpoint does not know: it is not the model "
    if error.loading.settings.factory is None:
        return f"{text}that was saved. Pass a factory that builds the same one."
    return (
        f"{text}that was saved. Let the factory build the same one; parts that share layers must "
        "share them there too."
    )


def _cast(error: KnownError) -> str:
    called, takes = error.found["called"], error.found["takes"]
    if called == takes:
        return ""
    return (
        f"The artifact takes {takes}, the model was called with {called}: call it with what a "
        "server would send."
    )


def _safe_mode(error: KnownError) -> str:
    if not error.loading.settings.safe_mode:
        return ""
    return (
        "If the artifact may run its own code, pass safe_mode=False. Better: replace the lambda "
        "by a registered function, so that the artifact holds no code."
    )


def _always(text: str) -> Advise:
    return lambda error: text.format(**error.found)


NO_SUCH_FILE = (  # of Python, of TensorFlow, of h5py
    r"No such file or directory: (?P<quote>['\"])(?P<path>.+?)(?P=quote)",
    # from the beginning of a word: from each of its letters, a long one would take for ever
    r"(?<![^\s;'\"])(?P<path>[^\s;'\"/\\]*[/\\][^\s;'\"]*) ?[;:] No such file or directory",
    r"unable to open file: name = '(?P<path>[^']+)', errno = 2",
)

# the first whose words are there, and which has something to say, is shown
LOAD_ERRORS: tuple[tuple[str, Advise], ...] = (
    # before those of files: TensorFlow raises it as FileNotFoundError
    (r"Op type not registered '(?P<operation>\w+)'", _operation),
    (r"Table not initialized", _table),
    (r"not bound to checkpointed values", _checkpoint),
    (
        r"Can not cast TensorSpec\(.*?dtype=tf\.(?P<called>\w+).*?to TensorSpec\("
        r".*?dtype=tf\.(?P<takes>\w+)",
        _cast,
    ),
    (
        r"No module named '(?P<module>[\w.]+)'",
        _always(
            "The clean interpreter has no module '{module}': add its folder to the ini option "
            "roundtrip_pythonpath, or install it."
        ),
    ),
    (
        r"its parent module (?P<module>[\w.]+) cannot be imported",
        _always(
            "The clean interpreter cannot import the module '{module}': add its folder to the ini "
            "option roundtrip_pythonpath, or install it."
        ),
    ),
    (r"safe_mode=False|enable_unsafe_deserialization", _safe_mode),
    (
        # how Keras 3 writes a name such as "mse" into .h5
        r"Could not deserialize 'keras\.metrics\.(?P<name>\w+)' because it is not a KerasSaveable",
        _always(
            'compile got "{name}" by name or as a function, and Keras 3 cannot read from .h5 '
            "what it writes for it. Pass an object, such as keras.losses.MeanSquaredError()."
        ),
    ),
    (
        r"Could not find matching (?:concrete )?function to call loaded from the SavedModel",
        _always(
            "A SavedModel can be called only as it was traced. Give the function an "
            "input_signature, or call the model before the save with what a server would send: "
            "the message lists the dtypes, shapes and arguments of both."
        ),
    ),
    *(
        (
            pattern,
            _always(
                "The reload looks for the file {path}, which is not there. Put the file into the "
                "artifact (an asset), or its content into the config: a server has nothing else."
            ),
        )
        for pattern in NO_SUCH_FILE
    ),
)

SAVE_ERRORS: tuple[tuple[str, str], ...] = (
    (
        r"surrogates not allowed|Unable to cast Python instance of type <class .str.>",
        "TensorFlow can write only to paths that are UTF-8. If the path of the folder for "
        "temporary files is not, pass --basetemp=FOLDER, or set TMPDIR.",
    ),
    (
        r"references (?:an )?'?untracked'? (?:resource|object)",
        "A function of the model uses a variable or a table that the model does not hold. Assign "
        "it to an attribute of the model, or of a layer or tf.Module in it, before the save. If "
        "it is an attribute already, as the table of a hub.KerasLayer is, use saved_model: Keras "
        "2.15's export does not look there.",
    ),
    (
        r"valid config for `hub\.KerasLayer",
        "The layer was made of a loaded object, which no config can hold. saved_model, export and "
        "hub hold the module itself; for the others, pass its path or URL to hub.KerasLayer.",
    ),
    *(
        (
            pattern,
            "The save reads the file {path}, which is not there. Files that the model refers to "
            "must exist whenever it is saved.",
        )
        for pattern in NO_SUCH_FILE
    ),
)


CRASHES: tuple[tuple[str, str], ...] = (
    (
        r"Unknown flags? in XLA_FLAGS: (?P<flags>.*)",
        "The clean interpreter gets XLA_FLAGS from this process, and its XLA ends a process that "
        "has a flag which it does not know: {flags}. Unset XLA_FLAGS, or remove that flag.",
    ),
)


def ends_of(error: str) -> str:
    """What of an error is searched for known words: its ends, which have them.

    What a pattern takes may grow with the square of the length.
    """
    return error if len(error) <= 2 * END else f"{error[:END]}\n{error[-END:]}"


def load_error_hint(error: str, loading: Loading) -> str:
    """What to do about a load error; "" where its words are not known."""
    for pattern, advise in LOAD_ERRORS:
        match = re.search(pattern, error)
        hint = advise(KnownError(match.groupdict(), loading)) if match else ""
        if hint:
            return hint
    return ""


def save_error_hint(error: str) -> str:
    """What to do about an error that a save raised; "" where its words are not known."""
    return _known(SAVE_ERRORS, error)


def crash_hint(printed: str) -> str:
    """What to do about a crash, by what was printed; "" where its words are not known."""
    return _known(CRASHES, printed)


def _known(errors: Sequence[tuple[str, str]], text: str) -> str:
    for pattern, hint in errors:
        match = re.search(pattern, ends_of(text))
        if match:
            return hint.format(**match.groupdict())
    return ""
