"""`portable` stands alone: nothing in it imports from outside it, and nothing heavy at import."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from pytest_modelroundtrip.portable import tensors

PORTABLE = Path(tensors.__file__).parent
MODULES = sorted(PORTABLE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PORTABLE).as_posix())
def test_it_imports_nothing_from_outside(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    depth = len(path.relative_to(PORTABLE).parts)
    at_import = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= depth, ast.unparse(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            for name in (name.split(".")[0] for name in names):
                light = name == "numpy" or name in sys.stdlib_module_names
                assert light or (id(node) not in at_import and name in ("tensorflow", "tensorflow_hub", "ml_dtypes")), name


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, "x", True], 3: []},
        np.zeros((0, 3), "float64"),
        np.array(5, "int8"),
        np.array([np.nan, -0.0, np.inf]),
        np.array([1 + 2j], "complex64"),
        tensors.Ragged(np.arange(3), (np.array([0, 1, 3]), np.array([0, 1, 1, 3]))),
        tensors.Sparse(np.zeros((1, 2), "int64"), np.ones(1), np.array([3, 4])),
        tensors.to_numpy([["naïve", ""], ["nul\0", "数据"]]),
    ],
    ids=repr,
)
def test_what_is_dumped_is_what_is_loaded(value: object) -> None:
    data = tensors.dump(value)
    assert tensors.dump(tensors.load(data)) == data
    for (path, one), (other_path, other) in zip(tensors.leaves(value), tensors.leaves(tensors.load(data)), strict=True):
        assert path == other_path and type(one) is type(other)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            np.testing.assert_array_equal(one, other)
    for torn in (data[:-1] if len(data) > 8 else b"", data[:4], data + b"x"):
        with pytest.raises(ValueError):
            tensors.load(torn)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "int4"])
def test_dtypes_that_numpy_has_not(name: str) -> None:
    pytest.importorskip("ml_dtypes")
    try:
        value = np.arange(4).astype(tensors.dtype_named(name))
    except (AttributeError, TypeError):
        pytest.skip(f"this ml_dtypes has no {name}")
    loaded = tensors.load(tensors.dump(value))
    assert loaded.dtype.name == name and loaded.tobytes() == value.tobytes()


def test_numbers_of_python_have_the_width_that_tensorflow_gives_them() -> None:
    assert tensors.to_numpy([1.5, 2]).dtype == np.float32
    assert tensors.to_numpy([[1, 2]]).dtype == np.int32
    assert isinstance(tensors.to_numpy([np.ones(2), 1.0]), list)
    with pytest.raises(TypeError, match="not object"):
        tensors.to_numpy({"x": object()})
