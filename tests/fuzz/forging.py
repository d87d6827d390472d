"""Makes wrong inputs of right ones: damaged bytes, and nests with something else in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random

import numpy as np

from pytest_modelroundtrip.portable.aliases import Array, Plain
from pytest_modelroundtrip.portable.tensors import PartOutput, Ragged, Sparse, dtype_named

TEXTS = (
    "", "a", "weights", "\0", "\ud800", "\udcff", "\x1b[2J", "{", "%s", "\\", "x" * 5000,
    " " * 5000, "timed out", "confine", "observe", "unreadable", "file", "network", "../..",
    "Unknown layer: 'Scale'", "No such file or directory: '/\0'", "3.15.1", "x.y", "1",
)  # fmt: skip
FIELDS = ("not_checked", "config", "name", "class_name", "module", "step 0", "batch_shape")
NUMBERS = (0, 1, -1, 2, 7, 2**31, 2**62, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308, 5e-324)
SCALARS: tuple[Plain, ...] = (None, True, False, math.nan, math.inf, -math.inf, *NUMBERS, *TEXTS)


def has_dtype(name: str) -> bool:
    """Whether this NumPy, and ml_dtypes where that is installed, has a dtype of that name."""
    try:
        dtype_named(name)
    except ValueError:
        return False
    return True


DTYPES = list(filter(has_dtype, (
    "bool", "int8", "int64", "uint64", "float16", "float32", "float64", "complex64",
    "bfloat16", "int4", "float8_e4m3fn", "float8_e8m0fnu", "float4_e2m1fn",
)))  # fmt: skip
SHAPES = ((), (0,), (1,), (3,), (2, 2), (2, 0), (0, 2), (1, 1, 1), (2**40, 0), (0, 2**40))


def array(random: Random) -> Array:
    """Any bits of any dtype in any shape."""
    shape = random.choice(SHAPES)
    if random.random() < 0.2:
        strings = np.empty(math.prod(shape), dtype=object)
        strings[...] = random.choice([b"", b"a", b"\xff\0"])
        return strings.reshape(shape)
    dtype = dtype_named(random.choice(DTYPES))
    made: Array = np.frombuffer(random.randbytes(math.prod(shape) * dtype.itemsize), dtype)
    return made.reshape(shape)


def leaf(random: Random) -> Plain:
    """A scalar or a tensor, which need not be one that can be."""
    kind = random.randrange(8)
    if kind < 4:
        return random.choice(SCALARS)
    if kind == 4:
        splits = np.array([random.randrange(-9, 9) for _ in range(random.randrange(4))], "int64")
        return Ragged(array(random), (splits,) * random.choice([1, 2]))
    if kind == 5:
        return Sparse(array(random), array(random), array(random))
    return PartOutput(random.choice(TEXTS)) if kind == 6 else array(random)


def nest(random: Random, depth: int = 0) -> Plain:
    """Leaves in lists and dicts, now and then very deep or very wide."""
    kind = random.randrange(9 if depth < 3 else 4)
    if kind == 8:
        return {random.choice(FIELDS): nest(random, depth + 1)}
    if kind == 4:
        return [nest(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 5:
        keys = [random.choice(SCALARS) for _ in range(random.randrange(4))]
        return {key: nest(random, depth + 1) for key in keys}
    if kind == 6:
        return _inside(leaf(random), random.choice([5, 50, 80]), random)
    if kind == 7:
        return [leaf(random)] * random.choice([100, 1000])
    return leaf(random)


def _inside(value: Plain, depth: int, random: Random) -> Plain:
    for _ in range(depth):
        value = [value] if random.random() < 0.5 else {random.choice(["a", 0, None]): value}
    return value


Path = tuple[Plain, ...]  # keys and positions


def paths(value: Plain, path: Path = ()) -> Iterator[Path]:
    """The path of each item of a nest, and of the nest itself."""
    yield path
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


def replaced(value: Plain, path: Path, change: Callable[[Plain], Plain]) -> Plain:
    """The nest with what stands at that path changed."""
    if not path:
        return change(value)
    first, *rest = path
    found = dict(value) if isinstance(value, dict) else list(value)
    found[first] = replaced(value[first], tuple(rest), change)
    return found


def changed(value: Plain, random: Random) -> Plain:
    """The nest with one thing in it changed: another value, one more, one less, one twice."""
    return replaced(value, random.choice([*paths(value)]), lambda item: _other(item, random))


def _other(value: Plain, random: Random) -> Plain:
    if isinstance(value, dict) and value:
        return random.choice(_other_dicts(value, random))()
    if isinstance(value, list) and value:
        return random.choice(_other_lists(value, random))()
    if isinstance(value, np.ndarray) and random.random() < 0.8:
        return array(random)
    same = [item for item in SCALARS if type(item) is type(value)]
    return random.choice(same) if same and random.random() < 0.7 else nest(random)


def _other_lists(value: list[Plain], random: Random) -> Sequence[Callable[[], Plain]]:
    one = random.choice(value)
    return (
        lambda: [*value, one],
        lambda: [*value, nest(random)],
        lambda: dict(enumerate(value)),
        lambda: value[::-1],
        lambda: [one] * random.choice([0, 1, 1000]),
        lambda: nest(random),
    )


def _other_dicts(value: dict[Plain, Plain], random: Random) -> Sequence[Callable[[], Plain]]:
    key = random.choice([*value])
    rest = {name: item for name, item in value.items() if name != key}
    return (
        lambda: rest,
        lambda: {**rest, random.choice(SCALARS): value[key]},
        lambda: {**value, random.choice(SCALARS): nest(random)},
        lambda: {**value, random.choice(TEXTS): value[key]},
        lambda: {**value, key: random.choice([*value.values()])},
        lambda: [*value.values()],
        dict,
        lambda: nest(random),
    )


def damaged(data: bytes, random: Random) -> bytes:
    """The bytes with some of them changed, left out, or more."""
    found = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 8])):
        start = random.randrange(len(found) + 1)
        end = min(len(found), start + random.choice([0, 1, 1, 4, 100]))
        found[start:end] = random.choice(
            [b"", random.randbytes(1), random.randbytes(4), b"9" * 20, b"[", b'"', b"NaN", b"-1"]
        )
    return bytes(found)
