"""`protocol`: each message comes back as the record that was sent; other bytes are refused."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelroundtrip.portable import codec, protocol
from pytest_modelroundtrip.portable.aliases import Nest, Plain
from pytest_modelroundtrip.portable.confinement.tripwire import Access, AccessKind
from pytest_modelroundtrip.portable.protocol import (
    Batch,
    CanRead,
    ChildEnd,
    Done,
    Entry,
    Failed,
    HowEnded,
    Interpreter,
    Job,
    LayerOutput,
    LoadFailure,
    Machine,
    PartJob,
    Probe,
    Readable,
    ReceiveFolder,
    Refused,
    RefusedError,
    Reload,
    Reloaded,
    SendFolder,
    Setup,
    Step,
    StepReached,
    WeightValue,
    decode_record,
    decode_request,
    encode_record,
    encode_request,
)
from pytest_modelroundtrip.portable.tensors import PartOutput

BATCH = Batch("a batch of another size", [[PartOutput("encoder")], "text"], {"training": False})
PART = PartJob("decoder", None, {"logits": 0}, ["dense/kernel"], [BATCH])
SETUP = Setup(
    imports=["layers"],
    pythonpath=["/src"],
    custom_objects={"Scale": "layers:Scale"},
    factory="models:build",
    confinement="auto",
    keras_majors=[None, 3],
)
JOB = Job(
    setup=SETUP,
    format="keras:Keras",
    needs=["tensorflow_hub"],
    artifact="/artifact",
    save_to=None,
    safe_mode=True,
    checks=["weights", "outputs"],
    layers=False,
    parts=[PART, PART._replace(name="encoder", keras_major=3, structure=None)],
)
REQUESTS: list[protocol.Request] = [
    Probe(["tensorflow"], [None, 3]),
    CanRead("/artifact/model.keras", "0" * 64),
    ReceiveFolder("/scratch"),
    SendFolder("/scratch"),
    Reload(JOB, 0.0, 300.0, None, True, True),
    Reload(
        JOB._replace(save_to="/again", setup=SETUP._replace(factory=None)),
        *(300.0, 0.5, 1 << 30, False, False),
    ),
]
MACHINE = Machine("Linux", "x86_64", ["avx2"], 2)
RECORDS: list[Nest] = [
    *REQUESTS,
    BATCH,
    PART,
    SETUP,
    JOB,
    MACHINE,
    Interpreter(
        {"keras": "3.15"}, ["h5py"], MACHINE, ["no module keras"], 2.5, "none: no Landlock", True
    ),
    Readable(True),
    Done(),
    Entry("sub", None),
    Entry("sub/model.keras", 12, True),
    ChildEnd(Step.LOAD, HowEnded.DIED, "signal 9 (SIGKILL)"),
    LayerOutput("dense", "Dense", ["an output"]),
    LoadFailure(
        *(Step.LOAD, "ValueError", "a message", "a traceback"), [Access(AccessKind.FILE, "/a")]
    ),
    Reloaded({"keras": "3.15"}, {"load": 0.5}),
    Reloaded(
        {},
        {},
        "printed",
        ("no module keras",),
        {"": {"config": {"units": 3}}},
        {"": [LayerOutput("dense", "Dense", [])]},
        confinement="Landlock 7",
    ),
    Reloaded({}, {}, failure=LoadFailure(Step.LOAD, "ValueError", "", "", [])),
    Reloaded({}, {}, ended=ChildEnd(Step.LOAD, HowEnded.TIMED_OUT)),
    StepReached(Step.LOAD, {"keras": "3.15"}),
]
KINDS = {
    held
    for held in vars(protocol).values()
    if isinstance(held, type) and held.__module__ == protocol.__name__ and hasattr(held, "_fields")
}


def test_each_record_has_an_example_here() -> None:
    assert {type(record) for record in RECORDS} | {WeightValue, Refused, Failed} == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS, key=str), ids=lambda kind: kind.__name__)
def test_the_annotations_can_be_evaluated(kind: type) -> None:
    assert list(get_type_hints(kind)) == list(kind._fields)  # type: ignore[attr-defined]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back(record: Nest) -> None:
    back = decode_record(type(record), encode_record(record))
    assert back == record
    assert type(back) is type(record)


def test_a_record_with_an_array_comes_back() -> None:
    weight = WeightValue("dense/kernel", "dense/0", None, True, np.arange(4.0))
    back = decode_record(WeightValue, encode_record(weight))
    assert back[:4] == weight[:4]
    np.testing.assert_array_equal(back.value, weight.value)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_comes_back(request_: protocol.Request) -> None:
    back = decode_request(encode_request(request_))
    assert back == request_
    assert type(back) is type(request_)


INTERPRETER = Interpreter({"keras": "3.15"}, [], MACHINE, [], 2.5, "none", True)


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (
            Reloaded({}, {}, observation={"": {}}, ended=ChildEnd(Step.LOAD, HowEnded.TIMED_OUT)),
            "it has observation and ended; only one of them is possible",
        ),
        (
            INTERPRETER._replace(versions={"keras": "three"}),
            "a version of keras is expected, not 'three'",
        ),
        (
            INTERPRETER._replace(versions={"tensorflow": "2." + "1" * 5000}),
            "a version of tensorflow is expected, not '2.111",
        ),
    ],
)
def test_records_that_contradict_themselves_are_refused(record: Nest, error: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(error)}") as raised:
        decode_record(type(record), encode_record(record))
    assert len(str(raised.value)) < 200


def test_a_request_names_what_it_wants() -> None:
    assert set(protocol.REQUESTS.values()) == set(get_args(protocol.Request))
    names = [codec.load(encode_request(request))["do"] for request in REQUESTS[:5]]
    assert names == ["probe", "can read", "receive folder", "send folder", "reload"]


KNOWN = "known are probe, can read, receive folder, send folder, reload"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"do": "dance"}, f"unknown request 'dance'; {KNOWN}"),
        ({"do": ["probe"]}, f"unknown request ['probe']; {KNOWN}"),
        ({"do": np.ones(2)}, f"unknown request array([1., 1.]); {KNOWN}"),
        ({"needs": []}, f"unknown request None; {KNOWN}"),
        (["probe"], f"unknown request None; {KNOWN}"),
        ({"do": "probe"}, "probe: the field keras_majors, needs is expected, not dict"),
        (
            {"do": "probe", "needs": [1], "keras_majors": []},
            "probe.needs[0]: str is expected, not int",
        ),
        (
            {"do": "probe", "needs": [], "keras_majors": [], "x": 1},
            "probe: no field x is expected, not dict",
        ),
        (
            {"do": "reload", "job": {}},
            "reload: the field fork, memory, seconds, stand_by, start_seconds is expected",
        ),
    ],
)
def test_another_request_is_refused(message: Plain, error: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(error)}"):
        decode_request(codec.dump(message))


def test_a_long_name_is_not_repeated() -> None:
    with pytest.raises(ValueError) as caught:
        decode_request(codec.dump({"do": "x" * 10_000}))
    assert len(str(caught.value)) < 200
    with pytest.raises(ValueError) as caught:
        decode_record(Done, codec.dump({"is": "x" * 10_000, "fields": {}}))
    assert len(str(caught.value)) < 200


def test_the_reason_of_a_refusal_is_raised() -> None:
    refusal = encode_record(Refused("unknown request 'dance'"))
    with pytest.raises(RefusedError, match=r"^unknown request 'dance'$"):
        decode_record(Done, refusal)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"is": "Readable", "fields": {"readable": True}}, "Done is expected, not 'Readable'"),
        ({"is": None, "fields": {}}, "Done is expected, not None"),
        ({"is": np.array([1, 2]), "fields": {}}, "Done is expected, not array([1, 2])"),
        ({"is": ["Done"], "fields": {}}, "Done is expected, not ['Done']"),
        ({"is": "Done"}, "a record is expected"),
        ({"is": "Done", "fields": {}, "more": 1}, "a record is expected"),
        (["Done", {}], "a record is expected"),
        (None, "a record is expected"),
        ({"is": "Done", "fields": {"x": 1}}, "Done: no field x is expected, not dict"),
        ({"is": "Done", "fields": []}, "Done: a dict is expected, not list"),
        ({"is": "Refused", "fields": {}}, "Refused: the field reason is expected, not dict"),
    ],
)
def test_another_record_is_refused(message: Plain, error: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$") as caught:
        decode_record(Done, codec.dump(message))
    assert not isinstance(caught.value, RefusedError)


@given(st.sampled_from(RECORDS), st.data())
def test_damaged_messages_raise_nothing_but_value_error(record: Nest, data: st.DataObject) -> None:
    is_request = type(record) in protocol.REQUESTS.values() and data.draw(st.booleans())
    damaged = bytearray(encode_request(record) if is_request else encode_record(record))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(8, len(damaged) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    try:
        if is_request:
            decode_request(bytes(damaged))
        else:
            decode_record(type(record), bytes(damaged))
    except ValueError:
        pass


@pytest.mark.parametrize("data", [b"", bytes(8), b"\2" + bytes(7) + b"[]"])
def test_bytes_without_a_message_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_request(data)
    with pytest.raises(ValueError):
        decode_record(Done, data)
