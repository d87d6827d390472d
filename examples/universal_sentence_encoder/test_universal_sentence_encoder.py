"""A sentence encoder from a hub.

It is loaded from a folder and from a server, saved in both formats, and moved to another machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_hub as hub
from build_encoder_module import build
from serve_encoder_module import serving

from pytest_modelroundtrip import RoundTripFixture

SENTENCES = [
    "This is a sentence.",
    "The cat sleeps on the sofa; the dog runs!",
    "",
    "Ein naïver Satz über Größe: мир, 世界 🌍",
    "   ",
]

EMBED = """
import sys, numpy, tensorflow_hub
encoder = tensorflow_hub.load(sys.argv[1])
numpy.save(sys.argv[2], encoder(sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the published module."""
    folder = str(tmp_path_factory.mktemp("published") / "encoder")
    build(folder)
    return folder


@pytest.fixture(scope="module", params=["folder", "server"])
def handle(
    request: pytest.FixtureRequest, module: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The argument of `hub.load`: the module's folder, or its URL, with an empty download cache."""
    if request.param == "folder":
        yield module
        return
    with pytest.MonkeyPatch.context() as patch, serving(module) as url:
        patch.setenv("TFHUB_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("no_proxy", "127.0.0.1")  # no proxy can reach this machine's server
        yield url


@pytest.mark.roundtrip(formats=["saved_model", "hub"], checks="all", generations=2)
def test_encoder(handle: str) -> tuple[Any, list[str]]:
    """The short form: return the model, followed by its inputs.

    Signature, weights and embeddings are compared. Hub modules are often loaded and saved again, so
    the reloaded module is saved, reloaded and compared once more: `generations=2`.
    """
    return hub.load(handle), SENTENCES


@pytest.mark.roundtrip(formats=["saved_model", "hub"])
def test_embeddings(roundtrip: RoundTripFixture, handle: str) -> None:
    """The long form: the same round trip, and then assertions about the embeddings."""
    trip = roundtrip(hub.load(handle), SENTENCES)
    assert trip.verdict == "exact"
    assert trip.outputs.shape == (len(SENTENCES), 512)
    np.testing.assert_allclose(np.linalg.norm(trip.outputs, axis=1), 1, rtol=1e-6)


@pytest.mark.roundtrip(formats=["hub"])
def test_another_machine(roundtrip: RoundTripFixture, tmp_path: Path) -> None:
    """The artifact alone works on a machine that never had the original module."""
    origin, elsewhere = tmp_path / "origin", tmp_path / "another machine"
    build(str(origin))

    # Saving an encoder still needs the folder that it was loaded from: its vocabulary is a file
    # there, and saving copies that file into the artifact. So the origin is deleted only after the
    # round trip.
    first = roundtrip(hub.load(str(origin)), SENTENCES)
    shutil.copytree(first.artifact, elsewhere / "encoder")
    shutil.rmtree(origin)
    shutil.rmtree(first.artifact)

    # The plugin reloaded the artifact while the origin still existed. Here the origin is gone, and
    # a plain interpreter has only the copy and the installed packages.
    command = [sys.executable, "-I", "-c", EMBED, "encoder", "embeddings.npy", *SENTENCES]
    subprocess.run(command, cwd=elsewhere, env={"HOME": str(elsewhere)}, check=True)
    embeddings = np.load(elsewhere / "embeddings.npy")
    np.testing.assert_allclose(embeddings, first.expected, rtol=0, atol=1e-6)

    # The copy can itself be saved and reloaded, as the origin could.
    second = roundtrip(hub.load(str(elsewhere / "encoder")), SENTENCES)
    assert second.verdict == "exact"
    np.testing.assert_array_equal(second.outputs, first.expected)
