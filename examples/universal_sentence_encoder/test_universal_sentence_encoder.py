"""A sentence encoder from a hub: from a folder and from a server, through both formats, and on to another machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow_hub as hub
from build_encoder_module import build
from serve_encoder_module import serving

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
    """The folder of the module, as it was published."""
    folder = str(tmp_path_factory.mktemp("published") / "encoder")
    build(folder)
    return folder


@pytest.fixture(scope="module", params=["folder", "server"])
def handle(request: pytest.FixtureRequest, module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `hub.load` is given: the module's folder, or its URL, which is downloaded into a cache of its own."""
    if request.param == "folder":
        yield module
        return
    with pytest.MonkeyPatch.context() as patch, serving(module) as url:
        patch.setenv("TFHUB_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("no_proxy", "127.0.0.1")  # a proxy would look for the server on its own machine
        yield url


@pytest.mark.roundtrip(formats=["saved_model", "hub"], checks="all", generations=2)
def test_encoder(handle: str):
    """The short form: return the model and what it is called with. Signature, weights and embeddings are compared, twice.

    A hub module is often saved from a module that was loaded, so the second generation is made from the first.
    """
    return hub.load(handle), SENTENCES


@pytest.mark.roundtrip(formats=["saved_model", "hub"])
def test_embeddings(roundtrip, handle: str) -> None:
    """The long form: the same round trip, and then what we know about embeddings."""
    trip = roundtrip(hub.load(handle), SENTENCES)
    assert trip.verdict == "exact"
    assert trip.outputs.shape == (len(SENTENCES), 512)
    np.testing.assert_allclose(np.linalg.norm(trip.outputs, axis=1), 1, rtol=1e-6)


@pytest.mark.roundtrip(formats=["hub"])
def test_another_machine(roundtrip, tmp_path: Path) -> None:
    """The artefact is all that is carried over: it works where the module that it was made from never was."""
    origin, elsewhere = tmp_path / "origin", tmp_path / "another machine"
    build(str(origin))

    # While it is saved, an encoder still needs the folder that it was loaded from: its vocabulary is a file there, and is copied
    # from there into the artefact. So: the round trip first, and only then is the origin deleted.
    first = roundtrip(hub.load(str(origin)), SENTENCES)
    shutil.copytree(first.artifact, elsewhere / "encoder")
    shutil.rmtree(origin)
    shutil.rmtree(first.artifact)

    # The plugin reloaded the artefact while the origin was still there. So here is a plain interpreter without the plugin and
    # without our code or our environment: it has the copy and the installed packages, nothing else.
    command = [sys.executable, "-I", "-c", EMBED, "encoder", "embeddings.npy", *SENTENCES]
    subprocess.run(command, cwd=elsewhere, env={"HOME": str(elsewhere)}, check=True)
    np.testing.assert_allclose(np.load(elsewhere / "embeddings.npy"), first.expected, rtol=0, atol=1e-6)

    # And what was carried over is as good as the origin: it makes the round trip itself.
    second = roundtrip(hub.load(str(elsewhere / "encoder")), SENTENCES)
    assert second.verdict == "exact"
    np.testing.assert_array_equal(second.outputs, first.expected)
