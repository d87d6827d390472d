"""The messages between the test process and a clean interpreter, each defined once.

A request names what it wants, `{"do": "reload", ...}`, and has one kind of answer. Both are records
(see `records`), sent as bytes (see `codec`). Bytes that are not such a message raise `ValueError`.
"""

from __future__ import annotations

import enum
import re
from typing import Dict, List, NamedTuple, Optional, Tuple, Type, TypeVar, Union

import numpy as np

from . import codec, records
from .aliases import Nest, Plain
from .confinement.tripwire import Access
from .tensors import KnownArray

CHUNK_BYTES = 1 << 26  # of an answer in one message
MAX_CHUNKS = 256
MAX_ANSWER = CHUNK_BYTES * MAX_CHUNKS

# what is loaded


class Batch(NamedTuple):
    """One call: its name in messages, and the arguments in NumPy form."""

    name: str
    args: List[Plain]
    kwargs: Dict[str, Plain]


class PartJob(NamedTuple):
    """One model of a job; a single model is a part named ""."""

    name: str
    keras_major: Optional[int]  # of the saved model's Keras: 2, 3, or None for anything else
    structure: Plain  # the nest of the original's outputs, without its arrays
    weight_paths: List[str]  # of the original's weights
    batches: List[Batch]
    predicts: bool = False  # whether it is called by `predict` too


class Setup(NamedTuple):
    """What the process of a reload imports and may use; it can have that before it has a job."""

    imports: List[str]
    pythonpath: List[str]
    custom_objects: Dict[str, str]
    factory: Optional[str]
    confinement: str  # "auto", "required" or "off", see `confinement`
    keras_majors: List[Optional[int]]  # of the models that are reloaded: none, no Keras is needed
    train: Optional[str] = None  # what trains the model, in a format of a training

    @property
    def modules(self) -> List[str]:
        """The modules that the test declares."""
        named = [*self.custom_objects.values(), *filter(None, [self.factory, self.train])]
        return [*self.imports, *(where.partition(":")[0] for where in named)]


class Job(NamedTuple):
    """One reload: what is loaded, how, and what is looked at."""

    setup: Setup
    format: str  # "module:Class" below `portable.formats`
    needs: List[str]  # modules that the format needs besides Keras, imported before the fork
    artifact: str  # a folder
    save_to: Optional[str]  # a folder to save the reloaded model to
    safe_mode: bool
    checks: List[str]
    layers: bool  # whether the outputs of each layer are wanted, for a diagnosis
    parts: List[PartJob]
    known: Tuple[str, ...] = ()  # hashes of arrays that need not be sent, see `known_arrays`


# what was seen


class WeightValue(NamedTuple):
    """A weight, or a variable of an optimizer, as it was seen."""

    path: str  # where it stands in the model
    place: str  # what it is paired by: see `places`
    tied_to: Optional[str]  # an earlier path of the same variable
    trainable: bool
    value: Plain  # an array, or the hash of one

    def verify(self) -> None:
        """It is one of these."""
        if not isinstance(self.value, (np.ndarray, KnownArray)):
            raise ValueError(f"an array is expected, not {type(self.value).__name__}")


class LayerOutput(NamedTuple):
    """What one call of a layer returned."""

    name: str
    class_name: str
    outputs: List[Plain]  # one leaf each


class Step(str, enum.Enum):
    """The steps of a reload, in their order."""

    START = "start"
    IMPORT = "import"
    CONFINE = "confine"
    LOAD = "load"
    OBSERVE = "observe"
    SAVE_AGAIN = "save again"
    ANSWER = "answer"  # it writes what came of it

    __str__ = str.__str__


class LoadFailure(NamedTuple):
    """What a reload raised."""

    step: Step
    type: str
    message: str
    traceback: str
    reached: List[Access]  # what it used until then, or wanted, that a deployment does not have
    unsupported: bool = False  # whether the message says why the format cannot hold the model


class HowEnded(str, enum.Enum):
    """Why a reload gave no answer."""

    DIED = "died"
    TIMED_OUT = "timed out"
    MEMORY_LIMIT = "memory limit"
    UNREADABLE = "unreadable"  # it wrote an answer that cannot be read


class ChildEnd(NamedTuple):
    """How a reload ended that gave no answer."""

    step: Step
    how: HowEnded
    detail: str = ""  # "signal 9 (SIGKILL)", the memory that it had, or what cannot be read


class Machine(NamedTuple):
    """What can make the same numbers differ from machine to machine."""

    system: str
    processor: str
    flags: List[str]  # of those that kernels ask for, what the processor has
    threads: int


# requests


class Probe(NamedTuple):
    """Import what a reload needs, and say what is there. Answered by `Interpreter`."""

    needs: List[str]
    keras_majors: List[Optional[int]]  # of the models that are reloaded: none, no Keras is needed


class CanRead(NamedTuple):
    """Is this file, with this content, readable there? Answered by `Readable`."""

    path: str
    sha256: str


class ReceiveFolder(NamedTuple):
    """Make this folder from the entries that follow (see `transfer`). Answered by `Done`."""

    folder: str


class SendFolder(NamedTuple):
    """Send this folder as entries before the answer, then delete it. Answered by `Done`."""

    folder: str


class Reload(NamedTuple):
    """Do this job in a process of its own. Answered by `Reloaded`."""

    job: Job
    start_seconds: float  # for the imports of an interpreter of its own; 0 for a fork
    seconds: float  # for the reload, after its imports
    memory: Optional[int]  # bytes; None for any
    fork: bool
    stand_by: bool  # whether a process may be set up before its job is known


class Entry(NamedTuple):
    """A folder, or a file whose bytes follow, of a folder that is sent."""

    path: str  # in that folder, with "/"
    size: Optional[int]  # in bytes; None: it is a folder
    is_program: bool = False  # whether it can be executed


Request = Union[Probe, CanRead, ReceiveFolder, SendFolder, Reload]

# answers


class Interpreter(NamedTuple):
    """What a clean interpreter is."""

    versions: Dict[str, str]  # of what it has imported, by name of the module
    installed: List[str]  # of the libraries that formats need, those that are installed
    machine: Machine
    broken: List[str]  # what could not be imported, and why
    seconds: float  # that the imports took
    confinement: str  # that the system grants, in words
    can_fork: bool  # whether a reload can be a fork of it: no runtime has started there

    def verify(self) -> None:
        """Versions that decide what can be read there begin with two numbers."""
        for name in ("tensorflow", "keras"):
            version = self.versions.get(name, "0.0")
            if not re.match(r"\d{1,9}\.\d{1,9}(\D|$)", version):
                raise ValueError(f"a version of {name} is expected, not {repr(version)[:80]}")


class Readable(NamedTuple):
    """Whether the file can be read there."""

    readable: bool


class Done(NamedTuple):
    """A folder was received or sent."""


class Reloaded(NamedTuple):
    """What came of a job: one of `observation`, `failure`, `ended`, `broken`."""

    versions: Dict[str, str]
    seconds: Dict[str, float]  # by step
    output: str = ""  # the tail of what the child printed
    broken: Tuple[str, ...] = ()  # what could not be imported, and why
    observation: Optional[Dict[str, Dict[str, Plain]]] = None  # part -> check -> what it saw
    layers: Optional[Dict[str, List[LayerOutput]]] = None  # by part
    failure: Optional[LoadFailure] = None
    ended: Optional[ChildEnd] = None
    confinement: str = ""  # that the process was under, in words

    def verify(self) -> None:
        """It came to one end."""
        ends = [name for name in ("observation", "failure", "ended") if getattr(self, name)]
        if len(ends) > 1:
            raise ValueError(f"it has {' and '.join(ends)}; only one of them is possible")


class Refused(NamedTuple):
    """The request could not be read."""

    reason: str


class Failed(NamedTuple):
    """The system there did not let it be done: no space, no right, no process."""

    reason: str


Answer = Union[Interpreter, Readable, Done, Reloaded, Refused, Failed]

# inside the clean interpreter


class StepReached(NamedTuple):
    """What a reload's process writes as each step begins, so that one that kills it is known."""

    step: Step
    versions: Dict[str, str]  # of what it had imported by then


REQUESTS: Dict[str, Type[Request]] = {
    "probe": Probe,
    "can read": CanRead,
    "receive folder": ReceiveFolder,
    "send folder": SendFolder,
    "reload": Reload,
}
_NAMES = {kind: name for name, kind in REQUESTS.items()}

A = TypeVar("A")


class RefusedError(ValueError):
    """The other side could not read what it was asked."""


class FailedError(ValueError):
    """The other side could not do what it was asked. The text says why."""


_ERRORS: Dict[str, Tuple[Type[Union[Refused, Failed]], Type[Exception]]] = {
    "Refused": (Refused, RefusedError),
    "Failed": (Failed, FailedError),
}


def encode_request(request: Request) -> bytes:
    """The request as bytes."""
    fields: Dict[str, Plain] = records.to_plain(request)
    return codec.dump({"do": _NAMES[type(request)], **fields})


def decode_request(data: bytes) -> Request:
    """The request that these bytes hold.

    Raises:
        ValueError: when they hold none.
    """
    message = codec.load(data)
    name = message.pop("do", None) if isinstance(message, dict) else None
    if not isinstance(name, str) or name not in REQUESTS:
        raise ValueError(f"unknown request {repr(name)[:80]}; known are {', '.join(REQUESTS)}")
    return records.from_plain(REQUESTS[name], message, name)


def encode_record(record: Nest) -> bytes:
    """An answer, a job, or any other record as bytes."""
    return codec.dump({"is": type(record).__name__, "fields": records.to_plain(record)})


def decode_record(kind: Type[A], data: bytes) -> A:
    """The record of that kind that these bytes hold.

    Raises:
        RefusedError: when the other side could not read the request.
        FailedError: when its system did not let it be done.
        ValueError: when the bytes are damaged, or hold another record.
    """
    message = codec.load(data)
    if not isinstance(message, dict) or message.keys() != {"is", "fields"}:
        raise ValueError("a record is expected")
    name, fields = message["is"], message["fields"]
    if not isinstance(name, str) or name not in (kind.__name__, *_ERRORS):
        raise ValueError(f"{kind.__name__} is expected, not {repr(name)[:80]}")
    if name in _ERRORS:
        answer, error = _ERRORS[name]
        raise error(records.from_plain(answer, fields).reason)
    return records.from_plain(kind, fields)
